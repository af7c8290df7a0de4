"""Is a letter that came through this channel effectively lodged? A policy per authority and form, with who ruled.

Until the end of 2025 ePUAP and e-Doręczenia stood equal. Since then a letter in tax and administrative matters sent
through ePUAP counts only where a special provision, or the authority's own decision, says so. The receipt (UPP) still
proves that and when it arrived. Whoever knows the law of a form writes a rule; without one, a clerk decides each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from gateway.clock import WARSAW
from schemas.effectiveness import Effect, Effectiveness, Rule
from schemas.errors import OperationRefused
from schemas.submission import Channel

EQUAL_STANDING_ENDED = date(2026, 1, 1)  # first day on which the channels are no longer equal
NO_RULING = "effectiveness.no_ruling"
EQUAL_STANDING = "effectiveness.equal_standing"
OWN_RULE = "effectiveness.rule"
BY_CLERK = "effectiveness.clerk"


def judge(rules: Iterable[Rule], *, form: str | None, channel: Channel, lodged_at: datetime) -> Effectiveness:
    """What the policy says of one submission; never raises.

    The rule of the form itself goes before `*`, a rule for the channel before one for all, then the latest `since`.

    Args: lodged_at: when it was sent (aware); the day it falls on in Poland decides which rules hold.
    """
    day = lodged_at.astimezone(WARSAW).date()
    holding = [rule for rule in rules if _holds(rule, form, channel, day)]
    if holding:
        rule = max(holding, key=lambda item: (item.form != "*", bool(item.channels), item.since))
        return Effectiveness(
            rule.effect, OWN_RULE, rule.ruled_by, rule.since, rule.basis, rule.notice, rule.form, rule.ruled_on
        )
    if day < EQUAL_STANDING_ENDED:
        return Effectiveness(Effect.EFFECTIVE, EQUAL_STANDING)
    return Effectiveness(Effect.CLERK_DECIDES, NO_RULING)


def ruled(before: Effectiveness | None, *, effect: Effect, actor: str, at: datetime, basis: str) -> Effectiveness:
    """A clerk's own ruling on one letter, beside what the policy or another clerk said before.

    Raises: OperationRefused: `effectiveness.already_ruled`: that is what holds already; `effectiveness.ruling_empty`
            without a decision, an actor or a basis.
    """
    if effect is Effect.CLERK_DECIDES or not actor.strip() or not basis.strip():
        raise OperationRefused("effectiveness.ruling_empty")
    if before is not None and before.effect is effect:
        raise OperationRefused("effectiveness.already_ruled", effect=effect.value)
    return Effectiveness(effect, BY_CLERK, actor, at, basis, before.notice if before else None)


def _holds(rule: Rule, form: str | None, channel: Channel, day: date) -> bool:
    return (
        rule.form in ("*", form)
        and (not rule.channels or channel in rule.channels)
        and rule.since <= day
        and (rule.until is None or day <= rule.until)
    )
