"""What the REST interface needs from the rest of the gateway; handed in by app.py."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from schemas.api import (
    Acknowledgement,
    AcknowledgeRequest,
    Caller,
    CasePage,
    CaseView,
    FileContent,
    ListQuery,
    SubmissionView,
    SubmitQuery,
    Submitted,
)


class BackOffice(Protocol):
    """Called in threads. Every method raises ApiRefused for what it does not give, StoreUnavailable when it cannot."""

    def authenticate(self, shown: str, tenant: str | None) -> Caller:
        """Who shows this key or token? `tenant`: the gmina the request names. Raises ApiRefused: the 401s, 403, 404."""
        ...

    def cases(self, caller: Caller, query: ListQuery) -> CasePage:
        """One page of the caller's tenant."""
        ...

    def case(self, caller: Caller, case_id: UUID) -> CaseView:
        """One case."""
        ...

    def document(self, caller: Caller, case_id: UUID) -> FileContent:
        """Its original octets."""
        ...

    def receipt(self, caller: Caller, case_id: UUID) -> FileContent:
        """Its receipt."""
        ...

    def attachment(self, caller: Caller, case_id: UUID, attachment_id: str) -> FileContent:
        """One file out of it."""
        ...

    def acknowledge(self, caller: Caller, case_id: UUID, said: AcknowledgeRequest) -> Acknowledgement:
        """The office has it; repeating is harmless."""
        ...

    def submit(self, caller: Caller, document: bytes, query: SubmitQuery) -> Submitted:
        """Take a document; repeating is harmless."""
        ...

    def submission(self, caller: Caller, submission_id: UUID) -> SubmissionView:
        """What became of it."""
        ...

    def submission_receipt(self, caller: Caller, submission_id: UUID) -> FileContent:
        """Its receipt."""
        ...
