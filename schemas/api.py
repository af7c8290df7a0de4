"""What the REST interface for back offices says and takes; its OpenAPI document is written from these. Times UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.submission import Decision

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})")


def _time_text(value: Any) -> Any:
    """RFC 3339 only: a bare number would be read as seconds since 1970."""
    if isinstance(value, str) and not _TIME.fullmatch(value):
        raise ValueError("expected a time with its zone, e.g. 2026-02-03T10:00:00Z")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ValueError("expected a whole number")
    return value


def _yes_or_no(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("expected true or false")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_time_text)]
Whole = Annotated[int, BeforeValidator(_whole)]
YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]


TENANT_HEADER = "Brama-Tenant"  # whose access token opens several gminas names one with each request
OAUTH = "oauth:"  # what a caller's `key_id` begins with where it showed an access token


class Scope(StrEnum):
    """What a key or an access token may do."""

    READ = "read"  # cases, their documents, receipts and attachments
    ACKNOWLEDGE = "acknowledge"  # say that a case was taken over
    SUBMIT = "submit"  # hand documents in, ask what became of them


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever showed a valid key or access token, for one tenant."""

    key_id: str  # of a token: OAUTH and the client it was given to
    tenant: str
    label: str
    scopes: frozenset[Scope]


class ApiModel(BaseModel):
    """Base: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CaseItem(ApiModel):
    """One version of a case in the list. A case corrected later appears again with a higher version."""

    id: UUID
    version: int = Field(ge=1)
    kind: str = Field(description="For example property_return; see the case schema.")
    form: str = Field(description="Namespace of the form.")
    received_at: AwareDatetime
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the original document.")
    size_bytes: int = Field(ge=0)
    acknowledged_at: AwareDatetime | None
    reference: str | None = Field(description="The number given when it was acknowledged.")
    href: str


class CasePage(ApiModel):
    """One page, in the order of publication. Ask on with `cursor`; where `more` is false, later, for what is new."""

    items: tuple[CaseItem, ...]
    cursor: str
    more: bool


class ReceiptItem(ApiModel):
    """A receipt (UPO) of the document."""

    kind: Literal["UPP", "UPD"]
    origin: str = Field(description="own: issued by this gateway; epuap: by ePUAP.")
    identifier: str
    stored_at: AwareDatetime


class FindingItem(ApiModel):
    """What validation found. `line` is the original file's."""

    code: str
    severity: Literal["error", "warning", "info"]
    line: int | None
    path: str | None
    message_pl: str
    message_en: str


class AttachmentItem(ApiModel):
    """A file in the document. `href` is null where the document holds only an address (`uri`)."""

    id: str
    file_name: str | None
    media_type: str | None = Field(description="As the sender declared it; not to be trusted.")
    size_bytes: int | None
    sha256: str | None
    uri: str | None
    href: str | None


class EffectivenessItem(ApiModel):
    """Is the letter effectively lodged? The ruling that stands; a receipt alone proves only that and when it came."""

    effect: Literal["effective", "ineffective", "clerk_decides"]
    reason: str = Field(description="Code of what led to it; see docs/codes.md.")
    ruled_by: str | None
    basis: str | None = Field(description="The provision or act it rests on, in words.")


class Acknowledgement(ApiModel):
    """The office has the case."""

    case_id: UUID
    at: AwareDatetime
    reference: str | None


class CaseView(ApiModel):
    """A case with everything that belongs to it."""

    id: UUID
    version: int = Field(ge=1)
    tenant: str = Field(description="TERYT code of the gmina.")
    mailbox: str
    channel: Literal["push", "pull", "import", "rest"]
    file_name: str
    sha256: str
    size_bytes: int
    received_at: AwareDatetime
    posted_at: AwareDatetime | None
    case: dict[str, Any] = Field(
        description="The normalized case, schema case/1 (schemas/published/case-1.schema.json)."
    )
    receipts: tuple[ReceiptItem, ...]
    effectiveness: EffectivenessItem | None = Field(description="Null where nothing was ruled.")
    findings: tuple[FindingItem, ...]
    attachments: tuple[AttachmentItem, ...]
    acknowledgement: Acknowledgement | None
    document_href: str
    receipt_href: str | None


class AcknowledgeRequest(ApiModel):
    """`reference`: the office's own number, kept for good and shown to clerks. `version`: what the office stored."""

    reference: str | None = Field(default=None, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    version: int | None = Field(default=None, ge=1, lt=2**31, description="Refused when there is a newer one by now.")


class SubmissionView(ApiModel):
    """What became of a document handed in. `decision` is null while it is still being decided."""

    id: UUID
    decision: Decision | None
    reason: str | None = Field(description="Code that led to the decision.")
    message_pl: str
    message_en: str
    mailbox: str
    sha256: str
    received_at: AwareDatetime
    receipt_href: str | None


class Problem(ApiModel):
    """Why not (RFC 9457). `code` is stable; see docs/codes.md."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    message_pl: str
    message_en: str
    problems: tuple[str, ...] = Field(default=(), description="Every wrong parameter, one sentence each.")
    submission: SubmissionView | None = Field(default=None, description="Of a document that was kept but rejected.")


class ListQuery(ApiModel):
    """Parameters of the list."""

    tenant: str | None = Field(default=None, pattern=r"^[0-9]{7}$", description="TERYT code; the key's own tenant.")
    since: Time | None = Field(default=None, description="Only cases received then or later.")
    cursor: str | None = Field(default=None, pattern=r"^c[0-9]{1,18}$", description="From the page before. Opaque.")
    limit: Whole = Field(default=100, ge=1, le=500)
    unacknowledged: YesNo = Field(default=False, description="Only cases not acknowledged yet.")


class SubmitQuery(ApiModel):
    """Parameters beside a document handed in; nothing personal belongs into an address."""

    mailbox: str | None = Field(default=None, max_length=250, description="One of the gmina's; empty: its first.")
    file_name: str = Field(default="dokument.xml", min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")
    reply_mailbox: str | None = Field(default=None, max_length=250, pattern=r"^/[^\x00-\x1f\x7f]+$")
    test: YesNo = Field(default=False, description="A test submission: kept and receipted, delivered nowhere.")


class NoQuery(ApiModel):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """Octets to hand out. `sha256` hex, over exactly these octets."""

    content: bytes = field(repr=False)
    sha256: str
    media_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a document handed in; `is_new` where this call made it."""

    view: SubmissionView
    is_new: bool


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as an operator sees it; the secret is nowhere."""

    id: str
    tenant: str
    label: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
