"""What Profil Zaufany's own service says of a signed document: a second opinion, kept beside our verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from schemas.verification import Indication


@dataclass(frozen=True, slots=True)
class Opinion:
    """One answer, without the personal data in it. Numbers are the service's own; their meanings are not published."""

    valid: bool | None  # ValidDocumentSignature; None: it does not say
    signature_type: str | None  # for example XAdES
    verify_status: int | None
    certificate_status: int | None
    answer_sha256: str  # of the answer's text, which holds who signed and is not kept

    def to_json(self) -> dict[str, Any]:
        """All fields, unknown ones as null."""
        return asdict(self)

    def agrees_with(self, ours: Indication) -> bool | None:
        """None where either side does not commit itself."""
        if self.valid is None or ours is Indication.INDETERMINATE:
            return None
        return self.valid is (ours is Indication.PASSED)
