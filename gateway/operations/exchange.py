"""What a back office may do over REST: list its gmina's cases, open one with its files, say that it has it.

Everything is asked for as a caller, and a caller sees its own tenant only: another gmina's case, one that is not
published (held, a test) and one that never was all answer `api.not_found`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.attachments import AttachmentContent, attachments_of
from gateway.config import Config
from gateway.store import deliveries, events, files, publishing, rulings, submissions
from gateway.store import tables as t
from gateway.store.database import Store
from schemas.api import (
    Acknowledgement,
    AcknowledgeRequest,
    AttachmentItem,
    Caller,
    CaseItem,
    CasePage,
    CaseView,
    EffectivenessItem,
    FileContent,
    FindingItem,
    ListQuery,
    ReceiptItem,
)
from schemas.delivery import DeliveryState
from schemas.effectiveness import Effectiveness
from schemas.errors import ApiRefused
from schemas.files import FileState, LinkedFile
from schemas.ids import sha256
from schemas.submission import Submission
from schemas.xmldoc import parse

FETCH = "fetch"  # kind of connector whose office comes for its cases
_XML = "application/xml"
_BYTES = "application/octet-stream"
_ADDRESS = "/api/v1/cases"


def cases(store: Store, caller: Caller, query: ListQuery) -> CasePage:
    """One page, oldest publication first. Raises ApiRefused: `api.not_found` (tenant), `api.cursor_ahead`."""
    if query.tenant is not None and query.tenant != caller.tenant:
        raise ApiRefused("api.not_found")
    after = int(query.cursor[1:]) if query.cursor else 0
    with store.begin() as transaction:
        publishing.number_new(transaction, caller.tenant)
    with store.begin() as transaction:
        if after > publishing.last_number(transaction, caller.tenant):
            raise ApiRefused("api.cursor_ahead")
        found = publishing.page(
            transaction,
            caller.tenant,
            after=after,
            since=query.since,
            unacknowledged=query.unacknowledged,
            limit=query.limit + 1,
        )
    shown, more = found[: query.limit], len(found) > query.limit
    return CasePage(
        items=tuple(_item(one) for one in shown), cursor=f"c{shown[-1].number if shown else after}", more=more
    )


def case(store: Store, caller: Caller, case_id: UUID) -> CaseView:
    """The newest version of one case. Holds personal data. Raises ApiRefused `api.not_found`."""
    with store.begin() as transaction:
        submission = _own(transaction, caller, case_id)
        version, stored = _newest(transaction, case_id)
        receipts = submissions.receipts_of(transaction, case_id)
        _, validation = submissions.verdicts_of(transaction, case_id)
        said = publishing.acknowledged(transaction, case_id)
        ruling = rulings.standing(transaction, case_id)
        big = _big_files(transaction, case_id)
    here = f"{_ADDRESS}/{case_id}"
    return CaseView(
        id=case_id,
        version=version,
        tenant=caller.tenant,
        mailbox=submission.mailbox,
        channel=submission.channel.value,
        file_name=submission.file_name,
        sha256=submission.sha256,
        size_bytes=submission.size_bytes,
        received_at=submission.received_at,
        posted_at=submission.posted_at,
        case=stored,
        receipts=tuple(
            ReceiptItem.model_validate(
                {"kind": one.kind, "origin": one.origin, "identifier": one.identifier, "stored_at": one.stored_at}
            )
            for one in receipts
        ),
        effectiveness=_effectiveness(ruling) if ruling is not None else None,
        findings=tuple(FindingItem.model_validate(one) for one in (validation or {}).get("findings", ())),
        attachments=tuple(
            _attachment(one, here, big.get(one.get("uri") or "")) for one in stored.get("attachments", ())
        ),
        acknowledgement=_acknowledgement(said) if said is not None else None,
        document_href=f"{here}/document",
        receipt_href=f"{here}/receipt" if receipts else None,
    )


def document(store: Store, caller: Caller, case_id: UUID) -> FileContent:
    """The original octets. Raises ApiRefused `api.not_found`."""
    with store.begin() as transaction:
        submission = _own(transaction, caller, case_id)
        content = submissions.document_of(transaction, case_id)
    return FileContent(content, submission.sha256, _BYTES, submission.file_name)


def receipt(store: Store, caller: Caller, case_id: UUID) -> FileContent:
    """The receipt to show the citizen: ours where we issued one. Raises ApiRefused `api.not_found`."""
    with store.begin() as transaction:
        _own(transaction, caller, case_id)
        return receipt_file(transaction, case_id)


def receipt_file(transaction: Connection, submission_id: UUID) -> FileContent:
    """The receipt of a submission as a file; raises ApiRefused `api.not_found` where there is none."""
    found = submissions.receipts_of(transaction, submission_id)
    if not found:
        raise ApiRefused("api.not_found")
    chosen = next((item for item in found if item.origin == "own"), found[0])
    return FileContent(chosen.xml, sha256(chosen.xml), _XML, f"{chosen.kind}-{submission_id}.xml")


def attachment(store: Store, caller: Caller, case_id: UUID, attachment_id: str) -> FileContent:
    """One file out of the document, decoded, or the big file it refers to once that is kept.

    Raises: ApiRefused `api.not_found`, also while there is only an address.
    """
    with store.begin() as transaction:
        _own(transaction, caller, case_id)
        _, stored = _newest(transaction, case_id)
        wanted = next((one for one in stored.get("attachments", ()) if one["id"] == attachment_id), None)
        if wanted is None:
            raise ApiRefused("api.not_found")
        big = _big_files(transaction, case_id).get(wanted.get("uri") or "")
        if big is not None and big.id is not None:
            content = b"".join(files.pieces(transaction, big.id))
            return FileContent(content, big.sha256 or "", _BYTES, wanted.get("file_name") or f"{attachment_id}.bin")
        if not wanted.get("sha256"):
            raise ApiRefused("api.not_found")
        signed = submissions.signed_xml_of(transaction, case_id) or submissions.document_of(transaction, case_id)
    found = _with_digest(signed, wanted["sha256"], wrapped="wrapped_in" in stored.get("document", {}))
    if found is None:
        raise ApiRefused("api.not_found")
    return FileContent(found.content, wanted["sha256"], _BYTES, wanted.get("file_name") or f"{attachment_id}.bin")


def acknowledge(
    store: Store, config: Config, caller: Caller, case_id: UUID, said: AcknowledgeRequest
) -> Acknowledgement:
    """The office has the case: recorded once, and what waited to be fetched is delivered.

    The same again changes nothing and gets the same answer.
    Raises: ApiRefused: `api.not_found`; `api.acknowledged_otherwise`: with another reference before;
            `api.version_outdated`: a clerk has corrected the case since the office fetched it.
    """
    with store.begin() as transaction:
        _own(transaction, caller, case_id)
        version, _ = _newest(transaction, case_id)
        before = publishing.acknowledged(transaction, case_id)
        if before is None and said.version not in (None, version):
            raise ApiRefused("api.version_outdated", version=version)
        stands, is_new = publishing.acknowledge(transaction, case_id, said.reference, caller.key_id)
        if stands.reference != said.reference:
            raise ApiRefused("api.acknowledged_otherwise", reference=stands.reference or "–")
        if is_new:
            fetched = [str(one) for one in _deliver(transaction, config, caller, case_id, said.reference)]
            actor = f"api:{caller.key_id}"
            events.append(transaction, case_id, "acknowledged", actor, version=version, deliveries=fetched)
    return _acknowledgement(stands)


def _deliver(
    transaction: Connection, config: Config, caller: Caller, case_id: UUID, reference: str | None
) -> list[UUID]:
    """Deliveries to offices that fetch are done: the office itself said so."""
    tenant = config.tenants.get(caller.tenant)
    names = [name for name, made in tenant.connector.items() if made.kind == FETCH] if tenant else []
    d = t.delivery.c
    rows = transaction.execute(
        select(d.id, d.order_key)
        .where(d.submission_id == case_id, d.connector.in_(names), d.state.not_in(("delivered", "set_aside")))
        .order_by(d.id)
        .with_for_update()
    ).all()
    for row in rows:
        deliveries.settle(
            transaction, row.id, DeliveryState.DELIVERED, reference=reference, in_doubt=False, last_code=None
        )
        deliveries.wake_next(transaction, row.order_key)
    return [row.id for row in rows]


def _own(transaction: Connection, caller: Caller, case_id: UUID) -> Submission:
    found = submissions.load(transaction, case_id)
    if found is None or not publishing.is_published(transaction, caller.tenant, case_id):
        raise ApiRefused("api.not_found")
    return found


def _newest(transaction: Connection, case_id: UUID) -> tuple[int, dict[str, Any]]:
    v = t.case_version.c
    row = transaction.execute(
        select(v.version, v.stored).where(v.submission_id == case_id).order_by(v.version.desc()).limit(1)
    ).one()
    return row.version, row.stored


def _item(one: publishing.Published) -> CaseItem:
    return CaseItem(
        id=one.id,
        version=one.version,
        kind=one.kind,
        form=one.form,
        received_at=one.received_at,
        sha256=one.sha256,
        size_bytes=one.size_bytes,
        acknowledged_at=one.acknowledged_at,
        reference=one.reference,
        href=f"{_ADDRESS}/{one.id}",
    )


def _effectiveness(ruling: Effectiveness) -> EffectivenessItem:
    return EffectivenessItem.model_validate(
        {"effect": ruling.effect, "reason": ruling.reason, "ruled_by": ruling.ruled_by, "basis": ruling.basis}
    )


def _big_files(transaction: Connection, case_id: UUID) -> dict[str, LinkedFile]:
    """Files kept beside the document, by the address it names them with."""
    linked = files.of_submission(transaction, case_id)
    return {one.address: one for one in linked if one.state is FileState.KEPT and not one.waived}


def _attachment(stored: dict[str, Any], here: str, big: LinkedFile | None) -> AttachmentItem:
    """`big`: the file it refers to, where that is kept."""
    digest = big.sha256 if big else stored.get("sha256")
    return AttachmentItem(
        id=stored["id"],
        file_name=stored.get("file_name"),
        media_type=stored.get("mime"),
        size_bytes=big.size_bytes if big else stored.get("size"),
        sha256=digest,
        uri=stored.get("uri"),
        href=f"{here}/attachments/{stored['id']}" if digest else None,
    )


def _acknowledgement(row: Any) -> Acknowledgement:
    return Acknowledgement(case_id=row.submission_id, at=row.at, reference=row.reference)


def _with_digest(signed: bytes, digest: str, *, wrapped: bool) -> AttachmentContent | None:
    """The file with these octets; in a signed-file wrapper, the one inside the document inside."""
    found = attachments_of(parse(signed).getroot())
    if wrapped and found:
        found = attachments_of(parse(found[0].content).getroot())
    return next((item for item in found if item.sha256 == digest), None)
