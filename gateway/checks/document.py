"""Checks on the document itself, whatever its form: check digits of identifiers, attachments that decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from gateway.checks.say import finding
from gateway.mapping.reader import line_of, path_of
from gateway.mapping.transforms import decode_base64, digits
from schemas.finding import Finding, Severity
from schemas.ids import is_nip, is_pesel, is_regon
from schemas.xmldoc import STR, STR_2008

_IDENTIFIERS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "PESEL": ("check.pesel", is_pesel),
    "NIP": ("check.nip", is_nip),
    "REGON": ("check.regon", is_regon),
}
_ATTACHMENTS = tuple(f"{{{namespace}}}Zalacznik" for namespace in (STR, STR_2008))
_LOOKED_AT = (*(f"{{*}}{name}" for name in _IDENTIFIERS), *_ATTACHMENTS)
_URI_LIMIT = 4096


def document_checks(root: etree._Element, *, strict: bool) -> Iterator[Finding]:
    """Findings in document order; wrong check digits are errors of a strict form and warnings of a lenient one."""
    severity = Severity.ERROR if strict else Severity.WARNING
    for element in root.iter(*_LOOKED_AT):
        if element.tag in _ATTACHMENTS:
            yield from _attachment(element)
            continue
        value = digits(element.text or "")
        code, holds = _IDENTIFIERS[str(element.tag).rpartition("}")[2]]
        if value and len(element) == 0 and not holds(value):
            yield finding(code, severity, path_of(element, {}), line_of(element))


def _attachment(element: etree._Element) -> Iterator[Finding]:
    data = element.find(f"{{{etree.QName(element).namespace}}}DaneZalacznika")
    content = (data.text or "") if data is not None else ""
    path, line = path_of(element, {}), line_of(element)
    encoding = (element.get("kodowanie") or "").strip().lower()
    if not content.strip():
        yield finding("check.attachment_empty", Severity.WARNING, path, line)
    elif encoding == "base64":
        try:
            decode_base64(content)
        except ValueError:
            yield finding("check.attachment_base64", Severity.ERROR, path, line)
    elif encoding == "uri":
        if len(content) > _URI_LIMIT:
            yield finding("check.attachment_uri", Severity.ERROR, path, line)
    else:
        yield finding("check.attachment_encoding", Severity.WARNING, path, line)
