"""Pull: take documents out of one box (skrytka), one at a time, each confirmed when it is safe with us.

ePUAP keeps giving the head of the queue until it is confirmed by the digest of its content; there is no other handle.
So: keep, commit, confirm, process - and never two pollers on one box. Who polls when is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Literal

from lxml import etree

from schemas.errors import EnvelopeUnreadable, ServiceRefused
from schemas.ids import Mailbox
from schemas.submission import Channel, Envelope

from . import fields
from .client import Endpoint, ServiceAnswer, ServiceClient, status_of

OK = 1
NOTHING = 0  # of pobierzNastepny: nothing waits; some clients report it beside a document
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

        Raises: ServiceError as `ServiceClient.call`; EnvelopeUnreadable: `intake.base64_invalid`. Anything else that is
                odd about the parameters costs only the parameter: the document must not block the box.
        """
        answer = self._client.call("pobierzNastepny", self._box)
        self._expect(answer, OK, NOTHING)
        document = answer.element.find("dokument")
        encoded = None if document is None else document.find("zawartosc")
        if document is None or encoded is None or _is_blank(document):
            return None
        octets = fields.octets(str(encoded.xpath("string()", smart_strings=False)), "zawartosc")
        return self._envelope(answer, document, octets)

    def confirm(self, document: bytes) -> None:
        """Take this document off the queue (potwierdzOdebranie). Call it only after its commit.

        Raises: ServiceRefused: with either digest; ePUAP still has it and will give it again.
        """
        refusal: ServiceRefused | None = None
        for name in self._digests:
            skrot = base64.b64encode(hashlib.new(name, document, usedforsecurity=False).digest()).decode()
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
            raise ServiceRefused(service=self._client.name, number=number, text=words)

    def _envelope(self, answer: ServiceAnswer, document: etree._Element, octets: bytes) -> Envelope:
        element = answer.element
        envelope = Envelope(
            channel=Channel.PULL,
            mailbox=str(self.mailbox),  # the box we asked; adresSkrytki in the answer can only repeat it
            document=octets,
            raw=answer.raw,
            file_name=fields.text(document.find("nazwaPliku")) or "dokument.xml",
            content_type=fields.text(document.find("typPliku")),
            sender=fields.sender(element.find("danePodmiotu"), element.find("daneNadawcy")),
            reply_mailbox=fields.text(element.find("adresOdpowiedzi")),
            is_test=fields.text(element.find("czyTestowe")) in ("1", "true"),
        )
        return replace(envelope, posted_at=_posted_at(element), epuap_document_id=_document_id(element))


def _is_blank(document: etree._Element) -> bool:
    """An empty queue in its wordy style: all elements are there and say nothing."""
    return not "".join(document.itertext()).strip()  # type: ignore[arg-type]


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
