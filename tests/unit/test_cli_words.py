"""What the command line's framework says, in Polish and in English: help pages and every kind of wrong usage."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer.main

from gateway.cli.commands import app
from gateway.cli.polish import spoken, teach
from tests.program import FINE, USAGE, Program

ENGLISH = re.compile(
    r"\b(Usage|Options|Commands|Arguments|Error|Missing|Invalid|Show this message|required|default:|env var)\b"
)


@pytest.fixture
def brama(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    for name in ("BRAMA_LANG", "BRAMA_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Program(capsys)


@pytest.fixture
def english(brama: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("BRAMA_LANG", "en")
    return brama


def every_command(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {}).items()
    return [path, *(found for name, one in below for found in every_command(one, (*path, name)))]


def test_no_help_page_has_an_english_word_of_the_framework(brama: Program, capsys: pytest.CaptureFixture[str]) -> None:
    command = teach(typer.main.get_command(app))
    for path in every_command(command):
        assert command.main([*path, "--help"], standalone_mode=False) == 0
        page = capsys.readouterr().out
        assert page.startswith("Użycie: ")
        assert "Opcje:" in page
        assert ENGLISH.findall(page) == [], path


def test_help_can_be_had_in_english(english: Program) -> None:
    page = english("--help")
    assert page.startswith("Usage: ")
    assert "Show this message and exit." in page


def test_called_without_anything_the_program_shows_its_help(brama: Program) -> None:
    said = brama(expect=USAGE)
    assert said.startswith("Użycie: ")
    assert "Błąd" not in said


WRONG: list[tuple[list[str], str, str]] = [
    (["verify"], "Błąd: Brakuje argumentu 'PLIK'.", "Error: Missing argument 'PLIK'."),
    (["verify", "--zla"], "Błąd: Nie ma opcji --zla. Czy chodziło o: --at?",
     "Error: No such option: --zla (Possible options: --at)"),
    (["verify", "--zupelnie-inna"], "Błąd: Nie ma opcji --zupelnie-inna.", "Error: No such option: --zupelnie-inna"),
    (["verfy"], "Błąd: Nie ma polecenia 'verfy'. Czy chodziło o 'verify'?",
     "Error: No such command 'verfy'. Did you mean 'verify'?"),
    (["xyzzy"], "Błąd: Nie ma polecenia 'xyzzy'.", "Error: No such command 'xyzzy'."),
    (["verify", "brak.xml"], "Błąd: Zła wartość 'PLIK': 'brak.xml' nie istnieje.",
     "Error: Invalid value for 'PLIK': file 'brak.xml' does not exist."),
    (["verify", "."], "Błąd: Zła wartość 'PLIK': '.' jest folderem, a ma być plikiem.",
     "Error: Invalid value for 'PLIK': file '.' is a directory."),
    (["work"], "Błąd: Brakuje opcji '--config' (zmienna 'BRAMA_CONFIG').",
     "Error: Missing option '--config' (env var: 'BRAMA_CONFIG')."),
    (["work", "--config", __file__],
     f"Błąd: Zła wartość '--config' (zmienna 'BRAMA_CONFIG'): '{__file__}' jest plikiem, a ma być folderem.",
     f"Error: Invalid value for '--config' (env var: 'BRAMA_CONFIG'): dir '{__file__}' is a file."),
    (["work", "--config", ".", "--wait"], "Błąd: Opcja '--wait' wymaga wartości.",
     "Error: Option '--wait' requires an argument."),
    (["work", "--config", ".", "--wait", "x"], "Błąd: Zła wartość '--wait': oczekiwano liczby.",
     "Error: Invalid value for '--wait': Input should be a valid number, unable to parse string as a number"),
    (["work", "--config", ".", "--wait", "-1"], "Błąd: Zła wartość '--wait': najmniej 0.",
     "Error: Invalid value for '--wait': Input should be greater than or equal to 0"),
    (["work", "--config", ".", "a", "b"], "Błąd: Za dużo argumentów: a b",
     "Error: Got unexpected extra argument(s) (a b)"),
    (["verify", "--json=x", __file__], "Błąd: Opcja '--json' nie przyjmuje wartości.",
     "Error: Option '--json' does not take a value."),
    (["api-key", "new", "--config", ".", "--tenant", "1", "--label", "x", "--scope", "zly"],
     "Błąd: Zła wartość '--scope': 'zly' nie jest żadną z wartości: 'read', 'acknowledge', 'submit'.",
     "Error: Invalid value for '--scope': Value error, 'zly' is not one of 'read', 'acknowledge', 'submit'."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "polish"), [(given, pl) for given, pl, _ in WRONG])
def test_wrong_usage_is_told_in_polish(brama: Program, arguments: list[str], polish: str) -> None:
    said = brama(*arguments, expect=USAGE)
    assert said.splitlines()[-1] == polish


@pytest.mark.parametrize(("arguments", "words"), [(given, en) for given, _, en in WRONG])
def test_wrong_usage_is_told_in_english(english: Program, arguments: list[str], words: str) -> None:
    said = english(*arguments, expect=USAGE)
    assert said.splitlines()[-1] == words


def test_a_program_is_told_as_json(brama: Program) -> None:
    said = brama("verify", "brak.xml", "--json", expect=USAGE)
    assert json.loads(said)["error"]["code"] == "cli.usage"


def test_what_is_not_known_stays_as_it_is() -> None:
    assert spoken("Something quite new.") == "Something quite new."
    assert spoken("Invalid value for 'X': something quite new") == "Zła wartość 'X': something quite new"


def test_the_version_is_shown(brama: Program) -> None:
    assert brama("--version", expect=FINE).startswith("brama ")
