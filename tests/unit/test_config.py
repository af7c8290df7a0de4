"""Configuration: every problem at once, with file and key; secrets by reference only."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway import config
from gateway.app import attachment_rules
from gateway.attachments import Rules
from gateway.config import GatewayConfig, TenantConfig
from schemas.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config" / "gateway.example.toml"

TENANT = """
teryt = "9999011"
name = "Gmina Przykład"
mailboxes = ["/gmprzyklad/SkrytkaESP"]
[connector.pliki]
kind = "folder"
root = "/tmp/pliki"
[[route]]
form = "2020/01/07/8990"
connector = "pliki"
[[route]]
form = "*"
connector = "pliki"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tenants").mkdir()
    (tmp_path / "gateway.toml").write_text('environment = "test"\n', "utf-8")
    (tmp_path / "tenants" / "9999011.toml").write_text(TENANT, "utf-8")
    return tmp_path


def problems_of(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(folder)
    return "\n".join(caught.value.problems)


def test_a_good_folder_loads_and_finds_the_tenant_of_a_mailbox(folder):
    loaded = config.load(folder)

    assert loaded.tenant_of("/gmprzyklad/SkrytkaESP").teryt == "9999011"
    assert loaded.tenant_of("/obcy/SkrytkaESP") is None


def test_a_form_has_its_own_routes_or_else_those_of_the_star(folder):
    tenant = config.load(folder).tenants["9999011"]

    assert [route.form for route in tenant.route_for("http://crd.gov.pl/wzor/2020/01/07/8990/")] == [
        "http://crd.gov.pl/wzor/2020/01/07/8990/"
    ]
    assert [route.form for route in tenant.route_for("urn:inny")] == ["*"]


def test_a_file_that_was_copied_and_kept_its_code_is_named(folder):
    (folder / "tenants" / "9999011.toml").rename(folder / "tenants" / "9999022.toml")

    assert "9999022.toml: teryt: 9999011" in problems_of(folder)


def test_an_unknown_key_is_named_with_its_file_and_the_nearest_known_key(folder):
    (folder / "gateway.toml").write_text("[worker]\nconcurency = 4\n", "utf-8")

    said = problems_of(folder)

    assert "gateway.toml" in said
    assert "worker.concurency" in said
    assert "concurrency" in said


def test_every_problem_of_every_file_is_reported_at_once(folder):
    (folder / "gateway.toml").write_text("[http]\nport = 99999\n", "utf-8")
    (folder / "tenants" / "bad.toml").write_text('teryt = "12"\nname = "X"\nmailboxes = ["bez-ukosnika"]\n', "utf-8")

    said = problems_of(folder)

    assert "http.port" in said
    assert "teryt" in said
    assert "mailboxes" in said


def test_a_mailbox_of_two_tenants_is_a_problem(folder):
    other = TENANT.replace("9999011", "9999022")
    (folder / "tenants" / "9999022.toml").write_text(other, "utf-8")

    assert "/gmprzyklad/SkrytkaESP" in problems_of(folder)


def test_a_route_to_a_missing_connector_is_a_problem(folder):
    (folder / "tenants" / "9999011.toml").write_text(TENANT.replace('connector = "pliki"', 'connector = "nie"', 1))

    assert "[connector.nie]" in problems_of(folder)


def test_broken_toml_is_named_with_its_file(folder):
    (folder / "tenants" / "9999011.toml").write_text("teryt = ", "utf-8")

    assert "9999011.toml" in problems_of(folder)


def test_secrets_come_from_the_environment_or_a_file_and_are_never_written_out(folder, monkeypatch):
    monkeypatch.setenv("BRAMA_TEST_SECRET", "s1")
    (folder / "haslo").write_text("s2\n", "utf-8")

    resolved = config.resolve_secrets({"a": "env:BRAMA_TEST_SECRET", "b": ["file:haslo"], "c": 3}, folder)

    assert resolved == {"a": "s1", "b": ["s2"], "c": 3}
    with pytest.raises(ConfigError):
        config.secret("jawne", folder)
    with pytest.raises(ConfigError):
        config.secret("env:BRAMA_NO_SUCH_VARIABLE", folder)
    with pytest.raises(ConfigError):
        config.secret("file:nie-ma", folder)


def test_the_example_names_every_key_and_its_true_default():
    written = tomllib.loads(EXAMPLE.read_text("utf-8"))
    defaults = GatewayConfig().model_dump(mode="json")

    for section in ("http", "push", "worker", "attachments"):
        assert written[section] == defaults[section]
    assert set(written) == set(defaults)
    assert set(written["receipt"]) == set(defaults["receipt"])
    assert written["receipt"]["issue"] == defaults["receipt"]["issue"]
    GatewayConfig.model_validate(written)


def test_attachments_are_held_to_the_rules_that_the_example_states():
    written = tomllib.loads(EXAMPLE.read_text("utf-8"))["attachments"]
    rules = asdict(Rules())

    assert {name: rules[name] for name in ("size_bytes", "total_bytes", "count")} == {
        name: written[name] for name in ("size_bytes", "total_bytes", "count")
    }
    assert (rules["types"], rules["refused_types"]) == (set(written["types"]), set(written["refused_types"]))


def test_a_tenants_own_word_on_attachments_wins_over_the_gateways(folder):
    (folder / "gateway.toml").write_text("[attachments]\ncount = 7\nsize_bytes = 1000\n", "utf-8")
    tenant = TENANT.replace("[connector", '[attachments]\nsize_bytes = 2000\ntypes = ["pdf"]\n[connector', 1)
    (folder / "tenants" / "9999011.toml").write_text(tenant, "utf-8")
    loaded = config.load(folder)

    own, usual = attachment_rules(loaded, "9999011"), attachment_rules(loaded, None)
    assert (own.count, own.size_bytes, own.types) == (7, 2000, {"pdf"})
    assert (usual.count, usual.size_bytes, usual.types) == (7, 1000, set())


@pytest.mark.parametrize("address", ["clamd", "clamd:port", ":3310"])
def test_a_scanner_that_is_no_address_is_a_problem(folder, address):
    (folder / "gateway.toml").write_text(f'[attachments]\nscanner = "{address}"\n', "utf-8")

    assert "attachments.scanner" in problems_of(folder)


@pytest.mark.parametrize(
    "address", ["https://epuap.gov.pl/x", "http://epuap.gov.pl/x?fileId={id}", "https://e.pl/{name}/{id}"]
)
def test_an_address_of_uploaded_files_that_cannot_hold_their_id_is_a_problem(folder, address):
    (folder / "gateway.toml").write_text(f'[files]\naddress = "{address}"\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(folder)
    assert "files.address" in str(caught.value)


def test_a_tenant_without_mailboxes_is_refused():
    with pytest.raises(ValueError, match="mailboxes"):
        TenantConfig.model_validate({"teryt": "9999011", "name": "X", "mailboxes": []})
