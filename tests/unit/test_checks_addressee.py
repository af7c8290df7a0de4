"""Addressed to another office: certain by NIP or by a neighbour's name, perhaps by a name nobody told us."""

from __future__ import annotations

import pytest

from gateway import validate
from gateway.checks import Receiver
from gateway.forms import Forms
from gateway.simulate import documents
from schemas.fictitious import nip
from schemas.finding import Severity

FORMS = Forms.load()
OURS = "Urząd Gminy Kolno"
NIP = "<inst:IdInstytucji><inst:NIP>{}</inst:NIP></inst:IdInstytucji>"


def letter(addressed_to: str | None = None) -> bytes:
    written = documents.general_letter("2006032").decode()
    name = f"<inst:NazwaInstytucji>{OURS}</inst:NazwaInstytucji>"
    assert written.count(name) == 1
    return written.replace(name, (NIP.format(addressed_to) if addressed_to else "") + name).encode()


def found(document: bytes, receiver: Receiver | None) -> list[tuple[str, Severity]]:
    return [(item.code, item.severity) for item in validate.check(document, FORMS, receiver=receiver).findings]


def test_a_document_for_us_has_no_finding():
    receiver = Receiver.of(nip(1), [OURS], ["Urząd Gminy Krasnopol"])
    assert found(letter(nip(1)), receiver) == []
    assert found(letter(), receiver) == []


def test_another_nip_is_an_error():
    assert found(letter(nip(2)), Receiver.of(nip(1), [OURS], [])) == [("check.misdirected", Severity.ERROR)]


def test_a_nip_is_compared_only_where_the_gmina_states_its_own():
    assert found(letter(nip(2)), Receiver.of(None, [], [])) == []


def test_the_name_of_another_gmina_is_an_error():
    receiver = Receiver.of(None, ["Urząd Gminy Krasnopol"], [OURS])
    assert found(letter(), receiver) == [("check.misdirected", Severity.ERROR)]


def test_a_name_nobody_told_us_is_a_warning():
    receiver = Receiver.of(None, ["Urząd Gminy Krasnopol"], [])
    assert found(letter(), receiver) == [("check.addressee_unknown", Severity.WARNING)]


@pytest.mark.parametrize("spelling", ["URZĄD GMINY KOLNO", "Urząd  Gminy Kolno", "urząd gminy – kolno"])
def test_a_name_in_another_spelling_is_the_same_name(spelling):
    assert found(letter(), Receiver.of(None, [spelling], [])) == []


def test_the_authority_that_a_return_names_counts_too():
    document = documents.property_return("2006032").decode()
    assert document.count(OURS) >= 1
    named = "<wnio:Nazwa>WÓJT – Urząd Gminy Kolno"
    assert document.count(named) == 1
    receiver = Receiver.of(None, [OURS], ["Urząd Gminy Krasnopol"])
    assert found(document.encode(), receiver) == []  # a title before the name is no other name
    wrong = document.replace(named, "<wnio:Nazwa>WÓJT – Urząd Gminy Krasnopol")
    assert found(wrong.encode(), receiver) == [("check.misdirected", Severity.ERROR)]
