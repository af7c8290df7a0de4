"""Every template filled with invented facts: the proof that a gmina's own texts, card and layout still make letters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.base import QueryAnswer
from gateway import resources
from gateway.answers import office as offices
from gateway.answers import pdf
from gateway.answers.certificate import Fee, Outcome, Request, Ruling, Wanted
from gateway.answers.compose import Composer, Decision, Doubt, Matter, Rejection
from gateway.answers.ledgers import LedgerAnswer, arrears_of, merge, read, unanswered
from gateway.answers.letter import Letter
from gateway.answers.templates import Templates
from gateway.clock import WARSAW
from gateway.effectiveness import OWN_RULE
from schemas.answers import Arrears, Dues
from schemas.case_parts import Party
from schemas.effectiveness import Effect, Effectiveness
from schemas.errors import AnswerError, ConfigError

OFFICE = "office.toml"


def folder() -> Path:
    """Where the facts and the expected texts lie."""
    return resources.folder("templates") / "answers" / "samples"


def letters(composer: Composer) -> dict[str, Letter]:
    """One letter of every template, by the template's name.

    Raises: AnswerError: a template asks for data that is not there.
    """
    facts = tomllib.loads((folder() / "facts.toml").read_text("utf-8"))
    dues = dues_of(facts)
    today = dues.as_of.astimezone(WARSAW).date()
    matter = Matter(
        party=Party(kind="natural_person", **facts["party"]),
        received_on=facts["received_on"],
        case_number=facts["case_number"],
        subject="wniosek o zwrot nadpłaty",
        declaration="deklaracja na podatek od nieruchomości DN-1 za 2026 r.",
    )
    made = [
        composer.settlement_statement(matter, dues),
        *_certificates(composer, matter, dues, today),
        composer.correction_call(matter, _DOUBTS, today, arithmetic=True),
        composer.decision_delivery(matter, _decision(today), ["decyzja.pdf"], today),
        composer.ineffective_notice(matter, _ruling(today), today),
        composer.rejection_notice(matter, _REJECTION, today),
        composer.resend_request(matter, ["projekt budowlany.zip", "mapa.pdf"], today),
    ]
    return {letter.template: letter for letter in made}


def dues_of(facts: Mapping[str, Any]) -> Dues:
    """The facts' ledgers, merged as real ones are."""
    now = facts["asked_at"]
    return merge("0" * 32, (_answer(ledger, now) for ledger in facts["ledger"]), now)


def problems(own: Path, card: Path | None = None) -> list[str]:
    """What is wrong with a gmina's folder of templates, one sentence each; nothing is when every sample comes out.

    Args: card: the office's card, where it has another name.
    """
    try:
        office = offices.load(card or own / OFFICE)
        templates = Templates([own])
        for letter in letters(Composer(templates, office)).values():
            pdf.render(letter, templates)
    except (AnswerError, ConfigError) as error:
        return [str(error)]
    return []


def _certificates(composer: Composer, matter: Matter, dues: Dues, today: date) -> list[Letter]:
    paid = Fee(due=Decimal("21.00"), paid=Decimal("21.00"), evidence=("1",))
    short = Fee(due=Decimal("42.00"), paid=Decimal("21.00"), evidence=("1",))
    request = Request(Wanted.NO_ARREARS, paid, purpose="przedłożenie w banku")
    none, some = Arrears(day=today), arrears_of(dues, today)
    tax = "podatek od środków transportowych za 2025 r."
    return [
        composer.certificate(matter, request, Ruling(Outcome.CERTIFY_NONE, (), none)),
        composer.certificate(matter, request, Ruling(Outcome.CERTIFY_ARREARS, (), some), proceedings=tax),
        composer.certificate(matter, request, Ruling(Outcome.REFUSE, (), some)),
        composer.fee_call(matter, Request(Wanted.STATE, short, copies=2), today),
    ]


_REJECTION = Rejection(
    "wniosek.xml",
    "Dokument nie jest zgodny ze wzorem.",
    "policy.form_invalid",
    ("Brak wymaganego elementu „Tytul”.",),
)
_DOUBTS = (
    Doubt("Łączna kwota podatku", "suma wierszy różni się od podanej kwoty", "1 250,00 zł", "1 260,00 zł"),
    Doubt("Powierzchnia gruntów", "brak danych o działce nr 123/4"),
)


def _decision(today: date) -> Decision:
    return Decision("FN.3120.9.2026", today, "ustalenie łącznego zobowiązania pieniężnego na 2026 r.")


def _ruling(today: date) -> Effectiveness:
    basis = "reguła organu dla wniosków o zwrot nadpłaty"
    return Effectiveness(Effect.INEFFECTIVE, OWN_RULE, "Wójt Gminy Przykładowo", today, basis)


def _answer(ledger: Mapping[str, Any], now: Any) -> LedgerAnswer:
    if "code" in ledger:
        return unanswered(ledger["name"], ledger["code"])
    return read(ledger["name"], QueryAnswer("dues", now, tuple(ledger["row"])))
