"""One step of an answer's plan: query and draft → (a person approves) → seal what was drafted → outbox.

Repeating a step is harmless: ledgers are only asked, and a letter enters the outbox once, under an id of the answer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import structlog

from connectors.base import Querying
from gateway.answers import drafting, entitlement, ledgers
from gateway.answers.certificate import Request
from gateway.answers.compose import Matter
from gateway.answers.document import cid_of
from gateway.answers.drafting import Draft
from gateway.answers.events import ASKS_LEDGERS, Answered, Drafted, Held, Returned, Sent, Service, Signed
from gateway.answers.plan import AnswerPlan, Step, advance
from gateway.clock import WARSAW
from gateway.receipts.digests import canonical_sha256
from gateway.reply import drafts, uploads
from gateway.reply.drafts import Facts
from gateway.reply.papers import paper_of
from gateway.reply.uploads import NotUploaded
from gateway.store import answers, events, outbox, submissions
from gateway.store.answers import StoredAnswer
from gateway.tools import Tools
from schemas.answers import Dues
from schemas.case import Case, taxpayer_key
from schemas.case_parts import Party
from schemas.errors import AnswerError, BramaError, StoreUnavailable
from schemas.ids import sha256
from schemas.outgoing import Message, MessageKind, MessageState

log = structlog.get_logger()

NO_BOX = "outbox.no_reply_mailbox"
ESCAPED = "flow.escaped"
DAY_PASSED = "answers.day_passed"
GATEWAY = "brama"  # who returns what the law does not let us sign any more
_LEASE_S = 120.0  # for asking every ledger, and for rendering


@dataclass(frozen=True, slots=True)
class _Next:
    """What a step came to. `wait_s`: until the next one; None: a person, or done."""

    plan: AnswerPlan
    wait_s: float | None = None
    code: str | None = None
    word: str = ""  # of the event; empty: nothing to tell
    told: dict[str, Any] = field(default_factory=dict)
    drafted: tuple[bytes, str] | None = None  # octets and CID of a new draft
    message: Message | None = None


def work(answer_id: UUID, tools: Tools) -> None:
    """One step, if it is due and nobody else's. Raises StoreUnavailable: it is due again when its time is over."""
    with tools.store.begin() as transaction:
        stored = answers.claim(transaction, answer_id, _LEASE_S)
    if stored is None:
        return
    plan = AnswerPlan.from_json(stored.plan)
    try:
        follows = _step(plan, stored, tools)
    except StoreUnavailable:
        raise
    except NotUploaded as error:
        follows = _later_or_held(plan, plan, error.code, stored, tools, again=error.again)
    except Exception as error:
        code = error.code if isinstance(error, BramaError) else ESCAPED
        log.exception("answer_failed", answer=str(answer_id), step=plan.step.value, code=code)
        follows = _held(plan, code) if plan.step is not Step.SIGN else _wait(plan, code, stored, tools)
    _store(stored, follows, tools)


def _step(plan: AnswerPlan, stored: StoredAnswer, tools: Tools) -> _Next:
    match plan.step:
        case Step.QUERY | Step.DRAFT:
            facts = drafts.gather(stored, tools)
            if not facts.submission.reply_mailbox:
                return _held(plan, NO_BOX)
            make = _from_ledgers if plan.service in ASKS_LEDGERS else _without_ledgers
            return make(plan, stored, facts, tools)
        case Step.SIGN:
            return _sign(plan, stored, tools)
        case _:
            return _Next(plan)  # a person's turn


def _without_ledgers(plan: AnswerPlan, stored: StoredAnswer, facts: Facts, tools: Tools) -> _Next:
    draft = drafts.draft(plan.service, stored, facts, tools)
    return _held(plan, draft.event.code) if isinstance(draft.event, Held) else _as_drafted(plan, draft)


def _from_ledgers(plan: AnswerPlan, stored: StoredAnswer, facts: Facts, tools: Tools) -> _Next:
    """Ask the ledgers and draft, in one step: what was owed a while ago is not what a letter should say."""
    case = facts.case
    assert case is not None
    doubt = entitlement.doubt(case, plan.cleared)
    if doubt is not None:
        return _held(plan, doubt)
    party = entitlement.about(case)
    assert party is not None
    dues = _dues(case, party, stored.tenant, tools.clock.now(), tools)
    asked = advance(plan, Answered(dues.as_of))
    draft = _drafted(asked, case, Matter(party, facts.received_on), dues, stored, tools)
    if isinstance(draft.event, Held):
        again = draft.event.code == drafting.SILENT
        return _later_or_held(plan, asked, draft.event.code, stored, tools, again=again)
    return _as_drafted(asked, draft)


def _as_drafted(plan: AnswerPlan, draft: Draft) -> _Next:
    """The plan after its draft, which a person approves or which is sealed at once."""
    assert isinstance(draft.event, Drafted)
    assert draft.letter is not None
    after = advance(plan, draft.event)
    return _Next(
        after,
        wait_s=0.0 if after.step is Step.SIGN else None,
        word="answer_drafted",
        told={"document": draft.event.document.value, "sha256": draft.event.digest, "then": after.step.value},
        drafted=(draft.octets, cid_of(draft.letter)),
    )


def _dues(case: Case, party: Party, teryt: str, now: datetime, tools: Tools) -> Dues:
    """From every configured ledger; one that cannot even be built did not answer."""
    given = []
    for name in tools.config.tenants[teryt].answers.ledgers:
        try:
            connector: object = tools.offices.get(teryt, name).connector
        except BramaError as error:
            log.error("ledger_unusable", connector=name, code=error.code)
            connector = None
        if isinstance(connector, Querying):
            given += ledgers.ask({name: connector}, party=entitlement.identifier(party), as_of=now)
        else:
            given.append(ledgers.unanswered(name))
    return ledgers.merge(taxpayer_key(case) or "", given, now)


def _drafted(plan: AnswerPlan, case: Case, matter: Matter, dues: Dues, stored: StoredAnswer, tools: Tools) -> Draft:
    composer, render = paper_of(stored, tools)
    if plan.service is Service.SETTLEMENT_QUERY:
        return drafting.draft_statement(composer, matter, dues, render, cleared=plan.cleared)
    today = tools.clock.now().astimezone(WARSAW).date()
    return drafting.draft_certificate(
        composer, matter, Request.of(case), dues, render, today=today, cleared=plan.cleared
    )


def _later_or_held(
    plan: AnswerPlan, asked: AnswerPlan, code: str, stored: StoredAnswer, tools: Tools, *, again: bool
) -> _Next:
    """A ledger or a store of files that is away heals itself; only when it stays away must a person look."""
    waits = tools.config.gateway.worker.retry_s
    if again and stored.tries <= len(waits):
        return _Next(plan, wait_s=waits[stored.tries - 1], code=code)
    return _held(asked, code)


def _sign(plan: AnswerPlan, stored: StoredAnswer, tools: Tools) -> _Next:
    """Seal exactly what was drafted; a letter whose day went by goes back to the start."""
    assert tools.mail is not None
    assert stored.octets is not None
    now = tools.clock.now()
    digest = sha256(stored.octets)
    signed = tools.mail.seal(stored.octets, now)
    try:
        after = advance(plan, Signed(now, digest, sha256(signed)))
    except AnswerError as error:
        if error.code != DAY_PASSED:
            raise
        back = advance(plan, Returned(GATEWAY, now, error.code))
        return _Next(back, wait_s=0.0, code=error.code, word="answer_returned", told={"code": error.code})
    message = _message(stored, signed, now, tools)
    return _Next(
        advance(after, Sent(now)),
        word="answer_signed",
        told={"sha256": message.sha256, "drafted_sha256": digest, "message": str(message.id)},
        message=message,
    )


def _message(stored: StoredAnswer, signed: bytes, now: datetime, tools: Tools) -> Message:
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, stored.submission_id)
    assert submission is not None
    tenant = tools.config.tenants[stored.tenant]
    new = uuid5(stored.id, "message")
    return Message(
        id=new,
        submission_id=stored.submission_id,
        tenant=stored.tenant,
        kind=MessageKind.DELIVER if stored.service == Service.DECISION_DELIVERY else MessageKind(tenant.answers.kind),
        to=submission.reply_mailbox or "",
        reply_to=tenant.answers.reply_mailbox or tenant.mailboxes[0],
        file_name=f"BRAMA-{new}.xml",
        document_id=str(new),
        case_id=str(stored.submission_id),
        cid=stored.cid,
        sha256=sha256(signed),
        state=MessageState.DUE,
        attempts=0,
        created_at=now,
        document=signed,
    )


def _store(stored: StoredAnswer, follows: _Next, tools: Tools) -> None:
    """The plan, what it drafted, and its letter in the outbox, in one commit; nothing if somebody else has it."""
    values: dict[str, Any] = {"last_code": follows.code}
    if follows.drafted is not None:
        values["octets"], values["cid"] = follows.drafted
    if follows.code is None or follows.word:
        values["tries"] = 0
    with tools.store.begin() as transaction:
        plan = follows.plan.to_json()
        if not answers.move(transaction, stored.id, stored.fence, plan, wait_s=follows.wait_s, **values):
            log.warning("late_step_refused", answer=str(stored.id), fence=stored.fence)
            return
        if follows.word:
            events.append(transaction, stored.submission_id, follows.word, answer=str(stored.id), **follows.told)
        if follows.drafted is not None:
            uploads.forsake(transaction, stored, follows.drafted[0])
        if follows.message is not None:
            document = follows.message.document
            outbox.put(transaction, follows.message, stored.id, canonical_sha256(document))
    log.info("answer_moved", answer=str(stored.id), step=follows.plan.step.value, code=follows.code)


def _held(plan: AnswerPlan, code: str) -> _Next:
    return _Next(advance(plan, Held(code)), code=code, word="answer_held", told={"code": code})


def _wait(plan: AnswerPlan, code: str, stored: StoredAnswer, tools: Tools) -> _Next:
    """Signing fails for want of a key or an authority: nothing a clerk could decide; it heals when that is mended."""
    waits = tools.config.gateway.worker.retry_s
    return _Next(plan, wait_s=waits[min(stored.tries, len(waits)) - 1], code=code)
