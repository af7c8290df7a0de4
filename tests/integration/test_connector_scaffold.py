"""A new connector package: it installs, it is found, it passes the contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.scaffold import new_connector
from schemas.errors import ConnectorError

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, path: str) -> str:
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_package_passes_the_contract_as_generated(tmp_path: Path) -> None:
    files = new_connector("ratusz_plus", tmp_path)
    package = tmp_path / "brama-connector-ratusz_plus"

    out = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=package, path=f"{package}:{ROOT}")

    assert "passed" in out
    assert {file.name for file in files} >= {"pyproject.toml", "connector.py", "test_contract.py", "README.md"}


def test_an_installed_package_is_found_by_its_name(tmp_path: Path) -> None:
    new_connector("ratusz_plus", tmp_path)
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    run(*install, str(tmp_path / "brama-connector-ratusz_plus"), cwd=tmp_path, path="")

    script = "import json; from connectors import registry; print(json.dumps(registry.describe()))"
    described = json.loads(run("-c", script, cwd=tmp_path, path=f"{site}:{ROOT}"))

    [mine] = [item for item in described if item["name"] == "ratusz_plus"]
    assert mine["summary"] == "Deliver to ratusz_plus."
    assert "drop" in mine["options"]["properties"]


def test_a_package_that_cannot_be_loaded_is_shown_and_does_not_hide_the_others(tmp_path: Path) -> None:
    info = tmp_path / "zepsuty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zepsuty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[brama.connectors]\nzepsuty = nie_ma:Takiego\n")
    script = (
        "import json; from connectors import registry; from schemas.errors import ConnectorError\n"
        "try:\n    registry.build('zepsuty', {})\nexcept ConnectorError as error:\n    code = error.code\n"
        "print(json.dumps([code, registry.describe()]))"
    )

    code, described = json.loads(run("-c", script, cwd=tmp_path, path=f"{tmp_path}:{ROOT}"))

    assert code == "connector.broken"
    assert {"name": "zepsuty", "broken": "No module named 'nie_ma'"} in described
    assert len(described) > 5


@pytest.mark.parametrize("name", ["", "Ratusz", "1a", "a-b", "../x", "import", "x" * 60])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        new_connector(name, tmp_path)

    assert refused.value.code == "connector.name_unusable"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as refused:
        new_connector("folder", tmp_path)

    assert refused.value.code == "connector.name_taken"


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    new_connector("ratusz_plus", tmp_path)

    with pytest.raises(ConnectorError) as refused:
        new_connector("ratusz_plus", tmp_path)

    assert refused.value.code == "connector.folder_exists"
