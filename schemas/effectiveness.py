"""Is a letter effectively lodged through its channel: the rules a gmina writes, and what holds for one submission."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

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
    ruled_on: date = Field(description="The day it was decided; `since` says from when it holds.")
    basis: str = Field(min_length=1, description="The provision or the authority's own act it rests on.")
    notice: str | None = Field(default=None, description="Text sent to the sender of an ineffective letter.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("until is before since")
        return self

    def rivals(self, other: Rule) -> bool:
        """Could both hold for one letter, with nothing to say which goes first?"""
        mine, others = ((one.form, one.since, bool(one.channels)) for one in (self, other))
        both_hold = not self.channels or bool(set(self.channels) & set(other.channels))
        return mine == others and both_hold


class LodgingPolicy(BaseModel):
    """`[effectiveness]` of a gmina: its rules, and what becomes of letters that are not, or not yet, effective.

    Whatever is ruled, a letter that came is incoming mail and belongs into the office's register: it is handed over
    with the ruling beside it, unless the gmina wants to see such letters first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: tuple[Rule, ...] = ()
    ineffective: Literal["deliver", "hold"] = Field(default="deliver", description="Handed over, or held for a clerk.")
    undecided: Literal["deliver", "hold"] = Field(default="deliver", description="The same while nobody has ruled.")
    notice: Literal["none", "approve", "send"] = Field(
        default="approve", description="To the sender of an ineffective letter: none, after approval, or at once."
    )

    @model_validator(mode="after")
    def _no_rivals(self) -> Self:
        for number, one in enumerate(self.rule):
            for later, other in enumerate(self.rule[number + 1 :], start=number + 1):
                if one.rivals(other):
                    raise ValueError(f"rule.{number}, rule.{later}: nie wiadomo, która ma pierwszeństwo / rivals")
        return self

    def holds(self, effect: Effect) -> bool:
        """Is a letter of this standing held for a clerk?"""
        return (effect is Effect.INEFFECTIVE and self.ineffective == "hold") or (
            effect is Effect.CLERK_DECIDES and self.undecided == "hold"
        )


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """What holds for one submission, and why. `reason` is a code (`effectiveness.*`).

    Of a rule: its form (or `*`), since when it holds, who ruled and on which day. Of a clerk: who, and when (`since`).
    """

    effect: Effect
    reason: str
    ruled_by: str | None = None
    since: date | datetime | None = None
    basis: str | None = None
    notice: str | None = None
    form: str | None = None
    ruled_on: date | None = None

    def to_json(self) -> dict[str, Any]:
        """As kept with the submission and shown beside its timeline; `from_json` reads it back."""
        plain = {**asdict(self), "effect": self.effect.value}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in plain.items()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Effectiveness:
        """What `to_json` wrote."""
        since, ruled_on = stored["since"], stored["ruled_on"]
        return cls(
            **{
                **stored,
                "effect": Effect(stored["effect"]),
                "since": _moment(since) if since else None,
                "ruled_on": date.fromisoformat(ruled_on) if ruled_on else None,
            }
        )


def _moment(written: str) -> date | datetime:
    return datetime.fromisoformat(written) if "T" in written else date.fromisoformat(written)
