"""Letters that need no ledger: who gets them, what they speak of, and the draft of each service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from gateway.answers.compose import Decision, Doubt, Matter, Rejection
from gateway.answers.document import File
from gateway.answers.drafting import Draft, drafted
from gateway.answers.events import Held, Service
from gateway.clock import WARSAW
from gateway.reply.papers import paper_of
from gateway.store import answers, files, rulings, submissions
from gateway.store.answers import StoredAnswer
from gateway.tools import Tools
from schemas.case import Case
from schemas.case_parts import Party
from schemas.effectiveness import Effect, Effectiveness
from schemas.files import FileState
from schemas.finding import Finding, FormInfo, Severity, Validation
from schemas.octets import Octets
from schemas.submission import SenderBlock, Submission
from schemas.texts import text
from schemas.verification import Indication, Verification

NOBODY = "answers.addressee_unknown"
NOTHING_LOST = "answers.nothing_lost"
_PIECE = 1024 * 1024  # of an enclosure in memory
_MOST_POINTS = 20  # of a rejection; what follows usually follows from these
NOT_INEFFECTIVE = "effectiveness.not_ineffective"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the submission an answer is about. `case` is None where it was never mapped."""

    submission: Submission
    case: Case | None
    form: FormInfo | None
    findings: tuple[Finding, ...]
    ruling: Effectiveness | None
    verification: Verification | None

    @property
    def received_on(self) -> date:
        """The day it came, in Poland."""
        return self.submission.received_at.astimezone(WARSAW).date()

    @property
    def subject(self) -> str | None:
        """What it is, in Polish: the form's name, with the year it is about."""
        year = self.case.period.year if self.case else None
        return f"{self.form.name_pl}, {year} r." if self.form and year else self.form.name_pl if self.form else None


def gather(stored: StoredAnswer, tools: Tools) -> Facts:
    """Everything stored that a draft may need."""
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, stored.submission_id)
        found = submissions.latest_case(transaction, stored.submission_id)
        verified, validation = submissions.verdicts_of(transaction, stored.submission_id)
        ruling = rulings.standing(transaction, stored.submission_id)
    assert submission is not None
    case = Case.model_validate(found[1]) if found else None
    found_out = Validation.from_json(validation) if validation else Validation(None, ())
    return Facts(
        submission,
        case,
        found_out.form,
        found_out.findings,
        ruling,
        Verification.from_json(verified) if verified else None,
    )


def draft(service: Service, stored: StoredAnswer, facts: Facts, tools: Tools) -> Draft:
    """The letter of a service that asks no ledger, or what it is held for."""
    party = _addressee(facts)
    if party is None:
        return Draft(Held(NOBODY))
    matter = Matter(
        party, facts.received_on, case_number=stored.asked.get("case_number"), subject=facts.subject,
        declaration=facts.subject or facts.submission.file_name,
    )  # fmt: skip
    return _MAKERS[service](stored, facts, matter, tools)


def _notice(stored: StoredAnswer, facts: Facts, matter: Matter, tools: Tools) -> Draft:
    if facts.ruling is None or facts.ruling.effect is not Effect.INEFFECTIVE:
        return Draft(Held(NOT_INEFFECTIVE))  # somebody has ruled otherwise meanwhile
    composer, render = paper_of(stored, tools)
    return drafted(composer.ineffective_notice(matter, facts.ruling, _today(tools)), render)


def _correction(stored: StoredAnswer, _facts: Facts, matter: Matter, tools: Tools) -> Draft:
    composer, render = paper_of(stored, tools)
    asked = stored.asked
    doubts = [Doubt(**point) for point in asked["points"]]
    letter = composer.correction_call(matter, doubts, _today(tools), days=asked["days"], arithmetic=asked["arithmetic"])
    return drafted(letter, render)


def _decision(stored: StoredAnswer, _facts: Facts, matter: Matter, tools: Tools) -> Draft:
    asked = stored.asked
    decision = Decision(asked["number"], date.fromisoformat(asked["dated"]), asked["subject"])
    file = File(asked["file_name"], "application/pdf", f"Decyzja {decision.number}", _enclosure(stored, tools))
    composer, render = paper_of(stored, tools, [file])
    return drafted(composer.decision_delivery(matter, decision, [file.name], _today(tools)), render)


def _enclosure(stored: StoredAnswer, tools: Tools) -> Octets:
    """The file that goes with the letter, read from the store in pieces: it may be too large to hold."""
    with tools.store.begin() as transaction:
        size = answers.enclosure_size(transaction, stored.id)

    def pieces() -> Iterator[bytes]:
        for at in range(0, size, _PIECE):
            with tools.store.begin() as transaction:
                piece = answers.enclosure_piece(transaction, stored.id, at, _PIECE)
            yield piece

    return Octets(size, pieces)


def _resend(stored: StoredAnswer, _facts: Facts, matter: Matter, tools: Tools) -> Draft:
    """Names every file that is lost by now; held where all have turned up since."""
    with tools.store.begin() as transaction:
        linked = files.of_submission(transaction, stored.submission_id)
    lost = [one.name or f"załącznik nr {one.number}" for one in linked if one.state is FileState.LOST]
    if not lost:
        return Draft(Held(NOTHING_LOST))
    composer, render = paper_of(stored, tools)
    return drafted(composer.resend_request(matter, lost, _today(tools)), render)


def _rejection(stored: StoredAnswer, facts: Facts, matter: Matter, tools: Tools) -> Draft:
    composer, render = paper_of(stored, tools)
    code = facts.submission.reason or ""
    errors = tuple(one.message_pl for one in facts.findings if one.severity is Severity.ERROR)
    rejection = Rejection(facts.submission.file_name, text(code), code, tuple(dict.fromkeys(errors))[:_MOST_POINTS])
    return drafted(composer.rejection_notice(matter, rejection, _today(tools)), render)


_MAKERS: dict[Service, Callable[[StoredAnswer, Facts, Matter, Tools], Draft]] = {
    Service.INEFFECTIVE_NOTICE: _notice,
    Service.CORRECTION_CALL: _correction,
    Service.DECISION_DELIVERY: _decision,
    Service.RESEND_REQUEST: _resend,
    Service.REJECTION_NOTICE: _rejection,
}


def _addressee(facts: Facts) -> Party | None:
    """Whoever the form names as taxpayer or sender, else who sent it according to ePUAP, else who signed."""
    if facts.case is not None:
        named = facts.case.taxpayer or facts.case.submitter
        if named is not None and (named.full_name or named.surname):
            return named
    return _sender(facts.submission.sender) or _signer(facts.verification)


def _sender(block: SenderBlock) -> Party | None:
    if not block.name:
        return None
    if block.first_name:
        return Party(kind="natural_person", first_name=block.first_name, surname=block.name, pesel=block.pesel)
    return Party(kind="legal_person", full_name=block.name, nip=block.nip, regon=block.regon)


def _signer(verification: Verification | None) -> Party | None:
    """The first whose signature is believed."""
    for one in verification.signatures if verification else ():
        if one.indication is Indication.PASSED and one.signer and one.signer.surname:
            who = one.signer
            return Party(kind="natural_person", first_name=who.first_name, surname=who.surname, pesel=who.pesel)
    return None


def _today(tools: Tools) -> date:
    return tools.clock.now().astimezone(WARSAW).date()
