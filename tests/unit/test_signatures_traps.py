"""The traps lxml and libxml2 lay for who canonicalizes a part of a document; each shown, and shown to be avoided."""

from __future__ import annotations

import copy
import subprocess
import sys

from lxml import etree

from gateway.signatures import canonical
from gateway.signatures.algorithms import Canonicalization
from gateway.signatures.canonical import NodeSet
from schemas.xmldoc import DS, parse

INCLUSIVE, EXCLUSIVE = (
    Canonicalization(exclusive=False, comments=False),
    Canonicalization(exclusive=True, comments=False),
)


def node_set(document: bytes, path: str | None = None) -> NodeSet:
    tree = parse(document)
    return NodeSet(tree, document, None if path is None else tree.getroot().find(path))


def naive(nodes: NodeSet) -> bytes:
    assert nodes.apex is not None
    return etree.tostring(nodes.apex, method="c14n")


def test_a_sub_element_keeps_the_default_namespace_it_inherits() -> None:
    nodes = node_set(b"<a xmlns='urn:a'><b><c><d/></c></b></a>", "{urn:a}b")
    assert b'xmlns=""' in naive(nodes)
    assert canonical.octets(nodes, INCLUSIVE) == b'<b xmlns="urn:a"><c><d></d></c></b>'


def test_a_sub_element_inherits_xml_attributes_from_the_nearest_that_has_them() -> None:
    document = b"<a xml:lang='pl' xml:space='preserve'><m xml:lang='en'><b x='1'><c/></b></m></a>"
    nodes = node_set(document, "m/b")
    assert b"xml:" not in naive(nodes)
    assert canonical.octets(nodes, INCLUSIVE) == b'<b x="1" xml:lang="en" xml:space="preserve"><c></c></b>'
    assert canonical.octets(nodes, EXCLUSIVE) == b'<b x="1"><c></c></b>'


def test_the_root_beside_a_comment_is_still_the_root() -> None:
    document = b"<!-- c --><a xmlns='urn:a'><b><c/></b></a>"
    tree = parse(document)
    root = tree.getroot()
    assert b'xmlns=""' in etree.tostring(root, method="c14n")
    assert canonical.octets(NodeSet(tree, document, root), EXCLUSIVE) == b'<a xmlns="urn:a"><b><c></c></b></a>'


def test_cutting_leaves_prefixes_and_the_text_behind_as_they_were() -> None:
    document = (
        b"<p:a xmlns:p='urn:n'><q:b xmlns:q='urn:n'><p:c q:x='1'/></q:b>"
        b"<s:Signature xmlns:s='%s'/>tail<e/></p:a>" % DS.encode()
    )
    nodes = node_set(document).without(canonical.SIGNATURE)
    before = etree.tostring(nodes.tree)
    expected = b'<p:a xmlns:p="urn:n"><q:b xmlns:q="urn:n"><p:c q:x="1"></p:c></q:b>tail<e></e></p:a>'
    assert canonical.octets(nodes, INCLUSIVE) == expected
    assert etree.tostring(nodes.tree) == before


def test_what_stands_around_the_root_is_digested_in_its_order() -> None:
    document = b"<?before x?><a><s:Signature xmlns:s='%s'/></a><?one x?><?two x?>" % DS.encode()
    nodes = node_set(document).without(canonical.SIGNATURE)
    assert etree.tostring(copy.deepcopy(nodes.tree)).index(b"<?two") < etree.tostring(nodes.tree).index(b"<?two")
    assert canonical.octets(nodes, INCLUSIVE) == b"<?before x?>\n<a></a>\n<?one x?>\n<?two x?>"


def test_the_default_namespace_in_a_prefix_list_is_not_dropped() -> None:
    script = (
        "from lxml import etree; tree = etree.fromstring(b\"<p:b xmlns='urn:a' xmlns:p='urn:p'/>\").getroottree();"
        "print(etree.tostring(tree, method='c14n', exclusive=True, inclusive_ns_prefixes=['#default']).decode())"
    )
    alone = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert "urn:a" not in alone.stdout
    nodes = node_set(b"<p:b xmlns='urn:a' xmlns:p='urn:p'/>")
    assert canonical.octets(nodes, EXCLUSIVE, ("#default",)) == b'<p:b xmlns="urn:a" xmlns:p="urn:p"></p:b>'


def test_a_prefix_list_reaches_declarations_above_the_sub_element() -> None:
    nodes = node_set(b"<a xmlns='urn:a' xmlns:p='urn:p'><p:b><p:c/><d/></p:b></a>", "{urn:p}b")
    expected = b'<p:b xmlns="urn:a" xmlns:p="urn:p"><p:c></p:c><d></d></p:b>'
    assert canonical.octets(nodes, EXCLUSIVE, ("#default", "p")) == expected
    nodes = node_set(b"<a xmlns:u='urn:u'><b/></a>", "b")
    assert canonical.octets(nodes, EXCLUSIVE, ("u",)) == b'<b xmlns:u="urn:u"></b>'
