"""What commands about stored work share: the options that choose it, the open store, ids and tables."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from gateway.cli.output import out, say
from schemas.delivery import DeliveryState
from schemas.files import FileState
from schemas.outgoing import MessageState
from schemas.submission import SubmissionState

if TYPE_CHECKING:
    from gateway.operations.find import Kind

Id = Annotated[str, typer.Argument(help="Identyfikator (albo jego początek, co najmniej 8 znaków).", metavar="ID")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Kod TERYT gminy.", metavar="TERYT")]
SubmissionStateOption = Annotated[SubmissionState | None, typer.Option("--state", help="Stan zgłoszenia.")]
DeliveryStateOption = Annotated[DeliveryState | None, typer.Option("--state", help="Stan przekazania.")]
FileStateOption = Annotated[FileState | None, typer.Option("--state", help="Stan pliku.")]
MessageStateOption = Annotated[MessageState | None, typer.Option("--state", help="Stan pisma.")]
Form = Annotated[str | None, typer.Option("--form", help="Wzór, np. 2020/01/07/8990.", metavar="WZÓR")]
Since = Annotated[str | None, typer.Option("--since", help="Od kiedy, ISO 8601, np. 2026-02-03.", metavar="CZAS")]
Code = Annotated[str | None, typer.Option("--code", help="Początek kodu przyczyny.", metavar="KOD")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Ile najwyżej.")]
Cursor = Annotated[
    int | None, typer.Option("--cursor", help="Dalszy ciąg listy; liczbę podaje jej koniec (next_cursor).")
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        envvar="BRAMA_ACTOR",
        help="Kto to robi; zostaje zapisane.",
        metavar="OSOBA",
        default_factory=getpass.getuser,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Dlaczego; zostaje zapisane.", metavar="POWÓD")]
Connector = Annotated[str | None, typer.Option("--connector", help="Nazwa łącza.", metavar="ŁĄCZE")]


def chosen(value: StrEnum | None) -> str | None:
    """What an option with fixed words was given, as filters take it."""
    return value.value if value else None


@contextmanager
def opened_store(folder: Path) -> Iterator[Any]:
    """The store of a configuration folder, at our schema."""
    from gateway import config as settings
    from gateway.app import open_store
    from gateway.store.schema import check_schema

    log_errors()
    with open_store(settings.load(folder)) as store:
        check_schema(store.engine)
        yield store


@contextmanager
def opened_tools(folder: Path) -> Iterator[Any]:
    """Everything the steps work with, for operations that begin something."""
    from gateway import config as settings
    from gateway.app import open_tools

    log_errors()
    with open_tools(settings.load(folder)) as tools:
        yield tools


def log_errors() -> None:
    """Only errors are logged beside a command's answer, unless BRAMA_LOG_LEVEL says otherwise."""
    from gateway import log

    log.configure(os.environ.get("BRAMA_LOG_LEVEL", "ERROR"))


def submission_id(store: Any, given: str) -> UUID:
    """See `meant`."""
    return meant(store, "submission", given)


def delivery_id(store: Any, given: str) -> UUID:
    """See `meant`."""
    return meant(store, "delivery", given)


def meant(store: Any, kind: Kind, given: str) -> UUID:
    """A whole id, or the one thing whose id begins so."""
    from gateway import operations

    try:
        return UUID(given)
    except ValueError:
        return operations.by_prefix(store, kind, given)


def form_namespace(form: str | None) -> str | None:
    """`2020/01/07/8990` is short for its namespace."""
    from schemas.ids import FormId

    return FormId.crd(form).namespace if form and form[:4].isdigit() else form


def plain_table(*columns: tuple[str, str]) -> Table:
    """Columns by their Polish and English name; long values are folded, never cut, and ids stay in one piece."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in columns:
        table.add_column(say(pl, en), overflow="fold", no_wrap=en == "ID")
    return table


def show_page(table: Table, page: Any) -> None:
    """A page of a list, and how to get the next one."""
    if not page.items:
        out.print(say("Nic nie pasuje.", "Nothing matches."))
        return
    out.print(table)
    if page.next_cursor is not None:
        out.print(say(f"Dalsze: --cursor {page.next_cursor}", f"More: --cursor {page.next_cursor}"))
