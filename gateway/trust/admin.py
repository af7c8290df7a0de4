"""What an operator does with trusted lists: import one, look at what is known. The command line calls only this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

from gateway.trust.lists import Verify, import_list, import_pointers
from gateway.trust.services import ServiceStatusHistory, load, save
from gateway.trust.settings import TrustSettings
from schemas.errors import TrustError


@dataclass(frozen=True, slots=True)
class Imported:
    """One import: the list now in force for its territory, and whether it is another than before."""

    history: ServiceStatusHistory
    previous: int | None  # sequence number known before
    changed: bool

    def to_json(self, at: datetime) -> dict[str, Any]:
        """For `brama trust import --json`."""
        return {"changed": self.changed, "previous": self.previous, **describe(self.history, at)}


def import_file(
    settings: TrustSettings, xml: bytes, verify: Verify, *, now: datetime, list_of_lists: bytes | None = None
) -> Imported:
    """Import a national trusted list and keep it.

    Args:    verify: `gateway.signatures.verify`, bound so that only the certificates handed to it are trusted.
             list_of_lists: the EU's list, which then says who may sign the national one; without it the signers
             installed by hand (`lists.signers`) do.
    Raises:  TrustError (`trust.list_*`, `trust.no_signers`; nothing is changed then), ConfigError.
    """
    pinned = settings.certificates(settings.lists.signers)
    if list_of_lists is not None:
        union = settings.certificates(settings.lists.union_signers)
        pinned = _named_by(list_of_lists, union, verify, now, pinned)
    if not pinned:
        raise TrustError("trust.no_signers")
    store = settings.path(settings.lists.store)
    known = {history.territory: history for history in load(store)}
    history = import_list(xml, pinned, verify, now=now)
    before = known.get(history.territory)
    if before is not None:
        history = import_list(xml, pinned, verify, now=now, previous=before)
    save([*(item for name, item in known.items() if name != history.territory), history], store)
    return Imported(history, before.sequence if before else None, history != before)


def known_lists(settings: TrustSettings) -> tuple[ServiceStatusHistory, ...]:
    """What was imported. Raises TrustError `trust.store_unreadable`."""
    return load(settings.path(settings.lists.store))


def describe(history: ServiceStatusHistory, at: datetime) -> dict[str, Any]:
    """A list as a person wants to see it: age, services with their status at `at`, what was left out."""
    return {
        "territory": history.territory,
        "sequence": history.sequence,
        "issued_at": history.issued_at.isoformat(),
        "next_update": history.next_update.isoformat() if history.next_update else None,
        "expired": history.expired(at),
        "sha256": history.sha256,
        "services": [
            {
                "kind": service.kind,
                "provider": service.provider,
                "name": service.name,
                "status": next((period.status for period in service.periods if period.since <= at), None),
                "certificates": len(service.certificates),
            }
            for service in history.services
        ],
        "skipped": list(history.skipped),
    }


def _named_by(
    list_of_lists: bytes,
    union: tuple[x509.Certificate, ...],
    verify: Verify,
    now: datetime,
    pinned: tuple[x509.Certificate, ...],
) -> tuple[x509.Certificate, ...]:
    """Signers the list of lists names; those installed by hand, if any, must be among them."""
    if not union:
        raise TrustError("trust.no_signers")
    named = [signer for pointer in import_pointers(list_of_lists, union, verify, now=now) for signer in pointer.signers]
    return tuple(signer for signer in named if not pinned or signer in pinned)
