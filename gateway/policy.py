"""What becomes of a kept submission: a pure decision from verdict, findings and rules (the table of the README).

The order of the questions is the order of what a person would want to hear first: is this for us at all, is it a
rehearsal, is the signature broken, is it a form we know, is it filled in correctly, do we trust who signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.finding import Validation
from schemas.submission import Decision
from schemas.verification import Indication, Verification

NO_SIGNATURE = "signature.none"


@dataclass(frozen=True, slots=True)
class Rules:
    """What one form demands of a document at one tenant."""

    schema_errors: Literal["reject", "quarantine"]
    signature: Literal["required", "optional"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision and the code of what led to it (`policy.*`); the clerk's text is looked up by it."""

    decision: Decision
    reason: str


UNKNOWN_FORM_RULES = Rules(schema_errors="quarantine", signature="optional")


def decide(
    *, mailbox_known: bool, is_test: bool, verification: Verification, validation: Validation, rules: Rules
) -> Verdict:
    """Accepted, quarantined, rejected or test; never raises, whatever the document.

    Args: rules: of this form at this tenant; UNKNOWN_FORM_RULES where no template of its namespace is known.
    """
    if not mailbox_known:
        return Verdict(Decision.QUARANTINED, "policy.mailbox_unknown")
    if validation.form is None:
        return Verdict(Decision.QUARANTINED, "policy.form_unknown")
    refused = _signature_refusal(verification, rules)
    if refused:
        return Verdict(Decision.REJECTED, refused)
    if not validation.valid and rules.schema_errors == "reject":
        return Verdict(Decision.REJECTED, "policy.form_invalid")
    if is_test:
        return Verdict(Decision.TEST, "policy.test")
    if not validation.valid:
        return Verdict(Decision.QUARANTINED, "policy.form_invalid")
    return _by_trust(verification, rules)


def _signature_refusal(verification: Verification, rules: Rules) -> str | None:
    """A broken signature is refused on every form; a missing one only where the form needs one."""
    if verification.indication is not Indication.FAILED:
        return None
    if _unsigned(verification):
        return "policy.signature_missing" if rules.signature == "required" else None
    return "policy.signature_broken"


def _by_trust(verification: Verification, rules: Rules) -> Verdict:
    if _unsigned(verification) and rules.signature == "optional":
        return Verdict(Decision.ACCEPTED, "policy.accepted_unsigned")
    if verification.indication is not Indication.PASSED:
        return Verdict(Decision.QUARANTINED, "policy.trust_indeterminate")
    if verification.signed_xml is None:
        return Verdict(Decision.QUARANTINED, "policy.not_covered")
    return Verdict(Decision.ACCEPTED, "policy.accepted")


def _unsigned(verification: Verification) -> bool:
    return any(reason.code == NO_SIGNATURE for reason in verification.reasons)
