"""Everything the demo runs on, on loopback, each a process: PostgreSQL, service, worker, poller, ePUAP, offices."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import sqlalchemy as sa

from gateway import resources
from gateway.config import Config, load
from gateway.demo.scenes import ANSWERS_MAILBOX, KRASNOPOL, MAILBOX, SIEMIATYCZE, SOKOLKA
from gateway.simulate.ledger import Ledger, queries
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import UPO_PASSWORD, Pki
from gateway.simulate.ports import held_port
from gateway.store.embedded import default_folder, embedded
from schemas.errors import StoreUnavailable

STARTS_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What the play needs to know of what runs."""

    config: Config
    pki: Pki
    ezd: Office
    staging_url: str
    files: Path
    push_url: str
    epuap: Office
    ledger: Ledger

    def keys(self) -> dict[str, int]:
        """How often each delivery key arrived, over all three offices."""
        found = dict(self.ezd.keys())
        for key, count in staging.keys(self.staging_url).items():
            found[key] = found.get(key, 0) + count
        for file in self.files.glob("*.json"):
            found[file.stem] = found.get(file.stem, 0) + 1
        return found


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Start everything; all of it ends with the block.

    Args:   folder: for the configuration, the keys, the office folder and the logs; made if absent.
    Raises: StoreUnavailable, ConfigError, RuntimeError (a part did not start; its log is named).
    """
    with ExitStack() as stack:
        server = stack.enter_context(embedded(default_folder(), "demo"))
        gateway_url = stack.enter_context(_database(server, "brama_demo"))
        staging_url = stack.enter_context(_database(server, "brama_demo_urzad"))
        staging_url = staging_url.replace("postgresql://", "postgresql+psycopg://")
        staging.create(staging_url)
        ledger = Ledger(staging_url)
        ledger.create()
        epuap = stack.enter_context(Office("epuap", folder / "epuap"))
        ezd = stack.enter_context(Office("ezd", folder / "urzad-ezd", "--user", "brama", "--password", "demo"))
        pki = Pki.create()
        files = folder / "urzad-pliki"
        files.mkdir(parents=True, exist_ok=True)
        config = _configured(folder / "config", pki, gateway_url, staging_url, ezd, files, epuap)
        http = config.gateway.http
        served = _process(stack, "serve", config, folder)
        _await(f"http://{http.host}:{http.port}/health/ready", served, folder / "serve.log")
        _process(stack, "work", config, folder)
        _process(stack, "pull", config, folder)
        push_url = f"http://{http.host}:{http.port}{http.push_path}"
        yield Stage(config, pki, ezd, staging_url, files, push_url, epuap, ledger)


@contextmanager
def _database(server: str, name: str) -> Iterator[str]:
    """A fresh database beside the server's own, dropped at the end; yields its address."""
    own = f"{name}_{secrets.token_hex(4)}"
    engine = sa.create_engine(
        sa.make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{own}"')
        yield sa.make_url(server).set(database=own).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{own}" WITH (FORCE)')
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(reason=type(error.orig).__name__) from error


def _configured(
    folder: Path, pki: Pki, gateway_url: str, staging_url: str, ezd: Office, files: Path, epuap: Office
) -> Config:
    """Write the configuration as an integrator would, from the templates that ship with the program, and load it."""
    (folder / "tenants").mkdir(parents=True, exist_ok=True)
    pki.save(folder / "pki")
    (folder / "seal-password").write_text(UPO_PASSWORD, "utf-8")
    (folder / "gateway-url").write_text(gateway_url, "utf-8")
    (folder / "staging-url").write_text(staging_url, "utf-8")
    (folder / "ezd-password").write_text("demo", "utf-8")
    (folder / "urzad").mkdir(exist_ok=True)
    shutil.copy(resources.folder("templates") / "answers" / "office.example.toml", folder / "urzad" / "office.toml")
    _believe(folder / "pki" / "trust.toml", epuap.state / "upp-seal.pem")
    asking = queries()["dues"], queries("waste")["dues"]
    answers = {
        "@EPUAP@": epuap.url,
        "@WS_SIGN@": str(epuap.state / "ws-sign.pem"),
        "@ANSWERS_MAILBOX@": ANSWERS_MAILBOX,
        "@TAX_DUES@": asking[0],
        "@WASTE_DUES@": asking[1],
    }
    values = {**answers, "@PORT@": str(held_port()), "@EZD@": ezd.url, "@FILES@": str(files)}
    templates = resources.folder("config") / "demo"
    _write(templates / "gateway.toml", folder / "gateway.toml", values)
    for tenant in (KRASNOPOL, SOKOLKA, SIEMIATYCZE):
        own = {**values, "@MAILBOX@": MAILBOX[tenant]}
        _write(templates / f"{tenant}.toml", folder / "tenants" / f"{tenant}.toml", own)
    return load(folder)


def _believe(trust: Path, seal: Path) -> None:
    """The simulated ePUAP's receipts settle what was sent."""
    with trust.open("a", encoding="utf-8") as file:
        file.write(f'\n[[seal]]\ncertificate = "{seal}"\n')


def _write(template: Path, target: Path, values: dict[str, str]) -> None:
    written = template.read_text("utf-8")
    for mark, value in values.items():
        written = written.replace(mark, value)
    target.write_text(written, "utf-8")


def _process(stack: ExitStack, command: str, config: Config, folder: Path) -> subprocess.Popen[bytes]:
    """`brama serve` or `brama work` as a process of its own, ended politely with the block."""
    with (folder / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "gateway", command, "--config", str(config.folder)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < end and process.poll() is None:  # who has ended will not get ready
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"usługa nie wystartowała; dziennik: {log}")
