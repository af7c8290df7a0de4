"""The reconstructed receipt schema: our own receipts conform to it, and so does a real one where it is at hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway.formdata.closure import compiled, gather
from gateway.forms import Forms
from gateway.receipt import SealKey, UpdFacts, UppFacts, issue_upd, issue_upp
from gateway.simulate import pki
from schemas.receipt import ReceiptParty
from schemas.xmldoc import UPO
from tests import reference

MOMENT = datetime(2026, 7, 1, 22, 30, 15, 266000, UTC)
FORMS = Forms.load()
REAL = reference.files("epuap/data/samples/upp/epuap-*.xml")


def schema() -> etree.XMLSchema:
    file = FORMS.lookup(UPO)
    assert file is not None
    return compiled(gather(file, FORMS.lookup, FORMS.folders))


def seal() -> SealKey:
    identity = pki.shared().upo_seal
    return SealKey.of(identity.key, identity.certificate)


def test_our_upp_conforms_to_the_receipt_schema():
    facts = UppFacts(
        receipt_id="BRAMA-UPP-1", addressee=ReceiptParty("Gmina Przykład", "9999011", "TERYT"), sender=None,
        document_id="BRAMA-1", submission_id="0198c0de", file_name="Pismo.xml", received_at=MOMENT, cid="abc@epuap",
    )  # fmt: skip
    xml = issue_upp(facts, b"<a/>", seal(), MOMENT).xml
    judge = schema()
    assert judge.validate(etree.fromstring(xml)), judge.error_log
    without = xml.replace(b"DataWytworzeniaPoswiadczenia", b"DataInna")
    assert not judge.validate(etree.fromstring(without))


def test_our_upd_conforms_to_the_receipt_schema():
    facts = UpdFacts(
        receipt_id="BRAMA-UPD-1", issuer=ReceiptParty("Gmina Przykład", "9999011", "TERYT"),
        addressee=ReceiptParty("Łucja Próbna"), document_id="BRAMA-1", case_id="RF.1.2026", file_name="Decyzja.xml",
        received_at=MOMENT,
    )  # fmt: skip
    judge = schema()
    assert judge.validate(etree.fromstring(issue_upd(facts, b"<a/>", seal(), MOMENT).xml)), judge.error_log


@pytest.mark.parametrize("sample", REAL, ids=lambda path: path.name)
def test_a_real_upp_conforms_to_the_receipt_schema(sample: Path):
    judge = schema()
    assert judge.validate(etree.parse(sample)), judge.error_log
