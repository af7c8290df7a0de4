"""What the steps work with: one frozen value, made in app.py (or by a test) and handed down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from connectors.base import Connector
from gateway.clock import Clock
from gateway.config import Config
from gateway.policy import Rules
from gateway.store.database import Store
from schemas.case import Case, MessageFacts
from schemas.files import Fetched, RepositoryFile
from schemas.finding import Finding, FormInfo, Validation
from schemas.opinion import Opinion
from schemas.outgoing import Post, ReceiptSource
from schemas.receipt import Receipt
from schemas.submission import Submission
from schemas.verification import Verification


@dataclass(frozen=True, slots=True)
class Office:
    """One configured connector with what the engine needs to know of its options."""

    connector: Connector
    timeout_s: float = 20.0
    settle_delay_s: float = 60.0
    max_concurrent: int | None = None
    rate_per_s: float | None = None
    burst: int = 1

    @property
    def longest_s(self) -> float:
        """How long one delivery may be busy with remote calls before it looks at its lease again, as each step does."""
        can = self.connector.capabilities
        return self.timeout_s * (can.max_calls if can.step_calls is None else can.step_calls)


class Offices(Protocol):
    """Configured connectors by tenant and name."""

    def get(self, tenant: str, connector: str) -> Office:
        """Built once, shared by all threads. Raises ConnectorError or ConfigError."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """What answers to citizens go out with."""

    seal: Callable[[bytes, datetime], bytes]  # a document's octets → the same with our signature set in; ReceiptError
    post: Callable[[str], Post]  # a tenant's channel; ConfigError
    check: Callable[[bytes, bytes | None], Any]  # a receipt, the document it may be for → ReceiptCheck
    doubt: Callable[[bytes], str | None]  # what speaks against a PDF of ours going out as signed: a code
    receipts: Callable[[str], ReceiptSource] | None = None  # of what a tenant received; ConfigError


class Repository(Protocol):
    """One gmina's store of big files; see `gateway.transport.filerepo.FileRepository`."""

    def download(self, file_id: str, into: Callable[[bytes], object]) -> str:
        """The answer as it comes; its Content-Type. Raises ServiceUnreachable, ServiceUnsettled."""
        ...

    def read(self, answer: Path, content_type: str) -> Fetched:
        """A stored answer. Raises ServiceRefused, EnvelopeUnreadable."""
        ...

    def upload(self, file: RepositoryFile) -> str:
        """Put a file in; its id, or an address that holds it. Repeating it does no harm. Raises ServiceError."""
        ...


@dataclass(frozen=True, slots=True)
class FileTools:
    """What big files are fetched with, and those of our letters put up."""

    repository: Callable[[str], Repository]  # of a tenant; ConfigError
    spool: Path  # the folder of this machine where answers are written first
    judge: Callable[[Path, str, str], tuple[str | None, tuple[Finding, ...]]]  # file, tenant, declared type


@dataclass(frozen=True, slots=True)
class Tools:
    """Steps as callables bound to their data: a document in, a value out; none of them knows of the others."""

    config: Config
    store: Store
    clock: Clock
    offices: Offices
    verify: Callable[..., Verification]  # a document; its SHA-256 as `sha256`
    check: Callable[[bytes, date, str | None], Validation]  # day of receipt in Poland, tenant
    rules: Callable[[str | None, FormInfo | None], Rules]  # of a tenant's form
    seal: Callable[[Submission], Receipt | None]  # our UPO; None where somebody else issues it
    map: Callable[[bytes, MessageFacts], Case]
    record: Callable[[dict[str, Any], str], dict[str, Any]]  # case JSON, record mapping → fields of an office
    worker: str  # name of this process in attempts and leases
    verify_again: Callable[[bytes, datetime], Verification] | None = None  # a document received then, judged now
    mail: Mail | None = None  # None: nothing is answered from here
    second_opinion: Callable[[bytes], Opinion] | None = None  # of Profil Zaufany's service; None: nobody is asked
    files: FileTools | None = None  # None: no big files are fetched from here
