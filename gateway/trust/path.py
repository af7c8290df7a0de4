"""May this certificate be believed for a signature that existed at a stated time? Path, validity, use, revocation.

Paths are built by `chains`, held against RFC 5280 by `rules` (pyhanko-certvalidator) as of the proof of existence
(shell model: every certificate must be valid then), and revocation is weighed by `revocation`. Indications follow ETSI
EN 319 102-1 clause 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.trust.chains import Chain, chains
from gateway.trust.revocation import Evidence, status_of
from gateway.trust.rules import all_valid_at, broken_rule
from gateway.trust.verdict import (
    UNREADABLE,
    Anchor,
    AnchorNote,
    CertificateStatus,
    Freshness,
    PathPolicy,
    RevocationEvidence,
    Standing,
    TrustVerdict,
    certificate_of,
    der,
    fingerprint,
)
from schemas.verification import Indication, Reason

_DEFAULT_POLICY = PathPolicy()
_NO_EVIDENCE = RevocationEvidence()
_BROKEN = {
    "trust.algorithm_weak": "CRYPTO_CONSTRAINTS_FAILURE",
    "trust.chain_invalid": "CHAIN_CONSTRAINTS_FAILURE",
    "trust.certificate_unreadable": "CERTIFICATE_CHAIN_GENERAL_FAILURE",
}
_RANK = {Indication.PASSED: 0, Indication.FAILED: 1, Indication.INDETERMINATE: 2}


@dataclass(frozen=True, slots=True)
class _Question:
    """What `judge` was asked, parsed once."""

    certificate: x509.Certificate
    at: datetime
    poe: datetime
    created_after: datetime | None
    evidence: Evidence
    given: RevocationEvidence
    policy: PathPolicy


def judge(
    certificate: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[Anchor],
    *,
    at: datetime,
    poe: datetime | None = None,
    created_after: datetime | None = None,
    evidence: RevocationEvidence = _NO_EVIDENCE,
    policy: PathPolicy = _DEFAULT_POLICY,
) -> TrustVerdict:
    """Judge a signer's certificate.

    Args:    at: the time of judging, aware; revocation data must be valid then or be issued after `poe`.
             poe: the signature surely existed by then (time-stamp, our receipt); `at` when None.
             created_after: the signature surely did not exist before (content time-stamp); only this turns
             "revoked" or "expired" from INDETERMINATE into FAILED.
             evidence: all the revocation data that may be used; nothing is ever fetched here.
    Returns: PASSED; FAILED with REVOKED, EXPIRED, NOT_YET_VALID; or INDETERMINATE with NO_CERTIFICATE_CHAIN_FOUND,
             CERTIFICATE_CHAIN_GENERAL_FAILURE, CHAIN_CONSTRAINTS_FAILURE, CRYPTO_CONSTRAINTS_FAILURE,
             OUT_OF_BOUNDS_NO_POE, REVOKED_NO_POE, REVOKED_CA_NO_POE, TRY_LATER; reasons with `trust.*` codes.
    Raises:  ValueError: a time without zone.
    """
    if any(moment is not None and moment.tzinfo is None for moment in (at, poe, created_after)):
        raise ValueError("times must be aware")
    parsed = Evidence.parse(evidence)
    asked = _Question(certificate, at, poe or at, created_after, parsed, evidence, policy)
    best: TrustVerdict | None = None
    for chain in chains(certificate, intermediates, anchors, policy=policy, extra=parsed.certificates):
        try:
            verdict = _judge_chain(asked, chain)
        except UNREADABLE:
            verdict = _unreadable(asked, chain)
        if verdict.passed:
            return verdict
        if best is None or _RANK[verdict.indication] < _RANK[best.indication]:
            best = verdict
    return best or _indeterminate(asked, "NO_CERTIFICATE_CHAIN_FOUND", _because("trust.chain_not_found", certificate))


def judge_again(stored: TrustVerdict, policy: PathPolicy = _DEFAULT_POLICY) -> TrustVerdict:
    """Reach a stored verdict anew from what it carries alone, offline: the proof that it was no mistake.

    Without a chain there is nothing to judge and it is returned as it is. The anchor is taken as trusted as noted.
    """
    if not stored.chain or stored.anchor is None:
        return stored
    signer, *others = (certificate_of(item) for item in stored.chain)
    note = stored.anchor
    anchor = Anchor((others or [signer])[-1], note.valid_from, note.valid_until, note.source, note.at_issue)
    return judge(
        signer,
        others[:-1],
        [anchor],
        at=stored.at,
        poe=stored.poe,
        created_after=stored.created_after,
        evidence=stored.evidence,
        policy=policy,
    )


def _judge_chain(asked: _Question, chain: Chain) -> TrustVerdict:
    found = _time_problem(asked, chain) or _use_problem(asked) or _path_problem(asked, chain)
    if found is not None:
        return _with_chain(found, chain)
    return _weigh(asked, chain)


def _time_problem(asked: _Question, chain: Chain) -> TrustVerdict | None:
    """Validity of the signer's certificate and of the trust in the anchor, as of the proof of existence."""
    certificate, poe = asked.certificate, asked.poe
    if poe < certificate.not_valid_before_utc:
        return _failed(asked, "NOT_YET_VALID", _because("trust.not_yet_valid", certificate))
    if poe > certificate.not_valid_after_utc:
        expired = _because("trust.expired", certificate, expired_at=_shown(certificate.not_valid_after_utc))
        if asked.created_after is not None and asked.created_after > certificate.not_valid_after_utc:
            return _failed(asked, "EXPIRED", expired)
        return _indeterminate(asked, "OUT_OF_BOUNDS_NO_POE", expired)
    anchor = chain.anchor
    if not anchor.trusted_at(poe) or (anchor.at_issue and not anchor.trusted_at(certificate.not_valid_before_utc)):
        withdrawn = _because("trust.anchor_not_trusted_then", anchor.certificate)
        return _indeterminate(asked, "NO_CERTIFICATE_CHAIN_FOUND", withdrawn)
    return None


def _use_problem(asked: _Question) -> TrustVerdict | None:
    """What the signer's certificate was made for. Without KeyUsage every use is allowed (RFC 5280)."""
    certificate, policy = asked.certificate, asked.policy
    if not _key_fits(certificate, policy):
        return _indeterminate(asked, "CRYPTO_CONSTRAINTS_FAILURE", _because("trust.key_weak", certificate))
    if not (_usage_fits(certificate, policy) and _extended_usage_fits(certificate, policy)):
        return _indeterminate(asked, "CHAIN_CONSTRAINTS_FAILURE", _because("trust.usage", certificate))
    return None


def _unreadable(asked: _Question, chain: Chain) -> TrustVerdict:
    code = "trust.certificate_unreadable"
    return _with_chain(_indeterminate(asked, _BROKEN[code], _because(code, asked.certificate)), chain)


def _path_problem(asked: _Question, chain: Chain) -> TrustVerdict | None:
    """The rules of RFC 5280 as of the proof of existence, without revocation."""
    leaf = asked.certificate
    if not all_valid_at(chain.certificates, asked.poe):  # the signer's own validity is already known to fit
        return _indeterminate(asked, "OUT_OF_BOUNDS_NO_POE", _because("trust.authority_out_of_bounds", leaf))
    code = broken_rule(chain.certificates)
    return None if code is None else _indeterminate(asked, _BROKEN[code], _because(code, leaf))


def _weigh(asked: _Question, chain: Chain) -> TrustVerdict:
    """The chain is sound: what is left is whether anything in it was revoked."""
    statuses = _statuses(asked, chain)
    verdict = _with_chain(_from_statuses(asked, statuses), chain)
    if asked.evidence.unreadable:
        noted = Reason("trust.evidence_unreadable", {"count": str(asked.evidence.unreadable)})
        verdict = replace(verdict, reasons=(*verdict.reasons, noted))
    return replace(verdict, statuses=tuple(statuses), evidence=_used(asked.given, statuses))


def _statuses(asked: _Question, chain: Chain) -> list[CertificateStatus]:
    *below, anchor = chain.certificates
    if asked.policy.revocation:
        statuses = [
            status_of(number, chain, asked.evidence, at=asked.at, poe=asked.poe, policy=asked.policy)
            for number in range(len(below))
        ]
    else:
        statuses = [CertificateStatus(fingerprint(item), Standing.NOT_CHECKED) for item in below]
    return [*statuses, CertificateStatus(fingerprint(anchor), Standing.ANCHOR)]


def _from_statuses(asked: _Question, statuses: list[CertificateStatus]) -> TrustVerdict:
    signer, authorities = statuses[0], statuses[1:]
    for status in authorities:
        if status.standing is Standing.REVOKED:
            return _indeterminate(asked, "REVOKED_CA_NO_POE", _status_reason("trust.revoked_ca", status))
    if signer.standing is Standing.REVOKED:
        return _revoked(asked, signer)
    for status in statuses:
        if status.standing is Standing.ON_HOLD:
            return _later(asked, status, "trust.on_hold")
        if status.standing is Standing.UNKNOWN:
            return _later(asked, status, "trust.revocation_unknown")
    return _good(asked, signer)


def _revoked(asked: _Question, signer: CertificateStatus) -> TrustVerdict:
    reason = _status_reason("trust.revoked", signer)
    after = asked.created_after is not None and signer.revoked_at is not None
    if after and asked.created_after >= signer.revoked_at:  # type: ignore[operator]
        return _failed(asked, "REVOKED", reason)
    return _indeterminate(asked, "REVOKED_NO_POE", reason)


def _good(asked: _Question, signer: CertificateStatus) -> TrustVerdict:
    """Nothing is revoked. Settled once the answer is younger than the proof of existence and the grace period."""
    settled_from = (asked.poe + asked.policy.grace).replace(microsecond=0)
    provisional = signer.standing is Standing.GOOD and signer.issued_at is not None and signer.issued_at < settled_from
    if provisional and asked.policy.freshness is Freshness.AFTER_POE:
        return _later(asked, signer, "trust.not_fresh_enough")
    reasons: tuple[Reason, ...] = ()
    if signer.standing is Standing.REVOKED_LATER:
        reasons = (_status_reason("trust.revoked_later", signer),)
    elif provisional:
        reasons = (_status_reason("trust.provisional", signer),)
    recheck = _recheck(asked, signer) if provisional else None
    return replace(_verdict(asked, Indication.PASSED, None, reasons), recheck_at=recheck)


def _later(asked: _Question, status: CertificateStatus, code: str) -> TrustVerdict:
    verdict = _indeterminate(asked, "TRY_LATER", _status_reason(code, status))
    return replace(verdict, recheck_at=_recheck(asked, status))


def _recheck(asked: _Question, status: CertificateStatus) -> datetime:
    """When newer data are to be expected: the next list, not before the grace period ends, never in the past."""
    expected = max(status.next_update or asked.at, asked.poe + asked.policy.grace)
    return expected if expected > asked.at else asked.at + asked.policy.retry


def _used(given: RevocationEvidence, statuses: list[CertificateStatus]) -> RevocationEvidence:
    """Of all that was offered, what the answer rests on; certificates stay, since responders may be among them."""
    named = {status.evidence_sha256 for status in statuses}
    ocsps = tuple(piece for piece in given.ocsps if fingerprint(piece) in named)
    crls = tuple(piece for piece in given.crls if fingerprint(piece) in named)
    return RevocationEvidence(crls=given.crls if ocsps else crls, ocsps=ocsps, certificates=given.certificates)


def _with_chain(verdict: TrustVerdict, chain: Chain) -> TrustVerdict:
    anchor = chain.anchor
    note = AnchorNote(anchor.source, anchor.valid_from, anchor.valid_until, anchor.at_issue)
    return replace(verdict, chain=tuple(der(item) for item in chain.certificates), anchor=note)


def _indeterminate(asked: _Question, sub_indication: str, *reasons: Reason) -> TrustVerdict:
    return _verdict(asked, Indication.INDETERMINATE, sub_indication, reasons)


def _failed(asked: _Question, sub_indication: str, *reasons: Reason) -> TrustVerdict:
    return _verdict(asked, Indication.FAILED, sub_indication, reasons)


def _verdict(
    asked: _Question, indication: Indication, sub_indication: str | None, reasons: tuple[Reason, ...]
) -> TrustVerdict:
    return TrustVerdict(
        indication, sub_indication, asked.at, asked.poe, created_after=asked.created_after, reasons=reasons
    )


def _because(code: str, certificate: x509.Certificate, **facts: str) -> Reason:
    return Reason(code, {"certificate": fingerprint(certificate)[:16], **facts})


def _status_reason(code: str, status: CertificateStatus) -> Reason:
    known = {
        "cause": status.cause,
        "source": status.source,
        "issued_at": _shown(status.issued_at),
        "revoked_at": _shown(status.revoked_at),
        "reason": status.revocation_reason,
    }
    facts = {name: value for name, value in known.items() if value}
    return Reason(code, {"certificate": status.certificate_sha256[:16], **facts})


def _shown(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _key_fits(certificate: x509.Certificate, policy: PathPolicy) -> bool:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= policy.min_rsa_bits
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 256


def _usage_fits(certificate: x509.Certificate, policy: PathPolicy) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(getattr(usage, name) for name in policy.usages)


def _extended_usage_fits(certificate: x509.Certificate, policy: PathPolicy) -> bool:
    if policy.extended_usage is None:
        return True
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return any(purpose.dotted_string == policy.extended_usage for purpose in usage)
