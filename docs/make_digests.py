"""Writes the SHA-256 of each file under xsd/ into its catalogue; run after a meant change: see docs/forms.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from schemas.ids import sha256  # noqa: E402  # after the path: the script also runs uninstalled

XSD = HERE.parent / "xsd"
_FILES = "# Everything else in this folder, so that a changed octet shows.\n"


def catalogue(written: str) -> str:
    """The catalogue with every digest made anew; files no entry names are listed at its end."""
    entries = written.partition(_FILES)[0].rstrip() + "\n"
    entries = re.sub(r'^sha256 = "[^"]*"\n', "", entries, flags=re.M)
    entries = re.sub(r'^file = "([^"]+)"\n', lambda found: f"{found[0]}{_digest(found[1])}", entries, flags=re.M)
    named = set(re.findall(r'^file = "([^"]+)"$', entries, re.M)) | {"catalogue.toml"}
    others = sorted(path.relative_to(XSD).as_posix() for path in XSD.rglob("*") if path.is_file())
    rest = [f'\n[[file]]\nfile = "{name}"\n{_digest(name)}' for name in others if name not in named]
    return f"{entries}\n{_FILES}{''.join(rest)}"


def _digest(name: str) -> str:
    return f'sha256 = "{sha256((XSD / name).read_bytes())}"\n'


if __name__ == "__main__":
    file = XSD / "catalogue.toml"
    file.write_text(catalogue(file.read_text("utf-8")), "utf-8")
