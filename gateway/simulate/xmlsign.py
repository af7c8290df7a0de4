"""Write an XML signature into a document by bytes, so that the document's own serialization stays as it was.

Made for the simulated citizens and for tests: it writes any shape it is told to, also shapes no honest tool writes.
What each reference digests is given by a function, so nothing here decides what a transform means.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.simulate.pki import Identity, PrivateKey
from schemas.xmldoc import DS, parse, qname

EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SIGNED_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED = '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
EXCLUSIVE = f'<ds:Transform Algorithm="{EXC_C14N}"/>'
NOT_SIGNATURE = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
    f'<ds:XPath xmlns:ds="{DS}">not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>'
)

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    SHA256: hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashes.SHA512,
}
_METHOD_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}

Octets = Callable[[etree._Element], bytes]


@dataclass(frozen=True, slots=True)
class Ref:
    """One ds:Reference to write. `octets` gets the Signature in its document and answers what to digest."""

    uri: str | None
    octets: Octets
    transforms: str = ""  # the ds:Transform elements
    digest: str = SHA256
    type: str | None = None
    id: str | None = None


def sign(
    document: bytes,
    identity: Identity,
    refs: Sequence[Ref],
    *,
    signature_id: str,
    objects: str = "",
    method: str = RSA_SHA256,
    c14n: str = EXC_C14N,
    key_info: str | None = None,
    place: Callable[[bytes, bytes], bytes] | None = None,
) -> bytes:
    """Sign and insert: as last child of the root unless `place` (document, signature) puts it elsewhere."""
    put = place or insert_last
    info = key_info if key_info is not None else x509_data(identity)
    template = _template(refs, signature_id, objects, method, c14n, info)
    signature = _find(put(document, template), signature_id)
    for number, ref in enumerate(refs):
        value = base64.b64encode(_hash(_HASHES[ref.digest](), ref.octets(signature)))
        template = template.replace(b"@digest%d@" % number, value)
    signed_info = _find(put(document, template), signature_id).find(qname(DS, "SignedInfo"))
    assert signed_info is not None
    value = base64.b64encode(raw_signature(identity.key, canonical(signed_info, c14n), method))
    return put(document, template.replace(b"@value@", value))


def canonical(element: etree._Element, algorithm: str) -> bytes:
    """C14N of a sub-element as it stands in its document: exclusive directly, inclusive through a re-parse of it."""
    comments = algorithm.endswith("WithComments")
    if algorithm.startswith(EXC_C14N):
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=comments)
    apart = etree.fromstring(etree.tostring(element, with_tail=False))
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if str(name).startswith("{http://www.w3.org/XML/1998/namespace}") and name not in apart.attrib:
                apart.set(name, value)
    return etree.tostring(apart, method="c14n", with_comments=comments)


def element_octets(element_id: str, algorithm: str = EXC_C14N) -> Octets:
    """The canonical form of the element with this `Id`, wherever it is in the document."""

    def octets(signature: etree._Element) -> bytes:
        (element,) = (item for item in signature.getroottree().iter() if item.get("Id") == element_id)
        return canonical(element, algorithm)

    return octets


def document_octets(document: bytes, *, exclusive: bool = False, keep_signatures: bool = False) -> bytes:
    """The canonical form of a whole document, without any ds:Signature in it unless they are kept."""
    tree = parse(document)
    if not keep_signatures:
        for signature in list(tree.iter(qname(DS, "Signature"))):
            _cut(signature)
    return etree.tostring(tree, method="c14n", exclusive=exclusive, with_comments=False)


def insert_last(document: bytes, signature: bytes) -> bytes:
    """Put a signature before the root's end tag; `<a/>` becomes `<a>…</a>`."""
    end = re.search(rb"</[^<>]+>(?:\s|<!--.*?-->|<\?.*?\?>)*\Z", document, re.DOTALL)
    if end:
        return document[: end.start()] + signature + document[end.start() :]
    empty = re.search(rb"<([^\s<>/!?]+)([^<>]*)/>\s*\Z", document)
    if not empty:
        raise ValueError("no root element to sign into")
    whole = b"<" + empty.group(1) + empty.group(2) + b">" + signature + b"</" + empty.group(1) + b">"
    return document[: empty.start()] + whole


def x509_data(*identities: Identity) -> str:
    """A ds:KeyInfo with these certificates, in this order."""
    der = (base64.b64encode(item.certificate.public_bytes(Encoding.DER)).decode() for item in identities)
    listed = "".join(f"<ds:X509Certificate>{one}</ds:X509Certificate>" for one in der)
    return f"<ds:KeyInfo><ds:X509Data>{listed}</ds:X509Data></ds:KeyInfo>"


def raw_signature(key: PrivateKey, data: bytes, method: str) -> bytes:
    """A signature value as XML signatures hold it: PKCS#1 v1.5, PSS with salt as long as the hash, or r and s."""
    name = re.search(r"sha(1|256|384|512)", method)
    assert name is not None
    hash_ = _METHOD_HASHES[name.group(0)]()
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
        return key.sign(data, pss if method.endswith("-MGF1") else padding.PKCS1v15(), hash_)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hash_)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _template(refs: Sequence[Ref], signature_id: str, objects: str, method: str, c14n: str, key_info: str) -> bytes:
    listed = "".join(_reference(number, ref) for number, ref in enumerate(refs))
    return (
        f'<ds:Signature xmlns:ds="{DS}" Id="{signature_id}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{c14n}"/><ds:SignatureMethod Algorithm="{method}"/>{listed}'
        f'</ds:SignedInfo><ds:SignatureValue Id="value-{signature_id}">@value@</ds:SignatureValue>{key_info}{objects}'
        "</ds:Signature>"
    ).encode()


def _reference(number: int, ref: Ref) -> str:
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in (("Id", ref.id), ("Type", ref.type), ("URI", ref.uri))
        if value is not None
    )
    transforms = f"<ds:Transforms>{ref.transforms}</ds:Transforms>" if ref.transforms else ""
    return (
        f'<ds:Reference{attributes}>{transforms}<ds:DigestMethod Algorithm="{ref.digest}"/>'
        f"<ds:DigestValue>@digest{number}@</ds:DigestValue></ds:Reference>"
    )


def _find(document: bytes, signature_id: str) -> etree._Element:
    for signature in parse(document).iter(qname(DS, "Signature")):
        if signature.get("Id") == signature_id:
            return signature
    raise ValueError(f"no Signature with Id {signature_id}")


def _cut(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        raise ValueError("the root is a signature")
    tail, before = element.tail or "", element.getprevious()
    parent.remove(element)
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail


def _hash(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
