"""Does a signature cover the document it stands in? What is not covered must not be used, whoever signed the rest."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from gateway.signatures import properties, references, structure
from gateway.signatures.canonical import SIGNATURE
from gateway.signatures.properties import Properties
from gateway.signatures.reasons import Refusal, reason
from gateway.signatures.references import Document, Outcome
from gateway.signatures.structure import Signature
from schemas.verification import Reason
from schemas.xmldoc import DS, qname

_MANIFEST = qname(DS, "Manifest")
_OBJECT = qname(DS, "Object")
_REFERENCE = qname(DS, "Reference")
_SIGNATURE_PROPERTIES = qname(DS, "SignatureProperties")
_VALUE = qname(DS, "SignatureValue")
_UNSIGNED = tuple(qname(namespace, "UnsignedProperties") for namespace in properties.NAMESPACES)
_COUNTER = tuple(qname(namespace, "CounterSignature") for namespace in properties.NAMESPACES)
_COUNTER_TYPE = "http://uri.etsi.org/01903#CountersignedSignature"


@dataclass(frozen=True, slots=True)
class Coverage:
    """`whole`: the intact reference over the whole document, where the signature stands in one."""

    covers: bool = False
    whole: Outcome | None = None
    is_counter: bool = False
    reasons: tuple[Reason, ...] = ()


def judge(signature: Signature, own: Properties | None, outcomes: tuple[Outcome, ...], document: Document) -> Coverage:
    """What the checked references cover together; entries of a covered Manifest count as references."""
    data = [item for item in outcomes if not _is_own_part(item, signature, own)]
    counter = _counter_signature(signature.element, data)
    if counter is not None:
        return counter
    entries, reasons = _manifest_entries(data, signature, document)
    data += entries
    if not data:
        return Coverage(reasons=(reason("signature.nothing_signed"),))
    whole = None
    if signature.element.getparent() is None:
        covers = _covers_objects(signature, own, data)
    else:
        whole = next((item for item in data if item.intact and _is_whole(item, document)), None)
        covers = whole is not None
    if not covers and all(item.intact for item in data):
        reasons.append(reason("signature.partial_coverage"))
    return Coverage(covers, whole, reasons=tuple(reasons))


def _is_own_part(outcome: Outcome, signature: Signature, own: Properties | None) -> bool:
    """Signed properties or KeyInfo of this signature: signed beside the data, not data."""
    if outcome.reference.type in properties.REFERENCE_TYPES:
        return True
    if outcome.target is None:
        return False
    parts = [item for item in (signature.key_info, own.element if own else None) if item is not None]
    return any(item in parts for item in (outcome.target, *outcome.target.iterancestors()))


def _counter_signature(element: etree._Element, data: list[Outcome]) -> Coverage | None:
    """A counter-signature covers another signature's value instead of a document; None when it is no such thing."""
    parent = element.getparent()
    placed = parent is not None and parent.tag in _COUNTER
    if not placed and not any(outcome.reference.type == _COUNTER_TYPE for outcome in data):
        return None
    owner = next(element.iterancestors(SIGNATURE), None) if placed else None
    for outcome in data:
        holder = outcome.target.getparent() if outcome.target is not None and outcome.target.tag == _VALUE else None
        if holder is not None and holder is not element and (owner is None or holder is owner):
            return Coverage(is_counter=True)
    return Coverage(is_counter=True, reasons=(reason("signature.counter_signature_misplaced"),))


def _manifest_entries(
    data: list[Outcome], signature: Signature, document: Document
) -> tuple[list[Outcome], list[Reason]]:
    """Check what covered Manifests list. A Manifest inside a Manifest is not followed."""
    found: list[Outcome] = []
    reasons: list[Reason] = []
    for outcome in data:
        for manifest in _manifests(outcome):
            if not outcome.intact or not references.is_canonical_only(outcome.reference.steps):
                continue
            entries = list(manifest.iterchildren(_REFERENCE))
            if len(entries) + len(found) > document.bounds.references:
                raise Refusal("signature.too_many", what="Reference", limit=document.bounds.references)
            found += (
                references.check(structure.read_reference(item, document.bounds, reasons), signature, document)
                for item in entries
            )
    for entry in found:
        if entry.intact is False:
            reasons.append(reason("signature.manifest_mismatch", uri=(entry.reference.uri or "")[:120]))
        elif entry.reason is not None:
            reasons.append(entry.reason)
        if _manifests(entry):
            reasons.append(reason("signature.manifest_unchecked"))
    return found, reasons


def _manifests(outcome: Outcome) -> list[etree._Element]:
    if outcome.target is None:
        return []
    if outcome.target.tag == _MANIFEST:
        return [outcome.target]
    return list(outcome.target.iterchildren(_MANIFEST)) if outcome.target.tag == _OBJECT else []


def _is_whole(outcome: Outcome, document: Document) -> bool:
    """Everything in the document but signatures: nothing else may be cut from it."""
    if outcome.nodes is None or (outcome.target is not None and outcome.target.getparent() is not None):
        return False
    allowed = {SIGNATURE, *_UNSIGNED}
    for step in outcome.reference.steps:
        if step.kind == "base64" or (step.kind == "subtrees" and step.name not in allowed):
            return False
        if step.kind == "subtrees" and step.name != SIGNATURE and _outside_signatures(step.name, document):
            return False
    return True


def _outside_signatures(name: str, document: Document) -> bool:
    return any(next(item.iterancestors(SIGNATURE), None) is None for item in document.tree.iter(name))


def _covers_objects(signature: Signature, own: Properties | None, data: list[Outcome]) -> bool:
    """The signature is the whole file: every ds:Object must be signed, but those that only speak of the signature."""
    signed = [item.target for item in data if item.intact and _is_complete(item)]
    for holder in signature.objects:
        inside = [child for child in holder if isinstance(child.tag, str)]
        if len(inside) == 1 and _is_bare(holder):
            (child,) = inside
            if child in signed or child.tag == _SIGNATURE_PROPERTIES or (own is not None and child is own.element):
                continue
        if holder not in signed:
            return False
    return any(item.intact for item in data)


def _is_complete(outcome: Outcome) -> bool:
    return all(step.kind in ("c14n", "base64") for step in outcome.reference.steps)


def _is_bare(holder: etree._Element) -> bool:
    """An Object around its one child has no text of its own that nobody signed."""
    return not (holder.text or "").strip() and not any((child.tail or "").strip() for child in holder)
