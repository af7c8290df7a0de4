"""What there is to say about one enclosed signature, the same for every kind of file."""

from __future__ import annotations

from dataclasses import dataclass

# What a verdict may say of a signature beside a document without saying anything against its signer: a container's
# signature covers files, not the document it stands in.
_HARMLESS = frozenset(
    {
        "signature.partial_coverage",
        "signature.sha1_allowed",
        "signature.certificate_digest_sha1",
        "signature.time_stamp_unusable",
    }
)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One signature: `intact` None where it cannot be judged; `whole`: nothing of the file is outside it."""

    kind: str  # PAdES | ASiC
    intact: bool | None
    whole: bool = True
    trusted: bool = False

    @property
    def code(self) -> str:
        """How it is reported."""
        if self.intact is None:
            return "attachment.signature_unreadable"
        if not self.intact:
            return "attachment.signature_broken"
        if not self.whole:
            return "attachment.signature_partial"
        return "attachment.signature_valid" if self.trusted else "attachment.signature_untrusted"


def nothing_against(codes: set[str]) -> bool:
    """Whether these reasons leave the signer believed."""
    return codes <= _HARMLESS
