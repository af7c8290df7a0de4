"""What a SOAP answer says: its payload by path, its Fault by code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from pydantic import Field

from connectors.base import LookUpFailed
from connectors.chain import LookUp
from connectors.http import Reply
from connectors.mtom import whole
from connectors.outcomes import said
from connectors.wsse import SOAP12
from schemas.errors import EnvelopeUnreadable

_NAMES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./")


class SoapQuery(LookUp):
    """A question; every element at `rows` becomes one row of its children's names and texts."""

    rows: str = Field(description="Path of the elements that are the rows.")


def rows_of(question: SoapQuery, answer: SoapAnswer, scope: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What was answered; empty only where `not_found` holds.

    Raises: LookUpFailed: neither holds. An answer that is not understood must never pass for "nothing owed".
    """
    if all(rule.judge(answer, scope) for rule in question.found):
        return tuple(answer.rows(question.rows))
    if question.not_found and all(rule.judge(answer, scope) for rule in question.not_found):
        return ()
    raise LookUpFailed(reason="the answer says neither found nor not found")


def envelope_of(reply: Reply) -> bytes:
    """The envelope's bytes, of an MTOM answer put together from its parts; empty where they do not make one."""
    try:
        return whole(reply.content, reply.headers.get("Content-Type", ""))
    except EnvelopeUnreadable:
        return b""


def read_fault(fault: etree._Element) -> tuple[str, str, list[str]]:
    """A Fault of SOAP 1.1 or 1.2: the code's local name without subcode, its text, names of the detail elements."""
    code = fault.findtext("faultcode") or fault.findtext(f"{{{SOAP12}}}Code/{{{SOAP12}}}Value") or ""
    text = fault.findtext("faultstring") or fault.findtext(f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text") or ""
    detail = fault.find("detail")
    detail = fault.find(f"{{{SOAP12}}}Detail") if detail is None else detail
    names = [] if detail is None else [etree.QName(part).localname for part in detail if isinstance(part.tag, str)]
    return code.strip().rpartition(":")[2].partition(".")[0], said(text), names


class SoapAnswer:
    """The payload of an answer. A path of plain names matches whatever the namespaces are; all else is XPath."""

    def __init__(self, body: etree._Element, namespaces: dict[str, str]) -> None:
        self.body = body
        self._namespaces = namespaces

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Each matching element as local name → text of its children."""
        found = etree.XPath(to_xpath(path), namespaces=self._namespaces or None)(self.body)
        elements = [item for item in found if isinstance(item, etree._Element)] if isinstance(found, list) else []
        return [{etree.QName(part).localname: _text(part) for part in row.iterchildren("{*}*")} for row in elements]

    def texts(self, path: str) -> list[str]:
        """Text of every match, the answer's own element being the context node."""
        found = etree.XPath(to_xpath(path), namespaces=self._namespaces or None)(self.body)
        if not isinstance(found, list):
            return [str(found)]
        return [str(item.xpath("string()")) if isinstance(item, etree._Element) else str(item) for item in found]


def _text(element: etree._Element) -> str | None:
    """All of it: a comment inside, which no signature covers, does not cut it short. None when empty."""
    return str(element.xpath("string()", smart_strings=False)) or None


def to_xpath(path: str) -> str:
    """`Result/Status` → the same by local names, anywhere below; anything else stays as it is."""
    if set(path) <= _NAMES and not path.startswith((".", "/")):
        steps = [f"*[local-name()='{name}']" for name in path.split("/")]
        return "descendant-or-self::*/" + "/".join(steps)
    return path
