"""Is a letter that came through this channel effectively lodged? A policy per authority and form, with who ruled.

Until the end of 2025 ePUAP and e-Doręczenia stood equal. Since then a letter in tax and administrative matters sent
through ePUAP counts only where a special provision, or the authority's own decision, says so. The receipt (UPP) still
proves that and when it arrived. Whoever knows the law of a form writes a rule; without one, a clerk decides each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.clock import WARSAW
from schemas.errors import OperationRefused
from schemas.submission import Channel

EQUAL_STANDING_ENDED = date(2026, 1, 1)  # first day on which the channels are no longer equal
NO_RULING = "effectiveness.no_ruling"
EQUAL_STANDING = "effectiveness.equal_standing"
OWN_RULE = "effectiveness.rule"
BY_CLERK = "effectiveness.clerk"


class Effect(StrEnum):
    """The ruling on a submission, or on a form before any submission."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    CLERK_DECIDES = "clerk_decides"


class Rule(BaseModel):
    """One line of a tenant's policy: for a form (namespace, or `*`), from a day on, until a day (included)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str = "*"
    channels: tuple[Channel, ...] = ()  # none: every channel
    effect: Effect
    since: date
    until: date | None = None
    ruled_by: str = Field(min_length=1, description="Who decided: the authority, its legal adviser; shown to clerks.")
    basis: str = Field(min_length=1, description="The provision or the authority's own act it rests on.")
    notice: str | None = Field(default=None, description="Text sent to the sender of an ineffective letter.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("until is before since")
        return self


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """What holds for one submission, and why. `reason` is a code (`effectiveness.*`); `since` when it was ruled."""

    effect: Effect
    reason: str
    ruled_by: str | None = None
    since: date | datetime | None = None
    basis: str | None = None
    notice: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As kept with the submission's events and shown in its timeline."""
        since = self.since.isoformat() if self.since else None
        return {
            "effect": self.effect.value,
            "reason": self.reason,
            "ruled_by": self.ruled_by,
            "since": since,
            "basis": self.basis,
            "notice": self.notice,
        }


def judge(rules: Iterable[Rule], *, form: str | None, channel: Channel, lodged_at: datetime) -> Effectiveness:
    """What the policy says of one submission; never raises.

    The rule of the form itself goes before `*`, a rule for the channel before one for all, then the latest `since`.

    Args: lodged_at: when it was sent (aware); the day it falls on in Poland decides which rules hold.
    """
    day = lodged_at.astimezone(WARSAW).date()
    holding = [rule for rule in rules if _holds(rule, form, channel, day)]
    if holding:
        rule = max(holding, key=lambda item: (item.form != "*", bool(item.channels), item.since))
        return Effectiveness(rule.effect, OWN_RULE, rule.ruled_by, rule.since, rule.basis, rule.notice)
    if day < EQUAL_STANDING_ENDED:
        return Effectiveness(Effect.EFFECTIVE, EQUAL_STANDING)
    return Effectiveness(Effect.CLERK_DECIDES, NO_RULING)


def ruled(open_: Effectiveness, *, effect: Effect, actor: str, at: datetime, basis: str) -> Effectiveness:
    """A clerk's own ruling where the policy left it open.

    Raises: OperationRefused: `effectiveness.already_ruled`; `effectiveness.ruling_empty` without a decision or basis.
    """
    if open_.effect is not Effect.CLERK_DECIDES:
        raise OperationRefused("effectiveness.already_ruled", effect=open_.effect.value)
    if effect is Effect.CLERK_DECIDES or not actor.strip() or not basis.strip():
        raise OperationRefused("effectiveness.ruling_empty")
    return replace(open_, effect=effect, reason=BY_CLERK, ruled_by=actor, since=at, basis=basis)


def _holds(rule: Rule, form: str | None, channel: Channel, day: date) -> bool:
    return (
        rule.form in ("*", form)
        and (not rule.channels or channel in rule.channels)
        and rule.since <= day
        and (rule.until is None or day <= rule.until)
    )
