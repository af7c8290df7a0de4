"""`brama check`: everything that can be known to be wrong before the first document arrives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors import registry
from connectors.values import places
from gateway import config as settings
from gateway import crashpoint, resources
from gateway.answers import samples
from gateway.answers.templates import Templates
from gateway.api_settings import OAuthConfig
from gateway.config import Config, ConnectorConfig, Route, TenantConfig
from gateway.forms import Forms
from gateway.mapper import Mappings
from gateway.oauth.issuer import issuer_keys
from gateway.seals import load_seals
from gateway.signatures.messages import answer_trust
from gateway.trusted import load_policy
from schemas.effectiveness import Effect
from schemas.errors import BramaError, ConfigError
from schemas.texts import text

_REFERENCE = ("env:", "file:")
_STAND_IN = "sekret"  # for a secret that is not here; where an option has an example, that
FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (file, table or connector), a code, a sentence."""

    where: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at and what is wrong with it. Warnings: secrets that are not on this machine."""

    tenants: tuple[str, ...]
    connectors: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The contract of `brama check --json`."""
        return {"ok": not self.problems, **asdict(self)}


def check(folder: Path, *, live: bool = False, lang: str = "pl") -> Checkup:
    """Look at a configuration folder. Never raises for what it finds.

    Args: live: also call every connector's `check` (changes nothing at the other side, but needs it to be there), so
          missing secrets are problems. Otherwise they are warnings, and everything that needs no secret is checked.
    """
    try:
        config = settings.load(folder)
    except ConfigError as error:
        return Checkup((), (), tuple(Problem(str(folder), error.code, problem) for problem in error.problems))
    look = _Look(config, live, lang)
    look.gateway()
    names = []
    for tenant in config.tenants.values():
        names += [f"{tenant.teryt}/{name}" for name in tenant.connector]
        look.tenant(tenant)
    return Checkup(tuple(config.tenants), tuple(names), tuple(look.problems), tuple(look.warnings))


class _Look:
    """One look at a configuration; what it finds gathers in `problems` and `warnings`."""

    def __init__(self, config: Config, live: bool, lang: str) -> None:
        self.config, self.live, self.lang = config, live, lang
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._forms: Forms | None = None
        self._judged: dict[Path, list[str]] = {}
        self._mappings: Mappings | None = None

    def gateway(self) -> None:
        """Trust, seals, forms and mappings, and what production demands."""
        config = self.config
        gaps = self._gaps("gateway.toml", config.gateway.model_dump(mode="json"))
        self._tried("trust", lambda: load_policy(config.path(config.gateway.trust)))
        receipt = config.gateway.receipt
        if receipt.key is None and not receipt.keys and "own" in receipt.issue.values():
            self._add("receipt.key", "checkup.no_seal")
        if not any(gap.startswith("receipt.") for gap in gaps):
            self._tried("receipt", lambda: load_seals(config))
        if config.gateway.environment == "production":
            self._production()
        self._oauth(config.gateway.api.oauth)
        self._tried("forms", self._load_forms)
        self._tried("mappings", self._load_mappings)
        self._own_tables()

    def tenant(self, tenant: TenantConfig) -> None:
        """Its connectors, its routes, and whether the two fit together."""
        options = {name: self._connector(tenant, name, made) for name, made in tenant.connector.items()}
        if not tenant.route:
            self._add(f"{tenant.teryt}.toml", "checkup.no_route")
        self._letters(tenant)
        for number, rule in enumerate(tenant.effectiveness.rule):
            self._form(f"{tenant.teryt}.toml: effectiveness.rule.{number}.form", rule.form)
        for number, form in enumerate(tenant.answers.corrections.forms):
            self._form(f"{tenant.teryt}.toml: answers.corrections.forms.{number}", form)
        for index, route in enumerate(tenant.route):
            self._route(f"{tenant.teryt}.toml: route.{index}", route, options.get(route.connector))

    def _letters(self, tenant: TenantConfig) -> None:
        """The office's card and templates, filled with invented facts, wherever this gmina sends letters."""
        card = self.config.path(tenant.answers.office)
        notices = any(rule.effect is Effect.INEFFECTIVE for rule in tenant.effectiveness.rule)
        noticed = notices and tenant.effectiveness.notice != "none"
        if tenant.answers.services or tenant.answers.corrections.forms or noticed or card.is_file():
            where = f"{tenant.teryt}.toml: answers.office"
            for problem in self._samples(card):
                self._add(where, "checkup.letters", problem=problem)
            for name in tenant.answers.ledgers:
                if not self._judged[card] and name not in Templates([card.parent]).words.ledgers:
                    self._add(f"{tenant.teryt}.toml: answers.ledgers", "checkup.ledger_unnamed", ledger=name)

    def _samples(self, card: Path) -> list[str]:
        """Once per card: several gminas may share one, and rendering takes a while."""
        if card not in self._judged:
            self._judged[card] = samples.problems(card.parent, card)
        return self._judged[card]

    def _production(self) -> None:
        if not self.config.gateway.database_url:
            self._add("database_url", "checkup.embedded_in_production")
        if os.environ.get("BRAMA_CRASH_AT") in crashpoint.NAMES:
            self._add("BRAMA_CRASH_AT", "checkup.crashpoint_in_production")

    def _oauth(self, settings: OAuthConfig) -> None:
        """Whose tokens open what: the gminas must be served here; keys in a file are read, others only when live."""
        for value, codes in settings.tenants.items():
            for code in sorted(set(codes) - set(self.config.tenants)):
                self._add(f"api.oauth.tenants.{value}", "api.tenant_unknown", tenant=code)
        if settings.enabled and (self.live or "://" not in settings.jwks):
            self._keys(settings)

    def _keys(self, settings: OAuthConfig) -> None:
        try:
            issuer_keys(settings, self.config.folder).fetch()
        except (BramaError, OSError, ValueError) as error:
            reason = getattr(error, "code", type(error).__name__)
            self._add("api.oauth.jwks", "checkup.issuer_keys", jwks=settings.jwks, reason=reason)

    def _load_forms(self) -> None:
        self._forms = Forms.load([self.config.path(folder) for folder in self.config.gateway.forms])

    def _load_mappings(self) -> None:
        self._mappings = Mappings.load([self.config.path(folder) for folder in self.config.gateway.mappings])

    def _own_tables(self) -> None:
        """The gminas' own schemas and mappings are read: a mistake shows here, not when a document comes."""
        shipped = resources.folder("xsd"), resources.folder("mappings")
        for form in self._forms or ():
            if form.file is not None and not form.file.is_relative_to(shipped[0]):
                self._tried(f"forms: {form.info.code} {form.info.version}", partial(self._closure, form.namespace))
        for namespace in self._mappings or ():
            assert self._mappings is not None
            file = self._mappings.file(namespace)
            if not file.is_relative_to(shipped[1]):
                self._tried(f"mappings: {file.name}", partial(self._mappings.get, namespace))

    def _closure(self, namespace: str) -> None:
        assert self._forms is not None
        self._forms.closure(namespace)

    def _connector(self, tenant: TenantConfig, name: str, made: ConnectorConfig) -> BaseModel | None:
        """Build it, with stand-ins for secrets that are not here; its options, None where they are wrong."""
        where = f"{tenant.teryt}/{name}"
        gaps = self._gaps(where, made.options)
        if gaps and self.live:
            return None
        built: list[BaseModel] = []

        def build() -> None:
            kind = registry.load(made.kind)
            given = without_secrets(made, self.config.folder, kind.options_model)
            options = registry.read_options(kind, made.kind, given)
            connector = registry.construct(kind, options, answer_trust)
            built.append(options)
            for name in getattr(connector, "unproven", ()):
                self.warnings.append(self._problem(where, "checkup.unproven", system=name))
            if self.live:
                connector.check()

        self._tried(where, build)
        if made.kind == FETCH and not self.config.gateway.api.enabled:
            self._add(where, "checkup.fetch_without_api")
        if built:
            for path in _written_out(built[0], made.options):
                self._add(f"{where}: {path}", "checkup.secret_written_out")
        return built[0] if built else None

    def _route(self, where: str, route: Route, options: BaseModel | None) -> None:
        self._form(f"{where}.form", route.form)
        mappings = self._mappings
        if mappings is None:
            return
        known: set[str] = set()
        if route.record is not None:
            record = route.record
            if not self._tried(f"{where}.record", lambda: mappings.record(record)):
                return
            known = {field.name for field in mappings.record(record).fields}
        for field in _needed(options):
            if field not in known:
                self._add(
                    where, "checkup.field_unknown",
                    field=field, connector=route.connector, record=route.record or "–",
                )  # fmt: skip

    def _form(self, where: str, form: str) -> None:
        if self._forms is not None and form != "*" and self._forms.get(form) is None:
            self._add(where, "checkup.form_unknown", form=form)

    def _gaps(self, where: str, given: Mapping[str, Any]) -> list[str]:
        """Paths of secrets that are referred to and not here, each reported."""
        gaps = list(_missing(given, self.config.folder))
        for path, reference in gaps:
            found = self._problem(f"{where}: {path}", "checkup.secret_missing", reference=reference)
            (self.problems if self.live else self.warnings).append(found)
        return [path for path, _ in gaps]

    def _tried(self, where: str, call: Any) -> bool:
        try:
            call()
        except ConfigError as error:
            self.problems += [Problem(where, error.code, problem) for problem in error.problems]
        except BramaError as error:
            self._add(where, error.code, **error.facts)
        except Exception as error:  # noqa: BLE001 - a connector's check may raise anything; it is named, not hidden
            self.problems.append(Problem(where, "checkup.escaped", f"{type(error).__name__}: {error}"))
        else:
            return True
        return False

    def _add(self, where: str, code: str, **facts: Any) -> None:
        self.problems.append(self._problem(where, code, **facts))

    def _problem(self, where: str, code: str, **facts: Any) -> Problem:
        return Problem(where, code, text(code, self.lang, **facts))


def without_secrets(made: ConnectorConfig, folder: Path, model: type[BaseModel]) -> dict[str, Any]:
    """A connector's options, resolved as far as the secrets are here, with stand-ins for the others."""
    gaps = [path for path, _ in _missing(made.options, folder)]
    return settings.resolve_secrets(_stood_in(made.options, gaps, model), folder)


def _missing(value: Any, folder: Path, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, reference) of every `env:` without a variable and `file:` without a file."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _missing(item, folder, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _missing(item, folder, f"{path}.{index}")
    elif isinstance(value, str) and value.startswith(_REFERENCE):
        kind, _, name = value.partition(":")
        if not (name in os.environ if kind == "env" else (folder / name).is_file()):
            yield path, value


def _stood_in(given: Mapping[str, Any], gaps: list[str], model: type[BaseModel]) -> dict[str, Any]:
    """The options with something in place of each missing secret, so that all the others can be judged."""
    filled: dict[str, Any] = dict(given)
    for gap in gaps:
        name, _, rest = gap.partition(".")
        if not rest:
            field = model.model_fields.get(name)
            filled[name] = next(iter((field.examples if field else None) or ()), _STAND_IN)
        else:
            filled[name] = _replaced(filled[name], rest)
    return filled


def _replaced(value: Any, path: str) -> Any:
    if not path:
        return _STAND_IN
    name, _, rest = path.partition(".")
    if isinstance(value, Mapping):
        return {**value, name: _replaced(value[name], rest)}
    return [_replaced(item, rest) if index == int(name) else item for index, item in enumerate(value)]


def _written_out(options: BaseModel, given: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of secrets that stand in the file itself."""
    for name, value in options:
        raw, here = given.get(name), f"{path}.{name}" if path else name
        if isinstance(value, SecretStr) and isinstance(raw, str) and not raw.startswith(_REFERENCE):
            yield here
        elif isinstance(value, BaseModel) and isinstance(raw, Mapping):
            yield from _written_out(value, raw, here)


def _needed(options: BaseModel | None) -> list[str]:
    """Names of record fields the options' templates cannot do without."""
    if options is None:
        return []
    named = (path for path, optional in places(options.model_dump()) if not optional)
    return sorted({path.partition(".")[2] for path in named if path.startswith("fields.")})
