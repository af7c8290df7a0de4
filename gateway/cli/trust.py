"""`brama trust`: import trusted lists and look at what is known from them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.output import out, say, show_json
from gateway.cli.service import Folder

trust = typer.Typer(no_args_is_help=True, help="Zaufanie: listy zaufania (TSL) i to, co z nich wiadomo.")


@trust.command("import")
def trust_import(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Krajowa lista zaufania.", metavar="TSL.xml")
    ],
    config: Folder,
    list_of_lists: Annotated[
        Path | None, typer.Option("--lotl", exists=True, dir_okay=False, help="Unijna lista list (LOTL).")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Sprawdź podpis listy zaufania i zapamiętaj kwalifikowane usługi z historią ich statusu."""
    from gateway.trust import admin
    from gateway.trusted import list_verifier

    now = datetime.now(UTC)
    result = admin.import_file(
        _settings(config), file.read_bytes(), list_verifier(now), now=now,
        list_of_lists=list_of_lists.read_bytes() if list_of_lists else None,
    )  # fmt: skip
    if json_:
        show_json(result.to_json(now))
        return
    new = say("nowa", "new") if result.changed else say("bez zmian", "unchanged")
    out.print(f"{result.history.territory}: nr {result.history.sequence}, {new}", markup=False)


@trust.command("list")
def trust_list(config: Folder, json_: AsJson = False) -> None:
    """Pokaż zapamiętane listy zaufania i status usług dzisiaj."""
    from gateway.trust import admin

    now = datetime.now(UTC)
    shown = [admin.describe(history, now) for history in admin.known_lists(_settings(config))]
    if json_:
        show_json(shown)
        return
    if not shown:
        out.print(say("Nie zaimportowano jeszcze żadnej listy.", "No list has been imported yet."))
    for item in shown:
        head = f"{item['territory']}  nr {item['sequence']}  {item['issued_at'][:10]}"
        out.print(Text(head, "red" if item["expired"] else "bold"))
        for service in item["services"]:
            out.print(
                f"  {service['kind']}  {service['status']}  {service['provider']} — {service['name']}", markup=False
            )


def _settings(folder: Path) -> Any:
    from gateway import config as settings
    from gateway.trust.settings import load_settings

    loaded = settings.load(folder)
    return load_settings(loaded.path(loaded.gateway.trust))
