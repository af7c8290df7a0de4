"""`brama import`: bring in a package that ePUAP's portal exported in an emergency."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from gateway.cli.chosen import Actor, log_errors
from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, err, language, leave, out, say, show_json, shown_state
from gateway.cli.service import Folder
from schemas.texts import text


def import_(
    config: Folder,
    package: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Paczka ZIP z ePUAP (Deskryptor.xml).", metavar="ZIP")
    ],
    actor: Actor,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Gmina dokumentów bez adresu skrytki.", metavar="TERYT")
    ] = None,
    mailbox: Annotated[
        str | None, typer.Option("--mailbox", help="Skrytka dokumentów bez adresu skrytki.", metavar="SKRYTKA")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tylko przeczytaj; niczego nie przyjmuj.")] = False,
    json_: AsJson = False,
) -> None:
    """Przyjmij dokumenty z paczki awaryjnej ePUAP (EmergencyDownload), pozycja po pozycji.

    Ponowny import tej samej paczki niczego nie zmienia. Kod wyjścia 1: co najmniej jednej pozycji nie da się przyjąć.
    """
    from gateway import config as settings
    from gateway.app import open_tools
    from gateway.operations import importing

    log_errors()
    loaded = settings.load(config)
    box = importing.mailbox_of(loaded, tenant, mailbox)
    quiet = json_ or not err.is_terminal
    with open_tools(loaded) as tools, Progress(console=err, transient=True, disable=quiet) as bar:
        task = bar.add_task(say("Import", "Importing"), total=None)
        result = importing.import_package(
            tools, package, actor=actor, mailbox=box, dry_run=dry_run,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    if json_:
        show_json(result.to_json())
    else:
        _show(result)
    leave(Exit.FINE if result.ok else Exit.NO)


def _show(result: object) -> None:
    from gateway.operations.importing import ImportResult

    assert isinstance(result, ImportResult)
    table = Table(
        say("Nr", "No."), say("Plik", "File"), say("Wynik", "Outcome"), say("Zgłoszenie", "Submission"),
        say("Przyczyna", "Reason"), box=None,
    )  # fmt: skip
    for item in result.items:
        why = f"{text(item.code, language(), **item.facts)} [{item.code}]" if item.code else ""
        number, one = str(item.number or "—"), str(item.submission)[:13] if item.submission else "—"
        table.add_row(number, Text(item.path), shown_state(item.outcome), one, Text(why))
    out.print(table)
    if result.dry_run:
        out.print(say("Przebieg próbny: niczego nie przyjęto.", "A dry run: nothing was taken."))
