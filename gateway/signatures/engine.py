"""Judge the signatures of one document: read, check references, check the value, bind, cover, trust; in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from gateway.signatures import algorithms, canonical, carried, coverage, keys, properties, references, signer, structure
from gateway.signatures.canonical import SIGNATURE, NodeSet
from gateway.signatures.coverage import Coverage
from gateway.signatures.keys import Certificate, KeyInfo
from gateway.signatures.properties import Properties
from gateway.signatures.reasons import Refusal, reason, weigh, weight_of, worst
from gateway.signatures.references import Document, Outcome
from gateway.signatures.signer import Moment
from gateway.signatures.structure import DEFAULT_BOUNDS, Bounds, Signature
from gateway.signatures.trust import TrustPolicy
from gateway.trust.evidence import SignatureEvidence
from schemas.errors import DocumentUnreadable
from schemas.verification import (
    Crypto,
    Indication,
    Reason,
    ReferenceVerdict,
    SignatureVerdict,
    Signer,
    Verification,
)
from schemas.xmldoc import DS, parse, qname

Scope = Literal["full", "crypto"]

_VALUE = qname(DS, "SignatureValue")


@dataclass(frozen=True, slots=True)
class Examination:
    """A verification with what trust in each signature rests on, for the validation report."""

    verification: Verification
    evidence: tuple[SignatureEvidence, ...] = ()


def verify(
    document: bytes,
    trust: TrustPolicy,
    *,
    at: datetime | None = None,
    poe: datetime | None = None,
    detached: Mapping[str, bytes] | None = None,
    scope: Scope = "full",
    limits: Bounds = DEFAULT_BOUNDS,
) -> Verification:
    """Judge every signature in a document: `examine` without the evidence."""
    return examine(document, trust, at=at, poe=poe, detached=detached, scope=scope, limits=limits).verification


def examine(
    document: bytes,
    trust: TrustPolicy,
    *,
    at: datetime | None = None,
    poe: datetime | None = None,
    detached: Mapping[str, bytes] | None = None,
    scope: Scope = "full",
    limits: Bounds = DEFAULT_BOUNDS,
) -> Examination:
    """Judge every signature in a document. Never raises for bad input; reaches for no network or file but through the
    policy's judges, which ask listed hosts for revocation data.

    Args:    document: the original octets. at: the moment judged, aware (now when None).
             poe: when the document surely existed, e.g. when we received it; `at` when None.
             detached: what references name outside the document, by file name or exact URI; original octets.
             scope: `crypto` leaves trust out: intact, covered, safe structure, allowed algorithms, certificate binding.
    Returns: the worst of all signatures' indications; without a signature FAILED with `signature.none`.
    """
    try:
        tree = parse(document)
    except DocumentUnreadable as error:
        facts = {name: str(value) for name, value in error.facts.items()}
        return Examination(Verification(Indication.FAILED, (), scope, (Reason(error.code, facts),)))
    elements = list(tree.iter(SIGNATURE))
    if not elements:
        return Examination(Verification(Indication.FAILED, (), scope, (reason("signature.none"),)))
    if len(elements) > limits.signatures:
        found = reason("signature.too_many", what="Signature", limit=limits.signatures)
        return Examination(Verification(Indication.FAILED, (), scope, (found,)))
    held = Document(tree, document, {} if detached is None else detached, limits)
    now = at or datetime.now(UTC)
    moment = Moment(now, poe or now)
    judged = [_Judgement(element, held).run(trust, moment, scope) for element in elements]
    verdicts = tuple(item.verdict for item in judged)
    indication = worst(verdict.indication for verdict in verdicts)
    reasons: tuple[Reason, ...] = ()
    if all(item.coverage.is_counter for item in judged):
        indication, reasons = Indication.FAILED, (reason("signature.nothing_signed"),)
    verification = Verification(indication, verdicts, scope, reasons, _signed_xml(judged))
    return Examination(verification, tuple(item.evidence for item in judged))


@dataclass(slots=True)
class _Judgement:
    """One signature being judged; filled from top to bottom."""

    element: etree._Element
    document: Document
    signature: Signature | None = None
    properties: Properties | None = None
    outcomes: tuple[Outcome, ...] = ()
    key_info: KeyInfo = field(default_factory=KeyInfo)
    certificate: Certificate | None = None
    crypto: Crypto = Crypto.UNSUPPORTED
    properties_covered: bool = False
    coverage: Coverage = field(default_factory=Coverage)
    evidence: SignatureEvidence = field(default_factory=SignatureEvidence)  # what trust in the signer rests on
    verdict: SignatureVerdict = None  # type: ignore[assignment]  # set by run

    def run(self, trust: TrustPolicy, moment: Moment, scope: Scope) -> _Judgement:
        reasons: list[Reason] = []
        who: Signer | None = None
        try:
            self.signature = structure.read(self.element, self.document.bounds)
            self.key_info = keys.read(self.signature.key_info, self.document.bounds)
            reasons += [*self.signature.notes, *self.key_info.notes]
            self._check_references(reasons)
            self._check_value(reasons, trust)
            self.properties = properties.read(self.signature)
            self._check_properties(reasons)
            self.coverage = coverage.judge(self.signature, self.properties, self.outcomes, self.document)
            reasons += self.coverage.reasons
            who = signer.unbelieved(self.certificate)
            if scope == "full" and self.crypto is Crypto.INTACT:
                who = self._judge_signer(trust, moment, reasons)
        except Refusal as refusal:
            reasons.append(refusal.reason)
        self.verdict = self._verdict(reasons, who)
        return self

    def _judge_signer(self, trust: TrustPolicy, moment: Moment, reasons: list[Reason]) -> Signer | None:
        """Believe the signer as far as certificate, revocation and time-stamps allow; keeps the evidence."""
        stamp = None
        if trust.stamp_judge is not None:
            value = self.element.find(_VALUE)
            assert value is not None
            proven = carried.stamped(value, self.properties, self.document, trust.stamp_judge, moment.at)
            reasons += proven.reasons
            stamp = proven.evidence
        poe = min(moment.poe, stamp.time) if stamp else moment.poe
        found = signer.judge(
            self.certificate,
            self._believed(),
            trust,
            Moment(moment.at, poe),
            self.key_info.certificates,
            (lambda: carried.evidence(self.properties)),
        )
        reasons += found.reasons
        self.evidence = SignatureEvidence(found.trust, found.problems, stamp)
        return found.signer

    def _check_references(self, reasons: list[Reason]) -> None:
        assert self.signature is not None
        self.outcomes = tuple(
            references.check(item, self.signature, self.document) for item in self.signature.references
        )
        reasons += [outcome.reason for outcome in self.outcomes if outcome.reason]

    def _check_value(self, reasons: list[Reason], trust: TrustPolicy) -> None:
        """SignedInfo against the value, with each key offered; sets `crypto` and who really signed."""
        assert self.signature is not None
        method = self.signature.method
        if method is None:
            reasons.append(reason("signature.algorithm_refused", algorithm=self.signature.method_name))
            self.crypto = self._settled(held=None)
            return
        nodes = NodeSet(self.document.tree, self.document.source, self.signature.signed_info, comments=True)
        data = canonical.octets(nodes, self.signature.canonicalization, self.signature.prefixes)
        offered: list[tuple[algorithms.PublicKey, Certificate | None]] = [
            (item.key, item) for item in self.key_info.certificates if item.key is not None
        ]
        offered += [(key, None) for key in self.key_info.values]
        fitting = [(key, owner) for key, owner in offered if algorithms.fits(method, key)]
        real = next(
            (pair for pair in fitting if algorithms.verifies(method, pair[0], self.signature.value, data)), None
        )
        if real is not None:
            self.certificate = real[1]
            reasons += self._weaknesses(real[0], trust)
            reasons += self._stray_keys(real[0])
        elif fitting:
            reasons.append(reason("signature.value_mismatch"))
        else:
            reasons.append(reason("signature.no_key"))
        self.crypto = self._settled(held=None if not fitting else real is not None)

    def _settled(self, *, held: bool | None) -> Crypto:
        if held is False or any(outcome.intact is False for outcome in self.outcomes):
            return Crypto.BROKEN
        refused = any(item.reason and item.reason.code != "signature.detached_missing" for item in self.outcomes)
        return Crypto.UNSUPPORTED if refused or held is None else Crypto.INTACT

    def _weaknesses(self, key: algorithms.PublicKey, trust: TrustPolicy) -> list[Reason]:
        assert self.signature is not None
        found = []
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < trust.minimum_rsa_bits:
            found.append(reason("signature.key_weak", bits=key.key_size, minimum=trust.minimum_rsa_bits))
        method = self.signature.method
        names = {outcome.reference.digest.name for outcome in self.outcomes if _is_weak(outcome)}  # type: ignore[union-attr]
        if method is not None and method.weak:
            names.add(method.hash.name if method.family != "dsa" else "dsa")
        for name in sorted(names):
            allowed = name == "sha1" and trust.allow_sha1
            found.append(
                reason("signature.sha1_allowed") if allowed else reason("signature.algorithm_weak", algorithm=name)
            )
        return found

    def _stray_keys(self, real: algorithms.PublicKey) -> list[Reason]:
        """A bare key beside a certificate must be the key that signed: a reader may have trusted either."""
        if self.certificate is None and self.key_info.certificates:
            return [reason("signature.key_value_mismatch")]
        return [reason("signature.key_value_mismatch") for value in self.key_info.values if value != real][:1]

    def _check_properties(self, reasons: list[Reason]) -> None:
        for outcome in self.outcomes:
            if outcome.reference.type in properties.REFERENCE_TYPES and outcome.intact is not None:
                expected = self.properties.signed if self.properties else None
                if expected is None or outcome.target is not expected:
                    reasons.append(reason("signature.properties_misplaced", what="SignedProperties"))
        if self.properties is None or self.properties.signed is None:
            return
        if not self._properties_covered():
            reasons.append(reason("signature.properties_not_covered"))
            return
        self.properties_covered = True
        if self.crypto is Crypto.INTACT:
            reasons += properties.check_binding(self.properties, self.certificate)

    def _properties_covered(self) -> bool:
        covered = [
            outcome.target
            for outcome in self.outcomes
            if outcome.intact and outcome.target is not None and references.is_canonical_only(outcome.reference.steps)
        ]
        return self.properties is not None and properties.covers(self.properties, covered)

    def _believed(self) -> Properties | None:
        return self.properties if self.crypto is Crypto.INTACT and self.properties_covered else None

    def _verdict(self, reasons: list[Reason], who: Signer | None) -> SignatureVerdict:
        if self.crypto is not Crypto.INTACT and weigh(reasons)[0] is Indication.PASSED:
            reasons.append(reason("signature.malformed", what="Signature"))  # fail closed: not intact never passes
        trust = self.evidence.trust
        indication, sub = weigh(
            reasons, (trust.indication, trust.sub_indication) if trust else (Indication.PASSED, None)
        )
        believed = self._believed()
        return SignatureVerdict(
            id=self.element.get("Id"),
            indication=indication,
            sub_indication=sub,
            crypto=self.crypto,
            covers_document=self.coverage.covers and self.crypto is Crypto.INTACT,
            level=properties.level(self.properties) if self.signature else None,
            signing_time=believed.signing_time if believed else None,
            signer=who,
            references=tuple(
                ReferenceVerdict(item.reference.uri, item.intact, item.reference.type) for item in self.outcomes
            ),
            reasons=_in_order(reasons),
        )


def _signed_xml(judged: list[_Judgement]) -> bytes | None:
    """The octets that were digested, less any other signature: from the first signature nothing is wrong with."""
    for item in judged:
        whole = item.coverage.whole
        if whole is None or item.crypto is not Crypto.INTACT or item.verdict.indication is Indication.FAILED:
            continue
        if whole.nodes is None or whole.octets is None:
            continue
        only = len(judged) == 1 or any(step.name == SIGNATURE for step in whole.reference.steps)
        return whole.octets if only else canonical.content_without_signatures(whole.nodes, whole.octets)
    return None


def _is_weak(outcome: Outcome) -> bool:
    return outcome.reference.digest is not None and outcome.reference.digest.weak


def _in_order(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Heaviest first, each once."""
    if not reasons:
        return ()
    rank = {Indication.FAILED: 0, Indication.INDETERMINATE: 1, Indication.PASSED: 2}
    once = {(item.code, *sorted(item.facts.items())): item for item in reasons}.values()
    return tuple(sorted(once, key=lambda item: rank[weight_of(item)[0]]))
