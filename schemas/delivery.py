"""The duty to hand one record to one connector, each try at it, and the four ways a try can end.

due → trying → delivered
        ├────→ waiting      surely not delivered; tried again on a schedule
        ├────→ refused      the back office said no; a clerk acts
        ├────→ unsettled    sent, answer lost: ask by key, or a person decides
        └────→ given_up     retries used up              any but delivered → set_aside (by a person, with a reason)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class DeliveryState(StrEnum):
    """Where a delivery (przekazanie) stands; see the picture above."""

    DUE = "due"
    TRYING = "trying"
    DELIVERED = "delivered"
    WAITING = "waiting"
    REFUSED = "refused"
    UNSETTLED = "unsettled"
    GIVEN_UP = "given_up"
    SET_ASIDE = "set_aside"


class Repeat(StrEnum):
    """How far a connector can promise one effect; docs/connectors.md says what remains of doubt with each."""

    SAFE = "safe"  # the far side enforces our key: sending twice has one effect
    FINDABLE = "findable"  # the far side can be asked by our key, after its settle delay
    BLIND = "blind"  # neither: any doubt waits for a person


@dataclass(frozen=True, slots=True)
class Delivered:
    """The back office has it (przekazano). `reference` is its own number; `details` holds further numbers, all text."""

    reference: str | None = None
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The back office says no (odmowa); repeating is no use until a person changed something.

    `code` is ours or the connector's own, `text` the office's reason, without names or numbers of people.
    """

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Surely not delivered (brak łączności): nothing reached the other side, or it said "later".

    `retry_after_s`: seconds from now, if the other side named a time.
    """

    code: str
    text: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Sent, but the answer was lost or cannot be understood (nie wiadomo, czy dotarło): it may or may not be there.

    `awaited`: nothing is wrong with the office, it answers later (odpowiedź w drodze); its breaker does not count this.
    """

    code: str
    text: str = ""
    awaited: bool = False


Outcome = Delivered | Refused | Unreachable | Unsettled


def outcome_word(outcome: Outcome) -> str:
    """`delivered`, `refused`, `unreachable` or `unsettled`."""
    return type(outcome).__name__.lower()


class Steps(Protocol):
    """Remembered steps (kroki) of one delivery; they survive crashes, retries and replays. Not for several threads."""

    def once(
        self,
        name: str,
        call: Callable[[], dict[str, Any]],
        find: Callable[[], dict[str, Any] | None] | None = None,
    ) -> dict[str, Any]:
        """Return the stored result of step `name`; if there is none, record the intent, run `call`, store its result.

        If an earlier try left an intent without a result, the step is in doubt: `find` is asked first (None: it did
        not happen, so `call` runs); without `find` a `repeat="safe"` connector runs `call` again and any other gets
        StepInDoubt. A result is a JSON object (numbers and references the other side gave). Exceptions of `call` pass;
        a StepStopped whose outcome is Refused or Unreachable also withdraws the intent: the step surely had no effect.
        """
        ...

    @property
    def message_id(self) -> str:
        """A fresh id for this attempt (UUID text); the business key stays the same across attempts."""
        ...


class StepInDoubt(Exception):
    """A step was begun before and its result was lost; never repeat it blindly. Let it escape."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(step)


class StepStopped(Exception):
    """Raised by a step's `call`: this try ends with `outcome`; the connector's `deliver` returns it.

    Refused and Unreachable say that the step surely had no effect, so its intent is withdrawn and a later try simply
    calls again. Unsettled leaves the intent: the step is in doubt.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome_word(outcome))


@dataclass(frozen=True, slots=True)
class AttachmentFile:
    """A file that goes with a record: the citizen's original document, the receipt (UPO), or an attachment (załącznik).

    `content` is the file's own octets, decoded, unchanged; `content_type` a MIME type told by content.
    """

    name: str
    content_type: str
    content: bytes = field(repr=False)
    role: str = "attachment"  # document | receipt | attachment


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What a connector gets: the normalized case as JSON-ready dict, the record its back office wants, and files.

    `key`: stable business key (klucz sprawy), the same in every try and replay. `tenant`: TERYT, 7 digits. `kind`: of
    the case, a word of schemas.case. `fields`: case → back-office record by the route's mapping, flat, with text,
    Decimal (money in złoty, areas in m²) or date values. `case`: the whole normalized case (schemas.case, JSON form).
    Personal data: never logged.
    """

    key: str
    tenant: str
    kind: str
    case: dict[str, Any] = field(repr=False)
    fields: dict[str, Any] = field(repr=False, default_factory=dict)
    files: tuple[AttachmentFile, ...] = field(repr=False, default=())
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of our truth about one hand-over (przekazanie). Times aware UTC, by the database's clock."""

    id: UUID
    submission_id: UUID
    case_id: UUID
    tenant: str
    connector: str  # name of the connector instance in the tenant's configuration
    form: str
    kind: str
    key: str  # stable business key, survives retries and replays
    order_key: str | None
    sequence: int
    state: DeliveryState
    round: int
    attempts: int  # in this round
    due_at: datetime | None
    last_code: str | None
    last_text: str | None
    reference: str | None
    created_at: datetime
    updated_at: datetime
    waits_for: UUID | None = None  # an earlier delivery of the same order key that is not done


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try (próba); append-only. `digest_sent` is the SHA-256 of the record as sent, hex. Times aware UTC."""

    delivery_id: UUID
    round: int
    number: int
    message_id: str
    started_at: datetime
    took_ms: int | None
    outcome: str | None  # None while it runs, or when the worker died in it
    code: str | None
    text: str | None
    digest_sent: str | None
    worker: str
    references: dict[str, str] = field(default_factory=dict)
