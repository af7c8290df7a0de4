"""Commands that measure: bench (figures beside their floor) and faults (the books after a run of misfortunes)."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, err, leave, out, say, show_json

# figures of the fault run that must be 0
WRONG = frozenset(
    {"lost", "doubled", "out_of_order", "untrue", "resent_too_soon", "resent_blind", "sent_late", "held", "unfinished",
     "waiting_without_reason"}
)  # fmt: skip


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Co zmierzyć; bez tego wszystko.", metavar="CO")] = None,
    documents: Annotated[
        int, typer.Option("--documents", min=13, help="Ile dokumentów ma przebieg „pull”.", metavar="ILE")
    ] = 500,
    quick: Annotated[
        bool, typer.Option("--quick", help="Najmniejsze rozmiary: czy pomiary działają; liczby nic nie znaczą.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Zmierz: każda liczba obok dolnej granicy z tego samego przebiegu i ich stosunek."""
    from gateway import log
    from gateway.bench import suite

    log.configure("ERROR")
    unknown = [name for name in names or [] if name not in suite.names()]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)} — {', '.join(suite.names())}", param_hint="CO")
    figures = []
    for name in names or suite.names():
        err.print(say(f"Mierzę: {name}", f"Measuring: {name}"), markup=False)
        with _progress(hidden=json_ or name != suite.PULL) as show:  # drawing costs CPU, which the others measure
            figures += suite.run(name, documents, quick=quick, progress=show)
    if json_:
        show_json(figures)
    else:
        _show_figures(figures)
    if any(not figure["books_balanced"] for figure in figures if "books" in figure):
        leave(Exit.NO)


def _show_figures(figures: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in (
        ("Co", "What"),
        ("Brama", "Ours"),
        ("Granica", "Floor"),
        ("Stosunek", "Ratio"),
        ("Budżet", "Budget"),
    ):
        table.add_column(say(pl, en), justify="left" if pl == "Co" else "right")
    for figure in figures:
        colour = "dim" if figure["budget"] is None else "green" if figure["within_budget"] else "red"
        unit, budget = figure["unit"], "—" if figure["budget"] is None else str(figure["budget"])
        table.add_row(
            figure["name"], f"{figure['value']} {unit}", f"{figure['floor']} {unit}",
            Text(str(figure["ratio"]), colour), budget,
        )  # fmt: skip
    out.print(table)
    for figure in figures:
        if "books" in figure:
            out.print(", ".join(f"{name}: {value}" for name, value in figure["books"].items()), style="dim")


def faults(
    cases: Annotated[int, typer.Option("--cases", min=1, help="Ile spraw.")] = 2000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=16, help="Ile procesów roboczych.")] = 3,
    hosts: Annotated[
        int,
        typer.Option("--hosts", min=1, max=8, help="Na ilu osobnych komputerach; jeden z nich traci łączność i wraca."),
    ] = 1,
    separate_by: Annotated[
        Literal["namespaces", "proxies"] | None,
        typer.Option(
            "--separate-by",
            metavar="JAK",
            help="namespaces (osobne sieci; Linux, root) albo proxies; bez tego najlepsze, co się tu da.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="To samo ziarno daje te same zdarzenia.")] = 1,
    json_: AsJson = False,
) -> None:
    """Przebieg z awariami: urzędy zawodzą, procesy i baza nagle kończą pracę; na końcu księgi muszą się zgadzać."""
    from gateway import log
    from gateway.bench import faults as run

    log.configure("ERROR")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(Exit.NO)))  # so that everything that was started ends too
    with _progress(hidden=json_) as show:
        report = run.run(cases, max(workers, hosts), hosts=hosts, separated_by=separate_by, seed=seed, progress=show)
    _show(report.to_json(), json_)
    leave(Exit.FINE if report.ok else Exit.NO)


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the terminal while something long runs: what, how many are done, of how many."""
    with Progress(console=err, transient=True, disable=hidden or not err.is_terminal) as bar:
        task = bar.add_task("…", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _show(report: dict[str, Any], json_: bool) -> None:
    if json_:
        show_json(report)
        return
    for name, value in report.items():
        bad = name in WRONG and value
        out.print(Text(f"{name}: ", "cyan") + Text(str(value), "red" if bad else ""))
