"""Commands about polled mailboxes: which of them stand still, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from gateway.cli.chosen import opened_store, plain_table
from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, language, leave, out, say, show_json
from gateway.cli.service import Folder
from gateway.clock import shown
from schemas.texts import text

if TYPE_CHECKING:
    from gateway.operations.mailboxes import MailboxView

mailboxes = typer.Typer(no_args_is_help=True, help="Skrytki ePUAP, z których Brama pobiera dokumenty.")


@mailboxes.command("list")
def mailboxes_list(config: Folder, json_: AsJson = False) -> None:
    """Pokaż, jak idzie pobieranie ze skrytek; kod wyjścia 1, gdy z którejś nie da się pobierać."""
    from gateway.config import load
    from gateway.operations.mailboxes import mailboxes as look

    with opened_store(config) as store:
        views = look(store, load(config))
    if json_:
        show_json([view.to_json() for view in views])
    else:
        table = plain_table(("Skrytka", "Mailbox"), ("Gmina", "Gmina"), ("Pytano", "Polled"), ("Pobrano", "Taken"))
        for view in views:
            table.add_row(view.mailbox, view.tenant, shown(view.polled_at), shown(view.taken_at))
        out.print(table if views else say("Żadna gmina nie ma wpisu „pull”.", "No tenant has a mailbox to poll."))
        for view in views:
            if view.code is not None:
                out.print(Text(f"{view.mailbox}: {_trouble(view)}", "yellow"))
    leave(Exit.FINE if all(view.state == "fine" for view in views) else Exit.NO)


def _trouble(view: MailboxView) -> str:
    """Since when, and why: in the other side's words where it said something, else in ours."""
    since = say("od", "since") + f" {shown(view.failing_since)} ({view.failures}×), " if view.failing_since else ""
    return f"{since}{view.code}: {view.text or text(view.code or '', language())}"
