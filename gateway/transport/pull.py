"""Pull: take documents out of one box (skrytka), one at a time, each confirmed when it is safe with us.

ePUAP keeps giving the head of the queue until it is confirmed by the digest of its content; there is no other handle.
So: keep, commit, confirm, process - and never two pollers on one box. Who polls when is not decided here.

An item that holds no document we can take out is handed over all the same, with its defect: it must be kept and
confirmed like any other, or it would stand at the head of the queue for ever.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from itertools import product
from typing import Literal

from lxml import etree

from schemas.errors import EnvelopeUnreadable, ServiceRefused
from schemas.ids import Mailbox
from schemas.submission import Channel, Envelope

from . import fields
from .client import Endpoint, ServiceAnswer, ServiceClient, status_of

OK = 1
NOTHING = 0  # of pobierzNastepny: nothing waits; some clients report it beside a document
MISSING, UNDECODABLE = "mailbox.content_missing", "mailbox.content_undecodable"  # defects
_SENDER = ("danePodmiotu", "daneNadawcy", "daneDodatkowe")
Digest = Literal["sha1", "sha256"]


class PullBox:
    """One box. `digest`: how ePUAP wants documents named; the other one is tried once when it says no."""

    def __init__(self, endpoint: Endpoint, subject: str, mailbox: Mailbox, digest: Digest = "sha1") -> None:
        """`subject`: identifier of the institution (podmiot) in ePUAP."""
        self._client = ServiceClient("pull.wsdl", endpoint)
        self.mailbox = mailbox
        name = mailbox.rpartition("/")[2]
        self._box = {"podmiot": subject, "nazwaSkrytki": name, "adresSkrytki": str(mailbox)}
        self._digests: tuple[Digest, Digest] = ("sha1", "sha256") if digest == "sha1" else ("sha256", "sha1")

    def waiting(self) -> int:
        """How many documents wait (oczekujaceDokumenty)."""
        answer = self._client.call("oczekujaceDokumenty", self._box)
        self._expect(answer, OK)
        return int(answer.element.findtext("oczekujace", "0"))

    def next(self) -> Envelope | None:
        """The head of the queue (pobierzNastepny), None when nothing waits; asking again gives the same one.

        Returns: where the content is not base64, or missing: an envelope with a `defect` that holds the text as it
                 stood, or the whole answer in canonical form, so that it has an identity. Anything else that is odd
                 about the parameters costs only the parameter.
        Raises:  ServiceError as `ServiceClient.call`; ServiceRefused: `kod` says no.
        """
        answer = self._client.call("pobierzNastepny", self._box)
        nothing = _is_nothing(answer)
        if nothing or _has_status(answer):
            self._expect(answer, OK, NOTHING)
        return None if nothing else self._envelope(answer)

    def release(self, envelope: Envelope) -> None:
        """Take what was kept off the queue. Call it only after its commit. Raises as `confirm`."""
        self.confirm(*_as_epuap_may_read(envelope))

    def confirm(self, *readings: bytes) -> None:
        """Take a document off the queue (potwierdzOdebranie), named by its digest.

        Args:   readings: its octets; several, where it is not known what ePUAP reads them as.
        Raises: ServiceRefused: with every digest of every reading; ePUAP still has it and will give it again.
        """
        refusal: ServiceRefused | None = None
        for octets, name in product(readings, self._digests):
            skrot = base64.b64encode(hashlib.new(name, octets, usedforsecurity=False).digest()).decode()
            try:
                self._expect(self._client.call("potwierdzOdebranie", {**self._box, "skrot": skrot}), OK)
            except ServiceRefused as error:
                refusal = refusal or error
            else:
                return
        assert refusal is not None
        raise refusal

    def _expect(self, answer: ServiceAnswer, *good: int) -> None:
        number, words = status_of(answer)
        if number not in good:
            raise self._client.refusal(number, words)

    def _envelope(self, answer: ServiceAnswer) -> Envelope:
        element = answer.element
        document, defect = _document(element)
        return Envelope(
            channel=Channel.PULL,
            mailbox=str(self.mailbox),  # the box we asked; adresSkrytki in the answer can only repeat it
            document=document,
            raw=answer.raw,
            file_name=fields.text(element.find("dokument/nazwaPliku")) or "dokument.xml",
            content_type=fields.text(element.find("dokument/typPliku")),
            sender=fields.sender(element.find("danePodmiotu"), element.find("daneNadawcy")),
            posted_at=_posted_at(element),
            reply_mailbox=fields.text(element.find("adresOdpowiedzi")),
            is_test=fields.text(element.find("czyTestowe")) in ("1", "true"),
            epuap_document_id=_document_id(element),
            defect=defect,
        )


def _document(element: etree._Element) -> tuple[bytes, str | None]:
    """The document's octets; else what stood in its place, and the defect."""
    content = element.find("dokument/zawartosc")
    if content is None:
        return etree.tostring(element, method="c14n", exclusive=True), MISSING
    encoded = str(content.xpath("string()", smart_strings=False))
    try:
        return fields.octets(encoded, "zawartosc"), None
    except EnvelopeUnreadable:
        return encoded.encode(), UNDECODABLE


def _as_epuap_may_read(envelope: Envelope) -> tuple[bytes, ...]:
    """What ePUAP may have digested: the document; where it has a defect, as a lenient decoder sees it, and as it is."""
    if envelope.defect is None:
        return (envelope.document,)
    if envelope.defect == UNDECODABLE:
        return fields.lenient_octets(envelope.document), envelope.document
    return (b"",)


def _is_nothing(answer: ServiceAnswer) -> bool:
    """No document, and nobody who sent one: an empty queue, terse or with all its elements saying nothing."""
    element = answer.element
    if _says(element, "dokument"):
        return False
    return element.findtext("status/kod", "").strip() != str(OK) or not any(_says(element, part) for part in _SENDER)


def _says(element: etree._Element, part: str) -> bool:
    found = element.find(part)
    return found is not None and bool("".join(found.itertext()).strip())  # type: ignore[arg-type]


def _has_status(answer: ServiceAnswer) -> bool:
    try:
        status_of(answer)
    except EnvelopeUnreadable:
        return False
    return True


def _posted_at(element: etree._Element) -> datetime | None:
    try:
        return fields.moment(element.findtext("dataNadania", "").strip())
    except (ValueError, OverflowError):
        return None


def _document_id(element: etree._Element) -> str | None:
    try:
        return fields.document_id(fields.octets(element.findtext("daneDodatkowe", ""), "daneDodatkowe"))
    except EnvelopeUnreadable:
        return None
