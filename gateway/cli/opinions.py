"""Commands about second opinions on signatures."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.chosen import Limit, opened_store, plain_table
from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, leave, out, say, show_json
from gateway.cli.service import Folder
from gateway.clock import shown

opinions = typer.Typer(no_args_is_help=True, help="Drugie opinie o podpisach (TpSigning), gdy są włączone.")


@opinions.command("list")
def opinions_list(
    config: Folder,
    differing: Annotated[bool, typer.Option("--differing", help="Tylko sprzeczne z ustaleniami Bramy.")] = False,
    limit: Limit = 50,
    json_: AsJson = False,
) -> None:
    """Pokaż, co powiedziała usługa Profilu Zaufanego; kod wyjścia 1, gdy coś jest sprzeczne."""
    from gateway.operations.opinions import opinions as look

    with opened_store(config) as store:
        page = look(store, differing=differing, limit=limit)
    if json_:
        show_json(page.to_json())
    else:
        words = {
            True: say("zgodna", "agrees"),
            False: say("SPRZECZNA", "DIFFERS"),
            None: say("bez wyroku", "no verdict"),
        }
        head = (("Zgłoszenie", "Submission"), ("Kiedy", "When"), ("Usługa", "Service"), ("Opinia", "Opinion"))
        table = plain_table(*head)
        for item in page.items:
            said = words[item.agrees] if item.answered_at else item.last_code or say("czeka", "waits")
            table.add_row(str(item.submission_id)[:13], shown(item.answered_at), item.service or "—", said)
        out.print(table if page.items else say("Nie ma żadnej.", "There is none."))
    leave(Exit.NO if any(item.agrees is False for item in page.items) else Exit.FINE)
