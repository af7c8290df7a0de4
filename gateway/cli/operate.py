"""Commands of an operator: look at submissions and deliveries, replay, settle, set aside, release, close."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson
from gateway.cli.mail import rulings_shown, show_mail, show_questions
from gateway.cli.output import Exit, err, language, leave, out, read_moment, say, show_json
from gateway.cli.service import Folder
from schemas.effectiveness import Effect
from schemas.texts import text

submissions = typer.Typer(no_args_is_help=True, help="Zgłoszenia: dokumenty przysłane do gmin.")
deliveries = typer.Typer(no_args_is_help=True, help="Przekazania do systemów urzędów.")

Id = Annotated[str, typer.Argument(help="Identyfikator (albo jego początek, co najmniej 8 znaków).", metavar="ID")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Kod TERYT gminy.", metavar="TERYT")]
State = Annotated[str | None, typer.Option("--state", help="Stan.", metavar="STAN")]
Form = Annotated[str | None, typer.Option("--form", help="Wzór, np. 2020/01/07/8990.", metavar="WZÓR")]
Since = Annotated[str | None, typer.Option("--since", help="Od kiedy, ISO 8601.", metavar="CZAS")]
Code = Annotated[str | None, typer.Option("--code", help="Początek kodu przyczyny.", metavar="KOD")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Ile najwyżej.")]
Cursor = Annotated[int | None, typer.Option("--cursor", help="Od której strony (next_cursor).")]
Actor = Annotated[
    str,
    typer.Option(
        "--actor", envvar="BRAMA_ACTOR", help="Kto to robi.", metavar="OSOBA", default_factory=getpass.getuser
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Dlaczego; zostaje zapisane.", metavar="POWÓD")]
Connector = Annotated[str | None, typer.Option("--connector", help="Nazwa łącza.", metavar="ŁĄCZE")]


@submissions.command("list")
def submissions_list(
    config: Folder,
    tenant: Tenant = None,
    state: State = None,
    decision: Annotated[
        str | None, typer.Option("--decision", help="accepted, quarantined, rejected, test", metavar="DECYZJA")
    ] = None,
    form: Form = None,
    since: Since = None,
    code: Code = None,
    effect: Annotated[
        Effect | None, typer.Option("--effect", help="Skuteczność wniesienia; clerk_decides czeka na rozstrzygnięcie.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    json_: AsJson = False,
) -> None:
    """Pokaż zgłoszenia, najnowsze najpierw."""
    from gateway import operations
    from gateway.clock import shown

    wanted = operations.SubmissionFilter(
        tenant=tenant, state=state, decision=decision, form=_form(form), since=read_moment(since, "--since"),
        code=code, effect=effect.value if effect else None, limit=limit, cursor=cursor,
    )  # fmt: skip
    with _store(config) as store:
        page = operations.submissions(store, wanted)
    if json_:
        show_json(page.to_json())
        return
    table = _table(
        ("ID", "ID"), ("Przyjęto", "Received"), ("Gmina", "Gmina"), ("Decyzja", "Decision"), ("Stan", "State")
    )
    for item in page.items:
        decided = item.decision.value if item.decision else "—"
        table.add_row(str(item.id)[:13], shown(item.received_at), item.tenant or "—", decided, item.state.value)
    _page(table, page)


@submissions.command("show")
def submissions_show(config: Folder, submission: Id, json_: AsJson = False) -> None:
    """Pokaż wszystko o jednym zgłoszeniu: ustalenia, UPO, przekazania, oś czasu."""
    from gateway import operations

    with _store(config) as store:
        view = operations.submission(store, _submission_id(store, submission))
    if json_:
        show_json(view.to_json())
    else:
        _show_submission(view)


@submissions.command("receipt")
def submissions_receipt(
    config: Folder,
    submission: Id,
    file: Annotated[Path, typer.Option("--out", dir_okay=False, help="Dokąd zapisać UPO.", metavar="PLIK")],
    json_: AsJson = False,
) -> None:
    """Zapisz UPO zgłoszenia do pliku."""
    from gateway import operations

    with _store(config) as store:
        found = operations.receipt_of(store, _submission_id(store, submission))
    file.write_bytes(found.xml)
    if json_:
        show_json({"file": str(file), "receipt": found.identifier, "kind": found.kind})
    else:
        out.print(say(f"Zapisano {found.kind} {found.identifier}: {file}", f"Wrote {found.identifier}: {file}"))


@submissions.command("report")
def submissions_report(
    config: Folder,
    submission: Id,
    file: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="Dokąd zapisać stronę HTML.")] = None,
    json_: AsJson = False,
) -> None:
    """Raport z weryfikacji podpisów: co, względem czego i kiedy sprawdzono; oceniony ponownie z zachowanych dowodów."""
    from gateway import operations

    with _store(config) as store:
        view = operations.report_of(store, _submission_id(store, submission))
    if file is not None:
        file.write_text(view.page, "utf-8")
    if json_:
        show_json(view.to_json())
    else:
        same = all(view.confirmed)
        again = (
            say("ponowna ocena zgodna", "judged again: the same") if same else say("ponowna ocena INNA", "NOT the same")
        )
        out.print(f"{view.submission}: {again}" + (f"  {file}" if file else ""), markup=False)
    leave(Exit.FINE if all(view.confirmed) else Exit.NO)


@submissions.command("release")
def submissions_release(config: Folder, submission: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Puść dalej zgłoszenie, które czeka na pracownika."""
    _act("release", config, submission, actor, reason, json_)


@submissions.command("close")
def submissions_close(config: Folder, submission: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Zamknij zgłoszenie, które czeka na pracownika; zostaje zachowane i widoczne."""
    _act("close", config, submission, actor, reason, json_)


@deliveries.command("list")
def deliveries_list(
    config: Folder,
    tenant: Tenant = None,
    connector: Connector = None,
    state: State = None,
    form: Form = None,
    since: Since = None,
    code: Code = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    json_: AsJson = False,
) -> None:
    """Pokaż przekazania, najnowsze najpierw."""
    from gateway import operations
    from gateway.clock import shown

    wanted = operations.DeliveryFilter(
        tenant=tenant, connector=connector, state=state, form=_form(form), since=read_moment(since, "--since"),
        code=code, limit=limit, cursor=cursor,
    )  # fmt: skip
    with _store(config) as store:
        page = operations.deliveries(store, wanted)
    if json_:
        show_json(page.to_json())
        return
    table = _table(("ID", "ID"), ("Gmina", "Gmina"), ("Łącze", "Connector"), ("Stan", "State"), ("Zmiana", "Changed"),
                   ("Powód", "Reason"))  # fmt: skip
    for item in page.items:
        waits = say(f"czeka na {str(item.waits_for)[:13]}", f"waits for {str(item.waits_for)[:13]}")
        why = waits if item.waits_for else item.last_code or ""
        table.add_row(str(item.id)[:13], item.tenant, item.connector, item.state.value, shown(item.updated_at), why)
    _page(table, page)


@deliveries.command("show")
def deliveries_show(config: Folder, delivery: Id, json_: AsJson = False) -> None:
    """Pokaż jedno przekazanie ze wszystkimi próbami."""
    from gateway import operations

    with _store(config) as store:
        view = operations.delivery(store, _delivery_id(store, delivery))
    if json_:
        show_json(view.to_json())
    else:
        _show_delivery(view)


@deliveries.command("settle")
def deliveries_settle(
    config: Folder,
    delivery: Id,
    reason: Reason,
    actor: Actor,
    delivered: Annotated[
        bool, typer.Option("--delivered/--not-delivered", help="Czy urząd ma tę sprawę?", show_default=False)
    ],
    reference: Annotated[str | None, typer.Option("--reference", help="Numer w systemie urzędu.")] = None,
    json_: AsJson = False,
) -> None:
    """Rozstrzygnij przekazanie, o którym nie wiadomo, czy dotarło."""
    from gateway import operations

    verdict: Any = "delivered" if delivered else "not_delivered"
    with _store(config) as store:
        one = _delivery_id(store, delivery)
        _told(operations.settle(store, one, verdict, actor=actor, reason=reason, reference=reference), json_)


@deliveries.command("set-aside")
def deliveries_set_aside(config: Folder, delivery: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Odłóż przekazanie na bok; nikt go już nie przekaże, a następne mogą iść dalej."""
    _act("set_aside", config, delivery, actor, reason, json_)


@submissions.command("edit")
def submissions_edit(
    config: Folder,
    submission: Id,
    reason: Reason,
    actor: Actor,
    changes: Annotated[
        list[str],
        typer.Option("--set", help="Poprawka, np. taxpayer.surname=Nowak; puste usuwa.", metavar="POLE=WARTOŚĆ"),
    ],
    resend: Annotated[bool, typer.Option("--resend/--no-resend", help="Od razu ponów przekazania.")] = True,
    json_: AsJson = False,
) -> None:
    """Popraw odczytane wartości sprawy i wyślij ponownie; dokument obywatela pozostaje nietknięty."""
    from gateway import operations

    read: dict[str, str | None] = {}
    for change in changes:
        path, separator, value = change.partition("=")
        if not separator or not path:
            raise typer.BadParameter(say("oczekiwano POLE=WARTOŚĆ", "expected FIELD=VALUE"), param_hint="--set")
        read[path] = value or None
    with _store(config) as store:
        one = _submission_id(store, submission)
        _told_replay(operations.edit(store, one, read, actor=actor, reason=reason, resend=resend), json_)


@submissions.command("map-again")
def submissions_map_again(
    config: Folder,
    submission: Id,
    reason: Reason,
    actor: Actor,
    resend: Annotated[bool, typer.Option("--resend/--no-resend", help="Od razu ponów przekazania.")] = True,
    json_: AsJson = False,
) -> None:
    """Odczytaj zachowany dokument na nowo, według dzisiejszych odwzorowań."""
    from gateway import config as settings
    from gateway import log, operations
    from gateway.app import open_tools

    log.configure(os.environ.get("BRAMA_LOG_LEVEL", "ERROR"))
    with open_tools(settings.load(config)) as tools:
        one = _submission_id(tools.store, submission)
        _told_replay(operations.map_again(tools, one, actor=actor, reason=reason, resend=resend), json_)


offices = typer.Typer(no_args_is_help=True, help="Systemy urzędów: stan, wstrzymywanie i wznawianie.")


@offices.command("list")
def offices_list(config: Folder, json_: AsJson = False) -> None:
    """Pokaż, jak się mają systemy urzędów i co jest wstrzymane."""
    from gateway import operations
    from gateway.clock import shown

    with _store(config) as store:
        views, paused = operations.offices(store), operations.pauses(store)
    if json_:
        show_json({"offices": [view.to_json() for view in views], "pauses": [asdict(item) for item in paused]})
        return
    table = _table(("Gmina", "Gmina"), ("Łącze", "Connector"), ("Przekazano", "Delivered"), ("W toku", "Under way"),
                   ("Dla człowieka", "For a person"), ("Kłopot", "Trouble"))  # fmt: skip
    for view in views:
        rest = say("nie próbujemy do", "left alone until")
        trouble = f"{view.last_code} ({rest} {shown(view.open_until)})" if view.open_until else ""
        counts = (str(count) for count in (view.delivered, view.under_way, view.for_a_person))
        table.add_row(view.tenant, view.connector, *counts, trouble)
    out.print(table if views else say("Nic jeszcze nie przekazywano.", "Nothing was handed over yet."))
    for item in paused:
        what = ", ".join(value for value in (item.tenant, item.connector, item.form) if value)
        head = say(f"Wstrzymano nr {item.id}: {what}", f"Paused no. {item.id}: {what}")
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
    from gateway import operations

    with _store(config) as store:
        made = operations.pause(store, actor=actor, reason=reason, tenant=tenant, connector=connector, form=_form(form))
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

    with _store(config) as store:
        freed = operations.resume(store, number, actor=actor, reason=reason)
    if json_:
        show_json({"resumed": number, "deliveries": freed})
    else:
        out.print(say(f"Wznowiono; przekazań do wykonania: {freed}.", f"Resumed; deliveries that go on: {freed}."))


def replay(
    config: Folder,
    reason: Reason,
    actor: Actor,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Przekazania; bez nich działa filtr.", metavar="ID...")
    ] = None,
    tenant: Tenant = None,
    connector: Connector = None,
    state: State = None,
    form: Form = None,
    since: Since = None,
    code: Code = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tylko policz.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Nie pytaj.")] = False,
    json_: AsJson = False,
) -> None:
    """Ponów przekazania: podane albo wszystkie pasujące do filtra (domyślnie te, które czekają na człowieka).

    Najpierw pokazuje, ile ich jest, i pyta. Klucz zostaje ten sam, dawne próby zostają, a urząd jest najpierw pytany,
    czy sprawy już nie ma.
    """
    from gateway import operations

    with _store(config) as store:
        wanted: Any = [_delivery_id(store, one) for one in ids] if ids else operations.DeliveryFilter(
            tenant=tenant, connector=connector, state=state, form=_form(form),
            since=read_moment(since, "--since"), code=code,
        )  # fmt: skip
        counted = operations.replay(store, wanted, actor=actor, reason=reason, dry_run=True)
        if dry_run or not counted.replayed:
            _told_replay(counted, json_)
            return
        if not (yes or _agreed(len(counted.replayed), json_)):
            leave(Exit.NO)
        with Progress(console=err, transient=True, disable=json_ or not err.is_terminal) as bar:
            task = bar.add_task(say("Ponawianie", "Replaying"), total=counted.matched)
            done = operations.replay(
                store, wanted, actor=actor, reason=reason,
                progress=lambda count, total: bar.update(task, completed=count, total=total),
            )  # fmt: skip
    _told_replay(done, json_)


def _agreed(count: int, json_: bool) -> bool:
    question = say(f"Ponowić przekazania: {count}?", f"Replay {count} deliveries?")
    if json_ or not sys.stdin.isatty():
        err.print(question, say("Podaj --yes, aby potwierdzić.", "Give --yes to confirm."))
        return False
    return typer.confirm(question, err=True)


def _told_replay(result: Any, json_: bool) -> None:
    if json_:
        show_json(result.to_json())
    else:
        verb = say("Do ponowienia", "To replay") if result.dry_run else say("Ponowiono", "Replayed")
        out.print(f"{verb}: {len(result.replayed)} {say('z', 'of')} {result.matched}")
        for refusal in result.refused:
            out.print(f"  {refusal.id}: {text(refusal.code, language(), id=refusal.id)}", markup=False)
    if result.refused and not result.replayed:
        leave(Exit.NO)


def _act(what: str, config: Path, one: str, actor: str, reason: str, json_: bool) -> None:
    from gateway import operations

    find = _delivery_id if what == "set_aside" else _submission_id
    with _store(config) as store:
        _told(getattr(operations, what)(store, find(store, one), actor=actor, reason=reason), json_)


def _told(result: Any, json_: bool) -> None:
    if json_:
        show_json(result.to_json())
    else:
        out.print(f"{result.id}: {result.state}")


@contextmanager
def _store(folder: Path) -> Iterator[Any]:
    from gateway import config as settings
    from gateway import log
    from gateway.app import open_store
    from gateway.store.schema import check_schema

    log.configure(os.environ.get("BRAMA_LOG_LEVEL", "ERROR"))
    with open_store(settings.load(folder)) as store:
        check_schema(store.engine)
        yield store


def _submission_id(store: Any, given: str) -> UUID:
    return _id(store, given, "submission")


def _delivery_id(store: Any, given: str) -> UUID:
    return _id(store, given, "delivery")


def _id(store: Any, given: str, kind: Literal["submission", "delivery"]) -> UUID:
    """A whole id, or the one thing whose id begins so."""
    from gateway import operations

    try:
        return UUID(given)
    except ValueError:
        return operations.by_prefix(store, kind, given)


def _form(form: str | None) -> str | None:
    from schemas.ids import FormId

    return FormId.crd(form).namespace if form and form[:4].isdigit() else form


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in columns:
        table.add_column(say(pl, en), overflow="fold")
    return table


def _page(table: Table, page: Any) -> None:
    if not page.items:
        out.print(say("Nic nie pasuje.", "Nothing matches."))
        return
    out.print(table)
    if page.next_cursor is not None:
        out.print(say(f"Dalsze: --cursor {page.next_cursor}", f"More: --cursor {page.next_cursor}"))


def _show_submission(view: Any) -> None:
    from gateway.cli.files import show_file
    from gateway.clock import shown

    one = view.submission
    out.print(Text(f"{one.id}", "bold"))
    rows = (
        (say("Gmina", "Gmina"), one.tenant or "—"),
        (say("Skrytka", "Mailbox"), one.mailbox),
        (say("Plik", "File"), f"{one.file_name} ({one.size_bytes} B, SHA-256 {one.sha256[:16]}…)"),
        (say("Przyjęto", "Received"), shown(one.received_at)),
        (say("Decyzja", "Decision"), text(one.reason, language()) if one.reason else "—"),
        (say("Stan", "State"), one.state.value),
        ("UPO", ", ".join(item.identifier for item in view.receipts) or "—"),
        (say("Skuteczność", "Effectively lodged"), rulings_shown(view)),
    )
    for name, value in rows:
        out.print(Text(f"  {name}: ", "cyan") + Text(str(value), ""))
    for finding in (view.validation or {}).get("findings", []):
        message = finding["message_pl" if language() == "pl" else "message_en"]
        out.print(f"  [{finding['code']}] {message} ({say('wiersz', 'line')} {finding['line']})", markup=False)
    for file in view.files:
        show_file(file)
    for item in view.deliveries:
        _show_delivery(item)
    show_mail(view)
    show_questions(view)
    out.print(Text(say("Oś czasu", "Timeline"), "bold"))
    for event in view.events:
        facts = ", ".join(f"{name}={value}" for name, value in event.facts.items() if value is not None)
        out.print(f"  {shown(event.at)}  {event.word}  {event.actor or ''}  {facts}", markup=False)
    if view.chain_broken_at is not None:
        out.print(Text(say("UWAGA: łańcuch zdarzeń jest przerwany!", "WARNING: the event chain is broken!"), "red"))


def _show_delivery(view: Any) -> None:
    from gateway.clock import shown

    one = view.delivery
    why = text(one.last_code, language()) if one.last_code else ""
    out.print(
        Text(f"  → {one.connector}: {one.state.value}", "bold") + Text(f"  {one.reference or ''}  {one.id}", "dim")
    )
    if why:
        out.print(f"    {why} [{one.last_code}] {one.last_text or ''}", markup=False)
    for attempt in view.attempts:
        outcome = attempt.outcome or say("bez wyniku", "no outcome")
        took = f"{attempt.took_ms} ms" if attempt.took_ms is not None else ""
        number = f"{attempt.round}.{attempt.number}"
        out.print(f"    {shown(attempt.started_at)}  {number}  {outcome}  {attempt.code or ''}  {took}", markup=False)
