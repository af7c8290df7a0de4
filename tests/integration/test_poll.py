"""Polling a box: kept before confirmed, safe under a kill at any point, never blocked by one document."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from gateway import channels, poll, sweep
from gateway.config import EpuapConfig
from gateway.config import load as load_config
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import UPO_PASSWORD
from gateway.simulate.soap_messages import envelope, fault
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.store.locks import held
from schemas.errors import ConfigError, ServiceUnsettled, StoreUnavailable
from schemas.ids import sha256
from schemas.submission import Channel
from tests.builders import MAILBOX, SECOND_MAILBOX, TERYT, a_signed_document, an_envelope, pki
from tests.epuap_clients import Epuap
from tests.gateways import GATEWAY_TOML, Gateway, write_config
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def epuap(office: Office) -> Epuap:
    return Epuap(office)


def kept(store: Store) -> int:
    with store.begin() as transaction:
        return int(transaction.execute(select(func.count()).select_from(t.submission)).scalar_one())


def undecided(store: Store) -> int:
    with store.begin() as transaction:
        query = select(func.count()).select_from(t.submission).where(t.submission.c.decision.is_(None))
        return int(transaction.execute(query).scalar_one())


def drain(epuap: Epuap, gateway: Gateway) -> int:
    return poll.drain(epuap.pull, gateway.tools, threading.Event())


def test_what_waits_is_kept_confirmed_and_decided(epuap, gateway):
    documents = [a_signed_document("letter") for _ in range(3)]
    for document in documents:
        epuap.citizen_sends(document)
    assert drain(epuap, gateway) == 3
    assert (kept(gateway.tools.store), undecided(gateway.tools.store), epuap.pull.waiting()) == (3, 0, 0)
    submission = gateway.receive(an_envelope(documents[0]))  # the same, pushed: known already
    assert submission.channel is Channel.PULL


def test_nothing_is_confirmed_while_the_database_is_away(epuap, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    gateway.tools.store.close()
    broken = Store(gateway.tools.store.dsn.replace("/brama_t", "/brama_gone_t"))
    with pytest.raises(StoreUnavailable):
        poll.take_one(epuap.pull, gateway.with_tools(store=broken).tools)
    broken.close()
    assert epuap.pull.waiting() == 1


def test_a_lost_confirmation_makes_no_second_submission(epuap, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    epuap.office.tell("hang_up_before_storing", times=1, match="Potwierdz")
    with pytest.raises(ServiceUnsettled):
        poll.take_one(epuap.pull, gateway.tools)
    assert epuap.pull.waiting() == 1
    assert drain(epuap, gateway) == 1
    assert kept(gateway.tools.store) == 1


def test_a_document_that_cannot_be_decided_is_kept_and_does_not_block_the_box(epuap, gateway):
    def fail(document: bytes, **known: Any) -> Any:
        if b"Pierwsze" in document:
            raise ZeroDivisionError
        return gateway.tools.verify(document, **known)

    epuap.citizen_sends(a_signed_document("letter", title="Pierwsze"))
    epuap.citizen_sends(a_signed_document("letter", title="Drugie"))
    assert drain(epuap, gateway.with_tools(verify=fail)) == 2
    assert (kept(gateway.tools.store), undecided(gateway.tools.store), epuap.pull.waiting()) == (2, 1, 0)
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET busy_until = now()"))
    sweep.sweep(gateway.tools)  # decides it once the time of whoever kept it is over
    assert undecided(gateway.tools.store) == 0


@pytest.mark.parametrize("document", [b"", b"%PDF", b"<!DOCTYPE a><a/>"], ids=["empty", "pdf", "doctype"])
def test_a_poisoned_document_is_kept_confirmed_and_quarantined(epuap, gateway, document):
    epuap.citizen_sends(document)
    epuap.citizen_sends(a_signed_document("letter"))
    assert drain(epuap, gateway) == 2
    assert (kept(gateway.tools.store), epuap.pull.waiting()) == (2, 0)


def test_a_box_is_polled_by_one_at_a_time_and_freed_when_its_holder_goes(database):
    with held(database, "pull /a/b") as first:
        assert first is not None
        assert first()
        with held(database, "pull /a/b") as second, held(database, "pull /a/c") as other:
            assert second is None
            assert other is not None
        with database.begin() as transaction:
            transaction.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
        assert not first()
    with held(database, "pull /a/b") as again:
        assert again is not None


def test_drain_takes_nothing_while_somebody_else_polls(epuap, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    with held(gateway.tools.store, f"pull {MAILBOX}"):
        assert drain(epuap, gateway) == 0
    assert drain(epuap, gateway) == 1


def test_the_wait_grows_while_a_box_is_empty_and_ends_with_a_document():
    settings = EpuapConfig(poll_shortest_s=4, poll_longest_s=10)
    waits = [0.0]
    for _ in range(5):
        waits.append(poll.next_wait(settings, waits[-1], took=False))
    assert waits[1:] == [4, 6, 9, 10, 10]
    assert poll.next_wait(settings, 10, took=True) == 0


# --- brama pull, as a process ---------------------------------------------------------------------------------------


def configured(folder: Path, office: Office, database_url: str, **epuap: object) -> Path:
    """A configuration folder whose first mailbox is polled at the simulated ePUAP."""
    (folder / "epuap.p12").write_bytes(pki().upo_seal.pkcs12(UPO_PASSWORD))
    values: dict[str, object] = {
        "pull_url": f"{office.url}/pk_external_ws/services/pull",
        "key": "epuap.p12",
        "password": "env:BRAMA_TEST_SEAL_PASSWORD",
        "answer_certificates": [str(office.state / "ws-sign.pem")],
        "poll_shortest_s": 0.1,
        "poll_longest_s": 0.2,
        **epuap,
    }
    lines = "\n".join(f"{name} = {_toml(value)}" for name, value in values.items())
    write_config(folder, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}\n[epuap]\n{lines}\n')
    tenant = folder / "tenants" / f"{TERYT}.toml"
    tenant.write_text(f'pull = ["{MAILBOX}"]\n' + tenant.read_text("utf-8"), "utf-8")
    return folder


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def brama_pull(folder: Path, *more: str, crash_at: str = "") -> subprocess.Popen[bytes]:
    environment = os.environ | ({"BRAMA_CRASH_AT": crash_at} if crash_at else {})
    command = [sys.executable, "-m", "gateway", "pull", "--config", str(folder), *more]
    with (folder / "pull.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


@pytest.mark.parametrize(
    ("point", "kept_then", "waiting_then"),
    [("after_pull", 0, 2), ("after_keep", 1, 2), ("after_confirm", 1, 1), ("after_receipt", 1, 1)],
)
def test_killed_at_any_point_nothing_is_lost_and_nothing_doubled(
    epuap, database, gateway, tmp_path, point, kept_then, waiting_then
):
    before = len(epuap.office.effects("confirmed"))
    for _ in range(2):
        epuap.citizen_sends(a_signed_document("letter"))
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configured(tmp_path, epuap.office, url)
    assert brama_pull(folder, "--once", crash_at=point).wait(PATIENCE_S) == -signal.SIGKILL
    assert (kept(database), epuap.pull.waiting()) == (kept_then, waiting_then)
    assert_confirmed_only_what_is_kept(epuap, database, before)
    take_the_rest(epuap, gateway)
    assert (kept(database), epuap.pull.waiting()) == (2, 0)


def test_killed_in_the_middle_of_keeping_nothing_is_confirmed(epuap, database, gateway, tmp_path):
    before = len(epuap.office.effects("confirmed"))
    epuap.citizen_sends(a_signed_document("letter"))
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configured(tmp_path, epuap.office, url)
    with database.begin() as transaction:
        transaction.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        transaction.execute(text("LOCK TABLE content IN ACCESS EXCLUSIVE MODE"))  # its statement stops half-way
        process = brama_pull(folder, "--once")
        wait_until(lambda: waits_for_a_lock(database))
        process.kill()
        process.wait()
        assert len(epuap.office.effects("confirmed")) == before
    wait_until(lambda: not waits_for_a_lock(database))
    assert epuap.pull.waiting() == 1
    take_the_rest(epuap, gateway)
    assert (kept(database), epuap.pull.waiting()) == (1, 0)
    assert_confirmed_only_what_is_kept(epuap, database, before)


def waits_for_a_lock(store: Store) -> bool:
    """Is a statement over documents kept waiting in this database?"""
    asked = text(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query LIKE '%submission%')"
    )
    with store.engine.connect() as connection:
        return bool(connection.execute(asked).scalar())


def both_boxes(epuap: Epuap, folder: Path, database: Store, **settings: object) -> Path:
    """A configuration that polls two boxes; in the second a letter waits."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    tenant = configured(folder, epuap.office, url, **settings) / "tenants" / f"{TERYT}.toml"
    both = f'pull = ["{MAILBOX}", "{SECOND_MAILBOX}"]'
    tenant.write_text(tenant.read_text("utf-8").replace(f'pull = ["{MAILBOX}"]', both), "utf-8")
    epuap.citizen_sends(a_signed_document("letter"), mailbox=SECOND_MAILBOX)
    return folder


def test_a_box_that_stands_still_keeps_no_other_one_from_being_emptied(epuap, database, tmp_path):
    folder = both_boxes(epuap, tmp_path, database)
    said = envelope(fault(-5, "skrytka zablokowana")).decode()
    epuap.office.tell("say", times=1, match=f"{MAILBOX}<", status=500, body=said)
    assert brama_pull(folder, "--once").wait(PATIENCE_S) == 1
    told = (folder / "pull.log").read_text("utf-8")
    assert "Pobrano dokumentów: 1" in told
    assert f"{MAILBOX}: " in told
    assert "skrytka zablokowana" in told
    assert kept(database) == 1


def test_a_run_says_that_epuap_is_away_and_that_somebody_else_polls(epuap, database, tmp_path):
    folder = both_boxes(epuap, tmp_path, database, pull_url="http://127.0.0.1:9/pull")
    with held(database, f"pull {MAILBOX}"):
        assert brama_pull(folder, "--once").wait(PATIENCE_S) == 3
    told = (folder / "pull.log").read_text("utf-8")
    assert f"{MAILBOX}: pobiera z niej inny proces" in told
    assert "[service.unreachable]" in told


def test_killed_while_epuap_confirms_the_document_is_known_already(epuap, database, tmp_path):
    """It lets go of the document, and we do not hear of it."""
    before = len(epuap.office.effects("confirmed"))
    epuap.citizen_sends(a_signed_document("letter"))
    epuap.office.tell("slow", times=1, match="Potwierdz", seconds=30)
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configured(tmp_path, epuap.office, url)
    process = brama_pull(folder, "--once")
    wait_until(lambda: len(epuap.office.effects("confirmed")) > before)
    process.kill()
    process.wait()
    assert (kept(database), undecided(database), epuap.pull.waiting()) == (1, 1, 0)  # the sweep decides it
    assert_confirmed_only_what_is_kept(epuap, database, before)


def test_killed_at_a_random_moment_nothing_is_confirmed_that_is_not_kept(epuap, database, gateway, tmp_path):
    before = len(epuap.office.effects("confirmed"))
    sent = {epuap_digest(epuap, a_signed_document("letter")) for _ in range(12)}
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configured(tmp_path, epuap.office, url)
    process = brama_pull(folder, "--once")
    wait_until(lambda: len(epuap.office.effects("confirmed")) > before)
    time.sleep(random.Random().uniform(0.0, 0.1))
    process.kill()
    process.wait()
    assert_confirmed_only_what_is_kept(epuap, database, before)
    take_the_rest(epuap, gateway)
    assert digests_kept(database) == sent
    assert epuap.pull.waiting() == 0


def take_the_rest(epuap: Epuap, gateway: Gateway) -> None:
    """As the next poller does, once PostgreSQL has noticed that the last one is gone."""
    wait_until(lambda: drain(epuap, gateway) >= 0 and epuap.pull.waiting() == 0)


def epuap_digest(epuap: Epuap, document: bytes) -> str:
    epuap.citizen_sends(document)
    return sha256(document)


def digests_kept(store: Store) -> set[str]:
    with store.begin() as transaction:
        return set(transaction.execute(select(t.submission.c.sha256)).scalars())


def assert_confirmed_only_what_is_kept(epuap: Epuap, store: Store, since: int) -> None:
    """`since`: how many confirmations there were before this test."""
    confirmed = {effect["sha256"] for effect in epuap.office.effects("confirmed")[since:]}
    assert confirmed <= digests_kept(store)


def test_brama_pull_polls_until_it_is_stopped(epuap, database, tmp_path):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    process = brama_pull(configured(tmp_path, epuap.office, url))
    try:
        for number in (1, 2):
            epuap.citizen_sends(a_signed_document("letter"))
            wait_until(lambda number=number: kept(database) == number)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"key": "nie-ma.p12"}, "epuap.key"),
        ({"answer_certificates": []}, "answer_certificates"),
        ({"answer_certificates": ["nie-ma.pem"]}, "nie-ma.pem"),
        ({"password": "env:BRAMA_NIE_MA"}, "BRAMA_NIE_MA"),
    ],
)
def test_what_is_missing_in_the_configuration_is_named(office, tmp_path, change, named):
    folder = configured(tmp_path, office, "", **change)
    with pytest.raises(ConfigError) as caught:
        channels.pull_boxes(load_config(folder))
    assert any(named in problem for problem in caught.value.problems)


def test_a_polled_box_must_be_one_of_the_gminas_own(office, tmp_path):
    folder = configured(tmp_path, office, "")
    tenant = folder / "tenants" / f"{TERYT}.toml"
    tenant.write_text(tenant.read_text("utf-8").replace(f'pull = ["{MAILBOX}"]', 'pull = ["/obca/skrytka"]'), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert "/obca/skrytka" in caught.value.problems[0]
