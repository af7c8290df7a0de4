"""Any JSON service by configuration: templates for calls, paths for answers, Idempotency-Key, OAuth 2, mutual TLS."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from connectors.base import Capabilities, LookUpFailed, Options, QueryAnswer
from connectors.chain import Call, Chain, LookUp, Reading, Rule, Step
from connectors.clock import now
from connectors.http import ExchangeFailed, Http, HttpOptions, Reply, refusal_of
from connectors.oauth import ClientCredentials, Tokens
from connectors.outcomes import outcome, said, stopped
from connectors.queries import QueryCache
from connectors.soap import calls_of
from connectors.values import as_text, fill
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError

OK = (Rule(path="@status", matches=r"2\d\d"),)


class RestStep(Step):
    """One call of a delivery; `operation` is `METHOD /path`."""

    query: dict[str, Any] = Field(default_factory=dict, description="Query string: name → template.")
    multipart: str | None = Field(default=None, description="Send `{file}` as this form field instead of JSON.")


class RestQuery(LookUp):
    """A question; every object at `rows` becomes one row."""

    rows: str = Field(default=".", description="Path of the rows in the answer.")


class RestOptions(HttpOptions):
    """One JSON service."""

    base_url: str = Field(description="What every path starts with, e.g. https://api.gmina.example/v1.")
    step: tuple[RestStep, ...] = Field(min_length=1, description="The calls of a delivery, in order.")
    reading: Reading = Field(default=Reading(success=OK, message="detail"), description="What answers mean.")
    reference: str | None = Field(default=None, description="Template of the reference.")
    idempotency_header: str | None = Field(default="Idempotency-Key", description="Carries our key; empty: not sent.")
    repeat: Literal["safe"] | None = Field(
        default=None, description="`safe` only if the service promises to honour the key of a repeated call."
    )
    statuses: dict[int, Literal["refused", "later", "unsettled"]] = Field(
        default_factory=dict, description="What a status means here, instead of the rule for all."
    )
    decimals: Literal["text", "number"] = Field(default="text", description="How amounts are written in JSON.")
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
        )

    def check(self) -> None:
        """Get a token and call `ping`, if there is one; without it, only that the name answers to a connection."""
        try:
            self.service(Call(operation=self.options.ping or "GET /"), {})
        except StepStopped as stop:
            code, text = getattr(stop.outcome, "code", ""), getattr(stop.outcome, "text", "")
            if self.options.ping or code in ("http.not_sent", "http.no_token", "http.answer_lost", "http.timeout"):
                raise ConnectorError(code, text=text) from stop

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
        if all(rule.judge(answer, scope) for rule in question.found):
            return QueryAnswer(name, asked, _rows(answer.at(question.rows)))
        if question.not_found:
            empty = all(rule.judge(answer, scope) for rule in question.not_found)
        else:
            empty = answer.at(question.rows, apart=False) == [[]]
        if not empty:  # an answer that is not understood must never pass for "nothing owed"
            raise LookUpFailed(reason="the answer says neither found nor not found")
        return QueryAnswer(name, asked, ())


class JsonService:
    """Makes one call and reads its JSON. Safe to use from several threads."""

    def __init__(
        self,
        options: RestOptions,
        http: Http,
        tokens: Tokens | None,
        headers: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        self._options = options
        self._http = http
        self._tokens = tokens
        self._headers = headers or dict

    def __call__(self, call: Call, scope: Mapping[str, Any]) -> JsonAnswer:
        """Raises: StepStopped, with what the failure means for an effect."""
        method, _, path = call.operation.partition(" ")
        headers = {"Accept": "application/json", **self._headers(), **self._key(call, scope)}
        if self._tokens is not None:
            headers["Authorization"] = f"Bearer {self._tokens.current()}"
        query = {name: as_text(value) for name, value in fill(getattr(call, "query", {}), scope).items()}
        try:
            reply = self._http.send(
                method, self._options.base_url.rstrip("/") + path_of(path, scope), query=query,
                **self._body(method, call, scope, headers),
            )  # fmt: skip
        except ExchangeFailed as error:
            raise StepStopped(error.outcome()) from error
        return self._read(reply, call)

    def _key(self, call: Call, scope: Mapping[str, Any]) -> dict[str, str]:
        """One key for each effect: ours, the step, and the file where a step is done for each."""
        header = self._options.idempotency_header
        if header is None or not isinstance(call, Step):
            return {}
        file = f".{scope['file']['number']}" if call.for_each else ""
        return {header: f"{scope['key']}.{call.name}{file}"}

    def _body(self, method: str, call: Call, scope: Mapping[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        field = getattr(call, "multipart", None)
        if field is not None:
            file = scope["file"]
            parts = [(field, (file["name"], file["content"], file["content_type"]))]
            form = fill(call.arguments, scope)
            return {"headers": headers, "parts": [*((n, (None, as_text(v))) for n, v in form.items()), *parts]}
        if method in ("GET", "DELETE") and not call.arguments:
            return {"headers": headers}
        body = to_json(fill(call.arguments, scope), self._options.decimals == "number")
        return {"headers": {**headers, "Content-Type": "application/json"}, "content": body.encode()}

    def _read(self, reply: Reply, call: Call) -> JsonAnswer:
        answer = JsonAnswer(reply.status_code, _parsed(reply.content))
        if isinstance(call, LookUp) and _expects(call, reply.status_code):
            return answer  # a look-up may say in its rules that, for example, 404 means: not there
        if reply.status_code == 401 and self._tokens is not None:
            self._tokens.forget()
        refusal = refusal_of(reply)
        if refusal is not None:
            raise StepStopped(self._meaning(reply, answer, refusal))
        if answer.content is UNREADABLE:
            raise stopped("answer.unreadable", f"HTTP {reply.status_code}")
        return answer

    def _meaning(self, reply: Reply, answer: JsonAnswer, refusal: Outcome) -> Outcome:
        known = {"refused": "answer.refused", "later": "http.later", "unsettled": "http.status"}
        code = known.get(self._options.statuses.get(reply.status_code, ""), getattr(refusal, "code", ""))
        message = self._options.reading.message
        reason = "; ".join(answer.texts(message)) if message and answer.content is not UNREADABLE else ""
        text = said(f"HTTP {reply.status_code} {reason}".strip())
        return outcome(code, text, getattr(refusal, "retry_after_s", None))


UNREADABLE = object()


class JsonAnswer:
    """A JSON document by path: `data/items/id` goes through lists, `items/0/id` picks, `@status` is HTTP's, `.` all."""

    def __init__(self, status: int, content: Any) -> None:
        self.status = status
        self.content = content

    def texts(self, path: str) -> list[str]:
        """Every scalar at the path, as text; null counts as nothing."""
        if path == "@status":
            return [str(self.status)]
        return [as_text(value) for value in self.at(path) if value is not None and not isinstance(value, (dict, list))]

    def at(self, path: str, apart: bool = True) -> list[Any]:
        """Every value at the path; a list at its end is taken `apart`, or left whole."""
        found = [self.content]
        for name in [] if path == "." else path.split("/"):
            found = [inner for value in found for inner in _inside(value, name)]
        return [inner for value in found for inner in (value if apart and isinstance(value, list) else [value])]


def path_of(template: str, scope: Mapping[str, Any]) -> str:
    """A path with its places filled, each value quoted, so that none can leave its segment."""
    quoted = {name: _quoted(value) for name, value in scope.items()}
    return str(fill(template, quoted))


def to_json(value: Any, exact_numbers: bool) -> str:
    """JSON text; Decimal as text or as an exact number, bytes as Base64, dates ISO."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(k))}:{to_json(v, exact_numbers)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(to_json(item, exact_numbers) for item in value) + "]"
    if isinstance(value, Decimal) and exact_numbers:
        return as_text(value)
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    return json.dumps(value, ensure_ascii=False, default=as_text)


def _rows(found: list[Any]) -> tuple[dict[str, Any], ...]:
    if not all(isinstance(row, dict) for row in found):
        raise LookUpFailed(reason="the rows of the answer are no objects")
    return tuple(found)


def _quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _quoted(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_quoted(inner) for inner in value]
    return quote(as_text(value), safe="") if value is not None and not isinstance(value, bytes) else value


def _inside(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        if name.isdigit():
            return [value[int(name)]] if int(name) < len(value) else []
        return [inner for item in value for inner in _inside(item, name)]
    return [value[name]] if isinstance(value, dict) and name in value else []


def _parsed(content: bytes) -> Any:
    if not content.strip():
        return None
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return UNREADABLE


def _expects(call: LookUp, status: int) -> bool:
    rules = (*call.found, *call.not_found)
    return any(rule.path == "@status" and rule.judge(JsonAnswer(status, None), {}) for rule in rules)
