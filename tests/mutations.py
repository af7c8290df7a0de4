"""Small damages to a signed document, from a seed: some change what is signed, some only how it is written."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Change = Callable[[bytes, random.Random], bytes]


def mutate(document: bytes, seed: int) -> bytes:
    """One change, the same for the same seed."""
    chance = random.Random(seed)
    return chance.choice(_CHANGES)(document, chance)


def _one_octet(document: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(document))
    return document[:at] + bytes([chance.choice(b"aA0 <>/\"'&\n=x")]) + document[at + 1 :]


def _one_letter(document: bytes, chance: random.Random) -> bytes:
    places = [found.start() for found in re.finditer(rb"[A-Za-z0-9+/]", document)]
    at = chance.choice(places)
    return document[:at] + bytes([chance.choice(b"abcXYZ019")]) + document[at + 1 :]


def _dropped(document: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(document))
    return document[:at] + document[at + chance.randrange(1, 4) :]


def _between(document: bytes, chance: random.Random, what: bytes) -> bytes:
    places = [found.end() for found in re.finditer(rb">", document)]
    at = chance.choice(places)
    return document[:at] + what + document[at:]


def _comment(document: bytes, chance: random.Random) -> bytes:
    return _between(document, chance, b"<!-- c -->")


def _instruction(document: bytes, chance: random.Random) -> bytes:
    return _between(document, chance, b"<?pi x?>")


def _space(document: bytes, chance: random.Random) -> bytes:
    return _between(document, chance, chance.choice([b" ", b"\n", b"\t", b"\r\n", b"&#13;"]))


def _element(document: bytes, chance: random.Random) -> bytes:
    return _between(document, chance, chance.choice([b"<x/>", b"<x xmlns='urn:x'/>", b"<y Id='part'/>"]))


def _attribute(document: bytes, chance: random.Random) -> bytes:
    places = [found.end() for found in re.finditer(rb"<[A-Za-z][\w:.-]*", document)]
    at = chance.choice(places)
    kinds = [b" new='1'", b" xmlns:new='urn:new'", b" xml:lang='fr'", b" Id='part2'", b" xmlns='urn:x'"]
    return document[:at] + chance.choice(kinds) + document[at:]


def _quotes(document: bytes, chance: random.Random) -> bytes:
    places = list(re.finditer(rb"='([^'\"<]*)'", document))
    if not places:
        return document
    found = chance.choice(places)
    return document[: found.start()] + b'="' + found.group(1) + b'"' + document[found.end() :]


def _empty_element(document: bytes, chance: random.Random) -> bytes:
    places = list(re.finditer(rb"<([A-Za-z][\w:.-]*)([^<>]*)/>", document))
    if not places:
        return document
    found = chance.choice(places)
    whole = b"<" + found.group(1) + found.group(2) + b"></" + found.group(1) + b">"
    return document[: found.start()] + whole + document[found.end() :]


def _moved_tag(document: bytes, chance: random.Random) -> bytes:
    places = list(re.finditer(rb"<([A-Za-z][\w:.-]*)[^<>]*(?:/>|>[^<>]*</\1>)", document))
    if len(places) < 2:
        return document
    found, other = sorted(chance.sample(places, 2), key=lambda item: item.start())
    if found.end() > other.start():
        return document
    rest = document[: found.start()] + document[found.end() : other.start()]
    return rest + other.group(0) + found.group(0) + document[other.end() :]


_CHANGES: tuple[Change, ...] = (
    _one_octet,
    _one_letter,
    _one_letter,
    _dropped,
    _comment,
    _instruction,
    _space,
    _element,
    _attribute,
    _attribute,
    _quotes,
    _empty_element,
    _moved_tag,
)
