"""What a test needs from the machine: missing, it is skipped by name, or fails where everything must be there."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program, or skip; BRAMA_TESTS_REQUIRE=all turns the skip into a failure."""
    found = shutil.which(name)
    if found is None:
        missing(f"program {name} is not installed")
    return found or name


def missing(reason: str) -> None:
    """Skip for `reason`, or fail for it where BRAMA_TESTS_REQUIRE=all."""
    if os.environ.get("BRAMA_TESTS_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
