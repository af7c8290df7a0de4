"""Why a delivery stands where it stands, and what to do about it, in sentences for a person."""

from __future__ import annotations

import re
from typing import Any

from gateway.cli.output import language, say
from schemas.texts import all_texts, text

_BROKEN_RULE = re.compile(r"(?P<field>\S+): (?P<rule>rule\.\w+)(?: \((?:(?P<found>.*)/)?(?P<limit>[^/]*)\))?")


def reason(code: str | None, said: str | None) -> str:
    """The sentence for a code with the office's own words in it, each broken rule in words; empty without a code."""
    if code is None:
        return ""
    words = _in_words(said or "")
    sentence = text(code, language(), text=words or "—", reason=words or "—")
    taken = any(place in all_texts().get(code, {}).get(language(), "") for place in ("{text}", "{reason}"))
    return sentence if taken or not words else f"{sentence} {words}"


def _in_words(said: str) -> str:
    return " ".join(_rule(part) for part in said.split("; ")) if "rule." in said else said


def _rule(part: str) -> str:
    broken = _BROKEN_RULE.fullmatch(part)
    return text(broken["rule"], language(), **broken.groupdict()) if broken else part


def advice(view: Any) -> str:
    """What happens next by itself, or what a person does: one sentence, with the command. Empty when all is done."""
    from gateway.clock import shown

    one = view.delivery
    short = str(one.id)[:8]
    if view.parked is not None:
        return _parked(view)
    match one.state.value:
        case "refused" | "given_up":
            return say(
                f"Co dalej: usunąć przyczynę i ponowić (brama replay {short} --reason …) "
                f"albo poprawić sprawę (brama submissions edit {str(one.submission_id)[:8]} …).",
                f"Next: remove the cause and replay (brama replay {short} --reason …) "
                f"or correct the case (brama submissions edit {str(one.submission_id)[:8]} …).",
            )
        case "unsettled" if one.due_at is None:
            return say(
                "Co dalej: sprawdzić w systemie urzędu, czy sprawa tam jest, i rozstrzygnąć "
                f"(brama deliveries settle {short} --delivered albo --not-delivered --reason …).",
                "Next: see in the office's system whether the case is there, and settle it "
                f"(brama deliveries settle {short} --delivered or --not-delivered --reason …).",
            )
        case "unsettled":
            return say(f"Brama zapyta urząd: {shown(one.due_at)}.", f"The office is asked: {shown(one.due_at)}.")
        case "due" | "waiting" if one.due_at is not None:
            return say(f"Następna próba: {shown(one.due_at)}.", f"Next try: {shown(one.due_at)}.")
    return ""


def _parked(view: Any) -> str:
    before = str(view.delivery.waits_for or "")[:8]
    words = {
        "order": say(f"Czeka na wcześniejszą sprawę tego podatnika: {before}", f"Waits for an earlier case: {before}"),
        "pause": say("Wstrzymano (brama offices list).", "Paused (brama offices list)."),
        "files": say("Czeka na duże pliki (brama files list).", "Waits for big files (brama files list)."),
        "fetch": say("Czeka, aż urząd sam ją pobierze.", "Waits for the office to fetch it."),
    }
    return words.get(view.parked, "")
