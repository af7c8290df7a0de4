"""RFC 3161 time-stamps: ask for one, read one, say whether it proves that something existed at its time.

The token is checked here with `cryptography` alone (one signer, its certificate bound by ESSCertID, digests, the
signature); whether the signer may be believed is asked of the trust service, as for any certificate. A token proves
nothing about itself: its own certificate is judged as of when we saw the token, not as of the time it claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from gateway.trust.fetch import Client
from gateway.trust.verdict import UNREADABLE, TrustVerdict, certificate_of
from schemas.errors import TrustError
from schemas.verification import Indication, Reason

TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_GRANTED = 0
_MOST_BYTES = 1024 * 1024
_MOST_CERTIFICATES = 16
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class Judge(Protocol):
    """Judges a time-stamping unit's certificate (a `TrustService` whose policy asks for time-stamping)."""

    def judge(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate],
        *,
        at: datetime,
        poe: datetime | None = None,
    ) -> TrustVerdict:
        """As `gateway.trust.judge`."""
        ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A token as it is embedded (`token`: DER of the CMS ContentInfo) and what it says; not yet believed."""

    token: bytes = field(repr=False)
    time: datetime
    accuracy: timedelta
    algorithm: str
    imprint: bytes
    policy: str
    nonce: int | None
    certificate: x509.Certificate = field(repr=False)
    certificates: tuple[x509.Certificate, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TimeStampVerdict:
    """PASSED: what was stamped existed at `time`. `trust` is how its signer was judged, None if not reached."""

    indication: Indication
    sub_indication: str | None
    time: datetime | None
    reasons: tuple[Reason, ...] = ()
    trust: TrustVerdict | None = None


@dataclass(frozen=True)
class Stamper:
    """Gets time-stamps for us. `urls` are tried in turn; every token is verified before it is handed out."""

    client: Client
    urls: tuple[str, ...]
    judge: Judge
    tolerance: timedelta = timedelta(minutes=5)  # how far the authority's clock may be from ours

    def stamp(self, message: bytes, *, at: datetime) -> TimeStamp:
        """A verified time-stamp over `message` (SHA-256).

        Raises: TrustError: `timestamp.*` or `trust.fetch_*` of the last authority tried; none could be had.
        """
        failure = TrustError("timestamp.unavailable")
        for url in self.urls:
            try:
                return self._from(url, message, at)
            except TrustError as error:
                failure = error
        raise failure

    def _from(self, url: str, message: bytes, at: datetime) -> TimeStamp:
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = self.client.post(url, request.as_bytes(), "application/timestamp-query")
        stamp = read_response(answer)
        if stamp.nonce != request.nonce:
            raise TrustError("timestamp.replayed")
        verdict = verify(stamp, message, self.judge, at=at)
        if verdict.indication is not Indication.PASSED:
            raise TrustError(verdict.reasons[0].code, sub_indication=verdict.sub_indication)
        if abs(stamp.time - at) > self.tolerance:
            raise TrustError("timestamp.clock", tolerance_s=int(self.tolerance.total_seconds()))
        return stamp


def read_response(answer: bytes) -> TimeStamp:
    """The token in an authority's answer. Raises TrustError: `timestamp.unreadable`, `timestamp.refused`."""
    try:
        response = decode_timestamp_response(answer)
        status = response.status
        token = response.time_stamp_token() if status == _GRANTED else b""
    except ValueError as error:
        raise TrustError("timestamp.unreadable") from error
    if status != _GRANTED:
        raise TrustError("timestamp.refused", status=status)
    return read_token(token)


def read_token(token: bytes) -> TimeStamp:
    """Read an embedded token (DER). Raises TrustError `timestamp.unreadable`: not a token we can judge."""
    if len(token) > _MOST_BYTES:
        raise TrustError("timestamp.unreadable", size_bytes=len(token))
    try:
        signed = _signed_data(token)
        info = tsp.TSTInfo.load(signed["encap_content_info"]["content"].contents, strict=True)
        certificates = _certificates(signed)
        accuracy = info["accuracy"]
        if info["gen_time"].native.tzinfo is None:
            raise ValueError("a time without zone")
        return TimeStamp(
            token=token,
            time=info["gen_time"].native,
            accuracy=_accuracy(accuracy) if accuracy.native else timedelta(0),
            algorithm=info["message_imprint"]["hash_algorithm"]["algorithm"].native,
            imprint=info["message_imprint"]["hashed_message"].native,
            policy=info["policy"].dotted,
            nonce=info["nonce"].native,
            certificate=_signer(signed["signer_infos"][0], certificates),
            certificates=certificates,
        )
    except (*UNREADABLE, IndexError, AttributeError) as error:
        raise TrustError("timestamp.unreadable") from error


def verify(
    stamp: TimeStamp, message: bytes, judge: Judge, *, at: datetime, seen_at: datetime | None = None
) -> TimeStampVerdict:
    """Say whether the token proves that `message` existed at its time.

    Args:    at: now. seen_at: when the token is proven to have existed (our receipt of it); `at` when None.
    Returns: FAILED: HASH_FAILURE (another message), SIG_CRYPTO_FAILURE (token forged or changed);
             INDETERMINATE: CRYPTO_CONSTRAINTS_FAILURE, or the signer's certificate's own sub-indication.
    """
    algorithm = _HASHES.get(stamp.algorithm)
    if algorithm is None:
        return _not(Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", "timestamp.algorithm")
    if hashlib.new(stamp.algorithm, message).digest() != stamp.imprint:
        return _not(Indication.FAILED, "HASH_FAILURE", "timestamp.digest_mismatch")
    broken = _broken(stamp)
    if broken is not None:
        return broken
    trust = judge.judge(stamp.certificate, stamp.certificates, at=at, poe=seen_at)
    reasons = trust.reasons if trust.passed else (Reason("timestamp.untrusted"), *trust.reasons)
    return TimeStampVerdict(trust.indication, trust.sub_indication, stamp.time, reasons, trust)


def _broken(stamp: TimeStamp) -> TimeStampVerdict | None:
    """Whether the token holds together: attributes, digest, the certificate named inside, the signature."""
    try:
        signed = _signed_data(stamp.token)
        signer = signed["signer_infos"][0]
        name = signer["digest_algorithm"]["algorithm"].native
        if name not in _HASHES:
            return _not(Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", "timestamp.algorithm")
        attributes = _attributes(signer)
        content = signed["encap_content_info"]["content"].contents
        if attributes["content_type"].native != "tst_info":
            return _forged("content_type")
        if attributes["message_digest"].native != hashlib.new(name, content).digest():
            return _forged("message_digest")
        if not _names_certificate(attributes, stamp.certificate):
            return _not(Indication.FAILED, "SIG_CRYPTO_FAILURE", "timestamp.wrong_signer")
        _check_signature(signer, stamp.certificate, name)
    except InvalidSignature:
        return _forged("signature")
    except NotImplementedError:
        return _not(Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE", "timestamp.algorithm")
    except (*UNREADABLE, IndexError, AttributeError):
        return _forged("structure")
    return None


def _signed_data(token: bytes) -> cms.SignedData:
    info = cms.ContentInfo.load(token, strict=True)
    if info["content_type"].native != "signed_data":
        raise ValueError("not signed data")
    signed = info["content"]
    if signed["encap_content_info"]["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
        raise ValueError("not one signed TSTInfo")
    return signed


def _certificates(signed: cms.SignedData) -> tuple[x509.Certificate, ...]:
    listed = [item.chosen.dump() for item in signed["certificates"] if item.name == "certificate"]
    return tuple(certificate_of(one) for one in listed[:_MOST_CERTIFICATES])


def _signer(signer: cms.SignerInfo, certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    sid = signer["sid"]
    for certificate in certificates:
        if sid.name == "issuer_and_serial_number":
            named = sid.chosen
            same_issuer = certificate.issuer.public_bytes() == named["issuer"].dump()
            if same_issuer and certificate.serial_number == named["serial_number"].native:
                return certificate
        elif _key_identifier(certificate) == sid.chosen.native:
            return certificate
    raise ValueError("the signer's certificate is not in the token")


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _attributes(signer: cms.SignerInfo) -> dict[str, cms.CMSAttribute]:
    """Signed attributes by name; each at most once and with one value."""
    found: dict[str, cms.CMSAttribute] = {}
    for attribute in signer["signed_attrs"]:
        name = attribute["type"].native
        if name in found or len(attribute["values"]) != 1:
            raise ValueError("a signed attribute twice")
        found[name] = attribute["values"][0]
    return found


def _names_certificate(attributes: dict[str, cms.CMSAttribute], certificate: x509.Certificate) -> bool:
    """ESSCertID (RFC 5816): without it another certificate for the same key could be put into the token."""
    if "signing_certificate_v2" in attributes:
        first = attributes["signing_certificate_v2"]["certs"][0]
        algorithm = _HASHES.get(first["hash_algorithm"]["algorithm"].native)
        return algorithm is not None and first["cert_hash"].native == certificate.fingerprint(algorithm())
    first = attributes["signing_certificate"]["certs"][0]  # version 1 knows SHA-1 only; the signature covers it
    return bool(first["cert_hash"].native == certificate.fingerprint(hashes.SHA1()))  # noqa: S303


def _check_signature(signer: cms.SignerInfo, certificate: x509.Certificate, digest: str) -> None:
    data = b"\x31" + signer["signed_attrs"].dump()[1:]  # signed as a SET, embedded as [0]
    value, method = signer["signature"].native, signer["signature_algorithm"]
    algorithm, key = _HASHES[digest](), certificate.public_key()
    name = method.signature_algo
    if name == "rsassa_pkcs1v15" and isinstance(key, rsa.RSAPublicKey):
        key.verify(value, data, padding.PKCS1v15(), algorithm)
    elif name == "rsassa_pss" and isinstance(key, rsa.RSAPublicKey):
        salt = method["parameters"]["salt_length"].native
        key.verify(value, data, padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    elif name == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(value, data, ec.ECDSA(algorithm))
    else:
        raise NotImplementedError(name)


def _accuracy(accuracy: tsp.Accuracy) -> timedelta:
    return timedelta(
        seconds=accuracy["seconds"].native or 0,
        milliseconds=accuracy["millis"].native or 0,
        microseconds=accuracy["micros"].native or 0,
    )


def _forged(part: str) -> TimeStampVerdict:
    reason = Reason("timestamp.forged", {"part": part})
    return TimeStampVerdict(Indication.FAILED, "SIG_CRYPTO_FAILURE", None, (reason,))


def _not(indication: Indication, sub_indication: str, code: str) -> TimeStampVerdict:
    return TimeStampVerdict(indication, sub_indication, None, (Reason(code),))
