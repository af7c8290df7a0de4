"""Trust: paths, revocation, trusted lists, evidence. Imports schemas and libraries only.

Start at `path.judge`: may this certificate be believed for a signature that existed at a stated time? It never
touches a network; what it may use is handed to it (`RevocationEvidence`), and what it used is handed back.
`fetch` is the one client that gets revocation data, `lists` reads trusted lists, `report` keeps what was found.
"""

from gateway.trust.path import judge
from gateway.trust.verdict import (
    Anchor,
    CertificateStatus,
    Freshness,
    PathPolicy,
    RevocationEvidence,
    Standing,
    TrustVerdict,
)

__all__ = [
    "Anchor",
    "CertificateStatus",
    "Freshness",
    "PathPolicy",
    "RevocationEvidence",
    "Standing",
    "TrustVerdict",
    "judge",
]
