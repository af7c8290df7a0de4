"""Any JSON service by configuration: templates for calls, paths for answers, Idempotency-Key, OAuth 2, mutual TLS."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from connectors.base import Capabilities, LookUpFailed, Options, QueryAnswer
from connectors.chain import Call, Chain, LookUp, Step
from connectors.clock import now
from connectors.http import Http
from connectors.json_service import JsonService, JsonServiceOptions
from connectors.oauth import ClientCredentials, Tokens
from connectors.outcomes import as_error
from connectors.queries import QueryCache
from connectors.soap import calls_of
from connectors.values import ValuesMissing
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps, StepStopped


class RestStep(Step):
    """One call of a delivery; `operation` is `METHOD /path`."""

    query: dict[str, Any] = Field(default_factory=dict, description="Query string: name → template.")
    multipart: str | None = Field(default=None, description="Send `{file}` as this form field instead of JSON.")


class RestQuery(LookUp):
    """A question; every object at `rows` becomes one row."""

    rows: str = Field(default=".", description="Path of the rows in the answer.")


class RestOptions(JsonServiceOptions):
    """One JSON service."""

    step: tuple[RestStep, ...] = Field(min_length=1, description="The calls of a delivery, in order.")
    reference: str | None = Field(default=None, description="Template of the reference.")
    repeat: Literal["safe"] | None = Field(
        default=None, description="`safe` only if the service promises to honour the key of a repeated call."
    )
    oauth: ClientCredentials | None = Field(default=None, description="OAuth 2 client credentials.")
    ping: str | None = Field(default=None, description="`GET /path` that `check` may call; must answer 2xx.")
    queries: dict[str, RestQuery] = Field(default_factory=dict, description="dues, arrears, case_status …")


class RestConnector:
    """Deliver by calls to a JSON service described in the options."""

    options_model: ClassVar[type[Options]] = RestOptions

    def __init__(self, options: RestOptions) -> None:
        self.options = options
        self._answers = QueryCache(options.query_cache_s)
        http = Http(options)
        oauth = options.oauth
        tokens = Tokens(http, oauth.token_url, oauth.form) if oauth else None
        self.service = JsonService(options, http, tokens)
        self.chain = Chain(options.step, options.reading, self.service, options.reference)
        self.capabilities = Capabilities(
            repeat=Repeat.SAFE if options.repeat == "safe" else self.chain.repeat,
            look_up=any(step.find for step in options.step),
            attachments=any(step.for_each for step in options.step),
            queries=frozenset(options.queries),
            max_calls=calls_of(options.step) + (1 if oauth else 0),
            step_calls=1,
        )

    def check(self) -> None:
        """Get a token and call `ping`, if there is one; without it, only that the name answers to a connection."""
        try:
            self.service(Call(operation=self.options.ping or "GET /"), {})
        except StepStopped as stop:
            code = getattr(stop.outcome, "code", "")
            if self.options.ping or code in ("http.not_sent", "http.no_token", "http.answer_lost", "http.timeout"):
                raise as_error(stop) from stop

    def find(self, key: str) -> str | None:
        """Ask with the steps' look-ups; see Chain.find. Raises: LookUpFailed."""
        if not self.capabilities.look_up:
            raise LookUpFailed(reason="no look-up configured")
        return self.chain.find(key)

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Make the calls that were not made yet."""
        return self.chain.deliver(record, key, steps)

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        """One of the configured questions. Raises: LookUpFailed."""
        question = self.options.queries.get(name)
        if question is None:
            raise LookUpFailed(reason=f"no query {name}")
        return self._answers.get(name, parameters, lambda: self._ask(name, question, parameters))

    def _ask(self, name: str, question: RestQuery, parameters: dict[str, Any]) -> QueryAnswer:
        asked = now()
        scope = {"parameters": parameters}
        try:
            answer = self.service(question, scope)
        except StepStopped as stop:
            raise LookUpFailed(reason=getattr(stop.outcome, "code", "")) from stop
        except ValuesMissing as error:
            raise LookUpFailed(reason=", ".join(error.names)) from error
        if all(rule.judge(answer, scope) for rule in question.found):
            return QueryAnswer(name, asked, _rows(answer.at(question.rows)))
        if question.not_found:
            empty = all(rule.judge(answer, scope) for rule in question.not_found)
        else:
            empty = answer.at(question.rows, apart=False) == [[]]
        if not empty:  # an answer that is not understood must never pass for "nothing owed"
            raise LookUpFailed(reason="the answer says neither found nor not found")
        return QueryAnswer(name, asked, ())


def _rows(found: list[Any]) -> tuple[dict[str, Any], ...]:
    if not all(isinstance(row, dict) for row in found):
        raise LookUpFailed(reason="the rows of the answer are no objects")
    return tuple(found)
