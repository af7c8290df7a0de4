"""Trust as configured: `trust.toml` becomes whom signatures, time-stamps and our own seals are judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from gateway.clock import Clock
from gateway.signatures import TrustPolicy, examine
from gateway.timestamps import TIME_STAMPING, Stamper
from gateway.trust import report
from gateway.trust.admin import known_lists
from gateway.trust.cache import EvidenceCache
from gateway.trust.fetch import FetchClient, FetchPolicy
from gateway.trust.lists import Verify
from gateway.trust.service import TrustService
from gateway.trust.services import CA_QC, TSA_QTST, ServiceStatusHistory
from gateway.trust.settings import TrustSettings, load_settings
from gateway.trust.source import RevocationSource, load_bundle
from gateway.trust.verdict import Anchor, RevocationEvidence
from schemas.errors import ConfigError, ReceiptError, TrustError
from schemas.verification import Verification

PINNED = "trust.toml"


@dataclass(frozen=True, slots=True)
class Trusted:
    """What `trust.toml` sets up.

    `paths` judges qualified signatures, None: only pinned authorities count. `stamps` judges time-stamps, `stamper`
    gets them for us; None: not configured.
    """

    settings: TrustSettings
    lists: tuple[ServiceStatusHistory, ...]
    paths: TrustService | None
    stamps: TrustService | None
    stamper: Stamper | None


def trusted(settings: TrustSettings, qualified_anchors: Sequence[x509.Certificate] = ()) -> Trusted:
    """Build the services; nothing is fetched yet.

    Args:   qualified_anchors: authorities pinned by hand; those of imported lists come beside them.
    Raises: ConfigError: a certificate file; TrustError: `trust.store_unreadable`, `trust.bundle_*`.
    """
    lists = known_lists(settings)
    source = _source(settings)
    paths = None
    if settings.revocation is not None:
        paths = TrustService(_anchors(qualified_anchors, lists, CA_QC), source, settings.policy)
    stamps = _stamps(settings, lists, source)
    return Trusted(settings, lists, paths, stamps, _stamper(settings, stamps))


def load_policy(path: Path) -> tuple[TrustPolicy, Trusted]:
    """Whom to trust for signatures, complete, and the services behind it. Raises ConfigError, TrustError."""
    pinned = TrustPolicy.load(path)
    found = load_trusted(path, (*pinned.qualified_anchors, *pinned.personal_anchors))
    return replace(pinned, judge=found.paths, stamp_judge=found.stamps), found


def verifier(policy: TrustPolicy, found: Trusted, clock: Clock) -> Callable[..., Verification]:
    """A document, since when it surely exists (now when not given), its SHA-256 where it is known → its verification
    with the report to keep.

    Every document with a signature gets a report, also where trust rests on a pinned certificate alone.
    """

    rules = found.settings.policy

    def verify(document: bytes, poe: datetime | None = None, sha256: str | None = None) -> Verification:
        now = clock.now()
        examined = examine(document, policy, at=now, poe=poe)
        trust = [item.trust for item in examined.evidence if item.trust is not None]
        if not examined.verification.signatures:
            return examined.verification
        made = report.make(
            document, examined.verification, examined.evidence,
            at=now, environment=policy.environment, policy=rules, document_sha256=sha256,
        )  # fmt: skip
        again = [verdict.recheck_at for verdict in trust if verdict.recheck_at is not None]
        return replace(examined.verification, report=made.to_json(), recheck_at=min(again, default=None))

    return verify


def list_verifier(at: datetime) -> Verify:
    """How an import verifies a trusted list: our own engine, trusting nobody but the signers handed to it."""

    def verify(xml: bytes, pinned: Sequence[x509.Certificate]) -> Verification:
        return examine(xml, TrustPolicy(seals=tuple(pinned)), at=at).verification

    return verify


def time_stamper(stamper: Stamper, clock: Clock) -> Callable[[bytes], bytes]:
    """The stamper as receipts want it: octets → token. Raises ReceiptError `receipt.time_stamp_unavailable`."""

    def stamp(octets: bytes) -> bytes:
        try:
            return stamper.stamp(octets, at=clock.now()).token
        except TrustError as error:
            raise ReceiptError("receipt.time_stamp_unavailable", reason=error.code) from error

    return stamp


def _source(settings: TrustSettings) -> RevocationSource:
    given = settings.revocation
    if given is None:
        return RevocationSource()
    return RevocationSource(
        client=FetchClient(settings.fetch) if given.hosts else None,
        cache=EvidenceCache(settings.path(given.cache) if given.cache else None),
        bundle=load_bundle(settings.path(given.bundle)) if given.bundle else RevocationEvidence(),
    )


def _stamps(
    settings: TrustSettings, lists: tuple[ServiceStatusHistory, ...], source: RevocationSource
) -> TrustService | None:
    """Who judges time-stamps: authorities pinned for it, and those of imported lists."""
    pinned = settings.certificates(settings.time_stamp.anchors)
    if not pinned and not lists:
        return None
    policy = replace(settings.policy, extended_usage=TIME_STAMPING)
    return TrustService(_anchors(pinned, lists, TSA_QTST), source, policy)


def _stamper(settings: TrustSettings, stamps: TrustService | None) -> Stamper | None:
    """Gets time-stamps for us; only the hosts of the configured authorities may be asked for one."""
    urls = settings.time_stamp.urls
    if not urls:
        return None
    if stamps is None:
        raise ConfigError([f"{PINNED}: time_stamp.anchors: nobody is trusted for time-stamps, and no list is imported"])
    hosts = frozenset(urlsplit(url).netloc.lower() for url in urls)
    client = FetchClient(FetchPolicy(hosts, timeout_s=settings.fetch.timeout_s, proxy=settings.fetch.proxy))
    return Stamper(client, urls, stamps)


def _anchors(
    pinned: Sequence[x509.Certificate], lists: tuple[ServiceStatusHistory, ...], kind: str
) -> Callable[[datetime], tuple[Anchor, ...]]:
    by_hand = tuple(Anchor(certificate, source=PINNED) for certificate in pinned)

    def anchors(moment: datetime) -> tuple[Anchor, ...]:
        listed = (anchor for history in lists for anchor in history.anchors(kind, moment))
        known = {anchor.certificate for anchor in by_hand}
        return (*by_hand, *(anchor for anchor in listed if anchor.certificate not in known))

    return anchors


def load_trusted(path: Path, qualified_anchors: Sequence[x509.Certificate] = ()) -> Trusted:
    """`trusted` from the file. Raises as it, and ConfigError for what is wrong in the file."""
    return trusted(load_settings(path), qualified_anchors)
