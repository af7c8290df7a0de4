"""SIGKILL at the five named points, in real server and worker processes: nothing is lost and nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from gateway import operations
from gateway.simulate.epuap import Push, PushAnswer, push
from gateway.simulate.offices.client import Office
from gateway.simulate.ports import held_port
from gateway.store.database import Store
from tests.builders import MAILBOX, a_signed_document
from tests.gateways import GATEWAY_TOML, write_config
from tests.processes import brama, serving
from tests.waiting import PATIENCE_S, wait_until

OFFICE_TOML = """
[connector.ezd]
kind = "soap"
wsdl = "{url}/Integracja.svc?wsdl"
timeout_s = 2.0
settle_delay_s = 0.5
reference = "{{steps.register.number}}"
[connector.ezd.reading]
success = [{{ path = "ResultStatus", equals = "1" }}]
[[connector.ezd.step]]
name = "register"
operation = "RejestrujWplyw"
[connector.ezd.step.arguments]
SygnaturaWplywu = "{{key}}"
Tytul = "Sprawa {{kind}}"
LiczbaZalacznikow = "1"
[connector.ezd.step.results]
number = "ZnakWplywu"
"""
FIND_TOML = """
[connector.ezd.step.find]
operation = "WyszukajWplyw"
arguments = { IdDokumentuePUAP = "{key}" }
found = [{ path = "ZnakWplywu" }]
results = { number = "ZnakWplywu" }
"""
ROUTE_TOML = """
[[route]]
form = "2020/01/07/8990"
connector = "ezd"
"""


@pytest.fixture(scope="module")
def running_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd", tmp_path_factory.mktemp("ezd")) as office:
        yield office


@pytest.fixture
def office(running_office: Office) -> Office:
    running_office.reset()
    return running_office


class Site:
    """A configured gateway that runs in processes of its own."""

    def __init__(self, folder: Path, database_url: str, office: Office, find: str = FIND_TOML) -> None:
        self.folder = folder
        self.port = held_port()
        self.database_url = database_url
        gateway = (
            f'database_url = "{database_url}"\n'
            + GATEWAY_TOML.replace("lease_s = 30.0", "lease_s = 1.0")
            + f"[http]\nport = {self.port}\n"
        )
        write_config(folder, gateway=gateway, more=OFFICE_TOML.format(url=office.url) + find, routes=ROUTE_TOML)

    def push(self, document: bytes) -> PushAnswer:
        return push(f"http://127.0.0.1:{self.port}/epuap/odbiorca", Push(MAILBOX, document), timeout_s=PATIENCE_S)

    def books(self) -> operations.Books:
        store = Store(self.database_url)
        try:
            return operations.books(store)
        finally:
            store.close()

    def quiet(self, submissions: int) -> bool:
        found = self.books()
        return found.submissions == submissions and found.quiet


@pytest.fixture
def site(tmp_path: Path, database_url: str, office: Office) -> Site:
    return Site(tmp_path, database_url, office)


@pytest.mark.parametrize("point", ["after_keep", "after_receipt"])
def test_a_document_whose_answer_was_lost_is_answered_again_and_delivered_once(
    site: Site, office: Office, point: str
) -> None:
    document = a_signed_document()
    with serving(site.folder, site.port, crash_at=point) as server:
        with pytest.raises(requests.ConnectionError):
            site.push(document)
        assert server.died_of_sigkill()
    assert site.books().submissions == 1
    _forget_who_was_busy(site)

    with serving(site.folder, site.port), brama("work", site.folder):
        first = _patient(site, document)
        second = site.push(document)
        wait_until(lambda: site.quiet(1))

    assert first.code == 1
    assert first.receipt is not None
    assert first.receipt == second.receipt
    assert site.books().delivered == 1
    assert site.books().balanced
    assert list(office.keys().values()) == [1]


def test_a_document_kept_by_a_server_that_died_is_finished_without_being_sent_again(site: Site, office: Office) -> None:
    with serving(site.folder, site.port, crash_at="after_keep") as server:
        with pytest.raises(requests.ConnectionError):
            site.push(a_signed_document())
        assert server.died_of_sigkill()
    _forget_who_was_busy(site)

    with brama("work", site.folder):
        wait_until(lambda: site.quiet(1))

    assert site.books().delivered == 1
    assert list(office.keys().values()) == [1]


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_store"])
def test_a_worker_killed_in_a_delivery_loses_and_doubles_nothing(site: Site, office: Office, point: str) -> None:
    with serving(site.folder, site.port):
        answers = [site.push(a_signed_document()) for _ in range(3)]
        with brama("work", site.folder, crash_at=point) as worker:
            assert worker.died_of_sigkill()
        with brama("work", site.folder):
            wait_until(lambda: site.quiet(3))

    assert [answer.code for answer in answers] == [1, 1, 1]
    assert site.books().delivered == 3
    assert site.books().balanced
    assert sorted(office.keys().values()) == [1, 1, 1]


def test_a_blind_connector_whose_worker_died_waits_for_a_person(
    tmp_path: Path, database_url: str, office: Office
) -> None:
    site = Site(tmp_path, database_url, office, find="")
    with serving(site.folder, site.port):
        site.push(a_signed_document())
    with brama("work", site.folder, crash_at="after_send") as worker:
        assert worker.died_of_sigkill()
    with brama("work", site.folder):
        wait_until(lambda: site.quiet(1))

    assert site.books().waiting_for_person == 1
    assert list(office.keys().values()) == [1]


def _patient(site: Site, document: bytes) -> PushAnswer:
    """As ePUAP: ask again while we say that the document is still being worked on."""
    while True:
        answer = site.push(document)
        if answer.error != "intake.still_deciding":
            return answer


def _forget_who_was_busy(site: Site) -> None:
    """The minute a dead server is given to decide, passed at once."""
    store = Store(site.database_url)
    with store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET busy_until = now() - interval '1 second'"))
    store.close()
