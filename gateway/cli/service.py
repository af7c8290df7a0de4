"""Commands that run the gateway: serve, work, check, and what it is made of: connector list."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, language, leave, out, say, show_json
from schemas.texts import all_texts

Folder = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="BRAMA_CONFIG",
        exists=True,
        file_okay=False,
        help="Folder konfiguracji (gateway.toml, tenants/).",
    ),
]
LogLevel = Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING albo ERROR.", metavar="POZIOM")]
Console = Annotated[bool, typer.Option("--log-console", help="Dziennik dla człowieka zamiast wierszy JSON.")]


def serve(config: Folder, log_level: LogLevel = "INFO", log_console: Console = False) -> None:
    """Uruchom usługę, do której ePUAP wysyła dokumenty (SOAP)."""
    from gateway import app
    from gateway.web import server

    loaded = _start(config, log_level, log_console)
    http = loaded.gateway.http
    with app.open_tools(loaded) as tools:
        if http.processes == 1:
            server.serve(app.web(tools), http)
        else:  # each process makes its own application; this one migrates and holds the embedded database for them
            os.environ |= {"BRAMA_CONFIG": str(config.absolute()), "BRAMA_LOG_LEVEL": log_level.upper()}
            server.serve("gateway.app:web", http)


def work(
    config: Folder,
    until_quiet: Annotated[
        bool, typer.Option("--until-quiet", help="Zakończ, gdy nie ma już nic do zrobienia teraz.")
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            min=0,
            help="Ile sekund czekać na bazę danych przy starcie; bez tego do skutku.",
            metavar="SEKUNDY",
        ),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Nie czekaj na bazę danych: to samo co --wait 0.")] = False,
    log_level: LogLevel = "INFO",
    log_console: Console = False,
) -> None:
    """Uruchom proces roboczy: tworzy sprawy i przekazuje je do systemów urzędów."""
    from gateway import app, worker
    from gateway.store.waiting import Stopped, until_there

    loaded = _start(config, log_level, log_console)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    within_s = 0.0 if no_wait or (until_quiet and wait is None) else wait
    try:
        with app.open_tools(loaded, patiently=lambda attempt: until_there(attempt, within_s, stop)) as tools:
            if until_quiet:
                worker.work_until_quiet(tools)
            else:
                worker.run_worker(tools, stop)
    except Stopped:
        return  # asked to end before there was anything to do


def check(
    config: Folder,
    live: Annotated[bool, typer.Option("--live", help="Sprawdź też połączenie z każdym systemem urzędu.")] = False,
    json_: AsJson = False,
) -> None:
    """Sprawdź konfigurację: gminy, trasy, łącza, pieczęć, zaufanie."""
    from gateway import checkup

    result = checkup.check(config, live=live, lang=language())
    if json_:
        show_json(result.to_json())
    else:
        _show_checkup(result)
    leave(Exit.USAGE if result.problems else Exit.FINE)


connector = typer.Typer(no_args_is_help=True, help="Łącza do systemów urzędów.")


@connector.command("list")
def connector_list(json_: AsJson = False) -> None:
    """Pokaż dostępne łącza, ich możliwości i opcje."""
    from connectors import registry

    described = registry.describe()
    if json_:
        show_json(described)
        return
    table = Table(say("Łącze", "Connector"), say("Co robi", "What it does"), say("Opcje", "Options"), box=None)
    for item in described:
        options = ", ".join(item.get("options", {}).get("properties", {}))
        table.add_row(Text(item["name"], "cyan"), _about(item), Text(options, "dim"))
    out.print(table)


def _about(item: dict[str, Any]) -> Text:
    """What a connector is for, in the language of this run; of one from outside its own words."""
    if "broken" in item:
        return Text(item["broken"], "red")
    ours = all_texts().get(f"connector_about.{item['name']}")
    about = Text(ours[language()] if ours else item["summary"])
    if item["unproven"]:
        untested = say("bez testów na prawdziwym serwerze", "untested against a real server")
        about.append(f" ({untested}: {', '.join(item['unproven'])})", "yellow")
    return about


@connector.command("new")
def connector_new(
    name: Annotated[str, typer.Argument(help="Nazwa łącza: małe litery, cyfry, podkreślenia.", metavar="NAZWA")],
    into: Annotated[Path, typer.Option("--into", file_okay=False, help="Gdzie założyć pakiet.")] = Path(),
    json_: AsJson = False,
) -> None:
    """Załóż gotowy pakiet łącza razem z testem umowy, który każde łącze musi przejść."""
    from connectors.scaffold import new_connector

    files = new_connector(name, into)
    if json_:
        show_json({"name": name, "files": [str(file) for file in files]})
        return
    for file in files:
        out.print(str(file), markup=False)


def _start(folder: Path, log_level: str, log_console: bool) -> Any:
    from gateway import config as settings
    from gateway import log

    if log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise typer.BadParameter("DEBUG, INFO, WARNING, ERROR", param_hint="--log-level")
    log.configure(log_level.upper(), json_lines=not log_console)
    return settings.load(folder)


def _show_checkup(result: Any) -> None:
    if result.warnings:
        out.print(Text(say("Brakuje sekretów:", "Secrets are missing:"), "yellow"))
        for warning in result.warnings:
            out.print(f"  {warning.where}: {warning.text} [{warning.code}]", markup=False)
    if not result.problems:
        tenants, connectors = len(result.tenants), len(result.connectors)
        fine = say(
            f"Konfiguracja jest poprawna (gminy: {tenants}, łącza: {connectors}).",
            f"The configuration is correct (gminas: {tenants}, connectors: {connectors}).",
        )
        out.print(Text(fine, "green"))
        return
    out.print(Text(say("Znaleziono problemy:", "Problems found:"), "red"))
    for problem in result.problems:
        out.print(f"  {problem.where}: {problem.text} [{problem.code}]", markup=False)
