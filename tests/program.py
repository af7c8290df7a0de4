"""`brama` run in this process, for tests of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.commands import app
from gateway.cli.output import run_safely

FINE, NO, USAGE, UNREACHABLE = 0, 1, 2, 3


class Program:
    """`brama`, run in this process; what it says and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, expect: int = FINE) -> str:
        """Its stdout, or stderr where stdout is empty. Another exit code than expected fails the test."""
        self._capsys.readouterr()  # what the test itself printed before
        code = run_safely(app, [str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        assert code == expect, said.out + said.err
        return said.out if said.out.strip() else said.err

    def json(self, *arguments: object, expect: int = FINE) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self(*arguments, "--json", expect=expect))


def written(path: Path, content: bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content)
    return path
