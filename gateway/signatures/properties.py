"""XAdES properties: believed only where an intact reference of the same signature covers them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from gateway.signatures.algorithms import DIGESTS
from gateway.signatures.keys import Certificate
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.structure import Signature
from schemas.verification import Reason
from schemas.xmldoc import XADES, XADES111, qname

XADES122 = "http://uri.etsi.org/01903/v1.2.2#"
XADES141 = "http://uri.etsi.org/01903/v1.4.1#"
NAMESPACES = (XADES, XADES122, XADES111)
REFERENCE_TYPES = frozenset(
    {
        "http://uri.etsi.org/01903#SignedProperties",
        "http://uri.etsi.org/01903/v1.1.1#SignedProperties",
        "http://uri.etsi.org/01903/v1.2.2#SignedProperties",
        "http://uri.etsi.org/01903/v1.3.2#SignedProperties",
    }
)
QUALIFYING = tuple(qname(namespace, "QualifyingProperties") for namespace in NAMESPACES)

_TEXT = etree.XPath("string()")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True)
class CertificateDigest:
    """One xades:CertDigest, read."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Properties:
    """The qualifying properties of one signature. `signed` is the element; its content counts only when covered.

    `of_signature` and `unsigned`: the signature's properties by local name; the signed ones are of its own XAdES
    version, the unsigned ones may also be of 1.4.1.
    """

    namespace: str
    element: etree._Element
    signed: etree._Element | None
    of_signature: dict[str, etree._Element]
    unsigned: dict[str, list[etree._Element]]

    @property
    def signing_time(self) -> datetime | None:
        """The time the signer claims, in UTC; without a zone it is taken as UTC."""
        element = self.of_signature.get("SigningTime")
        return None if element is None else instant(text_of(element))

    @property
    def roles(self) -> list[etree._Element]:
        """What the claimed roles hold."""
        role = self.of_signature.get("SignerRole", self.of_signature.get("SignerRoleV2"))
        if role is None:
            return []
        return role.findall(f"{qname(self.namespace, 'ClaimedRoles')}/{qname(self.namespace, 'ClaimedRole')}/*")


def read(signature: Signature) -> Properties | None:
    """The one QualifyingProperties of this signature. Raises Refusal `signature.malformed` when there are two."""
    found = [item for holder in signature.objects for item in holder.iterchildren(*QUALIFYING)]
    if not found:
        return None
    if len(found) > 1:
        raise Refusal("signature.malformed", what="QualifyingProperties")
    element = found[0]
    namespace = str(element.tag)[1:].partition("}")[0]
    signed = list(element.iterchildren(f"{{{namespace}}}SignedProperties"))
    if len(signed) > 1:
        raise Refusal("signature.malformed", what="SignedProperties")
    of_signature = {
        name: items[0]
        for holder in signed
        for name, items in _grouped(holder, f"{{{namespace}}}SignedSignatureProperties", (namespace,)).items()
    }
    unsigned = {
        name: items
        for holder in element.iterchildren(f"{{{namespace}}}UnsignedProperties")
        for name, items in _grouped(
            holder, f"{{{namespace}}}UnsignedSignatureProperties", (namespace, XADES141)
        ).items()
    }
    return Properties(namespace, element, signed[0] if signed else None, of_signature, unsigned)


def _grouped(parent: etree._Element, name: str, namespaces: tuple[str, ...]) -> dict[str, list[etree._Element]]:
    found: dict[str, list[etree._Element]] = {}
    holder = next(parent.iterchildren(name), None)
    for child in () if holder is None else holder:
        namespace, _, local = str(child.tag)[1:].partition("}")
        if namespace in namespaces:
            found.setdefault(local, []).append(child)
    return found


def level(properties: Properties | None) -> str:
    """What the signature presents itself as: recognised by its parts, their content is judged elsewhere."""
    if properties is None or properties.signed is None:
        return "XML-DSig"
    baseline = "SigningCertificateV2" in properties.of_signature
    if "ArchiveTimeStamp" in properties.unsigned:
        return "XAdES-B-LTA" if baseline else "XAdES-A"
    if "RevocationValues" in properties.unsigned:
        return "XAdES-B-LT" if baseline else "XAdES-X-L"
    if "SignatureTimeStamp" in properties.unsigned:
        return "XAdES-B-T" if baseline else "XAdES-T"
    if baseline:
        return "XAdES-B-B"
    policy = properties.of_signature.get("SignaturePolicyIdentifier")
    explicit = policy is not None and policy.find(qname(properties.namespace, "SignaturePolicyId")) is not None
    return "XAdES-EPES" if explicit else "XAdES-BES"


def check_binding(properties: Properties, signer: Certificate | None) -> list[Reason]:
    """Whether SigningCertificate (v1 and v2, each where present) names the certificate that really signed."""
    found: list[Reason] = []
    for name in ("SigningCertificate", "SigningCertificateV2"):
        element = properties.of_signature.get(name)
        if element is None:
            continue
        digests = _certificate_digests(element, properties.namespace)
        if signer is None or not any(_names(item, signer) for item in digests):
            found.append(reason("signature.certificate_mismatch", what=name))
        elif all(DIGESTS[item.algorithm].weak for item in digests if item.algorithm in DIGESTS):
            found.append(reason("signature.certificate_digest_sha1"))
    return found


def instant(value: str) -> datetime | None:
    """An xs:dateTime as aware UTC, None when it is not one."""
    match = _TIME.fullmatch(value.strip())
    if not match:
        return None
    whole, fraction, zone = match.groups()
    try:
        local = datetime.fromisoformat(whole + (fraction or "")[:7] + (zone or "+00:00").replace("Z", "+00:00"))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text_of(element: etree._Element | None) -> str:
    """All text below an element: a comment inside does not hide what follows it."""
    return "" if element is None else str(_TEXT(element))


def _certificate_digests(element: etree._Element, namespace: str) -> list[CertificateDigest]:
    found = []
    cert_digest = qname(namespace, "CertDigest")
    digests = (
        item for cert in element.iterchildren(qname(namespace, "Cert")) for item in cert.iterchildren(cert_digest)
    )
    for digest in digests:
        method = next(digest.iterchildren("{*}DigestMethod"), None)
        value = next(digest.iterchildren("{*}DigestValue"), None)
        try:
            decoded = base64.b64decode("".join(text_of(value).split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        found.append(CertificateDigest("" if method is None else method.get("Algorithm", ""), decoded))
    return found


def _names(digest: CertificateDigest, certificate: Certificate) -> bool:
    known = DIGESTS.get(digest.algorithm)
    return known is not None and hashlib.new(known.name, certificate.der).digest() == digest.value


def covers(properties: Properties, covered: Collection[etree._Element]) -> bool:
    """Whether one of these elements, each covered whole by an intact reference, holds the signed properties."""
    if properties.signed is None:
        return False
    return any(item in covered for item in (properties.signed, *properties.signed.iterancestors()))
