"""From a ledger's answer to the plan's next event: a document to approve and sign, or the reason a person must look.

A draft holds the document's octets, and the event their digest: what the clerk opened and approved is what is signed,
also if a template, a layout or a library changed in between. Whoever keeps the plan keeps the octets beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date

from gateway.answers.certificate import Outcome, Request, Ruling, decide
from gateway.answers.compose import Composer, Matter
from gateway.answers.events import Document, Drafted, Held
from gateway.answers.letter import Letter
from schemas.answers import Dues
from schemas.ids import sha256

SILENT = "answers.ledger_silent"
Render = Callable[[Letter], bytes]


@dataclass(frozen=True, slots=True)
class Draft:
    """What to tell the plan; letter and octets (None, empty where it is held), and the ruling behind a certificate."""

    event: Drafted | Held
    letter: Letter | None = None
    octets: bytes = field(default=b"", repr=False)
    ruling: Ruling | None = None


def draft_statement(
    composer: Composer, matter: Matter, dues: Dues, render: Render, *, cleared: Collection[str] = ()
) -> Draft:
    """A settlement statement; held where no ledger answered, or one did not and the office wants whole ones only.

    Args: render: letter → the unsigned document, see gateway.answers.rendering.
          cleared: of the plan; who has looked at the silence of a ledger lets a partial statement go.
    """
    answered = len(dues.sources) - len(dues.missing)
    partial_held = composer.office.partial_statements == "hold" and SILENT not in cleared
    if not answered or (dues.missing and partial_held):
        return Draft(Held(SILENT))
    return drafted(composer.settlement_statement(matter, dues), render)


def draft_certificate(
    composer: Composer,
    matter: Matter,
    request: Request,
    dues: Dues,
    render: Render,
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
        return drafted(composer.fee_call(matter, request, today), render, ruling)
    return drafted(composer.certificate(matter, request, ruling, proceedings=proceedings), render, ruling)


def drafted(letter: Letter, render: Render, ruling: Ruling | None = None) -> Draft:
    """Any composed letter as a draft."""
    octets = render(letter)
    return Draft(Drafted(Document(letter.template), sha256(octets), letter.dated), letter, octets, ruling)
