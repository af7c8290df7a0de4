"""The one XML parser: what it refuses, with which code, and that it does so quickly."""

from __future__ import annotations

import codecs
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from schemas.errors import DocumentUnreadable
from schemas.xmldoc import Limits, parse, read_once

DEEP = b"<a>" * 257 + b"</a>" * 257
LAUGHS = b'<!DOCTYPE a [<!ENTITY x "haha"><!ENTITY y "&x;&x;&x;">]><a b="&y;">&y;</a>'
NAMESPACES = b"<a %s>%s</a>" % (b" ".join(b'xmlns:n%d="urn:%d"' % (i, i) for i in range(2000)), b"<b/>" * 2000)

REFUSED = {
    "nothing": (b"", "document.empty"),
    "only white space": (b" \n\t ", "document.empty"),
    "not XML": (b"%PDF-1.7 \xe2\xe3", "document.not_well_formed"),
    "truncated": (b"<a><b></b>", "document.not_well_formed"),
    "a second root": (b"<a/><b/>", "document.not_well_formed"),
    "a NUL": (b"<a>\x00</a>", "document.not_well_formed"),
    "bad UTF-8": (b"<a>\xff\xfe\xfa</a>", "document.not_well_formed"),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', "document.encoding"),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "document.encoding"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x-rot13"?><a/>', "document.encoding"),
    "EBCDIC": ('<?xml version="1.0"?><a/>'.encode("cp037"), "document.encoding"),
    "UTF-32": (codecs.BOM_UTF32_LE + "<a/>".encode("utf-32-le"), "document.encoding"),
    "UTF-16 without a BOM": ("<a/>".encode("utf-16-le"), "document.encoding"),
    "octets declared as UTF-16": (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "document.encoding"),
    "UTF-16 declared as UTF-8": ('<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"), "document.encoding"),
    "a UTF-8 BOM before windows-1250": (
        codecs.BOM_UTF8 + b'<?xml version="1.0" encoding="windows-1250"?><a/>',
        "document.encoding",
    ),
    "a DOCTYPE": (b"<!DOCTYPE a><a/>", "document.doctype"),
    "entities": (LAUGHS, "document.doctype"),
    "an external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document.doctype"),
    "an external DTD": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "document.doctype"),
    "a parameter entity": (
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><a/>',
        "document.doctype",
    ),
    "a DOCTYPE far behind comments": (b"<!--" + b"x" * 100_000 + b"-->\n<?p q?>" + LAUGHS, "document.doctype"),
    "a DOCTYPE behind a BOM": (codecs.BOM_UTF8 + LAUGHS, "document.doctype"),
    "a DOCTYPE in UTF-16": (LAUGHS.decode().encode("utf-16"), "document.doctype"),
    "deep nesting": (DEEP, "document.too_deep"),
    "very deep nesting": (b"<a>" * 100_000 + b"</a>" * 100_000, "document.too_deep"),
    "deep nesting in a huge file": (b"<a>" * 300 + b"x" * 9_500_000 + b"</a>" * 300, "document.too_deep"),
    "30,000 attributes": (
        b"<a " + b" ".join(b'a%d="1"' % i for i in range(30_000)) + b"/>",
        "document.too_many_attributes",
    ),
    "2,000 namespaces by 2,000 elements": (NAMESPACES, "document.too_many_namespaces"),
    "a million elements": (b"<a>" + b"<b/>" * 1_000_000 + b"</a>", "document.too_many_elements"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_we_do_not_read_is_refused_by_its_code(what: str) -> None:
    data, code = REFUSED[what]
    with pytest.raises(DocumentUnreadable) as refused:
        parse(data)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "what", ["deep nesting", "30,000 attributes", "2,000 namespaces by 2,000 elements", "a million elements"]
)
def test_the_limits_hold_beside_a_big_attachment_too(what: str) -> None:
    document, code = REFUSED[what]
    for text in (b"A" * 400_000, b""):
        with pytest.raises(DocumentUnreadable) as error:
            parse(b"<r><b>%s</b>%s<b>%s</b></r>" % (text, document, text))
        assert error.value.code == code


def test_a_document_over_the_size_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        parse(b"not even XML", Limits(size_bytes=5))
    assert refused.value.code == "document.too_large"


@pytest.mark.parametrize("what", ["very deep nesting", "30,000 attributes", "2,000 namespaces by 2,000 elements"])
def test_costly_documents_are_refused_quickly(what: str) -> None:
    started = time.thread_time()
    with pytest.raises(DocumentUnreadable):
        parse(REFUSED[what][0])
    assert time.thread_time() - started < 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1250", "iso8859-2"])
def test_polish_letters_are_read_from_every_encoding_we_accept(encoding: str) -> None:
    label = {"utf-8-sig": "utf-8", "cp1250": "windows-1250", "iso8859-2": "ISO-8859-2"}.get(encoding, encoding)
    document = f'<?xml version="1.0" encoding="{label}"?><a>zażółć gęślą jaźń</a>'.encode(encoding)
    assert parse(document).getroot().text == "zażółć gęślą jaźń"


def test_the_word_doctype_inside_content_is_no_doctype() -> None:
    assert parse(b"<!-- x --><a><![CDATA[<!DOCTYPE html>]]></a>").getroot().text == "<!DOCTYPE html>"


def test_nothing_is_fetched_and_nothing_included() -> None:
    document = (
        b'<?xml-stylesheet href="http://127.0.0.1:9/a.xsl"?>'
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="urn:a http://127.0.0.1:9/a.xsd"><xi:include href="file:///etc/passwd" parse="text"/></a>'
    )
    assert etree.QName(parse(document).getroot()[0]).localname == "include"


def test_lines_are_those_of_the_original_file() -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        parse(b"<a>\n\n<b>\n</a>")
    assert refused.value.facts["line"] == 4


def test_exactly_the_limits_are_still_read() -> None:
    parse(b"<a>" * 256 + b"</a>" * 256)
    parse(b"<a " + b" ".join(b'a%d="1"' % i for i in range(512)) + b"/>")


def test_octets_read_once_are_one_tree_for_whoever_asks_within_the_block():
    data, twin = b"<a><b/></a>", bytes(bytearray(b"<a><b/></a>"))
    with read_once(data):
        tree = parse(data)
        assert parse(data) is tree
        assert parse(twin) is not tree  # other octets, even if they say the same
        with read_once(twin):
            assert parse(data) is not tree
        assert parse(data) is tree
        assert parse(data, Limits(depth=5)) is not tree  # other limits may refuse it
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(parse, data).result() is not tree
    assert parse(data) is not tree


def test_octets_that_are_refused_are_refused_each_time_they_are_read_once():
    data = b"<a>"
    with read_once(data):
        for _ in range(2):
            with pytest.raises(DocumentUnreadable):
                parse(data)
