"""How a value of a document is read: each transform on what citizens write, and on what nobody may guess at."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from gateway.mapping.transforms import NEVER_FAIL, TRANSFORMS

READ: list[tuple[str, str, Any]] = [
    ("text", "  pierwszy wiersz\n drugi ", "pierwszy wiersz\n drugi"),
    ("token", " ul.  \n Długa ", "ul. Długa"),
    ("token", "Gmina", "Gmina"),
    ("digits", "12 1234-5678", "1212345678"),
    ("decimal", "12.50", "12.50"),
    ("decimal", " 1 234,5 ", "1234.5"),
    ("decimal", "0012", "12"),
    ("decimal", "-0,30", "-0.30"),
    ("integer", "7", 7),
    ("integer", "12.00", 12),
    ("integer", "-3", -3),
    ("year", " 2026 ", 2026),
    ("year", "2026Z", 2026),
    ("year", "2026+01:00", 2026),
    ("date", "2026-02-28", "2026-02-28"),
    ("date", "2026-2-3", "2026-02-03"),
    ("date", "2026-02-03T10:00:00", "2026-02-03"),
    ("date", "2026-02-03+01:00", "2026-02-03"),
    ("timestamp", "2026-02-03T10:00:00+01:00", "2026-02-03T10:00:00+01:00"),
    ("timestamp", " 2026-02-03 ", "2026-02-03"),
    ("flag", "TAK", True),
    ("flag", "2", False),
    ("base64_name", base64.b64encode("żółw.pdf".encode()).decode(), "żółw.pdf"),
    ("base64_file", "QUJD\n REVG", {"size": 6, "sha256": hashlib.sha256(b"ABCDEF").hexdigest()}),
]
UNREADABLE = [
    ("decimal", "1.234,50"),
    ("decimal", "12 zł"),
    ("decimal", "1e3"),
    ("integer", "2.5"),
    ("integer", "dwa"),
    ("year", "20261"),
    ("year", "1899"),
    ("year", "rok 2026"),
    ("date", "2026-02-30"),
    ("date", "03.02.2026"),
    ("timestamp", "2026-02-03T25:00:00"),
    ("timestamp", "wczoraj"),
    ("flag", "może"),
    ("base64_file", "QUJ*"),
    ("base64_name", base64.b64encode(b"\xff\xfe").decode()),
]


@pytest.mark.parametrize(("name", "written", "value"), READ)
def test_a_value_is_read_exactly(name: str, written: str, value: Any) -> None:
    read = TRANSFORMS[name](written)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(("name", "written"), UNREADABLE)
def test_what_cannot_be_read_is_refused_and_never_guessed(name: str, written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller knows only this
        TRANSFORMS[name](written)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_nothing_is_not_given(name: str, blank: str) -> None:
    assert TRANSFORMS[name](blank) is None


@pytest.mark.parametrize("name", [name for name, transform in TRANSFORMS.items() if transform in NEVER_FAIL])
def test_any_text_can_be_read_as_text(name: str) -> None:
    assert TRANSFORMS[name]("?? - ż\u2003x") is not None
