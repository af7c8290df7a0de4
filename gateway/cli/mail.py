"""What `brama submissions show` tells of rulings, answers, messages, and of what waits for a person."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from gateway.cli.output import language, out, say, shown_letter, shown_state
from gateway.cli.reasons import reason
from schemas.texts import text

_EFFECTS = {
    "effective": ("wniesiono skutecznie", "effective"),
    "ineffective": ("wniesiono nieskutecznie", "ineffective"),
    "clerk_decides": ("do rozstrzygnięcia", "to be ruled on"),
}
_QUESTIONS = {
    "release": ("zwolnić albo zamknąć", "release or close"),
    "ruling": ("rozstrzygnąć o skuteczności wniesienia", "rule on effective lodging"),
    "approve": ("obejrzeć i zatwierdzić pismo", "look at a letter and approve it"),
    "answer": ("wyjaśnić, dlaczego odpowiedź zatrzymano", "find out why an answer is held"),
    "message": ("rozstrzygnąć los pisma", "settle a message"),
    "delivery": ("zająć się przekazaniem", "see to a delivery"),
    "receipt": ("wyjaśnić, dlaczego ePUAP nie dał UPO", "ePUAP's receipt is missing"),
}


def rulings_shown(view: Any) -> str:
    """The standing ruling and who ruled; how many stand before it."""
    if not view.rulings:
        return "—"
    last = view.rulings[-1]
    effect = say(*_EFFECTS[last.ruling.effect.value])
    who = f" — {last.ruling.ruled_by}" if last.ruling.ruled_by else ""
    before = len(view.rulings) - 1
    earlier = say(f" (wcześniejszych rozstrzygnięć: {before})", f" (earlier rulings: {before})") if before else ""
    return f"{effect}{who}{earlier}"


def show_mail(view: Any) -> None:
    """Answers with their step, messages with their state and receipts."""
    for item in view.answers:
        one = item.answer
        why = text(one.last_code, language()) if one.last_code else ""
        out.print(
            Text(f"  ← {shown_letter(one.service)}: {shown_state(one.step)}", "bold")
            + Text(f"  {one.id}  {why}", "dim")
        )
        for file in item.uploads:
            out.print(
                f"    ↑ {file.name}  {file.size_bytes}  {shown_state(file.state.value)}  {file.code or ''}",
                markup=False,
            )
    for item in view.messages:
        sent = item.message
        out.print(
            f"    {sent.kind.value} → {sent.to}  {shown_state(sent.state.value)}  {sent.last_code or ''}", markup=False
        )
        for receipt in item.receipts:
            out.print(f"      {receipt['kind']} {receipt['identifier']}  {receipt['indication']}", markup=False)


def show_questions(view: Any) -> None:
    """What goes on only when a person decides."""
    said = {item.delivery.id: item.delivery.last_text for item in view.deliveries}
    for one in view.questions:
        why = reason(one.code, said.get(one.id))
        out.print(Text(f"  ? {say(*_QUESTIONS[one.what])}", "yellow") + Text(f"  {why}  {one.id}", "dim"))
