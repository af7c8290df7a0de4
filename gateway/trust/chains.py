"""Build the paths a certificate may have to an anchor. Foreign input: bounded, and nothing in it is believed yet."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, CertRevTrustPolicy

from gateway.trust.verdict import Anchor, PathPolicy, der

_T = TypeVar("_T")
_DEFAULT_POLICY = PathPolicy()
logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)  # its warnings name certificate holders


@dataclass(frozen=True, slots=True)
class Chain:
    """A path whose every signature holds: the signer first, the anchor last."""

    certificates: tuple[x509.Certificate, ...]
    anchor: Anchor
    path: ValidationPath


def chains(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[Anchor],
    *,
    policy: PathPolicy = _DEFAULT_POLICY,
    extra: Sequence[x509.Certificate] = (),
) -> Iterator[Chain]:
    """Every path from the certificate to an anchor in which each signature verifies; bounded in number and input.

    Raises: ValueError: the certificate itself cannot be read; others that cannot be are left out.
    """
    leaf = readable(asn1(certificate))
    by_der = {der(anchor.certificate): anchor for anchor in anchors}
    offered = [asn1(item) for item in intermediates[: policy.max_certificates]] + list(extra[: policy.max_certificates])
    offers = context([asn1(anchor.certificate) for anchor in anchors], offered)
    try:
        candidates = run(_some_paths(offers, leaf, policy.max_paths))
    except PathBuildingError:
        return
    for path in candidates:
        certificates = tuple(
            x509.load_der_x509_certificate(item.dump()) for item in reversed(list(path.iter_certs(include_root=True)))
        )
        if _links_hold(certificates):
            yield Chain(certificates, by_der[der(certificates[-1])], path)


def _readable_ones(certificates: Sequence[x509.Certificate]) -> Iterator[asn1_x509.Certificate]:
    for item in certificates:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            yield readable(asn1(item))


async def _some_paths(
    offers: ValidationContext, certificate: asn1_x509.Certificate, limit: int
) -> list[ValidationPath]:
    found: list[ValidationPath] = []
    async for path in offers.path_builder.async_build_paths_lazy(certificate):
        found.append(path)
        if len(found) >= limit:
            break
    return found


def _links_hold(certificates: tuple[x509.Certificate, ...]) -> bool:
    """Names alone make no chain: each certificate must really be signed by the next."""
    try:
        for subject, issuer in itertools.pairwise(certificates):
            subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def context(
    roots: list[asn1_x509.Certificate], others: list[asn1_x509.Certificate], moment: datetime | None = None
) -> ValidationContext:
    """A library context that neither fetches nor asks for revocation data; `moment` None: now."""
    return ValidationContext(
        trust_roots=roots,
        other_certs=others,
        moment=moment,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
    )


def asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    """The same certificate as the library sees it."""
    return asn1_x509.Certificate.load(der(certificate))


def run(task: Coroutine[Any, Any, _T]) -> _T:
    """Run a library coroutine that has nothing to wait for; one that would wait would be fetching, which is refused."""
    try:
        task.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    task.close()
    raise RuntimeError("path validation tried to wait for something outside")


def readable(certificate: asn1_x509.Certificate) -> asn1_x509.Certificate:
    """The certificate itself, read to the last extension now: parsing is lazy and would fail later. ValueError."""
    _ = certificate.subject.hashable, certificate.issuer_serial, certificate.not_valid_after
    _ = certificate.critical_extensions
    return certificate
