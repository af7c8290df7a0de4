"""What is answered, by which documents, and what can happen to an answer on its way (see gateway.answers.plan)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Service(StrEnum):
    """What is answered. The first two come from citizens' cases, the others from clerks and policies."""

    SETTLEMENT_QUERY = "settlement_query"
    ARREARS_CERTIFICATE = "arrears_certificate_application"
    CORRECTION_CALL = "correction_call"
    DECISION_DELIVERY = "decision_delivery"
    INEFFECTIVE_NOTICE = "ineffective_notice"
    RESEND_REQUEST = "resend_request"
    REJECTION_NOTICE = "rejection_notice"


class Document(StrEnum):
    """What is drafted; the value is its template's name."""

    SETTLEMENT_STATEMENT = "settlement_statement"
    CERTIFICATE_NONE = "certificate_no_arrears"
    CERTIFICATE_ARREARS = "certificate_arrears"
    REFUSAL = "certificate_refusal"
    FEE_CALL = "fee_call"
    CORRECTION_CALL = "correction_call"
    DECISION_DELIVERY = "decision_delivery"
    INEFFECTIVE_NOTICE = "ineffective_notice"
    RESEND_REQUEST = "resend_request"
    REJECTION_NOTICE = "rejection_notice"


DOCUMENTS: dict[Service, frozenset[Document]] = {
    Service.SETTLEMENT_QUERY: frozenset({Document.SETTLEMENT_STATEMENT}),
    Service.ARREARS_CERTIFICATE: frozenset(
        {Document.CERTIFICATE_NONE, Document.CERTIFICATE_ARREARS, Document.REFUSAL, Document.FEE_CALL}
    ),
    Service.CORRECTION_CALL: frozenset({Document.CORRECTION_CALL}),
    Service.DECISION_DELIVERY: frozenset({Document.DECISION_DELIVERY}),
    Service.INEFFECTIVE_NOTICE: frozenset({Document.INEFFECTIVE_NOTICE}),
    Service.RESEND_REQUEST: frozenset({Document.RESEND_REQUEST}),
    Service.REJECTION_NOTICE: frozenset({Document.REJECTION_NOTICE}),
}
ASKS_LEDGERS = frozenset({Service.SETTLEMENT_QUERY, Service.ARREARS_CERTIFICATE})
NEEDS_APPROVAL = frozenset(
    set(Document) - {Document.SETTLEMENT_STATEMENT, Document.INEFFECTIVE_NOTICE, Document.REJECTION_NOTICE}
)
OF_ITS_DAY = frozenset({Document.CERTIFICATE_NONE, Document.CERTIFICATE_ARREARS, Document.REFUSAL})
STATES_PROCEEDINGS = frozenset({Document.CERTIFICATE_NONE, Document.CERTIFICATE_ARREARS})


@dataclass(frozen=True, slots=True)
class Answered:
    """The ledgers were asked; `as_of` is Dues.as_of."""

    as_of: datetime


@dataclass(frozen=True, slots=True)
class Drafted:
    """A document was drafted; `digest` is the SHA-256 of its unsigned octets, `dated` the day it bears."""

    document: Document
    digest: str
    dated: date


@dataclass(frozen=True, slots=True)
class Approved:
    """A person stands for it. `proceedings_checked`: the check of art. 306e § 2 was made (certificates need it)."""

    actor: str
    at: datetime
    digest: str
    proceedings_checked: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """The octets of this digest were signed; `sha256` is the signed document's."""

    at: datetime
    digest: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The outbox has it for good; from here on its own states count (unsettled, receipts)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A person must look first; `code` says why (`answers.*`)."""

    code: str


@dataclass(frozen=True, slots=True)
class Returned:
    """Back to the start: not approved, or its day went by before it was signed."""

    actor: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A person let a held answer go on; what it was held for counts as looked at (see `AnswerPlan.cleared`)."""

    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person ended it; the citizen is answered another way."""

    actor: str
    at: datetime
    reason: str


Event = Answered | Drafted | Approved | Signed | Sent | Held | Returned | Resumed | Withdrawn
