"""Run the JDK's XML signature over many files at once."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import require

_SOURCE = Path(__file__).with_name("XmlDsigJudge.java")


@dataclass(frozen=True, slots=True)
class Answer:
    """The JDK on one signature: `intact`, `broken` or `cannot:…`, and a letter per reference (v, x, ?, e)."""

    verdict: str
    references: str


def judge(
    documents: Sequence[bytes], detached: Mapping[str, bytes] | None = None, *, secure: bool = False
) -> list[list[Answer]]:
    """One list of answers per document, one answer per ds:Signature in document order."""
    java = require.program("java")
    with tempfile.TemporaryDirectory() as folder:
        given = ""
        for number, (name, octets) in enumerate((detached or {}).items()):
            file = Path(folder, f"detached-{number}")
            file.write_bytes(octets)
            given += f"\t{name}={file}"
        lines = []
        for number, document in enumerate(documents):
            file = Path(folder, f"{number}.xml")
            file.write_bytes(document)
            lines.append(f"{file}{given}\n")
        command = [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", str(_classes()), "XmlDsigJudge"]
        finished = subprocess.run(
            [*command, *(["secure"] if secure else [])],
            input="".join(lines).encode(), capture_output=True, check=True, timeout=300,
        )  # fmt: skip
    answers: list[list[Answer]] = [[] for _ in documents]
    for line in finished.stdout.decode().splitlines():
        file_name, _, verdict, letters = line.split("\t")
        answers[int(Path(file_name).stem)].append(Answer(verdict, letters))
    return answers


@functools.cache
def _classes() -> Path:
    """Compiled once a run."""
    folder = Path(tempfile.mkdtemp(prefix="brama-judge-"))
    subprocess.run([require.program("javac"), "-d", str(folder), str(_SOURCE)], check=True, capture_output=True)
    return folder
