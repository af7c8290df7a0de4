"""XAdES over a document of ours: the document itself, a submitted file (detached), the signed properties.

Every tool can verify it: enveloped-signature and exclusive C14N for the document, plain octets for the file. Whatever
is digested or signed stands in the document in its canonical form, with namespaces declared again wherever exclusive
C14N would declare them. So what is written is what is hashed, and nothing is built, copied or canonicalized for the
signature's sake; that each piece really is canonical, tests ask of libxml2, the JDK, xmlsec1, signxml and DSS.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.receipts.seal import SealKey, TimeStamper
from schemas.xmldoc import DS, XADES

_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_DS, _XADES = f' xmlns:ds="{DS}"', f' xmlns:xades="{XADES}"'
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TO_EXCLUSIVE = f'<ds:Transform Algorithm="{_EXCLUSIVE}"></ds:Transform>'
_LESS_OWN_SIGNATURE = f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
_LESS_EVERY_SIGNATURE = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
    "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>"
)
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def sign(
    written: bytes,
    detached: Mapping[str, str],
    key: SealKey,
    at: datetime,
    *,
    time_stamp: TimeStamper | None = None,
    others_follow: bool = False,
) -> bytes:
    """Seal a document as XAdES B-B, or B-T with a time-stamp.

    Args:    written: the root element in exclusive canonical form, nothing beside it.
             detached: file name → SHA-256, hex, of the original octets of each file sealed with it.
             at: aware; written in UTC.
             others_follow: somebody else will sign the same document; ours then leaves every signature out of what
             it covers (an XPath filter, which signxml's own verifier does not know), not only itself.
    Returns: the document with the signature as last child of its root, UTF-8 with declaration.
    """
    digest = hashlib.sha256(written).digest()
    made = signature(digest, detached, key, at, time_stamp=time_stamp, others_follow=others_follow)
    return _DECLARATION + set_in(written, made)


def set_in(octets: bytes, made: bytes) -> bytes:
    """A document with a signature as last child of its root. `octets`: UTF-8; nothing follows the root's end tag."""
    end = octets.rindex(b"</")
    return octets[:end] + made + octets[end:]


def signature(
    own_digest: bytes,
    detached: Mapping[str, str],
    key: SealKey,
    at: datetime,
    *,
    time_stamp: TimeStamper | None = None,
    others_follow: bool = False,
) -> bytes:
    """The `ds:Signature` for a document, to be set into it; further args as of `sign`.

    Args: own_digest: SHA-256 of the document's exclusive C14N without comments and without any signature.
    """
    mark = uuid4().hex
    properties = _signed_properties(mark, len(detached), key, at)
    transforms = (_LESS_EVERY_SIGNATURE if others_follow else _LESS_OWN_SIGNATURE) + _TO_EXCLUSIVE
    info = (
        f'<ds:SignedInfo{_DS}><ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{key.method}"></ds:SignatureMethod>'
        + _reference(f'Id="r-{mark}-0" URI=""', own_digest, transforms)
        + "".join(
            _reference(f'Id="r-{mark}-{number}" URI="{reference_name(name)}"', bytes.fromhex(digest))
            for number, (name, digest) in enumerate(detached.items(), 1)
        )
        + _reference(f'Type="{_SIGNED_PROPERTIES}" URI="#xades-{mark}"', _sha256(properties), _TO_EXCLUSIVE)
        + "</ds:SignedInfo>"
    )
    value = f"<ds:SignatureValue{_DS}>{_base64(key.sign(info.encode()))}</ds:SignatureValue>"
    stamped = _unsigned_properties(time_stamp(value.encode())) if time_stamp is not None else ""
    return (
        f'<ds:Signature{_DS} Id="id-{mark}">{info}{value}{_key_info((key.certificate, *key.chain))}'
        f'<ds:Object><xades:QualifyingProperties{_XADES} Target="#id-{mark}">{properties}{stamped}'
        f"</xades:QualifyingProperties></ds:Object></ds:Signature>"
    ).encode()


def reference_name(file_name: str) -> str:
    """A file's name as a reference's URI: percent-encoded UTF-8, nothing in it looks like a path or a scheme."""
    return quote(file_name, safe="") or "dokument"


def _reference(attributes: str, digest: bytes, transforms: str = "") -> str:
    listed = f"<ds:Transforms>{transforms}</ds:Transforms>" if transforms else ""
    return (
        f'<ds:Reference {attributes}>{listed}<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_base64(digest)}</ds:DigestValue></ds:Reference>"
    )


def _signed_properties(mark: str, files: int, key: SealKey, at: datetime) -> str:
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#r-{mark}-{number}"><xades:MimeType>{mime}</xades:MimeType>'
        "</xades:DataObjectFormat>"
        for number, mime in enumerate(["text/xml", *["application/octet-stream"] * files])
    )
    return (
        f'<xades:SignedProperties{_XADES} Id="xades-{mark}"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>"
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<ds:DigestMethod{_DS} Algorithm="{_SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue{_DS}>{_certificate_digest(key.certificate)}</ds:DigestValue>"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties></xades:SignedProperties>"
    )


def _unsigned_properties(token: bytes) -> str:
    """XAdES-T: the token stamps the canonical SignatureValue element."""
    return (
        "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
        f'<ds:CanonicalizationMethod{_DS} Algorithm="{_EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f"<xades:EncapsulatedTimeStamp>{_base64(token)}</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    )


@functools.lru_cache(maxsize=16)
def _key_info(certificates: tuple[x509.Certificate, ...]) -> str:
    listed = (_base64(item.public_bytes(Encoding.DER)) for item in certificates)
    held = "".join(f"<ds:X509Certificate>{item}</ds:X509Certificate>" for item in listed)
    return f"<ds:KeyInfo><ds:X509Data>{held}</ds:X509Data></ds:KeyInfo>"


@functools.lru_cache(maxsize=16)
def _certificate_digest(certificate: x509.Certificate) -> str:
    return _base64(certificate.fingerprint(hashes.SHA256()))


def _sha256(canonical: str) -> bytes:
    return hashlib.sha256(canonical.encode()).digest()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
