"""The normalized case: one shape between a valid signed form and any back office. JSON, version `case/1`.

The gateway never recomputes what the taxpayer declared: `declared` stays, `checks` carries what we found. Every value
knows the XPath it came from (`sources`); signed content that no row of the mapping took is listed (`unmapped`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field

from schemas.case_matters import AlcoholSales, Application, Dogs, Excise, Letter, Road, Waste
from schemas.case_parts import (
    Attachment,
    Authority,
    CoOwner,
    Declared,
    Exemption,
    Fee,
    Part,
    Party,
    Period,
    Plain,
    Relief,
    Statement,
    TaxObject,
)
from schemas.case_terms import described
from schemas.submission import SenderBlock, Submission
from schemas.verification import Verification

CASE_SCHEMA = "case/1"


class FormRef(Part):
    """The form the case came from."""

    namespace: str
    code: str | None = None
    version: str | None = None
    mapping: str | None = None  # name of the mapping table that read it


class MessageInfo(Part):
    """The arrival the case came with. Times UTC."""

    submission_id: UUID | None = None
    epuap_document_id: str | None = None
    mailbox: str | None = None
    receipt_id: str | None = None
    received_at: datetime | None = None
    submitted_at: datetime | None = None
    document_sha256: str | None = None
    sender: dict[str, str | None] | None = None


class SignatureInfo(Part):
    """Who signed, as verified. level: trusted_profile | qualified | personal | seal | unknown."""

    indication: str | None = None
    level: str | None = None
    signer_pesel: str | None = None
    signer_name: str | None = None
    signing_time: datetime | None = None


class Check(Part):
    """One finding about the content: code, severity (error | warning | info), where, and a text for a clerk."""

    code: str
    severity: str
    path: str | None = None
    message_pl: str
    message_en: str


class Case(Part):
    """See CASE_SCHEMA; `kind` is one of the catalogue's kinds, for example property_return."""

    schema_version: Literal["case/1"] = Field(default="case/1", alias="schema")
    id: UUID
    kind: str
    form: FormRef
    message: MessageInfo = MessageInfo()
    authority: Authority = Authority()
    period: Period = Period()
    purpose: str | None = None  # new | correction | cessation
    reason: str | None = None  # why it was filed, in the form's own words or code
    taxpayer: Party | None = None
    submitter: Party | None = None  # as the form's sender block says
    signed_by: Party | None = None  # as written on the form, not the electronic signature
    co_owners: tuple[CoOwner, ...] = ()
    objects: tuple[TaxObject, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    reliefs: tuple[Relief, ...] = ()
    declared: Declared | None = None
    payout_account: str | None = None
    letter: Letter | None = None
    application: Application | None = None
    excise: Excise | None = None
    waste: Waste | None = None
    dogs: Dogs | None = None
    alcohol_sales: tuple[AlcoholSales, ...] = ()
    road: Road | None = None
    statements: tuple[Statement, ...] = ()
    fees: tuple[Fee, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    document: dict[str, str] = Field(
        default_factory=dict
    )  # the envelope's own data: created_on, cid, form_id, name ...
    extra: dict[str, Plain | tuple[dict[str, Plain], ...]] = Field(
        default_factory=dict,
        description="What this form alone asks, under names its mapping chose: text, or rows of text.",
    )
    checks: tuple[Check, ...] = ()
    signature: SignatureInfo | None = None
    sources: dict[str, str] = Field(default_factory=dict)
    unmapped: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: decimals and dates as text, absent values left out. Holds personal data: never logged."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the mapper needs to know of the arrival; `MessageFacts()` for a file that arrived nowhere. Times UTC."""

    case_id: UUID | None = None  # None: made from the document
    document_sha256: str | None = None
    submission_id: UUID | None = None
    mailbox: str | None = None
    tenant: str | None = None
    epuap_document_id: str | None = None
    receipt_id: str | None = None
    received_at: datetime | None = None
    posted_at: datetime | None = None
    sender: SenderBlock | None = None
    verification: Verification | None = None

    @classmethod
    def of(
        cls, submission: Submission, verification: Verification | None = None, receipt_id: str | None = None
    ) -> MessageFacts:
        """Of a kept submission."""
        return cls(
            case_id=case_id(submission.mailbox, submission.sha256),
            document_sha256=submission.sha256,
            submission_id=submission.id,
            mailbox=submission.mailbox,
            tenant=submission.tenant,
            epuap_document_id=submission.epuap_document_id,
            receipt_id=receipt_id,
            received_at=submission.received_at,
            posted_at=submission.posted_at,
            sender=submission.sender,
            verification=verification,
        )


def case_id(mailbox: str, document_sha256: str) -> UUID:
    """The case's id: the same document in the same mailbox is the same case, for ever."""
    return uuid5(NAMESPACE_URL, f"brama:case:{mailbox}:{document_sha256}")


def taxpayer_key(case: Case, secret: bytes = b"") -> str | None:
    """A stable name for the taxpayer in order keys: 32 hex digits, None where the form names no taxpayer.

    HMAC-SHA256 of PESEL, NIP or REGON. With a `secret` it cannot be turned back by trying all numbers; without one it
    can, as any plain digest of so short a number.
    """
    party = case.taxpayer
    if party is None:
        return None
    for kind, value in (("pesel", party.pesel), ("nip", party.nip), ("regon", party.regon)):
        if value:
            return hmac.new(b"brama-taxpayer" + secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:32]
    return None


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of `case/1`, as `to_json` writes it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:brama:case:1",
        **_schema("#/$defs/{model}"),
    }


def openapi() -> dict[str, Any]:
    """The same shape as components of an OpenAPI 3.1 document, for back offices that generate clients from it."""
    schema = _schema("#/components/schemas/{model}")
    parts = schema.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Brama: normalized case", "version": CASE_SCHEMA.rpartition("/")[2]},
        "paths": {},
        "components": {"schemas": {**parts, "Case": schema}},
    }


def _schema(references: str) -> dict[str, Any]:
    """The shape with every property described."""
    whole = Case.model_json_schema(by_alias=True, mode="serialization", ref_template=references)
    parts = {name: described(part, name) for name, part in whole["$defs"].items()}
    return {**described(whole, "Case"), "$defs": parts}
