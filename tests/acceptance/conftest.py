"""What acceptance tests share: the program itself, and a folder of configuration for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.gateways import GATEWAY_TOML, Gateway, write_config
from tests.program import Program


@pytest.fixture
def brama(capsys: pytest.CaptureFixture[str]) -> Iterator[Program]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Program(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()  # the program set its own level; other tests read what is logged


@pytest.fixture
def folder(gateway: Gateway, tmp_path: Path) -> Path:
    """A configuration folder like the gateway's own, with the address of its database in it."""
    write_config(tmp_path)
    (tmp_path / "address").write_text(gateway.tools.store.dsn, "utf-8")
    (tmp_path / "gateway.toml").write_text('database_url = "file:address"\n' + GATEWAY_TOML, "utf-8")
    return tmp_path
