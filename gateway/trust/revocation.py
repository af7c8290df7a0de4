"""What CRLs and OCSP answers say about one certificate of a path: each is checked alone, then all are weighed.

Checking one piece (its signature, who may sign it, whether it covers this certificate) is pyhanko-certvalidator's;
weighing is ours, because the library judges "revoked at the moment" while we must know what was so when the signature
came into being: a revocation after the proof of existence does not matter, an answer newer than the moment asked
about is worth more, not less, and an answer that was supplied counts whether or not the certificate names a responder.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from asn1crypto.core import GeneralizedTime
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import CRLNoMatchesError, OCSPNoMatchesError, RevokedError
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo, ValidationTimingParams
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.revinfo.archival import OCSPContainer
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from gateway.trust.verdict import CertificateStatus, PathPolicy, RevocationEvidence, Standing, fingerprint

_T = TypeVar("_T")
_EXPIRED_CERTS_ON_CRL = "2.5.29.60"
logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)  # its warnings name certificate holders
_MOST_PIECES = 64  # of each kind: evidence may come inside a document, so its amount is bounded

# A delegated OCSP responder must be unrevoked itself; the authorities above it are weighed on their own.
_DELEGATE_CHECKED = RevocationCheckingPolicy(
    ee_certificate_rule=RevocationCheckingRule.CRL_OR_OCSP_REQUIRED,
    intermediate_ca_cert_rule=RevocationCheckingRule.NO_CHECK,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one authentic CRL or OCSP answer says about one certificate."""

    source: str
    der: bytes
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: str | None = None
    knows_expired_since: datetime | None = None  # still lists certificates that expired after this time


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence once parsed, pieces that cannot be read counted instead of raised."""

    crls: tuple[tuple[bytes, asn1_crl.CertificateList], ...]
    ocsps: tuple[tuple[bytes, OCSPContainer], ...]
    certificates: tuple[asn1_x509.Certificate, ...]
    unreadable: int

    @classmethod
    def parse(cls, evidence: RevocationEvidence) -> Evidence:
        """Parse every piece; reading is strict, so that nothing lazily fails later."""
        crls = [(piece, _crl(piece)) for piece in evidence.crls[:_MOST_PIECES]]
        ocsps = [(piece, _ocsp(piece)) for piece in evidence.ocsps[:_MOST_PIECES]]
        certificates = [_certificate(piece) for piece in evidence.certificates[:_MOST_PIECES]]
        unreadable = sum(item is None for item in [*(c for _, c in crls), *(o for _, o in ocsps), *certificates])
        return cls(
            crls=tuple((piece, parsed) for piece, parsed in crls if parsed is not None),
            ocsps=tuple((piece, one) for piece, parsed in ocsps if parsed is not None for one in parsed),
            certificates=tuple(item for item in certificates if item is not None),
            unreadable=unreadable,
        )


def status_of(
    certificate: asn1_x509.Certificate,
    path: ValidationPath,
    evidence: Evidence,
    *,
    at: datetime,
    poe: datetime,
    policy: PathPolicy,
) -> CertificateStatus:
    """Weigh everything that is known about `certificate`, which is in `path` below the anchor."""
    name = fingerprint(certificate.dump())
    found, cause = answers(certificate, path, evidence)
    gone = [answer for answer in found if answer.revoked_at is not None and answer.reason != "certificate_hold"]
    if gone:  # a revocation is for good: the earliest date anybody states counts, however old the statement
        answer = min(gone, key=lambda item: item.revoked_at or item.this_update)
        before = answer.revoked_at is not None and answer.revoked_at <= poe
        return _status(name, Standing.REVOKED if before else Standing.REVOKED_LATER, answer)
    usable = [answer for answer in found if _current(answer, at, poe, policy)]
    if found and not usable:
        cause = "stale"
    newest = max(usable, key=lambda item: item.this_update, default=None)
    if newest is None:
        return CertificateStatus(name, Standing.UNKNOWN, cause=cause)
    if newest.revoked_at is not None:
        return _status(name, Standing.ON_HOLD if newest.revoked_at <= poe else Standing.REVOKED_LATER, newest)
    telling = [answer for answer in usable if answer.revoked_at is None and _would_still_tell(answer, certificate)]
    if not telling:
        return CertificateStatus(name, Standing.UNKNOWN, cause="expired_dropped")
    return _status(name, Standing.GOOD, max(telling, key=lambda item: item.this_update))


def run(task: Coroutine[Any, Any, _T]) -> _T:
    """Run a library coroutine that has nothing to wait for; one that would wait would be fetching, which is refused."""
    try:
        task.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    task.close()
    raise RuntimeError("path validation tried to wait for something outside")


def answers(certificate: asn1_x509.Certificate, path: ValidationPath, evidence: Evidence) -> tuple[list[Answer], str]:
    """Authentic answers about this certificate, and why there are none."""
    found: list[Answer] = []
    cause = "none"
    lists = (_ask_crl(certificate, path, piece, parsed, evidence) for piece, parsed in evidence.crls)
    responses = (_ask_ocsp(certificate, path, piece, parsed, evidence) for piece, parsed in evidence.ocsps)
    for answer in (*lists, *responses):
        if isinstance(answer, Answer):
            found.append(answer)
        elif answer is not None:
            cause = answer
    return found, cause


def _ask_crl(
    certificate: asn1_x509.Certificate,
    path: ValidationPath,
    piece: bytes,
    parsed: asn1_crl.CertificateList,
    evidence: Evidence,
) -> Answer | str | None:
    if parsed.delta_crl_indicator_value is not None:
        return None  # counts only together with the complete list it belongs to
    if parsed.issuer != certificate.issuer:
        return None  # of another authority; indirect lists are not supported
    body = parsed["tbs_cert_list"]
    this_update, next_update = body["this_update"].native, body["next_update"].native
    deltas = [other for _, other in evidence.crls if other.delta_crl_indicator_value is not None]
    context = _context(path, this_update, NO_REVOCATION, crls=[parsed, *deltas])
    try:
        run(verify_crl(certificate, path, context))
    except RevokedError as found:
        return Answer("crl", piece, this_update, next_update, found.revocation_dt, found.reason.native)
    except CRLNoMatchesError:
        return None
    except Exception:  # noqa: BLE001 - foreign bytes deep inside a foreign library: unusable, not fatal
        return "unverifiable"
    return Answer("crl", piece, this_update, next_update, knows_expired_since=_expired_certs_on_crl(parsed))


def _ask_ocsp(
    certificate: asn1_x509.Certificate,
    path: ValidationPath,
    piece: bytes,
    parsed: OCSPContainer,
    evidence: Evidence,
) -> Answer | str | None:
    single = parsed.extract_single_response()
    if single is None:
        return None
    this_update, next_update = single["this_update"].native, single["next_update"].native
    lists = [other for _, other in evidence.crls]  # they tell whether a delegated responder was revoked itself
    responders = evidence.certificates
    context = _context(path, this_update, _DELEGATE_CHECKED, crls=lists, ocsps=[parsed], others=responders)
    try:
        run(verify_ocsp_response(certificate, path, context))
    except RevokedError as found:
        return Answer("ocsp", piece, this_update, next_update, found.revocation_dt, found.reason.native)
    except OCSPNoMatchesError:
        return None
    except Exception:  # noqa: BLE001 - as above
        return "unknown_to_responder" if single["cert_status"].name == "unknown" else "unverifiable"
    return Answer("ocsp", piece, this_update, next_update, knows_expired_since=_archive_cutoff(single))


def _context(
    path: ValidationPath,
    moment: datetime,
    checking: RevocationCheckingPolicy,
    *,
    crls: list[asn1_crl.CertificateList],
    ocsps: Sequence[OCSPContainer] = (),
    others: Sequence[asn1_x509.Certificate] = (),
) -> ValidationContext:
    """One piece of evidence judged as of the time it states itself; dates in it are reported, not compared."""
    context = ValidationContext(
        trust_roots=[path.trust_anchor],
        other_certs=[*path.iter_certs(include_root=False), *others],
        moment=moment,
        crls=crls,
        ocsps=ocsps,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(checking, retroactive_revinfo=True),
    )
    # point_in_time would hide a revocation dated in the very second the list was issued (it compares with "<")
    timing = ValidationTimingInfo(validation_time=moment, best_signature_time=moment, point_in_time_validation=False)
    context.timing_params = ValidationTimingParams(timing, time_tolerance=timedelta(seconds=1))
    return context


def _current(answer: Answer, at: datetime, poe: datetime, policy: PathPolicy) -> bool:
    """An answer given after the signature existed is always worth something; an older one only while it is valid."""
    if answer.this_update >= poe.replace(microsecond=0):
        return True
    if answer.next_update is None:
        return at - answer.this_update <= policy.answer_age
    return at <= answer.next_update


def _would_still_tell(answer: Answer, certificate: asn1_x509.Certificate) -> bool:
    """Authorities may drop expired certificates: silence after expiry tells nothing unless they say they keep them."""
    expired = certificate.not_valid_after
    if answer.this_update <= expired:
        return True
    return answer.knows_expired_since is not None and answer.knows_expired_since <= expired


def _status(name: str, standing: Standing, answer: Answer) -> CertificateStatus:
    return CertificateStatus(
        certificate_sha256=name,
        standing=standing,
        source=answer.source,
        evidence_sha256=fingerprint(answer.der),
        issued_at=answer.this_update,
        next_update=answer.next_update,
        revoked_at=answer.revoked_at,
        revocation_reason=answer.reason,
    )


def _expired_certs_on_crl(parsed: asn1_crl.CertificateList) -> datetime | None:
    for extension in parsed["tbs_cert_list"]["crl_extensions"]:
        if extension["extn_id"].dotted == _EXPIRED_CERTS_ON_CRL:
            since: datetime = GeneralizedTime.load(extension["extn_value"].contents).native
            return since
    return None


def _archive_cutoff(single: asn1_ocsp.SingleResponse) -> datetime | None:
    value = single.archive_cutoff_value
    return value.native if value is not None else None


def _crl(piece: bytes) -> asn1_crl.CertificateList | None:
    try:
        parsed = asn1_crl.CertificateList.load(piece, strict=True)
        _ = parsed["tbs_cert_list"]["this_update"].native, parsed.issuer.native, parsed.delta_crl_indicator_value
        _expired_certs_on_crl(parsed)
    except (ValueError, TypeError, KeyError):
        return None
    return parsed


def _ocsp(piece: bytes) -> list[OCSPContainer] | None:
    try:
        found = OCSPContainer.load_multi(asn1_ocsp.OCSPResponse.load(piece, strict=True))
        for item in found:
            single = item.extract_single_response()
            if single is not None:
                _ = single["this_update"].native, single["next_update"].native, _archive_cutoff(single)
    except (ValueError, TypeError, KeyError):
        return None
    return found


def _certificate(piece: bytes) -> asn1_x509.Certificate | None:
    try:
        return readable(asn1_x509.Certificate.load(piece, strict=True))
    except (ValueError, TypeError, KeyError):
        return None


def readable(certificate: asn1_x509.Certificate) -> asn1_x509.Certificate:
    """The certificate itself, read to the last extension now: parsing is lazy and would fail later. ValueError."""
    _ = certificate.subject.hashable, certificate.issuer_serial, certificate.not_valid_after
    _ = certificate.critical_extensions
    return certificate
