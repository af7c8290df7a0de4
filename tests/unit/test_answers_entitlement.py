"""Fiscal secrecy: who may be told without a clerk looking first."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from gateway.answers import entitlement
from gateway.simulate.people import nip, person
from schemas.case import Case, FormRef, SignatureInfo
from schemas.case_parts import Party

CITIZEN = person(3)
PARTY = Party(first_name=CITIZEN.first_name, surname=CITIZEN.surname, pesel=CITIZEN.pesel)


def case(**changed: Any) -> Case:
    signed = SignatureInfo(indication="TOTAL-PASSED", level="trusted_profile", signer_pesel=CITIZEN.pesel)
    whole = {"id": uuid4(), "kind": "settlement_query", "form": FormRef(namespace="urn:x"), "signature": signed}
    return Case(**{**whole, "taxpayer": PARTY, **changed})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, None),
        ({"taxpayer": None, "submitter": PARTY}, None),
        ({"taxpayer": None}, "answers.party_unknown"),
        ({"taxpayer": Party(surname="Próbny")}, "answers.party_unknown"),
        ({"taxpayer": Party(pesel=person(4).pesel)}, "answers.signer_differs"),
        ({"taxpayer": Party(nip=nip(1), full_name="X")}, "answers.authority_unchecked"),
        ({"signature": None}, "answers.signer_unknown"),
        ({"signature": SignatureInfo(indication="TOTAL-PASSED")}, "answers.signer_unknown"),
        (
            {"signature": SignatureInfo(indication="INDETERMINATE", signer_pesel=CITIZEN.pesel)},
            "answers.signer_unknown",
        ),
    ],
)
def test_only_the_signer_is_told_and_only_about_themselves(changed, expected):
    assert entitlement.doubt(case(**changed)) == expected


def test_a_clerk_may_clear_an_authority_but_not_the_lack_of_a_party():
    other = case(taxpayer=Party(pesel=person(4).pesel))
    assert entitlement.doubt(other, cleared=["answers.signer_differs"]) is None
    assert entitlement.doubt(case(taxpayer=None), cleared=["answers.party_unknown"]) == "answers.party_unknown"
