"""Canonicalizing around long runs gives what canonicalizing through them gives, wherever in a document they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.signatures import TrustPolicy, canonical, runs, verify
from gateway.signatures.algorithms import Canonicalization
from gateway.signatures.canonical import NodeSet
from gateway.simulate import documents, pki
from gateway.simulate.citizens import person, sign_qualified, sign_trusted_profile
from gateway.simulate.documents import File
from schemas.verification import Crypto
from schemas.xmldoc import DS, parse

LEAST = 8
RUN = b"QUJD" * 5
METHODS = [Canonicalization(exclusive, comments) for exclusive in (False, True) for comments in (False, True)]


def through(document: bytes, method: Canonicalization, *, comments: bool = True) -> bytes:
    return etree.tostring(
        parse(document), method="c14n", exclusive=method.exclusive, with_comments=method.comments and comments
    )


def around(document: bytes, method: Canonicalization, *, comments: bool = True) -> bytes | None:
    thin = runs.hollow(document, LEAST)
    return None if thin is None else thin.filled(through(thin.source, method, comments=comments))


PLACES = {
    "text": b"<a><b>%s</b></a>",
    "text between elements": b"<a><b/>%s<c/></a>",
    "two texts": b"<a><b>%s</b><c x='&lt;'>%s</c>\n</a>",
    "lines and spaces": b"<a>\n %s\n\t%s\n</a>",
    "CDATA": b"<a><![CDATA[x>%s<&y]]></a>",
    "after CDATA": b"<a><![CDATA[<]]>%s</a>",
    "a comment": b"<a><!-- x>%s< --></a>",
    "an instruction": b"<a><?p x>%s<?></a>",
    "after the root": b"<a/><!-- x>%s< --><?p x>%s<?>",
    "behind an entity": b"<a>&amp;&#13;<b/>%s<c/>&gt;</a>",
    "a declared encoding": "<?xml version='1.0' encoding='windows-1250'?><a x='ż'>%s</a>".encode("cp1250"),
    "after a byte order mark": b"\xef\xbb\xbf<a>%s</a>",
    "namespaces": b"<p:a xmlns:p='urn:p' xmlns='urn:d'><b xmlns=''>%s</b><p:c xml:lang='pl'>%s</p:c></p:a>",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", PLACES)
def test_a_run_is_canonical_wherever_it_stands(place: str, method: Canonicalization) -> None:
    document = PLACES[place].replace(b"%s", RUN)
    thin = runs.hollow(document, LEAST)
    assert thin is not None
    assert RUN not in thin.source
    assert around(document, method) == through(document, method)


LEFT = {
    "an attribute": b"<a x='>%s'/>",
    "an attribute before text": b"<a x='%s'>short</a>",
    "a character reference": b"<a>%s&#65;%s</a>",
    "a carriage return": b"<a>%s\r\n%s</a>",
    "a letter beyond ASCII": "<a>ż%s</a>".encode(),
    "too short": b"<a>1234567</a>",
    "UTF-16": "\ufeff<a>%s</a>".encode("utf-16-le"),
    "UTF-16 that looks like ASCII": ("\ufeff<a>" + "\u4141" * 20 + "</a>").encode("utf-16-be"),
}


@pytest.mark.parametrize("place", LEFT)
def test_what_canonicalization_may_write_otherwise_is_left_where_it_is(place: str) -> None:
    document = LEFT[place].replace(b"%s", RUN)
    parse(document)  # well-formed, as every document that comes here
    assert runs.hollow(document, LEAST) is None


TEXTS = st.text("aZ9+/= \n\t\r&<>\"'-]ż", min_size=1, max_size=30)


@st.composite
def content(draw: st.DrawFn, depth: int = 0) -> str:
    kinds = ["text", "run", "CDATA", "comment", "instruction", *(["element"] if depth < 3 else [])]
    return "".join(piece(draw, kind, depth) for kind in draw(st.lists(st.sampled_from(kinds), max_size=5)))


def piece(draw: st.DrawFn, kind: str, depth: int) -> str:
    if kind == "run":
        return draw(st.text("AQ/+=\n", min_size=LEAST, max_size=40))
    plain = draw(TEXTS)
    if kind == "element":
        return f"<b x='{escaped(plain)}'>{draw(content(depth + 1))}</b>"
    return {
        "text": escaped(plain),
        "CDATA": f"<![CDATA[{plain.replace(']]>', '')}]]>",
        "comment": f"<!--{plain.replace('-', '')}-->",
        "instruction": f"<?p {plain.replace('?>', '')}?>",
    }[kind]


def escaped(plain: str) -> str:
    for sign, name in (("&", "amp"), ("<", "lt"), ("'", "apos"), ("]]>", "")):
        plain = plain.replace(sign, f"&{name};" if name else "")
    return plain


@given(content(), st.sampled_from(METHODS), st.booleans())
def test_any_document_is_the_same_around_its_runs(inside: str, method: Canonicalization, comments: bool) -> None:
    document = f"<a>{inside}</a>".encode()
    found = around(document, method, comments=comments)
    assert found is None or found == through(document, method, comments=comments)


def test_a_run_inside_what_is_cut_goes_with_it() -> None:
    document = b"<a><b>%s</b><s:Signature xmlns:s='%s'>%s</s:Signature>tail</a>" % (RUN, DS.encode(), RUN)
    long = document.replace(RUN, RUN * 5000)
    nodes = NodeSet(parse(long), long).without(canonical.SIGNATURE)
    assert canonical.octets(nodes, METHODS[0]) == b"<a><b>%s</b>tail</a>" % (RUN * 5000)


def test_of_several_signatures_one_s_own_is_cut() -> None:
    one, big = b"<s:Signature xmlns:s='%s' Id='%%d'></s:Signature>" % DS.encode(), RUN * 5000
    document = b"<a>%s<b>%s</b>%s</a>" % (one % 1, big, one % 2)
    tree = parse(document)
    nodes = NodeSet(tree, document).without_own(list(tree.iter(canonical.SIGNATURE))[1])
    expected = b'<a><s:Signature xmlns:s="%s" Id="1"></s:Signature><b>%s</b></a>' % (DS.encode(), big)
    assert canonical.octets(nodes, METHODS[0]) == expected


def signed() -> Iterator[bytes]:
    letter = documents.general_letter(files=[File("skan.pdf", os.urandom(150_000)), File("b.pdf", os.urandom(90_000))])
    yield sign_trusted_profile(letter, person(1), pki.shared())
    for spelling in ("enveloped", "xpath"):
        yield sign_qualified(letter, person(1), pki.shared(), spelling=spelling)


def test_a_signature_over_big_attachments_is_intact_and_one_octet_breaks_it() -> None:
    for document in signed():
        assert runs.hollow(document) is not None
        good = verify(document, TrustPolicy(), scope="crypto")
        assert good.signatures[0].crypto is Crypto.INTACT
        assert good.signed_xml is not None
        at = document.index(b"DaneZalacznika>") + 50_000
        other = b"A" if document[at : at + 1] != b"A" else b"B"
        changed = document[:at] + other + document[at + 1 :]
        assert verify(changed, TrustPolicy(), scope="crypto").signatures[0].crypto is Crypto.BROKEN


def test_a_document_full_of_markup_is_leapt_over() -> None:
    assert runs.hollow(b"<a>" + b"<b>text</b>" * 50_000 + b"</a>") is None
