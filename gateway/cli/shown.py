"""A submission and its deliveries as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from gateway.cli.mail import rulings_shown, show_mail, show_questions
from gateway.cli.output import language, out, say, show_json, shown_state
from gateway.cli.reasons import advice, reason
from schemas.texts import text


def show_submission(view: Any) -> None:
    """Everything that is known of it, its timeline last."""
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
        (say("Stan", "State"), shown_state(one.state.value)),
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
    show_versions(view.cases)
    for item in view.deliveries:
        show_delivery(item)
    show_mail(view)
    show_questions(view)
    out.print(Text(say("Oś czasu", "Timeline"), "bold"))
    for event in view.events:
        facts = ", ".join(f"{name}={value}" for name, value in event.facts.items() if value is not None)
        out.print(f"  {shown(event.at)}  {event.word}  {event.actor or ''}  {facts}", markup=False)
    if view.chain_broken_at is not None:
        out.print(Text(say("UWAGA: łańcuch zdarzeń jest przerwany!", "WARNING: the event chain is broken!"), "red"))


def show_versions(versions: Sequence[Mapping[str, Any]]) -> None:
    """What people changed in the case: who, why, each value before and after. The first version is the gateway's."""
    for version in versions:
        if version["actor"] is None:
            continue
        head = say(f"Sprawa, wersja {version['version']}", f"Case, version {version['version']}")
        out.print(Text(f"  {head} — {version['actor']}: {version['reason']}", "cyan"))
        for path, (before, after) in sorted((version["changes"] or {}).items()):
            out.print(f"    {path}: {_value(before)} → {_value(after)}", markup=False)


def _value(value: Any) -> str:
    return "—" if value is None else str(value)


def show_delivery(view: Any) -> None:
    """Where it stands and how each attempt ended."""
    from gateway.clock import shown

    one = view.delivery
    why, next_ = reason(one.last_code, one.last_text), advice(view)
    out.print(
        Text(f"  → {one.connector}: {shown_state(one.state.value)}", "bold")
        + Text(f"  {one.reference or ''}  {one.id}", "dim")
    )
    if why:
        out.print(f"    {why} [{one.last_code}]", markup=False)
    if next_:
        out.print(Text(f"    {next_}", "yellow"))
    for attempt in view.attempts:
        outcome = shown_state(attempt.outcome) if attempt.outcome else say("bez wyniku", "no outcome")
        took = f"{attempt.took_ms} ms" if attempt.took_ms is not None else ""
        number = f"{attempt.round}.{attempt.number}"
        out.print(f"    {shown(attempt.started_at)}  {number}  {outcome}  {attempt.code or ''}  {took}", markup=False)


def told(result: Any, json_: bool) -> None:
    """What became of the one thing a person acted on."""
    if json_:
        show_json(result.to_json())
    else:
        out.print(f"{result.id}: {shown_state(result.state)}", markup=False)
