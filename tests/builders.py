"""Valid wholes for tests; a test breaks one thing: `a_signed_document(broken="content")`."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal

from gateway.simulate import documents
from gateway.simulate.citizens import Damage, person, sign_trusted_profile, tamper
from gateway.simulate.pki import Pki, shared
from schemas.submission import Channel, Envelope, SenderBlock

TERYT = "2009032"
OTHER_TERYT = "2011083"
MAILBOX = "/gmkrasnopol/SkrytkaESP"
SECOND_MAILBOX = "/gmkrasnopol/Podatki"
OTHER_MAILBOX = "/umsokolka/SkrytkaESP"
LETTER = documents.LETTER
PROPERTY_RETURN = documents.PROPERTY_RETURN
POSTED_AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)

_seeds = count(1000)


def pki() -> Pki:
    """One PKI for the whole test run; making keys is slow."""
    return shared()


def a_signed_document(
    form: Literal["return", "letter", "unknown"] = "return",
    *,
    seed: int | None = None,
    taxpayer: int | None = None,
    broken: Damage | None = None,
    **breaks: Any,
) -> bytes:
    """A document really signed by a generated citizen; every call gives another one unless `seed` is the same.

    Args: taxpayer: seed of the person it is about, where several documents should share one.
    """
    number = seed if seed is not None else next(_seeds)
    who = person(taxpayer if taxpayer is not None else number)
    match form:
        case "return":
            breaks.setdefault("taxpayer", who)
            written = documents.property_return(TERYT, seed=number, **breaks)
        case "letter":
            written = documents.general_letter(TERYT, seed=number, **breaks)
        case "unknown":
            written = documents.unknown_form(TERYT, seed=number)
    signed = sign_trusted_profile(written, who, pki())
    return tamper(signed, broken, pki()) if broken else signed


def an_envelope(document: bytes | None = None, **changes: Any) -> Envelope:
    """One push of a document."""
    whole = document if document is not None else a_signed_document()
    values: dict[str, Any] = {
        "channel": Channel.PUSH,
        "mailbox": MAILBOX,
        "document": whole,
        "raw": b"<soap>" + whole[:200] + b"</soap>",
        "file_name": "dokument.xml",
        "sender": SenderBlock(identifier="testowykonto", person_kind="F", user="testowykonto"),
        "posted_at": POSTED_AT,
        "reply_mailbox": "/testowykonto/domyslna",
        "caller": "127.0.0.1",
    }
    return Envelope(**{**values, **changes})
