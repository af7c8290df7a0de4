"""Find what a reference points at, in this document or among what the caller gave; nothing is ever fetched."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lxml import etree

from gateway.signatures import transforms
from gateway.signatures.canonical import NodeSet
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.structure import Bounds, Reference, Signature
from gateway.signatures.transforms import Data, Step
from schemas.verification import Reason

_ID_ATTRIBUTES = etree.XPath("//@*[translate(local-name(), 'ID', 'id') = 'id']")
_ID_ATTRIBUTE = etree.XPath("//@*[. = $value][translate(local-name(), 'ID', 'id') = 'id']")
_RESOLVABLE = frozenset(
    {
        "Id",
        "ID",
        "id",
        "{http://www.w3.org/XML/1998/namespace}id",
        "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id",
    }
)
_XPOINTER_ID = re.compile(r"""#xpointer\(id\((?:'([^']*)'|"([^"]*)")\)\)""")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|\\")


@dataclass(slots=True)
class Document:
    """The document under verification: its tree, its Id index (built once, when asked for again), a work budget."""

    tree: etree._ElementTree
    source: bytes = field(repr=False)
    detached: Mapping[str, bytes] = field(repr=False)
    bounds: Bounds
    spent_octets: int = 0
    _ids: dict[str, list[Any]] | None = None  # lxml's strings, which know their attribute and element
    _searches: int = 0
    _digested: dict[tuple[object, ...], bytes] = field(default_factory=dict, repr=False)

    def by_id(self, value: str) -> etree._Element:
        """The one element with this Id. Raises Refusal: `signature.reference_missing`, `signature.id_ambiguous`.

        Any attribute called Id, in any case and namespace, counts against another: a second one is an attack on
        whoever reads the document with other eyes than ours.
        """
        found = self._look_up(value)
        if len(found) > 1:
            raise Refusal("signature.id_ambiguous")
        if not found or found[0].attrname not in _RESOLVABLE:
            raise Refusal("signature.reference_missing")
        holder: etree._Element | None = found[0].getparent()
        assert holder is not None  # an attribute always has its element
        return holder

    def _look_up(self, value: str) -> list[Any]:
        """Attributes with this value: the first search runs alone, the second builds the index of all."""
        if self._ids is not None:
            return self._ids.get(value, [])
        self._searches += 1
        if self._searches == 1:
            return _ID_ATTRIBUTE(self.tree, value=value)  # type: ignore[return-value]
        self._ids = {}
        for attribute in _ID_ATTRIBUTES(self.tree):  # type: ignore[union-attr]
            self._ids.setdefault(str(attribute), []).append(attribute)
        return self._ids.get(value, [])

    def charge(self, octets: int) -> None:
        """Count octets copied or canonicalized against the budget. Raises Refusal: `signature.too_costly`."""
        self.spent_octets += octets
        if self.spent_octets > max(self.bounds.handled_octets, 16 * len(self.source)):
            raise Refusal("signature.too_costly", what="Reference")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reference, checked. `target` is the element selected (None: the document, or detached data)."""

    reference: Reference
    intact: bool | None
    octets: bytes | None = field(default=None, repr=False)
    target: etree._Element | None = None
    nodes: NodeSet | None = None
    detached: bool = False
    reason: Reason | None = None


def digest(name: str, octets: bytes) -> bytes:
    """`name` as hashlib knows it."""
    computed: bytes = getattr(hashlib, name)(octets).digest()  # faster than hashlib.new, the same thing
    return computed


def check(
    reference: Reference, signature: Signature, document: Document, digest: Callable[[str, bytes], bytes] = digest
) -> Outcome:
    """Dereference, transform, digest, compare. Never raises Refusal: the outcome carries the reason.

    Args: digest: (algorithm, octets) → value; for octets that are not all in memory (see `messages`).
    """
    data: Data | None = None
    try:
        if reference.refusal is not None:
            raise reference.refusal
        data = _dereference(reference.uri, document)
        if data is None:
            return Outcome(reference, None, detached=True, reason=_missing(reference.uri or ""))
        octets = _transformed(reference, data, signature, document)
    except Refusal as refusal:
        return Outcome(reference, None, detached=isinstance(data, bytes), reason=refusal.reason)
    assert reference.digest is not None
    intact = hmac.compare_digest(digest(reference.digest.name, octets), reference.value)
    nodes = data if isinstance(data, NodeSet) else None
    return Outcome(
        reference,
        intact,
        octets if intact else None,
        target=nodes.apex if nodes else None,
        nodes=nodes,
        detached=nodes is None,
        reason=None if intact else reason("signature.digest_mismatch", uri=_shown(reference.uri)),
    )


def is_canonical_only(steps: tuple[Step, ...]) -> bool:
    """Whether these steps leave nothing of what was selected out."""
    return all(step.kind == "c14n" for step in steps)


def _transformed(reference: Reference, data: Data, signature: Signature, document: Document) -> bytes:
    if isinstance(data, bytes):
        key: tuple[object, ...] = (reference.uri, reference.steps)
    else:
        own = signature.element if transforms.OWN_SIGNATURE in reference.steps else None
        key = (data.apex, data.comments, reference.steps, own)
    octets = document._digested.get(key)
    if octets is None:
        if any(step.kind in ("own_signature", "subtrees") for step in reference.steps):
            document.charge(len(document.source))  # what is cut, is cut from a copy
        octets = transforms.apply(data, reference.steps, signature.element)
        document.charge(len(octets))
        document._digested[key] = octets
    return octets


def _dereference(uri: str | None, document: Document) -> Data | None:
    if uri is None:
        raise Refusal("signature.reference_refused", what="URI")
    if uri == "":
        return NodeSet(document.tree, document.source)
    if uri == "#xpointer(/)":
        return NodeSet(document.tree, document.source, comments=True)
    if uri.startswith("#"):
        pointer = _XPOINTER_ID.fullmatch(uri)
        if pointer:
            return NodeSet(
                document.tree, document.source, document.by_id(pointer[1] or pointer[2] or ""), comments=True
            )
        if uri.startswith("#xpointer("):
            raise Refusal("signature.reference_refused", what="xpointer")
        return NodeSet(document.tree, document.source, document.by_id(uri[1:]))
    return document.detached.get(uri, document.detached.get(unquote(uri)))


def _missing(uri: str) -> Reason:
    remote = "yes" if _REMOTE.match(uri) else "no"
    return reason("signature.detached_missing", uri=_shown(uri), remote=remote)


def _shown(uri: str | None) -> str:
    return "" if uri is None else uri[:120]
