"""A wrong setting is told in Polish and in English, whatever kind of mistake it is."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.config import load
from schemas.errors import ConfigError
from schemas.wrong import said
from tests.gateways import GATEWAY_TOML, write_config


class Table(BaseModel):
    """Every kind of setting that the configuration has."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(default=1, ge=1, le=64)
    share: float = Field(default=1.0, gt=0, lt=2)
    on: bool = True
    name: str = Field(default="x", min_length=2, max_length=3, pattern="^x")
    names: tuple[str, ...] = Field(default=(), min_length=1)
    inner: dict[str, str] = {}
    file: Path = Path("x")
    since: date = date(2026, 1, 1)
    words: Literal["a", "b", "c"] = "a"
    only: Literal["a"] = "a"


WRONG: list[tuple[str, Any, str]] = [
    ("count", 0, "najmniej 1"),
    ("count", 65, "najwyżej 64"),
    ("count", "x", "oczekiwano liczby całkowitej"),
    ("share", 0, "oczekiwano więcej niż 0"),
    ("share", 2, "oczekiwano mniej niż 2"),
    ("share", "x", "oczekiwano liczby"),
    ("on", "x", "oczekiwano true albo false"),
    ("name", 5, "oczekiwano tekstu w cudzysłowie"),
    ("name", "x", "tekst jest za krótki (najmniej znaków: 2)"),
    ("name", "xxxx", "tekst jest za długi (najwięcej znaków: 3)"),
    ("name", "yy", "tekst nie ma wymaganej postaci '^x'"),
    ("names", "x", "oczekiwano listy w nawiasach kwadratowych"),
    ("names", [], "lista jest za krótka (najmniej pozycji: 1)"),
    ("inner", 5, "oczekiwano tabeli"),
    ("file", 5, "oczekiwano ścieżki"),
    ("since", "x", "oczekiwano daty, np. 2026-01-31"),
    ("words", "x", "oczekiwano 'a', 'b' albo 'c'"),
    ("only", "x", "oczekiwano 'a'"),
]


@pytest.mark.parametrize(("key", "value", "polish"), WRONG)
def test_each_kind_of_mistake_has_its_polish_words_before_the_english_ones(key: str, value: Any, polish: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Table.model_validate({key: value})
    [item] = refused.value.errors()
    assert said(item["msg"]) == f"{polish} / {item['msg']}"


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert said("Something quite new") == "Something quite new"


def test_what_our_own_validators_say_is_not_said_twice() -> None:
    assert said("Value error, oczekiwano 7 cyfr / 7 digits expected") == "oczekiwano 7 cyfr / 7 digits expected"


def test_a_wrong_configuration_is_told_in_both_languages(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "gateway.toml").write_text(GATEWAY_TOML + "\n[http]\nport = 80800\nprocesses = 0\n", "utf-8")
    file = min((tmp_path / "tenants").glob("*.toml"))
    file.write_text(re.sub(r'teryt = "\d+"', 'teryt = "12"', file.read_text("utf-8")), "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    problems = refused.value.problems
    assert "gateway.toml: http.port: najwyżej 65535 / Input should be less than or equal to 65535" in problems
    assert "gateway.toml: http.processes: najmniej 1 / Input should be greater than or equal to 1" in problems
    assert f"{file.name}: teryt: to nie jest TERYT, oczekiwano: 7 cyfr / not a TERYT" in problems
