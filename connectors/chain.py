"""Deliveries made of remote calls, described in options: what to send, what an answer means, how to ask.

Shared by the connectors over HTTP. They differ in how a call is made (`Caller`) and how a path reads an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

from pydantic import Field, field_validator, model_validator

from connectors.base import LookUpFailed, Part
from connectors.outcomes import outcome, said, stopped
from connectors.values import ValuesMissing, as_text, checked, fill, look, missing_names, places, scope_of
from schemas.delivery import CaseRecord, Delivered, Outcome, Repeat, Steps, StepStopped, Unsettled

_KNOWN_LATER = frozenset({"steps", "file"})
_ASKABLE = frozenset({"key", "steps"})
NOBODYS_KEY = "brama-check"  # for trying whether a look-up says no where it must


class Answer(Protocol):
    """An answer that came whole and could be read."""

    def texts(self, path: str) -> list[str]:
        """Every value at the path, as text; empty when there is none."""
        ...


class Rule(Part):
    """One statement about an answer. Without `equals`, `one_of`, `matches`: the path has a value, not an empty one."""

    path: str = Field(description="Where in the answer: names (`Result/Status`), an XPath, or a JSON path.")
    equals: str | None = None
    one_of: tuple[str, ...] = ()
    matches: str | None = Field(default=None, description="A regular expression the whole value must match.")
    absent: bool = Field(default=False, description="Holds when there is nothing, or only emptiness, at the path.")
    includes: str | None = Field(default=None, description="Template of a text one of the values must equal.")

    @field_validator("matches")
    @classmethod
    def _expression(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return text

    def judge(self, answer: Answer, scope: Mapping[str, Any]) -> bool | None:
        """True or False; None when the answer has nothing at this path."""
        values = answer.texts(self.path)
        if self.absent:
            return not any(value.strip() for value in values)
        if not values:
            return None
        if self.includes is not None:
            return as_text(fill(self.includes, scope)) in [value.strip() for value in values]
        value = values[0].strip()
        if self.equals is not None:
            return value == self.equals
        if self.one_of:
            return value in self.one_of
        return bool(re.fullmatch(self.matches, value)) if self.matches is not None else value != ""


class Reading(Part):
    """What answers mean, for all calls of a connector. HTTP 200 alone is never success."""

    success: tuple[Rule, ...] = Field(default=(), description="All must hold.")
    already: tuple[Rule, ...] = Field(default=(), description="Any: it was there before, which is success as well.")
    later: tuple[Rule, ...] = Field(default=(), description="Any: the office did nothing and asks us to come again.")
    message: str | None = Field(default=None, description="Where the office's own reason is.")


class Call(Part):
    """One remote call."""

    operation: str = Field(description="SOAP: the operation's name. REST: `POST /path`.")
    arguments: Any = Field(default_factory=dict, description="What to send; places in braces are filled.")
    success: tuple[Rule, ...] = Field(default=(), description="Instead of the connector's own success rules.")
    _places = field_validator("operation", "arguments")(checked)
    results: dict[str, str] = Field(default_factory=dict, description="Name → path in the answer; `?` at the end: may be missing.")  # fmt: skip  # noqa: E501


class LookUp(Call):
    """A question that changes nothing. `results` of what was found stand in for the step's own."""

    found: tuple[Rule, ...] = Field(min_length=1, description="All hold: it is there.")
    not_found: tuple[Rule, ...] = Field(default=(), description="All hold: surely not there. Empty: success without found.")  # fmt: skip  # noqa: E501


class Step(Call):
    """One remote effect of a delivery, remembered once done."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    for_each: Literal["file", "document", "receipt", "attachment"] | None = Field(
        default=None, description="Once for each file of this role (`file`: for all); `{file.…}` is that file."
    )
    when: tuple[str, ...] = Field(default=(), description="Only when all of these paths have a value.")
    find: LookUp | None = Field(default=None, description="How to ask whether this step was done.")
    repeatable: bool = Field(default=False, description="Doing it twice has no effect that counts.")

    @model_validator(mode="after")
    def _askable(self) -> Step:
        if self.find is not None and self.for_each is None:
            asked = {path.partition(".")[0] for path, _ in places([self.find.operation, self.find.arguments])}
            if asked - _ASKABLE:
                raise ValueError(f"find may name only key and steps, not {', '.join(sorted(asked - _ASKABLE))}")
        return self


class Caller(Protocol):
    """Makes one call. Raises StepStopped when no answer can be read, with what that means for an effect."""

    def __call__(self, call: Call, scope: Mapping[str, Any]) -> Answer: ...

    def ready(self) -> None:
        """Get what calls need (a token, the WSDL), so that a step takes no longer than its call. Raises StepStopped."""
        ...


class Chain:
    """Steps, the rules for reading answers, and the reference to give back."""

    def __init__(self, steps: Sequence[Step], reading: Reading, caller: Caller, reference: str | None) -> None:
        self.steps = steps
        self.reading = reading
        self.caller = caller
        self.reference = reference

    @property
    def repeat(self) -> Repeat:
        """Findable when every step can be asked about or repeated; otherwise blind."""
        return Repeat.FINDABLE if all(step.find or step.repeatable for step in self.steps) else Repeat.BLIND

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Run the steps that are not done yet; what is missing in the record is told before the first."""
        scope = scope_of(record, key, steps.message_id)
        wanted = [step for step in self.steps if self._wanted(step, scope, _KNOWN_LATER)]
        missing = {
            name for step in wanted for name in missing_names([step.operation, step.arguments], scope, _KNOWN_LATER)
        }
        if missing:
            return outcome("record.incomplete", ", ".join(sorted(missing)))
        try:
            for step in wanted:
                if self._wanted(step, scope):
                    self._run(step, scope, steps)
        except StepStopped as stop:
            return stop.outcome
        except LookUpFailed as error:
            return Unsettled(LookUpFailed.code, str(error.facts.get("reason", "")))
        return Delivered(self._reference(scope), dict(_details(scope["steps"])))

    def find(self, key: str) -> str | None:
        """Ask the steps in order. A reference only when the last step is there: then everything is.

        None otherwise: a delivery that goes on, asking step by step, is right then.
        Raises: LookUpFailed.
        """
        scope: dict[str, Any] = {"key": key, "steps": {}}
        for step in self.steps:
            if step.find is None or step.for_each is not None:
                continue
            found = self.ask(step.find, scope)
            if found is None:
                return None
            scope["steps"][step.name] = found
        return self._reference(scope) or key if self.steps[-1].name in scope["steps"] else None

    def ask(self, look_up: LookUp, scope: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was found, or None where the answer says that there is nothing. Raises: LookUpFailed."""
        if list(missing_names([look_up.operation, look_up.arguments], scope)):
            return None  # it asks for the number of a step that is not there, so this one cannot be there either
        try:
            answer = self.caller(look_up, scope)
        except ValuesMissing as error:
            raise LookUpFailed(reason=", ".join(error.names)) from error
        except StepStopped as stop:
            code, text = getattr(stop.outcome, "code", ""), getattr(stop.outcome, "text", "")
            raise LookUpFailed(reason=f"{code} {text}".strip()) from stop
        if _all(look_up.found, answer, scope):
            return results_of(look_up, answer)
        sure = look_up.not_found or look_up.success or self.reading.success
        if sure and _all(sure, answer, scope):
            return None
        raise LookUpFailed(reason="the answer says neither found nor not found")

    def _wanted(self, step: Step, scope: Mapping[str, Any], later: frozenset[str] = frozenset()) -> bool:
        paths = [path for path in step.when if path.partition(".")[0] not in later]
        return all(look(scope, path) not in (None, "") for path in paths)

    def _run(self, step: Step, scope: dict[str, Any], steps: Steps) -> None:
        if step.for_each is None:
            scope["steps"][step.name] = self._once(step.name, step, scope, steps)
            return
        for file in scope["files"]:
            if step.for_each in ("file", file["role"]):
                inner = {**scope, "file": file}
                file[step.name] = self._once(f"{step.name}-{file['id']}", step, inner, steps)
                scope["steps"][step.name] = file[step.name]  # for roles that come once: the document, the receipt

    def _once(self, name: str, step: Step, scope: Mapping[str, Any], steps: Steps) -> dict[str, Any]:
        find: Callable[[], dict[str, Any] | None] | None = None
        if step.find is not None:
            look_up = step.find
            find = lambda: self.ask(look_up, scope)  # noqa: E731
        elif step.repeatable:
            find = lambda: None  # noqa: E731 - nothing to ask: simply do it again
        with suppress(StepStopped):  # the call will say it again, and what it means for the step
            self.caller.ready()
        return steps.once(name, lambda: self._effect(step, scope), find)

    def _effect(self, step: Step, scope: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self.caller(step, scope)
        except ValuesMissing as error:  # an earlier step gave less than this one needs: nothing was sent
            raise stopped("record.incomplete", ", ".join(error.names)) from error
        self._judge(step, answer, scope)
        return results_of(step, answer)

    def _judge(self, call: Call, answer: Answer, scope: Mapping[str, Any]) -> None:
        reading = self.reading
        if any(rule.judge(answer, scope) for rule in reading.already):
            return
        message = said("; ".join(answer.texts(reading.message))) if reading.message else ""
        if any(rule.judge(answer, scope) for rule in reading.later):
            raise stopped("answer.later", message)
        verdicts = [rule.judge(answer, scope) for rule in call.success or reading.success]
        if None in verdicts:
            raise stopped("answer.unreadable", message)
        if not all(verdicts):
            raise stopped("answer.refused", message)

    def _reference(self, scope: Mapping[str, Any]) -> str | None:
        if self.reference is None or list(missing_names(self.reference, scope)):
            return None
        return str(fill(self.reference, scope))


def paths_of(reading: Reading, steps: Sequence[Step], questions: Iterable[LookUp] = ()) -> Iterator[str]:
    """Every path into an answer the options name."""
    rules = [*reading.success, *reading.already, *reading.later]
    for call in [*(call for step in steps for call in (step, step.find) if call is not None), *questions]:
        rules += [*call.success, *getattr(call, "found", ()), *getattr(call, "not_found", ())]
        yield from (path.removesuffix("?") for path in call.results.values())
    yield from (rule.path for rule in rules)
    if reading.message:
        yield reading.message


def results_of(call: Call, answer: Answer) -> dict[str, Any]:
    """The named values of an answer, as text. A required one that is missing makes the answer unreadable."""
    results: dict[str, Any] = {}
    for name, path in call.results.items():
        values = answer.texts(path.removesuffix("?"))
        if values and values[0].strip():
            results[name] = values[0].strip()
        elif not path.endswith("?"):
            raise stopped("answer.unreadable", f"no {name} in the answer")
    return results


def _all(rules: Sequence[Rule], answer: Answer, scope: Mapping[str, Any]) -> bool:
    return all(rule.judge(answer, scope) for rule in rules)


def _details(steps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for step, results in steps.items():
        for name, value in results.items():
            yield f"{step}.{name}", str(value)
