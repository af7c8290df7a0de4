"""libxml2's schema errors as findings: a few stable codes, a readable path, and no value from the document.

libxml2 quotes the offending value in its messages, which may be a PESEL; only element names and type names, which come
from the schema, are taken over.
"""

from __future__ import annotations

import re

from lxml import etree

from gateway.mapping.reader import path_of
from schemas.finding import Finding, Severity
from schemas.texts import text

LIMIT = 100  # findings of one document; further ones are counted

_CODES = {
    "CVC_ELT_1": "root_unexpected",
    "ELEMENT_CONTENT": "element_unexpected",
    "CVC_COMPLEX_TYPE_2_1": "text_unexpected",
    "CVC_COMPLEX_TYPE_2_2": "element_unexpected",
    "CVC_COMPLEX_TYPE_2_3": "text_unexpected",
    "CVC_COMPLEX_TYPE_3_2_1": "attribute_unexpected",
    "CVC_COMPLEX_TYPE_3_2_2": "attribute_unexpected",
    "CVC_COMPLEX_TYPE_4": "attribute_missing",
    "CVC_TYPE_3_1_1": "attribute_unexpected",
    "CVC_TYPE_3_1_2": "element_unexpected",
    "CVC_DATATYPE_VALID_1_2_1": "value_invalid",
    "CVC_DATATYPE_VALID_1_2_2": "value_invalid",
    "CVC_DATATYPE_VALID_1_2_3": "value_invalid",
    "CVC_ELT_5_2_2_2_1": "value_enumeration",
    "CVC_ELT_5_2_2_2_2": "value_enumeration",
    "CVC_ENUMERATION_VALID": "value_enumeration",
    "CVC_PATTERN_VALID": "value_pattern",
    "CVC_LENGTH_VALID": "value_length",
    "CVC_MINLENGTH_VALID": "value_length",
    "CVC_MAXLENGTH_VALID": "value_length",
    "CVC_MININCLUSIVE_VALID": "value_range",
    "CVC_MAXINCLUSIVE_VALID": "value_range",
    "CVC_MINEXCLUSIVE_VALID": "value_range",
    "CVC_MAXEXCLUSIVE_VALID": "value_range",
    "CVC_TOTALDIGITS_VALID": "value_range",
    "CVC_FRACTIONDIGITS_VALID": "value_range",
}
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*) \)\.\s*$")
_CLARK = re.compile(r"(?:\{[^}]*\})?([^\s,{}]+)")
_TYPE = re.compile(
    r"is not a valid value of the (?:local )?(?:atomic|list|union) type '(?:\{[^}]*\}|xs:)?([^'}\s]+)'\.\s*$"
)


def schema_findings(log: etree._ListErrorLog, tree: etree._ElementTree) -> list[Finding]:
    """Findings in document order, one per place and code; lines are the original file's."""
    found: dict[tuple[str | None, int | None, str], Finding] = {}
    for error in log:
        finding = _finding(error, tree)
        weaker = finding.code == "schema.value_invalid" and any(
            key[:2] == (finding.path, finding.line) and key[2].startswith("schema.value_") for key in found
        )
        if not weaker:  # libxml2 names the broken facet first and then says again that the value is invalid
            found.setdefault((finding.path, finding.line, finding.code), finding)
    findings = list(found.values())
    return findings if len(findings) <= LIMIT else [*findings[:LIMIT], _more(len(findings) - LIMIT)]


def _finding(error: etree._LogEntry, tree: etree._ElementTree) -> Finding:
    kind = _CODES.get(error.type_name.removeprefix("SCHEMAV_"), "other")
    if kind == "element_unexpected" and "Missing child element" in error.message:
        kind = "element_missing"
    element = _element_at(error, tree)
    path = path_of(element, {}) if element is not None else error.path
    name = etree.QName(element).localname if element is not None else (error.path or "?").rpartition("/")[2]
    code = f"schema.{kind}"
    facts = {lang: _facts(error, lang) for lang in ("pl", "en")}
    return Finding(
        code, Severity.ERROR, error.line or None, path,
        text(code, "pl", element=name, **facts["pl"]), text(code, "en", element=name, **facts["en"]),
    )  # fmt: skip


def _facts(error: etree._LogEntry, lang: str) -> dict[str, str]:
    """What the schema wants, in words: expected elements, name of the type."""
    wanted = _EXPECTED.search(error.message)
    names = ", ".join(_CLARK.findall(wanted[1])) if wanted else ""
    kind = _TYPE.search(error.message)
    said = {"pl": ("; oczekiwano: ", " (typ {})"), "en": ("; expected: ", " (type {})")}[lang]
    return {"expected": said[0] + names if names else "", "type": said[1].format(kind[1]) if kind else ""}


def _element_at(error: etree._LogEntry, tree: etree._ElementTree) -> etree._Element | None:
    """The element an error is about. libxml2's path uses prefixes as they stand in the document."""
    path = re.sub(r"/@[^/]*$", "", error.path or "")
    namespaces = {prefix: uri for prefix, uri in tree.getroot().nsmap.items() if prefix}
    try:
        found = tree.xpath(path, namespaces=namespaces) if path else []
    except etree.XPathError:
        return None
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, etree._Element) else None


def _more(count: int) -> Finding:
    return Finding(
        "schema.more", Severity.ERROR, None, None,
        text("schema.more", "pl", count=count), text("schema.more", "en", count=count),
    )  # fmt: skip
