"""Build the paths a certificate may have to an anchor. Foreign input: bounded, and nothing in it is believed yet.

Our own, since building is simple and the library's builder reads every anchor anew for every question: with a trusted
list of two hundred that alone would cost more than everything else together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from gateway.trust.verdict import UNREADABLE, Anchor, PathPolicy

_DEFAULT_POLICY = PathPolicy()
_NOBODY = x509.Name([])
_LONGEST = 8
_MOST_CHECKS = 256  # signatures verified for one question: cross-signed look-alikes would make it grow without end


@dataclass(frozen=True, slots=True)
class Chain:
    """A path whose every signature holds: the signer first, the anchor last."""

    certificates: tuple[x509.Certificate, ...]
    anchor: Anchor


def chains(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[Anchor],
    *,
    policy: PathPolicy = _DEFAULT_POLICY,
    extra: Sequence[x509.Certificate] = (),
) -> Iterator[Chain]:
    """Every path from the certificate to an anchor in which each signature verifies; bounded in number and input."""
    offered = [*intermediates[: policy.max_certificates], *extra[: policy.max_certificates]]
    search = _Search(anchors, offered)
    for _, chain in zip(range(policy.max_paths), search.upwards((certificate,)), strict=False):
        yield chain


class _Search:
    """Depth first, straight to anchors before going through anything foreign."""

    def __init__(self, anchors: Sequence[Anchor], offered: Sequence[x509.Certificate]) -> None:
        self._anchors: dict[x509.Name, list[Anchor]] = defaultdict(list)
        self._offered: dict[x509.Name, list[x509.Certificate]] = defaultdict(list)
        self._checks = _MOST_CHECKS
        for anchor in anchors:
            self._anchors[anchor.certificate.subject].append(anchor)
        for certificate in dict.fromkeys(offered):
            self._offered[_names(certificate)[0]].append(certificate)

    def upwards(self, path: tuple[x509.Certificate, ...]) -> Iterator[Chain]:
        last = path[-1]
        subject, above = _names(last)
        own = next((item for item in self._anchors.get(subject, ()) if item.certificate == last), None)
        if own is not None:
            yield Chain(path, own)
            return
        for anchor in self._anchors.get(above, ()):
            if self._issued(last, anchor.certificate):
                yield Chain((*path, anchor.certificate), anchor)
        for issuer in self._offered.get(above, ()):
            if len(path) < _LONGEST and issuer not in path and self._issued(last, issuer):
                yield from self.upwards((*path, issuer))

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Names alone make no chain: the certificate must really be signed by the other."""
        self._checks -= 1
        if self._checks < 0:
            return False
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, *UNREADABLE):
            return False
        return True


def _names(certificate: x509.Certificate) -> tuple[x509.Name, x509.Name]:
    """Its own name and its issuer's; of one that cannot be read, names that lead nowhere."""
    try:
        return certificate.subject, certificate.issuer
    except UNREADABLE:
        return _NOBODY, _NOBODY
