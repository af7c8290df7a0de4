"""Ask for second opinions on signatures, where it is switched on: beside our verdict, never instead of it.

What is said becomes an event of the submission; where it contradicts our verdict, that is a warning and stands in
`brama opinions list --differing`. A service that is away costs a sweep one time-out, and is asked again later.
"""

from __future__ import annotations

import time
from uuid import UUID

import structlog

from gateway.store import events, opinions, submissions
from gateway.tools import Tools
from schemas.errors import BramaError
from schemas.opinion import Opinion
from schemas.verification import Indication

log = structlog.get_logger()

_LONGEST_S = 5.0  # of one round: sweeping has other things to do


def ask_due(tools: Tools) -> int:
    """Ask about what is due, for a while; how many answers came."""
    if tools.second_opinion is None:
        return 0
    settings = tools.config.gateway.second_opinion
    with tools.store.begin() as transaction:
        opinions.note_new(transaction, settings.within_h * 3600)
    end, asked = time.monotonic() + _LONGEST_S, 0
    while time.monotonic() < end and _ask_one(tools):
        asked += 1
    return asked


def _ask_one(tools: Tools) -> bool:
    """One document; False when none is due, or the service did not answer: then leave it alone for now."""
    assert tools.second_opinion is not None
    with tools.store.begin() as transaction:
        taken = opinions.take(transaction)
        if taken is None:
            return False
        submission_id, tries = taken
        document = submissions.document_of(transaction, submission_id)
        stored, _ = submissions.verdicts_of(transaction, submission_id)
    try:
        opinion = tools.second_opinion(document)
    except BramaError as error:
        _give_up_or_wait(submission_id, tries, error.code, tools)
        return False
    assert stored is not None
    _keep(submission_id, opinion, Indication(stored["indication"]), tools)
    return True


def _keep(submission_id: UUID, opinion: Opinion, ours: Indication, tools: Tools) -> None:
    service, agrees = tools.config.gateway.second_opinion.service, opinion.agrees_with(ours)
    with tools.store.begin() as transaction:
        opinions.answered(transaction, submission_id, service, opinion.to_json(), agrees)
        events.append(
            transaction, submission_id, "second_opinion",
            service=service, agrees=agrees, ours=ours.value, **opinion.to_json(),
        )  # fmt: skip
    if agrees is False:
        log.warning("second_opinion_differs", submission=str(submission_id), ours=ours.value, valid=opinion.valid)


def _give_up_or_wait(submission_id: UUID, tries: int, code: str, tools: Tools) -> None:
    again = tries < tools.config.gateway.second_opinion.tries
    with tools.store.begin() as transaction:
        opinions.failed(transaction, submission_id, code, again=again)
        if not again:
            events.append(transaction, submission_id, "second_opinion_failed", code=code, tries=tries)
    log.warning("second_opinion_failed", submission=str(submission_id), code=code, again=again)
