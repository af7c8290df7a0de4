"""A connector's name to its class: the built-in table, then entry points `brama.connectors`; duplicates refused."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from connectors.base import Capabilities, Connector
from schemas import wrong
from schemas.errors import ConnectorError

GROUP = "brama.connectors"

BUILT_IN: dict[str, str] = {  # works without installation; loaded only when asked for
    "ezd_puw": "connectors.ezd_puw.connector:EzdPuwConnector",
    "ezd_rp": "connectors.ezd_rp.connector:EzdRpConnector",
    "fetch": "connectors.fetch:FetchConnector",
    "folder": "connectors.folder:FolderConnector",
    "rehearsal": "connectors.rehearsal:RehearsalConnector",
    "rest": "connectors.rest:RestConnector",
    "sftp": "connectors.sftp:SftpConnector",
    "soap": "connectors.soap:SoapConnector",
    "sql": "connectors.sql:SqlConnector",
}

EXTRAS = {"sftp": "sftp"}  # connectors that need more than the package itself; sql names its own by database


def names() -> list[str]:
    """Every connector that can be named in a route, sorted."""
    return sorted(_table())


def load(name: str) -> type[Any]:
    """The connector's class.

    Raises: ConnectorError: `connector.unknown` (with the nearest name), `connector.duplicate`,
            `connector.broken` when its module or an extra it needs cannot be imported.
    """
    table = _table()
    if name not in table:
        raise ConnectorError(
            "connector.unknown", name=name, nearest=_nearest(name, table) or "–", known=", ".join(names())
        )
    module, _, attribute = table[name].partition(":")
    try:
        return cast("type[Any]", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        hint = f"; install brama[{EXTRAS[name]}]" if name in EXTRAS else ""
        raise ConnectorError("connector.broken", name=name, reason=f"{error}{hint}") from error


def build(name: str, options: dict[str, Any], answer_trust: Any = None) -> Connector:
    """One connector instance from its options.

    `answer_trust` (connectors.wsse.AnswerTrust) judges signed answers; given to connectors that take one.
    Raises: ConnectorError: as `load`; `connector.options_wrong` with `problems`: one sentence for every wrong option.
    """
    kind = load(name)
    return construct(kind, read_options(kind, name, options), answer_trust)


def construct(kind: type[Any], options: Any, answer_trust: Any = None) -> Connector:
    """One instance; the verifier of signed answers goes to connectors that take one (`takes_answer_trust`)."""
    takes_trust = getattr(kind, "takes_answer_trust", False)
    return cast("Connector", kind(options, answer_trust) if takes_trust else kind(options))


def read_options(kind: type[Any], name: str, options: dict[str, Any]) -> Any:
    """The options as their typed model; refuses with every problem at once."""
    model: type[BaseModel] = kind.options_model
    try:
        return model.model_validate(options)
    except ValidationError as error:
        problems = [_problem(model, dict(item)) for item in error.errors(include_url=False, include_input=False)]
        raise ConnectorError("connector.options_wrong", name=name, problems="; ".join(problems)) from None


def describe() -> list[dict[str, Any]]:
    """For `connector list --json`: name, summary, capabilities, and the options' JSON Schema of each connector.

    `capabilities` is null where they depend on the options; `unproven` names what no test of ours has met. A connector
    that cannot be loaded shows `broken` instead.
    """
    return [_described(name) for name in names()]


def _described(name: str) -> dict[str, Any]:
    try:
        kind = load(name)
    except ConnectorError as error:
        return {"name": name, "broken": error.facts.get("reason", error.code)}
    capabilities = getattr(kind, "capabilities", None)
    return {
        "name": name,
        "summary": next(iter((inspect.getdoc(kind) or "").splitlines()), ""),
        "capabilities": capabilities.to_json() if isinstance(capabilities, Capabilities) else None,
        "unproven": list(getattr(kind, "unproven", ())),
        "options": kind.options_model.model_json_schema(),
    }


@cache
def _table() -> dict[str, str]:
    return merge(BUILT_IN, tuple(entry_points(group=GROUP)))


def merge(built_in: dict[str, str], found: tuple[EntryPoint, ...]) -> dict[str, str]:
    """Built-in connectors and installed ones; the same name for two different classes is refused.

    Raises: ConnectorError: `connector.duplicate`.
    """
    table = dict(built_in)
    for entry in found:
        if table.setdefault(entry.name, entry.value) != entry.value:
            raise ConnectorError("connector.duplicate", name=entry.name, first=table[entry.name], second=entry.value)
    return table


def _nearest(word: str, known: Any) -> str:
    return next(iter(get_close_matches(word, list(known), n=1)), "")


def _problem(model: type[BaseModel], item: dict[str, Any]) -> str:
    where = [str(part) for part in item["loc"]]
    path = ".".join(where) or "options"
    if item["type"] == "extra_forbidden":
        near = _nearest(where[-1], _known_keys(model, where[:-1]))
        hint = f" — czy chodziło o „{near}”? / did you mean {near}?" if near else ""
        return f"{path}: nieznany klucz / unknown key{hint}"
    if item["type"] == "missing":
        return f"{path}: brak / missing"
    return f"{path}: {wrong.said(item['msg'])}"


def _known_keys(model: type[BaseModel], where: list[str]) -> list[str]:
    """Keys allowed at a place; the names of the whole model where the place is inside a list or table."""
    schema = model.model_json_schema()
    if not where:
        return list(schema.get("properties", {}))
    return [key for part in schema.get("$defs", {}).values() for key in part.get("properties", {})]
