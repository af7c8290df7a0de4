"""Identifiers are parsed once; what does not have the form is refused with a code."""

from __future__ import annotations

import pytest

from schemas.errors import IdentifierInvalid
from schemas.ids import FormId, Mailbox, Teryt, is_land_register, is_nip, is_pesel, is_regon, sha256


def test_a_teryt_is_seven_digits_of_text_and_keeps_its_leading_zeros():
    assert Teryt("0201011") == "0201011"


@pytest.mark.parametrize("value", ["201011", "02010111", "020101a"])
def test_what_is_no_teryt_is_refused(value):
    with pytest.raises(IdentifierInvalid):
        Teryt(value)


@pytest.mark.parametrize(("kind", "value"), [(Mailbox, "bez/ukosnika"), (Mailbox, "/tylko"), (Mailbox, "/a/b c")])
def test_what_has_not_the_form_is_refused(kind, value):
    with pytest.raises(IdentifierInvalid) as caught:
        kind(value)
    assert caught.value.code == "identifier.invalid"
    assert value not in str(caught.value)


def test_a_crd_form_has_a_short_name_and_any_other_its_namespace():
    assert FormId.crd("2020/01/07/8990").namespace == "http://crd.gov.pl/wzor/2020/01/07/8990/"
    assert FormId.crd("2020/01/07/8990").short == "2020/01/07/8990"
    assert FormId("urn:inny").short == "urn:inny"


@pytest.mark.parametrize(("check", "good", "bad"), [
    (is_pesel, "44051401458", "44051401459"),
    (is_pesel, "02070803628", "0207080362"),
    (is_nip, "1234563218", "1234563219"),
    (is_nip, "8567346215", "856-734-62-15"),
    (is_regon, "123456785", "123456786"),
    (is_regon, "12345678512347", "12345678512348"),
])  # fmt: skip
def test_check_digits_tell_right_from_wrong(check, good, bad):
    assert check(good)
    assert not check(bad)


def test_digests_are_hex_of_the_octets():
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("number", ["KA1S/00012345/6", "LU1B/00012345/8", "WA4M/00123456/4", "gd1w / 00090409 / 1"])
def test_a_land_register_number_has_a_check_digit(number):
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert is_land_register(number) is True
    assert is_land_register(wrong) is False


@pytest.mark.parametrize("text", ["", "KW 12345", "xxx", "QA1S/00012345/6", "KA1S/12345/6", "KA1S/00012345/66"])
def test_an_old_register_number_or_any_other_text_is_not_judged(text):
    assert is_land_register(text) is None
