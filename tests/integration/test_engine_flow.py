"""The main flow on real parts: keep, decide, map, deliver."""

from __future__ import annotations

from connectors.rehearsal import Behaviour
from tests.builders import a_signed_document
from tests.gateways import Gateway


def test_a_valid_return_is_accepted_mapped_and_delivered_once(gateway: Gateway) -> None:
    submission = gateway.receive()

    gateway.work_until_quiet()

    assert gateway.load(submission).state == "processed"
    assert gateway.states(submission) == ["delivered"]
    assert gateway.outcomes(submission) == ["delivered"]
    assert dict(gateway.office.received) == {gateway.keys(submission)[0]: 1}
    assert gateway.words(submission) == ["kept", "decided", "delivery_scheduled", "processed", "attempt_finished"]


def test_a_lost_answer_is_looked_up_before_the_case_is_sent_again(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.HANG_UP_AFTER, times=1)
    submission = gateway.receive()

    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled", "delivered"]
    assert dict(gateway.office.received) == {gateway.keys(submission)[0]: 1}


def test_a_tampered_document_is_kept_and_rejected_without_a_delivery(gateway: Gateway) -> None:
    submission = gateway.receive(a_signed_document(broken="content"))

    gateway.work_until_quiet()

    assert (submission.decision, submission.reason, submission.state) == (
        "rejected",
        "policy.signature_broken",
        "closed",
    )
    assert gateway.deliveries(submission) == []
