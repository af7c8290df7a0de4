"""The REST interface as an operator runs it: `brama serve`, a key from the command line, two server processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
import typer

from gateway.cli.api_keys import api_key
from gateway.cli.migrate import migrate
from gateway.cli.output import run_safely
from gateway.simulate.epuap import Push
from gateway.store.database import Store
from gateway.store.schema import check_schema
from schemas.errors import ConfigError
from tests.apis import secret_of
from tests.builders import MAILBOX, TERYT, a_signed_document
from tests.gateways import GATEWAY_TOML, write_config
from tests.service import ROOT, serving
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture
def key_of(capsys: pytest.CaptureFixture[str]):
    """A key, as the command line prints it."""

    def made(folder: Path) -> str:
        app = typer.Typer()
        app.add_typer(api_key, name="api-key")
        assert run_safely(app, ["api-key", "new", "--config", str(folder), "--tenant", TERYT, "--label", "EZD"]) == 0
        return capsys.readouterr().out.splitlines()[0].strip()

    return made


def test_a_pushed_document_is_fetched_and_acknowledged_at_another_process(tmp_path: Path, database_url: str, key_of):
    with serving(tmp_path, database_url, http="processes = 2\n[api]\nenabled = true") as service:
        document = a_signed_document("letter")
        assert service.push(Push(MAILBOX, document)).code == 1
        work = [sys.executable, "-m", "gateway", "work", "--config", str(tmp_path), "--until-quiet"]
        subprocess.run(work, cwd=ROOT, check=True, timeout=PATIENCE_S, capture_output=True)
        headers = {"Authorization": f"Bearer {key_of(tmp_path)}"}

        def call(method: str, path: str) -> requests.Response:
            return requests.request(method, service.base + path, headers=headers, timeout=PATIENCE_S)

        (case,) = call("GET", "/api/v1/cases").json()["items"]
        assert call("GET", f"{case['href']}/document").content == document
        assert call("POST", f"{case['href']}/acknowledge").status_code == 200
        (case,) = call("GET", "/api/v1/cases").json()["items"]
        assert case["acknowledged_at"]
        wait_until(lambda: '"api_answered"' in service.log_file.read_text("utf-8", "replace"))
        log = service.log_file.read_text("utf-8", "replace")
        assert secret_of(headers["Authorization"]) not in log


def test_migrating_makes_an_empty_production_database_ready(tmp_path: Path, database: Store, database_url: str):
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    write_config(tmp_path, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}')
    app = typer.Typer()
    app.command("migrate")(migrate)
    app.command("other")(lambda: None)
    with pytest.raises(ConfigError, match="brama migrate"):
        check_schema(database.engine)
    for _ in range(2):
        assert run_safely(app, ["migrate", "--config", str(tmp_path), "--json"]) == 0
        check_schema(database.engine)
