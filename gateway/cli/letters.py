"""`brama answers outbox`, `messages`, `findings`, `call`, `deliver-decision`: what goes out, and what clerks begin."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.chosen import (
    Actor,
    Id,
    Limit,
    MessageStateOption,
    Reason,
    Tenant,
    chosen,
    opened_store,
    opened_tools,
    plain_table,
    submission_id,
)
from gateway.cli.documents import AsJson
from gateway.cli.output import language, out, say, show_json, shown_state
from gateway.cli.service import Folder
from gateway.cli.shown import told
from schemas.texts import text

CaseNumber = Annotated[str | None, typer.Option("--case-number", help="Znak sprawy na piśmie.", metavar="ZNAK")]


def findings(config: Folder, submission: Id, json_: AsJson = False) -> None:
    """Pokaż ponumerowane ustalenia, do których można wezwać."""
    from gateway.operations import letters

    with opened_tools(config) as tools:
        found = letters.findings_of(tools, submission_id(tools.store, submission))
    if json_:
        show_json([{"number": number, **one.to_json()} for number, one in enumerate(found, start=1)])
        return
    if not found:
        out.print(
            say("Nie ma ustaleń; wezwać można własnymi słowami (--point).", "No findings; call in your own words.")
        )
    for number, one in enumerate(found, start=1):
        message = one.message_pl if language() == "pl" else one.message_en
        out.print(f"{number}. [{one.code}] {message}", markup=False)


def call(
    config: Folder,
    submission: Id,
    reason: Reason,
    actor: Actor,
    finding: Annotated[
        list[int] | None, typer.Option("--finding", help="Numer ustalenia; bez tego wszystkie.", metavar="NR")
    ] = None,
    point: Annotated[list[str] | None, typer.Option("--point", help="Inna wątpliwość, własnymi słowami.")] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=90, help="Termin od doręczenia.")] = None,
    arithmetic: Annotated[
        bool, typer.Option("--arithmetic", help="Błędy rachunkowe i omyłki (art. 274 § 1 pkt 2).")
    ] = False,
    case_number: CaseNumber = None,
    json_: AsJson = False,
) -> None:
    """Wezwij do wyjaśnień lub korekty; projekt czeka na zatwierdzenie."""
    from gateway.operations import letters

    with opened_tools(config) as tools:
        one = submission_id(tools.store, submission)
        done = letters.call_for_correction(
            tools, one, actor=actor, reason=reason, findings=finding or None, points=point or (), days=days,
            arithmetic=arithmetic, case_number=case_number,
        )  # fmt: skip
    told(done, json_)


def deliver_decision(
    config: Folder,
    submission: Id,
    file: Annotated[Path, typer.Argument(help="Decyzja (PDF).", exists=True, dir_okay=False, metavar="PLIK")],
    reason: Reason,
    actor: Actor,
    number: Annotated[str, typer.Option("--number", help="Znak decyzji.", metavar="ZNAK")],
    dated: Annotated[datetime, typer.Option("--dated", help="Data decyzji.", formats=["%Y-%m-%d"], metavar="DATA")],
    subject: Annotated[str, typer.Option("--subject", help="W jakiej sprawie.", metavar="SPRAWA")],
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Plik nie ma podpisu i tak ma być.")] = False,
    signature_checked: Annotated[
        bool, typer.Option("--signature-checked", help="Podpis sprawdzono inaczej; Brama nie zna podpisującego.")
    ] = False,
    case_number: CaseNumber = None,
    json_: AsJson = False,
) -> None:
    """Doręcz decyzję przez Doręczyciela; projekt czeka na zatwierdzenie, a UPD kończy sprawę doręczenia."""
    from gateway.operations import letters

    with opened_tools(config) as tools:
        done = letters.deliver_decision(
            tools, submission_id(tools.store, submission), (file.name, file.read_bytes()), number=number,
            dated=dated.date(), subject=subject, actor=actor, reason=reason, unsigned=unsigned,
            signature_checked=signature_checked, case_number=case_number,
        )  # fmt: skip
    told(done, json_)


def outbox(config: Folder, json_: AsJson = False) -> None:
    """Pokaż stan pism wychodzących każdej gminy: co w drodze, co czeka na poświadczenie albo na człowieka."""
    from gateway.clock import shown
    from gateway.operations import correspondence

    with opened_store(config) as store:
        found = correspondence.outboxes(store)
    if json_:
        show_json([one.to_json() for one in found])
        return
    table = plain_table(
        ("TERYT", "TERYT"), ("Poświadczone", "Receipted"), ("Bez poświadczenia", "Not receipted"),
        ("W drodze", "Under way"), ("Dla człowieka", "For a person"), ("Najstarsze niewysłane", "Oldest unsent"),
        ("Kłopot", "Trouble"),
    )  # fmt: skip
    for one in found:
        since = shown(one.oldest_unsent) if one.oldest_unsent else "—"
        counts = (one.receipted, one.awaiting_receipt, one.under_way, one.for_a_person)
        why = text(one.last_code, language()) if one.last_code else ""
        table.add_row(one.tenant, *map(str, counts), since, why)
    out.print(table if found else say("Nic jeszcze nie wysyłano.", "Nothing was sent yet."))


def messages(
    config: Folder,
    tenant: Tenant = None,
    state: MessageStateOption = None,
    limit: Limit = 50,
    json_: AsJson = False,
) -> None:
    """Pokaż pisma wychodzące, najdłużej czekające najpierw."""
    from gateway.clock import shown
    from gateway.operations import correspondence

    with opened_store(config) as store:
        found = correspondence.messages(store, tenant=tenant, state=chosen(state), limit=limit)
    if json_:
        show_json([correspondence.message_json(one) for one in found])
        return
    table = plain_table(("PISMO", "ID"), ("Utworzono", "Created"), ("TERYT", "TERYT"), ("Stan", "State"), ("Do", "To"),
                        ("Powód", "Reason"))  # fmt: skip
    for one in found:
        why = text(one.last_code, language()) if one.last_code else ""
        table.add_row(str(one.id)[:13], shown(one.created_at), one.tenant, shown_state(one.state.value), one.to, why)
    out.print(table)


def add_to(answers: typer.Typer) -> None:
    """The commands of this module into the group they belong to."""
    answers.command("outbox")(outbox)
    answers.command("messages")(messages)
    answers.command("findings")(findings)
    answers.command("call")(call)
    answers.command("deliver-decision")(deliver_decision)
