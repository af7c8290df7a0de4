"""Keep and decide, one statement each: whole or not at all, once, and with a history that holds beside others."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from gateway import intake
from gateway.store import accepting, events, submissions
from gateway.store import tables as t
from gateway.store.accepting import PIECE_BYTES, Found
from schemas.errors import StoreUnavailable
from schemas.submission import Decision, Envelope, Submission, SubmissionState
from schemas.verification import Indication, Verification
from tests.builders import TERYT, an_envelope
from tests.gateways import Gateway


def test_a_kept_document_reads_back_as_it_was_answered(gateway: Gateway) -> None:
    kept = _keep(gateway, an_envelope())

    assert kept.is_new
    assert gateway.load(kept.submission) == replace(kept.submission, document=b"")


@pytest.mark.parametrize("size", [0, PIECE_BYTES + 1], ids=["small", "big"])
def test_octets_and_request_are_stored_as_they_came_whatever_their_size(gateway: Gateway, size: int) -> None:
    envelope = an_envelope(os.urandom(size + 1), raw=os.urandom(size))

    submission = _keep(gateway, envelope).submission

    with gateway.tools.store.begin() as transaction:
        row = transaction.execute(select(t.content.c.document, t.content.c.envelope)).one()
        assert events.broken_at(transaction, submission.id) is None
    assert tuple(map(bytes, row)) == (envelope.document, envelope.raw)


def test_a_big_document_whose_octets_do_not_arrive_leaves_nothing(gateway: Gateway) -> None:
    envelope = an_envelope(os.urandom(PIECE_BYTES + 1), raw="no octets")
    said = {"sha256": envelope.digest, "size_bytes": len(envelope.document)}

    with pytest.raises(TypeError), gateway.tools.store.direct() as connection:
        accepting.keep(connection, envelope, TERYT, said, 20.0)

    assert _count(gateway, t.submission) == _count(gateway, t.event) == 0
    assert _keep(gateway, replace(envelope, raw=b"")).is_new


@pytest.mark.parametrize("size", [0, PIECE_BYTES + 1], ids=["small", "big"])
def test_signed_content_is_stored_as_it_was_verified_whatever_its_size(gateway: Gateway, size: int) -> None:
    submission, signed = _keep(gateway, an_envelope()).submission, os.urandom(size + 1)

    assert _decide(gateway, submission, signed)

    with gateway.tools.store.begin() as transaction:
        assert submissions.signed_xml_of(transaction, submission.id) == signed
        assert events.broken_at(transaction, submission.id) is None


def test_the_second_of_two_decisions_changes_nothing(gateway: Gateway) -> None:
    submission = _keep(gateway, an_envelope()).submission
    assert _decide(gateway, submission, b"first")
    before = gateway.load(submission)

    assert not _decide(gateway, submission, b"second", Decision.QUARANTINED)

    assert gateway.load(submission) == before
    assert gateway.words(submission) == ["kept", "decided"]
    with gateway.tools.store.begin() as transaction:
        assert submissions.signed_xml_of(transaction, submission.id) == b"first"
        assert transaction.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar() == 1


def test_a_history_holds_while_twins_arrive_beside_the_decision(gateway: Gateway) -> None:
    envelope = an_envelope()
    submission = _keep(gateway, envelope).submission
    together = threading.Barrier(5)

    def arrive() -> None:
        together.wait()
        for _ in range(5):
            _keep(gateway, envelope)

    def decide() -> None:
        together.wait()
        assert _decide(gateway, submission, b"signed")

    with ThreadPoolExecutor(5) as threads:
        for done in [threads.submit(work) for work in (arrive, arrive, decide, arrive, arrive)]:
            done.result()

    assert sorted(gateway.words(submission)) == ["arrived_again"] * 20 + ["decided", "kept"]
    with gateway.tools.store.begin() as transaction:
        assert events.broken_at(transaction, submission.id) is None


def test_a_decision_waits_for_who_adds_to_the_history_and_follows_it(gateway: Gateway) -> None:
    submission = _keep(gateway, an_envelope()).submission
    with ThreadPoolExecutor(1) as threads:
        with gateway.tools.store.begin() as transaction:
            events.append(transaction, submission.id, "noted")
            decision = threads.submit(_decide, gateway, submission, b"signed")
            with pytest.raises(TimeoutError):
                decision.result(0.2)
        assert decision.result(10)

    assert gateway.words(submission) == ["kept", "noted", "decided"]
    with gateway.tools.store.begin() as transaction:
        assert events.broken_at(transaction, submission.id) is None


def test_a_connection_cut_by_the_server_is_a_store_that_is_away_and_not_used_again(gateway: Gateway) -> None:
    store = gateway.tools.store
    with pytest.raises(StoreUnavailable), store.direct() as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with store.direct() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with store.begin() as transaction:  # given back with the setting that transactions need
        assert transaction.execute(text("SELECT pg_current_xact_id() = pg_current_xact_id()")).scalar()
        assert not transaction.connection.driver_connection.autocommit  # type: ignore[union-attr]


def _keep(gateway: Gateway, envelope: Envelope) -> intake.Kept:
    return intake.keep(envelope, gateway.tools.store, gateway.tools.config)


def _decide(gateway: Gateway, submission: Submission, signed: bytes, decision: Decision = Decision.ACCEPTED) -> bool:
    found = Found(
        state=SubmissionState.DECIDED,
        decision=decision,
        reason="policy.accepted",
        form_namespace=None,
        verification=Verification(Indication.PASSED, (), "full", signed_xml=signed),
        validation={},
        receipt=None,
        said={"decision": decision.value},
    )
    with gateway.tools.store.direct() as connection:
        return accepting.decide(connection, submission.id, found)


def _count(gateway: Gateway, table: Any) -> int:
    with gateway.tools.store.begin() as transaction:
        return int(transaction.execute(select(func.count()).select_from(table)).scalar_one())
