"""XAdES over a receipt, made by signxml: the receipt itself, the submitted file (detached), the signed properties.

Every tool can verify it: enveloped-signature and exclusive C14N for the receipt, plain octets for the file. signxml has
no resolver for a file outside the document; its `signature_annotators`, which run before the value is computed, are
the place where the other two references are added.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import hashes
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from gateway.receipts.seal import SealKey, TimeStamper
from schemas.xmldoc import DS, XADES, qname

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"


def sign(
    root: etree._Element,
    detached: dict[str, str],
    key: SealKey,
    at: datetime,
    *,
    time_stamp: TimeStamper | None = None,
    others_follow: bool = False,
    own_digest: str | None = None,
    mark: UUID | None = None,
) -> bytes:
    """Seal a document as XAdES B-B, or B-T with a time-stamp.

    Args:    root: the document's root, without anything beside it; it is not changed.
             detached: file name → SHA-256, hex, of the original octets of each file sealed with it.
             at: aware; written in UTC.
             others_follow: somebody else will sign the same document; ours then leaves every signature out of what
             it covers (an XPath filter, which signxml's own verifier does not know), not only itself.
             own_digest: of the whole document, base64, where something stands beside its root: signxml leaves that out.
    Returns: the document with the signature as last child of its root, UTF-8 with declaration.
    """
    signer = _Signer(key, detached, at, (mark or uuid4()).hex, others_follow=others_follow, own_digest=own_digest)
    signed = signer.sign(root, key=key.key, cert=[key.certificate, *key.chain], always_add_key_value=False)
    if time_stamp is not None:
        _add_time_stamp(signed, time_stamp)
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def reference_name(file_name: str) -> str:
    """A file's name as a reference's URI: percent-encoded UTF-8, nothing in it looks like a path or a scheme."""
    return quote(file_name, safe="") or "dokument"


class _Signer(XMLSigner):
    """One use: it carries what this one signature is about."""

    def __init__(
        self,
        key: SealKey,
        detached: dict[str, str],
        at: datetime,
        mark: str,
        *,
        others_follow: bool,
        own_digest: str | None,
    ) -> None:
        super().__init__(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=SignatureMethod[key.algorithm],
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        self._seal, self._detached, self._at, self._mark = key, detached, at, mark
        self._others_follow, self._own_digest = others_follow, own_digest
        self.signature_annotators += [self._add_detached, self._add_properties]

    def _build_transforms_for_reference(self, *, transforms_node: etree._Element, **given: Any) -> None:
        super()._build_transforms_for_reference(transforms_node=transforms_node, **given)
        if self._others_follow:
            enveloped = transforms_node[0]
            enveloped.set("Algorithm", _XPATH)
            etree.SubElement(enveloped, qname(DS, "XPath")).text = "not(ancestor-or-self::ds:Signature)"

    def _add_detached(self, signature: etree._Element, **_settings: Any) -> None:
        signature.set("Id", f"id-{self._mark}")
        (own,) = signature.iterfind(f"{qname(DS, 'SignedInfo')}/{qname(DS, 'Reference')}")
        own.set("Id", f"r-{self._mark}-0")
        if self._own_digest is not None:
            next(own.iterchildren(qname(DS, "DigestValue"))).text = self._own_digest
        for number, (name, digest) in enumerate(self._detached.items(), 1):
            _reference(signature, bytes.fromhex(digest), URI=reference_name(name), Id=f"r-{self._mark}-{number}")

    def _add_properties(self, signature: etree._Element, **_settings: Any) -> None:
        holder = etree.SubElement(signature, qname(DS, "Object"))
        qualifying = etree.SubElement(
            holder, qname(XADES, "QualifyingProperties"), nsmap={"xades": XADES}, Target=f"#id-{self._mark}"
        )
        signed = _x(qualifying, "SignedProperties", Id=f"xades-{self._mark}")
        self._signature_properties(_x(signed, "SignedSignatureProperties"))
        formats = _x(signed, "SignedDataObjectProperties")
        for number, mime in enumerate(["text/xml", *(["application/octet-stream"] * len(self._detached))]):
            described = _x(formats, "DataObjectFormat", ObjectReference=f"#r-{self._mark}-{number}")
            _x(described, "MimeType").text = mime
        octets = etree.tostring(signed, method="c14n", exclusive=True)
        _reference(
            signature,
            hashlib.sha256(octets).digest(),
            transform=_EXCLUSIVE,
            Type=_SIGNED_PROPERTIES,
            URI=f"#xades-{self._mark}",
        )

    def _signature_properties(self, parent: etree._Element) -> None:
        _x(parent, "SigningTime").text = self._at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = _x(_x(_x(parent, "SigningCertificateV2"), "Cert"), "CertDigest")
        etree.SubElement(digest, qname(DS, "DigestMethod"), Algorithm=_SHA256)
        value = etree.SubElement(digest, qname(DS, "DigestValue"))
        value.text = _base64(self._seal.certificate.fingerprint(hashes.SHA256()))


def _reference(signature: etree._Element, digest: bytes, transform: str | None = None, **attributes: str) -> None:
    signed_info = signature.find(qname(DS, "SignedInfo"))
    assert signed_info is not None
    reference = etree.SubElement(signed_info, qname(DS, "Reference"), attributes)
    if transform:
        transforms = etree.SubElement(reference, qname(DS, "Transforms"))
        etree.SubElement(transforms, qname(DS, "Transform"), Algorithm=transform)
    etree.SubElement(reference, qname(DS, "DigestMethod"), Algorithm=_SHA256)
    etree.SubElement(reference, qname(DS, "DigestValue")).text = _base64(digest)


def _add_time_stamp(root: etree._Element, time_stamp: TimeStamper) -> None:
    """XAdES-T: the token stamps the canonical SignatureValue element."""
    signature = root.find(qname(DS, "Signature"))
    assert signature is not None
    value = signature.find(qname(DS, "SignatureValue"))
    qualifying = signature.find(f"{qname(DS, 'Object')}/{qname(XADES, 'QualifyingProperties')}")
    assert value is not None
    assert qualifying is not None
    token = time_stamp(etree.tostring(value, method="c14n", exclusive=True, with_tail=False))
    stamp = _x(_x(_x(qualifying, "UnsignedProperties"), "UnsignedSignatureProperties"), "SignatureTimeStamp")
    etree.SubElement(stamp, qname(DS, "CanonicalizationMethod"), Algorithm=_EXCLUSIVE)
    _x(stamp, "EncapsulatedTimeStamp").text = _base64(token)


def _x(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, qname(XADES, name), attributes)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
