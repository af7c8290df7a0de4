"""Our seals as configured: which key seals at a moment, with a time-stamp where one is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import SecretStr

from gateway.config import Config, SealKeyConfig, secret
from gateway.keys import KeyOptions, KeyRing, SigningKey, load
from gateway.receipt import SealKey, TimeStamper, UppFacts, issue_upp
from schemas.errors import ReceiptError, TrustError
from schemas.receipt import Receipt

log = structlog.get_logger()


@dataclass(frozen=True)
class Seals:
    """The keys around a roll-over; `stamp_required`: no receipt without a time-stamp."""

    ring: KeyRing
    stamp: TimeStamper | None = None
    stamp_required: bool = False

    def key(self, at: datetime) -> SealKey:
        """The key that seals now. Raises ReceiptError: `receipt.no_seal` (none configured), `key.none_valid`."""
        if not self.ring.keys:
            raise ReceiptError("receipt.no_seal")
        try:
            found = self.ring.signing(at)
        except TrustError as error:
            raise ReceiptError(error.code, **error.facts) from error
        return SealKey(found.certificate, found.key, found.chain)

    def issue(self, facts: UppFacts, document: bytes, at: datetime) -> Receipt:
        """A receipt of lodging; without a time-stamp, logged, where the authority is away and none is required."""
        key = self.key(at)
        try:
            return issue_upp(facts, document, key, at, self.stamp)
        except ReceiptError as error:
            if error.code != "receipt.time_stamp_unavailable" or self.stamp_required:
                raise
            log.warning("receipt_without_time_stamp", reason=error.facts.get("reason"))
            return issue_upp(facts, document, key, at)


def load_seals(config: Config, stamp: TimeStamper | None = None, *, stamp_required: bool = False) -> Seals:
    """Load every key once. Raises ConfigError (a secret), TrustError `key.*`."""
    settings = config.gateway.receipt
    given = [SealKeyConfig(file=settings.key, password=settings.password)] if settings.key else []
    keys = tuple(_load(config, item) for item in (*given, *settings.keys))
    return Seals(KeyRing(keys), stamp, stamp_required)


def _load(config: Config, item: SealKeyConfig) -> SigningKey:
    given = item.model_dump(exclude={"password"})
    password = SecretStr(secret(item.password, config.folder))
    return load(KeyOptions(**given, password=password), config.folder)
