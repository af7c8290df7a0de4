"""Signer, sender and taxpayer are compared for the clerk, never merged."""

from __future__ import annotations

from uuid import UUID

import pytest

from gateway.checks import case_checks
from schemas.case import Case, FormRef, MessageInfo, SignatureInfo
from schemas.case_parts import CoOwner, Party
from schemas.finding import Severity

ANNA, JAN, EWA = "80010112340", "44051401458", "02070803628"


def codes(
    *,
    signer: str | None = ANNA,
    taxpayer: Party | None = None,
    owners: tuple[CoOwner, ...] = (),
    sender: str | None = None,
) -> dict[str, Severity]:
    case = Case(
        id=UUID(int=1),
        kind="letter",
        form=FormRef(namespace="urn:x"),
        message=MessageInfo(sender={"pesel": sender}),
        taxpayer=taxpayer,
        co_owners=owners,
        signature=SignatureInfo(signer_pesel=signer),
    )
    wanted = ("check.signer", "check.sender")
    return {item.code: item.severity for item in case_checks(case) if item.code.startswith(wanted)}


def test_who_signs_and_sends_for_themselves_raises_no_question() -> None:
    assert codes(taxpayer=Party(pesel=ANNA), sender=ANNA) == {}


def test_a_signer_who_is_not_the_taxpayer_is_pointed_out() -> None:
    assert codes(taxpayer=Party(pesel=JAN)) == {"check.signer_not_taxpayer": Severity.WARNING}


def test_a_co_owner_may_sign() -> None:
    assert codes(taxpayer=Party(pesel=JAN), owners=(CoOwner(party=Party(pesel=ANNA)),)) == {}


@pytest.mark.parametrize("party", [Party(nip="5260250274"), Party(regon="000331501")])
def test_whoever_signs_for_an_organisation_may_need_an_authority(party: Party) -> None:
    assert codes(taxpayer=party) == {"check.signer_for_organisation": Severity.INFO}


def test_another_sender_than_the_signer_is_noted() -> None:
    assert codes(taxpayer=Party(pesel=ANNA), sender=EWA) == {"check.sender_not_signer": Severity.INFO}


def test_without_a_known_signer_nothing_is_compared() -> None:
    assert codes(signer=None, taxpayer=Party(pesel=JAN), sender=EWA) == {}


def test_a_letter_without_a_taxpayer_raises_no_question() -> None:
    assert codes(taxpayer=None) == {}
