"""Read one ds:Signature strictly: the order and number of its parts as the schema has them, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from gateway.signatures import transforms
from gateway.signatures.algorithms import (
    CANONICALIZATIONS,
    DIGESTS,
    METHODS,
    PSS_PARAMETERS,
    PSS_WITH_PARAMETERS,
    Canonicalization,
    Digest,
    Method,
    pss,
)
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.transforms import Step, decode
from schemas.verification import Reason
from schemas.xmldoc import DS, qname

_SIGNED_INFO = qname(DS, "SignedInfo")
_VALUE = qname(DS, "SignatureValue")
_KEY_INFO = qname(DS, "KeyInfo")
_OBJECT = qname(DS, "Object")
_C14N_METHOD = qname(DS, "CanonicalizationMethod")
_METHOD = qname(DS, "SignatureMethod")
_REFERENCE = qname(DS, "Reference")
_TRANSFORMS = qname(DS, "Transforms")
_DIGEST_METHOD = qname(DS, "DigestMethod")
_DIGEST_VALUE = qname(DS, "DigestValue")


@dataclass(frozen=True, slots=True)
class Reference:
    """One ds:Reference. `refusal` holds why it cannot be processed, when it cannot; the others still are."""

    uri: str | None
    type: str | None
    steps: tuple[Step, ...] = ()
    digest: Digest | None = None
    value: bytes = b""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """One ds:Signature, read; nothing in it is believed yet. `method` is None when its algorithm is refused."""

    element: etree._Element
    id: str | None
    signed_info: etree._Element
    canonicalization: Canonicalization
    prefixes: tuple[str, ...]
    method: Method | None
    method_name: str
    references: tuple[Reference, ...]
    value_element: etree._Element
    value: bytes
    key_info: etree._Element | None
    objects: tuple[etree._Element, ...]
    notes: tuple[Reason, ...] = ()  # what is wrong with how it is written, though it can be judged


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one document's signatures may ask of us. Counts, except `handled_octets`."""

    signatures: int = 32
    references: int = 64  # per signature
    transforms: int = 4  # per reference
    handled_octets: int = 6 * 1024 * 1024  # copied and canonicalized over all references; sixteen documents at least
    certificates: int = 16  # per KeyInfo


DEFAULT_BOUNDS = Bounds()


@dataclass(slots=True)
class Cursor:
    """Children in order; each is taken once, and nothing may be left over."""

    what: str
    children: list[etree._Element] = field(default_factory=list)

    @classmethod
    def of(cls, element: etree._Element, what: str) -> Cursor:
        """The element children; text between them must be white space."""
        text = element.text
        if text and not text.isspace():
            raise Refusal("signature.malformed", what=what)
        children = []
        for child in element:
            tail = child.tail
            if tail and not tail.isspace():
                raise Refusal("signature.malformed", what=what)
            if isinstance(child.tag, str):
                children.append(child)
        children.reverse()
        return cls(what, children)

    def take(self, name: str) -> etree._Element:
        """The next child, which must have this name."""
        found = self.maybe(name)
        if found is None:
            raise Refusal("signature.malformed", what=self.what)
        return found

    def maybe(self, name: str) -> etree._Element | None:
        """The next child, if it has this name."""
        return self.children.pop() if self.children and self.children[-1].tag == name else None

    def all(self, name: str) -> tuple[etree._Element, ...]:
        """Every following child of this name."""
        found = []
        while (child := self.maybe(name)) is not None:
            found.append(child)
        return tuple(found)

    def end(self) -> None:
        """Nothing may be left."""
        if self.children:
            raise Refusal("signature.malformed", what=self.what)


def read(element: etree._Element, bounds: Bounds) -> Signature:
    """Raises Refusal: `signature.malformed`, `.too_many`, `.not_base64`, `.algorithm_refused` (canonicalization)."""
    parts = Cursor.of(element, "Signature")
    signed_info = parts.take(_SIGNED_INFO)
    value = parts.take(_VALUE)
    key_info = parts.maybe(_KEY_INFO)
    objects = parts.all(_OBJECT)
    parts.end()

    inner = Cursor.of(signed_info, "SignedInfo")
    c14n, method = inner.take(_C14N_METHOD), inner.take(_METHOD)
    references = inner.all(_REFERENCE)
    inner.end()
    if not references:
        raise Refusal("signature.malformed", what="SignedInfo")
    if len(references) > bounds.references:
        raise Refusal("signature.too_many", what="Reference", limit=bounds.references)
    notes: list[Reason] = []
    if c14n.get("Algorithm") not in CANONICALIZATIONS:
        raise Refusal("signature.algorithm_refused", algorithm=str(c14n.get("Algorithm"))[:120])
    return Signature(
        element=element,
        id=element.get("Id"),
        signed_info=signed_info,
        canonicalization=CANONICALIZATIONS[c14n.get("Algorithm", "")],
        prefixes=transforms.inclusive_prefixes(c14n),
        method=_method(method),
        method_name=str(method.get("Algorithm"))[:120],
        references=tuple(read_reference(item, bounds, notes) for item in references),
        value_element=value,
        value=decode(plain_text(value, notes)),
        key_info=key_info,
        objects=objects,
        notes=tuple(notes),
    )


def _method(element: etree._Element) -> Method | None:
    """The method, None when it is refused: unknown, or with parameters that are none of ours (HMACOutputLength)."""
    children = [child for child in element if isinstance(child.tag, str)]
    if element.get("Algorithm") == PSS_WITH_PARAMETERS:
        if len(children) > 1 or (children and children[0].tag != PSS_PARAMETERS):
            return None
        return pss(children[0] if children else None)
    return None if children else METHODS.get(element.get("Algorithm", ""))


def plain_text(element: etree._Element, notes: list[Reason] | None = None) -> str:
    """The text of an element that may hold nothing else.

    Whatever else is in it is left out of the text, as every verifier we know does it, and noted: the signature may be
    intact, but a reader who takes only the first piece of text would be deceived. Without `notes` it is refused.
    """
    if not len(element):
        return element.text or ""
    found = reason("signature.malformed", what=etree.QName(element).localname)
    if notes is None:
        raise Refusal(found.code, **found.facts)
    notes.append(found)
    return (element.text or "") + "".join(child.tail or "" for child in element)


def read_reference(element: etree._Element, bounds: Bounds, notes: list[Reason]) -> Reference:
    """One ds:Reference; `notes` gets what is odd. Raises Refusal: `signature.malformed`, `.too_many`, `.not_base64`."""
    parts = Cursor.of(element, "Reference")
    listed = parts.maybe(_TRANSFORMS)
    method, value = parts.take(_DIGEST_METHOD), parts.take(_DIGEST_VALUE)
    parts.end()
    uri, kind = element.get("URI"), element.get("Type")
    expected = decode(plain_text(value, notes))
    children = Cursor.of(listed, "Transforms").children[::-1] if listed is not None else []
    if listed is not None and not children:
        raise Refusal("signature.malformed", what="Transforms")
    if len(children) > bounds.transforms:
        raise Refusal("signature.too_many", what="Transform", limit=bounds.transforms)
    try:
        digest = DIGESTS.get(method.get("Algorithm", ""))
        if digest is None:
            raise Refusal("signature.algorithm_refused", algorithm=str(method.get("Algorithm"))[:120])
        steps = tuple(step for child in children for step in transforms.read(child, notes))
    except Refusal as refusal:
        return Reference(uri, kind, refusal=refusal)
    return Reference(uri, kind, steps, digest, expected)
