"""Signed SOAP messages (WS-Security X.509 token profile): is the Body what a pinned certificate signed?

The same strict reading, references and arithmetic as for documents; what differs is where the certificate stands (a
BinarySecurityToken), what must be covered (the Body of this envelope, by place and not by name alone), and trust: the
certificate itself is pinned, per environment, since the other side announces its roll-overs.

A Timestamp counts only where the signature covers it; then the message must be fresh, wherever the Timestamp stands: an
old one cannot be moved out of sight. An unsigned one says nothing and is as good as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree

from gateway.signatures import algorithms, canonical, keys, references, structure, transforms
from gateway.signatures.canonical import SIGNATURE, NodeSet
from gateway.signatures.keys import Certificate
from gateway.signatures.reasons import Refusal
from gateway.signatures.references import Document
from gateway.signatures.structure import DEFAULT_BOUNDS, Bounds, Signature
from schemas.errors import DocumentUnreadable, MessageUntrusted
from schemas.xmldoc import DS, SOAP11, Limits, parse, qname

_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_SECURITY = qname(_WSSE, "Security")
_TOKEN = qname(_WSSE, "BinarySecurityToken")
_POINTER = f"{qname(_WSSE, 'SecurityTokenReference')}/{qname(_WSSE, 'Reference')}"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TIMESTAMP, _CREATED, _EXPIRES = (qname(_WSU, name) for name in ("Timestamp", "Created", "Expires"))
_MINIMUM_RSA_BITS = 2048

CutOut = tuple[bytes, Callable[[], Iterable[bytes]]]  # a mark in a message, and the octets that stood there


@dataclass(frozen=True)
class MessageTrust:
    """Certificates believed for messages, nothing else; `at` is asked for the moment of judging."""

    certificates: tuple[x509.Certificate, ...]
    timestamp_required: bool = False  # a message without a signed Timestamp could be an old one
    clock_skew: timedelta = timedelta(minutes=5)  # how far the other side's clock may be from ours
    signed_headers: frozenset[str] = frozenset()  # namespaces whose header blocks must be signed as well
    bounds: Bounds = DEFAULT_BOUNDS
    size_limit_bytes: int = 256 * 1024 * 1024

    def check(self, message: bytes, at: datetime | None = None, *, cut_out: CutOut | None = None) -> None:
        """Return only if the Body of this message is signed by a pinned certificate that is valid at `at` (now).

        Args:   cut_out: octets too big for memory that a mark stands for; digested in its place, piece by piece.
        Raises: MessageUntrusted: `message.unreadable`, `.unsigned`, `.signature_malformed`, `.certificate_unknown`,
                `.certificate_expired`, `.algorithm_weak`, `.signature_broken`, `.body_not_signed`,
                `.header_not_signed`, `.timestamp_missing`, `.timestamp_invalid`, `.not_fresh`.
        """
        try:
            tree = parse(message, Limits(size_bytes=self.size_limit_bytes))
        except DocumentUnreadable as error:
            raise MessageUntrusted("message.unreadable", reason=error.code) from error
        body, element = _parts(tree)
        document = Document(tree, message, {}, self.bounds)
        try:
            signature = structure.read(element, self.bounds)
            certificate = _certificate(signature, document)
        except (Refusal, ValueError) as error:
            raise MessageUntrusted("message.signature_malformed", reason=str(error)) from error
        now = at or datetime.now(UTC)
        self._check_certificate(certificate, now)
        _check_value(signature, certificate, document)
        covered = _covered(signature, document, cut_out)
        if not any(target is body for target in covered):
            raise MessageUntrusted("message.body_not_signed")
        self._check_headers(tree, covered)
        self._check_freshness(covered, now)

    def _check_certificate(self, certificate: Certificate, at: datetime) -> None:
        if certificate.sha256 not in _digests(self.certificates):
            raise MessageUntrusted("message.certificate_unknown", sha256=certificate.sha256)
        if not certificate.x509.not_valid_before_utc <= at <= certificate.x509.not_valid_after_utc:
            raise MessageUntrusted("message.certificate_expired", sha256=certificate.sha256)

    def _check_headers(self, tree: etree._ElementTree, covered: list[etree._Element]) -> None:
        for block in tree.getroot().iterfind(f"{qname(SOAP11, 'Header')}/*"):
            name = etree.QName(block)
            if name.namespace in self.signed_headers and not any(target is block for target in covered):
                raise MessageUntrusted("message.header_not_signed", block=name.localname[:80])

    def _check_freshness(self, covered: list[etree._Element], now: datetime) -> None:
        stamps = [target for target in covered if target.tag == _TIMESTAMP]
        if self.timestamp_required and not stamps:
            raise MessageUntrusted("message.timestamp_missing")
        for stamp in stamps:
            created, expires = _instant(stamp, _CREATED), _instant(stamp, _EXPIRES)
            if (created and created > now + self.clock_skew) or (expires and expires < now - self.clock_skew):
                raise MessageUntrusted("message.not_fresh")
            if self.timestamp_required and not expires and (not created or created < now - self.clock_skew):
                raise MessageUntrusted("message.not_fresh")


def answer_trust(certificates: tuple[x509.Certificate, ...]) -> Callable[[bytes], None]:
    """What connectors are given for signed answers (connectors.wsse.AnswerTrust): a check against these alone."""
    return MessageTrust(certificates).check


def _parts(tree: etree._ElementTree) -> tuple[etree._Element, etree._Element]:
    """The Body and the one signature in the header, each by its place; anything ambiguous counts as unsigned."""
    root = tree.getroot()
    bodies, headers = root.findall(qname(SOAP11, "Body")), root.findall(qname(SOAP11, "Header"))
    securities = [item for header in headers for item in header.findall(_SECURITY)]
    signatures = [item for security in securities for item in security.findall(SIGNATURE)]
    if root.tag != qname(SOAP11, "Envelope") or (len(bodies), len(headers), len(signatures)) != (1, 1, 1):
        raise MessageUntrusted("message.unsigned")
    return bodies[0], signatures[0]


def _certificate(signature: Signature, document: Document) -> Certificate:
    """The certificate in the token that KeyInfo points at, or in an X509Data of KeyInfo itself."""
    if signature.key_info is None:
        raise Refusal("signature.no_key")
    pointer = signature.key_info.find(_POINTER)
    if pointer is None:
        found = signature.key_info.find(f"{qname(DS, 'X509Data')}/{qname(DS, 'X509Certificate')}")
    else:
        found = document.by_id(pointer.get("URI", "").removeprefix("#"))
        if found.tag != _TOKEN:
            raise Refusal("signature.no_key")
    if found is None:
        raise Refusal("signature.no_key")
    return keys.certificate(transforms.decode(structure.plain_text(found)))


def _check_value(signature: Signature, certificate: Certificate, document: Document) -> None:
    method, key = signature.method, certificate.key
    if method is None or method.weak or key is None or not algorithms.fits(method, key):
        raise MessageUntrusted("message.algorithm_weak", algorithm=signature.method_name)
    if getattr(key, "key_size", 0) < _MINIMUM_RSA_BITS and method.family in ("rsa", "pss"):
        raise MessageUntrusted("message.algorithm_weak", algorithm=f"rsa {getattr(key, 'key_size', 0)}")
    nodes = NodeSet(document.tree, document.source, signature.signed_info, comments=True)
    try:
        data = canonical.octets(nodes, signature.canonicalization, signature.prefixes)
        held = algorithms.verifies(method, key, signature.value, data)
    except Refusal as refusal:
        raise MessageUntrusted("message.signature_malformed", reason=refusal.reason.code) from refusal
    if not held:
        raise MessageUntrusted("message.signature_broken", what="SignedInfo")


def _covered(signature: Signature, document: Document, cut_out: CutOut | None) -> list[etree._Element]:
    """The elements that are signed whole; every reference must hold. Raises MessageUntrusted."""
    digest = _digest_with(cut_out) if cut_out else references.digest
    outcomes = [references.check(item, signature, document, digest) for item in signature.references]
    for outcome in outcomes:
        if not outcome.intact:
            code = outcome.reason.code if outcome.reason else ""
            raise MessageUntrusted("message.signature_broken", what=code)
        if outcome.reference.digest is None or outcome.reference.digest.weak:
            raise MessageUntrusted("message.algorithm_weak", algorithm="sha1")
    whole = [outcome for outcome in outcomes if references.is_canonical_only(outcome.reference.steps)]
    return [outcome.target for outcome in whole if outcome.target is not None]


def _digest_with(cut_out: CutOut) -> Callable[[str, bytes], bytes]:
    """A digest that takes what was cut out in place of its mark; the mark itself is nothing anybody signed."""
    mark, cut = cut_out

    def digest(name: str, octets: bytes) -> bytes:
        before, found, after = octets.partition(mark)
        computed = hashlib.new(name, before)
        for piece in cut() if found else ():
            computed.update(piece)
        computed.update(after)
        return computed.digest()

    return digest


def _instant(stamp: etree._Element, tag: str) -> datetime | None:
    """A moment of a Timestamp, once or not at all; without a zone it is UTC, as the standard wants it."""
    written = [(item.text or "").strip() for item in stamp.findall(tag)]
    try:
        read = [datetime.fromisoformat(one) for one in written]
    except ValueError as error:
        raise MessageUntrusted("message.timestamp_invalid") from error
    if len(read) > 1:
        raise MessageUntrusted("message.timestamp_invalid")
    return next((one if one.tzinfo else one.replace(tzinfo=UTC) for one in read), None)


def _digests(certificates: Collection[x509.Certificate]) -> frozenset[str]:
    return frozenset(item.fingerprint(hashes.SHA256()).hex() for item in certificates)
