"""WS-Security as ePUAP wants it: the Body signed with the institution's certificate (X.509 token profile 1.0).

BinarySecurityToken stands first, the signature after it; one reference to the Body, exclusive C14N, RSA-SHA256; the
parameters in the header are not signed. What comes back is judged by `gateway.signatures.messages`, which is handed in
where a client is made.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import SignatureReference, XMLSigner

from gateway.clock import Clock, SystemClock
from schemas.errors import ConfigError
from schemas.octets import Octets
from schemas.xmldoc import DS, SOAP11, qname

from .soap import WSSE

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
X509_TOKEN = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"  # noqa: S105  # a URI
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_ID = qname(WSU, "Id")


_DS = f"{{{DS}}}"


@dataclass(frozen=True, slots=True)
class StandsFor:
    """`mark` stands once in a message, where `text` (base64) is meant."""

    mark: bytes
    text: Octets


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The institution's key and certificate, loaded once."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def from_pkcs12(cls, content: bytes, password: str) -> MessageKey:
        """Raises ConfigError: wrong password, no key inside, or not an RSA key."""
        try:
            key, certificate, _ = pkcs12.load_key_and_certificates(content, password.encode() or None)
        except ValueError as error:
            problem = "klucz do ePUAP: złe hasło albo plik nie jest PKCS#12 / wrong password or file"
            raise ConfigError([problem]) from error
        if not isinstance(key, rsa.RSAPrivateKey) or certificate is None:
            raise ConfigError(["klucz do ePUAP: potrzebny klucz RSA z certyfikatem / an RSA key with certificate"])
        return cls(key, certificate)


class MessageSigner:
    """Signs requests, and answers where a server signs them. Safe for several threads."""

    def __init__(self, identity: MessageKey, *, lifetime: timedelta | None = None, clock: Clock | None = None) -> None:
        """`lifetime`: send a signed Timestamp that expires after this; None sends none, which ePUAP accepts."""
        self._identity = identity
        self._lifetime = lifetime
        self._clock = clock or SystemClock()

    def sign(self, envelope: etree._Element, big: StandsFor | None = None) -> None:
        """Add `wsse:Security` as the first header block, with token, signature and, if wanted, timestamp.

        Args: big: a mark in the Body, and the text that will stand there: it is signed, and never in memory.
        """
        security = _security(envelope)
        token_id, signed = f"X509-{uuid.uuid4()}", [self._mark(envelope)]
        certificate = self._identity.certificate.public_bytes(Encoding.DER)
        token = etree.SubElement(
            security,
            qname(WSSE, "BinarySecurityToken"),
            {"EncodingType": BASE64, "ValueType": X509_TOKEN, _ID: token_id},
        )
        token.text = base64.b64encode(certificate).decode()
        if self._lifetime is not None:
            signed.append(self._timestamp(security, self._lifetime))
        signature = self._signature(envelope, signed, token_id)
        if big is not None:
            self._sign_anew(signature, envelope, big)
        token.addnext(signature)

    def _mark(self, envelope: etree._Element) -> str:
        body = envelope.find(qname(SOAP11, "Body"))
        assert body is not None, "an envelope without a Body"
        if body.get(_ID) is None:
            body.set(_ID, f"id-{uuid.uuid4()}")
        return body.get(_ID, "")

    def _timestamp(self, security: etree._Element, lifetime: timedelta) -> str:
        now, name = self._clock.now(), f"TS-{uuid.uuid4()}"
        element = etree.SubElement(security, qname(WSU, "Timestamp"), {_ID: name})
        etree.SubElement(element, qname(WSU, "Created")).text = _instant(now)
        etree.SubElement(element, qname(WSU, "Expires")).text = _instant(now + lifetime)
        return name

    def _signature(self, envelope: etree._Element, ids: list[str], token_id: str) -> etree._Element:
        signer = _Signer(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=SignatureMethod.RSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        references = [SignatureReference(URI=f"#{name}") for name in ids]
        signature: etree._Element = signer.sign(
            envelope, key=self._identity.key, reference_uri=references, key_info=_key_info(token_id)
        )
        return signature

    def _sign_anew(self, signature: etree._Element, envelope: etree._Element, big: StandsFor) -> None:
        """signxml has signed the mark. The Body's digest becomes that of the text it stands for."""
        body = envelope.find(qname(SOAP11, "Body"))
        assert body is not None
        reference = f"{_DS}SignedInfo/{_DS}Reference[@URI='#{body.get(_ID)}']/{_DS}DigestValue"
        _found(signature, reference).text = base64.b64encode(_digest(body, big)).decode()
        info = etree.tostring(_found(signature, f"{_DS}SignedInfo"), method="c14n", exclusive=True)
        value = self._identity.key.sign(info, padding.PKCS1v15(), hashes.SHA256())
        _found(signature, f"{_DS}SignatureValue").text = base64.b64encode(value).decode()


class _Signer(XMLSigner):
    """Copies what it signs by writing and reading it, which libxml2 refuses from 10 MB of one text on: a file's."""

    @property
    def parser(self) -> etree.XMLParser:
        """For octets of our own making; nothing foreign comes this way."""
        return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def _found(element: etree._Element, path: str) -> etree._Element:
    found = element.find(path)
    assert found is not None, path
    return found


def _digest(body: etree._Element, big: StandsFor) -> bytes:
    """SHA-256 of the Body's exclusive canonical form, in which base64 stands as it is."""
    before, after = etree.tostring(body, method="c14n", exclusive=True).split(big.mark)
    digest = hashlib.sha256(before)
    for piece in big.text:
        digest.update(piece)
    digest.update(after)
    return digest.digest()


def _security(envelope: etree._Element) -> etree._Element:
    header = envelope.find(qname(SOAP11, "Header"))
    if header is None:
        header = etree.Element(qname(SOAP11, "Header"))
        envelope.insert(0, header)
    security = etree.Element(qname(WSSE, "Security"), nsmap={"wsse": WSSE, "wsu": WSU})
    header.insert(0, security)
    return security


def _key_info(token_id: str) -> etree._Element:
    info = etree.Element(qname(DS, "KeyInfo"), nsmap={"ds": DS})
    pointer = etree.SubElement(info, qname(WSSE, "SecurityTokenReference"), nsmap={"wsse": WSSE})
    etree.SubElement(pointer, qname(WSSE, "Reference"), {"URI": f"#{token_id}", "ValueType": X509_TOKEN})
    return info


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
