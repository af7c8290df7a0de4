"""From a ledger's answer to the plan's next event: a letter to approve or sign, or the reason a person must look."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from gateway.answers.certificate import Outcome, Request, Ruling, decide
from gateway.answers.compose import Composer, Matter
from gateway.answers.letter import Letter
from gateway.answers.plan import Document, Drafted, Held
from schemas.answers import Dues

SILENT = "answers.ledger_silent"


@dataclass(frozen=True, slots=True)
class Draft:
    """What to tell the plan, the letter (None where it is held), and the ruling behind a certificate."""

    event: Drafted | Held
    letter: Letter | None = None
    ruling: Ruling | None = None


def draft_statement(composer: Composer, matter: Matter, dues: Dues, *, cleared: Collection[str] = ()) -> Draft:
    """A settlement statement; held where no ledger answered, or one did not and the office wants whole ones only.

    Args: cleared: of the plan; who has looked at the silence of a ledger lets a partial statement go.
    """
    answered = len(dues.sources) - len(dues.missing)
    partial_held = composer.office.partial_statements == "hold" and SILENT not in cleared
    if not answered or (dues.missing and partial_held):
        return Draft(Held(SILENT))
    return _drafted(composer.settlement_statement(matter, dues))


def draft_certificate(
    composer: Composer,
    matter: Matter,
    request: Request,
    dues: Dues,
    *,
    today: date,
    proceedings: str = "",
    cleared: Collection[str] = (),
) -> Draft:
    """What the law makes of an application: certificate, refusal, call for the fee, or a clerk.

    Raises: AnswerError: a template is wrong.
    """
    ruling = decide(request, dues, required=composer.office.ledgers, today=today, cleared=cleared)
    if ruling.outcome is Outcome.CLERK:
        return Draft(Held(ruling.reasons[0]), ruling=ruling)
    if ruling.outcome is Outcome.CALL_FOR_FEE:
        return _drafted(composer.fee_call(matter, request, today), ruling)
    return _drafted(composer.certificate(matter, request, ruling, proceedings=proceedings), ruling)


def _drafted(letter: Letter, ruling: Ruling | None = None) -> Draft:
    return Draft(Drafted(Document(letter.template), letter.digest, letter.dated), letter, ruling)
