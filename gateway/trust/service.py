"""One callable for whoever needs a certificate judged: anchors, evidence and rules put together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from gateway.trust.chains import chains
from gateway.trust.path import judge
from gateway.trust.source import RevocationSource
from gateway.trust.verdict import Anchor, PathPolicy, RevocationEvidence, TrustVerdict
from schemas.verification import Reason

Anchors = Callable[[datetime], Sequence[Anchor]]
_MOST_CHAINS = 4  # for which evidence is gathered
_NO_EVIDENCE = RevocationEvidence()
_NONE: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class TrustService:
    """Judges with evidence from bundles, cache and network. `anchors(poe)`: whom to trust for that time."""

    anchors: Anchors
    source: RevocationSource = field(default_factory=RevocationSource)
    policy: PathPolicy = field(default_factory=PathPolicy)

    def judge(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate],
        *,
        at: datetime,
        poe: datetime | None = None,
        created_after: datetime | None = None,
        evidence: RevocationEvidence = _NO_EVIDENCE,
    ) -> TrustVerdict:
        """As `path.judge`; `evidence` (from inside the signature) is used beside what is gathered."""
        verdict, _ = self.explain(
            certificate, intermediates, at=at, poe=poe, created_after=created_after, evidence=evidence
        )
        return verdict

    def explain(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate],
        *,
        at: datetime,
        poe: datetime | None = None,
        created_after: datetime | None = None,
        evidence: RevocationEvidence = _NO_EVIDENCE,
    ) -> tuple[TrustVerdict, tuple[Reason, ...]]:
        """The verdict, and what could not be fetched on the way to it (codes `trust.fetch_*`)."""
        anchors = self.anchors(poe or at)
        gathered, problems = evidence, _NONE
        if self.policy.revocation:
            gathered, problems = self._gather(certificate, intermediates, anchors, at, poe or at, evidence)
        verdict = judge(
            certificate,
            intermediates,
            anchors,
            at=at,
            poe=poe,
            created_after=created_after,
            evidence=gathered,
            policy=self.policy,
        )
        return verdict, problems

    def _gather(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate],
        anchors: Sequence[Anchor],
        at: datetime,
        poe: datetime,
        evidence: RevocationEvidence,
    ) -> tuple[RevocationEvidence, tuple[Reason, ...]]:
        found = itertools.islice(chains(certificate, intermediates, anchors, policy=self.policy), _MOST_CHAINS)
        problems = _NONE
        for chain in found:
            gathered = self.source.gather(chain, at=at, newer_than=poe)
            evidence, problems = gathered.evidence + evidence, problems + gathered.problems
        return evidence, problems
