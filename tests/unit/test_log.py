"""Logs carry events, codes and digests; never names, numbers of persons, bodies or secrets."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from gateway import log


@pytest.fixture
def lines(capsys):
    root = logging.getLogger()
    before = list(root.handlers), root.level
    log.configure()
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()


def test_an_event_is_one_json_line_on_stderr_with_a_utc_time(lines):
    structlog.get_logger().info("attempt_finished", outcome="unreachable", took_ms=412)

    (line,) = lines()
    assert (line["event"], line["outcome"], line["took_ms"]) == ("attempt_finished", "unreachable", 412)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("field", sorted(log.REDACTED))
def test_fields_that_could_name_a_person_are_redacted_even_if_passed(lines, field):
    structlog.get_logger().warning("kept", **{field: "44051401359"})

    (line,) = lines()
    assert line[field] == "[redacted]"


def test_the_standard_library_logs_in_the_same_form(lines):
    logging.getLogger("uvicorn.error").warning("hello %s", "there")

    (line,) = lines()
    assert (line["event"], line["level"]) == ("hello there", "warning")
