"""Names, options and their mistakes."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors import registry
from connectors.folder import FolderConnector
from schemas.errors import ConnectorError


def test_a_connector_is_built_from_plain_options(tmp_path: Path) -> None:
    assert isinstance(registry.build("folder", {"root": str(tmp_path)}), FolderConnector)


def test_an_unknown_connector_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConnectorError) as refused:
        registry.build("foldr", {})

    assert refused.value.code == "connector.unknown"
    assert refused.value.facts["nearest"] == "folder"


def test_every_wrong_option_is_told_at_once() -> None:
    with pytest.raises(ConnectorError) as refused:
        registry.build("folder", {"rooot": "/x", "timeout_s": -1})

    assert refused.value.code == "connector.options_wrong"
    problems = refused.value.facts["problems"]
    assert "rooot: nieznany klucz / unknown key — czy chodziło o „root”? / did you mean root?" in problems
    assert "root: brak / missing" in problems
    assert "timeout_s: oczekiwano więcej niż 0 / Input should be greater than 0" in problems


def test_two_packages_may_not_claim_one_name() -> None:
    found = (
        EntryPoint("finn", "a:First", registry.GROUP),
        EntryPoint("finn", "b:Second", registry.GROUP),
    )

    with pytest.raises(ConnectorError) as refused:
        registry.merge(registry.BUILT_IN, found)

    assert refused.value.code == "connector.duplicate"


def test_a_built_in_connector_cannot_be_replaced_unseen() -> None:
    with pytest.raises(ConnectorError) as refused:
        registry.merge(registry.BUILT_IN, (EntryPoint("folder", "evil:Folder", registry.GROUP),))

    assert refused.value.facts["name"] == "folder"


def test_an_installed_connector_joins_the_table() -> None:
    table = registry.merge(registry.BUILT_IN, (EntryPoint("finn", "a:Finn", registry.GROUP),))

    assert table["finn"] == "a:Finn"


def test_describe_shows_options_and_capabilities_of_every_connector() -> None:
    described = {item["name"]: item for item in registry.describe()}
    assert described["sql"]["unproven"] == ["Oracle", "SQL Server"]
    assert [name for name, item in described.items() if item["unproven"]] == ["sql"]

    assert set(described) >= set(registry.BUILT_IN)
    assert described["folder"]["capabilities"]["repeat"] == "safe"
    assert "root" in described["folder"]["options"]["properties"]
    assert not [item for item in described.values() if "broken" in item]
