"""FileRepo, ePUAP's store of big files. A file can be fetched once: its answer is written down before it is read.

Documents name a file by an address; it is only ever read for the file's id, and the configured service is asked. No
address that a citizen wrote is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from schemas.errors import EnvelopeUnreadable, MessageUntrusted
from schemas.files import Fetched, RepositoryFile
from schemas.xmldoc import SOAP11, Limits, qname

from . import bigvalue, soap
from .client import MARK, UNDERSTOOD, Endpoint, ServiceClient, refusal

FILES = "http://wsdl.epuap.gov.pl/filerepocore/"
CutOut = tuple[bytes, Callable[[], Iterable[bytes]]]
_FILE_ID = re.compile(r"[0-9A-Fa-f]{16,128}")


class Check(Protocol):
    """Judges an envelope's signature; see `gateway.signatures.messages.MessageTrust.check`."""

    def __call__(
        self, message: bytes, /, *, cut_out: tuple[bytes, Callable[[], Iterable[bytes]]] | None = None
    ) -> None:
        """`cut_out`: a mark in the message, and the octets that stood there. Raises MessageUntrusted."""
        ...


class FileRepository:
    """The store of one institution (`subject`). `check` None: answers' signatures are not looked at.

    `upload_parts`: files go up as parts beside the envelope (MTOM) instead of as base64 inside it.
    """

    def __init__(
        self, endpoint: Endpoint, subject: str, check: Check | None = None, *, upload_parts: bool = False
    ) -> None:
        self._client = ServiceClient("filerepo.wsdl", endpoint)
        self._subject, self._check, self._parts = subject, check, upload_parts

    def upload(self, file: RepositoryFile) -> str:
        """Store a file; its id, or the address that contains it: ePUAP's texts disagree. Repeating it does no harm."""
        values = {"file": MARK, "filename": file.name, "mimeType": file.content_type, "subject": self._subject}
        answer = self._client.call_with("uploadFile", values, file.content, in_parts=self._parts)
        return (answer.element.text or "").strip()

    def download(self, file_id: str, into: Callable[[bytes], object]) -> str:
        """Fetch a file: its whole answer, unread, goes into `into` as it comes; returns the answer's Content-Type.

        Raises: ServiceUnreachable: not asked; ServiceUnsettled: the answer did not come whole, the file may be gone.
        """
        return self._client.call_into("downloadFile", {"fileId": file_id, "subject": self._subject}, into)

    def read(self, answer: Path, content_type: str) -> Fetched:
        """Read a stored answer; as often as wanted.

        Raises: ServiceRefused: a Fault, word for word. EnvelopeUnreadable: it is no answer of the repository.
        """
        taken = bigvalue.read(answer, content_type)
        limits = Limits(size_bytes=4 * bigvalue.ENVELOPE_BYTES)
        body = soap.parse(taken.envelope, limits, UNDERSTOOD).body
        if len(body) == 1 and body[0].tag == qname(SOAP11, "Fault"):
            raise refusal(self._client.name, body[0])
        if len(body) != 1 or body[0].tag != qname(FILES, "DataDocument"):
            raise EnvelopeUnreadable("intake.part_missing", part="DataDocument")
        return Fetched(
            name=(body[0].findtext("filename") or "").strip(),
            content_type=(body[0].findtext("mimeType") or "").strip(),
            octets=_value(taken, body[0]).octets if taken.value else tuple,
            untrusted=self._untrusted(taken),
        )

    def _untrusted(self, taken: bigvalue.BigAnswer) -> str | None:
        if self._check is None:
            return None
        try:
            self._check(taken.envelope, cut_out=(taken.mark, taken.value.text) if taken.value else None)
        except MessageUntrusted as error:
            return error.code
        return None


def file_id_of(address: str, hosts: Collection[str]) -> str | None:
    """The id of a file in the repository, from the address in `str:DaneZalacznika` or standing alone; None: not ours.

    Args: hosts: whose addresses are ePUAP's, in lower case; the address must be https, without user or port.
    """
    if _FILE_ID.fullmatch(address):
        return address
    try:
        parts = urlsplit(address)
        ours = parts.scheme == "https" and parts.netloc.lower() in hosts
        ids = parse_qs(parts.query).get("fileId", [])
    except ValueError:
        return None
    return ids[0] if ours and len(ids) == 1 and _FILE_ID.fullmatch(ids[0]) else None


def _value(taken: bigvalue.BigAnswer, element: etree._Element) -> bigvalue.Value:
    """The value cut out, if it is the one that counts: not an element of that name elsewhere."""
    if taken.value is None or (element.findtext("file") or "").strip() != taken.mark.decode():
        raise EnvelopeUnreadable("intake.part_missing", part="file")
    return taken.value
