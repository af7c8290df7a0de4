"""Revocation on a time line: each test changes one thing of a world in which all is well."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.simulate import authorities, pki
from gateway.simulate.authorities import Revoked
from gateway.trust import Freshness, PathPolicy, RevocationEvidence, Standing
from tests.trust_pki import DAY, FAILED, HOUR, INDETERMINATE, MINUTE, PASSED, T, World, answer, ask, codes, world


@pytest.fixture(scope="module")
def w() -> World:
    return world()


# --- what must pass


def test_a_qualified_certificate_with_non_repudiation_alone_passes(w: World) -> None:
    usage = w.person.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment
    assert not usage.digital_signature

    verdict = ask(w)

    assert answer(verdict) == (PASSED, None, [])
    assert [status.standing for status in verdict.statuses] == [Standing.GOOD, Standing.GOOD, Standing.ANCHOR]
    assert verdict.recheck_at is None


def test_critical_qc_statements_are_accepted(w: World) -> None:
    statements = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), bytes.fromhex("300a3008060604008e460101")
    )
    person = pki.issue(
        pki.person_name("JAN", "TESTOWY", "80010112340"),
        w.ca,
        at=T,
        key=pki.new_key("p256"),
        extensions=((statements, True),),
    )
    assert answer(ask(w, certificate=person.certificate)) == (PASSED, None, [])


def test_any_other_critical_extension_it_does_not_know_is_refused(w: World) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.616.1.99.1"), b"\x05\x00")
    person = w.qualified(extensions=((strange, True),))
    verdict = ask(w, certificate=person.certificate)
    assert answer(verdict) == (INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE", ["trust.chain_invalid"])


def test_an_ocsp_answer_counts_though_the_certificate_names_no_responder(w: World) -> None:
    with pytest.raises(x509.ExtensionNotFound):
        w.person.certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)

    verdict = ask(w, w.root_list() + w.answer())

    assert answer(verdict) == (PASSED, None, [])
    assert verdict.statuses[0].source == "ocsp"


def test_a_list_newer_than_the_moment_asked_about_counts(w: World) -> None:
    assert answer(ask(w, w.crls(T + 5 * DAY), at=T)) == (PASSED, None, [])


def test_an_ocsp_answer_newer_than_the_moment_asked_about_counts(w: World) -> None:
    evidence = w.root_list(T + 5 * DAY) + w.answer(T + 5 * DAY)
    assert answer(ask(w, evidence, at=T)) == (PASSED, None, [])


def test_a_responder_made_after_the_signature_may_answer_for_it(w: World) -> None:
    young = pki.issue(
        pki.name("TEST OCSP", "TEST"),
        w.ca,
        at=T + 5 * DAY,
        key=pki.new_key("p256"),
        extensions=(
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.OCSPNoCheck(), False),
        ),
        valid=(HOUR, 10 * DAY),
    )
    evidence = w.root_list(T + 6 * DAY) + w.answer(T + 6 * DAY, responder=young)
    assert answer(ask(w, evidence, at=T + 6 * DAY, poe=T)) == (PASSED, None, [])


def test_revoked_after_the_signature_existed_is_not_revoked_for_it(w: World) -> None:
    evidence = w.crls(T + 5 * DAY, Revoked(w.person.certificate, T + DAY))

    verdict = ask(w, evidence, at=T + 5 * DAY, poe=T)

    assert answer(verdict) == (PASSED, None, ["trust.revoked_later"])
    assert verdict.statuses[0].standing is Standing.REVOKED_LATER
    assert verdict.statuses[0].revoked_at == T + DAY


def test_the_same_revocation_by_ocsp_does_not_reach_back_either(w: World) -> None:
    evidence = w.root_list(T + 5 * DAY) + w.answer(T + 5 * DAY, Revoked(w.person.certificate, T + DAY))
    assert answer(ask(w, evidence, at=T + 5 * DAY, poe=T)) == (PASSED, None, ["trust.revoked_later"])


def test_an_expired_certificate_is_judged_as_of_the_proof_of_existence(w: World) -> None:
    after_expiry = w.person.certificate.not_valid_after_utc + DAY
    kept = RevocationEvidence(
        crls=(
            authorities.crl(w.root, at=T, valid_for=30 * DAY),
            authorities.crl(w.ca, at=T + HOUR),
        )
    )
    assert answer(ask(w, kept, at=after_expiry, poe=T)) == (PASSED, None, [])


def test_data_valid_now_but_older_than_the_signature_pass_until_newer_ones_come(w: World) -> None:
    verdict = ask(w, w.crls(T - HOUR))

    assert answer(verdict) == (PASSED, None, ["trust.provisional"])
    assert verdict.recheck_at == T - HOUR + DAY


def test_within_the_grace_period_the_answer_is_provisional(w: World) -> None:
    policy = PathPolicy(grace=2 * DAY)
    verdict = ask(w, w.crls(T + HOUR), at=T + HOUR, poe=T, policy=policy)
    assert (codes(verdict), verdict.recheck_at) == (["trust.provisional"], T + 2 * DAY)

    settled = ask(w, w.crls(T + 2 * DAY), at=T + 2 * DAY, poe=T, policy=policy)
    assert (codes(settled), settled.recheck_at) == ([], None)


def test_without_revocation_asked_for_nothing_is_claimed_about_it(w: World) -> None:
    verdict = ask(w, RevocationEvidence(), policy=PathPolicy(revocation=False))
    assert verdict.passed
    assert verdict.statuses[0].standing is Standing.NOT_CHECKED


# --- what cannot be known


def test_without_revocation_data_the_answer_is_try_later(w: World) -> None:
    verdict = ask(w, RevocationEvidence())
    assert answer(verdict) == (INDETERMINATE, "TRY_LATER", ["trust.revocation_unknown"])
    assert verdict.reasons[0].facts["cause"] == "none"
    assert verdict.recheck_at == T + HOUR


def test_revocation_is_required_even_where_the_certificate_declares_no_source(w: World) -> None:
    # "hard-fail" would pass here: neither certificate has a distribution point nor a responder
    assert ask(w, w.root_list()).sub_indication == "TRY_LATER"


def test_the_authority_above_must_be_known_too(w: World) -> None:
    only_the_persons = RevocationEvidence(crls=w.crls().crls[1:])
    assert ask(w, only_the_persons).sub_indication == "TRY_LATER"


def test_a_stale_list_does_not_count(w: World) -> None:
    verdict = ask(w, w.root_list() + RevocationEvidence(crls=(authorities.crl(w.ca, at=T - 3 * DAY),)))
    assert answer(verdict) == (INDETERMINATE, "TRY_LATER", ["trust.revocation_unknown"])
    assert verdict.reasons[0].facts["cause"] == "stale"


def test_an_ocsp_answer_without_next_update_soon_goes_stale(w: World) -> None:
    fresh = w.root_list() + w.answer(T - 10 * MINUTE, valid_for=None)
    assert ask(w, fresh).passed
    old = w.root_list() + w.answer(T - 2 * HOUR, valid_for=None)
    assert ask(w, old).sub_indication == "TRY_LATER"


def test_a_forged_list_does_not_count(w: World) -> None:
    forged = RevocationEvidence(crls=(authorities.crl(w.ca, at=T, key=pki.new_key("p256")),))
    verdict = ask(w, w.root_list() + forged)
    assert answer(verdict) == (INDETERMINATE, "TRY_LATER", ["trust.revocation_unknown"])
    assert verdict.reasons[0].facts["cause"] == "unverifiable"


def test_a_forged_revocation_does_not_revoke(w: World) -> None:
    forged = authorities.crl(w.ca, [Revoked(w.person.certificate, T - DAY)], at=T, key=pki.new_key("p256"))
    assert ask(w, w.crls() + RevocationEvidence(crls=(forged,))).passed


def test_a_foreign_responder_does_not_count(w: World) -> None:
    other = pki.authority(pki.name("TEST Inne CA", "TEST"), w.root, at=T)
    foreign = authorities.ocsp_responder(other, at=T)
    verdict = ask(w, w.root_list() + w.answer(responder=foreign))
    assert verdict.sub_indication == "TRY_LATER"
    assert verdict.reasons[0].facts["cause"] == "unverifiable"


def test_an_ordinary_certificate_of_the_same_authority_is_no_responder(w: World) -> None:
    assert ask(w, w.root_list() + w.answer(responder=w.qualified())).sub_indication == "TRY_LATER"


def test_a_responder_without_nocheck_must_be_known_to_be_unrevoked(w: World) -> None:
    checked = authorities.ocsp_responder(w.ca, at=T, checked=True)
    alone = w.root_list() + w.answer(responder=checked)
    assert ask(w, alone).sub_indication == "TRY_LATER"

    own_list = RevocationEvidence(crls=(authorities.crl(w.ca, at=T),))
    assert ask(w, alone + own_list).passed


def test_a_revoked_responder_does_not_count(w: World) -> None:
    checked = authorities.ocsp_responder(w.ca, at=T, checked=True)
    lists = RevocationEvidence(
        crls=(authorities.crl(w.ca, [Revoked(checked.certificate, T - DAY)], at=T - 3 * DAY, valid_for=2 * DAY),)
    )
    assert ask(w, w.root_list() + w.answer(T - DAY - HOUR, responder=checked) + lists).sub_indication == "TRY_LATER"


def test_unknown_to_the_responder_is_not_good(w: World) -> None:
    verdict = ask(w, w.root_list() + w.answer(unknown=True))
    assert verdict.sub_indication == "TRY_LATER"
    assert verdict.reasons[0].facts["cause"] == "unknown_to_responder"


def short_lived(w: World) -> pki.Identity:
    """Expires long before its authority does."""
    return pki.issue(pki.name("TEST Krótko", "TEST"), w.ca, at=T, key=pki.new_key("p256"), valid=(DAY, 10 * DAY))


def test_silence_after_expiry_says_nothing(w: World) -> None:
    later = T + 11 * DAY
    dropped = w.root_list() + RevocationEvidence(crls=(authorities.crl(w.ca, at=later),))
    verdict = ask(w, dropped, certificate=short_lived(w).certificate, at=later, poe=T)
    assert verdict.sub_indication == "TRY_LATER"
    assert verdict.reasons[0].facts["cause"] == "expired_dropped"


def test_unless_the_list_promises_to_keep_expired_certificates(w: World) -> None:
    later = T + 11 * DAY
    keeping = authorities.crl(w.ca, at=later, expired_since=T - 1000 * DAY)
    evidence = w.root_list() + RevocationEvidence(crls=(keeping,))
    assert ask(w, evidence, certificate=short_lived(w).certificate, at=later, poe=T).passed


def test_on_hold_means_try_later(w: World) -> None:
    held = Revoked(w.person.certificate, T - HOUR, x509.ReasonFlags.certificate_hold)
    verdict = ask(w, w.crls(T, held))
    assert answer(verdict) == (INDETERMINATE, "TRY_LATER", ["trust.on_hold"])
    assert verdict.recheck_at == T + DAY


def test_a_lifted_hold_no_longer_counts(w: World) -> None:
    held = Revoked(w.person.certificate, T - HOUR, x509.ReasonFlags.certificate_hold)
    assert ask(w, w.crls(T, held) + w.crls(T + DAY), at=T + DAY, poe=T).passed


def test_strict_freshness_waits_for_data_after_the_signature(w: World) -> None:
    policy = PathPolicy(freshness=Freshness.AFTER_POE)
    verdict = ask(w, w.crls(T - HOUR), policy=policy)
    assert answer(verdict) == (INDETERMINATE, "TRY_LATER", ["trust.not_fresh_enough"])
    assert verdict.recheck_at == T - HOUR + DAY
    assert ask(w, w.crls(T), policy=policy).passed


# --- what is revoked


def test_revoked_before_the_proof_of_existence_is_revoked_no_poe(w: World) -> None:
    verdict = ask(w, w.crls(T, Revoked(w.person.certificate, T - DAY, x509.ReasonFlags.key_compromise)))
    assert answer(verdict) == (INDETERMINATE, "REVOKED_NO_POE", ["trust.revoked"])
    assert verdict.reasons[0].facts["reason"] == "key_compromise"


def test_the_same_by_ocsp(w: World) -> None:
    verdict = ask(w, w.root_list() + w.answer(T, Revoked(w.person.certificate, T - DAY)))
    assert answer(verdict) == (INDETERMINATE, "REVOKED_NO_POE", ["trust.revoked"])


def test_a_revocation_in_the_second_the_list_was_issued_is_seen(w: World) -> None:
    assert ask(w, w.crls(T, Revoked(w.person.certificate, T))).sub_indication == "REVOKED_NO_POE"


def test_a_revocation_is_believed_even_from_a_stale_list(w: World) -> None:
    old = authorities.crl(w.ca, [Revoked(w.person.certificate, T - 9 * DAY)], at=T - 5 * DAY)
    assert ask(w, w.crls() + RevocationEvidence(crls=(old,))).sub_indication == "REVOKED_NO_POE"


def test_only_proof_that_it_was_signed_after_the_revocation_makes_it_failed(w: World) -> None:
    evidence = w.crls(T, Revoked(w.person.certificate, T - DAY))
    assert answer(ask(w, evidence, created_after=T - HOUR)) == (FAILED, "REVOKED", ["trust.revoked"])
    assert ask(w, evidence, created_after=T - 2 * DAY).sub_indication == "REVOKED_NO_POE"


def test_a_revoked_authority_is_told_apart(w: World) -> None:
    evidence = w.root_list(T, Revoked(w.ca.certificate, T - DAY)) + RevocationEvidence(crls=w.crls().crls[1:])
    verdict = ask(w, evidence)
    assert answer(verdict) == (INDETERMINATE, "REVOKED_CA_NO_POE", ["trust.revoked_ca"])
