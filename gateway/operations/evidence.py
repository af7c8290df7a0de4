"""The stored validation report of a submission's signatures: for a person as a page, for a judge as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gateway.store import reports
from gateway.store.database import Store
from gateway.trust.report import ValidationReport, confirm, page
from schemas.errors import OperationRefused


@dataclass(frozen=True, slots=True)
class ReportView:
    """`confirmed`: for each signature, whether judging again from the stored evidence alone gives the same verdict."""

    submission: UUID
    stored: dict[str, Any] = field(repr=False)
    page: str = field(repr=False)
    confirmed: tuple[bool, ...]

    def to_json(self) -> dict[str, Any]:
        """The contract of `submissions report --json`; holds personal data and every certificate used."""
        return {"submission": str(self.submission), "confirmed": list(self.confirmed), "report": self.stored}


def report_of(store: Store, submission_id: UUID) -> ReportView:
    """The newest report, judged once more offline. Raises OperationRefused `operation.no_report`."""
    with store.begin() as transaction:
        stored = reports.latest(transaction, submission_id)
    if stored is None:
        raise OperationRefused("operation.no_report", id=submission_id)
    read = ValidationReport.from_json(stored)
    return ReportView(submission_id, stored, page(read), confirm(read))
