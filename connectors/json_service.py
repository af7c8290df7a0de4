"""One JSON service: makes a call, reads the answer by path, says what a failure means for an effect."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from connectors.chain import Call, LookUp, Reading, Rule, Step
from connectors.http import ExchangeFailed, Http, HttpOptions, Reply, refusal_of
from connectors.oauth import Tokens
from connectors.outcomes import outcome, said, stopped
from connectors.values import as_text, fill
from schemas.delivery import Outcome, StepStopped

OK = (Rule(path="@status", matches=r"2\d\d"),)


class JsonServiceOptions(HttpOptions):
    """How one JSON service is spoken to."""

    base_url: str = Field(description="What every path starts with, e.g. https://api.gmina.example/v1.")
    reading: Reading = Field(default=Reading(success=OK, message="detail"), description="What answers mean.")
    idempotency_header: str | None = Field(default="Idempotency-Key", description="Carries our key; empty: not sent.")
    statuses: dict[int, Literal["refused", "later", "unsettled"]] = Field(
        default_factory=dict, description="What a status means here, instead of the rule for all."
    )
    decimals: Literal["text", "number"] = Field(default="text", description="How amounts are written in JSON.")


class JsonService:
    """Makes one call and reads its JSON. Safe to use from several threads."""

    def __init__(
        self,
        options: JsonServiceOptions,
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
        return self._read(reply, call, scope)

    def ready(self) -> None:
        """Have a token. Raises: StepStopped `http.no_token`."""
        if self._tokens is not None:
            self._tokens.current()

    def _key(self, call: Call, scope: Mapping[str, Any]) -> dict[str, str]:
        """One key for each effect, the same in every try: ours, the step, and the file of a step done for each."""
        header = self._options.idempotency_header
        if header is None or not isinstance(call, Step):
            return {}
        file = f".{scope['file']['id']}" if call.for_each else ""
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

    def _read(self, reply: Reply, call: Call, scope: Mapping[str, Any]) -> JsonAnswer:
        answer = JsonAnswer(reply.status_code, _parsed(reply.content))
        if isinstance(call, LookUp) and _expects(call, reply.status_code):
            return answer  # a look-up may say in its rules that, for example, 404 means: not there
        if isinstance(call, Step) and any(rule.judge(answer, scope) for rule in self._options.reading.already):
            return answer  # "already there" comes with any status, 409 above all
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
        found = [] if self.content is UNREADABLE else [self.content]
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
