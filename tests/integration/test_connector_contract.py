"""Every built-in connector keeps the published contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.base import Connector
from connectors.registry import BUILT_IN, build
from connectors.rehearsal import Behaviour, RehearsalConnector, RehearsalOptions
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.store.database import Store
from gateway.testing.contract import ConnectorContract, Declarations, FetchedContract, GoesDown, LosesAnswers, Refuses
from tests.apis import FETCH_ROUTE, FETCHING, Client, a_client
from tests.builders import a_signed_document
from tests.databases import postgresql
from tests.gateways import Gateway, a_gateway
from tests.sshd import Sshd, prepare


class OverHttp:
    """A simulated office behind HTTP."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def keys(self) -> dict[str, int]:
        assert self.office.doubled() == []
        return self.office.keys()

    def lose_answer(self, stored: bool) -> None:
        self.office.tell("hang_up_after_storing" if stored else "hang_up_before_storing", times=1)

    def refuse(self) -> None:
        self.office.tell("refuse", times=1)

    def down(self) -> None:
        self.office.tell("down")

    def up(self) -> None:
        self.office.tell("up")


@pytest.fixture(scope="module")
def ezd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd", tmp_path_factory.mktemp("ezd")) as office:
        yield office


class TestEzdPuw(ConnectorContract, LosesAnswers, GoesDown, Refuses):
    @pytest.fixture
    def office(self, ezd: Office) -> OverHttp:
        ezd.reset()
        return OverHttp(ezd)

    @pytest.fixture
    def connector(self, ezd: Office) -> Connector:
        options = {"address": f"{ezd.url}/Integracja.svc", "timeout_s": 30.0, "open_case": {"folder_symbol": "3120"}}
        return build("ezd_puw", options)


def letter_step(**changes: Any) -> dict[str, Any]:
    return {
        "name": "register",
        "operation": "RejestrujWplyw",
        "arguments": {"SygnaturaWplywu": "{key}", "Tytul": "{fields.title}"},
        "results": {"number": "ZnakWplywu"},
        **changes,
    }


FIND_LETTER = {
    "operation": "WyszukajWplyw",
    "arguments": {"IdDokumentuePUAP": "{key}"},
    "found": [{"path": "ZnakWplywu"}],
    "results": {"number": "ZnakWplywu"},
}


class SoapContract(ConnectorContract, LosesAnswers, GoesDown, Refuses):
    step: dict[str, Any]

    @pytest.fixture
    def office(self, ezd: Office) -> OverHttp:
        ezd.reset()
        return OverHttp(ezd)

    @pytest.fixture
    def connector(self, ezd: Office) -> Connector:
        return build(
            "soap",
            {
                "wsdl": f"{ezd.url}/Integracja.svc?wsdl",
                "timeout_s": 30.0,
                "reading": {"success": [{"path": "ResultStatus", "equals": "1"}], "message": "ResultMessage"},
                "step": [self.step],
            },
        )


class TestSoapFindable(SoapContract):
    step = letter_step(find=FIND_LETTER)


class TestSoapBlind(SoapContract):
    step = letter_step()


@pytest.fixture(scope="module")
def json_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("rest", tmp_path_factory.mktemp("rest"), "--forgets-keys") as office:
        yield office


FIND_CASE = {"operation": "GET /cases?external_id={key}", "found": [{"path": "items/id"}]}


class RestContract(ConnectorContract, LosesAnswers, GoesDown, Refuses):
    find: dict[str, Any] | None

    @pytest.fixture
    def office(self, json_office: Office) -> OverHttp:
        json_office.reset()
        return OverHttp(json_office)

    @pytest.fixture
    def connector(self, json_office: Office) -> Connector:
        step = {"name": "open", "operation": "POST /cases", "arguments": {"external_id": "{key}"}, "find": self.find}
        return build("rest", {"base_url": json_office.url, "timeout_s": 30.0, "step": [step], "ping": "GET /ping"})


class TestRestFindable(RestContract):
    find = FIND_CASE


class TestRestBlind(RestContract):
    find = None


@pytest.fixture(scope="module")
def ezd_rp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd_rp", tmp_path_factory.mktemp("ezd_rp"), "--secret", "klucz") as office:
        yield office


class TestEzdRp(ConnectorContract, LosesAnswers, GoesDown, Refuses):
    """Blind: every doubt waits for a person."""

    @pytest.fixture
    def office(self, ezd_rp: Office) -> OverHttp:
        ezd_rp.reset()
        return NumberingLetters(ezd_rp)

    @pytest.fixture
    def connector(self, ezd_rp: Office) -> Connector:
        who = {"host": "brama.example", "entity_id": "7", "key_id": "3"}
        key = {"token_url": f"{ezd_rp.url}/token", "key": "klucz", **who}
        options = {"base_url": ezd_rp.url, "api_key": key, "position_id": "12", "timeout_s": 30.0}
        return build("ezd_rp", {**options, "open_case": {"list_id": "3120"}})


class NumberingLetters(OverHttp):
    """The letter counts when it gets its number."""

    def lose_answer(self, stored: bool) -> None:
        self.office.tell("hang_up_after_storing" if stored else "hang_up_before_storing", times=1, match="/rpw ")


class TestFolder(ConnectorContract, GoesDown):
    """A local folder answers at once: there is no answer to lose, and nobody to refuse."""

    @pytest.fixture
    def office(self, tmp_path: Path) -> FolderSide:
        return FolderSide(tmp_path / "urzad")

    @pytest.fixture
    def connector(self, office: FolderSide) -> Connector:
        return build("folder", {"root": str(office.root)})


class FolderSide:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def keys(self) -> dict[str, int]:
        return {path.stem: 1 for path in self.root.glob("*.json")}

    def down(self) -> None:
        self.root.rename(self.root.with_name("odmontowany"))

    def up(self) -> None:
        self.root.with_name("odmontowany").rename(self.root)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = prepare(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


class TestSftp(ConnectorContract, GoesDown):
    """A lost answer cannot be made at a named moment inside SSH: test_connector_sftp shows it. Nobody refuses."""

    @pytest.fixture
    def office(self, tmp_path: Path, sshd: Sshd) -> SftpSide:
        return SftpSide(tmp_path / "urzad", sshd)

    @pytest.fixture
    def connector(self, office: SftpSide, sshd: Sshd) -> Connector:
        key = {"private_key": str(sshd.private_key), "host_key": sshd.host_key}
        where = {"host": "127.0.0.1", "port": sshd.port, "user": sshd.user, "root": str(office.root)}
        return build("sftp", {**where, **key, "timeout_s": 30.0})


class SftpSide(FolderSide):
    def __init__(self, root: Path, sshd: Sshd) -> None:
        super().__init__(root)
        self.sshd = sshd

    def down(self) -> None:
        self.sshd.stop()

    def up(self) -> None:
        self.sshd.start()


class TestRehearsal(ConnectorContract, LosesAnswers, Refuses):
    """It can always be asked: it is us."""

    @pytest.fixture
    def connector(self) -> RehearsalConnector:
        return RehearsalConnector(RehearsalOptions())

    @pytest.fixture
    def office(self, connector: RehearsalConnector) -> RehearsalSide:
        return RehearsalSide(connector)


class RehearsalSide:
    def __init__(self, connector: RehearsalConnector) -> None:
        self.connector = connector

    def keys(self) -> dict[str, int]:
        return dict(self.connector.received)

    def lose_answer(self, stored: bool) -> None:
        self.connector.behave(Behaviour.HANG_UP_AFTER if stored else Behaviour.HANG_UP_BEFORE, times=1)

    def refuse(self) -> None:
        self.connector.behave(Behaviour.REFUSE, times=1)


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    url = postgresql(postgres, "urzad_kontrakt")
    staging.create(url)
    return url


@pytest.fixture(scope="module")
def line(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    socket = f"{sa.make_url(database).query['host']}/.s.PGSQL.5432"
    with Office("wire", tmp_path_factory.mktemp("wire"), "--to", socket) as office:
        yield office


class TestSqlStaging(ConnectorContract, LosesAnswers, GoesDown):
    """A staging table has no opinion of its own; what a database refuses, test_connector_sql shows."""

    @pytest.fixture
    def office(self, database: str, line: Office) -> StagingSide:
        return StagingSide(database, line)

    @pytest.fixture
    def connector(self, database: str, line: Office) -> Iterator[Connector]:
        url = sa.make_url(database).set(host="127.0.0.1", port=line.port, query={})
        options = {
            "url": url.render_as_string(hide_password=False),
            "table": "brama_case",
            "columns": staging.COLUMNS,
            "files": staging.FILES,
            "timeout_s": 30.0,
        }
        made: Any = build("sql", options)
        yield made
        made.close()


class StagingSide:
    def __init__(self, url: str, line: Office) -> None:
        self.url = url
        self.line = line
        line.tell("up")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM brama_file")
            connection.exec_driver_sql("DELETE FROM brama_case")

    def keys(self) -> dict[str, int]:
        return staging.keys(self.url)

    def lose_answer(self, stored: bool) -> None:
        self.line.tell("cut_after" if stored else "cut_before", match="COMMIT")

    def down(self) -> None:
        self.line.tell("down")
        self.line.tell("cut_before", match=".")  # the open line breaks too

    def up(self) -> None:
        self.line.tell("up")


class TestFetch(FetchedContract):
    """The office is a program that asks the REST interface of a whole gateway and acknowledges what it took."""

    @pytest.fixture
    def connector(self) -> Connector:
        return build("fetch", {})

    @pytest.fixture
    def office(self, database_url: str, tmp_path: Path) -> Iterator[FetchingSide]:
        store = Store(database_url)
        gateway = a_gateway(store, tmp_path, more=FETCHING, routes=FETCH_ROUTE)
        with a_client(gateway) as client:
            yield FetchingSide(gateway, client)
        store.close()

    def test_a_case_is_delivered_when_the_office_says_it_has_it_and_not_before(self, office: FetchingSide) -> None:
        submission = office.gateway.receive(a_signed_document("letter"))
        office.gateway.work_until_quiet()
        assert office.gateway.states(submission) == ["due"]

        for _ in range(2):  # an answer that was lost: asked and acknowledged again
            assert office.take() == [str(submission.id)]

        assert office.gateway.states(submission) == ["delivered"]
        assert office.keys() == {str(submission.id): 1}


class FetchingSide:
    """`keys`: what it has acknowledged, as the gateway tells it."""

    def __init__(self, gateway: Gateway, client: Client) -> None:
        self.gateway, self.client = gateway, client

    def keys(self) -> dict[str, int]:
        return {item["id"]: 1 for page in self.client.pages() for item in page["items"] if item["acknowledged_at"]}

    def take(self) -> list[str]:
        """Fetch all there is, keep it, say so."""
        cases = [item["id"] for page in self.client.pages() for item in page["items"]]
        for case in cases:
            assert self.client.get(f"/cases/{case}/document").status_code == 200
            assert self.client.acknowledge(case, "WOD.7").status_code == 200
        return cases


def test_every_built_in_connector_is_here() -> None:
    kept = {name.removeprefix("Test").lower() for name, kind in globals().items() if _is_contract(kind)}
    missing = [name for name in BUILT_IN if not any(one.startswith(name.replace("_", "")) for one in kept)]
    assert missing == []


def _is_contract(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Declarations) and kind.__name__.startswith("Test")
