"""The validate step: which form is it, does it fit its schema, and does what it says hold together.

Works on the original octets, so that lines are those of the citizen's file. Bad input is a finding, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import chain

import structlog
from lxml import etree

from gateway.attachments import AttachmentContent, Rules, Scanner, attachments_of, judge
from gateway.checks import Receiver, addressee_checks, case_checks, document_checks, unread_findings
from gateway.checks.say import finding
from gateway.formdata.findings import schema_findings
from gateway.formdata.unwrap import inside_of
from gateway.forms import Form, Forms
from gateway.mapping.build import build
from gateway.mapping.reader import Reading, line_of, read
from gateway.mapping.table import Table
from gateway.mapping.tables import Mappings, packaged
from schemas.case import MessageFacts, case_id
from schemas.errors import DocumentUnreadable, FormError, MappingError
from schemas.finding import Finding, Severity, Validation
from schemas.texts import text
from schemas.xmldoc import parse

__all__ = ["Receiver", "Rules", "Scanner", "check"]

log = structlog.get_logger()

Inspect = Callable[[AttachmentContent, Rules], Iterable[Finding]]  # looks into an attached file: signatures inside


def check(
    document: bytes,
    forms: Forms,
    mappings: Mappings | None = None,
    on: date | None = None,
    *,
    attachments: Rules | None = None,
    scanner: Scanner | None = None,
    inspect: Inspect | None = None,
    receiver: Receiver | None = None,
) -> Validation:
    """Everything we can say about a document before a person reads it.

    Args:    mappings: tables for the checks that compare figures, the packaged ones by default; on: day of receipt in
             Poland, for checks of years and deadlines; attachments: a tenant's rules for attached files, None: only
             that they decode; scanner, inspect: asked about each attached file, with the rules;
             receiver: the gmina whose mailbox it reached, to find what was sent to the wrong one.
    Returns: a Validation; `form` None with `form.unknown` where no template of the root's namespace is known, or with
             a `document.*` finding where the octets are no XML we read; `form.elsewhere` alone where the form is for
             another authority.
    """
    try:
        tree = parse(document)
    except DocumentUnreadable as error:
        return Validation(None, (_unreadable(error),))
    namespace = etree.QName(tree.getroot()).namespace or ""
    form = forms.get(namespace)
    if form is None:
        code = "form.unknown" if namespace else "form.no_namespace"
        return Validation(None, (finding(code, Severity.ERROR, None, 1, namespace=namespace[:200]),))
    if form.elsewhere:
        return Validation(form.info, (finding("form.elsewhere", Severity.ERROR, None, 1, office=form.elsewhere),))
    tables = mappings if mappings is not None else packaged()
    inside = inside_of(tree.getroot(), tables.get(namespace)) if form.wrapper else None
    if inside is not None and forms.get(inside.namespace) is not None:
        # lines and paths are those of the inside
        return check(
            inside.document, forms, tables, on,
            attachments=attachments, scanner=scanner, inspect=inspect, receiver=receiver,
        )  # fmt: skip
    departures = _against_schema(tree, form, forms)
    further = _beyond_schema(tree.getroot(), form, tables, on, receiver)
    if attachments is not None:
        further = chain(further, _attached(tree.getroot(), form, attachments, scanner, inspect))
    if departures:  # whatever is missing is missing there already
        further = (item for item in further if item.code != "check.required_missing")
    if form.wrapper:
        departures.append(finding("form.inside_unknown", Severity.ERROR))
    return Validation(form.info, tuple(_without_echo(_weighed([*departures, *further], form))))


def _unreadable(error: DocumentUnreadable) -> Finding:
    line = error.facts.get("line") or None
    texts = (text(error.code, lang, **error.facts) for lang in ("pl", "en"))
    return Finding(error.code, Severity.ERROR, line, None, *texts)


def _against_schema(tree: etree._ElementTree, form: Form, forms: Forms) -> list[Finding]:
    try:
        with forms.schema(form.namespace) as schema:
            if schema is None:
                return [finding("form.no_schema", Severity.WARNING)]
            if schema.validate(tree):
                return []
            return schema_findings(schema.error_log, tree)
    except FormError as error:  # our catalogue is broken: say so, and let a person look
        log.error("schema_unusable", form=form.namespace, code=error.code)
        return [finding("form.schema_unusable", Severity.ERROR, code=error.code)]


def _beyond_schema(
    root: etree._Element, form: Form, mappings: Mappings, on: date | None, receiver: Receiver | None
) -> Iterator[Finding]:
    yield from document_checks(root, strict=form.strict)
    try:
        table = mappings.get(form.namespace)
        if table is not None:
            yield from _case_findings(root, table.for_checks or table, on, receiver)
    except MappingError as error:
        if error.code == "mapping.required_missing":
            yield finding("check.required_missing", Severity.ERROR, target=error.facts["key"])
        else:  # a value that does not fit, or a broken table: the map step will say so again, and hold the case
            log.error("checks_skipped", form=form.namespace, code=error.code, key=error.facts.get("key"))
            yield finding("check.unreadable", Severity.WARNING, target=error.facts.get("key", "-"))


def _attached(
    root: etree._Element, form: Form, rules: Rules, scanner: Scanner | None, inspect: Inspect | None
) -> Iterator[Finding]:
    files = attachments_of(root, names_are_base64=form.wrapper)
    for judged in judge(files, rules, scanner):
        yield from judged.findings
        if inspect is not None:
            yield from inspect(judged.attachment, rules)


def _case_findings(root: etree._Element, table: Table, on: date | None, receiver: Receiver | None) -> Iterator[Finding]:
    """Where things stand is half of the work of reading, and only asked of a document with findings: they are rare."""
    if any(True for _ in _judged(read(root, table, tracked=False), table, on, receiver)):
        for item in _judged(read(root, table), table, on, receiver):
            yield replace(item, line=_line(root, item.path, table))


def _judged(reading: Reading, table: Table, on: date | None, receiver: Receiver | None) -> Iterator[Finding]:
    case = build(reading, table, _nobodys(table.form))
    yield from unread_findings(reading.unread)
    yield from case_checks(case, on=on)
    if receiver is not None:
        yield from addressee_checks(case, receiver)


@cache
def _nobodys(form: str) -> MessageFacts:
    """What a case needs to be built at all; checks look at none of it."""
    return MessageFacts(case_id=case_id("", form), document_sha256="")


def _line(root: etree._Element, path: str | None, table: Table) -> int | None:
    found = root.xpath(path, namespaces=table.ns) if path else []
    first = found[0] if isinstance(found, list) and found else None
    element = first if isinstance(first, etree._Element) else getattr(first, "getparent", lambda: None)()
    return line_of(element) if element is not None else None


def _weighed(found: list[Finding], form: Form) -> Iterator[Finding]:
    for item in found:
        yield replace(item, severity=form.severities.get(item.code, item.severity))


def _without_echo(found: Iterator[Finding]) -> Iterator[Finding]:
    """A value that already breaks its schema is not reported a second time by a check of the same place."""
    broken: set[int | None] = set()
    for item in found:
        if item.code.startswith("schema.value_"):
            broken.add(item.line)
        elif item.code.startswith("check.") and item.line is not None and item.line in broken:
            continue
        yield item
