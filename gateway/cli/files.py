"""`brama files`: big files that ePUAP gives out once: which are still to come, which wait for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from gateway.cli.acting import act
from gateway.cli.chosen import (
    Actor,
    FileStateOption,
    Id,
    Limit,
    Reason,
    Tenant,
    chosen,
    meant,
    opened_store,
    plain_table,
)
from gateway.cli.documents import AsJson
from gateway.cli.output import language, out, say, show_json, shown_state
from gateway.cli.service import Folder
from schemas.files import LinkedFile
from schemas.texts import text

files = typer.Typer(no_args_is_help=True, help="Duże pliki, które ePUAP wydaje tylko raz.")

FileId = Annotated[str, typer.Argument(help="Identyfikator pliku z „files list” (albo jego początek).", metavar="PLIK")]


@files.command("list")
def list_(
    config: Folder, tenant: Tenant = None, state: FileStateOption = None, limit: Limit = 50, json_: AsJson = False
) -> None:
    """Pokaż duże pliki, których jeszcze nie ma; „held”, „lost” i „failed” czekają na pracownika."""
    from gateway.clock import shown
    from gateway.operations import files as operations

    with opened_store(config) as store:
        found = operations.listed(store, tenant=tenant, state=chosen(state), limit=limit)
    if json_:
        show_json([one.to_json() for one in found])
        return
    if not found:
        out.print(say("Nic nie pasuje.", "Nothing matches."))
        return
    table = plain_table(("ID", "ID"), ("TERYT", "TERYT"), ("Stan", "State"), ("Prób", "Tries"), ("Następna", "Next"),
                        ("Zgłoszenia", "Submissions"), ("Przyczyna", "Reason"))  # fmt: skip
    for one in found:
        why = text(one.last_code, language(), reason=one.last_text or "", type=one.type or "?") if one.last_code else ""
        whose = ", ".join(str(item)[:13] for item in one.submissions)
        due = shown(one.due_at) if one.due_at else "—"
        table.add_row(str(one.id)[:13], one.tenant, shown_state(one.state), str(one.attempts), due, whose, why)
    out.print(table)


@files.command("save")
def save(
    config: Folder,
    one: FileId,
    file: Annotated[Path, typer.Option("--out", dir_okay=False, help="Dokąd zapisać plik.", metavar="PLIK")],
    json_: AsJson = False,
) -> None:
    """Zapisz zachowany plik na dysk, także ten, który czeka na decyzję."""
    from gateway.operations import files as operations

    with opened_store(config) as store:
        size = operations.save(store, meant(store, "file", one), file)
    if json_:
        show_json({"file": str(file), "size_bytes": size})
    else:
        out.print(say(f"Zapisano {size} B: {file}", f"Wrote {size} B: {file}"), markup=False)


@files.command("retry")
def retry(config: Folder, one: FileId, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Poproś ePUAP o plik jeszcze raz."""
    from gateway.operations import files as operations

    act(operations.ask_again, config, "file", one, actor, reason, json_)


@files.command("accept")
def accept(config: Folder, one: FileId, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Dopuść plik zatrzymany do sprawdzenia; sprawa idzie z nim dalej."""
    from gateway.operations import files as operations

    act(operations.accept, config, "file", one, actor, reason, json_)


@files.command("without")
def without(config: Folder, submission: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Przekaż sprawę zgłoszenia bez plików, których nie ma."""
    from gateway.operations import files as operations

    act(operations.go_without, config, "submission", submission, actor, reason, json_)


def show_file(file: LinkedFile) -> None:
    """One line of `submissions show`."""
    code = file.last_code if file.state else "attachment.elsewhere"
    why = text(code, language(), reason=file.last_text or "", type=file.type or "?") if code else ""
    about = f"{file.size_bytes} B, {file.type or '?'}, SHA-256 {file.sha256[:16]}…" if file.sha256 else ""
    known = "waived" if file.waived else file.state
    state = shown_state(known) if known else say("nie pobieramy", "not fetched")
    out.print(Text(f"  ⊕ {file.number}. {file.name}: {state}", "bold") + Text(f"  {about}  {file.id or ''}", "dim"))
    if why:
        out.print(f"    {why} [{code}] {file.last_text or ''}", markup=False)
