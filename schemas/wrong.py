"""What pydantic says of a wrong value, in Polish as well: configuration is written by people in offices.

pydantic has its sentences in English only. Those that settings can lead to stand here; another one stays as it is.
"""

from __future__ import annotations

import re

_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Field required", "brakuje tego klucza"),
    (r"Input should be a valid integer.*", "oczekiwano liczby całkowitej"),
    (r"Input should be a (?:valid|finite) number.*", "oczekiwano liczby"),
    (r"Input should be a valid boolean.*", "oczekiwano true albo false"),
    (r"Input should be a valid string", "oczekiwano tekstu w cudzysłowie"),
    (r"Input should be a valid (?:list|tuple|set|array).*", "oczekiwano listy w nawiasach kwadratowych"),
    (r"Input should be a valid (?:dictionary|mapping).*", "oczekiwano tabeli"),
    (r"Input (?:is not a valid path|should be a valid path).*", "oczekiwano ścieżki"),
    (r"Input should be a valid date.*", "oczekiwano daty, np. 2026-01-31"),
    (r"Input should be greater than or equal to (?P<a>\S+)", "najmniej {a}"),
    (r"Input should be less than or equal to (?P<a>\S+)", "najwyżej {a}"),
    (r"Input should be greater than (?P<a>\S+)", "oczekiwano więcej niż {a}"),
    (r"Input should be less than (?P<a>\S+)", "oczekiwano mniej niż {a}"),
    (r"Input should be (?P<a>'.+') or (?P<b>'.+')", "oczekiwano {a} albo {b}"),
    (r"Input should be (?P<a>'.+')", "oczekiwano {a}"),
    (r"String should have at least (?P<a>\d+) characters?", "tekst jest za krótki (najmniej znaków: {a})"),
    (r"String should have at most (?P<a>\d+) characters?", "tekst jest za długi (najwięcej znaków: {a})"),
    (r"String should match pattern (?P<a>.+)", "tekst nie ma wymaganej postaci {a}"),
    (r"(?:List|Tuple) should have at least (?P<a>\d+) items?.*", "lista jest za krótka (najmniej pozycji: {a})"),
)


def in_polish(sentence: str) -> str | None:
    """One of pydantic's sentences in Polish, without a full stop; None for one that is not known."""
    for pattern, polish in _SENTENCES:
        found = re.fullmatch(pattern, sentence, re.DOTALL)
        if found:
            return polish.format(**found.groupdict())
    return None


def said(sentence: str) -> str:
    """`po polsku / in English`; what a validator of ours says already has both."""
    polish = in_polish(sentence)
    return f"{polish} / {sentence}" if polish else sentence.removeprefix("Value error, ")
