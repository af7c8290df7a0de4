"""Payment codes, read back by another library."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
import segno
import zxingcpp
from PIL import Image

from gateway.answers import payment
from gateway.answers.templates import Templates
from gateway.simulate.people import nrb
from schemas.answers import DueItem, PaymentOrder

WORDS = Templates().words


def order(**changed: object) -> PaymentOrder:
    whole = {
        "name": "Podatek rolny 2026 rata 1", "account": "92124012340001567890123456", "amount": "12.00",
        "recipient": "Odbiorca 1", "title": "FV 1234/34/2012", "nip": "1234567890", **changed,
    }  # fmt: skip
    return PaymentOrder.model_validate(whole)


def due(**changed: object) -> DueItem:
    whole = {"kind": "property_tax", "year": 2026, "instalment": 12, "due_on": date(2026, 12, 15), "amount": "411.00",
             "account": nrb(1), **changed}  # fmt: skip
    return DueItem.model_validate(whole)


def decoded(text: str) -> list[str]:
    drawn = io.BytesIO()
    segno.make(text, error="m", boost_error=False, encoding="utf-8", micro=False).save(drawn, kind="png", scale=4)
    return [code.text for code in zxingcpp.read_barcodes(Image.open(drawn))]


def test_the_code_has_the_nine_fields_of_the_recommendation():
    """The recommendation's own example of a recipient with a NIP."""
    text = payment.code_text(order())
    assert text == "1234567890|PL|92124012340001567890123456|001200|Odbiorca 1|FV 1234/34/2012|||"
    assert len(text.split("|")) == 9


def test_without_a_nip_the_first_field_is_empty():
    assert payment.code_text(order(nip=None)).startswith("|PL|9212")


@pytest.mark.parametrize(
    ("amount", "field"),
    [("0.01", "000001"), ("21.00", "002100"), ("9999.99", "999999"), ("10000.00", "000000"), ("0.00", "000000")],
)
def test_the_amount_is_six_digits_of_grosze_or_left_to_the_payer(amount, field):
    assert payment.code_text(order(amount=amount)).split("|")[3] == field
    assert payment.carries_amount(order(amount=amount)) is (amount != "10000.00")


def test_long_names_are_cut_and_a_bar_in_a_title_opens_no_field():
    text = payment.code_text(order(recipient="Gmina Nowe Przykładowo Górne", title="a|b; " + "ż" * 40, nip=None))
    fields = text.split("|")
    assert fields[4] == "Gmina Nowe Przykłado"
    assert fields[5] == "a b " + "ż" * 28
    assert len(fields) == 9


def test_another_library_reads_the_same_from_the_image():
    text = payment.code_text(order(recipient="Gmina Źdźbłowo", title="Zażółć gęślą jaźń ĄĆĘŁŃÓŚŹŻ"))
    assert decoded(text) == [text]


def test_the_svg_keeps_its_quiet_zone_and_is_black_on_white():
    svg = payment.qr_svg(payment.code_text(order()))
    assert 'fill="#fff"' in svg
    assert 'stroke="#000"' in svg
    modules = segno.make(payment.code_text(order()), error="m", boost_error=False, micro=False).symbol_size(border=4)
    assert f'width="{modules[0]}"' in svg


def test_every_kind_of_due_fits_a_transfers_title_with_year_and_instalment():
    long = {name: f"{name} 2026 rata 12" for name in WORDS.short.values()}
    assert [title for title in long.values() if len(title) > 32] == []
    assert set(WORDS.short) == set(WORDS.kinds)


def test_a_due_becomes_a_transfer_with_its_own_words():
    (made,) = payment.orders([due()], WORDS, recipient="Gmina", nip=None)
    assert made.name == "Podatek od nieruchomości za 2026 r., rata 12"
    assert made.title == "Pod. nieruchomości 2026 rata 12"


def test_the_ledgers_own_title_wins():
    (made,) = payment.orders([due(title="K-123/2026")], WORDS, recipient="Gmina", nip=None)
    assert made.title == "K-123/2026"


def test_money_already_received_is_not_asked_for_again():
    (made,) = payment.orders([due(unposted="400.00", interest="1.00")], WORDS, recipient="Gmina", nip=None)
    assert made.amount == Decimal("12.00")
    assert payment.orders([due(unposted="411.00")], WORDS, recipient="Gmina", nip=None) == ()


def test_a_due_without_an_account_gets_no_code():
    assert payment.orders([due(account=None)], WORDS, recipient="Gmina", nip=None) == ()


def test_dues_on_one_account_can_be_paid_together():
    made = payment.orders([due(), due(instalment=11), due(account=nrb(2))], WORDS, recipient="Gmina", nip=None)
    (whole,) = payment.together(made, "Razem należności")
    assert (whole.account, whole.amount, whole.title) == (nrb(1), Decimal("822.00"), "Razem należności, 2 pozycje")
