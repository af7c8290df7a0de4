"""Get the revocation data a chain needs: from bundles, the cache, or the addresses its certificates name.

What cannot be had is a noted problem, not an error: `judge` then says TRY_LATER. Only authentic answers are cached, so
that a forged one cannot keep the true one out.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from gateway.trust.answers import Answer
from gateway.trust.cache import EvidenceCache, Kept
from gateway.trust.chains import Chain
from gateway.trust.fetch import Client
from gateway.trust.revocation import Evidence, answers
from gateway.trust.verdict import UNREADABLE, RevocationEvidence
from schemas.errors import TrustError
from schemas.verification import Reason

_MOST_ADDRESSES = 4  # tried per certificate and kind: a certificate may name hundreds
_BUNDLE_FILES = {".crl": "crls", ".ocsp": "ocsps", ".ors": "ocsps", ".cer": "certificates", ".crt": "certificates"}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long answers are used before asking again, though they may be valid longer."""

    crl: timedelta = timedelta(hours=1)
    ocsp: timedelta = timedelta(minutes=10)
    without_next_update: timedelta = timedelta(minutes=30)
    after_failure: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Evidence found for a chain, and why some could not be."""

    evidence: RevocationEvidence
    problems: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question: as of when, how young an answer must be, and until when (monotonic) anybody may be asked."""

    at: datetime
    newer: datetime | None
    until: float


@dataclass
class RevocationSource:
    """`client` None: offline, only bundles and what is cached. `longest_s`: for all requests of one chain together."""

    client: Client | None = None
    cache: EvidenceCache = field(default_factory=EvidenceCache)
    bundle: RevocationEvidence = field(default_factory=RevocationEvidence)
    keeping: Keeping = field(default_factory=Keeping)
    longest_s: float = 15.0
    clock: Callable[[], float] = time.monotonic
    _failed: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def gather(self, chain: Chain, *, at: datetime, newer_than: datetime | None = None) -> Gathered:
        """Everything for the certificates below the anchor.

        Args: at: now. newer_than: cached OCSP answers about the signer older than this are asked for again.
        """
        evidence, problems = _relevant(self.bundle, chain), []
        until = self.clock() + self.longest_s
        for number, (certificate, issuer) in enumerate(itertools.pairwise(chain.certificates)):
            wanted = newer_than if number == 0 else None
            for found in self._about(chain, certificate, issuer, _Asking(at, wanted, until)):
                if isinstance(found, Reason):
                    problems.append(found)
                else:
                    evidence += found
                    break
        return Gathered(evidence, tuple(problems))

    def _about(
        self,
        chain: Chain,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        asking: _Asking,
    ) -> Iterator[RevocationEvidence | Reason]:
        """OCSP first, it is small and young; then lists. The caller stops at the first evidence."""
        request, any_age = _request(certificate, issuer), replace(asking, newer=None)

        def about(got: bytes, request: bytes) -> Answer | None:
            return _authentic(chain, certificate, _as_evidence(got, request))

        for url in _responders(certificate):
            yield self._one(url, request, asking, lambda got: about(got, request))
        for url in _lists(certificate):
            yield self._one(url, b"", any_age, lambda got: about(got, b""))

    def _one(
        self,
        url: str,
        request: bytes,
        asking: _Asking,
        authentic: Callable[[bytes], Answer | None],
    ) -> RevocationEvidence | Reason:
        at, newer = asking.at, asking.newer
        asked = url.encode() + b"\n" + request
        kept = self.cache.get(asked, at)
        if kept is not None and kept.fresh_until > at and (newer is None or kept.fetched_at >= newer):
            return _as_evidence(kept.data, request)
        try:
            data = _der(self._fetch(url, request, asking))
        except TrustError as error:
            if kept is not None:
                return _as_evidence(kept.data, request)
            return Reason(error.code, {name: str(value) for name, value in error.facts.items()})
        answer = authentic(data)
        if answer is None:
            return Reason("trust.fetch_useless", {"host": _host(url)})
        self.cache.put(asked, self._kept(answer, data, at))
        return _as_evidence(data, request)

    def _fetch(self, url: str, request: bytes, asking: _Asking) -> bytes:
        at = asking.at
        if self.client is None:
            raise TrustError("trust.fetch_offline", host=_host(url))
        if self.clock() > asking.until:  # others took all the time there is; this one is not to blame
            raise TrustError("trust.fetch_no_time", host=_host(url))
        with self._lock:
            if self._failed.get(url, at) > at:
                raise TrustError("trust.fetch_failed_lately", host=_host(url))
        try:
            return self.client.post(url, request, "application/ocsp-request") if request else self.client.get(url)
        except TrustError:
            with self._lock:
                self._failed = {address: until for address, until in self._failed.items() if until > at}
                self._failed[url] = at + self.keeping.after_failure
            raise

    def _kept(self, answer: Answer, data: bytes, at: datetime) -> Kept:
        usable = answer.next_update or answer.this_update + self.keeping.without_next_update
        fresh = at + (self.keeping.crl if answer.source == "crl" else self.keeping.ocsp)
        return Kept(data, fetched_at=at, fresh_until=min(fresh, usable), usable_until=usable)


def _relevant(bundle: RevocationEvidence, chain: Chain) -> RevocationEvidence:
    """Of a bundle, which may hold hundreds of pieces, those of this chain's issuers and certificates."""
    lists, answers_of = _index(bundle)
    issuers = dict.fromkeys(certificate.issuer for certificate in chain.certificates[:-1])
    serials = [certificate.serial_number for certificate in chain.certificates[:-1]]
    return RevocationEvidence(
        crls=tuple(piece for name in issuers for piece in lists.get(name, ())),
        ocsps=tuple(piece for number in serials for piece in answers_of.get(number, ())),
        certificates=bundle.certificates,
    )


@functools.lru_cache(maxsize=4)
def _index(bundle: RevocationEvidence) -> tuple[dict[x509.Name, list[bytes]], dict[int, list[bytes]]]:
    """Lists by issuer and answers by serial number; what cannot be read is in neither."""
    lists: dict[x509.Name, list[bytes]] = defaultdict(list)
    found: dict[int, list[bytes]] = defaultdict(list)
    for piece in bundle.crls:
        with contextlib.suppress(*UNREADABLE):
            lists[x509.load_der_x509_crl(piece).issuer].append(piece)
    for piece in bundle.ocsps:
        with contextlib.suppress(*UNREADABLE):
            for single in ocsp.load_der_ocsp_response(piece).responses:
                found[single.serial_number].append(piece)
    return lists, found


def load_bundle(folder: Path, *, max_bytes: int = 256 * 1024 * 1024) -> RevocationEvidence:
    """Evidence carried in by hand: `*.crl`, `*.ocsp`, `*.cer`/`*.crt` (DER or PEM) in a folder; other files are left.

    Raises: TrustError: `trust.bundle_too_large`; `trust.bundle_missing` when the folder is not there.
    """
    if not folder.is_dir():
        raise TrustError("trust.bundle_missing", folder=folder.name)
    found: dict[str, list[bytes]] = {"crls": [], "ocsps": [], "certificates": []}
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in _BUNDLE_FILES]
    if sum(file.stat().st_size for file in files) > max_bytes:
        raise TrustError("trust.bundle_too_large", folder=folder.name, limit_bytes=max_bytes)
    for file in files:
        found[_BUNDLE_FILES[file.suffix.lower()]].append(_der(file.read_bytes()))
    return RevocationEvidence(**{name: tuple(pieces) for name, pieces in found.items()})


def _authentic(chain: Chain, certificate: x509.Certificate, piece: RevocationEvidence) -> Answer | None:
    """The answer in `piece`, if it truly is one about this certificate by who may give it.

    A responder that must be checked itself cannot be here yet (its list is not at hand); it is then not cached.
    """
    found, _ = answers(chain.certificates.index(certificate), chain, Evidence.parse(piece))
    return found[0] if found else None


def _as_evidence(data: bytes, request: bytes) -> RevocationEvidence:
    return RevocationEvidence(ocsps=(data,)) if request else RevocationEvidence(crls=(data,))


def _request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    # SHA-1 only names the issuer here (RFC 6960); responders in the field know no other
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def _responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_INFORMATION_ACCESS).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    assert isinstance(access, x509.AuthorityInformationAccess)
    named = [item.access_location for item in access if item.access_method == AuthorityInformationAccessOID.OCSP]
    return _addresses(named)


def _lists(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    assert isinstance(points, x509.CRLDistributionPoints)
    return _addresses([name for point in points for name in point.full_name or ()])


def _addresses(names: list[x509.GeneralName]) -> list[str]:
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.lower().startswith(("http://", "https://"))][:_MOST_ADDRESSES]


def _der(data: bytes) -> bytes:
    """DER, also from PEM: some authorities publish lists as PEM."""
    if not data.lstrip().startswith(b"-----BEGIN"):
        return data
    try:
        if b"CRL" in data[:40]:
            return x509.load_pem_x509_crl(data).public_bytes(Encoding.DER)
        return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
    except ValueError:
        return data


def _host(url: str) -> str:
    return url.split("/")[2][:100] if url.count("/") > 1 else "?"
