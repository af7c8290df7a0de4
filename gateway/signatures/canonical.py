"""Canonical octets of a node-set, around the traps lxml and libxml2 lay for sub-elements.

Measured with lxml 6.1, each held by a test:
* inclusive C14N of a sub-element writes a wrong `xmlns=""` and forgets inherited namespaces and `xml:*` attributes;
  the same happens to the root when comments or processing instructions stand beside it;
* `#default` in a PrefixList is dropped without a word, because lxml passes on only names its parser has met;
* a deep copy of a tree puts what follows the root in reverse order;
* taking a node out of a tree and putting it back may change its prefix: so what is cut, is cut from a copy.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field

from lxml import etree

from gateway.signatures.algorithms import Canonicalization
from gateway.signatures.reasons import Refusal
from gateway.signatures.runs import hollow
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import DS, parse, qname

SIGNATURE = qname(DS, "Signature")

_XML = "{http://www.w3.org/XML/1998/namespace}"
_TEXT = etree.XPath("string()")
_TAUGHT = threading.local()


@dataclass(frozen=True, slots=True)
class NodeSet:
    """What a reference selects: a document or the subtree of `apex`, less whole subtrees.

    `cut` names elements (Clark names) whose subtrees are out wherever they are; `cut_own` is one signature element
    that is out. `own_document` is False once octets were parsed again: then no element of the original is in it.
    """

    tree: etree._ElementTree
    source: bytes = field(repr=False)  # the octets `tree` was parsed from
    apex: etree._Element | None = None
    comments: bool = False
    cut: frozenset[str] = frozenset()
    cut_own: etree._Element | None = None
    own_document: bool = True

    def without(self, name: str) -> NodeSet:
        """Less every subtree whose root has this name."""
        return NodeSet(
            self.tree, self.source, self.apex, self.comments, self.cut | {name}, self.cut_own, self.own_document
        )

    def without_own(self, signature: etree._Element) -> NodeSet:
        """Less this signature's subtree."""
        return NodeSet(self.tree, self.source, self.apex, self.comments, self.cut, signature, self.own_document)

    def is_empty(self) -> bool:
        """Whether the cuts leave nothing: the apex is in, or is, something that is cut."""
        apex = self.tree.getroot() if self.apex is None else self.apex
        if not self.cut and self.cut_own is None:
            return False
        return any(item.tag in self.cut or item is self.cut_own for item in (apex, *apex.iterancestors()))


def octets(nodes: NodeSet, method: Canonicalization, prefixes: tuple[str, ...] = ()) -> bytes:
    """Canonicalize. Raises Refusal: `signature.canonicalization_failed`, `signature.nothing_signed`."""
    if nodes.is_empty():
        raise Refusal("signature.nothing_signed")
    thin = hollow(nodes.source) if nodes.apex is None else None
    if thin is not None:
        return thin.filled(_written(_less_cut(nodes, _parse(thin.source)), nodes, method, prefixes))
    target: etree._ElementTree | etree._Element
    if nodes.cut or nodes.cut_own is not None:
        target = _cut_copy(nodes, method)
    elif nodes.apex is None:
        target = nodes.tree
    elif method.exclusive and not prefixes and nodes.apex.getparent() is not None:
        target = nodes.apex
    else:
        target = _apart(nodes.apex, method)
    return _written(target, nodes, method, prefixes)


def _written(
    target: etree._ElementTree | etree._Element, nodes: NodeSet, method: Canonicalization, prefixes: tuple[str, ...]
) -> bytes:
    if "#default" in prefixes:
        _teach_default()
    try:
        return etree.tostring(
            target,
            method="c14n",
            exclusive=method.exclusive,
            with_comments=method.comments and nodes.comments,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    except etree.C14NError as error:
        raise Refusal("signature.canonicalization_failed") from error


def text(nodes: NodeSet) -> str:
    """The text of a node-set, as base64 decoding wants it: no comments, no processing instructions."""
    if nodes.is_empty():
        raise Refusal("signature.nothing_signed")
    if nodes.cut or nodes.cut_own is not None:
        return str(_TEXT(_cut_copy(nodes, Canonicalization(True, False)).getroot()))
    return str(_TEXT(nodes.tree.getroot() if nodes.apex is None else nodes.apex))


def content_without_signatures(nodes: NodeSet, signed: bytes) -> bytes:
    """What was digested, less the other signatures that were digested with it."""
    if SIGNATURE in nodes.cut:
        return signed
    tree = parse(signed)
    if next(tree.iter(SIGNATURE), None) is None:
        return signed
    return octets(NodeSet(tree, signed, comments=True).without(SIGNATURE), Canonicalization(False, True))


def _teach_default() -> None:
    """Make this thread's parser know the name `#default`, so that lxml passes it on (see the module's head)."""
    if not getattr(_TAUGHT, "default", False):
        parser = etree.XMLPullParser(events=("start",), tag="#default")
        parser.feed(b"<a/>")
        parser.close()
        _TAUGHT.default = True


def _apart(apex: etree._Element, method: Canonicalization) -> etree._ElementTree:
    """A sub-element as a document of its own, with everything canonicalization would inherit."""
    tree = _parse(etree.tostring(apex, with_tail=False))
    if not method.exclusive:
        _inherit(apex, tree.getroot(), method)
    return tree


def _inherit(apex: etree._Element, root: etree._Element, method: Canonicalization) -> None:
    for ancestor in apex.iterancestors():
        for name, value in ancestor.attrib.items():
            if not str(name).startswith(_XML):
                continue
            if method.version == "1.1":
                if name == _XML + "base":  # C14N 1.1 joins base URIs; no signing tool we know relies on it
                    raise Refusal("signature.canonicalization_failed", what="xml:base")
                if name == _XML + "id":
                    continue
            if name not in root.attrib:
                root.set(name, value)


def _cut_copy(nodes: NodeSet, method: Canonicalization) -> etree._ElementTree:
    whole = _copy(nodes.tree, nodes.source) if nodes.apex is None else _apart(nodes.apex, method)
    return _less_cut(nodes, whole)


def _less_cut(nodes: NodeSet, whole: etree._ElementTree) -> etree._ElementTree:
    """Take what is cut out of `whole`, a copy of what is selected: our own signature is known by its place."""
    doomed = list(whole.iter(*nodes.cut)) if nodes.cut else []
    if nodes.cut_own is not None:
        start = nodes.tree.getroot() if nodes.apex is None else nodes.apex
        pairs = zip(start.iter(SIGNATURE), whole.iter(SIGNATURE), strict=True)
        doomed += [copied for original, copied in pairs if original is nodes.cut_own]
    for element in doomed:
        _remove(element)
    return whole


def _copy(tree: etree._ElementTree, source: bytes) -> etree._ElementTree:
    after = tree.getroot().getnext()
    if after is not None and after.getnext() is not None:
        return _parse(source)
    return copy.deepcopy(tree)


def _parse(data: bytes) -> etree._ElementTree:
    try:
        return parse(data)
    except DocumentUnreadable as error:  # namespaces in scope of a sub-element can cost more than they did in place
        raise Refusal("signature.canonicalization_failed", what=error.code) from error


def _remove(element: etree._Element) -> None:
    """Take an element out, but leave the text after it; lxml would take both."""
    parent = element.getparent()
    if parent is None:  # it went with an ancestor that is out already
        return
    tail, before = element.tail, element.getprevious()
    parent.remove(element)
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
