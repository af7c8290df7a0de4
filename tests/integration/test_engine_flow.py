"""The main flow on real parts: keep, decide, map, deliver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.rehearsal import Behaviour
from gateway import operations
from gateway.app import make_tools
from gateway.simulate import documents
from gateway.simulate.documents import File
from gateway.store import submissions
from schemas.errors import ConnectorError, ReceiptError
from tests.builders import TERYT, a_signed_document, an_envelope
from tests.gateways import GATEWAY_TOML, Gateway, write_config
from tests.servers import clamav


def test_a_valid_return_is_accepted_mapped_and_delivered_once(gateway: Gateway) -> None:
    submission = gateway.receive()

    gateway.work_until_quiet()

    assert gateway.load(submission).state == "processed"
    assert gateway.states(submission) == ["delivered"]
    assert gateway.outcomes(submission) == ["delivered"]
    assert dict(gateway.office.received) == {gateway.keys(submission)[0]: 1}
    assert gateway.words(submission) == [
        "kept", "decided", "effectiveness_ruled", "delivery_scheduled", "processed", "attempt_finished",
    ]  # fmt: skip


def test_a_correction_says_whether_an_earlier_return_is_known_here(gateway: Gateway) -> None:
    known = [("annual", {"taxpayer": 41}), ("correction", {"taxpayer": 41, "purpose": "2"})]
    unknown = [
        ("another year", {"taxpayer": 41, "purpose": "2", "year": 2025}),
        ("another taxpayer", {"taxpayer": 42, "purpose": "2"}),
    ]
    notes = {}
    for name, breaks in (*known, *unknown):
        submission = gateway.receive(a_signed_document(**breaks))
        gateway.work_until_quiet()
        with gateway.tools.store.begin() as transaction:
            case = submissions.latest_case(transaction, submission.id)
        assert case is not None
        notes[name] = [item for item in case[1].get("checks", ()) if item["code"] == "check.no_earlier_return"]
        assert gateway.states(submission) == ["delivered"]

    assert [name for name, found in notes.items() if found] == [name for name, _ in unknown]
    assert {item["severity"] for found in notes.values() for item in found} == {"info"}


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


def test_a_form_without_a_route_is_held_until_there_is_one(gateway: Gateway) -> None:
    config = gateway.tools.config
    tenants = {teryt: tenant.model_copy(update={"route": ()}) for teryt, tenant in config.tenants.items()}
    lost = gateway.with_tools(config=config.model_copy(update={"tenants": tenants}))
    submission = lost.receive()
    lost.work_until_quiet()
    assert (lost.load(submission).state, lost.load(submission).reason) == ("held", "delivery.no_route")

    operations.release(gateway.tools.store, submission.id, actor="a.kowalska", reason="trasa dodana")
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]


def test_without_a_seal_no_receipt_of_ours_can_be_issued(gateway: Gateway, tmp_path: Path) -> None:
    folder = write_config(tmp_path, gateway='environment = "test"\ntrust = "pki/trust.toml"\n')
    unsealed = make_tools(folder, gateway.tools.store)
    with pytest.raises(ReceiptError) as refused:
        gateway.with_tools(seal=unsealed.seal).answer(an_envelope())
    assert refused.value.code == "receipt.no_seal"


def test_a_connector_that_no_file_describes_is_named(gateway: Gateway) -> None:
    with pytest.raises(ConnectorError) as refused:
        gateway.tools.offices.get(TERYT, "nothing")
    assert refused.value.code == "connector.not_configured"
    assert gateway.tools.offices.get(TERYT, "rehearsal") is gateway.tools.offices.get(TERYT, "rehearsal")


def test_a_gminas_own_rules_for_attachments_and_names_decide(gateway: Gateway, tmp_path: Path) -> None:
    letter = documents.general_letter(files=[File("a.pdf", documents.PDF)])
    picky = make_tools(write_config(tmp_path, more="[attachments]\ncount = 0"), gateway.tools.store)

    assert gateway.tools.check(letter, date(2026, 2, 5), TERYT).findings == ()
    assert [item.code for item in picky.check(letter, date(2026, 2, 5), TERYT).findings] == ["attachment.count"]
    assert picky.check(letter, date(2026, 2, 5), None).findings == ()

    submission = gateway.with_tools(check=picky.check).receive(letter)
    assert (submission.decision, submission.state) == ("quarantined", "held")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `gateway.toml` says where a real clamd runs."""
    with clamav.clamd(tmp_path_factory.mktemp("clam")) as wire:
        yield f'[attachments]\nscanner = "{wire}"\n'


def with_scanner(gateway: Gateway, folder: Path, attachments: str) -> Gateway:
    """The same gateway with other `[attachments]`; what decides is what its configuration makes."""
    config = write_config(folder, gateway=f"{GATEWAY_TOML}\n{attachments}")
    return gateway.with_tools(check=make_tools(config, gateway.tools.store).check)


@pytest.mark.parametrize(
    ("form", "decision", "state"), [("letter", "quarantined", "held"), ("return", "rejected", "closed")]
)
def test_a_virus_stops_a_letter_before_a_clerk_and_refuses_a_return(
    gateway: Gateway, tmp_path: Path, scanned: str, form: Any, decision: str, state: str
) -> None:
    infected = a_signed_document(form, files=[File("umowa.txt", b"x" + clamav.MARK, "text/plain")])
    wary = with_scanner(gateway, tmp_path, scanned)

    submission = wary.receive(infected)

    assert (submission.decision, submission.reason, submission.state) == (decision, "policy.form_invalid", state)
    found = wary.tools.check(infected, date(2026, 2, 5), TERYT).findings
    assert "attachment.infected" in {item.code for item in found}
    wary.work_until_quiet()
    assert gateway.deliveries(submission) == []


def test_a_harmless_file_passes_the_scanner_and_one_that_is_away_only_warns(
    gateway: Gateway, tmp_path: Path, scanned: str
) -> None:
    letter = documents.general_letter(files=[File("umowa.txt", b"dzien dobry", "text/plain")])
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    there = with_scanner(gateway, tmp_path / "a", scanned)
    away = with_scanner(gateway, tmp_path / "b", f'[attachments]\nscanner = "{tmp_path}/nobody.sock"\n')

    assert there.tools.check(letter, date(2026, 2, 5), TERYT).findings == ()
    found = away.tools.check(letter, date(2026, 2, 5), TERYT)
    assert [item.code for item in found.findings] == ["attachment.not_scanned"]
    assert found.valid
