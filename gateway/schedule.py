"""One delivery per route of the form, in the order in which documents were kept."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.store import deliveries, events, files, submissions
from gateway.tools import Tools
from schemas.case import Case, taxpayer_key
from schemas.submission import Submission

REHEARSAL = "rehearsal"  # the only connector that ever gets a test submission


def schedule(transaction: Connection, submission: Submission, case: Case, tools: Tools) -> str | None:
    """Store the case and one delivery per route, in the caller's transaction; a code instead if a person must look."""
    assert submission.tenant is not None
    assert submission.form_namespace is not None
    held = submissions.held_for_content(transaction, submission.id)
    if held:
        return "delivery.same_content"
    routes = _routes(submission, tools)
    if not routes:
        return "delivery.no_route"
    submissions.save_case(transaction, submission.id, case.to_json())
    taxpayer = taxpayer_key(case)
    standing = files.standing(transaction, submission.id)
    if standing == files.WAITED_FOR and not _waits(submission, tools):
        standing = files.HERE
    for connector, record in routes:
        new = deliveries.schedule(
            transaction,
            submission_id=submission.id,
            sequence=submission.sequence,
            tenant=submission.tenant,
            connector=connector,
            form=submission.form_namespace,
            kind=case.kind,
            record=record,
            order_key=f"{submission.tenant}/{connector}/{taxpayer}/{case.kind}" if taxpayer else None,
            files=standing,
        )
        if new is not None:
            events.append(transaction, submission.id, "delivery_scheduled", delivery=str(new), connector=connector)
    if standing == files.WAITED_FOR:
        events.append(transaction, submission.id, "waits_for_files")
    return None


def _waits(submission: Submission, tools: Tools) -> bool:
    """Whether a case stays here until its big files have come: the gmina's word, else the gateway's."""
    tenant = tools.config.tenants.get(submission.tenant or "")
    own = tenant.missing_files if tenant else None
    return (own or tools.config.gateway.files.missing) == "wait"


def _routes(submission: Submission, tools: Tools) -> list[tuple[str, str | None]]:
    """(connector, record mapping) of each hand-over this submission needs."""
    if submission.is_test:
        return [(REHEARSAL, None)]
    tenant = tools.config.tenants.get(submission.tenant or "")
    if tenant is None or submission.form_namespace is None:
        return []
    return [(route.connector, route.record) for route in tenant.route_for(submission.form_namespace)]
