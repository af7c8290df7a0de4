"""Run veraPDF, the reference validator of PDF/UA and PDF/A, over many files. Its jars come from Maven Central."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests import require
from tests.judges import maven

VERSION = "1.28.2"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>judges</groupId><artifactId>verapdf</artifactId><version>1</version><dependencies><dependency>
<groupId>org.verapdf.apps</groupId><artifactId>greenfield-apps</artifactId><version>{VERSION}</version>
</dependency></dependencies></project>"""


def failures(files: Sequence[Path], flavour: str) -> list[str]:
    """Names of the files that do not keep to the standard: `ua1` or `2a`."""
    command = [require.program("java"), "-XX:TieredStopAtLevel=1", "-cp", f"{_jars()}/*"]
    command += ["org.verapdf.apps.GreenfieldCliWrapper", "--flavour", flavour, "--format", "text"]
    finished = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False, timeout=600)
    passed = {line.split()[1] for line in finished.stdout.splitlines() if line.startswith("PASS ")}
    return [file.name for file in files if str(file) not in passed]


@functools.cache
def _jars() -> Path:
    with tempfile.TemporaryDirectory() as folder:
        pom = Path(folder, "pom.xml")
        pom.write_text(_POM, "utf-8")
        return maven.fetched(f"verapdf-cli-{VERSION}", pom)
