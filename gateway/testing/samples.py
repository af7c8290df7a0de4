"""A sample case with Polish letters, exact amounts and files; all of it invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from schemas.delivery import AttachmentFile, CaseRecord

DOCUMENT = '<?xml version="1.0" encoding="UTF-8"?>\n<Dokument>Zażółć gęślą jaźń</Dokument>'.encode()


def a_record(key: str | None = None, **changes: Any) -> CaseRecord:
    """A valid record; every call another key unless one is given."""
    record = CaseRecord(
        key=key or f"case-{uuid4()}",
        tenant="9999011",
        kind="general_letter",
        case={"schema": "case/1", "kind": "general_letter", "subject": "Zażółć gęślą jaźń"},
        fields={
            "title": "Zażółć gęślą jaźń",
            "surname": "Łękołodzka-Żdźbło",
            "first_name": "Świętopełk",
            "place": "Gmina Przykład",
            "total": Decimal("1234.50"),
            "received_on": date(2026, 3, 31),
            "year": 2026,
        },
        files=(
            AttachmentFile("wniosek.xml", "application/xml", DOCUMENT, "document"),
            AttachmentFile("załącznik nr 1.pdf", "application/pdf", b"%PDF-1.4 sample", "attachment"),
        ),
    )
    return replace(record, **changes)
