"""Verdicts on honest signatures and on each single damage; what is trusted and what is not."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.signatures import TrustPolicy, reasons, verify
from gateway.simulate import citizens, pki, xmlsign
from schemas.errors import ConfigError
from schemas.texts import all_texts
from schemas.verification import Crypto, Indication, SignatureVerdict, Verification
from schemas.xmldoc import DS, parse
from tests.signing import BASE64, MARK, Recipe, Target, c14n, sign

LETTER = '<?xml version="1.0"?>\n<?xml-stylesheet href="a.xsl"?>\n<a xmlns="urn:a"><t>Zażółć</t>\n</a>\n'.encode()
PERSON = citizens.person(3)


@pytest.fixture(scope="module")
def trust() -> TrustPolicy:
    own = pki.shared()
    return TrustPolicy(
        "test",
        trusted_profile_seals=(own.trusted_profile.certificate,),
        qualified_anchors=(own.qualified_ca.certificate,),
        seals=(own.upo_seal.certificate,),
    )


def codes(verdict: SignatureVerdict) -> list[str]:
    return [item.code for item in verdict.reasons]


@pytest.mark.parametrize("role", ["PodpisZP", "EPSignature"])
def test_podpis_zaufany_is_valid_and_says_who_signed(trust: TrustPolicy, role: citizens.Role) -> None:
    moment = datetime.now(UTC).replace(microsecond=943000) - timedelta(days=3)  # while the test PKI is valid
    signed = citizens.sign_trusted_profile(LETTER, PERSON, pki.shared(), role, moment)
    result = verify(signed, trust, at=moment)
    (verdict,) = result.signatures
    assert (result.indication, verdict.sub_indication, verdict.crypto) == (Indication.PASSED, None, Crypto.INTACT)
    assert verdict.covers_document
    assert verdict.level == "XAdES-BES"
    assert verdict.signing_time == moment
    assert verdict.signer is not None
    assert (verdict.signer.kind, verdict.signer.pesel) == ("trusted_profile", PERSON.pesel)
    assert (verdict.signer.first_name, verdict.signer.surname) == (PERSON.first_name, PERSON.surname)


@pytest.mark.parametrize("spelling", ["enveloped", "xpath"])
def test_a_qualified_signature_is_valid_and_its_signer_comes_from_the_certificate(
    trust: TrustPolicy, spelling: str
) -> None:
    signed = citizens.sign_qualified(LETTER, PERSON, pki.shared(), spelling=spelling)  # type: ignore[arg-type]
    (verdict,) = verify(signed, trust).signatures
    assert verdict.indication is Indication.PASSED
    assert verdict.signer is not None
    assert (verdict.signer.kind, verdict.signer.pesel) == ("qualified", PERSON.pesel)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("content", "signature.digest_mismatch"),
        ("digest", "signature.digest_mismatch"),
        ("value", "signature.value_mismatch"),
        ("role", "signature.digest_mismatch"),
        ("signing_time", "signature.digest_mismatch"),
        ("certificate", "signature.value_mismatch"),
    ],
)
def test_one_damage_breaks_the_signature_and_nothing_goes_on(
    trust: TrustPolicy, damage: citizens.Damage, code: str
) -> None:
    signed = citizens.tamper(citizens.sign_trusted_profile(LETTER, PERSON, pki.shared()), damage, pki.shared())
    result = verify(signed, trust)
    assert (result.indication, result.signatures[0].crypto) == (Indication.FAILED, Crypto.BROKEN)
    assert codes(result.signatures[0])[0] == code
    assert result.signed_xml is None
    assert result.signatures[0].signing_time is None


def test_what_goes_on_is_the_document_without_its_signatures(trust: TrustPolicy) -> None:
    own = pki.shared()
    expected = '<?xml-stylesheet href="a.xsl"?>\n<a xmlns="urn:a"><t>Zażółć</t>\n</a>'.encode()
    once = citizens.sign_trusted_profile(LETTER, PERSON, own)
    for signed in (
        once,
        citizens.sign_qualified(LETTER, PERSON, own),
        citizens.sign_qualified(once, citizens.person(4), own),
        citizens.sign_trusted_profile(citizens.sign_trusted_profile(LETTER, citizens.person(5), own), PERSON, own),
    ):
        result = verify(signed, trust)
        assert result.indication is Indication.PASSED
        assert result.signed_xml == expected


def test_an_unsigned_document_is_refused_as_such(trust: TrustPolicy) -> None:
    result = verify(LETTER, trust)
    assert result.indication is Indication.FAILED
    assert [item.code for item in result.reasons] == ["signature.none"]


def test_what_is_not_xml_is_a_verdict_and_not_an_exception(trust: TrustPolicy) -> None:
    for octets, code in ((b"%PDF-1.7", "document.not_well_formed"), (b"", "document.empty")):
        result = verify(octets, trust)
        assert (result.indication, [item.code for item in result.reasons]) == (Indication.FAILED, [code])


def test_a_certificate_that_nobody_pinned_is_no_proof_either_way(trust: TrustPolicy) -> None:
    lookalike = pki.shared().trusted_profile_lookalike
    signed = citizens.sign_trusted_profile(LETTER, PERSON, pki.shared(), identity=lookalike)
    (verdict,) = verify(signed, trust).signatures
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
    assert verdict.crypto is Crypto.INTACT
    assert verdict.signer is not None
    assert (verdict.signer.kind, verdict.signer.name, verdict.signer.pesel) == ("unknown", None, None)


def test_the_minister_s_seal_without_a_signed_person_is_nobody_s_signature(trust: TrustPolicy) -> None:
    signed = citizens.sign_qualified(LETTER, PERSON, pki.shared(), identity=pki.shared().trusted_profile)
    (verdict,) = verify(signed, trust).signatures
    assert codes(verdict) == ["signature.role_missing"]
    assert verdict.signer is not None
    assert verdict.signer.pesel is None


def test_time_decides_whether_a_certificate_counts(trust: TrustPolicy) -> None:
    signed = citizens.sign_trusted_profile(LETTER, PERSON, pki.shared())
    certificate = pki.shared().trusted_profile.certificate
    late, early = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    for at, code in (
        (late + timedelta(seconds=1), "signature.certificate_expired"),
        (early - timedelta(seconds=1), "signature.certificate_not_yet_valid"),
    ):
        (verdict,) = verify(signed, trust, at=at).signatures
        assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")
        assert codes(verdict) == [code]


def test_without_trust_only_intactness_is_answered() -> None:
    signed = citizens.sign_trusted_profile(LETTER, PERSON, pki.shared())
    result = verify(signed, TrustPolicy(), scope="crypto")
    assert result.indication is Indication.PASSED
    assert result.scope == "crypto"
    assert result.signatures[0].signer is not None
    assert result.signatures[0].signer.name is None


def test_detached_data_not_given_leave_the_question_open(trust: TrustPolicy) -> None:
    file = {"plik%20%C4%85.bin": b"\x00octets"}
    signed = sign(MARK, Recipe(targets=(Target("plik%20%C4%85.bin", ""),)), file)
    for given, intact, indication in (
        (None, None, Indication.INDETERMINATE),
        (file, True, Indication.PASSED),
        ({"plik ą.bin": b"\x00octets"}, True, Indication.PASSED),
        ({"plik ą.bin": b"other"}, False, Indication.FAILED),
    ):
        result = verify(signed, trust, detached=given, scope="crypto")
        assert (result.signatures[0].references[0].intact, result.indication) == (intact, indication)
    assert verify(signed, trust, scope="crypto").signatures[0].sub_indication == "SIGNED_DATA_NOT_FOUND"


def test_sha1_passes_only_where_the_policy_allows_it_and_is_marked() -> None:
    signed = sign("<a/>", Recipe(method=DS + "rsa-sha1"))
    (refused,) = verify(signed, TrustPolicy(), scope="crypto").signatures
    assert (refused.crypto, refused.sub_indication) == (Crypto.INTACT, "CRYPTO_CONSTRAINTS_FAILURE")
    (allowed,) = verify(signed, TrustPolicy(allow_sha1=True), scope="crypto").signatures
    assert allowed.indication is Indication.PASSED
    assert codes(allowed) == ["signature.sha1_allowed"]


def test_an_honest_counter_signature_passes_beside_the_one_it_confirms() -> None:
    from tests.attack_documents import counter_signature

    result = verify(counter_signature("#value")(), TrustPolicy(), scope="crypto")
    assert result.indication is Indication.PASSED
    assert [item.covers_document for item in result.signatures] == [True, False]


def _manifest(*entries: Target, files: dict[str, bytes]) -> str:
    """A Manifest with honest digests of `files`; the entry of the document itself is filled in by the caller."""
    listed = "".join(
        f'<ds:Reference URI="{item.uri}"><ds:DigestMethod Algorithm="{item.digest}"/><ds:DigestValue>'
        f"{base64.b64encode(hashlib.sha256(files[item.uri or '']).digest()).decode()}</ds:DigestValue></ds:Reference>"
        for item in entries
    )
    return f'<ds:Object><ds:Manifest Id="m">{listed}</ds:Manifest></ds:Object>'


def test_what_a_covered_manifest_lists_is_checked_too() -> None:
    files = {"a.bin": b"one", "b.bin": b"two"}
    objects = _manifest(Target("a.bin"), Target("b.bin"), files=files)
    signed = sign(MARK, Recipe(targets=(Target("#m", c14n("exc")),), objects=objects))
    for given, expected in (
        (files, []),
        ({"a.bin": b"one"}, ["signature.detached_missing"]),
        ({**files, "b.bin": b"other"}, ["signature.manifest_mismatch"]),
    ):
        (verdict,) = verify(signed, TrustPolicy(), detached=given, scope="crypto").signatures
        assert (verdict.crypto, codes(verdict)) == (Crypto.INTACT, expected)


def test_a_manifest_inside_a_manifest_is_not_taken_for_checked() -> None:
    inner = _manifest(Target("a.bin"), files={"a.bin": b""}).replace('Id="m"', 'Id="inner"')
    digest = xmlsign.canonical(
        parse(inner.replace("<ds:Object>", f'<ds:Object xmlns:ds="{DS}">').encode()).getroot()[0], xmlsign.C14N
    )
    entry = _manifest(Target("#inner"), files={"#inner": digest})
    signed = sign(MARK, Recipe(targets=(Target("#m", c14n("exc")),), objects=inner + entry))
    (verdict,) = verify(signed, TrustPolicy(), scope="crypto").signatures
    assert "signature.manifest_unchecked" in codes(verdict)


def test_properties_of_the_signature_itself_need_not_be_signed() -> None:
    data = '<ds:Object Id="data">x</ds:Object><ds:Object><ds:SignatureProperties/></ds:Object>'
    signed = sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=data))
    assert verify(signed, TrustPolicy(), scope="crypto").indication is Indication.PASSED


def test_a_key_alone_is_enough_for_intactness_and_never_for_trust(trust: TrustPolicy) -> None:
    key = pki.shared().trusted_profile.certificate.public_key().public_numbers()
    modulus = base64.b64encode(key.n.to_bytes(256, "big")).decode()  # type: ignore[union-attr]
    value = f"<ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
    signed = sign("<a/>", Recipe(key_info=f"<ds:KeyInfo><ds:KeyValue>{value}</ds:KeyValue></ds:KeyInfo>"))
    assert verify(signed, trust, scope="crypto").indication is Indication.PASSED
    assert codes(verify(signed, trust).signatures[0]) == ["signature.no_certificate"]
    (without,) = verify(sign("<a/>", Recipe(key_info="")), trust, scope="crypto").signatures
    assert (without.crypto, codes(without)) == (Crypto.UNSUPPORTED, ["signature.no_key"])


def test_a_weak_digest_of_the_certificate_is_noted_and_changes_nothing() -> None:
    from tests.attack_documents import COVERED, properties

    identity = pki.shared().trusted_profile
    digest = base64.b64encode(identity.certificate.fingerprint(_sha1())).decode()
    binding = citizens.signing_certificate(identity).replace("xades:", "x:").replace(xmlsign.SHA256, DS + "sha1")
    binding = re.sub("(<ds:DigestValue[^>]*>)[^<]*", rf"\g<1>{digest}", binding, count=1)
    signed = sign("<a/>", Recipe(targets=(Target(), COVERED), objects=properties(binding)))
    result = verify(signed, TrustPolicy(), scope="crypto")
    assert (result.indication, codes(result.signatures[0])) == (
        Indication.PASSED,
        ["signature.certificate_digest_sha1"],
    )


def test_base64_signed_content_is_decoded_strictly() -> None:
    data = f'<ds:Object Id="data" Encoding="{DS}base64">AAEC\n</ds:Object>'
    signed = sign(MARK, Recipe(targets=(Target("#data", BASE64),), objects=data))
    assert verify(signed, TrustPolicy(), scope="crypto").indication is Indication.PASSED
    (verdict,) = verify(signed.replace(b"AAEC", b"AA*EC"), TrustPolicy(), scope="crypto").signatures
    assert codes(verdict) == ["signature.not_base64"]


def test_a_stored_verdict_reads_back_as_it_was(trust: TrustPolicy) -> None:
    result = verify(citizens.sign_trusted_profile(LETTER, PERSON, pki.shared()), trust)
    assert Verification.from_json(result.to_json(), result.signed_xml) == result


def test_the_trust_file_of_the_test_pki_is_read(tmp_path: Path) -> None:
    loaded = TrustPolicy.load(pki.shared().save(tmp_path))
    assert loaded.environment == "test"
    assert [len(item) for item in (loaded.trusted_profile_seals, loaded.qualified_anchors, loaded.seals)] == [1, 1, 1]


def _signed_by(identity: pki.Identity) -> bytes:
    return citizens.sign_qualified(LETTER, PERSON, pki.shared(), identity=identity)


def test_an_authority_s_certificate_without_the_statement_is_not_a_qualified_one(trust: TrustPolicy) -> None:
    own = pki.shared()
    plain = pki.issue(pki.person_name("Anna", "Próbna", "80010112340"), own.qualified_ca, at=datetime.now(UTC))
    (verdict,) = verify(_signed_by(plain), trust).signatures
    assert (verdict.indication, codes(verdict)) == (Indication.INDETERMINATE, ["signature.not_qualified"])


def test_a_podpis_osobisty_is_known_by_its_authority() -> None:
    own = pki.shared()
    trust = TrustPolicy("test", personal_anchors=(own.qualified_ca.certificate,))
    plain = pki.issue(pki.person_name("Anna", "Próbna", "80010112340"), own.qualified_ca, at=datetime.now(UTC))
    (verdict,) = verify(_signed_by(plain), trust).signatures
    assert verdict.indication is Indication.PASSED
    assert verdict.signer is not None
    assert (verdict.signer.kind, verdict.signer.pesel) == ("personal", "80010112340")


def test_an_organisation_s_seal_says_its_identifier(trust: TrustPolicy) -> None:
    own = pki.shared()
    subject = pki.name("TEST Pieczęć spółki", "TEST Spółka", "VATPL-5260250274")
    statements = own.qualified.certificate.extensions.get_extension_for_oid(pki._QC_STATEMENTS).value
    sealed = pki.issue(subject, own.qualified_ca, at=datetime.now(UTC), extensions=((statements, False),))
    (verdict,) = verify(_signed_by(sealed), trust).signatures
    assert verdict.indication is Indication.PASSED
    assert verdict.signer is not None
    assert (verdict.signer.kind, verdict.signer.name) == ("seal", "TEST Pieczęć spółki")
    assert verdict.signer.organisation_id == "VATPL-5260250274"


def test_every_problem_of_a_trust_file_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "trust.toml"
    file.write_text('environment = 1\nsurprise = 2\n[[seal]]\ncertificate = "none.pem"\n[[qualified_anchor]]\n')
    with pytest.raises(ConfigError) as refused:
        TrustPolicy.load(file)
    assert len(refused.value.problems) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("environment = ", "trust.toml"),
        ('seal = "upo-seal.pem"\n', "seal must be a list of tables"),
        ('[[seal]]\nfile = "upo-seal.pem"\n', "unknown key file"),
        ("[[seal]]\n", "certificate is missing"),
        ('[[seal]]\ncertificate = "trust.toml"\n', "trust.toml"),
    ],
)
def test_a_trust_file_that_cannot_be_understood_trusts_nobody(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "trust.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigError) as refused:
        TrustPolicy.load(file)
    assert any(said in problem for problem in refused.value.problems)


def test_every_reason_has_its_texts() -> None:
    assert [code for code in reasons.WEIGHT if code not in all_texts()] == []


def _sha1() -> object:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA1()
