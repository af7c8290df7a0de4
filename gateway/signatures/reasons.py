"""Every reason a signature's verdict can have: its code, and what it makes of the verdict (ETSI EN 319 102-1)."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.verification import Indication, Reason

_F, _I, _P = Indication.FAILED, Indication.INDETERMINATE, Indication.PASSED

WEIGHT: dict[str, tuple[Indication, str | None]] = {
    # broken, or not a signature of what it is attached to
    "signature.none": (_F, "FORMAT_FAILURE"),
    "signature.malformed": (_F, "FORMAT_FAILURE"),
    "signature.too_many": (_F, "FORMAT_FAILURE"),
    "signature.too_costly": (_F, "FORMAT_FAILURE"),
    "signature.not_base64": (_F, "FORMAT_FAILURE"),
    "signature.id_ambiguous": (_F, "FORMAT_FAILURE"),
    "signature.reference_missing": (_F, "FORMAT_FAILURE"),
    "signature.reference_refused": (_F, "FORMAT_FAILURE"),
    "signature.transform_refused": (_F, "FORMAT_FAILURE"),
    "signature.transform_order": (_F, "FORMAT_FAILURE"),
    "signature.canonicalization_failed": (_F, "FORMAT_FAILURE"),
    "signature.digest_mismatch": (_F, "HASH_FAILURE"),
    "signature.manifest_mismatch": (_F, "HASH_FAILURE"),
    "signature.value_mismatch": (_F, "SIG_CRYPTO_FAILURE"),
    "signature.nothing_signed": (_F, "FORMAT_FAILURE"),
    "signature.partial_coverage": (_F, "FORMAT_FAILURE"),
    "signature.properties_misplaced": (_F, "FORMAT_FAILURE"),
    "signature.properties_not_covered": (_F, "FORMAT_FAILURE"),
    "signature.counter_signature_misplaced": (_F, "FORMAT_FAILURE"),
    "signature.certificate_mismatch": (_F, "FORMAT_FAILURE"),
    "signature.key_value_mismatch": (_F, "FORMAT_FAILURE"),
    # cannot be told, or not yet
    "signature.algorithm_refused": (_I, "CRYPTO_CONSTRAINTS_FAILURE"),
    "signature.algorithm_weak": (_I, "CRYPTO_CONSTRAINTS_FAILURE"),
    "signature.key_weak": (_I, "CRYPTO_CONSTRAINTS_FAILURE"),
    "signature.no_key": (_I, "NO_SIGNING_CERTIFICATE_FOUND"),
    "signature.no_certificate": (_I, "NO_SIGNING_CERTIFICATE_FOUND"),
    "signature.detached_missing": (_I, "SIGNED_DATA_NOT_FOUND"),
    "signature.manifest_unchecked": (_I, "SIGNED_DATA_NOT_FOUND"),
    "signature.untrusted": (_I, "NO_CERTIFICATE_CHAIN_FOUND"),
    "signature.certificate_expired": (_I, "OUT_OF_BOUNDS_NO_POE"),
    "signature.certificate_not_yet_valid": (_I, "OUT_OF_BOUNDS_NO_POE"),
    "signature.key_usage": (_I, "CHAIN_CONSTRAINTS_FAILURE"),
    "signature.not_qualified": (_I, "SIG_CONSTRAINTS_FAILURE"),
    "signature.role_missing": (_I, "SIG_CONSTRAINTS_FAILURE"),
    # worth knowing, changes nothing
    "signature.sha1_allowed": (_P, None),
    "signature.certificate_digest_sha1": (_P, None),
    "signature.time_stamp_unusable": (_P, None),
}

_NOTHING: tuple[Indication, str | None] = (Indication.PASSED, None)
_TRUST_AREAS = ("trust.", "timestamp.")
_RANK = {Indication.FAILED: 2, Indication.INDETERMINATE: 1, Indication.PASSED: 0}


class Refusal(Exception):
    """Raised and caught inside this package only: one signature cannot be judged, for the reason it carries."""

    def __init__(self, code: str, **facts: object) -> None:
        self.reason = Reason(code, {name: str(value) for name, value in facts.items()})
        super().__init__(code)


def reason(code: str, **facts: object) -> Reason:
    """A reason with its facts as text."""
    return Reason(code, {name: str(value) for name, value in facts.items()})


def weight_of(item: Reason) -> tuple[Indication, str | None]:
    """What one reason makes of the verdict; those of the trust services weigh nothing: they have their own verdict."""
    return _NOTHING if item.code.startswith(_TRUST_AREAS) else WEIGHT[item.code]


def weigh(
    reasons: Iterable[Reason], trust: tuple[Indication, str | None] = (Indication.PASSED, None)
) -> tuple[Indication, str | None]:
    """The indication and sub-indication these amount to, with the trust verdict: the heaviest, the first of equals."""
    heaviest = _NOTHING
    for weight in (*map(weight_of, reasons), trust):
        if _RANK[weight[0]] > _RANK[heaviest[0]]:
            heaviest = weight
    return heaviest


def worst(indications: Iterable[Indication]) -> Indication:
    """The worst of several; FAILED when there is none."""
    return max(indications, key=_RANK.__getitem__, default=Indication.FAILED)
