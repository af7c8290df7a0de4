"""Simulated citizens: generated people who really sign, with podpis zaufany or a qualified certificate."""

from __future__ import annotations

import base64
import functools
import re
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.simulate import xmlsign
from gateway.simulate.people import Person, person
from gateway.simulate.pki import Identity, Pki, PrivateKey, new_key, qualified_person
from schemas.xmldoc import DS, OS_2009_03, PPZP, PZ, XADES

__all__ = ["Person", "Role", "person", "sign_qualified", "sign_trusted_profile", "tamper"]

Role = Literal["PodpisZP", "EPSignature"]


def sign_trusted_profile(
    document: bytes,
    signer: Person,
    pki: Pki,
    role: Role = "PodpisZP",
    at: datetime | None = None,
    *,
    identity: Identity | None = None,
    id_: UUID | None = None,
) -> bytes:
    """Sign as profil zaufany does: XPath not-signature filter, SignedProperties with the person in a claimed role.

    Args:    document: UTF-8; kept octet for octet, the signature becomes the root's last child.
             identity: another seal than the minister's (for attacks). at: the signing time claimed, aware.
    """
    seal, mark = identity or pki.trusted_profile, str(id_ or uuid4())
    moment = at or datetime.now(UTC)
    properties = _properties(mark, seal, moment, _ROLES[role](signer, moment))
    refs = (
        xmlsign.Ref("", _constant(xmlsign.document_octets(document)), xmlsign.NOT_SIGNATURE),
        _signed_properties_ref(f"SignedProps-{mark}"),
    )
    return xmlsign.sign(document, seal, refs, signature_id=f"Signature-{mark}", objects=properties)


def sign_qualified(
    document: bytes,
    signer: Person,
    pki: Pki,
    at: datetime | None = None,
    *,
    spelling: Literal["enveloped", "xpath"] = "enveloped",
    identity: Identity | None = None,
    id_: UUID | None = None,
) -> bytes:
    """Sign with a qualified certificate, in the shape the EU's signing tools write.

    Args:    spelling: `enveloped` is enveloped-signature and exc-c14n; `xpath` the not-signature filter alone.
    """
    own = identity or qualified_identity(signer, pki)
    mark = f"id-{(id_ or uuid4()).hex}"
    if spelling == "enveloped":
        octets = xmlsign.document_octets(document, exclusive=True, keep_signatures=True)
        data = xmlsign.Ref("", _constant(octets), xmlsign.ENVELOPED + xmlsign.EXCLUSIVE, id=f"r-{mark}")
    else:
        data = xmlsign.Ref("", _constant(xmlsign.document_octets(document)), xmlsign.NOT_SIGNATURE, id=f"r-{mark}")
    refs = (data, _signed_properties_ref(f"xades-{mark}"))
    properties = _dss_properties(mark, own, at or datetime.now(UTC))
    return xmlsign.sign(document, own, refs, signature_id=mark, objects=properties)


def qualified_identity(signer: Person, pki: Pki) -> Identity:
    """This person's qualified certificate under the PKI's qualified CA. All share one key: only names differ."""
    issuer = pki.qualified_ca
    moment = issuer.certificate.not_valid_before_utc + timedelta(days=365)
    return qualified_person(signer.first_name, signer.surname, signer.pesel, issuer, at=moment, key=_citizen_key())


Damage = Literal["content", "digest", "value", "role", "signing_time", "certificate"]


def tamper(document: bytes, damage: Damage, pki: Pki | None = None) -> bytes:
    """Break exactly one thing in a signed document.

    `content` changes one letter outside the signature, `digest` one character of the first DigestValue, `value` one of
    SignatureValue, `role` a digit of the PESEL in the role, `signing_time` its year, `certificate` swaps the seal's
    certificate for the look-alike's (needs `pki`).
    """
    if damage == "content":
        return _change(document, rb">([^<>]*?)(\w)([^<>\w]*)</(?!ds:)", 2)
    if damage == "digest":
        return _change(document, rb"(<ds:DigestValue>)(.)", 2)
    if damage == "value":
        return _change(document, rb"(<ds:SignatureValue[^>]*>)(.)", 2)
    if damage == "role":
        return _change(document, rb"(<(?:os:PESEL|pz:PersonalIdentifier)>\d{10})(\d)", 2)
    if damage == "signing_time":
        return _change(document, rb"(<xades:SigningTime>\d{3})(\d)", 2)
    if pki is None:
        raise ValueError("a certificate can only be swapped with a PKI at hand")
    return document.replace(_der(pki.trusted_profile).encode(), _der(pki.trusted_profile_lookalike).encode())


def _change(document: bytes, pattern: bytes, group: int) -> bytes:
    found = re.search(pattern, document)
    if not found:
        raise ValueError(f"nothing in the document looks like {pattern!r}")
    at, old = found.start(group), found.group(group)
    return document[:at] + (b"1" if old != b"1" else b"2") + document[at + len(old) :]


def _podpis_zp(who: Person, _moment: datetime) -> str:
    return (
        f'<ppZP:PodpisZP xmlns:ppZP="{PPZP}" xmlns:os="{OS_2009_03}"><ppZP:DaneZP><ppZP:DaneZPOsobyFizycznej>'
        f'<os:Nazwisko rodzajCzlonu="pierwszy">{who.surname}</os:Nazwisko><os:Imie>{who.first_name}</os:Imie>'
        f"<os:PESEL>{who.pesel}</os:PESEL><ppZP:IdKontaUzytkownikaEpuap>{_account(who)}</ppZP:IdKontaUzytkownikaEpuap>"
        "</ppZP:DaneZPOsobyFizycznej></ppZP:DaneZP><ppZP:DanePodpisu>"
        f"<ppZP:IdKontaUzytkownikaEpuap>{_account(who)}</ppZP:IdKontaUzytkownikaEpuap></ppZP:DanePodpisu></ppZP:PodpisZP>"
    )


def _ep_signature(who: Person, moment: datetime) -> str:
    return (
        f'<pz:EPSignature xmlns:pz="{PZ}"><pz:NaturalPerson><pz:CurrentFamilyName>{who.surname}</pz:CurrentFamilyName>'
        f"<pz:FirstName>{who.first_name}</pz:FirstName><pz:DateOfBirth>{who.birth_date}</pz:DateOfBirth>"
        f"<pz:PersonalIdentifier>{who.pesel}</pz:PersonalIdentifier></pz:NaturalPerson><pz:SignatureData>"
        "<pz:IdentityIssuer>test.login.invalid</pz:IdentityIssuer>"
        f"<pz:IdentityIssueTimestamp>{_milliseconds(moment)}</pz:IdentityIssueTimestamp></pz:SignatureData></pz:EPSignature>"
    )


def _account(who: Person) -> str:
    return f"test{who.pesel[-6:]}"


_ROLES = {"PodpisZP": _podpis_zp, "EPSignature": _ep_signature}


def _properties(mark: str, seal: Identity, moment: datetime, role: str) -> str:
    return (
        f'<ds:Object Id="QualifyingInfos-{mark}"><xades:QualifyingProperties xmlns:xades="{XADES}" '
        f'Id="QualifyingProps-{mark}" Target="#Signature-{mark}"><xades:SignedProperties Id="SignedProps-{mark}">'
        f"<xades:SignedSignatureProperties><xades:SigningTime>{_milliseconds(moment)}</xades:SigningTime>"
        f"{signing_certificate(seal)}<xades:SignaturePolicyIdentifier><xades:SignaturePolicyImplied/>"
        "</xades:SignaturePolicyIdentifier><xades:SignerRole><xades:ClaimedRoles><xades:ClaimedRole>"
        f"{role}</xades:ClaimedRole></xades:ClaimedRoles></xades:SignerRole></xades:SignedSignatureProperties>"
        "</xades:SignedProperties></xades:QualifyingProperties></ds:Object>"
    )


def _dss_properties(mark: str, own: Identity, moment: datetime) -> str:
    return (
        f'<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{mark}">'
        f'<xades:SignedProperties Id="xades-{mark}"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>{signing_certificate(own)}"
        f"</xades:SignedSignatureProperties><xades:SignedDataObjectProperties><xades:DataObjectFormat "
        f'ObjectReference="#r-{mark}"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>'
        "</xades:SignedDataObjectProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object>"
    )


def signing_certificate(identity: Identity, version: Literal[1, 2] = 1) -> str:
    """The SigningCertificate property that binds a signature to this certificate."""
    certificate = identity.certificate
    value = base64.b64encode(certificate.fingerprint(hashes.SHA256())).decode()
    digest = (
        f'<xades:CertDigest><ds:DigestMethod xmlns:ds="{DS}" Algorithm="{xmlsign.SHA256}"/>'
        f'<ds:DigestValue xmlns:ds="{DS}">{value}</ds:DigestValue></xades:CertDigest>'
    )
    if version == 2:
        return f"<xades:SigningCertificateV2><xades:Cert>{digest}</xades:Cert></xades:SigningCertificateV2>"
    return (
        f"<xades:SigningCertificate><xades:Cert>{digest}<xades:IssuerSerial>"
        f'<ds:X509IssuerName xmlns:ds="{DS}">{certificate.issuer.rfc4514_string()}</ds:X509IssuerName>'
        f'<ds:X509SerialNumber xmlns:ds="{DS}">{certificate.serial_number}</ds:X509SerialNumber>'
        "</xades:IssuerSerial></xades:Cert></xades:SigningCertificate>"
    )


def _signed_properties_ref(element_id: str) -> xmlsign.Ref:
    return xmlsign.Ref(
        f"#{element_id}",
        xmlsign.element_octets(element_id),
        xmlsign.EXCLUSIVE,
        type=xmlsign.SIGNED_PROPERTIES_TYPE,
    )


def _constant(octets: bytes) -> xmlsign.Octets:
    return lambda _signature: octets


def _milliseconds(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _der(identity: Identity) -> str:
    return base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode()


@functools.cache
def _citizen_key() -> PrivateKey:
    return new_key()
