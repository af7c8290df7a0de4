"""`brama demo`: the whole journey on loopback, watched by a person or read by a program."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, err, leave, out, say, show_json

WORDS = {
    "delivered": ("przekazano", "delivered"),
    "refused": ("urząd odmówił — czeka na pracownika", "refused: waits for a person"),
    "rejected": ("odrzucono", "rejected"),
    "quarantined": ("czeka na pracownika", "waits for a clerk"),
    "test": ("tylko próbnie", "rehearsal only"),
    "duplicate": ("to samo UPO, bez drugiej sprawy", "same UPO, no second case"),
}


def demo(
    folder: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder na UPO, sprawy, dokumenty i dzienniki.")
    ] = Path("demo-output"),
    json_: AsJson = False,
) -> None:
    """Pokaż całą drogę dokumentów na tym komputerze: od ePUAP do systemów trzech gmin."""
    from gateway import log
    from gateway.demo.play import play
    from gateway.demo.stage import staged

    log.configure("ERROR", json_lines=True)
    folder = _fresh(folder.absolute())
    with _progress(json_) as (announce, step):
        announce(_where())
        announce(
            say(
                "Uruchamiam: PostgreSQL, usługę SOAP, proces roboczy i trzy systemy urzędów (SOAP, SQL, folder).",
                "Starting: PostgreSQL, the SOAP service, a worker and three offices (SOAP, SQL, folder).",
            )
        )
        with staged(folder) as stage:
            announce(
                say(f"ePUAP (symulowany) wysyła na {stage.push_url}", f"ePUAP (simulated) pushes to {stage.push_url}")
            )
            result = play(stage, folder, announce, step)
    if json_:
        show_json(result)
    else:
        show_result(result)
    leave(Exit.FINE if result["balanced"] else Exit.NO)


def _fresh(folder: Path) -> Path:
    """A folder of this run: the one asked for, or a numbered one beside it where it already holds something."""
    candidate, number = folder, 2
    while candidate.exists() and any(candidate.iterdir()):
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    candidate.mkdir(parents=True, exist_ok=True)
    return candidate


def _where() -> str:
    from gateway.store.embedded import default_folder, opened_folders

    data = default_folder()
    line = say(f"Wbudowany PostgreSQL trzyma dane w {data}", f"The embedded PostgreSQL keeps its data in {data}")
    if os.geteuid() == 0:
        opened = ", ".join(str(path) for path in opened_folders(data / "postgres")) or "—"
        line += say(
            f"; jako root zakłada konto systemowe pgserver i otwiera do odczytu foldery nad danymi ({opened})",
            f"; run as root it makes a system user pgserver and opens the folders above its data ({opened})",
        )
    return line + "."


@contextmanager
def _progress(json_: bool) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(say("Przygotowanie", "Preparing"), total=None)

        def announce(sentence: str) -> None:
            if not json_:
                bar.console.print(Text(f"• {sentence}"))

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)
            if not json_ and not err.is_terminal:
                err.print(f"  {done}/{total} {what}", markup=False)

        yield announce, step


def _service(name: str) -> str:
    match name:
        case "settlement_query":
            return say("Zapytanie o stan rozliczeń", "Settlement status query")
        case "arrears_certificate_application":
            return say("Wniosek o zaświadczenie o niezaleganiu", "Application for a certificate of no arrears")
        case _:
            return name


def show_result(result: dict[str, Any]) -> None:
    """What every document became, the answers to citizens, and the books; for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in (("Dokument", "Document"), ("Wynik", "Outcome"), ("UPO", "UPO"), ("Przekazanie", "Delivery")):
        table.add_column(say(pl, en), overflow="fold")
    for item in result["submissions"]:
        table.add_row(
            Text(item["what"]), _outcome(item), "✓" if item["receipt"] else "—", _deliveries(item["deliveries"])
        )
    out.print(table)
    for trip in result["round_trips"]:
        receipts = ", ".join(trip["receipts"]) or "—"
        answered = (
            say("odpowiedź w skrytce obywatela", "answered")
            if trip["answered"]
            else say("BEZ odpowiedzi", "NOT answered")
        )
        out.print(f"{_service(trip['service'])}: {answered}; {receipts}", markup=False)
    books = result["books"]
    out.print()
    out.print(
        say(
            f"Księgi: zachowano {books['submissions']}, przekazano {books['delivered']}, "
            f"czeka na pracownika {books['held'] + books['waiting_for_person']}, odrzucono {books['closed']}, "
            f"zgubiono {books['lost']}, podwójnie {books['delivered_twice']}.",
            f"Books: kept {books['submissions']}, delivered {books['delivered']}, "
            f"waiting for a person {books['held'] + books['waiting_for_person']}, rejected {books['closed']}, "
            f"lost {books['lost']}, doubled {books['delivered_twice']}.",
        )
    )
    out.print(say(f"UPO, sprawy, dokumenty i dzienniki: {result['folder']}", f"Files: {result['folder']}"))
    for problem in result["problems"]:
        out.print(Text(f"  ✗ {problem}", "red"))
    balanced = say("Księgi się zgadzają.", "The books balance.")
    wrong = say("Księgi się NIE zgadzają.", "The books do NOT balance.")
    out.print(Text(balanced if result["balanced"] else wrong, "bold green" if result["balanced"] else "bold red"))


def _outcome(item: dict[str, Any]) -> Text:
    word = say(*WORDS.get(item["outcome"], (item["outcome"], item["outcome"])))
    return Text(word, "red" if item["problems"] else "green")


def _deliveries(deliveries: list[dict[str, Any]]) -> Text:
    parts = []
    for delivery in deliveries:
        tries = " → ".join(attempt or "?" for attempt in delivery["attempts"])
        parts.append(f"{delivery['connector']}: {tries}")
    return Text("; ".join(parts) or "—", "dim")
