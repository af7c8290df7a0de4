"""The rules of RFC 5280 for a chain, checked by pyhanko-certvalidator: constraints, policies, usages, algorithms.

What the rules say of a chain does not depend on the time, but for the validity of each certificate, which is looked at
apart. So they are applied once per chain and the answer is kept.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko_certvalidator.authority import AuthorityWithCert, TrustAnchor
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import DisallowedAlgorithmError, ValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, CertRevTrustPolicy
from pyhanko_certvalidator.validate import async_validate_path

from gateway.trust.verdict import UNREADABLE, der

_T = TypeVar("_T")
logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)  # its warnings name certificate holders


def all_valid_at(certificates: tuple[x509.Certificate, ...], moment: datetime) -> bool:
    """Shell model: every certificate below the anchor is valid at one and the same time."""
    return all(item.not_valid_before_utc <= moment <= item.not_valid_after_utc for item in certificates[:-1])


@functools.lru_cache(maxsize=1024)
def broken_rule(certificates: tuple[x509.Certificate, ...]) -> str | None:
    """The `trust.*` code of the rule a chain breaks, None when it breaks none.

    Args: certificates: the signer first, the anchor last; all below the anchor valid at some one time.
    """
    *below, anchor = certificates
    if not below:
        return None
    moment = max(item.not_valid_before_utc for item in below)
    try:
        leaf, *between = (readable(_asn1(item)) for item in below)
        trusted = TrustAnchor(AuthorityWithCert(_asn1(anchor)))
        path = ValidationPath(trusted, interm=between[::-1], leaf=leaf)
        context = ValidationContext(
            trust_roots=[trusted],
            moment=moment,
            allow_fetching=False,
            revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
        )
        run(async_validate_path(context, path))
    except DisallowedAlgorithmError:
        return "trust.algorithm_weak"
    except ValidationError:
        return "trust.chain_invalid"
    except UNREADABLE:
        return "trust.certificate_unreadable"
    return None


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


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    """The same certificate as the library sees it."""
    return asn1_x509.Certificate.load(der(certificate))
