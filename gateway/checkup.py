"""`brama check`: everything that can be known to be wrong before the first document arrives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from connectors import registry
from gateway import config as settings
from gateway import crashpoint
from gateway.config import Config, ConnectorConfig, TenantConfig
from gateway.forms import Forms
from gateway.mapper import Mappings
from gateway.seals import load_seals
from gateway.trusted import load_policy
from schemas.errors import BramaError, ConfigError
from schemas.texts import text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (file, table or connector), a code, a sentence."""

    where: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at and what is wrong with it."""

    tenants: tuple[str, ...]
    connectors: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The contract of `brama check --json`."""
        return {"ok": not self.problems, **asdict(self)}


def check(folder: Path, *, live: bool = False, lang: str = "pl") -> Checkup:
    """Look at a configuration folder. Never raises for what it finds.

    Args: live: also call every connector's `check` (changes nothing at the other side, but needs it to be there).
    """
    try:
        config = settings.load(folder)
    except ConfigError as error:
        return Checkup((), (), tuple(Problem(str(folder), error.code, problem) for problem in error.problems))
    problems = [*_gateway(config, lang)]
    names = []
    for tenant in config.tenants.values():
        problems += _routes(config, tenant, lang)
        for name, connector in tenant.connector.items():
            names.append(f"{tenant.teryt}/{name}")
            problems += _connector(config, names[-1], connector, live, lang)
    return Checkup(tuple(config.tenants), tuple(names), tuple(problems))


def _gateway(config: Config, lang: str) -> Iterator[Problem]:
    yield from _tried("trust", lang, lambda: load_policy(config.path(config.gateway.trust)))
    seals = config.gateway.receipt.key is not None or bool(config.gateway.receipt.keys)
    if not seals and "own" in config.gateway.receipt.issue.values():
        yield _problem("receipt.key", lang, ConfigError([]), "checkup.no_seal")
    yield from _tried("receipt", lang, lambda: load_seals(config))
    if config.gateway.environment == "production":
        yield from _production(config, lang)


def _production(config: Config, lang: str) -> Iterator[Problem]:
    if not config.gateway.database_url:
        yield _problem("database_url", lang, ConfigError([]), "checkup.embedded_in_production")
    if os.environ.get("BRAMA_CRASH_AT") in crashpoint.NAMES:
        yield _problem("BRAMA_CRASH_AT", lang, ConfigError([]), "checkup.crashpoint_in_production")


def _routes(config: Config, tenant: TenantConfig, lang: str) -> Iterator[Problem]:
    forms = Forms.load([config.path(folder) for folder in config.gateway.forms])
    mappings = Mappings.load([config.path(folder) for folder in config.gateway.mappings])
    if not tenant.route:
        yield _problem(f"{tenant.teryt}.toml", lang, ConfigError([]), "checkup.no_route")
    for index, route in enumerate(tenant.route):
        where = f"{tenant.teryt}.toml: route.{index}"
        if route.form != "*" and forms.get(route.form) is None:
            yield _problem(f"{where}.form", lang, ConfigError([]), "checkup.form_unknown", form=route.form)
        if route.record is not None:
            yield from _tried(f"{where}.record", lang, lambda name=route.record: mappings.record(name))


def _connector(config: Config, where: str, connector: ConnectorConfig, live: bool, lang: str) -> Iterator[Problem]:
    def build() -> None:
        made = registry.build(connector.kind, settings.resolve_secrets(connector.options, config.folder))
        if live:
            made.check()

    yield from _tried(where, lang, build)


def _tried(where: str, lang: str, call: Any) -> Iterator[Problem]:
    try:
        call()
    except ConfigError as error:
        yield from (Problem(where, error.code, problem) for problem in error.problems)
    except BramaError as error:
        yield _problem(where, lang, error, error.code)
    except Exception as error:  # noqa: BLE001 - a connector's check may raise anything; it is named, not hidden
        yield Problem(where, "checkup.escaped", f"{type(error).__name__}: {error}")


def _problem(where: str, lang: str, error: BramaError, code: str, **facts: Any) -> Problem:
    return Problem(where, code, text(code, lang, **error.facts, **facts))
