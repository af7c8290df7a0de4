"""Did the document reach the gmina it is meant for? The gmina's own words for itself are given, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.checks.say import finding
from schemas.case import Case
from schemas.finding import Finding, Severity
from schemas.ids import is_nip


@dataclass(frozen=True, slots=True)
class Receiver:
    """A gmina that received a document. `names`: how forms may name its office; `others`: those of its neighbours."""

    nip: str | None = None
    names: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, nip: str | None, names: Iterable[str], others: Iterable[str]) -> Receiver:
        """Names in any spelling of case, spaces and dashes; a name of both is its own."""
        own = frozenset(map(plain, names))
        return cls("".join(filter(str.isdigit, nip or "")) or None, own, frozenset(map(plain, others)) - own)


def plain(name: str) -> str:
    """A name without its typography: people write it by hand."""
    return " ".join(re.sub(r"[^\w]+", " ", name).casefold().split())


def addressee_checks(case: Case, receiver: Receiver) -> Iterator[Finding]:
    """Misdirected for certain (another NIP, another gmina of this gateway), or perhaps (a name nobody told us)."""
    nip = case.document.get("addressee_nip")
    if nip and receiver.nip and nip != receiver.nip and is_nip(nip):
        yield finding("check.misdirected", Severity.ERROR, case.sources.get("document.addressee_nip"))
        return
    for target, name in (
        ("document.addressee", case.document.get("addressee")),
        ("authority.name", case.authority.name),
    ):
        if not name or _says(name, receiver.names):
            continue
        if _says(name, receiver.others):
            yield finding("check.misdirected", Severity.ERROR, case.sources.get(target))
        elif receiver.names:
            yield finding("check.addressee_unknown", Severity.WARNING, case.sources.get(target))


def _says(written: str, names: frozenset[str]) -> bool:
    """One of the names stands in what is written, which may say more: the mayor's title, the street."""
    return any(f" {name} " in f" {plain(written)} " for name in names)
