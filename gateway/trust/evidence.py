"""What trust in one signature rests on; collected while verifying, kept in the validation report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.trust.verdict import TrustVerdict
from schemas.verification import Reason


@dataclass(frozen=True, slots=True)
class StampEvidence:
    """A time-stamp on a signature: the token, its time, and how its issuer was judged."""

    token: bytes
    time: datetime
    trust: TrustVerdict | None


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """What one signature's trust rests on; `trust` None: a pinned certificate, or trust was not reached."""

    trust: TrustVerdict | None = None
    problems: tuple[Reason, ...] = ()
    time_stamp: StampEvidence | None = None
