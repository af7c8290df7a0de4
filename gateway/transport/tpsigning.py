"""TpSigning and TpSigning5 of Profil Zaufany: what do they say of a signed document (verifySignedDocument)?

A question without an effect, but the whole document goes to another authority: off unless it is asked for. Definitions
are not public; both services are called alike, and their answers are read with or without the wrapper, with or without
a namespace.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from lxml import etree

from schemas import xmldoc
from schemas.errors import DocumentUnreadable, EnvelopeUnreadable
from schemas.ids import sha256
from schemas.opinion import Opinion

from .client import Endpoint, ServiceAnswer, ServiceClient

_RETURN = "verifySignedDocumentReturn"


class SigningService:
    """One of the two services."""

    def __init__(
        self, endpoint: Endpoint, *, call_ids: bool = False, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`call_ids`: send callId and requestTimestamp, as some clients do."""
        self._client = ServiceClient("tp-signing.wsdl", endpoint)
        self._call_ids, self._now = call_ids, now

    def verify(self, document: bytes) -> Opinion:
        """Its opinion of a document.

        Raises: ServiceError as `ServiceClient.call`; EnvelopeUnreadable: the answer holds no result that can be read.
        """
        marks = {"callId": str(uuid.uuid4()), "requestTimestamp": self._now()} if self._call_ids else {}
        said = _said(self._client.call("verifySignedDocument", {"document": document, **marks}))
        try:
            result = xmldoc.parse(said).getroot()
        except DocumentUnreadable as error:
            raise EnvelopeUnreadable("intake.envelope_unreadable", reason=error.code) from error
        valid = (result.findtext("ValidDocumentSignature") or "").strip().lower()
        return Opinion(
            valid={"true": True, "1": True, "false": False, "0": False}.get(valid),
            signature_type=(result.findtext("SignatureType") or "").strip()[:40] or None,
            verify_status=_number(result, "StatusInfo/VerifyStatus"),
            certificate_status=_number(result, "StatusInfo/VerifySignerCert"),
            answer_sha256=sha256(said),
        )


def _said(answer: ServiceAnswer) -> bytes:
    """The XML that stands as text in the answer. Raises EnvelopeUnreadable: there is none."""
    for element in answer.element.iter(etree.Element):
        if etree.QName(element).localname == _RETURN:
            return (element.text or "").strip().encode()
    raise EnvelopeUnreadable("intake.part_missing", part=_RETURN)


def _number(result: etree._Element, path: str) -> int | None:
    written = (result.findtext(path) or "").strip()
    return int(written) if written.lstrip("-").isdigit() and len(written) < 10 else None
