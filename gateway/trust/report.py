"""The validation report: what was checked, against what, when, and with which certificates and revocation data.

Stored as JSON beside the document; shown as one Polish page that needs nothing else. Offline, `confirm` reaches every
trust verdict again from the report alone. Both hold personal data: store and show, never log.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import metadata, resources
from typing import Any
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.x509 import ocsp
from jinja2 import Environment, StrictUndefined, Template

from gateway.trust.evidence import SignatureEvidence, StampEvidence
from gateway.trust.path import judge_again
from gateway.trust.verdict import CertificateStatus, PathPolicy, TrustVerdict, certificate_of, fingerprint
from schemas.ids import sha256
from schemas.texts import text
from schemas.verification import Indication, Reason, Verification

FORMAT = 1
_WARSAW = ZoneInfo("Europe/Warsaw")


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """All signatures of one document, judged once. `evidence` follows `verification.signatures`."""

    made_at: datetime
    environment: str
    document_sha256: str
    size_bytes: int
    verification: Verification
    evidence: tuple[SignatureEvidence, ...]
    policy: PathPolicy
    software: str

    def to_json(self) -> dict[str, Any]:
        """Everything, bytes as base64 with digests."""
        return {
            "format": FORMAT,
            "made_at": self.made_at.isoformat(),
            "environment": self.environment,
            "document": {"sha256": self.document_sha256, "size_bytes": self.size_bytes},
            "verification": self.verification.to_json(),
            "evidence": [_evidence_out(item) for item in self.evidence],
            "policy": self.policy.to_json(),
            "software": self.software,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> ValidationReport:
        """Read back what `to_json` wrote. Raises ValueError: another format, or evidence without its digest."""
        if stored.get("format") != FORMAT:
            raise ValueError(f"validation report of format {stored.get('format')}, not {FORMAT}")
        return cls(
            made_at=datetime.fromisoformat(stored["made_at"]),
            environment=stored["environment"],
            document_sha256=stored["document"]["sha256"],
            size_bytes=stored["document"]["size_bytes"],
            verification=Verification.from_json(stored["verification"]),
            evidence=tuple(_evidence_in(item) for item in stored["evidence"]),
            policy=PathPolicy.from_json(stored["policy"]),
            software=stored["software"],
        )


def make(
    document: bytes,
    verification: Verification,
    evidence: tuple[SignatureEvidence, ...],
    *,
    at: datetime,
    environment: str,
    policy: PathPolicy,
    document_sha256: str | None = None,
) -> ValidationReport:
    """The report on a document just verified; evidence missing at the end stands for signatures without any.

    Args: document_sha256: where it is known already.
    """
    missing = len(verification.signatures) - len(evidence)
    return ValidationReport(
        made_at=at,
        environment=environment,
        document_sha256=document_sha256 or sha256(document),
        size_bytes=len(document),
        verification=verification,
        evidence=(*evidence, *(SignatureEvidence() for _ in range(missing))),
        policy=policy,
        software=f"brama {_version()}",
    )


def confirm(report: ValidationReport) -> tuple[bool, ...]:
    """Per signature: does judging again, offline, from the report alone, give the stored answer?"""
    return tuple(all(judge_again(*one) == one[0] for one in _judged(item, report.policy)) for item in report.evidence)


def page(report: ValidationReport) -> str:
    """The report as one HTML page in Polish, self-contained and readable without colours or scripts."""
    shown = [
        _signature(number, verdict, evidence)
        for number, (verdict, evidence) in enumerate(
            zip(report.verification.signatures, report.evidence, strict=True), 1
        )
    ]
    return _template().render(report=report, signatures=shown, verdict=_word(report.verification.indication))


def _judged(evidence: SignatureEvidence, policy: PathPolicy) -> list[tuple[TrustVerdict, PathPolicy]]:
    found = [(evidence.trust, policy)] if evidence.trust else []
    if evidence.time_stamp and evidence.time_stamp.trust:
        stamping = PathPolicy.from_json({**policy.to_json(), "extended_usage": "1.3.6.1.5.5.7.3.8"})
        found.append((evidence.time_stamp.trust, stamping))
    return found


def _evidence_out(evidence: SignatureEvidence) -> dict[str, Any]:
    stamp = evidence.time_stamp
    return {
        "trust": evidence.trust.to_json() if evidence.trust else None,
        "problems": [{"code": item.code, "facts": item.facts} for item in evidence.problems],
        "time_stamp": None if stamp is None else {
            "token": base64.b64encode(stamp.token).decode(),
            "time": stamp.time.isoformat(),
            "trust": stamp.trust.to_json() if stamp.trust else None,
        },
    }  # fmt: skip


def _evidence_in(stored: dict[str, Any]) -> SignatureEvidence:
    stamp = stored["time_stamp"]
    return SignatureEvidence(
        trust=TrustVerdict.from_json(stored["trust"]) if stored["trust"] else None,
        problems=tuple(Reason(**item) for item in stored["problems"]),
        time_stamp=None if stamp is None else StampEvidence(
            token=base64.b64decode(stamp["token"], validate=True),
            time=datetime.fromisoformat(stamp["time"]),
            trust=TrustVerdict.from_json(stamp["trust"]) if stamp["trust"] else None,
        ),
    )  # fmt: skip


def _signature(number: int, verdict: Any, evidence: SignatureEvidence) -> dict[str, Any]:
    """What the page says of one signature."""
    return {
        "number": number,
        "verdict": verdict,
        "word": _word(verdict.indication),
        "reasons": [(item.code, text(item.code, **item.facts)) for item in verdict.reasons],
        "trust": evidence.trust,
        "trust_word": _word(evidence.trust.indication) if evidence.trust else "",
        "trust_reasons": [(item.code, text(item.code, **item.facts)) for item in evidence.trust.reasons]
        if evidence.trust
        else [],
        "problems": [(item.code, text(item.code, **item.facts)) for item in evidence.problems],
        "certificates": _certificates(evidence.trust) if evidence.trust else [],
        "data": _data(evidence.trust) if evidence.trust else [],
        "stamp": evidence.time_stamp,
    }


def _certificates(trust: TrustVerdict) -> list[dict[str, Any]]:
    statuses: dict[str, CertificateStatus] = {status.certificate_sha256: status for status in trust.statuses}
    found = []
    for der in trust.chain:
        certificate = certificate_of(der)
        found.append(
            {
                "subject": certificate.subject.rfc4514_string(),
                "issuer": certificate.issuer.rfc4514_string(),
                "serial": f"{certificate.serial_number:x}",
                "since": certificate.not_valid_before_utc,
                "until": certificate.not_valid_after_utc,
                "sha256": fingerprint(der),
                "status": statuses.get(fingerprint(der)),
            }
        )
    return found


def _data(trust: TrustVerdict) -> list[dict[str, Any]]:
    """The lists and answers kept as evidence."""
    found: list[dict[str, Any]] = []
    for der in trust.evidence.crls:
        crl = x509.load_der_x509_crl(der)
        found.append(_piece("lista CRL", der, crl.issuer.rfc4514_string(), crl.last_update_utc, crl.next_update_utc))
    for der in trust.evidence.ocsps:
        single = next(iter(ocsp.load_der_ocsp_response(der).responses))
        found.append(_piece("odpowiedź OCSP", der, "", single.this_update_utc, single.next_update_utc))
    return found


def _piece(kind: str, der: bytes, issuer: str, since: datetime, until: datetime | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "issuer": issuer,
        "since": since,
        "until": until,
        "sha256": fingerprint(der),
        "size": len(der),
    }


_WORDS = {
    Indication.PASSED: "ważny",
    Indication.INDETERMINATE: "nie można rozstrzygnąć",
    Indication.FAILED: "nieważny",
}
_STANDINGS = {
    "anchor": "zaufany urząd",
    "good": "nieunieważniony",
    "revoked": "unieważniony",
    "revoked_later": "unieważniony później",
    "on_hold": "zawieszony",
    "unknown": "nieznany",
    "not_checked": "nie sprawdzano",
}


def _word(indication: Indication) -> str:
    return _WORDS[indication]


def _moment(moment: datetime | None) -> str:
    """Polish wall time with UTC beside it."""
    if moment is None:
        return "—"
    return f"{moment.astimezone(_WARSAW):%Y-%m-%d %H:%M:%S} ({moment:%H:%M:%S} UTC)"


@cache
def _version() -> str:
    try:
        return metadata.version("brama")
    except metadata.PackageNotFoundError:  # a working copy that is not installed
        return "dev"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["moment"] = _moment
    environment.filters["standing"] = lambda word: _STANDINGS[word]
    source = resources.files(__package__ or "gateway.trust").joinpath("report.html").read_text("utf-8")
    return environment.from_string(source)
