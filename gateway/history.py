"""A case beside what this gateway has had of the same taxpayer; it knows nothing of what came by any other way."""

from __future__ import annotations

from gateway.checks.say import finding
from gateway.store import history
from gateway.tools import Tools
from schemas.case import Case, Check
from schemas.finding import Severity
from schemas.submission import Submission

CORRECTION = "correction"


def told(case: Case, submission: Submission, tools: Tools) -> Case:
    """The case, with a note where it corrects something and nothing earlier is known here.

    Only information: the earlier document may have come on paper, before this gateway, or wait for a clerk.
    """
    who = case.taxpayer
    taxpayer = (who.pesel or who.nip or who.regon) if who else None
    corrects = CORRECTION in (case.purpose, case.reason)
    if not corrects or taxpayer is None or submission.tenant is None or submission.is_test:
        return case
    with tools.store.begin() as transaction:
        known = history.has_earlier(
            transaction, submission=submission.id, tenant=submission.tenant, sequence=submission.sequence,
            taxpayer=taxpayer, kind=case.kind, year=case.period.year,
        )  # fmt: skip
    if known:
        return case
    path = case.sources.get("purpose") or case.sources.get("reason")
    note = finding("check.no_earlier_return", Severity.INFO, path)
    check = Check(
        code=note.code, severity=note.severity.value, path=path, message_pl=note.message_pl, message_en=note.message_en
    )
    return case.model_copy(update={"checks": (*case.checks, check)})
