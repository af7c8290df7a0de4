"""The words of the command line's framework in Polish: headings of help pages, and what it says of wrong usage.

typer has them in English only, in its code. They are met at the two edges it offers: the formatter of its help pages
and the exceptions it raises. A sentence it may learn one day stays English; it still names what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from schemas.wrong import in_polish

_Formatter: Any = typer.Context.formatter_class

_HEADINGS = {"Arguments": "Argumenty", "Options": "Opcje", "Commands": "Polecenia"}
_USAGE = {
    "[OPTIONS]": "[OPCJE]",
    "COMMAND [ARGS]...": "POLECENIE [ARGUMENTY]...",
}
_KINDS = {
    "<dir>": "<folder>",
    "<file>": "<plik>",
    "<path>": "<ścieżka>",
    "<str>": "<tekst>",
    "<text>": "<tekst>",
    "<int>": "<liczba>",
    "<float>": "<liczba>",
    "<int range>": "<liczba>",
    "<float range>": "<liczba>",
    "<list[str]>": "<tekst>",
    "<list[Path]>": "<plik>",
    "<list[": "<",
    "]>": ">",
}
_NOTES = {
    "Show this message and exit.": "Pokaż ten opis i zakończ.",
    "default: (dynamic)": "domyślnie: zalogowany użytkownik",
    "default: ": "domyślnie: ",
    "env var: ": "zmienna: ",
    "required]": "wymagane]",
}

# What the framework says of wrong usage. The first that matches from beginning to end; parts are translated likewise.
_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Missing command\.", "Brakuje polecenia."),
    (r"Missing argument (?P<a>.+?)\.(?: (?P<b>.+))?", "Brakuje argumentu {a}. {b}"),
    (r"Missing option (?P<a>.+?) \(env var: (?P<c>.+?)\)\.(?: (?P<b>.+))?", "Brakuje opcji {a} (zmienna {c}). {b}"),
    (r"Missing option (?P<a>.+?)\.(?: (?P<b>.+))?", "Brakuje opcji {a}. {b}"),
    (r"Choose from:\s*(?P<a>.+)", "Do wyboru: {a}"),
    (r"No such command (?P<a>'.*?')\. Did you mean (?P<b>.+)\?", "Nie ma polecenia {a}. Czy chodziło o {b}?"),
    (r"No such command (?P<a>'.*')\.", "Nie ma polecenia {a}."),
    (r"No such option: (?P<a>\S+) \(Possible options: (?P<b>.+)\)", "Nie ma opcji {a}. Czy chodziło o: {b}?"),
    (r"No such option: (?P<a>.+)", "Nie ma opcji {a}."),
    (r"Got unexpected extra argument(?:\(s\)|s)? \((?P<a>.*)\)", "Za dużo argumentów: {a}"),
    (r"Option (?P<a>'.+') does not take a value\.", "Opcja {a} nie przyjmuje wartości."),
    (r"Option (?P<a>'.+') requires an argument\.", "Opcja {a} wymaga wartości."),
    (r"Option (?P<a>'.+') requires (?P<b>\d+) arguments\.", "Opcja {a} wymaga tylu wartości: {b}."),
    (r"Argument (?P<a>'.+') takes (?P<b>\d+) values\.", "Argument {a} wymaga tylu wartości: {b}."),
    (r"Invalid value for (?P<a>.+?) \(env var: (?P<c>.+?)\): (?P<b>.+)", "Zła wartość {a} (zmienna {c}): {b}"),
    (r"Invalid value for (?P<a>.+?): (?P<b>.+)", "Zła wartość {a}: {b}"),
    (r"Invalid value: (?P<b>.+)", "Zła wartość: {b}"),
    (r"(?:file|path|dir|directory) (?P<a>'.+') does not exist\.", "{a} nie istnieje."),
    (r"(?:file|path|dir|directory) (?P<a>'.+') is a file\.", "{a} jest plikiem, a ma być folderem."),
    (r"(?:file|path|dir|directory) (?P<a>'.+') is a directory\.", "{a} jest folderem, a ma być plikiem."),
    (r"(?:file|path|dir|directory) (?P<a>'.+') is not readable\.", "{a}: brak prawa odczytu."),
    (r"(?:file|path|dir|directory) (?P<a>'.+') is not writable\.", "{a}: brak prawa zapisu."),
    (r"Value error, (?P<a>.+)", "{a}"),
    (r"(?P<a>.+) is not in the range (?P<b>\S+)\.", "{a} jest poza zakresem {b}."),
    (r"(?P<a>'.*') is not one of (?P<b>.+)\.", "{a} nie jest żadną z wartości: {b}."),
)  # fmt: skip


def spoken(sentence: str) -> str:
    """One sentence of the framework in Polish; what is not known stays as it is."""
    for pattern, polish in _SENTENCES:
        found = re.fullmatch(pattern, sentence, re.DOTALL)
        if found:
            parts = {name: spoken(value or "") for name, value in found.groupdict().items()}
            return polish.format(**parts).strip()
    known = in_polish(sentence)
    return f"{known}." if known else sentence


def teach(command: Any) -> Any:
    """Let a command and all below it show their help pages in Polish. Returns it."""
    for one in _all(command):
        one.context_class = _PolishContext
    return command


def _all(command: Any) -> Iterator[Any]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _all(below)


class _PolishFormatter(_Formatter):  # type: ignore[misc]
    """typer's own pages; only its words are others."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, _replaced(args, _USAGE), prefix or "Użycie: ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(_HEADINGS.get(heading, heading))

    def write_dl(self, rows: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        spoken_rows = [(_replaced(first, _KINDS), _replaced(second, _NOTES)) for first, second in rows]
        super().write_dl(spoken_rows, *args, **kwargs)


class _PolishContext(typer.Context):
    formatter_class = _PolishFormatter


def _replaced(text: str, words: dict[str, str]) -> str:
    for english, polish in words.items():
        text = text.replace(english, polish)
    return text
