"""A document sent to a gmina: the envelope it came in, what we keep of it, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from schemas.ids import sha256
from schemas.shallow import shallow


class Channel(StrEnum):
    """How a document reached us (kanał): pushed by ePUAP, polled, imported from an emergency package, or over REST."""

    PUSH = "push"
    PULL = "pull"
    IMPORT = "import"
    REST = "rest"


class Decision(StrEnum):
    """What was decided about a kept submission (zgłoszenie); README.md says what follows from each."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"
    TEST = "test"
    RECEIPT = "receipt"  # not a submission: an UPO for something we sent


class SubmissionState(StrEnum):
    """Where a submission stands: kept → decided → processed; held while it waits for a clerk, closed when done with."""

    KEPT = "kept"  # bytes durable, nothing decided (the sweep finishes these)
    DECIDED = "decided"  # verdict and receipt stored, processing due (the sweep finishes these)
    PROCESSED = "processed"  # mapped, deliveries scheduled
    HELD = "held"  # quarantined, or processing failed: waits for a person
    CLOSED = "closed"  # rejected, or set aside by a person: kept and shown, nothing more happens


@dataclass(frozen=True, slots=True)
class SenderBlock:
    """Who sent it according to ePUAP (danePodmiotu, daneNadawcy); not the signer. Personal data: never logged."""

    identifier: str | None = None  # identyfikator podmiotu in ePUAP
    person_kind: str | None = None  # typOsoby: F (natural), P (legal); PP has been seen
    first_name: str | None = None
    name: str | None = None
    nip: str | None = None
    pesel: str | None = None
    regon: str | None = None
    user: str | None = None  # daneNadawcy/uzytkownik
    system: str | None = None  # daneNadawcy/system

    def to_json(self) -> dict[str, Any]:
        """All fields, absent ones as null."""
        return shallow(self)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One arrival (przesyłka), whatever the channel: the document's original octets and what came with them."""

    channel: Channel
    mailbox: str  # adresSkrytki as sent: it may be unknown to us
    document: bytes = field(repr=False)
    raw: bytes = field(repr=False)  # the whole request as received
    file_name: str
    sender: SenderBlock
    posted_at: datetime | None = None  # dataNadania, aware UTC
    reply_mailbox: str | None = None
    is_test: bool = False
    epuap_document_id: str | None = None  # from daneDodatkowe, where it can be found
    content_type: str | None = None  # typPliku
    caller: str | None = None  # network address of who called us; bounds quarantine of unknown mailboxes
    defect: str | None = None  # code: no document could be taken out; `document` is what stood in its place

    @property
    def digest(self) -> str:
        """SHA-256 of the document's original octets, hex."""
        return sha256(self.document)


@dataclass(frozen=True, slots=True)
class Submission:
    """One kept document (zgłoszenie). Identity is (mailbox, sha256). Times aware UTC."""

    id: UUID
    sequence: int  # order of keeping; deliveries of one taxpayer follow it
    tenant: str | None  # TERYT; None when no tenant serves the mailbox
    mailbox: str
    channel: Channel
    sha256: str
    size_bytes: int
    file_name: str
    is_test: bool
    received_at: datetime
    posted_at: datetime | None
    reply_mailbox: str | None
    epuap_document_id: str | None
    sender: SenderBlock
    state: SubmissionState
    decision: Decision | None
    reason: str | None  # code that led to the decision
    form_namespace: str | None
    document: bytes = field(repr=False, default=b"")  # filled where a step needs it, empty in lists


@dataclass(frozen=True, slots=True)
class Answer:
    """What the push endpoint says: status code and text of ours, and the receipt to attach, if any."""

    code: int
    text: str
    receipt: bytes | None = None
    receipt_file_name: str | None = None
