"""A simulated ePUAP that pushes: builds the SOAP call with lxml, sends it with requests, reads the answer.

Written apart from `gateway.transport`, so that the two check each other. Run it against any service:

    python -m gateway.simulate.epuap http://127.0.0.1:8080/epuap/odbiorca /gmina/skrytka pismo.xml
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import requests
from lxml import etree

from schemas import xmldoc
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import OBI, SOAP11, qname

_DECLARATION = re.compile(rb"^(\xef\xbb\xbf)?\s*<\?xml\s[^>]*\?>\s*")
DEFAULT_SENDER = {"identyfikator": "testowykonto", "typOsoby": "F", "imieSkrot": "TEST", "nazwiskoNazwa": "TESTOWY"}


@dataclass(frozen=True, slots=True)
class Push:
    """One call as ePUAP would make it; change one thing to break one thing."""

    mailbox: str
    document: bytes = field(repr=False)
    file_name: str = "pismo.xml"
    content_type: str | None = "application/xml"
    sender: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_SENDER), repr=False)
    account: str = "testowykonto"
    posted_at: str | None = None  # xs:dateTime as written on the wire; None: now, UTC
    reply_mailbox: str | None = "/testowykonto/domyslna"
    is_test: bool = False
    document_id: str | None = None  # put into daneDodatkowe
    suffix: str = ""  # `Any`, to use the parallel names
    parameters_in: str = "header"  # or `body`
    inline: bool = False  # DokumentAny with the XML as it is, instead of Dokument with base64

    def envelope(self) -> bytes:
        """The SOAP message, UTF-8."""
        root = etree.Element(qname(SOAP11, "Envelope"), nsmap={"soapenv": SOAP11, "obi": OBI})
        header = etree.SubElement(root, qname(SOAP11, "Header"))
        body = etree.SubElement(root, qname(SOAP11, "Body"))
        if not self.inline:
            body.append(self._file())
        (header if self.parameters_in == "header" else body).extend(self._parameters())
        if not self.inline:
            return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        etree.SubElement(body, qname(OBI, "DokumentAny"))
        start, _, end = etree.tostring(root).partition(b"<obi:DokumentAny/>")
        return start + b"<obi:DokumentAny>" + _DECLARATION.sub(b"", self.document) + b"</obi:DokumentAny>" + end

    def _file(self) -> etree._Element:
        element = etree.Element(qname(OBI, "Dokument"))
        etree.SubElement(element, "nazwaPliku").text = self.file_name
        if self.content_type is not None:
            etree.SubElement(element, "typPliku").text = self.content_type
        etree.SubElement(element, "zawartosc").text = base64.b64encode(self.document).decode()
        return element

    def _parameters(self) -> list[etree._Element]:
        _, recipient, name = self.mailbox.split("/", 2)
        further = f"<Dane><IdentyfikatorDokumentu>{self.document_id}</IdentyfikatorDokumentu></Dane>"
        party = {**self.sender, "zgoda": self.sender.get("zgoda", "true")}
        texts: dict[str, str | dict[str, str]] = {
            "PodmiotOdbierajacy": recipient,
            "DanePodmiotu": party,
            "DaneNadawcy": {"uzytkownik": self.account},
            "DataNadania": self.posted_at or datetime.now(UTC).isoformat(timespec="milliseconds"),
            "NazwaSkrytki": name,
            "AdresSkrytki": self.mailbox,
            "AdresOdpowiedzi": self.reply_mailbox or "",
            "CzyTestowe": "true" if self.is_test else "false",
            "DaneDodatkowe": base64.b64encode(further.encode()).decode() if self.document_id else "",
        }
        return [_element(name + self.suffix, value) for name, value in texts.items()]


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What came back. `code` and `text` are status/kod and komunikat, or those of the Fault."""

    http_status: int
    code: int | None
    text: str
    receipt: bytes | None = field(default=None, repr=False)
    receipt_file_name: str | None = None
    fault: str | None = None  # faultcode without prefix: Client, Server, VersionMismatch, MustUnderstand

    @property
    def error(self) -> str | None:
        """Our code of a Fault, for example `intake.base64_invalid`."""
        return self.text.partition(":")[0] if self.fault else None


def push(url: str, call: Push, *, timeout_s: float = 60.0, session: requests.Session | None = None) -> PushAnswer:
    """Make one call. Raises requests.RequestException when no answer comes."""
    return send(url, call.envelope(), timeout_s=timeout_s, session=session)


def send(
    url: str,
    envelope: bytes,
    *,
    timeout_s: float = 60.0,
    session: requests.Session | None = None,
    content_type: str = "text/xml; charset=utf-8",
) -> PushAnswer:
    """Post octets as they are and read what comes back."""
    headers = {"Content-Type": content_type, "SOAPAction": '""'}
    answer = (session or requests).post(url, data=envelope, headers=headers, timeout=timeout_s)
    return read_answer(answer.status_code, answer.content)


def read_answer(http_status: int, content: bytes) -> PushAnswer:
    """A Fault, an `OdpowiedzOdbiorcy`, or something that is neither (code None)."""
    try:
        root = xmldoc.parse(content).getroot()
    except DocumentUnreadable:
        return PushAnswer(http_status, None, content[:200].decode("utf-8", "replace"))
    fault = root.find(f".//{qname(SOAP11, 'Fault')}")
    if fault is not None:
        code, text = fault.findtext(".//kod"), fault.findtext("faultstring", "")
        kind = fault.findtext("faultcode", "").rpartition(":")[2]
        return PushAnswer(http_status, int(code) if code else None, text, fault=kind)
    answer = root.find(f".//{qname(OBI, 'OdpowiedzOdbiorcy')}")
    if answer is None:
        return PushAnswer(http_status, None, root.tag)
    read = PushAnswer(http_status, int(answer.findtext("status/kod", "-1")), answer.findtext("status/komunikat", ""))
    encoded = answer.findtext("zalacznik/zawartosc")
    if encoded is None:
        return read
    receipt = binascii.a2b_base64(encoded, strict_mode=True)
    return replace(read, receipt=receipt, receipt_file_name=answer.findtext("zalacznik/nazwaPliku"))


def _element(name: str, value: str | dict[str, str]) -> etree._Element:
    element = etree.Element(qname(OBI, name))
    if isinstance(value, str):
        element.text = value
        return element
    for child, text in value.items():
        etree.SubElement(element, child).text = text
    return element


def main(arguments: list[str]) -> int:
    """`URL MAILBOX FILE`: push one file, print the answer, write the receipt beside the file. Exit 0 if kod is 1."""
    if len(arguments) != 3:
        sys.stderr.write("usage: python -m gateway.simulate.epuap URL MAILBOX FILE\n")
        return 2
    url, mailbox, file = arguments[0], arguments[1], Path(arguments[2])
    answer = push(url, Push(mailbox, file.read_bytes(), file_name=file.name))
    sys.stdout.write(f"HTTP {answer.http_status}, kod {answer.code}: {answer.text}\n")
    if answer.receipt is not None:
        written = file.with_name(f"{file.stem}.upo.xml")
        written.write_bytes(answer.receipt)
        sys.stdout.write(f"UPO: {written}\n")
    return 0 if answer.code == 1 and answer.fault is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
