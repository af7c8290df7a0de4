"""Time-stamps from a live authority on loopback; tokens judged by us, by rfc3161-client, and by OpenSSL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from gateway.simulate import authorities, pki
from gateway.simulate.pki import Identity
from gateway.simulate.responders import Responders
from gateway.timestamps import TIME_STAMPING, Stamper, TimeStamp, read_response, read_token, verify
from gateway.trust.fetch import FetchClient, FetchPolicy
from gateway.trust.service import TrustService
from gateway.trust.source import RevocationSource
from gateway.trust.verdict import Anchor, PathPolicy, RevocationEvidence
from schemas.errors import TrustError
from schemas.texts import all_texts
from schemas.verification import Indication
from tests.require import program
from tests.trust_pki import DAY, HOUR, MINUTE, T

MESSAGE = b"<ds:SignatureValue>MTIz</ds:SignatureValue>"


class Desk:
    """A time-stamping authority: root, unit, and the address it answers on."""

    def __init__(self, web: Responders) -> None:
        self.web = web
        self.root = pki.authority(pki.name("TEST TSA Root", "TEST"), at=T)
        self.unit = authorities.time_stamper(self.root, at=T)
        self.url = self.answer()
        self.last = b""

    def answer(self, unit: Identity | None = None, at: datetime = T, over: bytes | None = None) -> str:
        def stamp(request: bytes) -> bytes:
            self.last = authorities.time_stamp(request, unit or self.unit, at=at, over=over)
            return self.last

        return self.web.serve("/tsa", stamp)

    def trust(self, revocation: bool = True, anchor: Identity | None = None) -> TrustService:
        lists = RevocationEvidence(crls=(authorities.crl(self.root, at=T),))
        return TrustService(
            lambda _: (Anchor((anchor or self.root).certificate),),
            RevocationSource(bundle=lists),
            PathPolicy(extended_usage=TIME_STAMPING, revocation=revocation),
        )

    def stamper(self, *more: str, service: TrustService | None = None) -> Stamper:
        client = FetchClient(FetchPolicy(frozenset({self.web.host}), timeout_s=30.0))
        return Stamper(client, (*more, self.url), service or self.trust())


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Responders() as web:
        yield Desk(web)


def refused(stamper: Stamper, at: datetime = T) -> str:
    with pytest.raises(TrustError) as error:
        stamper.stamp(MESSAGE, at=at)
    assert error.value.code in all_texts()
    return error.value.code


def judged(desk: Desk, stamp: TimeStamp, message: bytes = MESSAGE) -> tuple[Indication, str | None, str]:
    verdict = verify(stamp, message, desk.trust(), at=T)
    return verdict.indication, verdict.sub_indication, verdict.reasons[0].code if verdict.reasons else ""


def changed(stamp: TimeStamp, **parts: bytes) -> TimeStamp:
    """The token with the named fields of its signer replaced, read again."""
    info = cms.ContentInfo.load(stamp.token)
    signer = info["content"]["signer_infos"][0]
    for name, value in parts.items():
        signer[name] = value
    return read_token(info.dump(force=True))


# --- good ones


@pytest.mark.parametrize("key", ["p256", "rsa2048"])
def test_a_time_stamp_is_had_and_verified(desk: Desk, key: str) -> None:
    desk.answer(authorities.time_stamper(desk.root, at=T, key=key))
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    assert (stamp.time, stamp.policy, stamp.algorithm) == (T, authorities.TSA_POLICY, "sha256")
    assert judged(desk, stamp) == (Indication.PASSED, None, "")
    assert judged(desk, read_token(stamp.token)) == (Indication.PASSED, None, "")


def test_rfc3161_client_agrees_about_the_same_answer(desk: Desk) -> None:
    desk.stamper().stamp(MESSAGE, at=T)
    judge = VerifierBuilder().add_root_certificate(desk.root.certificate).build()
    assert judge.verify_message(decode_timestamp_response(desk.last), MESSAGE)


def test_openssl_agrees_about_the_same_token(desk: Desk, tmp_path: Path) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    (tmp_path / "token.der").write_bytes(stamp.token)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "root.pem").write_bytes(desk.root.certificate.public_bytes(Encoding.PEM))
    command = [
        program("openssl"), "ts", "-verify", "-data", "message", "-in", "token.der", "-token_in",
        "-CAfile", "root.pem", "-attime", str(int(T.timestamp())),
    ]  # fmt: skip
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(MESSAGE + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_an_anchor_that_is_not_self_signed_suffices(desk: Desk) -> None:
    # trusted lists name the time-stamping authority itself, not a root above it
    below = pki.authority(pki.name("TEST TSA CA", "TEST"), desk.root, at=T)
    desk.answer(authorities.time_stamper(below, at=T))
    service = desk.trust(revocation=False, anchor=below)
    assert desk.stamper(service=service).stamp(MESSAGE, at=T).time == T


def test_the_next_authority_is_asked_when_one_fails(desk: Desk) -> None:
    down = desk.web.serve("/down", b"", status=503)
    assert desk.stamper(down).stamp(MESSAGE, at=T).time == T
    assert desk.web.asked == ["POST /down", "POST /tsa"]


# --- refusals


def test_a_token_copied_from_another_signature_proves_nothing(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    assert judged(desk, stamp, b"another") == (Indication.FAILED, "HASH_FAILURE", "timestamp.digest_mismatch")


def test_an_answer_over_something_else_is_refused(desk: Desk) -> None:
    desk.answer(over=b"\x00" * 32)
    assert refused(desk.stamper()) == "timestamp.digest_mismatch"


def test_an_answer_to_an_earlier_request_is_refused(desk: Desk) -> None:
    desk.stamper().stamp(MESSAGE, at=T)
    desk.web.serve("/tsa", desk.last)
    assert refused(desk.stamper()) == "timestamp.replayed"


def test_a_foreign_authority_is_not_believed(desk: Desk) -> None:
    other = pki.authority(desk.root.certificate.subject, at=T)
    desk.answer(authorities.time_stamper(other, at=T))
    assert refused(desk.stamper()) == "timestamp.untrusted"


def test_a_certificate_not_made_for_time_stamping_is_not_believed(desk: Desk) -> None:
    desk.answer(authorities.time_stamper(desk.root, at=T, purpose=False))
    assert refused(desk.stamper()) == "timestamp.untrusted"


def test_a_revoked_unit_is_not_believed(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    revoked = authorities.crl(desk.root, [authorities.Revoked(desk.unit.certificate, T - HOUR)], at=T)
    service = TrustService(
        lambda _: (Anchor(desk.root.certificate),),
        RevocationSource(bundle=RevocationEvidence(crls=(revoked,))),
        PathPolicy(extended_usage=TIME_STAMPING),
    )
    verdict = verify(stamp, MESSAGE, service, at=T)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, "REVOKED_NO_POE")


def test_a_token_does_not_prove_its_own_time_after_its_certificate_expired(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    late = desk.unit.certificate.not_valid_after_utc + DAY
    assert verify(stamp, MESSAGE, desk.trust(revocation=False), at=late).sub_indication == "OUT_OF_BOUNDS_NO_POE"
    seen = verify(stamp, MESSAGE, desk.trust(revocation=False), at=late, seen_at=T)
    assert seen.indication is Indication.PASSED


def test_an_authority_whose_clock_is_off_is_refused(desk: Desk) -> None:
    desk.answer(at=T - 10 * MINUTE)
    assert refused(desk.stamper()) == "timestamp.clock"


def test_an_authority_that_says_no_is_told_apart(desk: Desk) -> None:
    desk.web.serve("/tsa", authorities.refused_time_stamp())
    assert refused(desk.stamper()) == "timestamp.refused"


def test_no_authority_configured(desk: Desk) -> None:
    assert refused(Stamper(desk.stamper().client, (), desk.trust())) == "timestamp.unavailable"


@pytest.mark.parametrize("answer", [b"", b"<html>sorry</html>", b"\x30\x03\x02\x01\x00", b"\x30" * 100])
def test_rubbish_is_unreadable(desk: Desk, answer: bytes) -> None:
    desk.web.serve("/tsa", answer)
    assert refused(desk.stamper()) == "timestamp.unreadable"


def test_a_changed_signature_value_is_forged(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    value = bytearray(cms.ContentInfo.load(stamp.token)["content"]["signer_infos"][0]["signature"].native)
    value[-1] ^= 1
    assert judged(desk, changed(stamp, signature=bytes(value))) == (
        Indication.FAILED,
        "SIG_CRYPTO_FAILURE",
        "timestamp.forged",
    )


def test_a_changed_time_is_forged(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    moved = read_token(stamp.token.replace(b"20260601120000Z", b"20250601120000Z"))
    assert moved.time.year == 2025
    assert judged(desk, moved) == (Indication.FAILED, "SIG_CRYPTO_FAILURE", "timestamp.forged")


def test_a_certificate_swapped_for_another_of_the_same_key_is_refused(desk: Desk) -> None:
    stamp = desk.stamper().stamp(MESSAGE, at=T)
    purpose = desk.unit.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    subject, key = desk.unit.certificate.subject, desk.unit.key
    same_names = pki.issue(subject, desk.root, at=T, key=key, extensions=((purpose.value, True),))
    info = cms.ContentInfo.load(stamp.token)
    info["content"]["certificates"][0] = cms.CertificateChoices(
        "certificate", cms.Certificate.load(same_names.certificate.public_bytes(Encoding.DER))
    )
    sid = info["content"]["signer_infos"][0]["sid"].chosen
    sid["serial_number"] = same_names.certificate.serial_number
    swapped = read_token(info.dump(force=True))
    assert judged(desk, swapped) == (Indication.FAILED, "SIG_CRYPTO_FAILURE", "timestamp.wrong_signer")


def test_a_weak_digest_is_refused(desk: Desk) -> None:
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": b"\x01" * 20},
            "cert_req": True,
        }
    )
    stamp = read_response(authorities.time_stamp(request.dump(), desk.unit, at=T))
    verdict = verify(stamp, MESSAGE, desk.trust(), at=T)
    assert verdict.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    assert verdict.reasons[0].code == "timestamp.algorithm"
