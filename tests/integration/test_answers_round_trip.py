"""A citizen signs a request; verified, mapped, entitled, answered: every step is the gateway's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import QueryAnswer
from gateway import resources
from gateway.answers import document, entitlement, office
from gateway.answers.certificate import Request
from gateway.answers.compose import Composer, Matter
from gateway.answers.drafting import Draft, draft_certificate, draft_statement
from gateway.answers.events import Document, Held
from gateway.answers.ledgers import ask, merge
from gateway.answers.letter import plain_text
from gateway.answers.templates import Templates
from gateway.forms import Forms
from gateway.mapper import apply
from gateway.mapping.tables import packaged
from gateway.signatures import TrustPolicy, verify
from gateway.simulate import citizens, pki
from gateway.simulate.applications import certificate_application, settlement_query
from gateway.simulate.people import Person, company, nrb, person
from gateway.validate import check
from schemas.case import Case, MessageFacts, taxpayer_key

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
CITIZEN = person(3, "Krasnopol")
OTHER = person(8, "Krasnopol")


@dataclass
class MemoryLedger:
    """A connector's answer as data: rows by party, all of today."""

    rows: dict[str, tuple[dict[str, Any], ...]]

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        return QueryAnswer(name, NOON, self.rows.get(parameters["party"], ()))


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(Templates(), office.load(resources.folder("templates") / "answers" / "office.example.toml"))


def received(request: bytes, signer: Person = CITIZEN) -> Case:
    """As the gateway takes it: signed, verified, validated, mapped from the signed content."""
    own = pki.shared()
    signed = citizens.sign_trusted_profile(request, signer, own, at=NOON)
    trust = TrustPolicy("test", trusted_profile_seals=(own.trusted_profile.certificate,))
    verification = verify(signed, trust, at=NOON)
    validation = check(signed, Forms.load(), on=TODAY)
    assert [finding.to_json() for finding in validation.findings] == []
    assert verification.signed_xml is not None
    facts = MessageFacts(received_at=NOON, verification=verification)
    return apply(verification.signed_xml, packaged(), facts)


def answered(composer: Composer, case: Case, late: str = "0.00") -> Draft:
    """What an outbox would do between the case and the draft."""
    code = entitlement.doubt(case)
    if code is not None:
        return Draft(Held(code))
    party = entitlement.about(case)
    assert party is not None
    row = {"kind": "waste_fee", "year": 2026, "due_on": "2026-09-10", "amount": late, "account": nrb(1)}
    ledgers = {name: MemoryLedger({CITIZEN.pesel: (row,) if name == "waste" else ()}) for name in ("tax", "waste")}
    dues = merge(taxpayer_key(case) or "", ask(ledgers, party=entitlement.identifier(party), as_of=NOON), NOON)
    matter = Matter(party, TODAY, "FN.1.2026")
    if case.kind == "settlement_query":
        return draft_statement(composer, matter, dues, document.write)
    return draft_certificate(composer, matter, Request.of(case), dues, document.write, today=TODAY)


def test_a_settlement_query_is_answered_about_its_signer(composer):
    draft = answered(composer, received(settlement_query(applicant=CITIZEN)), late="96.00")
    assert draft.letter is not None
    text = plain_text(draft.letter).replace("\N{NO-BREAK SPACE}", " ")
    assert f"{CITIZEN.first_name} {CITIZEN.surname} (PESEL {CITIZEN.pesel})" in text
    assert "Razem zaległości z odsetkami za zwłokę i kosztami upomnień: 96,00 zł" in text
    assert f"{CITIZEN.address.street} {CITIZEN.address.building}/{CITIZEN.address.premises}" in text


def test_a_query_about_somebody_else_reaches_no_ledger(composer):
    draft = answered(composer, received(settlement_query(applicant=CITIZEN), signer=OTHER))
    assert (draft.event, draft.letter) == (Held("answers.signer_differs"), None)


def test_a_query_for_a_company_waits_for_a_clerk(composer):
    draft = answered(composer, received(settlement_query(applicant=company(2, "Krasnopol"))))
    assert draft.event == Held("answers.authority_unchecked")


@pytest.mark.parametrize(
    ("application", "late", "expected"),
    [
        ({}, "0.00", Document.CERTIFICATE_NONE),
        ({}, "96.00", Document.CERTIFICATE_ARREARS),
        ({"fee": None, "files": ()}, "0.00", Document.FEE_CALL),
        ({"files": ()}, "0.00", Document.FEE_CALL),
        ({"paid": False}, "0.00", Document.FEE_CALL),
        ({"copies": 2}, "0.00", Document.FEE_CALL),
        ({"copies": 2, "fee": "42.00"}, "0.00", Document.CERTIFICATE_NONE),
        (
            {"fee": None, "files": (), "statement": "Sprawa nie podlega opłacie skarbowej: pomoc społeczna."},
            "0.00",
            Document.CERTIFICATE_NONE,
        ),
    ],
    ids=["clean", "arrears", "no fee", "no proof", "unpaid", "two for one fee", "two paid", "exempt"],
)
def test_an_application_becomes_what_the_law_makes_of_it(composer, application, late, expected):
    draft = answered(composer, received(certificate_application(applicant=CITIZEN, **application)), late=late)
    assert draft.letter is not None
    assert draft.letter.template == expected.value


def test_the_missing_part_of_a_fee_is_called_for(composer):
    draft = answered(composer, received(certificate_application(applicant=CITIZEN, copies=3)))
    assert draft.letter is not None
    text = plain_text(draft.letter).replace("\N{NO-BREAK SPACE}", " ")
    assert "opłaty skarbowej w wysokości 42,00 zł" in text
    assert draft.ruling is not None
    assert Request.of(received(certificate_application(applicant=CITIZEN, copies=3))).fee.paid == Decimal("21.00")
