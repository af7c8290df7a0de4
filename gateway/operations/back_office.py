"""Everything the REST interface calls, bound to one gateway's tools."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.oauth.rights import caller_of
from gateway.oauth.tokens import Tokens
from gateway.operations import api_keys, exchange, submit
from gateway.tools import Tools
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
from schemas.errors import ApiRefused


@dataclass(frozen=True, slots=True)
class BackOffice:
    """See gateway.web.api.port. Called in threads; every call is its own transactions."""

    tools: Tools
    tokens: Tokens | None = None

    def authenticate(self, shown: str, tenant: str | None) -> Caller:
        """A key of ours, or an access token where an issuer is configured. Raises ApiRefused."""
        config = self.tools.config
        if self.tokens is not None and not shown.startswith(api_keys.PREFIX):
            return caller_of(self.tokens.claims(shown), config.gateway.api.oauth, config.tenants, tenant)
        caller = api_keys.authenticate(self.tools.store, shown)
        if tenant not in (None, caller.tenant):
            raise ApiRefused("api.not_found")
        return caller

    def cases(self, caller: Caller, query: ListQuery) -> CasePage:
        """See exchange.cases."""
        return exchange.cases(self.tools.store, caller, query)

    def case(self, caller: Caller, case_id: UUID) -> CaseView:
        """See exchange.case."""
        return exchange.case(self.tools.store, caller, case_id)

    def document(self, caller: Caller, case_id: UUID) -> FileContent:
        """See exchange.document."""
        return exchange.document(self.tools.store, caller, case_id)

    def receipt(self, caller: Caller, case_id: UUID) -> FileContent:
        """See exchange.receipt."""
        return exchange.receipt(self.tools.store, caller, case_id)

    def attachment(self, caller: Caller, case_id: UUID, attachment_id: str) -> FileContent:
        """See exchange.attachment."""
        return exchange.attachment(self.tools.store, caller, case_id, attachment_id)

    def acknowledge(self, caller: Caller, case_id: UUID, said: AcknowledgeRequest) -> Acknowledgement:
        """See exchange.acknowledge."""
        return exchange.acknowledge(self.tools.store, self.tools.config, caller, case_id, said)

    def submit(self, caller: Caller, document: bytes, query: SubmitQuery) -> Submitted:
        """See submit.submit."""
        return submit.submit(self.tools, caller, document, query)

    def submission(self, caller: Caller, submission_id: UUID) -> SubmissionView:
        """See submit.submission."""
        return submit.submission(self.tools, caller, submission_id)

    def submission_receipt(self, caller: Caller, submission_id: UUID) -> FileContent:
        """See submit.submission_receipt."""
        return submit.submission_receipt(self.tools, caller, submission_id)
