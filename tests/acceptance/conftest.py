"""What acceptance tests share: the program itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.program import Program


@pytest.fixture
def brama(capsys: pytest.CaptureFixture[str]) -> Iterator[Program]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Program(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()  # the program set its own level; other tests read what is logged
