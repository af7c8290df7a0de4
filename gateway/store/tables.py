"""Every table of ours, as SQLAlchemy Core. Rows become the shapes of `schemas` in the modules beside this one.

    submission   kept ──► decided ──► processed                    identity: (mailbox, sha256), for ever
                  │          └──────► held ──► (released) decided   quarantined, or a step failed: a clerk acts
                  └───────────────►  closed                         rejected, or set aside by a person
    delivery     due ──► trying ──► delivered
                  ▲        ├──────► waiting      surely not delivered; due again at `due_at`
                  │        ├──────► refused      waits for a person
                  │        ├──────► unsettled    with `due_at`: the office is asked then; without: a person decides
                  │        └──────► given_up     waits for a person
                  └── replay (a new round)       any but delivered ──► set_aside

What the columns of `delivery` promise:
    fence        grows with every claim; an outcome is stored only by whoever holds the number (late results bounce)
    lease_until  database time; a `trying` row past it belongs to nobody and is recovered
    due_at       database time; NULL: nobody tries it until something else happens (`parked` says what, or a person)
    woken_at     when a job was enqueued for this due time; NULL: the promoter enqueues one as soon as it is due
    in_doubt     an earlier try may have reached the office: it is asked before anything is sent
Only events and attempts grow without end; both are append-only (a trigger refuses anything else). Events hold codes,
digests and sizes, never personal data: what may have to be erased one day lives in the other tables.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SUBMISSION_STATES = ("kept", "decided", "processed", "held", "closed")
DELIVERY_STATES = ("due", "trying", "delivered", "waiting", "refused", "unsettled", "given_up", "set_aside")


def _time(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **options)


def _now(name: str) -> Column[Any]:
    return _time(name, nullable=False, server_default=func.now())


def _of_submission(**options: Any) -> Column[Any]:
    return Column("submission_id", UUID(as_uuid=True), ForeignKey("submission.id"), nullable=False, **options)


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


submission = Table(
    "submission",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("sequence", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("tenant", Text),
    Column("mailbox", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("content_type", Text),
    Column("is_test", Boolean, nullable=False),
    _now("received_at"),
    _time("posted_at"),
    Column("reply_mailbox", Text),
    Column("epuap_document_id", Text),
    Column("sender", JSONB, nullable=False),
    Column("caller", Text),
    Column("state", Text, nullable=False, server_default="kept"),
    Column("decision", Text),
    Column("reason", Text),
    Column("form_namespace", Text),
    Column("same_as", UUID(as_uuid=True), ForeignKey("submission.id")),  # first one of the tenant with this content
    Column("released", Boolean, nullable=False, server_default=false()),  # a person let it go on
    Column("tries", Integer, nullable=False, server_default=text("0")),  # of the step it stands before
    _time("busy_until"),  # somebody is deciding or processing it; past it, the sweep takes over
    Column("events", Integer, nullable=False, server_default=text("0")),
    Column("head_hash", Text),  # hash of its last event
    UniqueConstraint("mailbox", "sha256"),
    _one_of("state", SUBMISSION_STATES),
    Index("ix_submission_tenant_sequence", "tenant", "sequence"),
    Index("ix_submission_state_sequence", "state", "sequence"),
    Index("ix_submission_tenant_state_sequence", "tenant", "state", "sequence"),
    Index("ix_submission_decision_sequence", "decision", "sequence"),
    Index("ix_submission_form_sequence", "form_namespace", "sequence"),
    Index("ix_submission_received_at", "received_at"),
    Index("ix_submission_sha256", "sha256"),
    Index("ix_submission_unfinished", "busy_until", postgresql_where=text("state IN ('kept', 'decided')")),
    Index("ix_submission_unprocessed", "tenant", "sequence", postgresql_where=text("state IN ('kept', 'decided')")),
)

content = Table(  # the original octets and the request they came in: written once, never changed
    "content",
    metadata,
    _of_submission(primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

arrival = Table(  # every further arrival of a document we have already
    "arrival",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _of_submission(index=True),
    _now("arrived_at"),
    Column("channel", Text, nullable=False),
    _time("posted_at"),
    Column("epuap_document_id", Text),
    Column("caller", Text),
    Column("envelope_sha256", Text, nullable=False),
    Column("flags", JSONB, nullable=False),  # what differs from the first: channel, posted_at, epuap_document_id
)

quarantine_use = Table(  # how much each caller sent to unknown mailboxes on one day (UTC)
    "quarantine_use",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("kept", Integer, nullable=False),
)

verification = Table(
    "verification",
    metadata,
    _of_submission(primary_key=True),
    _now("verified_at"),
    Column("stored", JSONB, nullable=False),
    Column("signed_xml", LargeBinary),
)

validation = Table(
    "validation",
    metadata,
    _of_submission(primary_key=True),
    _now("validated_at"),
    Column("stored", JSONB, nullable=False),
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _of_submission(),
    Column("kind", Text, nullable=False),  # UPP | UPD
    Column("origin", Text, nullable=False),  # own | epuap
    Column("identifier", Text, nullable=False),
    _now("stored_at"),
    Column("stored", JSONB, nullable=False),
    Column("xml", LargeBinary, nullable=False),
    UniqueConstraint("submission_id", "kind", "origin"),
    Index("ix_receipt_identifier", "identifier"),
)

case_version = Table(  # the case as mapped; mapping again, or a clerk's correction, adds a version
    "case_version",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    _of_submission(),
    Column("version", Integer, nullable=False),
    _now("mapped_at"),
    Column("stored", JSONB, nullable=False),
    Column("actor", Text),  # who asked for this version; NULL: the first, by the gateway
    Column("reason", Text),
    Column("changes", JSONB),  # of a clerk's correction: path → [before, after]
    UniqueConstraint("submission_id", "version"),
    Index(
        "ix_case_version_taxpayer",
        text("COALESCE(stored #>> '{taxpayer,pesel}', stored #>> '{taxpayer,nip}', stored #>> '{taxpayer,regon}')"),
        postgresql_where=text("version = 1"),
    ),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    _of_submission(),
    Column("tenant", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("record", Text),  # record mapping of the route; NULL: the case itself
    Column("key", Text, nullable=False, unique=True),
    Column("order_key", Text),  # NULL: no taxpayer, no order
    Column("sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="due"),
    Column("round", Integer, nullable=False, server_default=text("1")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("worker", Text),
    _time("lease_until"),
    _time("due_at"),
    _time("woken_at"),
    Column("parked", Text),  # order | pause | files | fetch
    Column("files", Text),  # waited_for | here; see file_tables
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    Column("repeat", Text),  # of the connector at the last claim: recovery needs no connector
    Column("settle_s", Double),
    _time("first_tried_at"),  # in this round
    _time("doubt_since"),
    Column("last_code", Text),
    Column("last_text", Text),
    Column("reference", Text),
    Column("details", JSONB),
    _now("created_at"),
    _now("updated_at"),
    UniqueConstraint("submission_id", "connector"),
    _one_of("state", DELIVERY_STATES),
    Index(
        "ix_delivery_to_wake",
        "due_at",
        postgresql_where=text("state IN ('due', 'waiting', 'unsettled') AND woken_at IS NULL"),
    ),
    Index(
        "ix_delivery_woken",
        "woken_at",
        postgresql_where=text("state IN ('due', 'waiting', 'unsettled') AND woken_at IS NOT NULL"),
    ),
    Index("ix_delivery_leased", "lease_until", postgresql_where=text("state = 'trying'")),
    Index(
        "ix_delivery_order",
        "order_key",
        "sequence",
        postgresql_where=text("order_key IS NOT NULL AND state NOT IN ('delivered', 'set_aside')"),
    ),
    Index("ix_delivery_parked", "parked", "id", postgresql_where=text("parked IS NOT NULL")),
    Index("ix_delivery_state_sequence", "state", "sequence"),
    Index("ix_delivery_tenant_state_sequence", "tenant", "state", "sequence"),
    Index("ix_delivery_connector", "tenant", "connector", "state"),
    Index("ix_delivery_sequence", "sequence"),
)

step = Table(  # a remembered effect: intent before the call, result at once after it
    "step",
    metadata,
    Column("delivery_id", UUID(as_uuid=True), ForeignKey("delivery.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    _now("intended_at"),
    _time("done_at"),
    Column("result", JSONB),
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", UUID(as_uuid=True), ForeignKey("delivery.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    _now("started_at"),
    Column("took_ms", Integer),
    Column("outcome", Text),
    Column("code", Text),
    Column("text", Text),
    Column("digest_sent", Text),
    Column("worker", Text, nullable=False),
    Column("remote_references", JSONB, nullable=False, server_default=text("'{}'")),
)

event = Table(
    "event",
    metadata,
    _of_submission(primary_key=True),
    Column("number", Integer, primary_key=True),
    _time("at", nullable=False),
    Column("word", Text, nullable=False),
    Column("actor", Text),  # NULL: the gateway itself
    Column("facts", JSONB, nullable=False),
    Column("prev_hash", Text),
    Column("hash", Text, nullable=False),
)

pause = Table(  # what a person stopped for a while; NULL means any
    "pause",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant", Text),
    Column("connector", Text),
    Column("form", Text),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _now("paused_at"),
    _time("resumed_at"),
    Column("resumed_by", Text),
    Index("ix_pause_open", "tenant", "connector", postgresql_where=text("resumed_at IS NULL")),
)

office = Table(  # one row per connector instance: its circuit breaker and its token bucket, shared by all workers
    "office",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("connector", Text, primary_key=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # unreachable in a row
    _time("open_until"),  # until then nobody calls; past it, one probe
    _time("probe_until"),  # a probe is under way
    Column("tokens", Double),
    _time("tokens_at"),
    _time("last_success_at"),
    _time("last_failure_at"),
    Column("last_code", Text),
)

operator_action = Table(  # who asked for what, over how many, and why
    "operator_action",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _now("at"),
    Column("operation", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked", JSONB, nullable=False),
    Column("affected", Integer, nullable=False),
)
