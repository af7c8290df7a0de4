"""One CRL or OCSP answer: what makes it authentic and about this certificate; all else is unusable, never good."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.simulate import authorities, pki
from gateway.simulate.authorities import Revoked, pointers
from gateway.simulate.pki import PrivateKey
from gateway.trust import Anchor, RevocationEvidence, TrustVerdict
from tests.trust_pki import DAY, HOUR, T, World, ask, world


@pytest.fixture(scope="module")
def w() -> World:
    return world()


def scope(**how: object) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """An issuing distribution point, as restricted as told."""
    given = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False,
    }  # fmt: skip
    return ((x509.IssuingDistributionPoint(**{**given, **how}), True),)  # type: ignore[arg-type]


def with_list(w: World, *extensions: tuple[x509.ExtensionType, bool], **how: object) -> TrustVerdict:
    listed = authorities.crl(w.ca, at=T, extensions=extensions)
    return ask(w, w.root_list() + RevocationEvidence(crls=(listed,)), **how)


def cause(verdict: TrustVerdict) -> str:
    assert verdict.sub_indication == "TRY_LATER"
    return verdict.reasons[0].facts["cause"]


def test_the_list_of_an_anchor_that_is_not_self_signed_counts(w: World) -> None:
    # trusted lists name authorities that have a root above them; certvalidator 0.33 refuses their lists
    evidence = RevocationEvidence(crls=(authorities.crl(w.ca, at=T),))
    assert ask(w, evidence, anchors=(Anchor(w.ca.certificate),), chain=()).passed
    revoked = RevocationEvidence(crls=(authorities.crl(w.ca, [Revoked(w.person.certificate, T - DAY)], at=T),))
    assert ask(w, revoked, anchors=(Anchor(w.ca.certificate),), chain=()).sub_indication == "REVOKED_NO_POE"


def test_a_list_of_authorities_only_says_nothing_of_a_person(w: World) -> None:
    assert cause(with_list(w, *scope(only_contains_ca_certs=True))) == "none"
    assert with_list(w, *scope(only_contains_user_certs=True)).passed


def test_a_list_of_attribute_certificates_says_nothing_of_a_person(w: World) -> None:
    assert cause(with_list(w, *scope(only_contains_attribute_certs=True))) == "none"


def test_one_part_of_a_divided_list_counts_only_for_certificates_that_name_it(w: World) -> None:
    part = scope(full_name=[x509.UniformResourceIdentifier("http://crl.example.pl/part-7.crl")])
    assert cause(with_list(w, *part)) == "none"
    named = w.qualified(extensions=pointers(crl_url="http://crl.example.pl/part-7.crl"))
    assert with_list(w, *part, certificate=named.certificate).passed
    other = w.qualified(extensions=pointers(crl_url="http://crl.example.pl/part-8.crl"))
    assert cause(with_list(w, *part, certificate=other.certificate)) == "none"


def test_an_indirect_list_or_one_of_some_reasons_is_unusable(w: World) -> None:
    assert cause(with_list(w, *scope(indirect_crl=True))) == "unverifiable"
    some = frozenset({x509.ReasonFlags.key_compromise})
    assert cause(with_list(w, *scope(only_some_reasons=some))) == "unverifiable"


def test_a_list_with_a_critical_extension_nobody_knows_is_unusable(w: World) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.616.1.99.2"), b"\x05\x00")
    assert cause(with_list(w, (strange, True))) == "unverifiable"
    assert with_list(w, (strange, False)).passed


def test_a_delta_alone_says_nothing(w: World) -> None:
    assert cause(with_list(w, (x509.DeltaCRLIndicator(1), True))) == "none"


def test_an_authority_that_may_not_sign_lists_does_not(w: World) -> None:
    usage = pki._usage(key_cert_sign=True)
    silent = _authority(w, usage)
    person = pki.qualified_person("JAN", "TESTOWY", "80010112340", silent, at=T, key=pki.new_key("p256"))
    listed = RevocationEvidence(crls=(authorities.crl(silent, at=T),))
    verdict = ask(w, w.root_list() + listed, certificate=person.certificate, chain=(silent.certificate,))
    assert cause(verdict) == "unverifiable"


def _authority(w: World, usage: x509.KeyUsage) -> pki.Identity:
    key = pki.new_key("p256")
    builder = pki._builder(pki.name("TEST CA bez list", "TEST"), w.root.certificate.subject, key, T)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return pki._sign(builder.add_extension(usage, critical=True), key, w.root)


def test_a_list_from_before_its_authority_existed_is_unusable(w: World) -> None:
    early = w.ca.certificate.not_valid_before_utc - DAY
    listed = authorities.crl(w.ca, at=early, valid_for=1000 * DAY)
    assert cause(ask(w, w.root_list() + RevocationEvidence(crls=(listed,)))) == "unverifiable"


def test_an_answer_about_another_certificate_says_nothing(w: World) -> None:
    other = authorities.ocsp_answer(w.qualified().certificate, w.ca.certificate, w.responder, at=T)
    assert cause(ask(w, w.root_list() + RevocationEvidence(ocsps=(other,)))) == "none"


def test_the_same_serial_number_of_another_authority_is_another_certificate(w: World) -> None:
    namesake = pki.authority(pki.name("TEST Inne CA", "TEST"), w.root, at=T)
    answer = authorities.ocsp_answer(w.person.certificate, namesake.certificate, w.responder, at=T)
    assert cause(ask(w, w.root_list() + RevocationEvidence(ocsps=(answer,)))) == "none"


def test_an_answer_signed_by_another_key_is_unusable(w: World) -> None:
    (good,) = w.answer().ocsps
    value = ocsp.load_der_ocsp_response(good).signature
    forged = good.replace(value, value[:-1] + bytes([value[-1] ^ 1]))
    assert cause(ask(w, w.root_list() + RevocationEvidence(ocsps=(forged,)))) == "unverifiable"


def test_the_authority_itself_may_answer(w: World) -> None:
    assert ask(w, w.root_list() + w.answer(responder=w.ca)).passed


def test_an_answer_of_a_responder_already_expired_is_unusable(w: World) -> None:
    expired = pki.issue(
        pki.name("TEST OCSP", "TEST"),
        w.ca,
        at=T - 20 * DAY,
        key=pki.new_key("p256"),
        extensions=((x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.9")]), False),),
        valid=(DAY, 10 * DAY),
    )
    assert cause(ask(w, w.root_list() + w.answer(responder=expired))) == "unverifiable"


def test_an_answer_signed_with_a_digest_not_on_the_list_is_unusable(w: World) -> None:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=w.person.certificate, issuer=w.ca.certificate, algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.GOOD, this_update=T, next_update=T + HOUR,
        revocation_time=None, revocation_reason=None,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, w.responder.certificate)
    builder = builder.certificates([w.responder.certificate])

    def verdict(algorithm: hashes.HashAlgorithm) -> TrustVerdict:
        answer = builder.sign(w.responder.key, algorithm).public_bytes(Encoding.DER)
        return ask(w, w.root_list() + RevocationEvidence(ocsps=(answer,)))

    assert cause(verdict(hashes.SHA224())) == "unverifiable"
    assert verdict(hashes.SHA256()).passed  # found by its name


def test_a_responder_that_is_busy_says_nothing(w: World) -> None:
    busy = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
    assert cause(ask(w, w.root_list() + RevocationEvidence(ocsps=(busy,)))) == "none"


def delegated(w: World, key: PrivateKey) -> pki.Identity:
    """A responder of the authority with this key."""
    purposes = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False), (x509.OCSPNoCheck(), False))
    return pki.issue(pki.name("TEST OCSP", "TEST"), w.ca, at=T, key=key, extensions=purposes)


def test_a_responder_with_an_rsa_key_is_believed_and_one_changed_octet_is_not(w: World) -> None:
    (good,) = w.answer(responder=delegated(w, pki.new_key())).ocsps
    assert ask(w, w.root_list() + RevocationEvidence(ocsps=(good,))).passed
    value = ocsp.load_der_ocsp_response(good).signature
    forged = good.replace(value, value[:-1] + bytes([value[-1] ^ 1]))
    assert cause(ask(w, w.root_list() + RevocationEvidence(ocsps=(forged,)))) == "unverifiable"


@pytest.mark.parametrize(("critical", "why"), [(True, "unverifiable"), (False, None)])
def test_an_answer_with_a_critical_extension_nobody_knows_is_unusable(
    w: World, critical: bool, why: str | None
) -> None:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=w.person.certificate, issuer=w.ca.certificate, algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD, this_update=T, next_update=T + HOUR,
        revocation_time=None, revocation_reason=None,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, w.responder.certificate)
    builder = builder.certificates([w.responder.certificate]).add_extension(UNKNOWN, critical=critical)
    answer = builder.sign(w.responder.key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]
    verdict = ask(w, w.root_list() + RevocationEvidence(ocsps=(answer,)))
    assert (None if verdict.passed else cause(verdict)) == why


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def with_entry(w: World, *extensions: tuple[x509.ExtensionType, bool]) -> TrustVerdict:
    """Judged with a list that has an entry for the person, said more of by these extensions."""
    entry = x509.RevokedCertificateBuilder().serial_number(w.person.certificate.serial_number)
    entry = entry.revocation_date(T - DAY)
    for extension, critical in extensions:
        entry = entry.add_extension(extension, critical=critical)
    listed = (
        x509.CertificateRevocationListBuilder().issuer_name(w.ca.certificate.subject).last_update(T)
        .next_update(T + DAY).add_revoked_certificate(entry.build()).sign(w.ca.key, hashes.SHA256())  # type: ignore[arg-type]
    )  # fmt: skip
    return ask(w, w.root_list() + RevocationEvidence(crls=(listed.public_bytes(Encoding.DER),)))


def test_an_entry_says_revoked_unless_it_takes_that_back(w: World) -> None:
    assert with_entry(w).sub_indication == "REVOKED_NO_POE"
    assert with_entry(w, (x509.InvalidityDate(T.replace(tzinfo=None)), True)).sub_indication == "REVOKED_NO_POE"
    assert with_entry(w, (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)).passed


@pytest.mark.parametrize(
    "extension",
    [(UNKNOWN, True), (x509.CertificateIssuer([x509.DirectoryName(pki.name("TEST Inne CA", "TEST"))]), True)],
    ids=["unknown", "of another authority"],
)
def test_a_list_with_an_entry_that_cannot_be_understood_is_unusable(
    w: World, extension: tuple[x509.ExtensionType, bool]
) -> None:
    assert cause(with_entry(w, extension)) == "unverifiable"
