"""Libraries of Java judges: fetched from Maven Central once a machine, then cached; judges are compiled anew."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests import require


def class_path(name: str, folder: Path) -> str:
    """The dependencies of `folder`/pom.xml and the compiled *.java beside it.

    Args: name: of the cache, with the version of the library.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brama-judges" / name
    if not (cache / "complete").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        fetch = [require.program("mvn"), "-q", "-B", "-f", str(folder / "pom.xml"), "dependency:copy-dependencies"]
        fetched = subprocess.run([*fetch, f"-DoutputDirectory={cache}"], capture_output=True, check=False, timeout=280)
        if fetched.returncode:
            require.missing(f"{name} could not be fetched from Maven Central")
        (cache / "complete").touch()
    classes = tempfile.mkdtemp(prefix="brama-judge-")
    path = f"{cache}/*:{classes}"
    sources = map(str, folder.glob("*.java"))
    subprocess.run([require.program("javac"), "-cp", path, "-d", classes, *sources], check=True, capture_output=True)
    return path
