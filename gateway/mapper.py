"""The map step: signed XML → normalized case, by one table; and case → record of a back office, by another.

Nothing is recomputed and nothing is dropped: what no row takes is listed in `unmapped`, what a row cannot read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lxml import etree

from gateway.checks import case_checks, unread_findings
from gateway.clock import WARSAW
from gateway.formdata.unwrap import Inside, inside_of
from gateway.mapping.build import build
from gateway.mapping.reader import Reading, read, unmapped
from gateway.mapping.record import RecordTable
from gateway.mapping.record import to_record as _to_record
from gateway.mapping.tables import Mappings
from schemas.case import Case, Check, MessageFacts, case_id
from schemas.errors import MappingError
from schemas.finding import Finding
from schemas.ids import sha256
from schemas.xmldoc import parse

__all__ = ["Mappings", "MessageFacts", "apply", "to_record"]


def apply(signed_xml: bytes, mappings: Mappings, message: MessageFacts) -> Case:
    """Read a signed document into a case.

    Args:    signed_xml: the signed content, signatures left out (Verification.signed_xml).
    Raises:  MappingError: `mapping.none` (no table for this form), `mapping.required_missing`, `mapping.value_wrong`;
             DocumentUnreadable.
    """
    root = parse(signed_xml).getroot()
    namespace = etree.QName(root).namespace or ""
    table = mappings.get(namespace)
    if table is None:
        raise MappingError("mapping.none", form=namespace)
    inside = inside_of(root, table)
    if inside is not None and inside.namespace in mappings:
        return _of_inside(inside, namespace, mappings, _identified(signed_xml, message))
    reading = read(root, table)
    message = _identified(signed_xml, message)
    case = build(reading, table, message, unmapped(root, table, reading.taken))
    on = message.received_at.astimezone(WARSAW).date() if message.received_at else None
    checks = (*_unread(reading), *(_check(finding) for finding in case_checks(case, on=on)))
    return case.model_copy(update={"checks": checks}) if checks else case


def _identified(signed_xml: bytes, message: MessageFacts) -> MessageFacts:
    """With the case's id and the document's digest, where the arrival did not give them."""
    if message.case_id is None:
        digest = sha256(signed_xml)
        message = replace(message, case_id=case_id(message.mailbox or "", digest), document_sha256=digest)
    return message


def _of_inside(inside: Inside, wrapper: str, mappings: Mappings, message: MessageFacts) -> Case:
    """The case of the document inside; the wrapper's signature covers it, byte for byte."""
    case = apply(inside.document, mappings, message)
    return case.model_copy(update={"document": {**case.document, "wrapped_in": wrapper}})


def to_record(case_json: Mapping[str, Any], record_mapping: RecordTable) -> dict[str, Any]:
    """See gateway.mapping.record.to_record."""
    return _to_record(case_json, record_mapping)


def _unread(reading: Reading) -> tuple[Check, ...]:
    return tuple(_check(finding) for finding in unread_findings(reading.unread))


def _check(finding: Finding) -> Check:
    return Check(
        code=finding.code,
        severity=finding.severity.value,
        path=finding.path,
        message_pl=finding.message_pl,
        message_en=finding.message_en,
    )
