"""Libraries of Java judges: fetched from Maven Central once a machine, then cached; judges are compiled anew."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from tests import require

_FETCHED_WITHIN_S = 280.0
_TRIES = 2  # of a download


def class_path(name: str, folder: Path) -> str:
    """The dependencies of `folder`/pom.xml and the compiled *.java beside it.

    Args: name: of the cache, with the version of the library.
    """
    jars, classes = fetched(name, folder / "pom.xml"), tempfile.mkdtemp(prefix="brama-judge-")
    path = f"{jars}/*:{classes}"
    sources = map(str, folder.glob("*.java"))
    subprocess.run([require.program("javac"), "-cp", path, "-d", classes, *sources], check=True, capture_output=True)
    return path


def fetched(name: str, pom: Path) -> Path:
    """The folder with all jars that `pom` names. Test processes that need any at the same time wait for each other:
    neither that folder nor Maven's own repository bears two writers, and a jar half copied looks like a whole one.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brama-judges"
    jars = cache / name
    jars.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (jars / "complete").is_file():
            if not any(_fetch(pom, jars) for _ in range(_TRIES)):
                require.missing(f"{name} could not be fetched from Maven Central")
            (jars / "complete").touch()
    return jars


def _fetch(pom: Path, jars: Path) -> bool:
    command = [require.program("mvn"), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={jars}"], capture_output=True, check=False, timeout=_FETCHED_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
