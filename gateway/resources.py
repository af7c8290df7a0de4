"""Where the data that ships with Brama lies: `xsd/`, `mappings/`, `config/`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def folder(name: str) -> Path:
    """The folder `name`: inside the installed package, or beside the sources in a working copy.

    Raises: FileNotFoundError: the installation is incomplete.
    """
    package = Path(str(resources.files("gateway")))  # wheels are installed unpacked: a real folder
    for candidate in (package / "data" / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}: not in {package / 'data'}")
