"""What certification and time-stamping authorities publish, made on the spot: CRLs, OCSP answers, time-stamps.

Every function takes the time it speaks for, so that tests can stand anywhere on the time line. `responders.py` serves
these over HTTP. Nothing here is real; the keys are those of the generated test PKI.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from gateway.simulate import pki
from gateway.simulate.pki import Identity, PrivateKey

DAY = timedelta(days=1)
TSA_POLICY = "1.2.616.1.113527.2.5.1.99"


@dataclass(frozen=True, slots=True)
class Revoked:
    """One entry of a revocation list."""

    certificate: x509.Certificate
    at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def pointers(ocsp_url: str | None = None, crl_url: str | None = None) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """Certificate extensions that say where its status can be asked for."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if ocsp_url:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        found.append((x509.AuthorityInformationAccess([access]), False))
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return tuple(found)


def crl(
    authority: Identity,
    revoked: Sequence[Revoked] = (),
    *,
    at: datetime,
    valid_for: timedelta = DAY,
    key: PrivateKey | None = None,
    expired_since: datetime | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A complete CRL of `authority`, DER; `key` signs it instead of the authority's (a forgery).

    `expired_since`: the list keeps certificates that expired after this time (expiredCertsOnCRL).
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(at)
        .next_update(at + valid_for)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
    )
    if expired_since is not None:
        promise = core.GeneralizedTime(expired_since).dump()
        oid = x509.ObjectIdentifier("2.5.29.60")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, promise), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for item in revoked:
        builder = builder.add_revoked_certificate(_entry(item))
    return builder.sign(key or authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def ocsp_responder(authority: Identity, *, at: datetime, checked: bool = False) -> Identity:
    """A delegated OCSP signer; with `checked` it lacks ocsp-nocheck, so that its own status must be known."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
    ]
    if not checked:
        extensions.append((x509.OCSPNoCheck(), False))
    return pki.issue(
        pki.name("TEST OCSP", "TEST Dostawca Usług Zaufania"),
        authority,
        at=at,
        key=pki.new_key("p256"),
        extensions=tuple(extensions),
    )


def ocsp_answer(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responder: Identity,
    *,
    at: datetime,
    valid_for: timedelta | None = timedelta(hours=1),
    revoked: Revoked | None = None,
    unknown: bool = False,
) -> bytes:
    """An OCSP answer about one certificate, DER."""
    status = ocsp.OCSPCertStatus.GOOD
    if revoked is not None:
        status = ocsp.OCSPCertStatus.REVOKED
    elif unknown:
        status = ocsp.OCSPCertStatus.UNKNOWN
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer,
        algorithm=hashes.SHA1(),  # noqa: S303 - names the issuer (RFC 6960); it protects nothing
        cert_status=status,
        this_update=at,
        next_update=at + valid_for if valid_for is not None else None,
        revocation_time=revoked.at if revoked else None,
        revocation_reason=revoked.reason if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def time_stamper(authority: Identity, *, at: datetime, purpose: bool = True, key: str = "p256") -> Identity:
    """A time-stamping unit; without `purpose` its certificate is not made for it."""
    use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return pki.issue(
        pki.name("TEST TSA", "TEST Dostawca Usług Zaufania"),
        authority,
        at=at,
        key=pki.new_key(key),
        extensions=((use, True),) if purpose else (),
    )


def time_stamp(request: bytes, unit: Identity, *, at: datetime, over: bytes | None = None) -> bytes:
    """Answer an RFC 3161 request, DER; `over` puts another digest in (a token for something else)."""
    asked = tsp.TimeStampReq.load(request)
    imprint = asked["message_imprint"]
    if over is not None:
        imprint = tsp.MessageImprint({"hash_algorithm": imprint["hash_algorithm"], "hashed_message": over})
    content = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": TSA_POLICY,
            "message_imprint": imprint,
            "serial_number": x509.random_serial_number(),
            "gen_time": at,
            "accuracy": {"seconds": 1},
            **({"nonce": asked["nonce"].native} if asked["nonce"].native is not None else {}),
        }
    )
    token = cms.ContentInfo({"content_type": "signed_data", "content": _signed(content, unit, at)})
    return tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()  # type: ignore[no-any-return]


def refused_time_stamp() -> bytes:
    """A time-stamping authority that says no."""
    return bytes.fromhex("30053003020102")  # PKIStatusInfo{rejection}; asn1crypto insists on a token


def _entry(item: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(item.certificate.serial_number).revocation_date(item.at)
    if item.reason is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(item.reason), critical=False)
    return builder.build()


def _signed(content: tsp.TSTInfo, unit: Identity, at: datetime) -> cms.SignedData:
    certificate = asn1_x509.Certificate.load(unit.certificate.public_bytes(Encoding.DER))
    issuer = asn1_x509.Certificate.load(unit.issuer.public_bytes(Encoding.DER))
    attributes = _attributes(content, certificate, at)
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                    )
                }
            ),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "signed_attrs": attributes,
            "signature_algorithm": _algorithm(unit.key),
            "signature": _raw(unit.key, attributes.untag().dump()),
        }
    )
    return cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": core.ParsableOctetString(content.dump()),
            },
            "certificates": [certificate, issuer],
            "signer_infos": [signer],
        }
    )


def _attributes(content: tsp.TSTInfo, certificate: asn1_x509.Certificate, at: datetime) -> cms.CMSAttributes:
    signing = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(certificate.dump()).digest()}]})
    listed = [
        {"type": "content_type", "values": ["tst_info"]},
        {"type": "message_digest", "values": [hashlib.sha256(content.dump()).digest()]},
        {"type": "signing_time", "values": [cms.Time({"utc_time": at.replace(microsecond=0)})]},
        {"type": "signing_certificate_v2", "values": [signing]},
    ]
    return cms.CMSAttributes([cms.CMSAttribute(item) for item in listed])


def _algorithm(key: PrivateKey) -> algos.SignedDigestAlgorithm:
    name = "sha256_rsa" if isinstance(key, rsa.RSAPrivateKey) else "sha256_ecdsa"
    return algos.SignedDigestAlgorithm({"algorithm": name})


def _raw(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))
