"""What answers go out with, wired from the configuration: our seal, each gmina's channel, and a judge of receipts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from gateway.channels import endpoint
from gateway.clock import Clock
from gateway.config import Config
from gateway.receipt import ReceiptCheck, check_receipt
from gateway.receipts.document import seal_document
from gateway.seals import Seals
from gateway.signatures import TrustPolicy
from gateway.tools import Mail
from gateway.transport.post import EpuapPost
from gateway.transport.receipts import EpuapReceipts
from gateway.transport.send import Portal, ReceiptService, Sender
from schemas.errors import ConfigError, ReceiptError
from schemas.outgoing import LookUp, Post, ReceiptSource


def mail_of(
    config: Config, seals: Seals, trust: TrustPolicy, clock: Clock, doubt: Callable[[bytes], str | None]
) -> Mail:
    """Nothing is read or opened before the first answer needs it."""
    posts = Posts(config, clock)
    return Mail(
        seal=partial(_seal, seals),
        post=posts.get,
        check=partial(_check, trust),
        doubt=doubt,
        receipts=posts.receipts,
    )


class Posts:
    """One channel per gmina, built when first needed and shared by all threads."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._built: dict[str, Post] = {}
        self._lock = threading.Lock()

    def get(self, teryt: str) -> Post:
        """Raises ConfigError: no such tenant, no key, no pinned certificate."""
        with self._lock:
            if teryt not in self._built:
                self._built[teryt] = self._build(teryt)
            return self._built[teryt]

    def receipts(self, teryt: str) -> ReceiptSource:
        """Where the receipts of what a gmina received are had from. Raises ConfigError as `get`."""
        subject = self._subject(teryt)
        obtain = self._config.gateway.receipt.obtain
        stores = endpoint(self._config, self._config.gateway.epuap.stores_url)
        return EpuapReceipts(
            Portal(stores, subject) if "stores" in obtain.sources else None,
            ReceiptService(endpoint(self._config, obtain.service_url), subject)
            if "service" in obtain.sources
            else None,
        )

    def _build(self, teryt: str) -> Post:
        settings, subject = self._config.gateway.epuap, self._subject(teryt)
        return EpuapPost(
            Sender(
                endpoint(self._config, settings.skrytka_url), endpoint(self._config, settings.doreczyciel_url), subject
            ),
            Portal(endpoint(self._config, settings.stores_url), subject),
            now=self._clock.now,
            timeout_s=settings.timeout_s,
            settle_s=settings.sent_settle_s,
            look_up=LookUp(settings.sent_store),
            due_days=self._config.tenants[teryt].answers.collect_within_days,
        )

    def _subject(self, teryt: str) -> str:
        """The institution in ePUAP."""
        tenant = self._config.tenants.get(teryt)
        if tenant is None:
            raise ConfigError([f"tenants: {teryt}: nie ma takiej gminy / no such tenant"])
        return tenant.subject or tenant.mailboxes[0].strip("/").partition("/")[0]


def _seal(seals: Seals, octets: bytes, at: datetime) -> bytes:
    """Our seal on a document; without a time-stamp where the authority does not answer and none is required."""
    key = seals.key(at)
    try:
        return seal_document(octets, key, at, seals.stamp)
    except ReceiptError as error:
        if error.code != "receipt.time_stamp_unavailable" or seals.stamp_required:
            raise
        return seal_document(octets, key, at)


def _check(trust: TrustPolicy, receipt: bytes, document: bytes | None) -> ReceiptCheck:
    return check_receipt(receipt, document, trust)
