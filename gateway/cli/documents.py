"""Commands that look at files and need no running service: verify, validate, map, receipt."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from gateway.cli.chosen import Tenant
from gateway.cli.output import Exit, language, leave, out, read_moment, say, show_json
from schemas.ids import sha256
from schemas.texts import text

Files = Annotated[
    list[Path],
    typer.Argument(exists=True, dir_okay=False, readable=True, help="Pliki dokumentów XML.", metavar="PLIK"),
]
OneFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="Plik dokumentu XML.", metavar="PLIK")
]
AsJson = Annotated[bool, typer.Option("--json", help="Jeden dokument JSON na standardowym wyjściu.")]
ConfigFolder = Annotated[
    Path | None,
    typer.Option("--config", envvar="BRAMA_CONFIG", help="Folder konfiguracji (gateway.toml, tenants/)."),
]
Day = Annotated[str | None, typer.Option("--at", help="Dzień otrzymania, ISO 8601, np. 2026-02-03.", metavar="DZIEŃ")]


def verify(
    files: Files,
    json_: AsJson = False,
    crypto_only: Annotated[
        bool, typer.Option("--crypto-only", help="Tylko nienaruszalność i zakres podpisu, bez oceny zaufania.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="Chwila oceny, ISO 8601, np. 2026-02-03T10:00:00Z.", metavar="CZAS")
    ] = None,
    detached: Annotated[
        list[str] | None,
        typer.Option("--detached", help="Treść odwołania zewnętrznego; można powtarzać.", metavar="NAZWA=PLIK"),
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", exists=True, dir_okay=False, help="Plik zasad zaufania (trust.toml).")
    ] = None,
    config: ConfigFolder = None,
) -> None:
    """Sprawdź podpisy elektroniczne dokumentów (XAdES, XML-DSig)."""
    from gateway import signatures

    policy = load_trust(trust, config)
    moment = read_moment(at, "--at")
    data = _detached(detached or [])
    results = [
        signatures.verify(
            file.read_bytes(), policy, at=moment, detached=data, scope="crypto" if crypto_only else "full"
        )
        for file in files
    ]
    if json_:
        shown = [result.to_json() for result in results]
        show_json(shown if len(shown) > 1 else shown[0])
    else:
        for file, result in zip(files, results, strict=True):
            _show_verification(file, result)
    leave(Exit.FINE if all(result.indication == "TOTAL-PASSED" for result in results) else Exit.NO)


def validate(
    file: OneFile, json_: AsJson = False, tenant: Tenant = None, at: Day = None, config: ConfigFolder = None
) -> None:
    """Sprawdź dokument według wzoru jego formularza (XSD), rachunków i zasad dla załączników.

    Z --tenant tak, jak u tej gminy: jej zasady dla załączników i czy pismo jest do niej. Z --at także terminy.
    """
    result = findings_of(file.read_bytes(), config, tenant, _day(at))
    if json_:
        show_json(result.to_json())
    else:
        _show_validation(file, result)
        _show_consequence(result, config)
    leave(Exit.FINE if result.valid else Exit.NO)


def map_(
    file: OneFile, json_: AsJson = False, tenant: Tenant = None, at: Day = None, config: ConfigFolder = None
) -> None:
    """Pokaż sprawę, którą Brama utworzyłaby z dokumentu; z --tenant i --at jak u tej gminy tego dnia."""
    from gateway import mapper
    from gateway.clock import WARSAW

    _tenants(config, tenant)
    day = _day(at)
    received = datetime.combine(day, time(12), WARSAW).astimezone(UTC) if day else None
    facts = mapper.MessageFacts(tenant=tenant, received_at=received)
    case = mapper.apply(file.read_bytes(), load_mappings(config), facts)
    shown = case.to_json()
    if json_:
        show_json(shown)
    else:
        _show_tree(shown)


def case_schema(
    openapi: Annotated[bool, typer.Option("--openapi", help="Jako składniki OpenAPI 3.1 zamiast JSON Schema.")] = False,
) -> None:
    """Wypisz budowę sprawy (JSON Schema) dla tych, którzy podłączają systemy urzędu."""
    from schemas import case

    show_json(case.openapi() if openapi else case.json_schema())


receipt = typer.Typer(no_args_is_help=True, help="Urzędowe poświadczenia odbioru (UPP, UPD).")


@receipt.command("show")
def receipt_show(file: OneFile, json_: AsJson = False) -> None:
    """Pokaż, co mówi poświadczenie."""
    from gateway import receipt as step
    from gateway import signatures

    xml = file.read_bytes()
    shown = step.read_receipt(xml).to_json()
    verification = signatures.verify(xml, signatures.TrustPolicy(), scope="crypto")
    shown["signature"] = verification.to_json()
    if json_:
        show_json(shown)
    else:
        _show_tree(shown)


@receipt.command("verify")
def receipt_verify(
    file: OneFile,
    document: Annotated[
        Path, typer.Option("--document", exists=True, dir_okay=False, help="Dokument, którego dotyczy poświadczenie.")
    ],
    json_: AsJson = False,
    trust: Annotated[
        Path | None, typer.Option("--trust", exists=True, dir_okay=False, help="Plik zasad zaufania (trust.toml).")
    ] = None,
    config: ConfigFolder = None,
) -> None:
    """Czy to poświadczenie dotyczy tego dokumentu?"""
    from gateway import receipt as step

    answer = step.check_receipt(file.read_bytes(), document.read_bytes(), load_trust(trust, config))
    if json_:
        shown: dict[str, Any] = {"binding": answer.binding, "intact": answer.intact}
        shown |= {"issuer_trusted": answer.issuer_trusted, "document_sha256": sha256(document.read_bytes())}
        show_json(shown | {"verification": answer.verification.to_json()})
    else:
        _show_receipt_check(answer)
        _show_verification(file, answer.verification)
    leave(Exit.FINE if answer.binding == "is_for" and answer.intact else Exit.NO)


def load_trust(trust: Path | None, config: Path | None) -> Any:
    from gateway import config as settings
    from gateway import signatures, trusted

    if trust is not None:
        return trusted.load_policy(trust)[0]
    if config is not None:
        loaded = settings.load(config)
        return trusted.load_policy(loaded.path(loaded.gateway.trust))[0]
    return signatures.TrustPolicy()


def findings_of(document: bytes, config: Path | None, tenant: str | None = None, on: date | None = None) -> Any:
    """What the gateway says of a document, with a gmina's own rules if one is named; the service also asks the scanner.

    Args: on: the day of receipt; without it no deadline is judged.
    """
    from gateway import app, validate

    loaded = _tenants(config, tenant)
    rules = validate.Rules() if loaded is None else app.attachment_rules(loaded, tenant)
    receiver = app.receiver_of(loaded, tenant) if loaded is not None and tenant is not None else None
    forms, mappings = load_forms(config), load_mappings(config)
    return validate.check(document, forms, mappings, on, attachments=rules, receiver=receiver)


def _tenants(config: Path | None, tenant: str | None) -> Any:
    """The configuration, where one is given; a gmina must be in it. Raises BadParameter (exit code 2)."""
    from gateway import config as settings

    loaded = settings.load(config) if config is not None else None
    if tenant is not None and (loaded is None or tenant not in loaded.tenants):
        raise typer.BadParameter(
            say("podaj gminę z konfiguracji (--config)", "give a gmina of the configuration (--config)"),
            param_hint="--tenant",
        )
    return loaded


def _day(given: str | None) -> date | None:
    try:
        return date.fromisoformat(given) if given is not None else None
    except ValueError as error:
        raise typer.BadParameter(
            say("dzień musi być w ISO 8601, np. 2026-02-03", "give a day in ISO 8601, e.g. 2026-02-03"),
            param_hint="--at",
        ) from error


def load_forms(config: Path | None) -> Any:
    """The catalogue; of a production configuration as the service sees it, without templates of the test host."""
    from gateway import config as settings
    from gateway.forms import Forms

    if config is None:
        return Forms.load()
    loaded = settings.load(config)
    return Forms.load(_paths(loaded, "forms"), production=loaded.gateway.environment == "production")


def load_mappings(config: Path | None) -> Any:
    from gateway import config as settings
    from gateway.mapper import Mappings

    extra = () if config is None else _paths(settings.load(config), "mappings")
    return Mappings.load(extra)


def _paths(config: Any, name: str) -> tuple[Path, ...]:
    return tuple(config.path(path) for path in getattr(config.gateway, name))


def _detached(pairs: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pair in pairs:
        name, separator, path = pair.rpartition("=")
        if not separator or not Path(path).is_file():
            raise typer.BadParameter(
                say(f"oczekiwano NAZWA=PLIK z istniejącym plikiem: {pair}", f"expected NAME=FILE: {pair}"),
                param_hint="--detached",
            )
        found[name] = Path(path).read_bytes()
    return found


def _show_receipt_check(answer: Any) -> None:
    binding = {
        "is_for": say("To poświadczenie dotyczy tego dokumentu.", "This receipt is for this document."),
        "is_not": say("To poświadczenie NIE dotyczy tego dokumentu.", "This receipt is NOT for this document."),
        "unresolved": say(
            "Nie można ustalić, czy poświadczenie dotyczy tego dokumentu.",
            "Whether the receipt is for this document cannot be told.",
        ),
    }
    issuer = {
        True: (say("Wystawca jest zaufany.", "The issuer is trusted."), "green"),
        False: (
            say(
                "Wystawca NIE jest zaufany: poświadczenie mógł wystawić każdy.",
                "The issuer is NOT trusted: anybody may have issued this receipt.",
            ),
            "red",
        ),
        None: (
            say("Nie można ustalić, czy wystawca jest zaufany.", "Whether the issuer is trusted cannot be told."),
            "yellow",
        ),
    }
    out.print(Text(binding[answer.binding], "green" if answer.binding == "is_for" else "red"))
    out.print(Text(*issuer[answer.issuer_trusted]))


_COLOURS = {"TOTAL-PASSED": "green", "INDETERMINATE": "yellow", "TOTAL-FAILED": "red"}


def _show_verification(file: Path, result: Any) -> None:
    words = {
        "TOTAL-PASSED": say("WAŻNY", "VALID"),
        "INDETERMINATE": say("NIE MOŻNA USTALIĆ", "CANNOT BE TOLD"),
        "TOTAL-FAILED": say("NIEWAŻNY", "NOT VALID"),
    }
    head = Text(f"{file.name}: {words[result.indication]} ({result.indication})", _COLOURS[result.indication])
    out.print(head)
    for verdict in result.signatures:
        signer = verdict.signer
        who = (signer.name if signer else None) or say("podpisujący nieustalony", "signer not known")
        covers = say("obejmuje cały dokument", "covers the whole document")
        part = say("nie obejmuje całego dokumentu", "does not cover the whole document")
        scope = covers if verdict.covers_document else part
        out.print(f"  {verdict.id or '—'}: {who}; {verdict.level or 'XML-DSig'}; {scope}", markup=False)
        _show_reasons(verdict.reasons)
    _show_reasons(result.reasons)


def _show_reasons(reasons: Any) -> None:
    for reason in reasons:
        out.print(f"    [{reason.code}] {text(reason.code, language(), **reason.facts)}", markup=False)


def _show_validation(file: Path, result: Any) -> None:
    form = result.form
    unknown = say("nieznany wzór", "unknown template")
    name = unknown
    if form is not None:
        template = text(f"word.{form.status}", language())
        name = f"{form.code} — {say(form.name_pl, form.name_en)} ({say('wzór', 'template')} {template})"
    verdict = say("POPRAWNY", "VALID") if result.valid else say("NIEPOPRAWNY", "NOT VALID")
    out.print(Text(f"{file.name}: {verdict}; {name}", "green" if result.valid else "red"))
    for finding in result.findings:
        message = finding.message_pl if language() == "pl" else finding.message_en
        line = f"{say('wiersz', 'line')} {finding.line}" if finding.line else None
        where = ", ".join(part for part in (line, finding.path) if part)
        weight = text(f"word.{finding.severity.value}", language())
        told = f"  {weight} [{finding.code}] {message}"
        out.print(f"{told} ({where})" if where else told, markup=False)


def _show_consequence(result: Any, config: Path | None) -> None:
    """What becomes of a document with errors: declarations are refused, letters shown to a clerk."""
    form = load_forms(config).get(result.form.namespace) if result.form is not None and not result.valid else None
    if form is None:
        return
    unless = say("Skutek, jeśli gmina nie ustaliła inaczej: ", "Unless the gmina rules otherwise: ")
    refused = say("dokument nie zostanie przyjęty.", "the document is refused.")
    seen = say("dokument zostanie przyjęty i obejrzy go pracownik.", "the document is taken and a clerk looks at it.")
    out.print(f"  {unless}{refused if form.strict else seen}", markup=False)


def _show_tree(shown: dict[str, Any]) -> None:
    for name, value in _leaves({key: value for key, value in shown.items() if key != "sources"}, ""):
        out.print(Text(f"{name}: ", "cyan") + Text(str(value), ""))


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in _leaves(inner, f"{path}[{index}]")]
    return [] if value in (None, "") else [(path, value)]
