"""What a signature carries beside itself: time-stamps on its value, certificates and revocation data (XAdES T, LT).

Nobody signed these, so none is believed for being there: a time-stamp proves itself, revocation data are checked as if
they had been fetched, certificates only help to build a path.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from gateway import timestamps
from gateway.signatures import algorithms, canonical, properties
from gateway.signatures.canonical import NodeSet
from gateway.signatures.properties import Properties
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.references import Document
from gateway.trust.evidence import StampEvidence
from gateway.trust.verdict import RevocationEvidence
from schemas.errors import TrustError
from schemas.verification import Indication, Reason
from schemas.xmldoc import DS, qname

_DEFAULT_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"  # where a time-stamp names none
_MOST_STAMPS = 4
_MOST_PIECES = 32  # of each kind
_METHOD = qname(DS, "CanonicalizationMethod")


@dataclass(frozen=True, slots=True)
class Stamped:
    """The earliest time at which the signature is proven to have existed, if any, and why stamps do not count."""

    evidence: StampEvidence | None = None
    reasons: tuple[Reason, ...] = field(default=())


def stamped(
    value: etree._Element, held: Properties | None, document: Document, judge: timestamps.Judge, at: datetime
) -> Stamped:
    """Check the time-stamps on a signature's value (`value`: its ds:SignatureValue)."""
    found: StampEvidence | None = None
    reasons: list[Reason] = []
    for element in (held.unsigned.get("SignatureTimeStamp", []) if held else [])[:_MOST_STAMPS]:
        try:
            stamp = timestamps.read_token(_decoded(element.find("{*}EncapsulatedTimeStamp")))
            verdict = timestamps.verify(stamp, _octets(value, element, document), judge, at=at)
        except (TrustError, Refusal, KeyError, ValueError):
            reasons.append(reason("signature.time_stamp_unusable"))
            continue
        if verdict.indication is not Indication.PASSED:
            reasons += [reason("signature.time_stamp_unusable"), *verdict.reasons]
        elif found is None or stamp.time < found.time:
            found = StampEvidence(stamp.token, stamp.time, verdict.trust)
    return Stamped(found, tuple(reasons))


def evidence(held: Properties | None) -> RevocationEvidence:
    """Certificates, CRLs and OCSP answers among the unsigned properties; what cannot be read is left out."""
    if held is None:
        return RevocationEvidence()
    parts = [item for name in ("RevocationValues", "CertificateValues") for item in held.unsigned.get(name, [])]

    def pieces(name: str) -> tuple[bytes, ...]:
        return tuple(_pieces(parts, name))[:_MOST_PIECES]

    return RevocationEvidence(
        crls=pieces("EncapsulatedCRLValue"),
        ocsps=pieces("EncapsulatedOCSPValue"),
        certificates=pieces("EncapsulatedX509Certificate"),
    )


def _pieces(parts: list[etree._Element], name: str) -> Iterator[bytes]:
    for part in parts:
        for element in part.iter(f"{{*}}{name}"):
            with suppress(ValueError):
                yield _decoded(element)


def _octets(value: etree._Element, stamp: etree._Element, document: Document) -> bytes:
    method = stamp.find(_METHOD)
    name = _DEFAULT_C14N if method is None else method.get("Algorithm", "")
    nodes = NodeSet(document.tree, document.source, value)
    return canonical.octets(nodes, algorithms.CANONICALIZATIONS[name])


def _decoded(element: etree._Element | None) -> bytes:
    try:
        return base64.b64decode("".join(properties.text_of(element).split()), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
