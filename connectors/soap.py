"""Any SOAP service by configuration: zeep builds and sends the request, XPath reads the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Literal, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

import zeep
import zeep.exceptions
from lxml import etree
from pydantic import Field, model_validator
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connectors.base import Capabilities, LookUpFailed, Options, QueryAnswer
from connectors.chain import Call, Chain, Reading, Step, paths_of
from connectors.clock import now
from connectors.http import ExchangeFailed, Http, HttpOptions, NotSent, Reply, refusal_of
from connectors.mtom import octets_in, packed
from connectors.outcomes import as_error, outcome, stopped, technical
from connectors.queries import QueryCache
from connectors.soap_answer import SoapAnswer, SoapQuery, envelope_of, read_fault, rows_of, to_xpath
from connectors.values import ValuesMissing, fill
from connectors.wsse import SOAP12, AnswerTrust, WsSecurity, answer_check, plugins
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps, StepStopped
from schemas.errors import BramaError, ConnectorError, DocumentUnreadable
from schemas.xmldoc import SOAP11, Limits, parse

_FILES: ContextVar[tuple[bytes, ...]] = ContextVar("files", default=())  # in the call that zeep is just making
_OUR_MISTAKE = frozenset({"Client", "Sender"})
_CONTRACT = frozenset({"MustUnderstand", "VersionMismatch", "DataEncodingUnknown"})


class SoapOptions(HttpOptions):
    """One SOAP service: where its WSDL is, the calls that make a delivery, and what its answers mean."""

    wsdl: str = Field(description="URL or path of the WSDL.")
    service: str | None = Field(default=None, description="Service in the WSDL; empty: the first.")
    port: str | None = Field(default=None, description="Port of the service; empty: the first.")
    address: str | None = Field(default=None, description="Endpoint instead of the one in the WSDL.")
    load_timeout_s: float = Field(default=15.0, gt=0, le=120, description="Longest wait for one WSDL or XSD file.")
    imports: Literal["none", "same_origin"] = Field(
        default="none",
        description="Whether a WSDL may load further files, and then only from its own server or folder.",
    )
    namespaces: dict[str, str] = Field(default_factory=dict, description="Prefixes for XPath in paths.")
    reading: Reading = Field(description="What answers mean.")
    step: tuple[Step, ...] = Field(min_length=1, description="The calls of a delivery, in order.")
    reference: str | None = Field(
        default=None, description="Template of the reference, e.g. `{steps.register.number}`."
    )
    queries: dict[str, SoapQuery] = Field(default_factory=dict, description="dues, arrears, case_status …")
    ws_security: WsSecurity | None = Field(default=None, description="WS-Security header.")
    files: Literal["inline", "mtom"] = Field(
        default="inline", description="Files in requests: as base64 in the envelope, or beside it (MTOM/XOP)."
    )
    faults: dict[str, Literal["refused", "later", "unsettled"]] = Field(
        default_factory=dict, description="By faultcode's or detail element's local name, instead of the rule for all."
    )
    repeat: Literal["safe"] | None = Field(
        default=None, description="`safe` only if the office itself refuses a second record with our key."
    )

    @model_validator(mode="after")
    def _readable(self) -> SoapOptions:
        rows = [question.rows for question in self.queries.values()]
        for path in (*paths_of(self.reading, self.step, self.queries.values()), *rows):
            try:
                etree.XPath(to_xpath(path), namespaces=self.namespaces or None)
            except etree.XPathError as error:
                raise ValueError(f"path {path}: {error}") from None
        return self


class SoapConnector:
    """Deliver by calls to a SOAP service described in the options."""

    options_model: ClassVar[type[Options]] = SoapOptions
    takes_answer_trust: ClassVar[bool] = True

    def __init__(self, options: SoapOptions, answer_trust: AnswerTrust | None = None) -> None:
        self.service = Service(options, check_answer=answer_check(options.ws_security, answer_trust))
        self.chain = Chain(options.step, options.reading, self.service, options.reference)
        self._queries = options.queries
        self._answers = QueryCache(options.query_cache_s)
        self.capabilities = Capabilities(
            repeat=Repeat.SAFE if options.repeat == "safe" else self.chain.repeat,
            look_up=any(step.find for step in options.step),
            attachments=any(step.for_each for step in options.step),
            queries=frozenset(options.queries),
            max_calls=calls_of(options.step) + 1,  # the WSDL
            step_calls=1,
        )

    def check(self) -> None:
        """Load the WSDL anew and see that every operation is in it. Calls none."""
        self.service.check([call for step in self.chain.steps for call in (step, step.find) if call])

    def find(self, key: str) -> str | None:
        """Ask with the steps' look-ups; see Chain.find."""
        return self.chain.find(key)

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Make the calls that were not made yet."""
        return self.chain.deliver(record, key, steps)

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        """One of the configured questions. Raises: LookUpFailed."""
        question = self._queries.get(name)
        if question is None:
            raise LookUpFailed(reason=f"no query {name}")
        return self._answers.get(name, parameters, lambda: self._ask(name, question, parameters))

    def _ask(self, name: str, question: SoapQuery, parameters: dict[str, Any]) -> QueryAnswer:
        asked, scope = now(), {"parameters": parameters}
        try:
            answer = self.service(question, scope)
        except StepStopped as stop:
            raise LookUpFailed(reason=getattr(stop.outcome, "code", "")) from stop
        except ValuesMissing as error:
            raise LookUpFailed(reason=", ".join(error.names)) from error
        return QueryAnswer(name, asked, rows_of(question, answer, scope))


def calls_of(steps: tuple[Step, ...], files: int = 8) -> int:
    """How many calls one delivery may make, look-ups of doubtful steps included; `files` at most."""
    return sum((2 if step.find else 1) * (files if step.for_each else 1) for step in steps)


class Service:
    """One SOAP service: loads its WSDL once, makes calls, reads answers. Safe to use from several threads."""

    def __init__(
        self,
        options: SoapOptions,
        headers: Callable[[], dict[str, str]] | None = None,
        check_answer: Callable[[bytes], None] | None = None,
    ) -> None:
        self._options = options
        self._wsse = plugins(options.ws_security)
        self._check_answer = check_answer
        self._transport = _Transport(options, headers)
        self._lock = threading.Lock()
        self._proxy: Any = None

    def __call__(self, call: Call, scope: Mapping[str, Any]) -> SoapAnswer:
        """Make one call. Raises: StepStopped, with what the failure means for an effect."""
        try:
            reply = self._send(call.operation, fill(call.arguments, scope))
        except ExchangeFailed as error:
            raise StepStopped(error.outcome()) from error
        return self._read(reply)

    def ready(self) -> None:
        """Have the WSDL. Raises: StepStopped `soap.contract_unavailable`."""
        self._load()

    def check(self, calls: list[Call]) -> None:
        """Raises: ConnectorError: WSDL not loadable, operation not in it."""
        self._proxy = None
        try:
            proxy = self._load()
        except StepStopped as stop:
            raise as_error(stop) from stop
        known = sorted(proxy._operations)
        for call in calls:
            if call.operation not in known:
                raise ConnectorError("soap.contract_mismatch", operation=call.operation, known=", ".join(known))

    def _send(self, operation: str, arguments: dict[str, Any]) -> Reply:
        proxy = self._load()
        token = _FILES.set(tuple(octets_in(arguments)))
        try:
            reply: Reply = proxy[operation](**arguments)
        except (TypeError, AttributeError, zeep.exceptions.LookupError) as error:
            raise stopped("soap.contract_mismatch", f"{operation}: {technical(error)}") from error
        except (ValueError, zeep.exceptions.Error) as error:
            raise stopped("soap.argument_invalid", f"{operation}: {technical(error)}") from error
        finally:
            _FILES.reset(token)
        return reply

    def _load(self) -> Any:
        with self._lock:
            if self._proxy is None:
                self._proxy = self._new_proxy()
            return self._proxy

    def _new_proxy(self) -> Any:
        options = self._options
        settings = zeep.Settings(
            raw_response=True, forbid_external=options.imports == "none", forbid_dtd=True, forbid_entities=True
        )
        try:
            client = zeep.Client(options.wsdl, wsse=self._wsse or None, transport=self._transport, settings=settings)  # type: ignore[no-untyped-call]
            proxy = client.bind(options.service, options.port)
        except Exception as error:  # a foreign WSDL can fail in any way; nothing was sent
            raise stopped("soap.contract_unavailable", technical(error)) from error
        if proxy is None:
            raise stopped("soap.contract_unavailable", "no service in the WSDL")
        if options.address:
            proxy._binding_options["address"] = options.address
        return proxy

    def _read(self, reply: Reply) -> SoapAnswer:
        envelope = envelope_of(reply)
        body = self._body(envelope)
        if body is None:
            raise StepStopped(refusal_of(reply) or outcome("answer.unreadable", f"HTTP {reply.status_code}"))
        self._believe(envelope)
        if etree.QName(body).localname == "Fault":
            raise StepStopped(self._fault(body))
        refusal = refusal_of(reply)
        if refusal is not None:
            raise StepStopped(refusal)
        return SoapAnswer(body, self._options.namespaces)

    def _body(self, envelope: bytes) -> etree._Element | None:
        """The first element in the Body, or None when this is no SOAP answer."""
        try:
            root = parse(envelope, Limits(size_bytes=self._options.max_answer_bytes)).getroot()
        except DocumentUnreadable:
            return None
        for namespace in (SOAP11, SOAP12):
            found = root.find(f"{{{namespace}}}Body/*") if root.tag == f"{{{namespace}}}Envelope" else None
            if found is not None:
                return found
        return None

    def _believe(self, content: bytes) -> None:
        if self._check_answer is None:
            return
        try:
            self._check_answer(content)
        except BramaError as error:
            raise stopped("answer.untrusted", error.code) from error

    def _fault(self, fault: etree._Element) -> Outcome:
        code, text, details = read_fault(fault)
        for name in (*details, code):
            if name in self._options.faults:
                known = {"refused": "soap.fault_refused", "later": "soap.fault_later", "unsettled": "soap.fault"}
                return outcome(known[self._options.faults[name]], text)
        if code in _CONTRACT:
            return outcome("soap.contract_mismatch", text)
        return outcome("soap.fault_refused" if code in _OUR_MISTAKE else "soap.fault", text)


class _Transport(zeep.Transport):
    """zeep's way out, through our exchange; loading is repeatable and so retried, posting never is."""

    def __init__(self, options: SoapOptions, headers: Callable[[], dict[str, str]] | None) -> None:
        super().__init__(cache=None, timeout=options.load_timeout_s, operation_timeout=options.timeout_s)  # type: ignore[no-untyped-call]
        self._options = options
        self._http = Http(options)
        self._more = headers or dict

    def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Reply:
        """The finished envelope, as the office wants its files. Raises: NotSent, AnswerLost."""
        if self._options.files == "mtom":
            message, kind = packed(envelope, _FILES.get(), headers["Content-Type"])
            return self.post(address, message, {**headers, "Content-Type": kind})
        return cast("Reply", super().post_xml(address, envelope, headers))  # type: ignore[no-untyped-call]

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Reply:
        """The envelope, once. Raises: NotSent, AnswerLost."""
        return self._http.send("POST", address, content=message, headers={**headers, **self._more()})

    def load(self, url: str) -> bytes:
        """A WSDL or XSD file of the service's own origin."""
        if not self._own(url):
            raise ConnectorError("soap.contract_unavailable", reason=f"import from elsewhere refused: {url}")
        if urlsplit(url).scheme in ("http", "https"):
            return self._fetch(url)
        return Path(url2pathname(urlsplit(url).path) if url.startswith("file:") else url).read_bytes()

    @retry(
        retry=retry_if_exception_type(NotSent),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    def _fetch(self, url: str) -> bytes:
        reply = self._http.send("GET", url, timeout_s=self._options.load_timeout_s)
        if reply.status_code != 200:
            raise ConnectorError("soap.contract_unavailable", reason=f"HTTP {reply.status_code}")
        return reply.content

    def _own(self, url: str) -> bool:
        home, wanted = self._options.wsdl, url
        if urlsplit(home).scheme in ("http", "https"):
            return urlsplit(wanted)[:2] == urlsplit(home)[:2]
        folder = Path(url2pathname(urlsplit(home).path) if home.startswith("file:") else home).resolve().parent
        path = Path(url2pathname(urlsplit(wanted).path) if wanted.startswith("file:") else wanted)
        return urlsplit(wanted).scheme in ("", "file") and path.resolve().is_relative_to(folder)
