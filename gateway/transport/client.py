"""One call to one of ePUAP's services: zeep makes the message from our WSDL, we send it once and read what comes back.

zeep does not read answers: it turns bad values into None. Whether a failed call may have had an effect is told by the
class of the error (see `schemas.errors.ServiceError`).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import zeep
from lxml import etree

from connectors import mtom
from connectors.http import AnswerLost, NotSent, Reply
from connectors.kept import Use
from gateway import resources
from schemas.errors import (
    BramaError,
    EnvelopeUnreadable,
    ServiceDeferred,
    ServiceError,
    ServiceRefused,
    ServiceUnreachable,
    ServiceUnsettled,
)
from schemas.octets import Octets
from schemas.xmldoc import SOAP11, Limits, qname

from . import soap
from .wsse import MessageSigner, StandsFor

XML = "text/xml; charset=utf-8"
MARK = secrets.token_bytes(24)  # stands for the one big value of a call; nobody can guess it
UNDERSTOOD = frozenset({soap.WSSE})
CONNECTIONS = {  # which operations may go over a kept connection; every other one has an effect and gets its own
    "oczekujaceDokumenty": Use.QUESTION,
    "pobierzNastepny": Use.QUESTION,
    "potwierdzOdebranie": Use.KEPT,  # never said twice: the head of the queue shows whether it was heard
    "zawartoscSkladu": Use.QUESTION,
    "pobierzDokument": Use.QUESTION,
    "verifySignedDocument": Use.QUESTION,
}
Values = Mapping[str, Any] | etree._Element


class Exchange(Protocol):
    """`connectors.http.Http`, or anything that keeps its promise about the first byte."""

    def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes | Octets,
        headers: dict[str, str],
        into: Callable[[bytes], object] | None = None,
        use: Use = Use.FRESH,
    ) -> Reply:
        """`into` gets the answer's body as it comes. Raises NotSent, AnswerLost."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one service is called."""

    address: str
    http: Exchange
    signer: MessageSigner | None = None  # None only where the other side asks for no signature
    check: Callable[[bytes], None] | None = None  # judges an answer's signature; raises MessageUntrusted
    signed_faults: bool = False  # whether Faults must be signed too; not documented, so not demanded
    later: frozenset[str] = frozenset()  # numbers (kod) by which it says: not done, ask again later
    answer_limit_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The element in the Body, and the whole answer as received (parts put together)."""

    element: etree._Element
    raw: bytes


class ServiceClient:
    """One service of `xsd/epuap/<wsdl>`. Made once; calls may come from several threads."""

    def __init__(self, wsdl: str, endpoint: Endpoint) -> None:
        self.name = wsdl.removesuffix(".wsdl")
        self._wsdl = resources.folder("xsd") / "epuap" / wsdl
        self._endpoint = endpoint

    def call(self, operation: str, values: Values, headers: Mapping[str, Any] | None = None) -> ServiceAnswer:
        """Call one operation once.

        Args:    values: children of the Body's element by name, or the one element it holds.
                 headers: header blocks by their part names in the WSDL; None values are left out.
        Raises:  ServiceUnreachable: no effect; ServiceDeferred: the same, by its own word.
                 ServiceRefused: a no, with its own number and text.
                 ServiceUnsettled: a server's Fault in nobody's words, and anything else after sending.
                 MessageUntrusted: the answer's signature does not hold; after an effect that is unsettled too.
        """
        message, action = self._message(operation, values, headers or {})
        return self._answer(self._exchanged(message, action, use=CONNECTIONS.get(operation, Use.FRESH)))

    def call_with(self, operation: str, values: Mapping[str, Any], big: Octets, *, in_parts: bool) -> ServiceAnswer:
        """As `call`, with one value that is sent in pieces and never in memory.

        Args: values: `MARK` among them says where `big` belongs.
              in_parts: beside the envelope (MTOM) instead of inside it as base64; what is signed is the same.
        """
        mark, text = base64.b64encode(MARK), big.base64()
        envelope, action = self._envelope(operation, values, {}, StandsFor(mark, text))
        head, tail = _written(envelope).split(mark)
        if not in_parts:
            return self._answer(self._exchanged(text.between(head, tail), action))
        name = mtom.part_name()
        before, after, kind = mtom.around(head + mtom.include(name) + tail, name, XML)
        return self._answer(self._exchanged(big.between(before, after), action, content_type=kind))

    def _answer(self, reply: Reply) -> ServiceAnswer:
        try:
            raw = mtom.whole(reply.content, reply.headers.get("Content-Type", ""))
            answer = soap.parse(raw, Limits(size_bytes=self._endpoint.answer_limit_bytes), UNDERSTOOD)
            element = answer.body[0]
        except (BramaError, IndexError) as error:
            raise self._unsettled(f"HTTP {reply.status_code}", error) from error
        is_fault = element.tag == qname(SOAP11, "Fault")
        if self._endpoint.check is not None and (self._endpoint.signed_faults or not is_fault):
            self._endpoint.check(raw)
        if is_fault:
            raise self._fault(element)
        return ServiceAnswer(element, raw)

    def call_into(self, operation: str, values: Values, into: Callable[[bytes], object]) -> str:
        """Call one operation once and pass its answer on, octet for octet as it comes, unread; its Content-Type.

        Raises: ServiceUnreachable: no effect. ServiceUnsettled: the answer did not come whole.
        """
        message, action = self._message(operation, values, {})
        return self._exchanged(message, action, into).headers.get("Content-Type", "")

    def message(self, operation: str, values: Values, headers: Mapping[str, Any] | None = None) -> bytes:
        """The message that `call` would send, signed."""
        return self._message(operation, values, headers or {})[0]

    @cached_property
    def _client(self) -> Any:
        """Read from the WSDL when first needed."""
        library: Any = zeep  # untyped
        settings = library.Settings(strict=True, forbid_external=True, xml_huge_tree=True)
        return library.Client(str(self._wsdl), settings=settings)

    def _message(self, operation: str, values: Values, headers: Mapping[str, Any]) -> tuple[bytes, str]:
        envelope, action = self._envelope(operation, values, headers)
        return _written(envelope), action

    def _envelope(
        self, operation: str, values: Values, headers: Mapping[str, Any], big: StandsFor | None = None
    ) -> tuple[etree._Element, str]:
        blocks = {name: value for name, value in headers.items() if value is not None}
        named, content = (values, ()) if isinstance(values, Mapping) else ({}, ("",))
        extra = {"_soapheaders": blocks} if blocks else {}
        envelope = self._client.create_message(self._client.service, operation, *content, **named, **extra)
        if not isinstance(values, Mapping):  # zeep has no way to put an element into xs:anyType
            envelope.find(qname(SOAP11, "Body"))[0].append(values)
        if self._endpoint.signer is not None:
            self._endpoint.signer.sign(envelope, big)
        return envelope, str(self._client.service._binding.get(operation).soapaction)

    def _exchanged(
        self,
        message: bytes | Octets,
        action: str,
        into: Callable[[bytes], object] | None = None,
        use: Use = Use.FRESH,
        content_type: str = XML,
    ) -> Reply:
        headers = {"Content-Type": content_type, "SOAPAction": f'"{action}"'}
        try:
            return self._endpoint.http.send(
                "POST", self._endpoint.address, content=message, headers=headers, into=into, use=use
            )
        except NotSent as error:
            raise ServiceUnreachable(service=self.name, reason=error.facts.get("reason", "")) from error
        except AnswerLost as error:
            raise self._unsettled("", error) from error

    def refusal(self, number: object, text: str) -> ServiceError:
        """The other side's no, in its own number and words."""
        if str(number) in self._endpoint.later:
            return ServiceDeferred(service=self.name, number=number, text=text, reason=f"{number} {text}")
        return ServiceRefused(service=self.name, number=number, text=text)

    def _fault(self, fault: etree._Element) -> ServiceError:
        """ePUAP's own exception (Wyjatek) is a no. A server's Fault without it says only that something broke: there,
        or on the way back, when all was done.
        """
        code = (fault.findtext("faultcode") or "").strip()
        if fault.find("detail/*/kod") is None and code.rpartition(":")[2].partition(".")[0] == "Server":
            words = (fault.findtext("faultstring") or "").strip()
            return ServiceUnsettled(service=self.name, reason=f"{code} {words}".strip()[:300], number=code, text=words)
        said = refusal(self.name, fault)
        return self.refusal(said.facts["number"], said.facts["text"])

    def _unsettled(self, seen: str, error: Exception) -> ServiceUnsettled:
        code = error.code if isinstance(error, BramaError) else type(error).__name__
        return ServiceUnsettled(service=self.name, reason=f"{seen} {code}".strip())


def _written(envelope: etree._Element) -> bytes:
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def refusal(service: str, fault: etree._Element) -> ServiceRefused:
    """The number and words of the other side: `detail/*{kod, komunikat}`, else those of the Fault itself."""
    number = fault.findtext("detail/*/kod") or fault.findtext("faultcode") or ""
    words = fault.findtext("detail/*/komunikat") or fault.findtext("faultstring") or ""
    return ServiceRefused(service=service, number=number.strip(), text=words.strip())


def status_of(answer: ServiceAnswer, path: str = "status") -> tuple[int, str]:
    """`kod` and `komunikat` of an answer, word for word. Raises EnvelopeUnreadable: there is no number."""
    holder = answer.element.find(path) if path else answer.element
    number = "" if holder is None else holder.findtext("kod", "").strip()
    if holder is None or not number.lstrip("-").isdigit():
        raise EnvelopeUnreadable("intake.part_missing", part=f"{path or 'status'}/kod")
    return int(number), holder.findtext("komunikat", "").strip()
