"""Qualified signatures judged whole: signature, path, revocation, time-stamps, and what came along with them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from gateway.signatures import Examination, TrustPolicy, examine, verify
from gateway.simulate import authorities, citizens, pki
from gateway.simulate.authorities import Revoked
from gateway.simulate.people import person
from gateway.simulate.pki import Identity
from gateway.timestamps import TIME_STAMPING, read_response
from gateway.trust.report import ValidationReport, confirm, make, page
from gateway.trust.service import TrustService
from gateway.trust.source import RevocationSource
from gateway.trust.verdict import Anchor, PathPolicy, RevocationEvidence
from schemas.verification import Indication, Verification
from schemas.xmldoc import DS, parse, qname
from tests.trust_pki import DAY, HOUR, T, World, world

PASSED, INDETERMINATE = Indication.PASSED, Indication.INDETERMINATE
DOCUMENT = b"<wniosek><tresc>prosba</tresc></wniosek>"


@pytest.fixture(scope="module")
def w() -> World:
    return world()


@pytest.fixture(scope="module")
def signer(w: World) -> Identity:
    return pki.qualified_person("JAN", "TESTOWY", "80010112340", w.ca, at=T, key=pki.new_key("rsa2048"))


@pytest.fixture(scope="module")
def signed(signer: Identity) -> bytes:
    return citizens.sign_qualified(DOCUMENT, person(0), pki.shared(), T - HOUR, identity=signer)


def trusting(w: World, evidence: RevocationEvidence, **how: object) -> TrustPolicy:
    """A policy whose only anchor is the authority, and whose only evidence is what is given."""
    anchors = (Anchor(w.ca.certificate),)
    source = RevocationSource(bundle=evidence)
    return TrustPolicy(
        environment="test",
        judge=TrustService(lambda _: anchors, source),
        stamp_judge=TrustService(lambda _: anchors, source, PathPolicy(extended_usage=TIME_STAMPING)),
        **how,  # type: ignore[arg-type]
    )


def lists(w: World, *revoked: Revoked, at: datetime = T) -> RevocationEvidence:
    return RevocationEvidence(crls=(authorities.crl(w.ca, revoked, at=at),))


def said(verification: Verification) -> tuple[Indication, str | None, list[str]]:
    (verdict,) = verification.signatures
    return verification.indication, verdict.sub_indication, [reason.code for reason in verdict.reasons]


def test_a_qualified_signature_passes_with_the_signers_name(w: World, signed: bytes) -> None:
    verification = verify(signed, trusting(w, lists(w)), at=T)
    assert said(verification) == (PASSED, None, [])
    who = verification.signatures[0].signer
    assert who is not None
    assert (who.kind, who.name, who.pesel) == ("qualified", "JAN TESTOWY", "80010112340")


def test_unknown_revocation_is_try_later_not_invalid(w: World, signed: bytes) -> None:
    verification = verify(signed, trusting(w, RevocationEvidence()), at=T)
    assert said(verification) == (INDETERMINATE, "TRY_LATER", ["trust.revocation_unknown"])


def test_revoked_before_it_was_received_is_indeterminate(w: World, signed: bytes, signer: Identity) -> None:
    verification = verify(signed, trusting(w, lists(w, Revoked(signer.certificate, T - DAY))), at=T)
    assert said(verification) == (INDETERMINATE, "REVOKED_NO_POE", ["trust.revoked"])


def test_revoked_after_it_was_received_stays_valid(w: World, signed: bytes, signer: Identity) -> None:
    evidence = lists(w, Revoked(signer.certificate, T + HOUR), at=T + DAY)
    assert said(verify(signed, trusting(w, evidence), at=T + DAY, poe=T)) == (PASSED, None, ["trust.revoked_later"])
    assert verify(signed, trusting(w, evidence), at=T + DAY).indication is INDETERMINATE


def test_a_strangers_certificate_is_untrusted_and_names_nobody(w: World) -> None:
    other = pki.authority(w.ca.certificate.subject, at=T)
    stranger = pki.qualified_person("JAN", "TESTOWY", "80010112340", other, at=T, key=pki.new_key("rsa2048"))
    forged = citizens.sign_qualified(DOCUMENT, person(0), pki.shared(), T, identity=stranger)
    verification = verify(forged, trusting(w, lists(w)), at=T)
    assert said(verification)[1:] == ("NO_CERTIFICATE_CHAIN_FOUND", ["signature.untrusted", "trust.chain_not_found"])
    assert verification.signatures[0].signer is not None
    assert verification.signatures[0].signer.name is None


def test_a_broken_signature_is_never_asked_about(w: World, signed: bytes) -> None:
    broken = signed.replace(b"prosba", b"grozba")
    examined = examine(broken, trusting(w, lists(w)), at=T)
    assert examined.verification.indication is Indication.FAILED
    assert examined.evidence[0].trust is None


def test_a_pinned_seal_is_judged_by_its_pin_alone(w: World, signed: bytes, signer: Identity) -> None:
    revoked = lists(w, Revoked(signer.certificate, T - DAY))
    pinned = trusting(w, revoked, seals=(signer.certificate,))
    assert verify(signed, pinned, at=T).indication is PASSED


def test_trust_is_left_out_where_only_the_mathematics_is_asked(w: World, signed: bytes) -> None:
    assert verify(signed, trusting(w, RevocationEvidence()), at=T, scope="crypto").indication is PASSED


# --- what comes along


def with_unsigned(signed: bytes, properties: str) -> bytes:
    end = b"</xades:SignedProperties>"
    assert signed.count(end) == 1
    added = f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties>{properties}"
    closed = "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    return signed.replace(end, end + (added + closed).encode())


def stamp_on(signed: bytes, unit: Identity, at: datetime, over: bytes | None = None) -> bytes:
    """The document with a time-stamp on its signature value (inclusive C14N, as where none is named)."""
    value = parse(signed).getroot().find(f".//{qname(DS, 'SignatureValue')}")
    assert value is not None
    octets = etree.tostring(etree.fromstring(etree.tostring(value, with_tail=False)), method="c14n")
    request = TimestampRequestBuilder().data(over or octets).hash_algorithm(HashAlgorithm.SHA256).build()
    token = read_response(authorities.time_stamp(request.as_bytes(), unit, at=at)).token
    packed = base64.b64encode(token).decode()
    return with_unsigned(
        signed,
        f"<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>{packed}</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp>",
    )


def test_a_time_stamp_proves_the_signature_older_than_the_revocation(w: World, signed: bytes, signer: Identity) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    evidence = lists(w, Revoked(signer.certificate, T - HOUR / 2))
    stamped = stamp_on(signed, unit, T - HOUR)

    assert verify(signed, trusting(w, evidence), at=T).signatures[0].sub_indication == "REVOKED_NO_POE"
    assert said(verify(stamped, trusting(w, evidence), at=T)) == (PASSED, None, ["trust.revoked_later"])
    assert verify(stamped, trusting(w, evidence), at=T).signatures[0].level == "XAdES-T"

    unproven = replace(trusting(w, evidence), stamp_judge=None)
    assert verify(stamped, unproven, at=T).signatures[0].sub_indication == "REVOKED_NO_POE"


def test_a_time_stamp_of_another_signature_proves_nothing(w: World, signed: bytes, signer: Identity) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    evidence = lists(w, Revoked(signer.certificate, T - HOUR / 2))
    copied = stamp_on(signed, unit, T - HOUR, over=b"<ds:SignatureValue>inny</ds:SignatureValue>")
    indication, sub, codes = said(verify(copied, trusting(w, evidence), at=T))
    assert (indication, sub) == (INDETERMINATE, "REVOKED_NO_POE")
    assert {"signature.time_stamp_unusable", "timestamp.digest_mismatch"} <= set(codes)


def test_a_time_stamp_of_a_stranger_proves_nothing(w: World, signed: bytes, signer: Identity) -> None:
    stranger = pki.authority(pki.name("TEST Obcy", "TEST"), at=T)
    evidence = lists(w, Revoked(signer.certificate, T - HOUR / 2))
    stamped = stamp_on(signed, authorities.time_stamper(stranger, at=T), T - HOUR)
    indication, sub, codes = said(verify(stamped, trusting(w, evidence), at=T))
    assert (indication, sub) == (INDETERMINATE, "REVOKED_NO_POE")
    assert "timestamp.untrusted" in codes


@pytest.mark.parametrize("token", ["", "!!!", "MAA=", "AAAA" * 100])
def test_a_time_stamp_that_cannot_be_read_spoils_nothing(w: World, signed: bytes, token: str) -> None:
    odd = with_unsigned(
        signed,
        f"<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp>",
    )
    assert said(verify(odd, trusting(w, lists(w)), at=T)) == (PASSED, None, ["signature.time_stamp_unusable"])


def test_revocation_data_inside_the_signature_are_used_after_being_checked(
    w: World, signed: bytes, signer: Identity
) -> None:
    def carrying(der: bytes) -> bytes:
        packed = base64.b64encode(der).decode()
        return with_unsigned(
            signed,
            "<xades:RevocationValues><xades:CRLValues><xades:EncapsulatedCRLValue>"
            f"{packed}</xades:EncapsulatedCRLValue></xades:CRLValues></xades:RevocationValues>",
        )

    nothing = trusting(w, RevocationEvidence())
    assert verify(carrying(authorities.crl(w.ca, at=T)), nothing, at=T).indication is PASSED
    revoked = authorities.crl(w.ca, [Revoked(signer.certificate, T - DAY)], at=T)
    assert verify(carrying(revoked), nothing, at=T).signatures[0].sub_indication == "REVOKED_NO_POE"
    forged = authorities.crl(w.ca, at=T, key=pki.new_key("p256"))
    assert verify(carrying(forged), nothing, at=T).signatures[0].sub_indication == "TRY_LATER"
    assert verify(carrying(b"rubbish"), nothing, at=T).signatures[0].sub_indication == "TRY_LATER"


# --- the report


def report(examined: Examination, document: bytes) -> ValidationReport:
    return make(
        document, examined.verification, examined.evidence, at=T, environment="test", policy=PathPolicy()
    )  # fmt: skip


def test_an_examination_becomes_a_report_that_is_confirmed_offline(w: World, signed: bytes, signer: Identity) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    stamped = stamp_on(signed, unit, T - HOUR)
    examined = examine(stamped, trusting(w, lists(w, Revoked(signer.certificate, T - HOUR / 2))), at=T)

    made = report(examined, stamped)
    again = ValidationReport.from_json(json.loads(json.dumps(made.to_json())))

    assert confirm(again) == (True,)
    assert "Znacznik czasu" in page(again)
    assert "JAN TESTOWY" in page(again)
    assert again.evidence[0].trust is not None
    assert again.evidence[0].trust.poe == T - HOUR


def test_a_certificate_of_an_unknown_version_is_a_verdict_not_a_crash(
    w: World, signed: bytes, signer: Identity
) -> None:
    der = signer.certificate.public_bytes(Encoding.DER)
    odd = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
    swapped = signed.replace(base64.b64encode(der), base64.b64encode(odd))
    assert swapped != signed
    assert verify(swapped, trusting(w, lists(w)), at=T).indication is not PASSED
