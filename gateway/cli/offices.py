"""`brama offices`: how the offices' systems are, pausing and resuming."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from gateway.cli.chosen import Actor, Connector, Form, Reason, Tenant, form_namespace, opened_store, plain_table
from gateway.cli.documents import AsJson
from gateway.cli.output import out, say, show_json
from gateway.cli.service import Folder

offices = typer.Typer(no_args_is_help=True, help="Systemy urzędów: stan, wstrzymywanie i wznawianie.")


@offices.command("list")
def offices_list(config: Folder, json_: AsJson = False) -> None:
    """Pokaż stan systemów urzędów i to, co wstrzymano."""
    from gateway import operations
    from gateway.clock import shown

    with opened_store(config) as store:
        views, paused = operations.offices(store), operations.pauses(store)
    if json_:
        show_json({"offices": [view.to_json() for view in views], "pauses": [asdict(item) for item in paused]})
        return
    table = plain_table(
        ("Gmina", "Gmina"), ("Łącze", "Connector"), ("Przekazano", "Delivered"), ("W toku", "Under way"),
        ("Dla człowieka", "For a person"), ("Kłopot", "Trouble"),
    )  # fmt: skip
    for view in views:
        rest = say("nie próbujemy do", "left alone until")
        trouble = f"{view.last_code} ({rest} {shown(view.open_until)})" if view.open_until else ""
        counts = (str(count) for count in (view.delivered, view.under_way, view.for_a_person))
        table.add_row(view.tenant, view.connector, *counts, trouble)
    out.print(table if views else say("Nic jeszcze nie przekazywano.", "Nothing was handed over yet."))
    for item in paused:
        what = ", ".join(value for value in (item.tenant, item.connector, item.form) if value)
        head = say(f"Wstrzymanie nr {item.id}: {what}", f"Paused no. {item.id}: {what}")
        out.print(Text(f"{head} — {item.actor}: {item.reason}", "yellow"))


@offices.command("pause")
def offices_pause(
    config: Folder,
    reason: Reason,
    actor: Actor,
    tenant: Tenant = None,
    connector: Connector = None,
    form: Form = None,
    json_: AsJson = False,
) -> None:
    """Wstrzymaj przekazania gminy, łącza albo wzoru; to, co w toku, skończy się normalnie."""
    from gateway import config as settings
    from gateway import operations

    operations.known_office(settings.load(config), tenant, connector)
    with opened_store(config) as store:
        made = operations.pause(
            store, actor=actor, reason=reason, tenant=tenant, connector=connector, form=form_namespace(form)
        )
    if json_:
        show_json(asdict(made))
    else:
        out.print(say(f"Wstrzymano, nr {made.id}.", f"Paused, no. {made.id}."))


@offices.command("resume")
def offices_resume(
    config: Folder,
    number: Annotated[int, typer.Argument(help="Numer wstrzymania z „offices list”.", metavar="NR")],
    reason: Reason,
    actor: Actor,
    json_: AsJson = False,
) -> None:
    """Wznów to, co wstrzymano."""
    from gateway import operations

    with opened_store(config) as store:
        freed = operations.resume(store, number, actor=actor, reason=reason)
    if json_:
        show_json({"resumed": number, "deliveries": freed})
    else:
        out.print(say(f"Wznowiono; przekazań do wykonania: {freed}.", f"Resumed; deliveries that go on: {freed}."))
