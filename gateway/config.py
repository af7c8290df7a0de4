"""Configuration: one folder with `gateway.toml` and `tenants/*.toml`, loaded once into frozen models.

`load` reports every problem at once, naming file and key. Secrets stand in the files by reference only
(`env:NAME`, `file:PATH`) and are resolved when a connector or a key is built, so that no dump of the
configuration shows one.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.answer_settings import AnswersConfig, ObtainConfig
from gateway.api_settings import ApiConfig
from gateway.attachment_settings import AttachmentsConfig, TenantAttachments
from gateway.file_settings import FilesConfig, Missing
from gateway.opinion_settings import SecondOpinionConfig
from schemas.effectiveness import LodgingPolicy
from schemas.errors import ConfigError, IdentifierInvalid
from schemas.ids import FormId, Mailbox, Teryt
from schemas.submission import Channel
from schemas.wrong import said


def _form(value: Any) -> Any:
    """`2020/01/07/8990` is short for its CRD namespace; `*` and whole namespaces stay."""
    if isinstance(value, str) and value[:4].isdigit():
        return FormId.crd(value).namespace
    return value


_T = TypeVar("_T", bound=BaseModel)

FormPattern = Annotated[str, BeforeValidator(_form)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpConfig(_Model):
    """Where the service listens, and how much it takes on at a time."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = Field(default="", description="Address callers see, for the WSDL; empty: taken from the request.")
    push_path: str = "/epuap/odbiorca"
    max_body_bytes: int = Field(default=96 * 1024 * 1024, gt=0, description="Larger requests are answered with 413.")
    processes: int = Field(default=1, ge=1, le=64, description="Server processes on this machine.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Requests in work per process; others wait.")
    queue_wait_s: float = Field(default=30.0, gt=0, description="How long a request waits for its turn.")
    body_timeout_s: float = Field(default=300.0, gt=0, description="How long one request body may take to arrive.")
    trusted_proxies: str = Field(default="127.0.0.1", description="Whose X-Forwarded-* headers are believed.")


class PushNames(_Model):
    """Element names of ePUAP's push call; each parameter is found with or without the suffix `Any`."""

    recipient: str = "PodmiotOdbierajacy"
    sender: str = "DanePodmiotu"
    account: str = "DaneNadawcy"
    posted_at: str = "DataNadania"
    mailbox_name: str = "NazwaSkrytki"
    mailbox: str = "AdresSkrytki"
    reply_mailbox: str = "AdresOdpowiedzi"
    is_test: str = "CzyTestowe"
    further: str = "DaneDodatkowe"
    file_name: str = "NazwaPliku"
    document: str = "Dokument"
    inline_document: str = "DokumentAny"
    answer: str = "OdpowiedzOdbiorcy"


class PushConfig(_Model):
    """How ePUAP's push call is read. The official Odbiorca WSDL is not public, so every wire name is a setting."""

    namespace: str = "http://wsdl.epuap.gov.pl/obiekty/"
    names: PushNames = PushNames()
    wrapper_elements: tuple[str, ...] = Field(default=(), description="Body elements that hold the parameters inside.")
    check_caller: bool = Field(default=False, description="Callers must sign, with one of caller_certificates.")
    caller_certificates: tuple[Path, ...] = Field(default=(), description="PEM files.")
    signed_parameters: bool = Field(default=False, description="Callers must sign the header blocks we read, too.")
    timestamp_required: bool = Field(default=False, description="Callers must send a signed, fresh Timestamp.")
    sign_answers: bool = Field(default=False, description="Sign our answers with epuap.key.")
    rejected_code: int = Field(default=2, description="status/kod of a rejected document; anything but 1.")
    accepted_code: int = 1
    twin_wait_s: float = Field(default=20.0, gt=0, description="How long a concurrent twin waits for the first.")
    unknown_mailbox_allowance: int = Field(default=100, ge=0, description="Kept per caller and day for unknown boxes.")


class FormPolicy(_Model):
    """What a form demands. Declarations are strict, letters lenient; the catalogue's default holds where unset."""

    schema_errors: Literal["reject", "quarantine"] | None = None
    signature: Literal["required", "optional"] | None = None


class PolicyConfig(_Model):
    """Rules per form; `*` is the default of those not named."""

    form: dict[FormPattern, FormPolicy] = {}


class SealKeyConfig(_Model):
    """A key that seals: in a PKCS#12 file, in PEM files, or on a token behind PKCS#11."""

    kind: Literal["pkcs12", "pem", "pkcs11"] = "pkcs12"
    file: Path | None = Field(default=None, description="PKCS#12, or PEM with the private key.")
    certificate: Path | None = Field(default=None, description="PEM: the certificate, then those above it.")
    password: str = Field(default="", description="env:NAME or file:PATH; the PIN of a token.")
    module: Path | None = Field(default=None, description="The token maker's PKCS#11 library.")
    token: str = Field(default="", description="Label of the token.")
    label: str = Field(default="", description="Label of the key on it.")


class ReceiptConfig(_Model):
    """Our own receipts: the seal's keys and who issues on which channel."""

    key: Path | None = Field(default=None, description="PKCS#12 file with the office's seal.")
    password: str = Field(default="", description="env:NAME or file:PATH")
    keys: tuple[SealKeyConfig, ...] = Field(default=(), description="Further keys; the newest valid one seals.")
    issue: dict[Channel, Literal["own", "epuap", "none"]] = {
        Channel.PUSH: "own",
        Channel.PULL: "epuap",
        Channel.IMPORT: "epuap",
        Channel.REST: "own",
    }
    obtain: ObtainConfig = ObtainConfig()
    tell: tuple[Channel, ...] = Field(
        default=(), description="Channels whose senders get our receipt, or why a document was rejected, by message."
    )


class EpuapConfig(_Model):
    """ePUAP's services as we call them. What its documents leave open is a setting with a default that clients use."""

    pull_url: str = "https://ws.epuap.gov.pl/pk_external_ws/services/pull"
    skrytka_url: str = "https://ws.epuap.gov.pl/pk_external_ws/services/skrytka"
    doreczyciel_url: str = "https://ws.epuap.gov.pl/pk_external_ws/services/doreczyciel"
    stores_url: str = "https://ws.epuap.gov.pl/fe_external_ws/services/ZarzadzanieDokumentami"
    sent_store: Literal["complete", "partial", "none"] = Field(
        default="partial",
        description="What absence from the SENT store means: not sent, nothing, or there is none to look into.",
    )
    sent_settle_s: float = Field(default=300.0, ge=0, description="After a lost answer, look into it no sooner.")
    key: Path | None = Field(default=None, description="PKCS#12 with the certificate registered in ePUAP.")
    password: str = Field(default="", description="env:NAME or file:PATH")
    check_answers: bool = Field(default=True, description="Answers must be signed by one of answer_certificates.")
    answer_certificates: tuple[Path, ...] = Field(default=(), description="PEM; ePUAP announces its roll-overs.")
    signed_faults: bool = Field(default=False, description="Faults must be signed too.")
    timestamp_s: float = Field(default=0.0, ge=0, description="Send a Timestamp valid this long; 0 sends none.")
    clock_skew_s: float = Field(default=300.0, ge=0, description="How far clocks of signed Timestamps may be apart.")
    later_codes: tuple[int, ...] = Field(default=(), description="kod by which ePUAP says: not done, ask later.")
    confirm_digest: Literal["sha1", "sha256"] = Field(default="sha1", description="The other one is tried once.")
    timeout_s: float = Field(default=120.0, gt=0, le=600)
    keep_alive_s: float = Field(default=15.0, ge=0, description="Idle connections are kept this long; 0 keeps none.")
    poll_shortest_s: float = Field(default=5.0, gt=0, description="Wait after an empty box, at first.")
    poll_longest_s: float = Field(default=60.0, gt=0, description="Wait while a box stays empty or ePUAP is away.")


class WorkerConfig(_Model):
    """How deliveries are worked off. All durations in seconds."""

    concurrency: int = Field(default=8, ge=1, le=256)
    lease_s: float = Field(default=45.0, gt=0, description="A vanished worker's work resumes after this.")
    sweep_s: float = Field(default=15.0, gt=0, description="How often due work without a job is looked for.")
    retry_s: tuple[float, ...] = Field(
        default=(5, 15, 60, 300, 900, 3600), description="Waits after an unreachable office; the last one repeats."
    )
    retry_for_h: float = Field(default=100.0, gt=0, description="After this the delivery is given up, visibly.")
    jitter: float = Field(default=0.2, ge=0, le=1)
    breaker_after: int = Field(default=5, ge=1, description="Failures in a row until an office is left alone.")
    breaker_s: float = Field(default=30.0, gt=0, description="For how long at first; doubled while a probe fails.")
    breaker_longest_s: float = Field(default=600.0, gt=0, description="And never longer than this.")


class GatewayConfig(_Model):
    """`gateway.toml`."""

    environment: Literal["demo", "test", "production"] = "test"
    database_url: str = Field(default="", description="Empty: the embedded PostgreSQL. Else postgresql://… or env:NAME")
    trust: Path = Path("trust.toml")
    forms: tuple[Path, ...] = Field(default=(), description="Folders with further schemas; they win over ours.")
    mappings: tuple[Path, ...] = Field(default=(), description="Folders with further mappings; they win over ours.")
    http: HttpConfig = HttpConfig()
    push: PushConfig = PushConfig()
    policy: PolicyConfig = PolicyConfig()
    attachments: AttachmentsConfig = AttachmentsConfig()
    receipt: ReceiptConfig = ReceiptConfig()
    api: ApiConfig = ApiConfig()
    epuap: EpuapConfig = EpuapConfig()
    second_opinion: SecondOpinionConfig = SecondOpinionConfig()
    files: FilesConfig = FilesConfig()
    worker: WorkerConfig = WorkerConfig()


class Route(_Model):
    """Which connector gets a form's cases, and how a case becomes its record."""

    form: FormPattern = Field(description="A namespace, its short number, or * for every form not named before.")
    connector: str
    record: str | None = Field(default=None, description="Name of a record mapping; none: the case itself.")


class ConnectorConfig(BaseModel):
    """One configured connector: its kind and the kind's own options, checked when it is built."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    max_concurrent: int | None = Field(default=None, ge=1, description="Deliveries at a time, over all workers.")
    rate_per_s: float | None = Field(default=None, gt=0, description="Deliveries per second, over all workers.")
    burst: int = Field(default=1, ge=1, description="How many may follow each other at once within the rate.")

    @property
    def options(self) -> dict[str, Any]:
        """The kind's options as written, secrets still references."""
        return dict(self.model_extra or {})


class TenantConfig(_Model):
    """`tenants/<teryt>.toml`: one gmina."""

    teryt: str
    name: str = Field(min_length=1)
    names: tuple[str, ...] = Field(default=(), description="How forms name the office; other names are pointed out.")
    nip: str | None = Field(default=None, description="Documents addressed to another NIP are misdirected.")
    mailboxes: tuple[str, ...] = Field(min_length=1, description="Boxes we take documents for; others are quarantined.")
    subject: str = Field(default="", max_length=100, description="podmiot in ePUAP; empty: as the mailbox says.")
    pull: tuple[str, ...] = Field(default=(), description="Those of the mailboxes that are polled (brama pull).")
    connector: dict[str, ConnectorConfig] = {}
    route: tuple[Route, ...] = ()
    policy: PolicyConfig = PolicyConfig()
    attachments: TenantAttachments = TenantAttachments()
    missing_files: Missing | None = Field(default=None, description="Instead of files.missing of the gateway.")
    answers: AnswersConfig = AnswersConfig()
    effectiveness: LodgingPolicy = LodgingPolicy()

    @field_validator("teryt")
    @classmethod
    def _is_teryt(cls, value: str) -> str:
        return _parsed(Teryt, value)

    @field_validator("mailboxes")
    @classmethod
    def _are_mailboxes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_parsed(Mailbox, item) for item in value)

    @model_validator(mode="after")
    def _polls_its_own(self) -> TenantConfig:
        strange = set(self.pull) - set(self.mailboxes)
        if strange:
            raise ValueError(f"pull: {', '.join(sorted(strange))}: nie ma w mailboxes / not in mailboxes")
        return self

    def route_for(self, form_namespace: str) -> tuple[Route, ...]:
        """Every route of the form; where it has none of its own, those of `*`."""
        own = tuple(route for route in self.route if route.form == form_namespace)
        return own or tuple(route for route in self.route if route.form == "*")


class Config(_Model):
    """Everything, with the folder relative paths start from."""

    folder: Path
    gateway: GatewayConfig
    tenants: dict[str, TenantConfig]

    def tenant_of(self, mailbox: str) -> TenantConfig | None:
        """The gmina that owns a box, or None: the document is then quarantined."""
        return next((tenant for tenant in self.tenants.values() if mailbox in tenant.mailboxes), None)

    def path(self, relative: Path) -> Path:
        """A path from the configuration; relative ones start at the configuration's folder."""
        return relative if relative.is_absolute() else self.folder / relative


def load(folder: Path) -> Config:
    """Read a configuration folder.

    Raises: ConfigError: with every problem found in every file; unknown keys come with the nearest known one.
    """
    problems: list[str] = []
    gateway = _read(folder / "gateway.toml", GatewayConfig, problems)
    tenants = {file: _read(file, TenantConfig, problems) for file in sorted((folder / "tenants").glob("*.toml"))}
    found = [tenant for tenant in tenants.values() if tenant is not None]
    problems += [
        f"{file.name}: teryt: {tenant.teryt}, a plik nazywa się {file.stem} / the file has another name"
        for file, tenant in tenants.items()
        if tenant is not None and tenant.teryt != file.stem
    ]
    problems += _across(found)
    if problems or gateway is None:
        raise ConfigError(problems)
    return Config(folder=folder, gateway=gateway, tenants={tenant.teryt: tenant for tenant in found})


def secret(reference: str, folder: Path) -> str:
    """Resolve `env:NAME` or `file:PATH` (relative to the configuration folder); an empty reference is an empty secret.

    Raises: ConfigError: the variable or file is missing, or a secret was written out instead of referred to.
    """
    kind, _, name = reference.partition(":")
    if not reference:
        return ""
    if kind == "env":
        if name not in os.environ:
            raise ConfigError([f"zmienna środowiskowa {name} nie jest ustawiona / environment variable not set"])
        return os.environ[name]
    if kind == "file":
        path = folder / name
        if not path.is_file():
            raise ConfigError([f"brak pliku z sekretem: {name} / secret file missing"])
        return path.read_text("utf-8").strip()
    raise ConfigError(["sekret trzeba podać jako env:NAZWA albo file:ŚCIEŻKA / give a secret as env:NAME or file:PATH"])


def resolve_secrets(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Connector options with every `env:`/`file:` text replaced, also inside tables and lists."""
    return {name: _resolved(value, folder) for name, value in options.items()}


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and value.startswith(("env:", "file:")):
        return secret(value, folder)
    if isinstance(value, dict):
        return resolve_secrets(value, folder)
    if isinstance(value, list):
        return [_resolved(item, folder) for item in value]
    return value


def _read(file: Path, model: type[_T], problems: list[str]) -> _T | None:
    try:
        return model.model_validate(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        problems.append(f"{file.name}: brak pliku {file} / file missing")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file.name}: {error}")
    except ValidationError as error:
        problems.extend(_sentence(file, model, item) for item in error.errors(include_url=False, include_input=False))
    return None


def _sentence(file: Path, model: type[BaseModel], item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "(plik)"
    if item["type"] != "extra_forbidden":
        return f"{file.name}: {where}: {said(item['msg'])}"
    near = difflib.get_close_matches(str(item["loc"][-1]), _known_keys(model), n=1)
    hint = f" — czy chodziło o „{near[0]}”? / did you mean {near[0]}?" if near else ""
    return f"{file.name}: {where}: nieznany klucz / unknown key{hint}"


def _known_keys(model: type[BaseModel]) -> list[str]:
    keys: list[str] = []
    for name, info in model.model_fields.items():
        keys.append(name)
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += _known_keys(inner)
    return keys + (_known_keys(Route) if model is TenantConfig else [])


def _across(tenants: list[TenantConfig]) -> list[str]:
    problems = []
    owners: dict[str, str] = {}
    for tenant in tenants:
        for mailbox in tenant.mailboxes:
            if mailbox in owners:
                problems.append(f"{tenant.teryt}.toml: mailboxes: {mailbox} należy już do {owners[mailbox]} / taken")
            owners[mailbox] = tenant.teryt
        problems += [
            f"{tenant.teryt}.toml: route.{index}.connector: nie ma [connector.{route.connector}] / no such connector"
            for index, route in enumerate(tenant.route)
            if route.connector not in tenant.connector
        ]
        problems += [
            f"{tenant.teryt}.toml: answers.ledgers: nie ma [connector.{name}] / no such connector"
            for name in tenant.answers.ledgers
            if name not in tenant.connector
        ]
        if tenant.answers.services and not tenant.answers.ledgers:
            problems.append(f"{tenant.teryt}.toml: answers.ledgers: potrzebna ewidencja / a ledger is needed")
    if len({tenant.teryt for tenant in tenants}) != len(tenants):
        problems.append("tenants: dwa pliki z tym samym TERYT / two files with one TERYT")
    return problems


def _parsed(kind: type[str], value: str) -> str:
    try:
        return kind(value)
    except IdentifierInvalid as error:
        kind_of, expected = error.facts["kind"], error.facts["expected"]
        raise ValueError(f"to nie jest {kind_of}, oczekiwano: {expected} / not a {kind_of}") from error
