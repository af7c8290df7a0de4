"""SOAP messages of the simulated ePUAP: built, signed and verified here, apart from `gateway.transport`."""

from __future__ import annotations

import base64
import hashlib
import re
from uuid import uuid4
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.simulate import xmlsign
from gateway.simulate.pki import Identity
from schemas.xmldoc import DS, OBI, SOAP11, parse, qname

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"


def envelope(body: str, body_id: str = "") -> bytes:
    """An answer in the prefixes ePUAP's stack writes; `body` is markup."""
    mark = f' xmlns:wsu="{WSU}" wsu:Id="{body_id}"' if body_id else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="{SOAP11}"><soapenv:Header/>'
        f"<soapenv:Body{mark}>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def signed_envelope(body: str, identity: Identity) -> bytes:
    """The same with WS-Security over the Body."""
    mark, token = f"id-{uuid4()}", f"X509-{uuid4()}"
    plain = envelope(body, mark)
    pointer = f'<wsse:SecurityTokenReference xmlns:wsse="{WSSE}"><wsse:Reference URI="#{token}" ValueType="{_X509}"/>'
    reference = xmlsign.Ref(f"#{mark}", lambda signature: _body_octets(signature.getroottree()), xmlsign.EXCLUSIVE)
    return xmlsign.sign(
        plain, identity, (reference,), signature_id=f"SIG-{uuid4()}",
        key_info=f"<ds:KeyInfo>{pointer}</wsse:SecurityTokenReference></ds:KeyInfo>",
        place=lambda document, signature: _with_header(document, signature, token, identity),
    )  # fmt: skip


def fault(number: int, text: str, namespace: str = OBI, element: str = "Wyjatek") -> str:
    """A Fault as markup, with ePUAP's detail."""
    said = f"<kod>{number}</kod><komunikat>{escape(text)}</komunikat>"
    return (
        f"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{escape(text)}</faultstring>"
        f'<detail><f:{element} xmlns:f="{namespace}">{said}</f:{element}></detail></soapenv:Fault>'
    )


def is_signed(message: bytes, allowed: frozenset[str]) -> bool:
    """Is the Body signed as ePUAP demands (RSA-SHA256, exclusive C14N), by a certificate of `allowed` (SHA-256 hex)?

    An empty `allowed` takes any certificate.
    """
    root = parse(message).getroot()
    security, body = root.find(f"{qname(SOAP11, 'Header')}/{qname(WSSE, 'Security')}"), root.find(qname(SOAP11, "Body"))
    if security is None or body is None or len(security) < 2 or security[0].tag != qname(WSSE, "BinarySecurityToken"):
        return False
    certificate = x509.load_der_x509_certificate(base64.b64decode(security[0].text or ""))
    signed_info = security.find(f"{qname(DS, 'Signature')}/{qname(DS, 'SignedInfo')}")
    if signed_info is None or (allowed and certificate.fingerprint(hashes.SHA256()).hex() not in allowed):
        return False
    digest = base64.b64encode(hashlib.sha256(_exclusive(body)).digest()).decode()
    wanted = {
        item.get("URI"): item.findtext(qname(DS, "DigestValue")) for item in signed_info.iter(qname(DS, "Reference"))
    }
    value = base64.b64decode(security.findtext(f"{qname(DS, 'Signature')}/{qname(DS, 'SignatureValue')}", ""))
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(value, _exclusive(signed_info), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return wanted.get(f"#{body.get(qname(WSU, 'Id'))}") == digest


def _body_octets(tree: etree._ElementTree) -> bytes:
    body = tree.getroot().find(qname(SOAP11, "Body"))
    assert body is not None
    return _exclusive(body)


def _exclusive(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True)


def _with_header(document: bytes, signature: bytes, token: str, identity: Identity) -> bytes:
    der = base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode()
    security = (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"><wsse:BinarySecurityToken EncodingType="{_BASE64}" '
        f'ValueType="{_X509}" wsu:Id="{token}">{der}</wsse:BinarySecurityToken>'
    ).encode()
    header = b"<soapenv:Header>" + security + signature + b"</wsse:Security></soapenv:Header>"
    return re.sub(rb"<soapenv:Header/>", lambda _: header, document, count=1)
