"""What we send to citizens: a signed document on its way, its states, and the channel it goes through.

    due → trying → sent → receipted
      ▲      ├───→ unsettled    may have been sent: looked up, or settled by a receipt or a person; never sent blindly
      │      ├───→ refused      the channel says no; a person acts
      └──────┴───→ given_up     never reached the channel, retries used up           any but trying → set_aside

`sent` is not the end: `receipted` is, when the receipt the kind asks for has come and is signed by somebody believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from schemas.receipt import OF_DELIVERY, OF_LODGING, ReceiptKind
from schemas.submission import Submission


class MessageState(StrEnum):
    """Where a message stands."""

    DUE = "due"
    TRYING = "trying"
    SENT = "sent"
    RECEIPTED = "receipted"
    UNSETTLED = "unsettled"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    SET_ASIDE = "set_aside"


class MessageKind(StrEnum):
    """How it is sent: nadaj puts it into the box, dorecz delivers it against the addressee's own receipt."""

    SUBMIT = "nadaj"
    DELIVER = "dorecz"

    @property
    def awaits(self) -> ReceiptKind:
        """The receipt that ends the wait."""
        return OF_LODGING if self is MessageKind.SUBMIT else OF_DELIVERY


class LookUp(StrEnum):
    """What it means that the channel's list of sent documents does not show ours."""

    COMPLETE = "complete"  # it was not sent: it may be sent again
    PARTIAL = "partial"  # nothing: only being there proves something
    NONE = "none"  # there is no list to look into


@dataclass(frozen=True, slots=True)
class Message:
    """One signed document to one box. Times aware UTC. The document is left empty in lists."""

    id: UUID
    submission_id: UUID  # what it answers
    tenant: str
    kind: MessageKind
    to: str
    reply_to: str  # our box: receipts come there
    file_name: str  # holds our document id, so that it is found among what was sent
    document_id: str  # ours; comes back in a receipt of delivery
    case_id: str
    cid: str | None  # of the document; comes back in a receipt's description
    sha256: str
    state: MessageState
    attempts: int
    created_at: datetime
    sent_at: datetime | None = None
    remote_document_id: str | None = None  # identyfikatorDokumentu
    remote_receipt_id: str | None = None  # identyfikatorUpp
    remote_order_id: str | None = None  # identyfikatorZlecenia
    last_code: str | None = None
    last_text: str | None = None
    document: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the channel said when it took a message."""

    document_id: str | None
    receipt_id: str | None = None
    order_id: str | None = None
    receipt: bytes | None = field(default=None, repr=False)  # given at once


class Post(Protocol):
    """A channel that carries messages. No key on this wire makes a repeat harmless: hence `find`."""

    timeout_s: float  # of one call
    settle_s: float  # how long after a lost answer looking makes sense
    look_up: LookUp

    def send(self, message: Message) -> Accepted:
        """Send once. Raises ServiceError: Unreachable (surely not sent), Refused, anything else leaves it open."""
        ...

    def find(self, message: Message) -> Accepted | None:
        """Is it among what was sent? Raises ServiceError: nothing is known."""
        ...


class ReceiptSource(Protocol):
    """Where receipts that a channel gave to senders can be had from afterwards."""

    def open(self) -> Callable[[Submission], Iterator[bytes]]:
        """Made ready once for any number of documents; each call yields what may be the document's receipt, likely ones
        first. Raises ServiceError, also while it yields."""
        ...
