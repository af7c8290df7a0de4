"""The wheel, installed outside the clone, works: commands, entry points, and the data it carries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from gateway.simulate.documents import general_letter

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the clone without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("brama-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment with the wheel; the packages it needs are those of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    pip = run(
        str(python), "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--ignore-installed", str(wheel)
    )
    assert pip.returncode == 0, pip.stderr
    return folder / "bin"


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=cwd or "/", env=clean, capture_output=True, text=True, timeout=600, check=False)


def test_the_wheel_carries_schemas_mappings_and_the_example_configuration(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for expected in ("gateway/data/xsd/epuap/odbiorca.wsdl", "gateway/data/config/gateway.example.toml"):
        assert expected in names
    assert any(name.startswith("gateway/data/mappings/") and name.endswith(".toml") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "scripts/")) for name in names)


def test_the_command_shows_its_help_and_version(installed):
    shown = run(str(installed / "brama"), "--help")
    assert shown.returncode == 0, shown.stderr
    assert "verify" in shown.stdout
    assert run(str(installed / "brama"), "--version").stdout.startswith("brama 0.")


def test_code_and_data_come_from_the_installation_not_from_the_clone(installed):
    question = "import gateway; from gateway import resources; print(gateway.__file__); print(resources.folder('xsd'))"
    places = run(str(installed / "python"), "-c", question).stdout.split()
    assert len(places) == 2
    assert all(place.startswith(str(installed.parent)) for place in places)


def test_a_document_is_validated_with_the_schemas_of_the_wheel(installed, tmp_path):
    letter = tmp_path / "pismo.xml"
    letter.write_bytes(general_letter())
    answer = run(str(installed / "brama"), "validate", str(letter), "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["form"]["namespace"] == "http://crd.gov.pl/wzor/2013/12/12/1410/"


def test_the_connectors_of_the_wheel_are_found_by_their_entry_points(installed):
    listed = json.loads(run(str(installed / "brama"), "connector", "list", "--json").stdout)
    assert {"folder", "soap", "sql"} <= {item["name"] for item in listed}
