"""Transforms as named, bounded operations. An expression is recognised by its spelling, never evaluated.

Allowed: enveloped-signature, the C14N variants, base64, and the known spellings, in XPath and XPath Filter 2.0, of
"everything but the signatures", "everything but this signature" and "everything but the unsigned properties".
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from gateway.signatures import canonical
from gateway.signatures.algorithms import CANONICALIZATIONS, DEFAULT_CANONICALIZATION, Canonicalization
from gateway.signatures.canonical import SIGNATURE, NodeSet
from gateway.signatures.reasons import Refusal, reason
from schemas.errors import DocumentUnreadable
from schemas.verification import Reason
from schemas.xmldoc import DS, XADES, XADES111, parse, qname

_TRANSFORM = qname(DS, "Transform")
_XPATH_ELEMENT = qname(DS, "XPath")
_FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"
_FILTER2_ELEMENT = qname(_FILTER2, "XPath")
_XPATH_ALGORITHM = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_INCLUSIVE = qname("http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces")
_MAX_EXPRESSION = 500
_MAX_PREFIXES = 64

Kind = Literal["own_signature", "subtrees", "c14n", "base64"]
Data = NodeSet | bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One transform. `name` is the element cut by `subtrees`; `method` and `prefixes` belong to `c14n`."""

    kind: Kind
    name: str = ""
    method: Canonicalization = DEFAULT_CANONICALIZATION
    prefixes: tuple[str, ...] = ()


OWN_SIGNATURE = Step("own_signature")
BASE64 = Step("base64")


def read(element: etree._Element, notes: list[Reason]) -> tuple[Step, ...]:
    """The steps one ds:Transform stands for; `notes` gets what is odd about it. Raises Refusal naming the algorithm."""
    algorithm = element.get("Algorithm", "")
    if element.tag != _TRANSFORM:
        raise Refusal("signature.malformed", what="Transforms")
    if algorithm in CANONICALIZATIONS:
        return (Step("c14n", method=CANONICALIZATIONS[algorithm], prefixes=inclusive_prefixes(element)),)
    if algorithm == DS + "enveloped-signature":
        return (OWN_SIGNATURE,)
    if algorithm == DS + "base64":
        return (BASE64,)
    if algorithm == _XPATH_ALGORITHM:
        return (_known(_only(element, _XPATH_ELEMENT), _XPATH_SPELLINGS, notes),)
    if algorithm == _FILTER2:
        return tuple(_filter2(child, notes) for child in _elements(element))
    raise Refusal("signature.transform_refused", algorithm=algorithm[:120])


def inclusive_prefixes(element: etree._Element) -> tuple[str, ...]:
    """The PrefixList of exclusive C14N, empty where there is none. Anything else inside is refused."""
    children = _elements(element)
    if not children:
        return ()
    if len(children) > 1 or children[0].tag != _INCLUSIVE:
        raise Refusal("signature.malformed", what="InclusiveNamespaces")
    prefixes = tuple((children[0].get("PrefixList") or "").split())
    if len(prefixes) > _MAX_PREFIXES:
        raise Refusal("signature.too_many", what="PrefixList", limit=_MAX_PREFIXES)
    return prefixes


def apply(data: Data, steps: tuple[Step, ...], signature: etree._Element) -> bytes:
    """Run the steps in their order; what is still a node-set at the end gets inclusive C14N 1.0 without comments."""
    for step in steps:
        data = _APPLY[step.kind](data, step, signature)
    return data if isinstance(data, bytes) else canonical.octets(data, DEFAULT_CANONICALIZATION)


def _own_signature(data: Data, _step: Step, signature: etree._Element) -> Data:
    if not isinstance(data, NodeSet) or not data.own_document:
        raise Refusal("signature.transform_order", transform="enveloped-signature")
    return data.without_own(signature)


def _subtrees(data: Data, step: Step, _signature: etree._Element) -> Data:
    return _nodes(data).without(step.name)


def _c14n(data: Data, step: Step, _signature: etree._Element) -> Data:
    return canonical.octets(_nodes(data), step.method, step.prefixes)


def _base64(data: Data, _step: Step, _signature: etree._Element) -> Data:
    return decode(data if isinstance(data, bytes) else canonical.text(data).encode())


_APPLY: dict[Kind, Callable[[Data, Step, etree._Element], Data]] = {
    "own_signature": _own_signature,
    "subtrees": _subtrees,
    "c14n": _c14n,
    "base64": _base64,
}


def decode(value: str | bytes | None) -> bytes:
    """Strict base64: the alphabet, padding and XML white space, nothing else. Raises Refusal."""
    try:
        raw = value.encode("ascii") if isinstance(value, str) else value or b""
        return base64.b64decode(raw.translate(None, b" \t\r\n"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refusal("signature.not_base64") from error


def _nodes(data: Data) -> NodeSet:
    if isinstance(data, NodeSet):
        return data
    try:
        return NodeSet(parse(data), data, comments=True, own_document=False)
    except DocumentUnreadable as error:
        raise Refusal("signature.transform_order", transform="XML", what=error.code) from error


def _elements(element: etree._Element) -> list[etree._Element]:
    return [child for child in element if isinstance(child.tag, str)]


def _only(element: etree._Element, name: str) -> etree._Element:
    children = _elements(element)
    if len(children) != 1 or children[0].tag != name:
        raise Refusal("signature.malformed", what="Transform")
    return children[0]


def _filter2(element: etree._Element, notes: list[Reason]) -> Step:
    if element.tag != _FILTER2_ELEMENT or element.get("Filter") != "subtract":
        raise Refusal("signature.transform_refused", algorithm=_FILTER2, filter=str(element.get("Filter"))[:20])
    return _known(element, _FILTER2_SPELLINGS, notes)


def _known(element: etree._Element, spellings: dict[str, Step], notes: list[Reason]) -> Step:
    expression = (element.text or "") + "".join(child.tail or "" for child in element)
    if len(element):  # a comment inside: other readers may see another expression
        notes.append(reason("signature.malformed", what="XPath"))
    step = None
    if len(expression) <= _MAX_EXPRESSION and not _elements(element):
        step = spellings.get(_spelling(expression, frozenset(element.nsmap.items())))
    if step is None:
        raise Refusal("signature.transform_refused", algorithm=etree.QName(element).namespace or "", what="XPath")
    return step


_QUOTED = re.compile(r"""('[^']*'|"[^"]*")""")
_AROUND_SYMBOL = re.compile(r" ?(::|[()\[\]=,|/@>]) ?")
_PREFIXED = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]*):(?=[A-Za-z_])")


@functools.lru_cache(maxsize=512)
def _spelling(expression: str, prefixes: frozenset[tuple[str | None, str]]) -> str:
    """One spelling for all: single quotes, no needless spaces, names by namespace instead of prefix."""
    namespaces = dict(prefixes)

    def name(found: re.Match[str]) -> str:
        return "{" + namespaces.get(found.group(1), "?") + "}"

    parts = _QUOTED.split(expression)
    for at, part in enumerate(parts):
        if at % 2:
            parts[at] = "'" + part[1:-1] + "'"
        else:
            parts[at] = _PREFIXED.sub(name, _AROUND_SYMBOL.sub(r"\1", re.sub(r"\s+", " ", part)))
    return "".join(parts).strip()


def _predicates(namespace: str, name: str) -> tuple[str, ...]:
    """How a name test is written: by prefix, or by local name and namespace in either order."""
    local, uri = f"local-name()='{name}'", f"namespace-uri()='{namespace}'"
    return (f"{{{namespace}}}{name}", f"*[{local} and {uri}]", f"*[{uri} and {local}]")


def _not_within(namespace: str, name: str) -> dict[str, Step]:
    step = Step("subtrees", name=qname(namespace, name))
    forms = {f"not(ancestor-or-self::{test})": step for test in _predicates(namespace, name)}
    return forms | {f"not(ancestor-or-self::node()/self::{test})": step for test in _predicates(namespace, name)[:1]}


_DS_SIGNATURE = "{" + DS + "}Signature"

_XPATH_SPELLINGS: dict[str, Step] = {
    **_not_within(DS, "Signature"),
    **_not_within(XADES, "UnsignedProperties"),
    **_not_within(XADES111, "UnsignedProperties"),
    f"count(ancestor-or-self::{_DS_SIGNATURE}|here()/ancestor::{_DS_SIGNATURE}[1])>"
    f"count(ancestor-or-self::{_DS_SIGNATURE})": OWN_SIGNATURE,
}

_FILTER2_SPELLINGS: dict[str, Step] = {
    **{
        axis + test: Step("subtrees", name=SIGNATURE)
        for axis in ("/descendant::", "//", "/descendant-or-self::", "/descendant-or-self::node()/")
        for test in _predicates(DS, "Signature")
    },
    **{
        "/descendant::" + test: Step("subtrees", name=qname(namespace, "UnsignedProperties"))
        for namespace in (XADES, XADES111)
        for test in _predicates(namespace, "UnsignedProperties")
    },
    f"here()/ancestor::{_DS_SIGNATURE}[1]": OWN_SIGNATURE,
}
