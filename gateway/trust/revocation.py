"""What all CRLs and OCSP answers together say about one certificate of a chain, as of a signature's existence.

Each piece is asked alone (`answers`), then they are weighed: a revocation after the proof of existence does not
matter, an answer newer than the moment asked about is worth more, not less, and an answer that was supplied counts
whether or not the certificate names a responder.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509 import ocsp

from gateway.trust.answers import HOLD, Answer, Issuer, ask_list, ask_responder
from gateway.trust.chains import Chain
from gateway.trust.verdict import (
    CertificateStatus,
    PathPolicy,
    RevocationEvidence,
    Standing,
    certificate_of,
    fingerprint,
)

_MOST_PIECES = 64  # of each kind: evidence may come inside a document, so its amount is bounded


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence once parsed, pieces that cannot be read counted instead of raised."""

    crls: tuple[tuple[bytes, x509.CertificateRevocationList], ...]
    ocsps: tuple[tuple[bytes, ocsp.OCSPResponse], ...]
    certificates: tuple[x509.Certificate, ...]
    unreadable: int

    @classmethod
    def parse(cls, evidence: RevocationEvidence) -> Evidence:
        """Parse every piece, up to a bounded number of each kind."""
        crls = [(piece, _crl(piece)) for piece in evidence.crls[:_MOST_PIECES]]
        ocsps = [(piece, _ocsp(piece)) for piece in evidence.ocsps[:_MOST_PIECES]]
        certificates = [_certificate(piece) for piece in evidence.certificates[:_MOST_PIECES]]
        unreadable = sum(item is None for item in [*(c for _, c in crls), *(o for _, o in ocsps), *certificates])
        return cls(
            crls=tuple((piece, parsed) for piece, parsed in crls if parsed is not None),
            ocsps=tuple((piece, parsed) for piece, parsed in ocsps if parsed is not None),
            certificates=tuple(item for item in certificates if item is not None),
            unreadable=unreadable,
        )


def status_of(
    number: int,
    chain: Chain,
    evidence: Evidence,
    *,
    at: datetime,
    poe: datetime,
    policy: PathPolicy,
) -> CertificateStatus:
    """Weigh everything that is known about certificate `number` of the chain (0: the signer), below the anchor."""
    certificate = chain.certificates[number]
    name = fingerprint(certificate)
    found, cause = answers(number, chain, evidence)
    gone = [answer for answer in found if answer.revoked_at is not None and answer.reason != HOLD]
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


def answers(number: int, chain: Chain, evidence: Evidence) -> tuple[list[Answer], str]:
    """Authentic answers about a certificate of the chain, and why there are none."""
    certificate = chain.certificates[number]
    issuer = Issuer(chain.certificates[number + 1], is_anchor=number + 2 == len(chain.certificates))
    said = [ask_list(certificate, issuer, *piece) for piece in evidence.crls]
    said += [
        ask_responder(certificate, issuer, *piece, evidence.certificates, evidence.crls) for piece in evidence.ocsps
    ]
    causes = [item for item in said if isinstance(item, str)]
    return [item for item in said if isinstance(item, Answer)], causes[-1] if causes else "none"


def _current(answer: Answer, at: datetime, poe: datetime, policy: PathPolicy) -> bool:
    """An answer given after the signature existed is always worth something; an older one only while it is valid."""
    if answer.this_update >= poe.replace(microsecond=0):
        return True
    if answer.next_update is None:
        return at - answer.this_update <= policy.answer_age
    return at <= answer.next_update


def _would_still_tell(answer: Answer, certificate: x509.Certificate) -> bool:
    """Authorities may drop expired certificates: silence after expiry tells nothing unless they say they keep them."""
    expired = certificate.not_valid_after_utc
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


def _crl(piece: bytes) -> x509.CertificateRevocationList | None:
    try:
        return x509.load_der_x509_crl(piece)
    except ValueError:
        return None


def _ocsp(piece: bytes) -> ocsp.OCSPResponse | None:
    try:
        return ocsp.load_der_ocsp_response(piece)
    except ValueError:
        return None


def _certificate(piece: bytes) -> x509.Certificate | None:
    try:
        return certificate_of(piece)
    except ValueError:
        return None
