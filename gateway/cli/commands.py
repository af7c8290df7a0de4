"""All commands of `brama`, put together. A command stands here only once it works."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from gateway.cli import (
    answers,
    api_keys,
    channels,
    demo,
    documents,
    files,
    forms,
    importing,
    letters,
    mailboxes,
    measure,
    migrate,
    offices,
    operate,
    opinions,
    rulings,
    service,
    trust,
)

app = typer.Typer(
    name="brama",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Brama między ePUAP a systemami gminy. Kody wyjścia: 0 dobrze, 1 odpowiedź brzmi „nie”, "
    "2 niepoprawne użycie lub konfiguracja, 3 potrzebna usługa jest niedostępna.",
)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            shown = version("brama")
        except PackageNotFoundError:
            shown = "(niezainstalowana)"
        typer.echo(f"brama {shown}")
        raise typer.Exit


@app.callback()
def options(
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Pokaż wersję i zakończ.")
    ] = False,
) -> None:
    """Opcje wspólne."""


app.command("demo")(demo.demo)
app.command("serve")(service.serve)
app.command("work")(service.work)
app.command("pull")(channels.pull)
app.command("check")(service.check)
app.command("migrate")(migrate.migrate)
app.command("verify")(documents.verify)
app.command("validate")(documents.validate)
app.command("map")(documents.map_)
app.command("show")(forms.show)
app.command("case-schema")(documents.case_schema)
app.command("bench")(measure.bench)
app.command("faults")(measure.faults)
app.command("replay")(operate.replay)
app.command("import")(importing.import_)
rulings.add_to(operate.submissions)
app.add_typer(operate.submissions, name="submissions")
app.add_typer(operate.deliveries, name="deliveries")
letters.add_to(answers.answers)
app.add_typer(answers.answers, name="answers")
app.add_typer(offices.offices, name="offices")
app.add_typer(files.files, name="files")
app.add_typer(mailboxes.mailboxes, name="mailboxes")
app.add_typer(opinions.opinions, name="opinions")
app.add_typer(trust.trust, name="trust")
app.add_typer(api_keys.api_key, name="api-key")
app.add_typer(documents.receipt, name="receipt")
app.add_typer(forms.forms, name="forms")
app.add_typer(service.connector, name="connector")
app.add_typer(channels.simulate, name="simulate")
