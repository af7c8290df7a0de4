"""Commands about ePUAP: poll its boxes, and simulate it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import Exit, language, leave, out, say
from gateway.cli.service import Console, Folder, LogLevel, _start
from schemas.errors import ServiceUnreachable
from schemas.texts import text

if TYPE_CHECKING:
    from gateway.poll import Emptied


def pull(
    config: Folder,
    once: Annotated[
        bool, typer.Option("--once", help="Zabierz to, co czeka, i zakończ; kod wyjścia 1, gdy któraś skrytka stoi.")
    ] = False,
    log_level: LogLevel = "INFO",
    log_console: Console = False,
) -> None:
    """Pobieraj dokumenty ze skrytek ePUAP (WS-Pull)."""
    from gateway import app, channels, poll

    loaded = _start(config, log_level, log_console)
    boxes = channels.pull_boxes(loaded)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with app.open_tools(loaded) as tools:
        if once:
            _tell(poll.drain_all(boxes, tools, stop))
        else:
            poll.run_pollers(boxes, tools, stop)


def _tell(emptied: list[Emptied]) -> None:
    taken = sum(one.taken for one in emptied)
    out.print(say(f"Pobrano dokumentów: {taken}", f"Documents taken: {taken}"))
    for one in emptied:
        if one.elsewhere:
            busy = say("pobiera z niej inny proces", "another process polls it")
            out.print(f"{one.mailbox}: {busy}", markup=False)
        if one.error is not None:
            why = text(one.error.code, language(), **one.error.facts)
            out.print(f"{one.mailbox}: {why} [{one.error.code}]", markup=False)
    errors = [one.error for one in emptied if one.error is not None]
    away = bool(errors) and all(isinstance(error, ServiceUnreachable) for error in errors)
    leave(Exit.UNREACHABLE if away else Exit.NO if errors else Exit.FINE)


simulate = typer.Typer(no_args_is_help=True, help="Symulowany ePUAP do prób; niczego prawdziwego nie dotyka.")


@simulate.command("epuap")
def simulate_epuap(
    state: Annotated[Path, typer.Option("--state", help="Folder na stan i certyfikaty symulatora.")],
    port: Annotated[int, typer.Option("--port", help="Port usług; 0 wybiera wolny.")] = 0,
    control_port: Annotated[int, typer.Option("--control-port", help="Port poleceń; 0 wybiera wolny.")] = 0,
    more: Annotated[list[str] | None, typer.Argument(help="Dalsze opcje symulatora, po „--”.", metavar="OPCJA")] = None,
) -> None:
    """Uruchom ePUAP na próbę: Pull, Skrytka, Doręczyciel, FileRepo, spisy dokumentów; odpowiedzi są podpisane."""
    _run_office("epuap", state, port, control_port, more)


@simulate.command("tpsigning")
def simulate_tpsigning(
    state: Annotated[Path, typer.Option("--state", help="Folder na stan i certyfikaty symulatora.")],
    port: Annotated[int, typer.Option("--port", help="Port usług; 0 wybiera wolny.")] = 0,
    control_port: Annotated[int, typer.Option("--control-port", help="Port poleceń; 0 wybiera wolny.")] = 0,
) -> None:
    """Uruchom TpSigning i TpSigning5 na próbę: drugie opinie o podpisach."""
    _run_office("tpsigning", state, port, control_port, None)


def _run_office(name: str, state: Path, port: int, control_port: int, more: list[str] | None) -> None:
    """Until it is stopped; says where its ports are written."""
    state.mkdir(parents=True, exist_ok=True)
    ports = state / "ports.json"
    out.print(say(f"Porty zostaną zapisane w {ports}", f"The ports will be written to {ports}"))
    command = [sys.executable, "-m", f"gateway.simulate.offices.{name}", "--port", str(port)]
    command += ["--control-port", str(control_port), "--port-file", str(ports), "--state", str(state), *(more or [])]
    leave(Exit.FINE if subprocess.call(command) == 0 else Exit.USAGE)  # noqa: S603  # our own program


@simulate.command("package")
def simulate_package(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Dokumenty do paczki.", metavar="PLIK")
    ],
    target: Annotated[Path, typer.Option("--out", dir_okay=False, help="Dokąd zapisać paczkę.", metavar="ZIP")],
    mailbox: Annotated[str, typer.Option("--mailbox", help="Skrytka, z której pochodzą.")] = "/gmina/SkrytkaESP",
) -> None:
    """Złóż paczkę taką, jak awaryjny eksport skrytki z ePUAP, do prób „brama import”."""
    from gateway.simulate.emergency import Exported, package

    target.write_bytes(package(Exported(file.read_bytes(), mailbox, file.name) for file in files))
    out.print(say(f"Zapisano {target}", f"Wrote {target}"), markup=False)


@simulate.command("push")
def simulate_push(
    url: Annotated[
        str, typer.Argument(help="Adres usługi, np. http://127.0.0.1:8080/epuap/odbiorca.", metavar="ADRES")
    ],
    mailbox: Annotated[str, typer.Argument(help="Adres skrytki, np. /gmina/SkrytkaESP.", metavar="SKRYTKA")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Dokument do wysłania.", metavar="PLIK")],
) -> None:
    """Wyślij plik tak, jak robi to ePUAP w trybie push; UPO zapisz obok pliku."""
    from gateway.simulate.epuap import main

    leave(Exit(main([url, mailbox, str(file)])))
