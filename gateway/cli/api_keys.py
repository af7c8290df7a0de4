"""`brama api-key`: make, list and revoke keys of the REST interface."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.output import out, say, show_json
from gateway.cli.service import Folder
from schemas.api import ApiKey, Scope

api_key = typer.Typer(no_args_is_help=True, help="Klucze do API dla systemów urzędu.")

Actor = Annotated[str, typer.Option("--actor", help="Kto to robi; zostaje zapisane.")]


@api_key.command("new")
def new(
    config: Folder,
    tenant: Annotated[str, typer.Option("--tenant", help="Kod TERYT gminy, dla której jest klucz.")],
    label: Annotated[str, typer.Option("--label", help="Do czego służy, na przykład nazwa programu.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="Uprawnienie; można podać kilka. Domyślnie read i acknowledge."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Po ilu dniach wygasa; domyślnie nigdy.")] = None,
    actor: Actor = "",
    json_: AsJson = False,
) -> None:
    """Utwórz klucz; zostanie pokazany tylko ten jeden raz."""
    from gateway import app
    from gateway import config as settings
    from gateway.operations import api_keys

    loaded = settings.load(config)
    with app.open_tools(loaded) as tools:
        made = api_keys.new_key(
            tools.store,
            loaded,
            tenant=tenant,
            scopes=tuple(scope or (Scope.READ, Scope.ACKNOWLEDGE)),
            label=label,
            actor=actor or getpass.getuser(),
            expires_after=timedelta(days=days) if days else None,
        )
    if json_:
        show_json({**made.to_json(), "served": loaded.gateway.api.enabled})
        return
    out.print(Text(made.secret, "bold"))
    out.print(say("Zapisz go teraz: nie da się go pokazać drugi raz.", "Save it now: it cannot be shown again."))
    if not loaded.gateway.api.enabled:
        out.print(
            Text(say("Uwaga: API jest wyłączone ([api] enabled).", "Note: the API is off ([api] enabled)."), "yellow")
        )


@api_key.command("list")
def list_(
    config: Folder,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Tylko klucze tej gminy (TERYT).")] = None,
    json_: AsJson = False,
) -> None:
    """Pokaż spis kluczy, także unieważnionych; samych kluczy już nie da się odczytać."""
    from gateway import app
    from gateway import config as settings
    from gateway.operations import api_keys
    from gateway.operations.plain import plain

    with app.open_tools(settings.load(config)) as tools:
        found = api_keys.keys(tools.store, tenant)
    if json_:
        show_json([plain(key) for key in found])
        return
    table = Table(say("Klucz", "Key"), "TERYT", say("Do czego", "Label"), say("Może", "May"), say("Stan", "State"))
    for key in found:
        table.add_row(key.id, key.tenant, key.label, ", ".join(key.scopes), _state(key))
    out.print(table)


@api_key.command("revoke")
def revoke(
    config: Folder,
    key: Annotated[str, typer.Argument(help="Identyfikator klucza z listy (nie sam klucz).", metavar="KLUCZ")],
    actor: Actor = "",
    json_: AsJson = False,
) -> None:
    """Unieważnij klucz; przestaje działać od następnego żądania."""
    from gateway import app
    from gateway import config as settings
    from gateway.operations import api_keys
    from gateway.operations.plain import plain

    with app.open_tools(settings.load(config)) as tools:
        revoked = api_keys.revoke_key(tools.store, key, actor=actor or getpass.getuser())
    if json_:
        show_json(plain(revoked))
    else:
        out.print(f"{revoked.id}: {_state(revoked)}", markup=False)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return say("unieważniony", "revoked")
    if key.expires_at is not None:
        return say("do", "until") + f" {key.expires_at:%Y-%m-%d %H:%M} UTC"
    return say("ważny", "valid")
