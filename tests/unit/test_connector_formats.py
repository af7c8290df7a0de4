"""Files the way an office reads them, and the files it answers with."""

from __future__ import annotations

import csv
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.base import LookUpFailed
from connectors.drop import READ_AT_MOST
from connectors.folder import FolderConnector
from connectors.registry import build
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError

TEMPLATE = """<?xml version="1.0" encoding="{{ encoding }}"?>
<Sprawa klucz="{{ key }}"><Nazwisko>{{ fields.surname }}</Nazwisko><Kwota>{{ fields.total | text }}</Kwota></Sprawa>
"""


@pytest.fixture
def office(tmp_path: Path) -> Path:
    root = tmp_path / "urzad"
    root.mkdir()
    return root


def connector_for(office: Path, **options: Any) -> FolderConnector:
    connector = build("folder", {"root": str(office), **options})
    assert isinstance(connector, FolderConnector)
    return connector


def deliver(connector: FolderConnector, steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record("k-1", **changes), "k-1", steps or MemorySteps(Repeat.SAFE))


def xml_format(tmp_path: Path, text: str = TEMPLATE, **more: Any) -> dict[str, Any]:
    template = tmp_path / "sprawa.xml"
    template.write_text(text, "utf-8")
    return {"kind": "xml", "template": str(template), **more}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "UTF-8"), ("cp1250", "windows-1250"), ("iso8859-2", "ISO-8859-2"), ("cp852", "IBM852")],
)
def test_xml_is_written_in_the_offices_encoding(office: Path, tmp_path: Path, encoding: str, name: str) -> None:
    connector = connector_for(office, format=xml_format(tmp_path, encoding=encoding))

    assert deliver(connector) == Delivered("k-1.xml")

    content = (office / "k-1.xml").read_bytes()
    assert "Łękołodzka-Żdźbło".encode(encoding) in content
    assert content.startswith(f'<?xml version="1.0" encoding="{name}"?>'.encode())
    body = content.decode(encoding).partition("?>")[2].strip()
    assert etree.fromstring(body).findtext("Kwota") == "1234.50"


@pytest.mark.parametrize("head", ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>'])
def test_xml_that_does_not_name_its_encoding_is_not_written(office: Path, tmp_path: Path, head: str) -> None:
    template = tmp_path / "sprawa.xml"
    template.write_text(head + "<a>{{ fields.surname }}</a>", "utf-8")
    wanted = {"kind": "xml", "template": str(template)}

    outcome = deliver(connector_for(office, format={**wanted, "encoding": "cp1250"}))

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "folder.template_wrong"
    assert list(office.iterdir()) == []
    assert isinstance(deliver(connector_for(office, format=wanted)), Delivered)


def test_values_cannot_break_out_of_the_xml(office: Path, tmp_path: Path) -> None:
    name = "Nowak</Nazwisko><Kwota>0</Kwota><Nazwisko>&"
    deliver(connector_for(office, format=xml_format(tmp_path)), fields={**a_record().fields, "surname": name})

    root = etree.parse(office / "k-1.xml").getroot()
    assert root.findtext("Nazwisko") == name
    assert len(root.findall("Kwota")) == 1


def test_csv_has_a_header_and_one_row(office: Path) -> None:
    columns = {"KLUCZ": "{key}", "NAZWISKO": "{fields.surname}", "KWOTA": "{fields.total}", "UWAGI": "{fields.note?}"}
    connector = connector_for(office, format={"kind": "csv", "columns": columns, "encoding": "cp852", "suffix": ".txt"})

    assert deliver(connector, fields={**a_record().fields, "surname": 'Ł; "ź"\n'}) == Delivered("k-1.txt")

    text = (office / "k-1.txt").read_bytes().decode("cp852")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert rows == [{"KLUCZ": "k-1", "NAZWISKO": 'Ł; "ź"\n', "KWOTA": "1234.50", "UWAGI": ""}]


def test_a_character_the_encoding_lacks_is_refused_before_writing(office: Path) -> None:
    connector = connector_for(office, format={"encoding": "cp1250"})

    outcome = deliver(connector, fields={"surname": "中"})

    assert outcome == Refused("record.violations", "file: rule.charset (U+4E2D/cp1250)")
    assert list(office.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("<a>{{ fields.nowhere }}</a>", Refused, "record.incomplete"),
        ("<a>{{ fields.surname }}", Unreachable, "folder.template_wrong"),
        ("<a>{% if %}</a>", Unreachable, "folder.template_wrong"),
    ],
)
def test_a_template_that_does_not_work_writes_nothing(
    office: Path, tmp_path: Path, text: str, kind: type, code: str
) -> None:
    outcome = deliver(connector_for(office, format=xml_format(tmp_path, text)))

    assert isinstance(outcome, kind)
    assert outcome.code == code
    assert list(office.iterdir()) == []


def test_a_csv_value_that_is_missing_is_told(office: Path) -> None:
    connector = connector_for(office, format={"kind": "csv", "columns": {"A": "{fields.nowhere}"}})

    assert deliver(connector) == Refused("record.incomplete", "fields.nowhere")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"kind": "xml"}, "xml needs a template"),
        ({"kind": "csv"}, "csv needs columns"),
        ({"encoding": "mazovia-7"}, "unknown encoding"),
    ],
)
def test_a_format_that_cannot_work_is_refused_when_saved(office: Path, wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        connector_for(office, format=wrong)

    assert problem in refused.value.facts["problems"]


RESPONSE = {"folder": "odpowiedzi", "encoding": "cp1250", "accepted": r"OK;(?P<reference>\S+)", "refused": r"BŁĄD;(?P<reason>.*)"}  # fmt: skip  # noqa: E501


def respond(office: Path, text: str) -> None:
    (office / "odpowiedzi").mkdir(exist_ok=True)
    (office / "odpowiedzi" / "k-1.odp").write_bytes(text.encode("cp1250"))


def test_a_case_is_delivered_when_the_response_says_so(office: Path) -> None:
    connector, steps = connector_for(office, response=RESPONSE), MemorySteps(Repeat.SAFE)

    outcome = deliver(connector, steps)
    assert isinstance(outcome, Unsettled)
    assert (outcome.code, outcome.awaited) == ("response.awaited", True)
    assert connector.find("k-1") is None

    (office / "k-1.json").unlink()
    respond(office, "OK;SP.12.2026")
    assert connector.find("k-1") == "SP.12.2026"
    assert deliver(connector, steps.next_attempt()) == Delivered("SP.12.2026")
    assert not (office / "k-1.json").exists()


def test_a_response_that_says_no_is_a_refusal_with_its_reason(office: Path) -> None:
    connector = connector_for(office, response=RESPONSE)
    respond(office, "BŁĄD;Brak kartoteki podatnika ż")

    assert deliver(connector) == Refused("response.refused", "Brak kartoteki podatnika ż")
    assert connector.find("k-1") is None


@pytest.mark.parametrize(
    ("text", "complete"), [("", None), ("  \r\n", None), ("OK;SP.1", "KONIEC"), ("OK;SP.12\nKON", "KONIEC")]
)
def test_a_response_being_written_is_waited_for(office: Path, text: str, complete: str | None) -> None:
    connector, steps = connector_for(office, response={**RESPONSE, "complete": complete}), MemorySteps(Repeat.SAFE)
    respond(office, text)

    outcome = deliver(connector, steps)

    assert isinstance(outcome, Unsettled)
    assert (outcome.code, outcome.awaited) == ("response.awaited", True)
    respond(office, "OK;SP.12.2026\r\nKONIEC\r\n")
    assert deliver(connector, steps.next_attempt()) == Delivered("SP.12.2026")


def test_a_response_without_end_is_not_read_to_its_end(office: Path) -> None:
    connector = connector_for(office, response=RESPONSE)
    respond(office, "?" * (READ_AT_MOST + 10) + "OK;SP.1")

    outcome = deliver(connector)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "answer.unreadable"


@pytest.mark.parametrize("text", ["OK;1 BŁĄD;2", "???"])
def test_a_response_that_cannot_be_understood_is_a_doubt(office: Path, text: str) -> None:
    connector = connector_for(office, response=RESPONSE)
    respond(office, text)

    outcome = deliver(connector)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "answer.unreadable"


def test_waiting_for_a_response_is_counted_into_how_long_a_delivery_takes(office: Path) -> None:
    patient = connector_for(office, response=RESPONSE, response_wait_s=45, timeout_s=20)

    assert patient.capabilities.max_calls == connector_for(office).capabilities.max_calls + 3


def test_a_response_that_comes_while_we_wait_is_heard(office: Path) -> None:
    connector = connector_for(office, response=RESPONSE, response_wait_s=60)
    threading.Timer(0.3, respond, [office, "OK;SP.1.2026"]).start()

    assert deliver(connector) == Delivered("SP.1.2026")


def test_a_folder_that_went_away_is_no_answer(office: Path) -> None:
    connector = connector_for(office, response=RESPONSE)
    office.rmdir()

    with pytest.raises(LookUpFailed):
        connector.find("k-1")
