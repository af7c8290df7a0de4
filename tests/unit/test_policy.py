"""The decision table, row by row (README, “Co dzieje się z dokumentem”)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.policy import UNKNOWN_FORM_RULES, Rules, decide
from schemas.finding import Finding, FormInfo, Severity, Validation
from schemas.submission import Decision
from schemas.texts import all_texts
from schemas.verification import Indication, Reason, Verification

STRICT = Rules(schema_errors="reject", signature="required")
LENIENT = Rules(schema_errors="quarantine", signature="required")
UNSIGNED_ALLOWED = Rules(schema_errors="quarantine", signature="optional")

FORM = FormInfo("urn:example", "DN-1", "1", "Deklaracja", "Return", "reconstructed")
ERROR = Finding("schema.value", Severity.ERROR, 3, "/a/b", "źle", "wrong")
WARNING = replace(ERROR, severity=Severity.WARNING)

VALID = Validation(FORM, ())
INVALID = Validation(FORM, (ERROR,))
UNKNOWN = Validation(None, (ERROR,))

TRUSTED = Verification(Indication.PASSED, (), "full", signed_xml=b"<a/>")
UNTRUSTED = Verification(Indication.INDETERMINATE, (), "full", signed_xml=b"<a/>")
BROKEN = Verification(Indication.FAILED, (), "full", (Reason("signature.digest_mismatch"),))
UNSIGNED = Verification(Indication.FAILED, (), "full", (Reason("signature.none"),))


@pytest.mark.parametrize(
    ("verification", "validation", "rules", "is_test", "decision", "reason"),
    [
        (TRUSTED, VALID, STRICT, False, Decision.ACCEPTED, "policy.accepted"),
        (TRUSTED, Validation(FORM, (WARNING,)), STRICT, False, Decision.ACCEPTED, "policy.accepted"),
        (TRUSTED, INVALID, STRICT, False, Decision.REJECTED, "policy.form_invalid"),
        (TRUSTED, INVALID, LENIENT, False, Decision.QUARANTINED, "policy.form_invalid"),
        (TRUSTED, UNKNOWN, UNKNOWN_FORM_RULES, False, Decision.QUARANTINED, "policy.form_unknown"),
        (BROKEN, UNKNOWN, UNKNOWN_FORM_RULES, False, Decision.QUARANTINED, "policy.form_unknown"),
        (UNTRUSTED, VALID, STRICT, False, Decision.QUARANTINED, "policy.trust_indeterminate"),
        (UNTRUSTED, INVALID, STRICT, False, Decision.REJECTED, "policy.form_invalid"),
        (BROKEN, VALID, STRICT, False, Decision.REJECTED, "policy.signature_broken"),
        (BROKEN, VALID, LENIENT, False, Decision.REJECTED, "policy.signature_broken"),
        (BROKEN, VALID, UNSIGNED_ALLOWED, False, Decision.REJECTED, "policy.signature_broken"),
        (BROKEN, VALID, STRICT, True, Decision.REJECTED, "policy.signature_broken"),
        (UNSIGNED, VALID, LENIENT, False, Decision.REJECTED, "policy.signature_missing"),
        (UNSIGNED, VALID, UNSIGNED_ALLOWED, False, Decision.ACCEPTED, "policy.accepted_unsigned"),
        (TRUSTED, VALID, STRICT, True, Decision.TEST, "policy.test"),
        (TRUSTED, INVALID, LENIENT, True, Decision.TEST, "policy.test"),
        (replace(TRUSTED, signed_xml=None), VALID, STRICT, False, Decision.QUARANTINED, "policy.not_covered"),
    ],
)
def test_each_row_of_the_decision_table(verification, validation, rules, is_test, decision, reason):
    verdict = decide(mailbox_known=True, is_test=is_test, verification=verification, validation=validation, rules=rules)

    assert (verdict.decision, verdict.reason) == (decision, reason)
    assert reason in all_texts()


@pytest.mark.parametrize("verification", [TRUSTED, UNTRUSTED, BROKEN, UNSIGNED])
def test_an_unknown_mailbox_is_quarantined_whatever_the_document(verification):
    verdict = decide(mailbox_known=False, is_test=False, verification=verification, validation=INVALID, rules=STRICT)

    assert (verdict.decision, verdict.reason) == (Decision.QUARANTINED, "policy.mailbox_unknown")
