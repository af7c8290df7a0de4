"""The only wiring: a configuration becomes the tools that the steps work with."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from connectors import registry
from gateway import channels, flow, log, mapper, policy, trusted, upo, validate
from gateway.clock import Clock, SystemClock
from gateway.config import Config, FormPolicy, load, resolve_secrets, secret
from gateway.enclosed import Inspector, doubt
from gateway.forms import Forms
from gateway.mail import mail_of
from gateway.oauth.issuer import issuer_keys
from gateway.oauth.tokens import Tokens
from gateway.operations.back_office import BackOffice
from gateway.policy import Rules
from gateway.repositories import file_tools_of
from gateway.seals import Seals, load_seals
from gateway.signatures.messages import answer_trust
from gateway.store.database import Store
from gateway.store.embedded import default_folder, embedded
from gateway.store.schema import check_schema, migrate
from gateway.tools import Office, Tools
from gateway.web.api import api
from gateway.web.server import application
from schemas.errors import ConnectorError
from schemas.finding import FormInfo, Validation
from schemas.receipt import Receipt
from schemas.submission import Submission

__all__ = ["Tools", "make_tools", "open_store", "open_tools", "web"]

REHEARSAL = "rehearsal"


@contextmanager
def open_tools(
    config: Config, *, migrating: bool | None = None, patiently: Callable[[Callable[[], None]], None] | None = None
) -> Iterator[Tools]:
    """Everything a process needs, closed when the block ends. What is wrong in the files is said before the database
    is asked for anything.

    Args:    migrating: bring the database to our schema first; by default everywhere but in production, where a person
             does it and this only checks.
             patiently: runs what needs the database, as often as it sees fit; without it once.
    Raises:  ConfigError: with every problem found; StoreUnavailable.
    """
    with open_store(config) as store:
        tools = make_tools(config, store)

        def prepare() -> None:
            if migrating if migrating is not None else config.gateway.environment != "production":
                migrate(store.engine)
            check_schema(store.engine)

        (patiently or _once)(prepare)
        yield tools


def _once(attempt: Callable[[], None]) -> None:
    attempt()


@contextmanager
def open_store(config: Config) -> Iterator[Store]:
    """The configured PostgreSQL, else the embedded one; at whatever schema it is."""
    with ExitStack() as stack:
        url = database_url(config) or stack.enter_context(embedded(default_folder(), config.gateway.environment))
        store = Store(url, pool_size=config.gateway.worker.concurrency + 4)
        stack.callback(store.close)
        yield store


def database_url(config: Config) -> str:
    """`database_url` with a reference resolved; empty for the embedded server."""
    url = config.gateway.database_url
    return secret(url, config.folder) if url.startswith(("env:", "file:")) else url


def make_tools(config: Config, store: Store) -> Tools:
    """Bind every step to its data. Raises ConfigError, FormError, MappingError, TrustError."""
    trust, services = trusted.load_policy(config.path(config.gateway.trust))
    production = config.gateway.environment == "production"
    forms = Forms.load([config.path(folder) for folder in config.gateway.forms], production=production)
    mappings = mapper.Mappings.load([config.path(folder) for folder in config.gateway.mappings])
    clock = SystemClock()
    verify = trusted.verifier(trust, services, clock)
    seals = _seals(config, services, clock)
    return Tools(
        config=config,
        store=store,
        clock=clock,
        offices=ConfiguredOffices(config),
        verify=verify,
        verify_again=verify,
        check=_checker(config, forms, mappings, Inspector(trust, clock.now).findings),
        rules=cache(partial(rules_of, config, forms)),
        seal=_sealer(config, seals, clock),
        map=partial(_map, mappings),
        record=partial(_record, mappings),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        mail=mail_of(config, seals, trust, clock, lambda pdf: doubt(pdf, trust, clock.now())),
        second_opinion=channels.second_opinion(config, clock),
        files=file_tools_of(config, partial(attachment_rules, config)),
    )


class ConfiguredOffices:
    """Connectors as the tenants' files describe them; each is built when first needed and shared by all threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._built: dict[tuple[str, str], Office] = {}
        self._lock = threading.Lock()

    def get(self, tenant: str, connector: str) -> Office:
        """Raises ConnectorError (unknown, wrong options), ConfigError (a secret is missing)."""
        with self._lock:
            found = self._built.get((tenant, connector))
            if found is None:
                found = self._built[tenant, connector] = self._build(tenant, connector)
            return found

    def _build(self, tenant: str, connector: str) -> Office:
        configured = self._config.tenants[tenant].connector.get(connector) if tenant in self._config.tenants else None
        if configured is None and connector != REHEARSAL:
            raise ConnectorError("connector.not_configured", tenant=tenant, connector=connector)
        kind = configured.kind if configured else REHEARSAL
        given = resolve_secrets(configured.options, self._config.folder) if configured else {}
        made = registry.load(kind)
        options = registry.read_options(made, kind, given)
        office = Office(registry.construct(made, options, answer_trust), options.timeout_s, options.settle_delay_s)
        if configured is None:
            return office
        return replace(
            office,
            max_concurrent=configured.max_concurrent,
            rate_per_s=configured.rate_per_s,
            burst=configured.burst,
        )


def rules_of(config: Config, forms: Forms, tenant: str | None, form: FormInfo | None) -> Rules:
    """What a form demands at a tenant: the tenant's word, else the gateway's, else the catalogue's."""
    known = forms.get(form.namespace) if form else None
    if known is None:
        return policy.UNKNOWN_FORM_RULES
    rules = Rules(
        schema_errors="reject" if known.strict else "quarantine",
        signature="optional" if known.signature == "optional" else "required",
    )
    gateway = config.gateway.policy.form
    own = config.tenants[tenant].policy.form if tenant in config.tenants else {}
    for table in (gateway, own):
        for name in ("*", known.namespace):
            rules = _with(rules, table.get(name, FormPolicy()))
    return rules


def _with(rules: Rules, said: FormPolicy) -> Rules:
    """`rules` with whatever a configuration table says differently."""
    given: dict[str, Any] = {name: value for name, value in said.model_dump().items() if value is not None}
    return replace(rules, **given)


def _checker(
    config: Config, forms: Forms, mappings: mapper.Mappings, inspect: validate.Inspect
) -> Callable[[bytes, date, str | None], Validation]:
    settings = config.gateway.attachments
    scanner = validate.Scanner(settings.scanner, settings.scanner_timeout_s) if settings.scanner else None
    rules = {tenant: attachment_rules(config, tenant) for tenant in (None, *config.tenants)}
    receivers = {tenant: receiver_of(config, tenant) for tenant in config.tenants}

    def check(document: bytes, on: date, tenant: str | None) -> Validation:
        known = tenant if tenant in receivers else None
        return validate.check(
            document, forms, mappings, on,
            attachments=rules[known], scanner=scanner, inspect=inspect, receiver=receivers.get(known or ""),
        )  # fmt: skip

    return check


def attachment_rules(config: Config, tenant: str | None) -> validate.Rules:
    """What a tenant takes: its own word, else the gateway's."""
    given = config.gateway.attachments.model_dump(exclude={"scanner", "scanner_timeout_s"})
    if tenant is not None:
        given |= config.tenants[tenant].attachments.model_dump(exclude_none=True)
    given |= {name: frozenset(given[name]) for name in ("types", "refused_types")}
    return validate.Rules(**given)


def receiver_of(config: Config, tenant: str) -> validate.Receiver:
    """A tenant as documents may address it; only names that the files state are compared."""
    own = config.tenants[tenant]
    others = (name for other in config.tenants.values() if other is not own for name in other.names)
    return validate.Receiver.of(own.nip, own.names, others)


def _map(mappings: mapper.Mappings, document: bytes, facts: mapper.MessageFacts) -> Any:
    return mapper.apply(document, mappings, facts)


def _record(mappings: mapper.Mappings, case_json: dict[str, Any], name: str) -> dict[str, Any]:
    return mapper.to_record(case_json, mappings.record(name))


def _seals(config: Config, services: trusted.Trusted, clock: Clock) -> Seals:
    stamp = trusted.time_stamper(services.stamper, clock) if services.stamper else None
    return load_seals(config, stamp, stamp_required=services.settings.time_stamp.required)


def _sealer(config: Config, seals: Seals, clock: Clock) -> Callable[[Submission], Receipt | None]:
    """Our seal; without a key only channels whose receipts others issue can be served."""
    settings = config.gateway.receipt

    def seal(submission: Submission) -> Receipt | None:
        if settings.issue[submission.channel] != "own":
            return None
        return seals.issue(upo.facts_of(submission, config), submission.document, clock.now())

    return seal


def web(tools: Tools | None = None) -> Starlette:
    """The HTTP service. Without tools (one of several processes) it opens its own, for as long as the process lives."""
    if tools is None:
        log.configure(os.environ.get("BRAMA_LOG_LEVEL", "INFO"))
        tools = ExitStack().enter_context(open_tools(load(Path(os.environ["BRAMA_CONFIG"])), migrating=False))
    gateway = tools.config.gateway
    further = (api(BackOffice(tools, _tokens(tools)), gateway),) if gateway.api.enabled else ()
    security = channels.push_security(tools.config)
    return application(partial(flow.accept, tools=tools), gateway, lambda: _ready(tools), further, security)


def _tokens(tools: Tools) -> Tokens | None:
    """Whoever verifies access tokens; None where no issuer is named."""
    settings = tools.config.gateway.api.oauth
    return Tokens(settings, issuer_keys(settings, tools.config.folder), tools.clock.now) if settings.enabled else None


def _ready(tools: Tools) -> None:
    tools.store.ping()
