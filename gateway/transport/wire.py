"""Wire names ↔ ours: one push request of ePUAP becomes an `Envelope`, our `Answer` becomes `OdpowiedzOdbiorcy`.

The official definition of the push service (Odbiorca) is not public, so this reader is tolerant where that is safe:
every parameter is looked for in the header, in the body and in a wrapper element, with or without the suffix `Any`,
under configured names. It is strict where tolerance would lose something: what is there must fit the schema, two values
for one parameter must agree, base64 is base64.
"""

from __future__ import annotations

import base64
import copy
import threading
from datetime import datetime
from typing import Any

from lxml import etree

from gateway.config import PushConfig, PushNames
from schemas.errors import EnvelopeUnreadable, OperationUnknown
from schemas.submission import Answer, Channel, Envelope
from schemas.xmldoc import OBI, XSI, Limits, qname

from . import contract, fields, inline, soap

_DEFAULT = PushNames()
Parts = dict[str, etree._Element]  # our name of a parameter (a field of PushNames) → its element


class PushReader:
    """Reads push requests; built once, used from several threads."""

    def __init__(self, push: PushConfig, size_limit_bytes: int) -> None:
        self._push = push
        self._limits = Limits(size_bytes=size_limit_bytes)
        self._understood = frozenset({push.namespace, soap.WSSE})
        self._schema = contract.schema()
        self._one_at_a_time = threading.Lock()  # the error log belongs to the schema object, not to the call
        self._fields = {_bare(getattr(push.names, field)): field for field in PushNames.model_fields}
        self._fields[_bare(push.names.inline_document)] = "document"  # told apart by what is inside

    def read(self, raw: bytes, caller: str | None = None) -> Envelope:
        """One request.

        Args:    raw: the HTTP body as received. caller: network address it came from.
        Returns: the envelope; the document's octets are the decoded `zawartosc`, or the inline XML as it stood there
                 (see `inline.content_of` for when that is not possible). `posted_at` is UTC; without a zone on the wire
                 it was Polish wall time.
        Raises:  EnvelopeUnreadable: see `soap.parse`; `intake.request_invalid` (line, where, rule), `.part_missing`,
                 `.part_repeated`, `.base64_invalid`. OperationUnknown: the Body holds none of our elements.
        """
        parts = self._parts(soap.parse(raw, self._limits, self._understood))
        file_name, content_type, document = self._document(parts, raw)
        for field, element in parts.items():
            if field != "document":
                self._check(element, getattr(_DEFAULT, field))
        return Envelope(
            channel=Channel.PUSH,
            mailbox=_mailbox(parts),
            document=document,
            raw=raw,
            file_name=file_name,
            content_type=content_type,
            sender=fields.sender(parts.get("sender"), parts.get("account")),
            posted_at=_moment(parts.get("posted_at")),
            reply_mailbox=fields.text(parts.get("reply_mailbox")),
            is_test=fields.text(parts.get("is_test")) in ("1", "true"),
            epuap_document_id=_document_id(parts.get("further")),
            caller=caller,
        )

    def _parts(self, message: soap.Message) -> Parts:
        parts: Parts = {}
        for block in message.header:
            self._put(parts, block, self._push.namespace)
        parts.pop("document", None)  # the document is read from the Body only
        if not message.body:
            raise OperationUnknown(element="(Body)")
        strangers = [item for item in message.body if not self._put(parts, item, self._push.namespace)]
        for stranger in strangers:
            if not self._is_wrapper(stranger):
                raise OperationUnknown(element=stranger.tag[:120])
            for item in stranger.iterchildren(tag=etree.Element):
                self._put(parts, item, self._push.namespace, None)
        return parts

    def _put(self, parts: Parts, element: etree._Element, *namespaces: str | None) -> bool:
        """Is `element` one of ours? Then note it; an empty one says nothing and counts as left out."""
        name = etree.QName(element)
        field = self._fields.get(_bare(name.localname)) if name.namespace in namespaces else None
        if field is None:
            return False
        if field != "document" and _is_empty(element):
            return True
        known = parts.setdefault(field, element)
        if known is not element and _canonical(known) != _canonical(element):
            raise EnvelopeUnreadable("intake.part_repeated", part=name.localname, line=soap.line_of(element))
        return True

    def _is_wrapper(self, element: etree._Element) -> bool:
        name = etree.QName(element)
        return name.namespace == self._push.namespace and name.localname in self._push.wrapper_elements

    def _document(self, parts: Parts, raw: bytes) -> tuple[str, str | None, bytes]:
        """File name, declared type and octets of the document; its element is emptied, to keep memory low."""
        element = parts.get("document")
        if element is None:
            raise EnvelopeUnreadable("intake.part_missing", part=self._push.names.document)
        if self._is_inline(element):
            return self._inline(parts, element, raw)
        content = element.find("zawartosc")
        encoded = "" if content is None else _taken(content)
        self._check(element, _DEFAULT.document)
        file_name, content_type = element.findtext("nazwaPliku", ""), element.findtext("typPliku")
        return file_name.strip(), content_type, fields.octets(encoded, "zawartosc", soap.line_of(element))

    def _is_inline(self, element: etree._Element) -> bool:
        """XML inside, as opposed to a file (nazwaPliku, zawartosc) under a name with `Any`."""
        name = etree.QName(element).localname
        is_any = name == self._push.names.inline_document or name.lower().endswith("any")
        return is_any and (element.find("zawartosc") is None or element.find("nazwaPliku") is None)

    def _inline(self, parts: Parts, element: etree._Element, raw: bytes) -> tuple[str, str | None, bytes]:
        if len(element.findall("*")) != 1:
            raise EnvelopeUnreadable("intake.part_missing", part=etree.QName(element).localname)
        return fields.text(parts.get("file_name")) or "dokument.xml", "application/xml", inline.content_of(raw, element)

    def _check(self, element: etree._Element, default_name: str) -> None:
        """Judge by our schema, under the default name and without attributes that belong to SOAP or WS-Security."""
        element.tag = qname(OBI, default_name)
        for name in list(element.attrib):
            if etree.QName(name).namespace not in (None, XSI):
                del element.attrib[name]
        with self._one_at_a_time:
            if self._schema.validate(element):
                return
            log: Any = self._schema.error_log
            first = log[0]
        where = first.path or default_name
        raise EnvelopeUnreadable("intake.request_invalid", line=first.line, where=where, rule=first.type_name)


def answer(given: Answer, push: PushConfig, sign: soap.Sign | None = None) -> bytes:
    """`OdpowiedzOdbiorcy{status{kod, komunikat}, zalacznik?{nazwaPliku, typPliku, zawartosc}}` in an envelope."""
    element = etree.Element(qname(push.namespace, push.names.answer), nsmap={"obi": push.namespace})
    status = etree.SubElement(element, "status")
    etree.SubElement(status, "kod").text = str(given.code)
    etree.SubElement(status, "komunikat").text = given.text
    if given.receipt is not None:
        attached = etree.SubElement(element, "zalacznik")
        etree.SubElement(attached, "nazwaPliku").text = given.receipt_file_name or "UPO.xml"
        etree.SubElement(attached, "typPliku").text = "application/xml"
        etree.SubElement(attached, "zawartosc").text = base64.b64encode(given.receipt).decode()
    return soap.envelope(element, sign)


def _bare(name: str) -> str:
    """`DanePodmiotuAny`, `danePodmiotu` and `DanePodmiotu` are one name."""
    short = name[:-3] if name.lower().endswith("any") else name
    return short[:1].lower() + short[1:]


def _canonical(element: etree._Element) -> bytes:
    """What an element says, whatever its name and attributes."""
    inner = etree.Element("x")
    inner.text = element.text
    inner.extend(copy.deepcopy(list(element)))
    return etree.tostring(inner, method="c14n", exclusive=True)


def _is_empty(element: etree._Element) -> bool:
    return len(element) == 0 and not (element.text or "").strip()


def _taken(content: etree._Element) -> str:
    """The text of `content`, and its place left empty: base64 is judged here, strictly and faster than libxml2 does."""
    if len(content):
        return str(content.xpath("string()", smart_strings=False))
    encoded = content.text or ""
    content.text = None
    return encoded


def _mailbox(parts: Parts) -> str:
    """adresSkrytki; where it is left out, made of podmiotOdbierajacy and nazwaSkrytki."""
    address = fields.text(parts.get("mailbox"))
    recipient, name = fields.text(parts.get("recipient")), fields.text(parts.get("mailbox_name"))
    if address is None and recipient and name:
        address = f"/{recipient}/{name}"
    if address is None:
        raise EnvelopeUnreadable("intake.part_missing", part=_DEFAULT.mailbox)
    return address


def _moment(element: etree._Element | None) -> datetime | None:
    written = fields.text(element)
    if element is None or written is None:
        return None
    try:
        return fields.moment(written)
    except (ValueError, OverflowError) as error:
        line, where = soap.line_of(element), _DEFAULT.posted_at
        raise EnvelopeUnreadable("intake.request_invalid", line=line, where=where, rule="date") from error


def _document_id(element: etree._Element | None) -> str | None:
    written = fields.text(element)
    if element is None or written is None:
        return None
    return fields.document_id(fields.octets(written, _DEFAULT.further, soap.line_of(element)))
