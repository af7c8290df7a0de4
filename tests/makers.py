"""The scripts in docs/ that write pages, loaded as modules: tests ask them what a page should say now."""

from __future__ import annotations

import importlib.util
from typing import Any

from tests.test_layers import ROOT


def maker(name: str) -> Any:
    """`docs/<name>.py`, freshly run."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
