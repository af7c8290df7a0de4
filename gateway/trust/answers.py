"""What one CRL or one OCSP answer says about one certificate, if it is authentic and meant for it.

Our own, on `cryptography`: pyhanko-certvalidator 0.33 cannot use the list of a trust anchor that is not self-signed
("chain of trust for the CRL issuer could not be determined"), and that is what trusted lists name; it leaves an OCSP
answer aside when the certificate names no responder; and its point-in-time mode overlooks a revocation dated in the
very second the list was issued. Whatever is not understood here makes a piece unusable, never "good".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import ocsp as asn1_ocsp
from asn1crypto.core import GeneralizedTime
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from gateway.trust.verdict import UNREADABLE

UNVERIFIABLE = "unverifiable"
UNKNOWN = "unknown_to_responder"
HOLD = "certificate_hold"
_EXPIRED_CERTS_ON_CRL = x509.ObjectIdentifier("2.5.29.60")
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_PSS = SignatureAlgorithmOID.RSASSA_PSS  # its parameters cannot be had for OCSP; no responder is known to use it


@dataclass(frozen=True, slots=True)
class Answer:
    """What one authentic CRL or OCSP answer says about one certificate."""

    source: str
    der: bytes
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: str | None = None
    knows_expired_since: datetime | None = None  # still lists certificates that expired after this time


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issued the certificate asked about; an anchor's own validity is the configuration's business."""

    certificate: x509.Certificate
    is_anchor: bool

    def valid_at(self, moment: datetime) -> bool:
        """Whether it could make statements then."""
        return self.is_anchor or _valid_at(self.certificate, moment)


def ask_list(
    certificate: x509.Certificate, issuer: Issuer, der: bytes, crl: x509.CertificateRevocationList
) -> Answer | str | None:
    """The list's answer; None: it is not about this certificate; text: why it cannot be used.

    Only complete lists signed by the issuer itself count; indirect, delta and reason-limited ones are unusable.
    """
    try:
        if crl.issuer != issuer.certificate.subject:
            return None
        about = _list_is_about(certificate, crl)
        if about is None:
            return None
        if not about or not _list_is_authentic(issuer, crl):
            return UNVERIFIABLE
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        revoked_at, reason = _entry(entry) if entry is not None else (None, None)
        return Answer(
            "crl", der, crl.last_update_utc, crl.next_update_utc, revoked_at, reason, _keeps_expired_since(crl)
        )
    except UNREADABLE:
        return UNVERIFIABLE


def ask_responder(
    certificate: x509.Certificate,
    issuer: Issuer,
    der: bytes,
    response: ocsp.OCSPResponse,
    others: Sequence[x509.Certificate],
    lists: Sequence[tuple[bytes, x509.CertificateRevocationList]],
) -> Answer | str | None:
    """An OCSP answer's answer, as `ask_list`.

    Args: others: where a responder's certificate may be found that the answer does not carry.
          lists: tell whether a delegated responder without ocsp-nocheck was revoked itself.
    """
    try:
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        single = next((item for item in response.responses if _is_about(item, certificate, issuer)), None)
        if single is None:
            return None
        if not _response_is_authentic(issuer, response, single.this_update_utc, others, lists):
            return UNVERIFIABLE
        if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
            return UNKNOWN
        reason = single.revocation_reason.name if single.revocation_reason else "unspecified"
        return Answer(
            "ocsp",
            der,
            single.this_update_utc,
            single.next_update_utc,
            single.revocation_time_utc,
            reason if single.revocation_time_utc else None,
            _archive_cutoff(der, certificate.serial_number),
        )
    except UNREADABLE:
        return UNVERIFIABLE


# --- lists


def _list_is_about(certificate: x509.Certificate, crl: x509.CertificateRevocationList) -> bool | None:
    """True: its scope holds the certificate; None: another scope; False: a scope nobody here understands."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return None
        if isinstance(value, x509.IssuingDistributionPoint):
            return _in_scope(certificate, value)
        if extension.critical and not isinstance(value, x509.AuthorityKeyIdentifier):
            return False
    return True


def _in_scope(certificate: x509.Certificate, scope: x509.IssuingDistributionPoint) -> bool | None:
    if scope.indirect_crl or scope.only_some_reasons or scope.relative_name:
        return False
    is_authority = _is_authority(certificate)
    excluded = scope.only_contains_attribute_certs or (
        scope.only_contains_user_certs and is_authority
    ) or (scope.only_contains_ca_certs and not is_authority)  # fmt: skip
    if excluded:
        return None
    if scope.full_name is None:
        return True
    return True if set(scope.full_name) & set(_distribution_points(certificate)) else None


def _list_is_authentic(issuer: Issuer, crl: x509.CertificateRevocationList) -> bool:
    if not isinstance(crl.signature_hash_algorithm, _STRONG) or not issuer.valid_at(crl.last_update_utc):
        return False
    usage = _key_usage(issuer.certificate)
    if usage is not None and not usage.crl_sign:
        return False
    return crl.is_signature_valid(issuer.certificate.public_key())  # type: ignore[arg-type]  # TypeError: caught


def _entry(entry: x509.RevokedCertificate) -> tuple[datetime | None, str | None]:
    reason = "unspecified"
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.name
        elif isinstance(extension.value, x509.CertificateIssuer) or (
            extension.critical and not isinstance(extension.value, x509.InvalidityDate)
        ):
            raise ValueError("an entry that cannot be understood")
    if reason == x509.ReasonFlags.remove_from_crl.name:
        return None, None
    return entry.revocation_date_utc, reason


def _keeps_expired_since(crl: x509.CertificateRevocationList) -> datetime | None:
    try:
        value = crl.extensions.get_extension_for_oid(_EXPIRED_CERTS_ON_CRL).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(value, x509.UnrecognizedExtension)
    since: datetime = GeneralizedTime.load(value.value).native
    return since


# --- answers of responders


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: Issuer) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer.certificate, single.hash_algorithm)
    asked = builder.build()
    return (asked.issuer_name_hash, asked.issuer_key_hash) == (single.issuer_name_hash, single.issuer_key_hash)


def _response_is_authentic(
    issuer: Issuer,
    response: ocsp.OCSPResponse,
    moment: datetime,
    others: Sequence[x509.Certificate],
    lists: Sequence[tuple[bytes, x509.CertificateRevocationList]],
) -> bool:
    if any(extension.critical for extension in response.extensions):
        return False
    for signer in (issuer.certificate, *response.certificates, *others):
        if _is_named(signer, response) and _signed(signer, response):
            if signer == issuer.certificate:
                return issuer.valid_at(moment)
            return _may_answer(signer, issuer, moment) and _unrevoked(signer, issuer, moment, lists)
    return False


def _is_named(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    if response.responder_name is not None:
        return response.responder_name == signer.subject
    return response.responder_key_hash == _key_hash(signer)


def _key_hash(certificate: x509.Certificate) -> bytes:
    """SHA-1 of the bare key, as RFC 6960 names responders; x509 computes the same for key identifiers."""
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    if not isinstance(algorithm, _STRONG) or response.signature_algorithm_oid == _PSS:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _may_answer(signer: x509.Certificate, issuer: Issuer, moment: datetime) -> bool:
    """A delegated responder: issued by the very authority, for this purpose, and valid when it answered."""
    try:
        signer.verify_directly_issued_by(issuer.certificate)
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE):
        return False
    usage = _key_usage(signer)
    signs = usage is None or usage.digital_signature
    return signs and ExtendedKeyUsageOID.OCSP_SIGNING in purposes and _valid_at(signer, moment)


def _unrevoked(
    signer: x509.Certificate,
    issuer: Issuer,
    moment: datetime,
    lists: Sequence[tuple[bytes, x509.CertificateRevocationList]],
) -> bool:
    try:
        signer.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except x509.ExtensionNotFound:
        answers = [item for item in (ask_list(signer, issuer, *one) for one in lists) if isinstance(item, Answer)]
        if any(item.revoked_at is not None and item.revoked_at <= moment for item in answers):
            return False
        return any(item.next_update is None or moment <= item.next_update for item in answers)
    return True


def _archive_cutoff(der: bytes, serial_number: int) -> datetime | None:
    parsed = asn1_ocsp.OCSPResponse.load(der)["response_bytes"]["response"].parsed
    for single in parsed["tbs_response_data"]["responses"]:
        if single["cert_id"]["serial_number"].native == serial_number and single.archive_cutoff_value is not None:
            since: datetime = single.archive_cutoff_value.native
            return since
    return None


# --- certificates


def _valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _distribution_points(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ()
    return [name for point in points for name in point.full_name or ()]
