"""Receipts for what we sent, however they come: told apart from submissions, matched, judged, and kept in any case.

A receipt is matched by the digest its signature holds, else by the document's id (theirs or ours), else by the CID when
only one message has it. It moves a message only if its signature is of somebody believed; shown it is always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from gateway.receipts.digests import detached_digests
from gateway.receipts.read import read_receipt
from gateway.store import events, outbox, submissions
from gateway.tools import Tools
from schemas.errors import DocumentUnreadable, ReceiptError
from schemas.ids import sha256
from schemas.outgoing import Message, MessageKind, MessageState
from schemas.receipt import Receipt
from schemas.submission import SubmissionState
from schemas.verification import Indication
from schemas.xmldoc import UPO

MATCHED = "outbox.receipt_matched"
UNMATCHED = "outbox.receipt_unmatched"
_EPUAP_PREFIX = "DOK"  # before the number of identyfikatorDokumentu in ePUAP's own receipts
_OPEN = frozenset({MessageState.SENT, MessageState.UNSETTLED, MessageState.GIVEN_UP})


@dataclass(frozen=True, slots=True)
class Judged:
    """A receipt, the message it is for (None: nobody knows), and how far it is believed."""

    receipt: Receipt
    message: Message | None
    matched_by: str | None
    binding: str
    indication: str

    @property
    def believed(self) -> bool:
        """Is it signed by somebody believed, and does it not contradict the octets we sent?"""
        return self.indication == Indication.PASSED and self.binding != "is_not"


def receipt_in(document: bytes) -> Receipt | None:
    """The receipt a document is, or None: then it is a submission, also where it only resembles one."""
    if UPO.encode() not in document:
        return None  # nearly every document: not parsed twice
    try:
        return read_receipt(document)
    except ReceiptError:
        return None


def judge(receipt: Receipt, tools: Tools, *, reply_to: str | None = None, message: Message | None = None) -> Judged:
    """Find the message and check signature and digest. Nothing is stored.

    Args: reply_to: the box it came to; ids and CIDs count only among messages whose receipts come there.
          message: known already, because the receipt came with the answer to sending it.
    """
    matched = "answer" if message else None
    if message is None:
        with tools.store.begin() as transaction:
            found, matched = _match(transaction, receipt, reply_to)
            message = outbox.load(transaction, found, with_document=True) if found else None
    assert tools.mail is not None
    checked = tools.mail.check(receipt.xml, message.document if message else None)
    return Judged(receipt, message, matched, checked.binding, checked.verification.indication.value)


def keep(transaction: Connection, judged: Judged, *, came_by: str, tenant: str | None, arrival: UUID | None) -> None:
    """Store it, and let it move its message; the same octets again change nothing."""
    receipt, message = judged.receipt, judged.message
    new = outbox.add_receipt(
        transaction,
        receipt,
        sha256(receipt.xml),
        message_id=message.id if message else None,
        submission_id=arrival,
        tenant=message.tenant if message else tenant,
        came_by=came_by,
        matched_by=judged.matched_by,
        binding=judged.binding,
        indication=judged.indication,
    )
    if new is None or message is None:
        return
    bound(transaction, message, receipt.kind.value, judged.believed, receipt=receipt.id, matched_by=judged.matched_by,
          binding=judged.binding, indication=judged.indication)  # fmt: skip


def rematch(tools: Tools) -> int:
    """Bind what came before the channel's number of its message was known here. Returns how many there were."""
    with tools.store.begin() as transaction:
        found = outbox.matchable_now(transaction)
    for receipt_id, message_id in found:
        _bind(receipt_id, message_id, tools)
    return len(found)


def _bind(receipt_id: int, message_id: UUID, tools: Tools) -> None:
    """Judged against the message's octets first; nothing if somebody has bound it meanwhile."""
    with tools.store.begin() as transaction:
        row = outbox.receipt(transaction, receipt_id)
        message = outbox.load(transaction, message_id, with_document=True)
    assert row is not None
    assert message is not None
    assert tools.mail is not None
    checked = tools.mail.check(bytes(row["xml"]), message.document)
    indication = checked.verification.indication.value
    believed = indication == Indication.PASSED and checked.binding != "is_not"
    with tools.store.begin() as transaction:
        still = outbox.receipt(transaction, receipt_id)
        if still is None or still["message_id"] is not None:
            return
        outbox.bind_receipt(transaction, receipt_id, message_id, tenant=message.tenant, matched_by="document_id",
                            binding=checked.binding, indication=indication)  # fmt: skip
        bound(transaction, message, row["kind"], believed, receipt=row["identifier"], matched_by="document_id",
              binding=checked.binding, indication=indication)  # fmt: skip
        arrival_done(transaction, row["submission_id"])


def arrival_done(transaction: Connection, arrival: UUID | None) -> None:
    """The mail that brought a receipt was held while nobody knew what it was for; now it needs nobody."""
    if arrival is None or not submissions.still(transaction, arrival, SubmissionState.HELD):
        return
    submissions.move(transaction, arrival, SubmissionState.CLOSED, MATCHED)
    events.append(transaction, arrival, "receipt_bound")


def binding_of(receipt: bytes, row: RowMapping) -> str:
    """`is_for`, `is_not` or `unresolved`, by the digests a receipt holds and those of a message's octets."""
    try:
        held = detached_digests(receipt)
    except DocumentUnreadable:
        held = frozenset()
    ours = {row["sha256"], row["canonical_sha256"]} - {None}
    return "is_for" if held & ours else "is_not" if held else "unresolved"


def bound(
    transaction: Connection, message: Message, kind: str, believed: bool, actor: str | None = None, **facts: Any
) -> None:
    """A receipt is this message's: into the timeline, and on with the message where the receipt is believed."""
    row = outbox.locked(transaction, message.id)
    assert row is not None
    state = rest_state(row, MessageState(row["state"]), [kind] if believed else [])
    if state is not MessageState(row["state"]):
        outbox.settle(transaction, message.id, state, in_doubt=False, sent_at=row["sent_at"] or row["now"])
    events.append(
        transaction, message.submission_id, "reply_receipt", actor,
        message=str(message.id), kind=kind, state=state.value, believed=believed, **facts,
    )  # fmt: skip


def rest_state(row: RowMapping, state: MessageState, kinds: list[str]) -> MessageState:
    """Where a message stands with believed receipts of these kinds; one being tried is left to whoever tries it."""
    if state not in _OPEN or not kinds:
        return state
    return MessageState.RECEIPTED if MessageKind(row["kind"]).awaits.value in kinds else MessageState.SENT


def believed_kinds(transaction: Connection, message_id: UUID) -> list[str]:
    """Kinds of the believed receipts a message has already."""
    return [
        one["kind"]
        for one in outbox.receipts_of(transaction, [message_id])
        if one["indication"] == Indication.PASSED and one["binding"] != "is_not"
    ]


def _match(transaction: Connection, receipt: Receipt, reply_to: str | None) -> tuple[UUID | None, str | None]:
    """(message, by what); more than one candidate is none."""
    found = outbox.by_digests(transaction, _digests(receipt))
    if len(found) == 1:
        return found[0], "digest"
    found = outbox.by_document_id(transaction, _ids(receipt), reply_to)
    if len(found) == 1:
        return found[0], "document_id"
    found = outbox.by_cid(transaction, receipt.cid, reply_to) if receipt.cid else []
    return (found[0], "cid") if len(found) == 1 else (None, None)


def _digests(receipt: Receipt) -> frozenset[str]:
    try:
        return detached_digests(receipt.xml)
    except DocumentUnreadable:
        return frozenset()


def _ids(receipt: Receipt) -> list[str]:
    identifier = receipt.document_id or ""
    return [one for one in {identifier, identifier.removeprefix(_EPUAP_PREFIX)} if one]
