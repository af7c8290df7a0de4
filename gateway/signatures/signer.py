"""Who signed, as far as believed: identity comes from a pinned seal's covered role, or from a trusted certificate."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.signatures.keys import Certificate
from gateway.signatures.properties import Properties, text_of
from gateway.signatures.reasons import reason
from gateway.signatures.trust import TrustPolicy
from gateway.trust.verdict import RevocationEvidence, TrustVerdict
from schemas.verification import Reason, Signer
from schemas.xmldoc import OS_2009_03, PPZP, PZ, qname

_PERSON_PREFIXES = ("PNOPL-", "PESEL-", "PESEL: ", "PESEL:")

_ORGANISATION_ID = x509.ObjectIdentifier("2.5.4.97")
_QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QC_COMPLIANCE = bytes.fromhex("060604008e460101")  # the statement's OID in DER (ETSI EN 319 412-5)
_PODPIS_ZP = qname(PPZP, "PodpisZP")
_PERSON_ZP = f"{qname(PPZP, 'DaneZP')}/{qname(PPZP, 'DaneZPOsobyFizycznej')}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The signer as far as believed, and why not further. `trust`: the path's verdict, where one was judged."""

    signer: Signer | None
    reasons: tuple[Reason, ...] = ()
    trust: TrustVerdict | None = None
    problems: tuple[Reason, ...] = ()  # what could not be fetched


@dataclass(frozen=True, slots=True)
class Moment:
    """`at`: when it is judged. `poe`: when the signature surely existed."""

    at: datetime
    poe: datetime


def judge(
    certificate: Certificate | None,
    properties: Properties | None,
    trust: TrustPolicy,
    moment: Moment,
    others: Sequence[Certificate] = (),
    carried: Callable[[], RevocationEvidence] = RevocationEvidence,
) -> Standing:
    """Who signed.

    Args:    certificate: the one that really signed. properties: only when covered.
             others, carried: certificates and, when asked, revocation data that came with the signature.
    """
    pinned = certificate is None or trust.is_trusted_profile_seal(certificate) or trust.is_seal(certificate)
    if trust.judge is None or pinned or certificate is None:
        signer, reasons = _by_pins(certificate, properties, trust, moment.poe)
        return Standing(signer, tuple(reasons))
    intermediates = [item.x509 for item in others if item is not certificate]
    verdict, problems = trust.judge.explain(
        certificate.x509, intermediates, at=moment.at, poe=moment.poe, evidence=carried()
    )
    if verdict.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND":
        return Standing(unbelieved(certificate), (reason("signature.untrusted"), *verdict.reasons), verdict, problems)
    kind = _kind(certificate, trust)
    return Standing(
        _from_certificate(kind, certificate), (*verdict.reasons, *_qualified(kind, certificate)), verdict, problems
    )


def _by_pins(
    certificate: Certificate | None, properties: Properties | None, trust: TrustPolicy, at: datetime
) -> tuple[Signer | None, list[Reason]]:
    if certificate is None:
        return None, [reason("signature.no_certificate")]
    if trust.is_trusted_profile_seal(certificate):
        signer, reasons = _trusted_profile(certificate, properties)
        return signer, reasons + _validity(certificate, at)
    if trust.is_seal(certificate):
        return _from_certificate("seal", certificate), _validity(certificate, at)
    if trust.anchor_of(certificate) is not None:
        kind = _kind(certificate, trust)
        reasons = [*_key_usage(certificate), *_validity(certificate, at), *_qualified(kind, certificate)]
        return _from_certificate(kind, certificate), reasons
    return unbelieved(certificate), [reason("signature.untrusted")]


def _kind(certificate: Certificate, trust: TrustPolicy) -> str:
    if trust.is_personal(certificate):
        return "personal"
    return "qualified" if _is_natural(certificate) else "seal"


@functools.lru_cache(maxsize=1024)
def _is_natural(certificate: Certificate) -> bool:
    subject = certificate.x509.subject
    return bool(_attribute(subject, NameOID.SERIAL_NUMBER) or _attribute(subject, NameOID.SURNAME))


def _qualified(kind: str, certificate: Certificate) -> list[Reason]:
    """An authority of qualified certificates also issues others: only the statement in the certificate tells."""
    return [] if kind == "personal" or _says_qualified(certificate) else [reason("signature.not_qualified")]


@functools.lru_cache(maxsize=1024)
def _says_qualified(certificate: Certificate) -> bool:
    try:
        statements = certificate.x509.extensions.get_extension_for_oid(_QC_STATEMENTS).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return isinstance(statements, x509.UnrecognizedExtension) and _QC_COMPLIANCE in statements.value


def unbelieved(certificate: Certificate | None) -> Signer | None:
    """A signer of whom only the certificate's digest is said."""
    return None if certificate is None else Signer("unknown", certificate_sha256=certificate.sha256)


def _trusted_profile(certificate: Certificate, properties: Properties | None) -> tuple[Signer | None, list[Reason]]:
    for role in properties.roles if properties else ():
        person = _podpis_zp(role) or _ep_signature(role)
        if person is not None:
            first_name, surname, pesel = person
            name = f"{first_name} {surname}".strip()
            return Signer("trusted_profile", name, pesel, certificate.sha256, first_name, surname), []
    return Signer("trusted_profile", certificate_sha256=certificate.sha256), [reason("signature.role_missing")]


def _podpis_zp(role: etree._Element) -> tuple[str, str, str] | None:
    if role.tag != _PODPIS_ZP:
        return None
    person = role.find(_PERSON_ZP)
    if person is None:
        return None
    surnames = [_text(item) for item in person.iterchildren(qname(OS_2009_03, "Nazwisko"))]
    return _complete(
        _text(person.find(qname(OS_2009_03, "Imie"))),
        "-".join(surnames),
        _text(person.find(qname(OS_2009_03, "PESEL"))),
    )


def _ep_signature(role: etree._Element) -> tuple[str, str, str] | None:
    person = role.find(qname(PZ, "NaturalPerson")) if role.tag == qname(PZ, "EPSignature") else None
    if person is None:
        return None
    first_name, surname, pesel = (
        _text(person.find(qname(PZ, name))) for name in ("FirstName", "CurrentFamilyName", "PersonalIdentifier")
    )
    return _complete(first_name, surname, pesel)


def _complete(first_name: str, surname: str, pesel: str) -> tuple[str, str, str] | None:
    return (first_name, surname, pesel) if surname and pesel else None


def _text(element: etree._Element | None) -> str:
    return " ".join(text_of(element).split())


@functools.lru_cache(maxsize=1024)
def _from_certificate(kind: str, certificate: Certificate) -> Signer:
    subject = certificate.x509.subject
    first_name, surname = _attribute(subject, NameOID.GIVEN_NAME), _attribute(subject, NameOID.SURNAME)
    personal = f"{first_name} {surname}" if first_name and surname else None
    name = personal or _attribute(subject, NameOID.COMMON_NAME) or _attribute(subject, NameOID.ORGANIZATION_NAME)
    organisation = _attribute(subject, _ORGANISATION_ID)
    return Signer(kind, name, _pesel(subject), certificate.sha256, first_name, surname, organisation)


def _pesel(subject: x509.Name) -> str | None:
    serial = _attribute(subject, NameOID.SERIAL_NUMBER) or ""
    for prefix in _PERSON_PREFIXES:
        digits = serial.removeprefix(prefix)
        if digits != serial and len(digits) == 11 and digits.isdecimal():
            return digits
    return None


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    found = name.get_attributes_for_oid(oid)
    value = found[0].value if found else None
    return value if isinstance(value, str) else None


def _validity(certificate: Certificate, at: datetime) -> list[Reason]:
    since, until = _span(certificate)
    if at > until:
        return [reason("signature.certificate_expired", until=until.isoformat())]
    if at < since:
        return [reason("signature.certificate_not_yet_valid", since=since.isoformat())]
    return []


@functools.lru_cache(maxsize=1024)
def _span(certificate: Certificate) -> tuple[datetime, datetime]:
    return certificate.x509.not_valid_before_utc, certificate.x509.not_valid_after_utc


def _key_usage(certificate: Certificate) -> list[Reason]:
    return [] if _may_sign(certificate) else [reason("signature.key_usage")]


@functools.lru_cache(maxsize=1024)
def _may_sign(certificate: Certificate) -> bool:
    """Qualified certificates often have nonRepudiation alone; either of the two will do."""
    try:
        usage = certificate.x509.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return usage.digital_signature or usage.content_commitment
