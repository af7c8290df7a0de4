"""Who is (and was) a qualified trust service, as a trusted list said: a stored value, read by whoever needs anchors.

Statuses are judged as of a time: a signature made while the service was granted keeps its standing after a withdrawal.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.trust.verdict import Anchor, certificate_of, fingerprint
from schemas.errors import TrustError

CA_QC = "CA/QC"
TSA_QTST = "TSA/QTST"
FORMAT = 1
_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
TRUSTED_STATUSES = frozenset({"granted", "undersupervision", "supervisionincessation", "accredited"})


@dataclass(frozen=True, slots=True)
class Period:
    """A status from `since` until the next one began (None: still). `status`: the last word of its address."""

    status: str
    since: datetime
    until: datetime | None

    @property
    def trusted(self) -> bool:
        """Granted, or one of the words used for it before July 2016."""
        return self.status in TRUSTED_STATUSES


@dataclass(frozen=True, slots=True)
class Service:
    """One service of one provider. `uses`: ForeSignatures, ForeSeals, … where the list narrows it; empty: not said."""

    kind: str
    provider: str
    name: str
    certificates: tuple[bytes, ...]
    periods: tuple[Period, ...]  # newest first
    uses: frozenset[str] = frozenset()

    def spans(self) -> Iterator[tuple[datetime, datetime | None]]:
        """Trusted stretches of time, newest first; consecutive trusted statuses are one stretch."""
        start: datetime | None = None
        end: datetime | None = None
        for period in self.periods:
            if not period.trusted:
                continue
            if start is not None and period.until == start:
                start = period.since
                continue
            if start is not None:
                yield start, end
            start, end = period.since, period.until
        if start is not None:
            yield start, end


@dataclass(frozen=True, slots=True)
class ServiceStatusHistory:
    """One territory's list as imported. `skipped` says what was left out and why; nothing is dropped silently."""

    territory: str
    sequence: int
    issued_at: datetime
    next_update: datetime | None
    sha256: str
    signer_sha256: str
    services: tuple[Service, ...]
    skipped: tuple[str, ...] = ()

    def expired(self, at: datetime) -> bool:
        """A newer list should have been imported by now; None means the scheme is closed for good."""
        return self.next_update is not None and at > self.next_update

    def anchors(self, kind: str, moment: datetime, use: str | None = None) -> tuple[Anchor, ...]:
        """Services of a kind as anchors with the stretch of trust that holds `moment`, or else the newest one.

        One whose trust had ended (or not begun) is given too: the verdict then says so instead of "no chain".
        """
        found: dict[str, Anchor] = {}
        for service in self.services:
            if service.kind != kind or (use is not None and service.uses and use not in service.uses):
                continue
            for anchor in self._anchors_of(service, moment):
                name = fingerprint(anchor.certificate)
                if name not in found or not found[name].trusted_at(moment):
                    found[name] = anchor
        return tuple(found.values())

    def _anchors_of(self, service: Service, moment: datetime) -> Iterator[Anchor]:
        spans = list(service.spans())
        if not spans:
            return
        holding = (span for span in spans if span[0] <= moment and (span[1] is None or moment < span[1]))
        since, until = next(holding, spans[0])
        source = f"{self.territory} {self.sequence}: {service.provider}"
        for der in service.certificates:
            certificate = certificate_of(der)
            yield Anchor(certificate, since, until, source, at_issue=service.kind == CA_QC)


def save(histories: Iterable[ServiceStatusHistory], path: Path) -> None:
    """Write them as one JSON file; a reader sees the old file or the new one, never half of either."""
    packed = {"format": FORMAT, "lists": [_out(item) for item in histories]}
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(packed, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    beside.replace(path)


def load(path: Path) -> tuple[ServiceStatusHistory, ...]:
    """Read what `save` wrote; a missing file is no lists. Raises TrustError `trust.store_unreadable`."""
    try:
        packed = json.loads(path.read_text("utf-8"))
        if packed["format"] != FORMAT:
            raise TrustError("trust.store_unreadable", file=path.name)
        return tuple(_in(item) for item in packed["lists"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustError("trust.store_unreadable", file=path.name) from error


def status_word(address: str) -> str:
    """The last word of a status address; a foreign address stays whole and is trusted by nobody."""
    return address.removeprefix(_STATUS)


def _out(history: ServiceStatusHistory) -> dict[str, Any]:
    return {
        "territory": history.territory,
        "sequence": history.sequence,
        "issued_at": history.issued_at.isoformat(),
        "next_update": history.next_update.isoformat() if history.next_update else None,
        "sha256": history.sha256,
        "signer_sha256": history.signer_sha256,
        "skipped": list(history.skipped),
        "services": [
            {
                "kind": service.kind,
                "provider": service.provider,
                "name": service.name,
                "uses": sorted(service.uses),
                "certificates": [base64.b64encode(item).decode() for item in service.certificates],
                "periods": [
                    [item.status, item.since.isoformat(), item.until.isoformat() if item.until else None]
                    for item in service.periods
                ],
            }
            for service in history.services
        ],
    }


def _in(stored: dict[str, Any]) -> ServiceStatusHistory:
    return ServiceStatusHistory(
        territory=stored["territory"],
        sequence=stored["sequence"],
        issued_at=datetime.fromisoformat(stored["issued_at"]),
        next_update=datetime.fromisoformat(stored["next_update"]) if stored["next_update"] else None,
        sha256=stored["sha256"],
        signer_sha256=stored["signer_sha256"],
        skipped=tuple(stored["skipped"]),
        services=tuple(
            Service(
                kind=item["kind"],
                provider=item["provider"],
                name=item["name"],
                uses=frozenset(item["uses"]),
                certificates=tuple(base64.b64decode(der, validate=True) for der in item["certificates"]),
                periods=tuple(
                    Period(status, datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)
                    for status, since, until in item["periods"]
                ),
            )
            for item in stored["services"]
        ),
    )
