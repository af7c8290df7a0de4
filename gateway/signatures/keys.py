"""Candidate keys from ds:KeyInfo, and which of them really made the signature. KeyInfo is a hint, never trust."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from lxml import etree

from gateway.signatures import algorithms
from gateway.signatures.algorithms import PublicKey
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.structure import Bounds, plain_text
from gateway.signatures.transforms import decode
from gateway.trust.verdict import certificate_of
from schemas.verification import Reason
from schemas.xmldoc import DS, qname

T = TypeVar("T")

_DS11 = "http://www.w3.org/2009/xmldsig11#"
_CERTIFICATE = qname(DS, "X509Certificate")
_MAX_CERTIFICATE = 64 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate as found, with what is asked of it again and again. `key` is None when of a kind we do not know.

    The same octets give the same object as long as it is remembered, so it is compared by identity.
    """

    x509: x509.Certificate
    der: bytes
    sha256: str
    key: PublicKey | None


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a signature offers: certificates in their order, and bare keys."""

    certificates: tuple[Certificate, ...] = ()
    values: tuple[PublicKey, ...] = ()
    notes: tuple[Reason, ...] = ()


@functools.lru_cache(maxsize=1024)
def certificate(der: bytes) -> Certificate:
    """Parse and keep: the same certificate comes with thousands of documents. Raises ValueError."""
    parsed = certificate_of(der)
    return Certificate(parsed, der, parsed.fingerprint(hashes.SHA256()).hex(), _public_key(parsed))


def read(element: etree._Element | None, bounds: Bounds) -> KeyInfo:
    """What KeyInfo offers. Raises Refusal `signature.too_many`; whatever else is wrong is in `notes`."""
    certificates: list[Certificate] = []
    values: list[PublicKey] = []
    notes: list[Reason] = []
    if element is None:
        return KeyInfo()
    for part in element:
        if part.tag == qname(DS, "X509Data"):
            certificates += _readable(part.iterchildren(_CERTIFICATE), _certificate, notes)
        elif part.tag == qname(DS, "KeyValue"):
            values += _readable(part.iterchildren("{*}*"), _key_value, notes)
        elif part.tag == qname(DS, "RetrievalMethod"):
            notes.append(reason("signature.reference_refused", what="RetrievalMethod"))  # never followed
        if len(certificates) > bounds.certificates or len(values) > bounds.certificates:
            raise Refusal("signature.too_many", what="KeyInfo", limit=bounds.certificates)
    return KeyInfo(tuple(certificates), tuple(values), tuple(notes))


def _readable(
    elements: Iterable[etree._Element], read_one: Callable[[etree._Element, list[Reason]], T], notes: list[Reason]
) -> Iterator[T]:
    """What cannot be read is noted and left out: another key beside it may still tell whether the value holds."""
    for element in elements:
        try:
            yield read_one(element, notes)
        except Refusal as refusal:
            notes.append(refusal.reason)


def _certificate(element: etree._Element, notes: list[Reason]) -> Certificate:
    text = plain_text(element, notes)
    if len(text) > _MAX_CERTIFICATE:
        raise Refusal("signature.too_costly", what="X509Certificate")
    try:
        return certificate(decode(text))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refusal("signature.malformed", what="X509Certificate") from error


def _public_key(parsed: x509.Certificate) -> PublicKey | None:
    try:
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, dsa.DSAPublicKey)) else None


def _key_value(element: etree._Element, _notes: list[Reason]) -> PublicKey:
    try:
        if element.tag == qname(DS, "RSAKeyValue"):
            return rsa.RSAPublicNumbers(_number(element, DS, "Exponent"), _number(element, DS, "Modulus")).public_key()
        if element.tag == qname(DS, "DSAKeyValue"):
            p, q, g, y = (_number(element, DS, name) for name in ("P", "Q", "G", "Y"))
            return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()
        if element.tag == qname(_DS11, "ECKeyValue"):
            named = element.find(qname(_DS11, "NamedCurve"))
            curve = algorithms.curve("" if named is None else named.get("URI", "").removeprefix("urn:oid:"))
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, _octets(element, _DS11, "PublicKey"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refusal("signature.malformed", what="KeyValue") from error
    raise Refusal("signature.algorithm_refused", algorithm=etree.QName(element).localname[:80])


def _number(parent: etree._Element, namespace: str, name: str) -> int:
    return int.from_bytes(_octets(parent, namespace, name), "big")


def _octets(parent: etree._Element, namespace: str, name: str) -> bytes:
    element = parent.find(qname(namespace, name))
    if element is None:
        raise Refusal("signature.malformed", what="KeyValue")
    text = plain_text(element)
    if len(text) > _MAX_CERTIFICATE:
        raise Refusal("signature.too_costly", what="KeyValue")
    return decode(text)
