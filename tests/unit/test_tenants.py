"""The example deployment: thirteen gminas, every connector, and nothing in it that `brama check` would not find."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from connectors import registry
from connectors.formats import FileFormat, render
from connectors.registry import BUILT_IN
from connectors.values import missing_names, scope_of
from gateway import checkup, validate
from gateway.app import ConfiguredOffices
from gateway.config import load
from gateway.forms import Forms
from gateway.mapper import Mappings, to_record
from gateway.simulate import documents
from schemas.delivery import AttachmentFile, CaseRecord
from schemas.errors import ConfigError
from schemas.xmldoc import parse
from tests.reference import files

SECRET = re.compile(r"env:(BRAMA_\w+)")
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
GMINAS = {
    "2003011", "2004011", "2006032", "2007022", "2009032", "2010023", "2010062", "2010092", "2011083", "2011093",
    "2012072", "2013072", "2062011",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set: the example must be checkable without."""
    for name in [name for name in os.environ if name.startswith("BRAMA_2") or name == "BRAMA_DATABASE_URL"]:
        monkeypatch.delenv(name)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The example, to be broken."""
    for part in ("gateway.toml", "trust.toml", "tenants"):
        source = CONFIG / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / part)
    return tmp_path


def codes(folder: Path, **options: bool) -> list[tuple[str, str]]:
    return [(problem.where, problem.code) for problem in checkup.check(folder, **options).problems]


def broken(folder: Path, teryt: str, old: str, new: str) -> list[tuple[str, str]]:
    """What the check finds after one change in one tenant's file."""
    file = folder / "tenants" / f"{teryt}.toml"
    content = file.read_text("utf-8")
    assert content.count(old) >= 1
    file.write_text(content.replace(old, new, 1), "utf-8")
    return codes(folder)


def test_all_thirteen_gminas_load_under_their_codes():
    config = load(CONFIG)
    assert set(config.tenants) == GMINAS
    assert {file.stem for file in (CONFIG / "tenants").glob("*.toml")} == GMINAS


def test_between_them_they_use_every_connector():
    used = {made.kind for tenant in load(CONFIG).tenants.values() for made in tenant.connector.values()}
    assert used == set(BUILT_IN)


def test_a_worker_that_is_killed_costs_no_office_more_than_a_minute(monkeypatch: pytest.MonkeyPatch):
    """Its deliveries are free again when its leases end, and those last as long as one remembered step may take."""
    config = load(CONFIG)
    for name in {name for file in (CONFIG / "tenants").glob("*.toml") for name in SECRET.findall(file.read_text())}:
        monkeypatch.setenv(name, "postgresql+psycopg://brama@localhost/urzad" if name.endswith("_URL") else "x")
    offices = ConfiguredOffices(config)
    longest = {
        (teryt, name): offices.get(teryt, name).longest_s
        for teryt, tenant in config.tenants.items()
        for name in tenant.connector
    }
    assert config.gateway.worker.lease_s < 60
    assert {office: seconds for office, seconds in longest.items() if seconds > 55} == {}


def test_every_file_begins_by_saying_that_it_is_an_example():
    for file in (CONFIG / "tenants").glob("*.toml"):
        first, second = file.read_text("utf-8").splitlines()[:2]
        assert first.startswith("# PRZYKŁAD")
        assert second.startswith("# An example")


def test_nothing_in_it_reaches_a_real_place():
    for file in [CONFIG / "gateway.toml", *(CONFIG / "tenants").glob("*.toml")]:
        for line in file.read_text("utf-8").splitlines():
            for address in line.split("://")[1:]:
                host = address.partition("/")[0].rpartition("@")[2].partition('"')[0]
                assert host.endswith(".example"), f"{file.name}: {line}"
    mailboxes = [box for tenant in load(CONFIG).tenants.values() for box in tenant.mailboxes]
    assert all(box.startswith("/przyklad") for box in mailboxes)


def test_the_example_passes_the_check_with_nothing_but_its_secrets_missing():
    found = checkup.check(CONFIG)
    assert found.problems == ()
    assert {warning.code for warning in found.warnings} == {"checkup.secret_missing"}
    named = {warning.where.partition(":")[0] for warning in found.warnings}
    assert {"gateway.toml", "2003011/podatki", "2007022/sprawy", "2009032/kancelaria"} <= named
    assert found.to_json()["ok"] is True


RULE = """
[[effectiveness.rule]]
form = "{form}"
effect = "{effect}"
since = 2026-01-01
ruled_by = "Wójt"
ruled_on = 2025-12-15
basis = "zarządzenie"
"""


def appended(folder: Path, more: str, teryt: str = "2009032") -> list[tuple[str, str]]:
    """What the check finds with these lines at the end of one tenant's file."""
    file = folder / "tenants" / f"{teryt}.toml"
    file.write_text(file.read_text("utf-8") + more, "utf-8")
    return codes(folder)


def test_a_rule_on_effective_lodging_names_a_form_that_is_there(copy: Path):
    assert appended(copy, RULE.format(form="2020/01/07/8990", effect="effective")) == []
    assert appended(copy, RULE.format(form="2099/01/01/1", effect="effective")) == [
        ("2009032.toml: effectiveness.rule.1.form", "checkup.form_unknown")
    ]


def test_two_rules_that_rival_are_named(copy: Path):
    rule = RULE.format(form="*", effect="effective")
    file = copy / "tenants" / "2009032.toml"
    file.write_text(file.read_text("utf-8") + rule + rule, "utf-8")
    (problem,) = checkup.check(copy).problems
    assert "rule.0, rule.1" in problem.text


def test_a_gmina_that_sends_notices_needs_its_card(copy: Path):
    assert appended(copy, RULE.format(form="*", effect="ineffective")) == [
        ("2009032.toml: answers.office", "checkup.letters")
    ]
    assert appended(copy, '\n[effectiveness]\nnotice = "none"\n') == []


def test_a_template_of_the_gminas_own_that_makes_no_letter_is_found(copy: Path):
    card = copy / "office" / "office.toml"
    card.parent.mkdir()
    shutil.copy(ROOT / "templates" / "answers" / "office.example.toml", card)
    assert codes(copy) == []
    (card.parent / "fee_call.toml").write_text('title = "T"\n[[block]]\nkind = "text"\ntext = "{{ nothing }}"\n')
    assert {code for _, code in codes(copy)} == {"checkup.letters"}


def test_a_ledger_that_letters_may_name_has_a_name(copy: Path):
    card = copy / "office" / "office.toml"
    card.parent.mkdir()
    shutil.copy(ROOT / "templates" / "answers" / "office.example.toml", card)
    (name, *_) = load(copy).tenants["2009032"].connector
    more = f'\n[answers]\nservices = ["settlement_query"]\nledgers = ["{name}"]\n'
    assert appended(copy, more) == [("2009032.toml: answers.ledgers", "checkup.ledger_unnamed")]
    (card.parent / "words.toml").write_text(f'[ledgers]\n{name} = "ewidencja podatkowa"\n', "utf-8")
    assert codes(copy) == []


def test_corrections_name_forms_that_are_there(copy: Path):
    file = copy / "tenants" / "2009032.toml"
    file.write_text(file.read_text("utf-8") + '\n[answers.corrections]\nforms = ["2099/01/01/1"]\n', "utf-8")
    assert ("2009032.toml: answers.corrections.forms.0", "checkup.form_unknown") in codes(copy)


def test_a_live_check_needs_the_secrets():
    found = checkup.check(CONFIG, live=True)
    assert found.warnings == ()
    assert "checkup.secret_missing" in {problem.code for problem in found.problems}


def test_a_secret_that_is_there_is_no_longer_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRAMA_2009032_EZD_TOKEN", "t")
    assert not [warning for warning in checkup.check(CONFIG).warnings if warning.where.startswith("2009032")]


def test_a_wrong_option_is_found_although_the_secret_beside_it_is_missing(copy: Path):
    found = broken(copy, "2003011", 'table = "brama_case"', 'tabel = "brama_case"')
    assert found == [("2003011/podatki", "connector.options_wrong")]
    assert "did you mean table?" in checkup.check(copy).problems[0].text


def test_an_unknown_key_comes_with_the_nearest_one(copy: Path):
    file = copy / "tenants" / "2010062.toml"
    file.write_text(file.read_text("utf-8").replace("mailboxes", "mailboxs"), "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(copy)
    assert any("mailboxs" in problem and "did you mean mailboxes?" in problem for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("teryt", "old", "new", "where", "code"),
    [
        (
            "2006032",
            'record = "staging"',
            'record = "stagging"',
            "2006032.toml: route.0.record",
            "mapping.record_unknown",
        ),
        ("2006032", "2020/01/07/8990", "2020/01/07/8991", "2006032.toml: route.0.form", "checkup.form_unknown"),
        ("2006032", "{fields.FORMULARZ}", "{fields.FORMULAR}", "2006032.toml: route.0", "checkup.field_unknown"),
        ("2010062", 'kind = "folder"', 'kind = "foldr"', "2010062/pliki", "connector.unknown"),
        (
            "2003011",
            '"env:BRAMA_2003011_EZD_HASLO"',
            '"tajne"',
            "2003011/kancelaria: password",
            "checkup.secret_written_out",
        ),
        (
            "2009032",
            '"env:BRAMA_2009032_EZD_TOKEN"',
            '"tajne"',
            "2009032/kancelaria: token.application_token",
            "checkup.secret_written_out",
        ),
    ],
)
def test_one_mistake_is_found_where_it_is(copy: Path, teryt: str, old: str, new: str, where: str, code: str):
    assert (where, code) in broken(copy, teryt, old, new)


def test_an_office_that_fetches_needs_the_api(copy: Path):
    gateway = copy / "gateway.toml"
    gateway.write_text(gateway.read_text("utf-8").replace("enabled = true", "enabled = false"), "utf-8")
    assert ("2010092/pobiera", "checkup.fetch_without_api") in codes(copy)


def test_every_record_mapping_a_route_names_exists():
    mappings = Mappings.load([])
    named = {route.record for tenant in load(CONFIG).tenants.values() for route in tenant.route}
    assert len(named) > 1
    for record in named - {None}:
        assert mappings.record(str(record)).fields


SAMPLES = {
    "http://crd.gov.pl/wzor/2020/01/07/8990/": ("dn-1-8990-v1",),
    "http://crd.gov.pl/wzor/2019/02/28/7206/": ("dt-1-7206-v1",),
    "*": ("pismo-ogolne-1410-v1", "akcyza-v1", "do-1-v1"),
}


def test_every_route_can_fill_what_its_connector_sends():
    """The record of a real sample has every value that the office's templates cannot do without."""
    mappings = Mappings.load([])
    for tenant in load(CONFIG).tenants.values():
        for route in tenant.route:
            made = tenant.connector[route.connector]
            kind = registry.load(made.kind)
            options = registry.read_options(kind, made.kind, checkup.without_secrets(made, CONFIG, kind.options_model))
            for sample in SAMPLES[route.form]:
                case = json.loads((CONFIG.parent / "mappings" / "samples" / f"{sample}.case.json").read_text("utf-8"))
                fields = to_record(case, mappings.record(route.record)) if route.record else {}
                record = CaseRecord("k", tenant.teryt, case["kind"], case, fields)
                later = frozenset({"steps", "file", "parameters"})
                missing = list(missing_names(options.model_dump(), scope_of(record, "k", "m"), later))
                assert missing == [], f"{tenant.teryt} {route.connector} {sample}"


def test_the_example_template_makes_xml_the_office_can_read():
    record = CaseRecord(
        key="k-1",
        tenant="2013072",
        kind="property_return",
        case={},
        fields={"FORMULARZ": "DN-1", "NAZWA": "Żółć & Syn", "ROK": 2026, "KWOTA": Decimal("12.50")},
        files=(AttachmentFile("wniosek <1>.xml", "application/xml", b"x", "document"),),
    )
    format_ = FileFormat(kind="xml", template=CONFIG / "templates" / "sprawa.xml", encoding="cp1250")
    written = render(format_, record, "k-1", "m-1")
    root = parse(written.decode("cp1250").partition("?>")[2].strip().encode()).getroot()
    assert root.findtext("podatnik") == "Żółć & Syn"
    assert root.findtext("kwota") == "12.50"
    assert root.findtext("pliki/plik") == "wniosek <1>.xml"


if LISTED := files("forms/data/partner_gminy_terc.json"):

    def test_the_codes_are_the_official_ones():
        given = {entry["terc"]: entry["name"] for entry in json.loads(LISTED[0].read_text("utf-8"))}
        assert {teryt: tenant.name.partition(" ")[2] for teryt, tenant in load(CONFIG).tenants.items()} == given


def test_the_gateway_file_names_no_key_that_the_full_example_does_not_have():
    full = tomllib.loads((CONFIG / "gateway.example.toml").read_text("utf-8"))
    ours = tomllib.loads((CONFIG / "gateway.toml").read_text("utf-8"))
    for name, value in ours.items():
        assert name in full
        if isinstance(value, dict):
            assert set(value) <= set(full[name])


LETTERS = {teryt: documents.general_letter(teryt) for teryt in GMINAS}


def judged_at(receiver: validate.Receiver, document: bytes) -> list[str]:
    return [finding.code for finding in validate.check(document, Forms.load(), receiver=receiver).findings]


@pytest.mark.parametrize("teryt", sorted(GMINAS))
def test_a_letter_to_a_gmina_is_for_it_and_for_no_other_of_the_thirteen(teryt: str):
    config = load(CONFIG)
    for own in GMINAS:
        tenant = config.tenants[own]
        others = [name for other in GMINAS - {own} for name in config.tenants[other].names]
        receiver = validate.Receiver.of(tenant.nip, tenant.names, others)
        expected = [] if own == teryt else ["check.misdirected"]
        assert judged_at(receiver, LETTERS[teryt]) == expected, own


def test_the_demo_names_its_offices_as_the_example_does():
    for file in (CONFIG / "demo").glob("2*.toml"):
        told = tomllib.loads(file.read_text("utf-8"))["names"]
        assert tuple(told) == load(CONFIG).tenants[file.stem].names


def test_a_mistake_in_a_gminas_own_mapping_or_schema_is_found_before_a_document_comes(copy: Path):
    gateway = copy / "gateway.toml"
    gateway.write_text('forms = ["wzory"]\nmappings = ["odwzorowania"]\n' + gateway.read_text("utf-8"), "utf-8")
    (copy / "wzory").mkdir()
    (copy / "odwzorowania").mkdir()
    (copy / "wzory" / "a.xsd").write_text("to nie jest schemat", "utf-8")
    (copy / "wzory" / "catalogue.toml").write_text(
        '[[form]]\nnamespace = "urn:a"\ncode = "A"\nversion = "1"\nname_pl = "A"\nname_en = "A"\nfile = "a.xsd"\n'
        'status = "official"\nstrict = true\nsignature = "required"\n',
        "utf-8",
    )
    (copy / "odwzorowania" / "a.toml").write_text(
        'form = "urn:a"\nkind = "general_letter"\nversion = 1\n[field."letter.title"]\nxpath = "/w:A"\nread = "x"\n',
        "utf-8",
    )
    assert codes(copy) == [("forms: A 1", "form.schema_unreadable"), ("mappings: a.toml", "mapping.transform_unknown")]


def test_a_database_that_no_test_has_met_is_a_warning(copy: Path) -> None:
    file = copy / "tenants" / "2003011.toml"
    content = file.read_text("utf-8")
    file.write_text(
        content.replace('url = "env:BRAMA_2003011_PODATKI_URL"', 'url = "mssql+pymssql://u:p@db/urzad"'), "utf-8"
    )
    found = checkup.check(copy)
    assert ("2003011/podatki", "checkup.unproven") in [(one.where, one.code) for one in found.warnings]
