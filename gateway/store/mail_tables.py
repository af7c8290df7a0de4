"""Tables of what goes back to citizens. They belong to the same metadata as those of `gateway.store.tables`.

    answer            one answer to one submission: its plan (gateway.answers.plan), and the octets a person approves
    answer_upload     every upload of a file its letter only refers to (states: gateway.store.uploads); append-only
    message           a signed document on its way (states: schemas.outgoing)
    message_attempt   every try at sending and every look among what was sent; append-only
    message_receipt   receipts for messages, however they came; without a message: nobody knows yet what they are for

`due_at` in the past means: work on it now. While somebody does, it is the end of the time they have for it (answer), or
NULL with `lease_until` set (message). `fence` bars whoever comes late.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from gateway.store.tables import _now, _of_submission, _one_of, _time, metadata

MESSAGE_STATES = ("due", "trying", "sent", "receipted", "unsettled", "refused", "given_up", "set_aside")

answer = Table(
    "answer",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    _of_submission(),
    Column("tenant", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("step", Text, nullable=False),  # of the plan, for lists
    Column("plan", JSONB, nullable=False),
    Column("asked", JSONB, nullable=False, server_default=text("'{}'")),  # by a clerk: points, a decision's data
    Column("enclosure", LargeBinary),  # a file that goes with the letter: the decision
    Column("octets", LargeBinary),  # drafted, unsigned: what is approved and then signed
    Column("cid", Text),  # of the drafted document
    Column("tries", Integer, nullable=False, server_default=text("0")),  # since it last moved
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _time("due_at"),  # NULL: a person, or done
    _time("woken_at"),
    Column("last_code", Text),
    _now("created_at"),
    _now("updated_at"),
    Index("ix_answer_submission_id_service", "submission_id", "service"),
    Index("ix_answer_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_answer_step_created_at", "step", "created_at"),
)

UPLOAD_STATES = ("begun", "kept", "orphaned", "failed")

answer_upload = Table(
    "answer_upload",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("answer_id", UUID(as_uuid=True), ForeignKey(answer.c.id), nullable=False, index=True),
    Column("sha256", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="begun"),
    Column("worker", Text, nullable=False),
    _now("begun_at"),
    _time("ended_at"),
    Column("file_id", Text),  # in ePUAP's store
    Column("code", Text),
    Column("text", Text),
    _one_of("state", UPLOAD_STATES),
    Index("uq_answer_upload_kept", "answer_id", "sha256", unique=True, postgresql_where=text("state = 'kept'")),
)

message = Table(
    "message",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    _of_submission(index=True),
    Column("answer_id", UUID(as_uuid=True), ForeignKey(answer.c.id)),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("reply_to", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("document_id", Text, nullable=False, unique=True),
    Column("case_id", Text, nullable=False),
    Column("cid", Text, index=True),
    Column("sha256", Text, nullable=False, index=True),
    Column("canonical_sha256", Text, index=True),  # as ePUAP's receipts digest XML
    Column("document", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _time("lease_until"),
    _time("due_at"),
    _time("woken_at"),
    Column("in_doubt", Boolean, nullable=False, server_default=false()),  # it may have been sent
    _time("first_tried_at"),
    _time("sent_at"),
    Column("remote_document_id", Text, index=True),
    Column("remote_receipt_id", Text),
    Column("remote_order_id", Text),
    Column("last_code", Text),
    Column("last_text", Text),
    _now("created_at"),
    _now("updated_at"),
    _one_of("state", MESSAGE_STATES),
    Index("ix_message_state_created_at", "state", "created_at"),
    Index("ix_message_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_message_lease_until", "lease_until", postgresql_where=text("state = 'trying'")),
)

message_attempt = Table(
    "message_attempt",
    metadata,
    Column("message_id", UUID(as_uuid=True), ForeignKey(message.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    _now("started_at"),
    Column("took_ms", Integer),
    Column("looked_up", Boolean),
    Column("outcome", Text),
    Column("code", Text),
    Column("text", Text),
    Column("worker", Text, nullable=False),
)

message_receipt = Table(
    "message_receipt",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", UUID(as_uuid=True), ForeignKey(message.c.id), index=True),
    Column("submission_id", UUID(as_uuid=True), ForeignKey("submission.id")),  # the mail that brought it
    Column("tenant", Text),
    Column("kind", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("came_by", Text, nullable=False),  # answer | push | pull | import | rest
    Column("matched_by", Text),  # answer | digest | document_id | cid | person
    Column("binding", Text, nullable=False),  # is_for | is_not | unresolved: by arithmetic
    Column("indication", Text, nullable=False),  # of its signature
    Column("sha256", Text, nullable=False, unique=True),
    _now("stored_at"),
    Column("stored", JSONB, nullable=False),
    Column("xml", LargeBinary, nullable=False),
    Index("ix_message_receipt_unmatched", "id", postgresql_where=text("message_id IS NULL")),
)

EFFECTS = ("effective", "ineffective", "clerk_decides")

ruling = Table(
    "ruling",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _of_submission(),
    _now("at"),
    Column("effect", Text, nullable=False),
    Column("stored", JSONB, nullable=False),  # schemas.effectiveness.Effectiveness
    Column("actor", Text),  # NULL: the policy
    Column("action_id", BigInteger, ForeignKey("operator_action.id")),
    _one_of("effect", EFFECTS),
    Index("ix_ruling_submission_id_id", "submission_id", "id"),
    Index("ix_ruling_effect_submission_id", "effect", "submission_id"),
)

receipt_wanted = Table(
    "receipt_wanted",
    metadata,
    _of_submission(primary_key=True),
    Column("tenant", Text, nullable=False),
    _time("due_at"),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("last_code", Text),
    _now("created_at"),
    _now("updated_at"),
    Index("ix_receipt_wanted_due_at", "tenant", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)
