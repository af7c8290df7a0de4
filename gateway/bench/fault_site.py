"""The place of the fault run: thirteen gminas, four kinds of offices in processes of their own, a configuration."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from gateway.bench.fault_books import Seen
from gateway.config import Config, TenantConfig, load
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import UPO_PASSWORD, Pki

TENANTS = 13
LEASE_S = 4.0

_GATEWAY = """\
environment = "test"
database_url = "{address}"
trust = "pki/trust.toml"
[receipt]
key = "pki/upo-seal.p12"
password = "file:seal-password"
[worker]
concurrency = 6
lease_s = {lease_s}
sweep_s = 2.0
retry_s = [0.2, 0.5, 1.0, 2.0]
breaker_after = 8
breaker_s = 1.0
breaker_longest_s = 3.0
"""
_TENANT = """\
teryt = "{teryt}"
name = "Gmina Próbna {number}"
mailboxes = ["/gmina{number}/SkrytkaESP"]
{connector}
[[route]]
form = "*"
connector = "office"
"""
_SOAP = """\
[connector.office]
kind = "soap"
wsdl = "{url}/Integracja.svc?wsdl"
timeout_s = 1.5
settle_delay_s = 3.0
reference = "{{steps.register.number}}"
[connector.office.reading]
success = [{{ path = "ResultStatus", equals = "1" }}]
[[connector.office.step]]
name = "register"
operation = "RejestrujWplyw"
arguments = {{ SygnaturaWplywu = "{{key}}", Tytul = "Sprawa {{kind}}" }}
results = {{ number = "ZnakWplywu" }}
"""
_FIND = """\
[connector.office.step.find]
operation = "WyszukajWplyw"
arguments = { IdDokumentuePUAP = "{key}" }
found = [{ path = "ZnakWplywu" }]
results = { number = "ZnakWplywu" }
"""
_SQL = """\
[connector.office]
kind = "sql"
url = "file:staging-url"
table = "brama_case"
key_column = "brama_key"
timeout_s = 2.0
settle_delay_s = 1.0
[connector.office.columns]
tenant = "{tenant}"
kind = "{kind}"
is_test = 0
record = "{record}"
"""
_FOLDER = """\
[connector.office]
kind = "folder"
root = "{root}"
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What runs beside the gateway, and how to ask it what it got."""

    config: Config
    ezd: Office  # can be asked: findable
    blind: Office  # cannot be asked
    reader: Office  # reads a folder
    staging_url: str

    @property
    def tenants(self) -> tuple[TenantConfig, ...]:
        """All thirteen."""
        return tuple(self.config.tenants.values())

    @property
    def offices(self) -> tuple[Office, ...]:
        """Those that can be told to misbehave."""
        return (self.ezd, self.blind)

    def seen(self) -> Seen:
        """What arrived anywhere, and every request to the offices that keep a list of them."""
        found = [
            (str(effect["key"]), float(effect["number"]))
            for office in self.offices
            for effect in office.effects("letter")
        ]
        rows = staging.read(self.staging_url, "SELECT brama_key, extract(epoch FROM inserted_at) AS at FROM brama_case")
        found += [(str(row["brama_key"]), float(row["at"])) for row in rows]
        taken = self.reader.state / "taken"
        found += [(json.loads(file.read_bytes())["key"], file.stat().st_mtime) for file in taken.glob("*.json")]
        calls = [(key, float(call["at"])) for office in self.offices for call in office.calls() for key in call["ids"]]
        return Seen(found, calls)

    def config_for(self, name: str, database_url: str) -> Path:
        """The same configuration for a host that reaches the database elsewhere."""
        ours = self.config.folder
        copy = ours.with_name(f"config-{name}")
        shutil.copytree(ours, copy)
        (copy / "gateway.toml").write_text(_GATEWAY.format(address=database_url, lease_s=LEASE_S), "utf-8")
        return copy


def build(folder: Path, address: str, staging_address: str, pki: Pki, office_address: str, stack: ExitStack) -> Site:
    """Start the offices and write a configuration for all of it; the offices end with the stack.

    Args: address, staging_address: one PostgreSQL, as the gateway and as the office with a staging table reach it.
    """
    config = folder / "config"
    (config / "tenants").mkdir(parents=True)
    pki.save(config / "pki")
    (config / "seal-password").write_text(UPO_PASSWORD, "utf-8")
    (config / "gateway.toml").write_text(_GATEWAY.format(address=address, lease_s=LEASE_S), "utf-8")
    staging_url = _staging(staging_address)
    (config / "staging-url").write_text(staging_url, "utf-8")
    root = folder / "drop"
    root.mkdir()
    ezd = stack.enter_context(Office("ezd", folder / "ezd", address=office_address))
    blind = stack.enter_context(Office("ezd", folder / "blind", address=office_address))
    reader = stack.enter_context(Office("folder", folder / "reader", "--root", str(root)))
    kinds = (_SOAP.format(url=ezd.url) + _FIND, _SQL, _FOLDER.format(root=root), _SOAP.format(url=blind.url))
    for number in range(TENANTS):
        teryt = f"99990{number:02d}"
        text = _TENANT.format(teryt=teryt, number=number, connector=kinds[number % len(kinds)])
        (config / "tenants" / f"{teryt}.toml").write_text(text, "utf-8")
    return Site(load(config), ezd, blind, reader, staging_url)


def _staging(address: str) -> str:
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE staging")
    own = url.set(database="staging").render_as_string(hide_password=False)
    staging.create(own)
    return own
