"""A text that matches a pattern of XML Schema: the small part of the language that forms use."""

from __future__ import annotations

import random
import string

_CLASSES = {"d": string.digits, "w": string.ascii_letters, "s": " ", "i": string.ascii_letters, "c": "ab"}
_CATEGORIES = {"L": "a", "Lu": "Ż", "Ll": "ż", "N": "7", "Nd": "7", "P": "-", "Z": " ", "S": "+"}
_MOST = 3  # repetitions of * and +


class PatternUnknown(ValueError):
    """The pattern uses something this generator does not know."""


def matching(pattern: str, chance: random.Random) -> str:
    """A matching text. Raises PatternUnknown for what it cannot read; the caller then needs a value by hand."""
    reader = _Reader(pattern, chance)
    made = reader.alternatives()
    if reader.rest:
        raise PatternUnknown(pattern)
    return made


class _Reader:
    def __init__(self, pattern: str, chance: random.Random) -> None:
        self.rest = pattern
        self.chance = chance

    def alternatives(self) -> str:
        made = [self._sequence()]
        while self.rest.startswith("|"):
            self.rest = self.rest[1:]
            made.append(self._sequence())
        return self.chance.choice(made)

    def _sequence(self) -> str:
        made = ""
        while self.rest and self.rest[0] not in "|)":
            before = self.rest
            first = self._atom()
            atom = before[: len(before) - len(self.rest)]
            for number in range(self._count()):
                made += first if number == 0 else _Reader(atom, self.chance).alternatives()
        return made

    def _atom(self) -> str:
        char, self.rest = self.rest[0], self.rest[1:]
        if char == "(":
            made = self.alternatives()
            if not self.rest.startswith(")"):
                raise PatternUnknown
            self.rest = self.rest[1:]
            return made
        if char == "[":
            return self._one_of()
        if char == ".":
            return self.chance.choice(string.ascii_lowercase)
        if char == "\\":
            kind, self.rest = self.rest[0], self.rest[1:]
            if kind == "p":
                return self._of_category()
            return self.chance.choice(_CLASSES[kind]) if kind in _CLASSES else kind
        return char

    def _one_of(self) -> str:
        inside, closed, self.rest = self.rest.partition("]")
        if not closed or inside.startswith("^") or "[" in inside:
            raise PatternUnknown(inside)
        allowed = ""
        while inside:
            if inside[0] == "\\":
                allowed, inside = allowed + _CLASSES.get(inside[1], inside[1]), inside[2:]
            elif len(inside) > 2 and inside[1] == "-":
                allowed += "".join(chr(code) for code in range(ord(inside[0]), ord(inside[2]) + 1))
                inside = inside[3:]
            else:
                allowed, inside = allowed + inside[0], inside[1:]
        return self.chance.choice(allowed)

    def _of_category(self) -> str:
        """`\\p{Lu}` and its kin: the first character of the category that comes to mind."""
        name, closed, self.rest = self.rest.removeprefix("{").partition("}")
        if not closed or name[:1] not in _CATEGORIES:
            raise PatternUnknown(name)
        return _CATEGORIES.get(name, _CATEGORIES[name[0]])

    def _count(self) -> int:
        sign = self.rest[:1]
        if sign in ("?", "*", "+"):
            self.rest = self.rest[1:]
            return self.chance.randint(0 if sign != "+" else 1, 1 if sign == "?" else _MOST)
        if sign == "{":
            inside, _, self.rest = self.rest[1:].partition("}")
            low, comma, high = inside.partition(",")
            return self.chance.randint(int(low), int(high or int(low) + _MOST) if comma else int(low))
        return 1
