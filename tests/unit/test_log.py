"""Logs carry events, codes and digests; never names, numbers of persons, bodies or secrets."""

from __future__ import annotations

import json
import subprocess
import sys

from gateway import log

PROGRAM = """
import logging, structlog
from gateway import log
log.configure()
structlog.get_logger().info("attempt_finished", outcome="unreachable", took_ms=412)
structlog.get_logger().debug("below the level")
logging.getLogger("uvicorn.error").warning("hello %s", "there")
structlog.get_logger().warning("kept", **{field: "44051401359" for field in log.REDACTED})
"""


def logged() -> list[dict[str, object]]:
    """What a fresh process writes to stderr, one JSON document a line."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_events_are_json_lines_on_stderr_and_personal_fields_are_redacted_even_if_passed():
    moved, foreign, kept = logged()

    assert (moved["event"], moved["outcome"], moved["took_ms"]) == ("attempt_finished", "unreachable", 412)
    assert str(moved["timestamp"]).endswith("Z")
    assert (foreign["event"], foreign["level"]) == ("hello there", "warning")
    assert {kept[field] for field in log.REDACTED} == {"[redacted]"}
