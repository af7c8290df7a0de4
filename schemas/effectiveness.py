"""Is a letter effectively lodged through its channel: the rules a gmina writes, and what holds for one submission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.ids import FormId
from schemas.submission import Channel


def _namespace(value: str) -> str:
    return FormId.crd(value).namespace if value[:4].isdigit() else value


Form = Annotated[str, AfterValidator(_namespace)]  # `2020/01/07/8990` is short for its namespace


class Effect(StrEnum):
    """The ruling on a submission, or on a form before any submission."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    CLERK_DECIDES = "clerk_decides"


class Rule(BaseModel):
    """One line of a tenant's policy: for a form (namespace, or `*`), from a day on, until a day (included)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Form = "*"
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
