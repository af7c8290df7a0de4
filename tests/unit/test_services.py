"""The services without a form of their own work all the same: what is asked, and what the answer brings."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from gateway import forms_admin, mapper, resources
from gateway.answers import document, office
from gateway.answers.compose import Composer, Matter
from gateway.answers.letter import Codes
from gateway.answers.templates import Templates
from gateway.config import AnswersConfig
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.services import services
from gateway.simulate.people import nrb
from schemas.answers import DueItem, Dues, Source
from schemas.case_parts import Party

PAID_BY_CODE = [service for service in services() if service.answer == "payment"]
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
KINDS = {"A8": ("property_tax", "forest_tax", "agricultural_tax", "vehicle_tax"), "A15": ("waste_fee",)}


def test_exactly_the_two_payment_services_have_no_form_of_their_own():
    assert {service.id for service in PAID_BY_CODE} == {"A8", "A15"}
    assert all(service.note_pl and service.note_en for service in PAID_BY_CODE)


@pytest.mark.parametrize("service", PAID_BY_CODE, ids=lambda service: service.id)
def test_what_one_asks_becomes_a_case_that_can_be_answered(service):
    (form,) = service.forms
    asked = forms_admin.sample(Forms.load(), Mappings.load(), form)
    case = mapper.apply(asked, Mappings.load(), MessageFacts())
    assert (case.kind,) == service.kinds
    assert AnswersConfig(services=service.kinds).services == service.kinds


@pytest.mark.parametrize("service", PAID_BY_CODE, ids=lambda service: service.id)
def test_the_answer_brings_a_payment_code_for_each_due(service):
    composer = Composer(Templates(), office.load(resources.folder("templates") / "answers" / "office.example.toml"))
    items = [
        DueItem(kind=kind, year=2026, due_on=date(2026, 12, 15), amount=Decimal(100 + number), account=nrb(number))
        for number, kind in enumerate(KINDS[service.id])
    ]
    dues = Dues(party_key="0" * 32, as_of=NOON, items=tuple(items), sources=(Source(name="ledger", asked_at=NOON),))

    letter = composer.settlement_statement(Matter(Party(surname="Próbny"), date(2026, 11, 20)), dues)

    codes = [code.content for block in letter.blocks if isinstance(block, Codes) for code in block.codes]
    assert [code.split("|")[2:4] for code in codes] == [
        [item.account, f"{int(item.amount * 100):06d}"] for item in items
    ]
    written = document.write(letter).decode()
    assert all(code in written for code in codes)
