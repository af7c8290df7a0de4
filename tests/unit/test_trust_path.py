"""Paths and what a verdict carries: each test breaks one thing of a world in which all is well."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.simulate import authorities, pki
from gateway.simulate.authorities import Revoked
from gateway.trust import Anchor, Freshness, PathPolicy, RevocationEvidence, TrustVerdict
from gateway.trust.path import judge_again
from schemas.texts import all_texts
from tests.trust_pki import DAY, FAILED, HOUR, INDETERMINATE, T, World, answer, ask, codes, world


@pytest.fixture(scope="module")
def w() -> World:
    return world()


# --- what is no chain, or not a sound one


def test_without_the_authority_in_between_there_is_no_chain(w: World) -> None:
    verdict = ask(w, chain=())
    assert answer(verdict) == (INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND", ["trust.chain_not_found"])
    assert verdict.chain == ()


def test_another_anchor_makes_no_chain(w: World) -> None:
    other = pki.authority(pki.name("TEST Obcy Root", "TEST"), at=T)
    assert ask(w, anchors=(Anchor(other.certificate),)).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_an_authority_with_the_right_names_and_another_key_makes_no_chain(w: World) -> None:
    fake = pki.authority(w.ca.certificate.subject, w.root, at=T)
    stranger = pki.qualified_person("JAN", "TESTOWY", "80010112340", fake, at=T, key=pki.new_key("p256"))
    assert ask(w, certificate=stranger.certificate).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_person_cannot_issue_certificates(w: World) -> None:
    forged = pki.qualified_person("ANNA", "TESTOWA", "80010112340", w.person, at=T, key=pki.new_key("p256"))
    verdict = ask(w, certificate=forged.certificate, chain=(w.person.certificate, w.ca.certificate))
    assert answer(verdict) == (INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", ["trust.chain_invalid"])


def test_an_anchor_trusted_only_later_is_not_trusted_then(w: World) -> None:
    late = Anchor(w.root.certificate, valid_from=T + DAY)
    verdict = ask(w, anchors=(late,))
    assert answer(verdict) == (INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND", ["trust.anchor_not_trusted_then"])
    withdrawn = Anchor(w.root.certificate, valid_until=T - DAY)
    assert codes(ask(w, anchors=(withdrawn,))) == ["trust.anchor_not_trusted_then"]
    assert ask(w, anchors=(Anchor(w.root.certificate, valid_from=T - DAY, valid_until=T + DAY),)).passed


def test_a_certificate_expired_at_the_proof_of_existence_is_out_of_bounds(w: World) -> None:
    expired = w.person.certificate.not_valid_after_utc
    late = w.crls(expired)
    verdict = ask(w, late, at=expired + DAY)
    assert answer(verdict) == (INDETERMINATE, "OUT_OF_BOUNDS_NO_POE", ["trust.expired"])
    proven = ask(w, late, at=expired + DAY, created_after=expired + HOUR)
    assert answer(proven) == (FAILED, "EXPIRED", ["trust.expired"])


def test_a_signature_older_than_its_certificate_is_failed(w: World) -> None:
    verdict = ask(w, at=w.person.certificate.not_valid_before_utc - DAY)
    assert answer(verdict) == (FAILED, "NOT_YET_VALID", ["trust.not_yet_valid"])


def test_an_authority_out_of_its_validity_is_out_of_bounds(w: World) -> None:
    person = pki.qualified_person("JAN", "TESTOWY", "80010112340", w.ca, at=T + 800 * DAY, key=pki.new_key("p256"))
    after_ca = w.ca.certificate.not_valid_after_utc + DAY
    verdict = ask(w, certificate=person.certificate, at=after_ca)
    assert answer(verdict) == (INDETERMINATE, "OUT_OF_BOUNDS_NO_POE", ["trust.authority_out_of_bounds"])


def test_a_certificate_made_for_another_use_does_not_sign(w: World) -> None:
    usage = pki._usage(key_cert_sign=True)
    other = pki.issue(pki.name("TEST Klucz", "TEST"), w.ca, at=T, key=pki.new_key("p256"), usage=usage)
    verdict = ask(w, certificate=other.certificate)
    assert answer(verdict) == (INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", ["trust.usage"])


def test_only_a_time_stamping_certificate_may_time_stamp(w: World) -> None:
    policy = PathPolicy(extended_usage="1.3.6.1.5.5.7.3.8")
    assert codes(ask(w, policy=policy)) == ["trust.usage"]
    unit = authorities.time_stamper(w.ca, at=T)
    assert ask(w, certificate=unit.certificate, policy=policy).passed


def test_a_short_key_is_refused(w: World) -> None:
    weak = pki.issue(pki.name("TEST Krótki", "TEST"), w.ca, at=T, key=pki.new_key("rsa1024"))
    verdict = ask(w, certificate=weak.certificate)
    assert answer(verdict) == (INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", ["trust.key_weak"])


def test_a_short_key_of_an_authority_is_refused(w: World) -> None:
    weak = pki.authority(pki.name("TEST Słabe CA", "TEST"), w.root, at=T, key="rsa1024")
    person = pki.qualified_person("JAN", "TESTOWY", "80010112340", weak, at=T, key=pki.new_key("p256"))
    verdict = ask(w, certificate=person.certificate, chain=(weak.certificate,))
    assert answer(verdict) == (INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", ["trust.algorithm_weak"])


def test_an_extension_that_cannot_be_read_is_a_general_failure(w: World) -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.32"), b"\x30\x05\x01")
    person = w.qualified(extensions=((broken, False),))
    verdict = ask(w, certificate=person.certificate)
    assert answer(verdict) == (INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE", ["trust.certificate_unreadable"])


def test_unreadable_evidence_is_noted_and_does_not_stop_the_rest(w: World) -> None:
    rubbish = RevocationEvidence(crls=(b"<html>", b""), ocsps=(b"\x30\x03\x0a\x01",), certificates=(b"\x30",))
    verdict = ask(w, w.crls() + rubbish)
    assert verdict.passed
    assert codes(verdict) == ["trust.evidence_unreadable"]
    assert verdict.reasons[0].facts == {"count": "4"}


def test_a_flood_of_look_alike_authorities_stays_bounded(w: World) -> None:
    flood = [pki.authority(w.ca.certificate.subject, w.root, at=T).certificate for _ in range(60)]
    assert ask(w, chain=(w.ca.certificate, *flood)).passed


def test_a_time_without_zone_is_an_error_of_the_caller(w: World) -> None:
    with pytest.raises(ValueError, match="aware"):
        ask(w, at=datetime(2026, 6, 1, 12, 0))  # noqa: DTZ001 - the very thing that is refused


# --- what is handed back


def test_the_verdict_carries_what_it_rests_on_and_judges_the_same_from_it(w: World) -> None:
    irrelevant = RevocationEvidence(crls=(authorities.crl(pki.authority(pki.name("TEST X", "X"), at=T), at=T),))
    first = ask(w, w.crls(T + 5 * DAY, Revoked(w.person.certificate, T + DAY)) + irrelevant, at=T + 5 * DAY, poe=T)

    stored = TrustVerdict.from_json(json.loads(json.dumps(first.to_json())))
    again = judge_again(stored)

    assert stored == first
    assert again == first
    assert len(first.evidence.crls) == 2  # the irrelevant list is not kept


@pytest.mark.parametrize("at", [T, T + 4000 * DAY])
def test_verdicts_that_did_not_pass_are_reached_again_too(w: World, at: datetime) -> None:
    withdrawn = Anchor(w.root.certificate, valid_until=T - DAY, source="lista")
    evidence = w.crls(T, Revoked(w.person.certificate, T - DAY))
    for first in (
        ask(w, evidence, at=at),
        ask(w, evidence, at=at, created_after=T - HOUR),
        ask(w, anchors=(withdrawn,), at=at),
        ask(w, RevocationEvidence(), at=at),
        ask(w, chain=(), at=at),
    ):
        assert judge_again(first) == first


def test_a_policy_is_kept_with_its_verdicts(w: World) -> None:
    policy = PathPolicy(freshness=Freshness.AFTER_POE, grace=2 * DAY, extended_usage="1.3.6.1.5.5.7.3.8")
    assert PathPolicy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


def test_stored_evidence_that_was_changed_is_not_read(w: World) -> None:
    stored = ask(w).to_json()
    stored["evidence"]["crls"][0]["der"] = stored["evidence"]["crls"][1]["der"]
    with pytest.raises(ValueError, match="digest"):
        TrustVerdict.from_json(stored)


def test_reasons_hold_no_names(w: World) -> None:
    verdict = ask(w, w.crls(T, Revoked(w.person.certificate, T - DAY)))
    name = w.person.certificate.subject.get_attributes_for_oid(NameOID.SURNAME)[0].value
    assert str(name) not in str(verdict.reasons)
    assert "80010112340" not in str(verdict.reasons)


def test_every_reason_given_has_a_text(w: World) -> None:
    known = all_texts()
    verdicts = [ask(w), ask(w, RevocationEvidence()), ask(w, chain=())]
    assert all(code in known for verdict in verdicts for code in codes(verdict))
    assert replace(verdicts[0], reasons=()) == verdicts[0]


def test_cross_signed_look_alikes_end_in_bounded_work(w: World) -> None:
    # each is issued by every other: unbounded, the paths through them would be countless
    name = pki.name("TEST Krąg", "TEST")
    makers = [pki.Identity(w.root.certificate, pki.new_key("p256"), w.root.certificate) for _ in range(6)]
    circle = [_signed_by(maker, name, own.key) for maker in makers for own in makers]
    leaf = _signed_by(makers[0], name, pki.new_key("p256"))

    started = time.thread_time()
    verdict = ask(w, certificate=leaf, chain=circle)

    assert verdict.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    assert time.thread_time() - started < 5  # a wide margin: the point is that it ends


def _signed_by(maker: pki.Identity, name: x509.Name, key: pki.PrivateKey) -> x509.Certificate:
    builder = pki._builder(name, name, key, T)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return pki._sign(builder, key, maker).certificate
