"""The error tree and its codes; one branch per step.

    BramaError
    ├── IdentifierInvalid            an identifier is not of its form
    ├── DocumentUnreadable           the document is not XML we agree to read (not well-formed, DOCTYPE, limits)
    ├── IntakeRefused                the envelope was not kept; ePUAP gets a Fault
    │   ├── EnvelopeUnreadable       not SOAP 1.1, not XML, a part missing or undecodable
    │   ├── OperationUnknown         the Body element is none we answer
    │   ├── BodyTooLarge             over the size limit (HTTP 413)
    │   └── QuarantineFull           unknown mailboxes from this caller fill their allowance
    ├── StoreUnavailable             PostgreSQL cannot be reached or said no; nothing was kept
    ├── ServiceError                 a call to one of ePUAP's services did not succeed
    │   ├── ServiceUnreachable       surely without effect there: nothing was sent
    │   │   └── ServiceDeferred      ePUAP said: not now; it did nothing, and may be asked again
    │   ├── ServiceRefused           ePUAP said no; its own code and text are kept word for word
    │   ├── ServiceUnsettled         sent, answer lost or not to be understood: never repeat an effect blindly
    │   └── MessageUntrusted         the answer is not signed as it must be
    ├── FormError                    the form catalogue or a schema is wrong (ours, not the citizen's)
    ├── MappingError                 a mapping table is wrong, or does not fit the document
    ├── ReceiptError                 a receipt cannot be read, built or signed
    ├── TrustError                   revocation data, a trusted list, a time-stamp or a key cannot be had or believed
    ├── ConfigError                  configuration is missing or wrong; carries every problem found
    ├── ConnectorError               a connector is unknown or its options are wrong
    ├── AnswerError                  an answer to a citizen cannot be made: a template, its data, or its step
    ├── ApiRefused                   a back office's request over REST is not answered with what it asked for
    └── OperationRefused             an operator asked for what the state does not allow

Each class has a stable `code`: stored, searched, documented. The Polish text shown to a person is looked up by it
(`schemas.texts`). Raise with facts, `EnvelopeUnreadable(reason="...", line=3)`; never with names, PESEL or bodies.
"""

from __future__ import annotations

from typing import Any


class BramaError(Exception):
    """Base of all our errors: a stable code and facts that fill its text."""

    code = "brama.error"

    def __init__(self, code: str | None = None, /, **facts: Any) -> None:
        if code is not None:
            self.code = code
        self.facts = facts
        super().__init__(self.code)

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.code} ({shown})" if shown else self.code


class IdentifierInvalid(BramaError):
    """An identifier does not have its form or its check digit."""

    code = "identifier.invalid"


class DocumentUnreadable(BramaError):
    """The document cannot be read as XML under our limits. Codes: `document.*` (see schemas.xmldoc)."""

    code = "document.not_well_formed"


class IntakeRefused(BramaError):
    """The envelope was not accepted for keeping; nothing was kept."""

    code = "intake.refused"


class EnvelopeUnreadable(IntakeRefused):
    """The SOAP envelope cannot be read; nothing was kept."""

    code = "intake.envelope_unreadable"


class OperationUnknown(IntakeRefused):
    """The first Body element is not one this endpoint answers."""

    code = "intake.operation_unknown"


class BodyTooLarge(IntakeRefused):
    """The request is larger than the configured limit."""

    code = "intake.body_too_large"


class QuarantineFull(IntakeRefused):
    """A caller has sent more to unknown mailboxes than may be kept for it."""

    code = "intake.quarantine_full"


class StoreUnavailable(BramaError):
    """PostgreSQL cannot be reached, or the transaction did not commit; nothing was kept."""

    code = "store.unavailable"


class ServiceError(BramaError):
    """A call to one of ePUAP's services did not succeed."""

    code = "service.error"


class ServiceUnreachable(ServiceError):
    """Nothing reached the other side: the call had no effect and may be repeated."""

    code = "service.unreachable"


class ServiceDeferred(ServiceUnreachable):
    """The other side said no with a number that the configuration says means: later. Facts as of ServiceRefused."""

    code = "service.deferred"


class ServiceRefused(ServiceError):
    """The other side said no. Facts: `number` and `text`, its own kod and komunikat."""

    code = "service.refused"


class ServiceUnsettled(ServiceError):
    """Sent, but the answer was lost or cannot be understood: the effect may or may not have happened."""

    code = "service.unsettled"


class MessageUntrusted(ServiceError):
    """A message is not signed by a certificate we believe, or not the part that counts. Codes: `message.*`."""

    code = "message.untrusted"


class FormError(BramaError):
    """A form's entry, schema or import is wrong or missing on our side."""

    code = "form.error"


class MappingError(BramaError):
    """A mapping table is wrong or missing; names file, line and key."""

    code = "mapping.error"


class ReceiptError(BramaError):
    """A receipt (UPO) cannot be read, built or signed."""

    code = "receipt.error"


class TrustError(BramaError):
    """Revocation data, a trusted list, a time-stamp or a signing key cannot be had, or cannot be believed."""

    code = "trust.error"


class ConfigError(BramaError):
    """Configuration is missing or wrong. `problems` holds every problem found, one sentence each."""

    code = "config.invalid"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(problems="; ".join(problems))


class ConnectorError(BramaError):
    """A connector is unknown, or its options do not fit."""

    code = "connector.error"


class AnswerError(BramaError):
    """An answer (statement, certificate, letter) cannot be made. Codes: `answers.*`."""

    code = "answers.error"


class OperationRefused(BramaError):
    """The state of what was named does not allow the operation."""

    code = "operation.refused"


class ApiRefused(BramaError):
    """A request over REST is refused. Codes: `api.*`; the table of statuses is gateway/web/api/problems.py."""

    code = "api.request_invalid"
