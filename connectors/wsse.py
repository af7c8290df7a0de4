"""WS-Security for outgoing SOAP: UsernameToken, Timestamp, and an X.509 signature over the Body and both of them.

zeep's own signature is not used: it defaults to SHA-1 and signs one part. Answers are judged by a verifier handed in
from outside (`AnswerTrust`); where one is asked for and none is there, the connector is refused.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from lxml import etree
from pydantic import Field, SecretStr, model_validator
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import SignatureReference, XMLSigner
from zeep.wsse.username import UsernameToken

from connectors.base import Part
from connectors.clock import now
from schemas.errors import ConnectorError
from schemas.xmldoc import DS, SOAP11, qname

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = f"{_WSS}wssecurity-secext-1.0.xsd"
WSU = f"{_WSS}wssecurity-utility-1.0.xsd"
_X509 = f"{_WSS}x509-token-profile-1.0#X509v3"
_BASE64 = f"{_WSS}soap-message-security-1.0#Base64Binary"
_ID = qname(WSU, "Id")

AnswerTrust = Callable[[tuple[x509.Certificate, ...]], Callable[[bytes], None]]
"""From pinned certificates to a check of a whole answer; the check raises BramaError when it is not to be believed."""


class WsSecurity(Part):
    """What the service wants in the Security header."""

    user: str | None = Field(default=None, description="UsernameToken.")
    password: SecretStr | None = Field(default=None, description="By reference.")
    password_type: Literal["text", "digest"] = Field(default="digest", description="`digest`: nonce and time, hashed.")
    pkcs12: Path | None = Field(default=None, description="Key and certificate that sign Body, Timestamp and token.")
    pkcs12_password: SecretStr | None = Field(default=None, description="By reference.")
    lifetime_s: int = Field(default=300, ge=5, le=3600, description="How long the message is valid.")
    answer_certificates: tuple[Path, ...] = Field(default=(), description="Only answers signed by one of these count.")

    @model_validator(mode="after")
    def _something(self) -> WsSecurity:
        if self.user is None and self.pkcs12 is None:
            raise ValueError("either user or pkcs12 is needed")
        return self


class Plugin(Protocol):
    """What zeep calls before a message leaves."""

    def apply(self, envelope: Any, headers: Any) -> tuple[Any, Any]:
        """Change the envelope."""
        ...


def plugins(options: WsSecurity | None) -> list[Plugin]:
    """zeep's plug-ins for these options. Raises: ConnectorError: the key cannot be read."""
    if options is None:
        return []
    found: list[Plugin] = []
    if options.user is not None:
        password = options.password.get_secret_value() if options.password else ""
        digest = options.password_type == "digest"  # noqa: S105 - no password
        found.append(UsernameToken(options.user, password, use_digest=digest))  # type: ignore[no-untyped-call]
    if options.pkcs12 is not None:
        found.append(_signer(options.pkcs12, options))
    return found


def answer_check(options: WsSecurity | None, trust: AnswerTrust | None) -> Callable[[bytes], None] | None:
    """The check every answer must pass, if the options ask for one. Raises: ConnectorError: nobody can check."""
    if options is None or not options.answer_certificates:
        return None
    if trust is None:
        raise ConnectorError("connector.options_wrong", name="soap", problems="answer_certificates: no verifier here")
    try:
        pinned = tuple(x509.load_pem_x509_certificate(path.read_bytes()) for path in options.answer_certificates)
    except (OSError, ValueError) as error:
        raise ConnectorError(
            "connector.options_wrong", name="soap", problems=f"answer_certificates: {error}"
        ) from error
    return trust(pinned)


class Signer:
    """Signs Body, Timestamp and UsernameToken: exclusive C14N, RSA-SHA256 or ECDSA-SHA256. Safe for several threads."""

    def __init__(self, key: Any, certificate: x509.Certificate, lifetime: timedelta) -> None:
        self._key = key
        self._certificate = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        self._lifetime = lifetime
        self._method = SignatureMethod.ECDSA_SHA256 if hasattr(key, "curve") else SignatureMethod.RSA_SHA256

    def apply(self, envelope: etree._Element, headers: Any) -> tuple[etree._Element, Any]:
        """Add token, timestamp and signature."""
        security = _security(envelope)
        body = envelope.find(qname(etree.QName(envelope).namespace or SOAP11, "Body"))
        user = security.find(qname(WSSE, "UsernameToken"))
        parts = [part for part in (body, self._timestamp(security), user) if part is not None]
        token = etree.Element(qname(WSSE, "BinarySecurityToken"), {"EncodingType": _BASE64, "ValueType": _X509})
        token.text = self._certificate
        token.set(_ID, f"X509-{uuid.uuid4()}")
        security.insert(0, token)
        token.addnext(self._signature(envelope, [_marked(part) for part in parts], str(token.get(_ID))))
        return envelope, headers

    def _timestamp(self, security: etree._Element) -> etree._Element:
        made = now()
        stamp = etree.SubElement(security, qname(WSU, "Timestamp"))
        etree.SubElement(stamp, qname(WSU, "Created")).text = _instant(made)
        etree.SubElement(stamp, qname(WSU, "Expires")).text = _instant(made + self._lifetime)
        return stamp

    def _signature(self, envelope: etree._Element, ids: list[str], token_id: str) -> etree._Element:
        signer = XMLSigner(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=self._method,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        references = [SignatureReference(URI=f"#{name}") for name in ids]
        signed: etree._Element = signer.sign(
            envelope, key=self._key, reference_uri=references, key_info=_key_info(token_id)
        )
        return signed


def _signer(path: Path, options: WsSecurity) -> Signer:
    password = options.pkcs12_password.get_secret_value().encode() if options.pkcs12_password else None
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(path.read_bytes(), password)
    except (OSError, ValueError) as error:
        raise ConnectorError(
            "connector.options_wrong", name="soap", problems=f"pkcs12: {type(error).__name__}"
        ) from error
    if key is None or certificate is None:
        raise ConnectorError("connector.options_wrong", name="soap", problems="pkcs12: no key with a certificate")
    return Signer(key, certificate, timedelta(seconds=options.lifetime_s))


def _security(envelope: etree._Element) -> etree._Element:
    soap = etree.QName(envelope).namespace or SOAP11
    header = envelope.find(qname(soap, "Header"))
    if header is None:
        header = etree.Element(qname(soap, "Header"))
        envelope.insert(0, header)
    security = header.find(qname(WSSE, "Security"))
    if security is None:
        security = etree.SubElement(header, qname(WSSE, "Security"), nsmap={"wsse": WSSE, "wsu": WSU})
    return security


def _marked(part: etree._Element) -> str:
    if part.get(_ID) is None:
        part.set(_ID, f"id-{uuid.uuid4()}")
    return str(part.get(_ID))


def _key_info(token_id: str) -> etree._Element:
    info = etree.Element(qname(DS, "KeyInfo"), nsmap={"ds": DS})
    pointer = etree.SubElement(info, qname(WSSE, "SecurityTokenReference"), nsmap={"wsse": WSSE})
    etree.SubElement(pointer, qname(WSSE, "Reference"), {"URI": f"#{token_id}", "ValueType": _X509})
    return info


def _instant(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.")) + f"{moment.microsecond // 1000:03}Z"
