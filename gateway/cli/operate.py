"""Commands of an operator: look at submissions and deliveries, replay, settle, set aside, release, close."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.acting import act
from gateway.cli.chosen import (
    Actor,
    Code,
    Connector,
    Cursor,
    DeliveryStateOption,
    Form,
    Id,
    Limit,
    Reason,
    Since,
    SubmissionStateOption,
    Tenant,
    chosen,
    delivery_id,
    form_namespace,
    opened_store,
    opened_tools,
    plain_table,
    show_page,
    submission_id,
)
from gateway.cli.documents import AsJson
from gateway.cli.output import Exit, err, language, leave, out, read_moment, say, show_json, shown_state
from gateway.cli.service import Folder
from gateway.cli.shown import show_delivery, show_submission, show_versions, told
from schemas.effectiveness import Effect
from schemas.submission import Decision
from schemas.texts import text

submissions = typer.Typer(no_args_is_help=True, help="Zgłoszenia: dokumenty przysłane do gmin.")
deliveries = typer.Typer(no_args_is_help=True, help="Przekazania do systemów urzędów.")


@submissions.command("list")
def submissions_list(
    config: Folder,
    tenant: Tenant = None,
    state: SubmissionStateOption = None,
    decision: Annotated[Decision | None, typer.Option("--decision", help="Co postanowiono po sprawdzeniu.")] = None,
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
        tenant=tenant, state=chosen(state), decision=chosen(decision), form=form_namespace(form),
        since=read_moment(since, "--since"), code=code, effect=chosen(effect), limit=limit, cursor=cursor,
    )  # fmt: skip
    with opened_store(config) as store:
        page = operations.submissions(store, wanted)
    if json_:
        show_json(page.to_json())
        return
    table = plain_table(
        ("ID", "ID"), ("Przyjęto", "Received"), ("Gmina", "Gmina"), ("Decyzja", "Decision"), ("Stan", "State")
    )
    for item in page.items:
        stands = (shown_state(chosen(item.decision)), shown_state(item.state.value))
        table.add_row(str(item.id)[:13], shown(item.received_at), item.tenant or "—", *stands)
    show_page(table, page)


@submissions.command("show")
def submissions_show(config: Folder, submission: Id, json_: AsJson = False) -> None:
    """Pokaż wszystko o jednym zgłoszeniu: ustalenia, UPO, przekazania, oś czasu."""
    from gateway import operations

    with opened_store(config) as store:
        view = operations.submission(store, submission_id(store, submission))
    if json_:
        show_json(view.to_json())
    else:
        show_submission(view)


@submissions.command("receipt")
def submissions_receipt(
    config: Folder,
    submission: Id,
    file: Annotated[Path, typer.Option("--out", dir_okay=False, help="Dokąd zapisać UPO.", metavar="PLIK")],
    json_: AsJson = False,
) -> None:
    """Zapisz UPO zgłoszenia do pliku."""
    from gateway import operations

    with opened_store(config) as store:
        found = operations.receipt_of(store, submission_id(store, submission))
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

    with opened_store(config) as store:
        view = operations.report_of(store, submission_id(store, submission))
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
    """Zwolnij zgłoszenie, które czeka na pracownika: idzie dalej, do systemu urzędu."""
    from gateway import operations

    act(operations.release, config, "submission", submission, actor, reason, json_)


@submissions.command("close")
def submissions_close(config: Folder, submission: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Zamknij zgłoszenie, które czeka na pracownika; zostaje zachowane i widoczne."""
    from gateway import operations

    act(operations.close, config, "submission", submission, actor, reason, json_)


@deliveries.command("list")
def deliveries_list(
    config: Folder,
    tenant: Tenant = None,
    connector: Connector = None,
    state: DeliveryStateOption = None,
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
        tenant=tenant, connector=connector, state=chosen(state), form=form_namespace(form),
        since=read_moment(since, "--since"), code=code, limit=limit, cursor=cursor,
    )  # fmt: skip
    with opened_store(config) as store:
        page = operations.deliveries(store, wanted)
    if json_:
        show_json(page.to_json())
        return
    table = plain_table(
        ("ID", "ID"), ("Gmina", "Gmina"), ("Łącze", "Connector"), ("Stan", "State"), ("Zmiana", "Changed"),
        ("Powód", "Reason"),
    )  # fmt: skip
    for item in page.items:
        waits = say(f"czeka na {str(item.waits_for)[:13]}", f"waits for {str(item.waits_for)[:13]}")
        why = waits if item.waits_for else item.last_code or ""
        stands = shown_state(item.state.value)
        table.add_row(str(item.id)[:13], item.tenant, item.connector, stands, shown(item.updated_at), why)
    show_page(table, page)


@deliveries.command("show")
def deliveries_show(config: Folder, delivery: Id, json_: AsJson = False) -> None:
    """Pokaż jedno przekazanie ze wszystkimi próbami."""
    from gateway import operations

    with opened_store(config) as store:
        view = operations.delivery(store, delivery_id(store, delivery))
    if json_:
        show_json(view.to_json())
    else:
        show_delivery(view)


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
    with opened_store(config) as store:
        one = delivery_id(store, delivery)
        told(operations.settle(store, one, verdict, actor=actor, reason=reason, reference=reference), json_)


@deliveries.command("look-up")
def deliveries_look_up(config: Folder, delivery: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Zapytaj urząd, czy ma przekazaną sprawę; jeśli nie, przekaż ją ponownie."""
    from gateway import operations

    with opened_tools(config) as tools:
        one = delivery_id(tools.store, delivery)
        reference = operations.look_up(tools, one, actor=actor, reason=reason)
    if json_:
        show_json({"id": str(one), "found": reference is not None, "reference": reference})
    elif reference is not None:
        out.print(say(f"Urząd ma tę sprawę: {reference}", f"The office has the case: {reference}"))
    else:
        out.print(
            say("Urząd jej nie ma; zostanie przekazana ponownie.", "The office has it not; it will be sent again.")
        )


@deliveries.command("set-aside")
def deliveries_set_aside(config: Folder, delivery: Id, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Odłóż przekazanie na bok; nikt go już nie przekaże, a następne mogą iść dalej."""
    from gateway import operations

    act(operations.set_aside, config, "delivery", delivery, actor, reason, json_)


@submissions.command("edit")
def submissions_edit(
    config: Folder,
    submission: Id,
    reason: Reason,
    actor: Actor,
    changes: Annotated[
        list[str],
        typer.Option(
            "--set", help="Poprawka, np. taxpayer.surname=Nowak; pusta wartość usuwa pole.", metavar="POLE=WARTOŚĆ"
        ),
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
    with opened_store(config) as store:
        one = submission_id(store, submission)
        done = operations.edit(store, one, read, actor=actor, reason=reason, resend=resend)
        if not json_:
            show_versions(operations.submission(store, one).cases[-1:])
        _told_replay(done, json_)


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
    from gateway import operations

    with opened_tools(config) as tools:
        one = submission_id(tools.store, submission)
        _told_replay(operations.map_again(tools, one, actor=actor, reason=reason, resend=resend), json_)


def replay(
    config: Folder,
    reason: Reason,
    actor: Actor,
    ids: Annotated[list[str] | None, typer.Argument(help="Przekazania; bez nich działa filtr.", metavar="ID")] = None,
    tenant: Tenant = None,
    connector: Connector = None,
    state: DeliveryStateOption = None,
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

    with opened_store(config) as store:
        wanted: Any = [delivery_id(store, one) for one in ids] if ids else operations.DeliveryFilter(
            tenant=tenant, connector=connector, state=chosen(state), form=form_namespace(form),
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
    said = typer.prompt(f"{question} {say('[t/N]', '[y/N]')}", default="", show_default=False, err=True)
    return str(said).strip().lower() in ("t", "tak", "y", "yes")


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
