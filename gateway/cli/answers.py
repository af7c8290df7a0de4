"""`brama answers`: letters to citizens that wait for a person, and messages nobody knows the fate of."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.answers.plan import Step
from gateway.cli.acting import act
from gateway.cli.chosen import Actor, Limit, Reason, Tenant, chosen, meant, opened_store, plain_table
from gateway.cli.documents import AsJson
from gateway.cli.output import language, out, say, show_json, shown_letter, shown_state
from gateway.cli.service import Folder
from gateway.cli.shown import told
from schemas.texts import text

if TYPE_CHECKING:
    pass

answers = typer.Typer(no_args_is_help=True, help="Odpowiedzi do mieszkańców: przejrzyj, zatwierdź, rozstrzygnij.")

Answer = Annotated[str, typer.Argument(help="Identyfikator odpowiedzi (albo jego początek).", metavar="ID")]
MessageId = Annotated[
    str, typer.Argument(help="Identyfikator pisma z „answers messages” (albo jego początek).", metavar="PISMO")
]


class Verdict(StrEnum):
    """What a person found out about a message."""

    SENT = "sent"
    NOT_SENT = "not-sent"


@answers.command("list")
def list_(
    config: Folder,
    tenant: Tenant = None,
    step: Annotated[Step | None, typer.Option("--step", help="Etap odpowiedzi.")] = None,
    limit: Limit = 50,
    json_: AsJson = False,
) -> None:
    """Pokaż odpowiedzi, najdłużej czekające najpierw; „approve” i „held” czekają na pracownika."""
    from gateway.clock import shown
    from gateway.operations import answering

    with opened_store(config) as store:
        found = answering.listed(store, tenant=tenant, step=chosen(step), limit=limit)
    if json_:
        show_json([answering.answer_json(one) for one in found])
        return
    table = plain_table(("ID", "ID"), ("Utworzono", "Created"), ("TERYT", "TERYT"), ("Usługa", "Service"),
                        ("Etap", "Step"), ("Pismo", "Letter"), ("Przyczyna", "Reason"))  # fmt: skip
    for one in found:
        why = text(one.last_code, language()) if one.last_code else ""
        names = shown_letter(one.service), shown_state(one.step), shown_letter(one.plan["document"])
        table.add_row(str(one.id)[:13], shown(one.created_at), one.tenant, *names, why)
    out.print(table if found else say("Nic nie pasuje.", "Nothing matches."))


@answers.command("show")
def show(config: Folder, one: Answer, json_: AsJson = False) -> None:
    """Pokaż jedną odpowiedź: etap, skrót projektu, wysłane pisma i ich poświadczenia."""
    from gateway.operations import answering

    with opened_store(config) as store:
        view = answering.shown(store, meant(store, "answer", one))
    if json_:
        show_json(view.to_json())
        return
    plan = view.answer.plan
    rows = (
        (say("Usługa", "Service"), shown_letter(plan["service"])),
        (say("Etap", "Step"), shown_state(plan["step"])),
        (say("Pismo", "Letter"), shown_letter(plan["document"])),
        (say("Z dnia", "Dated"), plan["dated"]),
        (say("Skrót SHA-256 projektu", "SHA-256 of the draft"), plan["digest"]),
        (say("Przyczyna", "Reason"), plan["reason"]),
    )
    for name, value in rows:
        out.print(f"{name}: {value or '—'}", markup=False)
    for file in view.uploads:
        stands = f"{shown_state(file.state.value)}  {file.file_id or ''}  {file.code or ''}".rstrip()
        out.print(f"{file.name}  {file.size_bytes} B  SHA-256 {file.sha256}  {stands}", markup=False)
    for item in view.messages:
        sent = item.message
        stands = shown_state(sent.state.value)
        out.print(f"{sent.id}  {sent.kind.value}  {stands}  {sent.to}  {sent.last_code or ''}", markup=False)
        for receipt in item.receipts:
            told = f"{receipt['kind']} {receipt['identifier']} {receipt['binding']} {receipt['indication']}"
            out.print(f"  {told}", markup=False)


@answers.command("draft")
def draft(
    config: Folder,
    one: Answer,
    target: Annotated[Path, typer.Option("--out", help="Dokąd zapisać projekt pisma (XML).", dir_okay=False)],
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Dokąd zapisać to samo pismo do czytania.", dir_okay=False)
    ] = None,
    json_: AsJson = False,
) -> None:
    """Zapisz projekt pisma do obejrzenia; zatwierdza się jego SHA-256."""
    from gateway.operations import answering

    with opened_store(config) as store:
        octets = answering.draft_of(store, meant(store, "answer", one))
    if pdf is not None:
        pdf.write_bytes(answering.pdf_in(octets))
    target.write_bytes(octets)
    digest = hashlib.sha256(octets).hexdigest()
    if json_:
        show_json({"file": str(target), "sha256": digest} | ({"pdf": str(pdf)} if pdf else {}))
    else:
        out.print(f"{target}  SHA-256 {digest}", markup=False)


@answers.command("approve")
def approve(
    config: Folder,
    one: Answer,
    sha256: Annotated[
        str,
        typer.Option(
            "--sha256", help="Skrót SHA-256 obejrzanego projektu; podaje go „answers draft”.", metavar="SKRÓT"
        ),
    ],
    reason: Reason,
    actor: Actor,
    proceedings_checked: Annotated[
        bool, typer.Option("--proceedings-checked", help="Sprawdzono, czy toczą się postępowania (art. 306e § 2).")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Zatwierdź dokładnie ten projekt; zostanie opieczętowany i wysłany."""
    from gateway.operations import answering

    with opened_store(config) as store:
        done = answering.approve(
            store, meant(store, "answer", one), sha256=sha256.lower(), actor=actor, reason=reason,
            proceedings_checked=proceedings_checked,
        )  # fmt: skip
    told(done, json_)


@answers.command("return")
def return_(config: Folder, one: Answer, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Cofnij projekt: ewidencje zostaną zapytane, a pismo przygotowane od nowa."""
    from gateway.operations import answering

    act(answering.send_back, config, "answer", one, actor, reason, json_)


@answers.command("resume")
def resume(config: Folder, one: Answer, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Wznów zatrzymaną odpowiedź: przyczynę wyjaśniono."""
    from gateway.operations import answering

    act(answering.let_go_on, config, "answer", one, actor, reason, json_)


@answers.command("withdraw")
def withdraw(config: Folder, one: Answer, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Wycofaj odpowiedź: Brama nie odpowie, mieszkaniec dostanie odpowiedź inaczej."""
    from gateway.operations import answering

    act(answering.withdraw, config, "answer", one, actor, reason, json_)


@answers.command("settle")
def settle(
    config: Folder,
    message: MessageId,
    verdict: Annotated[Verdict, typer.Argument(help="sent: wysłano; not-sent: nie wysłano.", metavar="USTALENIE")],
    reason: Reason,
    actor: Actor,
    json_: AsJson = False,
) -> None:
    """Rozstrzygnij, czy pismo o nieznanym losie zostało wysłane; „not-sent” wysyła je."""
    from gateway.operations import answering

    said: Any = verdict.value.replace("-", "_")
    with opened_store(config) as store:
        one = meant(store, "message", message)
        told(answering.settle_message(store, one, said, actor=actor, reason=reason), json_)


@answers.command("set-aside")
def set_aside(config: Folder, message: MessageId, reason: Reason, actor: Actor, json_: AsJson = False) -> None:
    """Odłóż pismo na bok: Brama go nie wyśle."""
    from gateway.operations import answering

    act(answering.set_message_aside, config, "message", message, actor, reason, json_)


@answers.command("receipts")
def receipts(config: Folder, json_: AsJson = False) -> None:
    """Pokaż poświadczenia, o których nie wiadomo, którego pisma dotyczą."""
    from gateway.clock import shown
    from gateway.operations import answering
    from gateway.operations.plain import plain

    with opened_store(config) as store:
        found = answering.unmatched(store)
    if json_:
        show_json(plain(found))
        return
    table = plain_table(("ID", "ID"), ("Przyszło", "Came"), ("Rodzaj", "Kind"), ("Identyfikator", "Identifier"))
    for one in found:
        table.add_row(str(one["id"]), shown(one["stored_at"]), one["kind"], one["identifier"])
    out.print(table)


@answers.command("bind")
def bind(
    config: Folder,
    receipt: Annotated[int, typer.Argument(help="Numer poświadczenia (answers receipts).", metavar="POŚWIADCZENIE")],
    message: MessageId,
    reason: Reason,
    actor: Actor,
    json_: AsJson = False,
) -> None:
    """Wskaż pismo, którego dotyczy poświadczenie."""
    from gateway.operations import answering

    with opened_store(config) as store:
        one = meant(store, "message", message)
        told(answering.bind_receipt(store, receipt, one, actor=actor, reason=reason), json_)
