"""SOAP 1.1 messages: read strictly, written by hand. Namespaces are matched by URI, prefixes mean nothing.

Comments are taken out when a message is read. Canonical XML leaves them out, so anybody may put some into a signed
message; `<kod>1<!-- -->0</kod>` is 10, whatever comes first in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from lxml import etree

from schemas import xmldoc
from schemas.errors import BramaError, DocumentUnreadable, EnvelopeUnreadable
from schemas.texts import text
from schemas.xmldoc import SOAP11, Limits, qname

from .faults import fault_of

Sign = Callable[[etree._Element], None]  # puts WS-Security into an envelope; see wsse.MessageSigner
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
NEXT_ACTOR = "http://schemas.xmlsoap.org/soap/actor/next"


@dataclass(frozen=True, slots=True)
class Message:
    """A SOAP 1.1 message: the header blocks and the Body's elements, in document order; comments are left out."""

    header: tuple[etree._Element, ...]
    body: tuple[etree._Element, ...]


def parse(data: bytes, limits: Limits, understood: Collection[str]) -> Message:
    """Read an envelope.

    Args:    data: the request as received. limits: what it may cost.
             understood: namespaces whose header blocks may demand `mustUnderstand`.
    Returns: the message; elements keep their line numbers.
    Raises:  EnvelopeUnreadable: `intake.envelope_unreadable` (with `reason`, a `document.*` code, and a line),
             `intake.soap_version`, `intake.not_soap`, `intake.must_understand`.
    Source:  SOAP 1.1, sections 4.1 to 4.4.
    """
    try:
        root = xmldoc.parse(data, limits).getroot()
    except DocumentUnreadable as error:
        line = error.facts.get("line", 0)
        raise EnvelopeUnreadable(reason=error.code, line=line) from error
    etree.strip_tags(root, etree.Comment)  # nobody signs them, and one inside a value would cut it short for a reader
    _check_version(root)
    body = root.find(qname(SOAP11, "Body"))
    if body is None:
        raise EnvelopeUnreadable("intake.not_soap", line=line_of(root))
    header = root.find(qname(SOAP11, "Header"))
    blocks = () if header is None else _elements(header)
    _check_understood(blocks, understood)
    return Message(header=blocks, body=_elements(body))


def envelope(content: etree._Element, sign: Sign | None = None) -> bytes:
    """An answer: `content` as the one element of the Body; UTF-8 with an XML declaration; signed if wanted."""
    root = etree.Element(qname(SOAP11, "Envelope"), nsmap={"soapenv": SOAP11})
    etree.SubElement(root, qname(SOAP11, "Body")).append(content)
    if sign is not None:
        sign(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def fault(error: BramaError, namespace: str, sign: Sign | None = None) -> bytes:
    """A Fault with ePUAP's detail `{namespace}Wyjatek{kod, komunikat}`; the text starts with our code."""
    kind = fault_of(error)
    message = f"{error.code}: {text(error.code, **error.facts)}"
    content = etree.Element(qname(SOAP11, "Fault"), nsmap={"soapenv": SOAP11})
    etree.SubElement(content, "faultcode").text = f"soapenv:{kind.soap_code}"
    etree.SubElement(content, "faultstring").text = message
    detail = etree.SubElement(content, "detail")
    exception = etree.SubElement(detail, qname(namespace, "Wyjatek"), nsmap={"obi": namespace})
    etree.SubElement(exception, "kod").text = str(kind.number)
    etree.SubElement(exception, "komunikat").text = message
    return envelope(content, sign)


def line_of(element: etree._Element) -> int:
    """The element's line in the octets it was parsed from; 0 when it has none."""
    line: object = element.sourceline  # lxml's stubs do not say what it is
    return line if isinstance(line, int) else 0


def _check_version(root: etree._Element) -> None:
    name = etree.QName(root)
    if name.localname == "Envelope" and name.namespace != SOAP11:
        found = "1.2" if name.namespace == SOAP12 else "?"
        raise EnvelopeUnreadable("intake.soap_version", found=found)
    if root.tag != qname(SOAP11, "Envelope"):
        raise EnvelopeUnreadable("intake.not_soap", line=line_of(root))


def _check_understood(blocks: tuple[etree._Element, ...], understood: Collection[str]) -> None:
    for block in blocks:
        mandatory = block.get(qname(SOAP11, "mustUnderstand"), "0").strip() in ("1", "true")
        for_us = block.get(qname(SOAP11, "actor"), NEXT_ACTOR).strip() in ("", NEXT_ACTOR)
        name = etree.QName(block)
        if mandatory and for_us and name.namespace not in understood:
            raise EnvelopeUnreadable("intake.must_understand", line=line_of(block), block=name.localname[:80])


def _elements(parent: etree._Element) -> tuple[etree._Element, ...]:
    return tuple(parent.iterchildren(tag=etree.Element))
