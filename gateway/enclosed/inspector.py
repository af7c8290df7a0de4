"""Look into an attachment: is it signed itself, and what is there to say about that?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from gateway.attachments import AttachmentContent, Rules
from gateway.enclosed import container, pdf
from gateway.enclosed.standing import Enclosed
from gateway.signatures import TrustPolicy
from schemas.finding import Finding, Severity
from schemas.texts import text

_INFO = frozenset({"attachment.signature_valid", "attachment.signature_unchecked"})


class Inspector:
    """Args: trust: whom we believe; now: the current time, aware."""

    def __init__(self, trust: TrustPolicy, now: Callable[[], datetime]) -> None:
        self._trust, self._now = trust, now

    def findings(self, attachment: AttachmentContent, rules: Rules) -> Iterator[Finding]:
        """One finding per signature found; nothing of a file without. None of them is an error: what a signed
        attachment is worth is for a clerk to weigh."""
        content = attachment.content
        if len(content) > rules.size_bytes:
            return  # reported as too large already
        try:
            for found in self._signatures(content, rules):
                yield _finding(found.code, attachment.line, found.kind)
        except pdf.NotInstalled:
            yield _finding("attachment.signature_unchecked", attachment.line, pdf.KIND)
        except container.TooLarge:
            yield _finding("attachment.container_too_large", attachment.line, container.KIND)

    def _signatures(self, content: bytes, rules: Rules) -> list[Enclosed]:
        if pdf.is_signed(content):
            return pdf.signatures(content, self._trust, self._now())
        if container.is_signed(content):
            return container.signatures(content, rules, self._trust, self._now())
        return []


def _finding(code: str, line: int | None, kind: str) -> Finding:
    severity = Severity.INFO if code in _INFO else Severity.WARNING
    return Finding(code, severity, line, None, text(code, "pl", kind=kind), text(code, "en", kind=kind))
