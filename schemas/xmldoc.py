"""The one XML parser, its limits, and the namespace table. No other module parses foreign XML."""

from __future__ import annotations

import codecs
import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lxml import etree

from schemas.errors import DocumentUnreadable

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES111 = "http://uri.etsi.org/01903/v1.1.1#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
OBI = "http://wsdl.epuap.gov.pl/obiekty/"
UPO = "http://crd.gov.pl/xml/schematy/UPO/2008/05/09/"
STR = "http://crd.gov.pl/xml/schematy/struktura/2009/11/16/"
STR_2008 = "http://crd.gov.pl/xml/schematy/struktura/2008/05/09/"
META = "http://crd.gov.pl/xml/schematy/meta/2009/11/16/"
OSO = "http://crd.gov.pl/xml/schematy/osoba/2009/11/16/"
INST = "http://crd.gov.pl/xml/schematy/instytucja/2009/11/16/"
ADR = "http://crd.gov.pl/xml/schematy/adres/2009/11/09/"
OS_2009_03 = "http://crd.gov.pl/xml/schematy/osoba/2009/03/06/"
PPZP = "http://crd.gov.pl/xml/schematy/ppzp/"
PZ = "http://crd.gov.pl/xml/schematy/podpis_zaufany/"

_UTF8 = frozenset({"utf-8"})
_BYTE_ENCODINGS = frozenset({"utf-8", "cp1250", "iso8859-2", "ascii", "cp1252", "iso8859-1"})
_WIDE_ENCODINGS = frozenset({"utf-16"})
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_PARSER_TEXT_LIMIT = 9_000_000  # libxml2 takes ten million octets in one text node unless told otherwise
_LONG, _FEW = 256 * 1024, 2000  # octets; hits that are sought one by one
_DECLARED = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_VERSION = re.compile(rb"""^<\?xml\s+version\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost before we refuse it. Sizes in bytes, counts in nodes."""

    size_bytes: int = 64 * 1024 * 1024
    depth: int = 256
    attributes: int = 512
    elements: int = 500_000
    namespace_cost: int = 2_000_000  # in-scope namespace declarations summed over elements: what inclusive C14N costs


DEFAULT_LIMITS = Limits()

_PARSERS = threading.local()
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (DEFAULT_LIMITS.depth + 1) + ")")
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[@*[{DEFAULT_LIMITS.attributes + 1}]])")


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> etree._ElementTree:
    """Parse foreign XML: no DTD, no entity, no network, within limits.

    Args:    data: the original octets, with or without a BOM; UTF-8, UTF-16,
             windows-1250, ISO 8859-2; windows-1252 and ISO 8859-1 too, because foreign signing tools write them.
    Returns: the tree; `sourceline` values are the original file's.
    Raises:  DocumentUnreadable: `document.empty`, `.too_large`, `.encoding`, `.doctype`, `.not_well_formed`,
             `.too_deep`, `.too_many_attributes`, `.too_many_elements`, `.too_many_namespaces`; with a line where known.
    """
    if len(data) > limits.size_bytes:
        raise DocumentUnreadable("document.too_large", size_bytes=len(data), limit_bytes=limits.size_bytes)
    if not data or data.isspace():
        raise DocumentUnreadable("document.empty")
    once = _once_of(data, limits)
    if once is not None and once.tree is not None:
        return once.tree
    wide = _check_encoding(data)
    may_have_doctype = _refuse_doctype(data, wide)
    try:
        root = etree.fromstring(data, _parser(huge=len(data) > _PARSER_TEXT_LIMIT))
    except etree.XMLSyntaxError as error:
        raise DocumentUnreadable(_syntax_code(error), line=error.lineno or 0, limit=limits.depth) from error
    except (ValueError, LookupError) as error:  # lxml's own refusal of NUL and the like
        raise DocumentUnreadable("document.not_well_formed", line=0) from error
    tree = root.getroottree()
    doctype = getattr(tree.docinfo, "doctype", "") if may_have_doctype else ""  # lxml's stubs do not know it
    if doctype:
        raise DocumentUnreadable("document.doctype")
    if wide or not _surely_within(data, root, limits):
        _check_shape(root, limits)
    if once is not None:
        once.tree = tree
    return tree


@contextmanager
def read_once(data: bytes) -> Iterator[None]:
    """Within the block, in this thread, the same octets are parsed once: whoever asks gets the one tree.

    For steps that look at a document in turn; none of them may change it.
    """
    before, _PARSERS.once = getattr(_PARSERS, "once", None), _Once(data)
    try:
        yield
    finally:
        _PARSERS.once = before


@dataclass(slots=True)
class _Once:
    data: bytes
    tree: etree._ElementTree | None = None


def _once_of(data: bytes, limits: Limits) -> _Once | None:
    once: _Once | None = getattr(_PARSERS, "once", None)
    return once if once is not None and once.data is data and limits is DEFAULT_LIMITS else None


def _parser(*, huge: bool) -> etree.XMLParser:
    """This thread's parser; below the size that needs `huge`, libxml2's own limits stay on."""
    name = "huge" if huge else "normal"
    made: etree.XMLParser | None = getattr(_PARSERS, name, None)
    if made is None:
        made = etree.XMLParser(
            resolve_entities=False, load_dtd=False, dtd_validation=False, no_network=True, remove_comments=False,
            remove_pis=False, strip_cdata=False, recover=False, huge_tree=huge,
        )  # fmt: skip
        setattr(_PARSERS, name, made)
    return made


@functools.lru_cache(maxsize=4096)
def qname(namespace: str, name: str) -> str:
    """Clark notation, `{namespace}name`."""
    return f"{{{namespace}}}{name}"


def _check_encoding(data: bytes) -> bool:
    """Refuse what is not declared as it is written; answers whether it is UTF-16."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, b"\x4c\x6f\xa7\x94")):
        raise DocumentUnreadable("document.encoding", encoding="UTF-32/EBCDIC")
    head, allowed, wide = data[:1024], _BYTE_ENCODINGS, False
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head, allowed, wide = head[:1024].decode("utf-16", "replace").encode(), _WIDE_ENCODINGS, True
    elif head.startswith(codecs.BOM_UTF8):
        head, allowed = head.removeprefix(codecs.BOM_UTF8), _UTF8
    elif b"\x00" in head[:2]:
        raise DocumentUnreadable("document.encoding", encoding="UTF-16 bez BOM")
    wrong = _wrongly_declared(head.lstrip().partition(b">")[0], allowed)
    if wrong:
        raise DocumentUnreadable("document.encoding", encoding=wrong)
    return wide


@functools.lru_cache(maxsize=256)  # nearly all documents begin with one of a few declarations
def _wrongly_declared(declaration: bytes, allowed: frozenset[str]) -> str:
    """The version or encoding of an XML declaration that we do not take; empty where there is nothing wrong."""
    version = _VERSION.match(declaration)
    if version and version.group(1) != b"1.0":
        return "XML " + version.group(1).decode("latin-1")[:16]
    declared = _DECLARED.match(declaration)
    if declared and _codec(declared.group(1)) not in allowed:
        return declared.group(1).decode("ascii")[:40]
    return ""


def _codec(name: bytes) -> str:
    try:
        return codecs.lookup(name.decode("ascii")).name
    except LookupError:
        return ""


def _refuse_doctype(data: bytes, wide: bool) -> bool:
    """Before parsing: the parser would expand internal entities in attribute values while reading.

    Answers whether the words stand anywhere at all, so that what was parsed is looked at again.
    """
    if wide:
        if "<!DOCTYPE".encode("utf-16-le") in data or "<!DOCTYPE".encode("utf-16-be") in data:
            raise DocumentUnreadable("document.doctype")
        return True
    if b"!" not in data or b"<!DOCTYPE" not in data:  # the first is sought many times faster; base64 has none
        return False
    at = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    while at < len(data):  # the prolog: white space, processing instructions, comments
        start = _NOT_SPACE.search(data, at)
        at = start.start() if start else len(data)
        if data.startswith(b"<!DOCTYPE", at):
            raise DocumentUnreadable("document.doctype")
        end = b"?>" if data.startswith(b"<?", at) else b"-->" if data.startswith(b"<!--", at) else None
        found = data.find(end, at + len(end)) if end else -1
        if end is None or found < 0:
            break  # the root, or something the parser will refuse
        at = found + len(end)
    return True


def _syntax_code(error: etree.XMLSyntaxError) -> str:
    return "document.too_deep" if "depth" in str(error).lower() else "document.not_well_formed"


def _surely_within(data: bytes, root: etree._Element, limits: Limits) -> bool:
    """Cheap upper bounds, in C; only a document that fails one is walked for the exact answer and its line.

    Every element but an empty one is opened and closed, so half of the `<` bounds the depth; every declaration of a
    namespace and every attribute has its `=`.
    """
    tags, equals = _occurrences(data, b"<"), _occurrences(data, b"=")
    return (
        tags <= limits.elements
        and limits == DEFAULT_LIMITS
        and (tags * (equals + 1) <= limits.namespace_cost or tags * (data.count(b"xmlns") + 1) <= limits.namespace_cost)
        and (tags // 2 < limits.depth or data.count(b"</") < limits.depth or not _TOO_DEEP(root))
        and (equals <= limits.attributes or not _TOO_MANY_ATTRIBUTES(root))
    )


def _occurrences(data: bytes, octet: bytes) -> int:
    """`data.count(octet)`, which looks at each octet of an attachment in turn; `find` leaps over it."""
    found = at = 0
    if len(data) >= _LONG:
        while found < _FEW:
            at = data.find(octet, at) + 1
            if not at:
                return found
            found += 1
    return found + data.count(octet, at)


def _check_shape(root: etree._Element, limits: Limits) -> None:
    count = cost = pending = 0
    in_scope = [0]  # namespace declarations in scope, one entry per open element
    for event, item in etree.iterwalk(root, events=("start", "end", "start-ns")):
        if event == "start-ns":  # reported before the element that declares it
            pending += 1
        elif event == "start":
            count += 1
            in_scope.append(in_scope[-1] + pending)
            cost += in_scope[-1]
            pending = 0
            _refuse_over(item, len(in_scope) - 1, count, cost, limits)
        else:
            in_scope.pop()


def _refuse_over(element: etree._Element, depth: int, count: int, cost: int, limits: Limits) -> None:
    line = element.sourceline
    if depth > limits.depth:
        raise DocumentUnreadable("document.too_deep", line=line, limit=limits.depth)
    if len(element.attrib) > limits.attributes:
        raise DocumentUnreadable("document.too_many_attributes", line=line, limit=limits.attributes)
    if count > limits.elements:
        raise DocumentUnreadable("document.too_many_elements", line=line, limit=limits.elements)
    if cost > limits.namespace_cost:
        raise DocumentUnreadable("document.too_many_namespaces", line=line, limit=limits.namespace_cost)
