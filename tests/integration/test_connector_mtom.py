"""MTOM requests of the SOAP connector, to a service that reads multipart/related with nothing but the standard library
and takes no other message."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors import mtom
from connectors.registry import build
from gateway.signatures.messages import MessageTrust, answer_trust
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from gateway.transport.wsse import MessageKey, MessageSigner
from schemas.delivery import AttachmentFile, Delivered, Unsettled
from tests.builders import pki

XOP = "{http://www.w3.org/2004/08/xop/include}Include"
NASTY = bytes(range(256)) * 50 + b"\r\n--brama-\r\n\r\n--\n\r" + "zażółć".encode()  # as a boundary would look
FILES = (
    AttachmentFile("pismo.xml", "application/xml", b"<a/>\n", "document"),
    AttachmentFile("mapa.bin", "application/octet-stream", NASTY, "attachment"),
    AttachmentFile("mapa2.bin", "application/octet-stream", NASTY, "attachment"),
    AttachmentFile("pusty.txt", "text/plain", b"", "attachment"),
)

WSDL = """<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{binding}" xmlns:t="urn:akta"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:akta">
  <wsdl:types><xs:schema targetNamespace="urn:akta" elementFormDefault="qualified">
    <xs:element name="Przyjmij"><xs:complexType><xs:sequence>
      <xs:element name="Klucz" type="xs:string"/>
      <xs:element name="Plik" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
        <xs:element name="Nazwa" type="xs:string"/><xs:element name="Tresc" type="xs:base64Binary"/>
      </xs:sequence></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="Przyjeto"><xs:complexType><xs:sequence><xs:element name="Numer" type="xs:string"/></xs:sequence>
    </xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:Przyjmij"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:Przyjeto"/></wsdl:message>
  <wsdl:portType name="Akta"><wsdl:operation name="Przyjmij"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/>
  </wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:Akta"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="Przyjmij"><soap:operation soapAction="urn:akta/Przyjmij"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>
    </wsdl:operation></wsdl:binding>
  <wsdl:service name="Akta"><wsdl:port name="P" binding="t:B"><soap:address location="http://127.0.0.1:1/"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
SOAP11_BINDING, SOAP12_BINDING = (f"http://schemas.xmlsoap.org/wsdl/{name}/" for name in ("soap", "soap12"))
KINDS = {SOAP11_BINDING: "text/xml", SOAP12_BINDING: "application/soap+xml"}


class Refusal(Exception):
    """Not as MTOM has it."""


class Records:
    """The service: reads a message in parts, keeps the files and the envelope it stands for."""

    def __init__(self) -> None:
        self.url = ""
        self.kind = "text/xml"
        self.files: dict[str, bytes] = {}
        self.envelopes: list[bytes] = []
        self.parts = 0
        self.refusals: list[str] = []
        self.signer: MessageSigner | None = None

    def take(self, content_type: str, body: bytes) -> None:
        message = BytesParser(_class=EmailMessage, policy=HTTP).parsebytes(
            f"Content-Type: {content_type}\r\n\r\n".encode() + body
        )
        _must(message.get_content_type() == "multipart/related", "multipart")
        _must(message.get_param("type") == "application/xop+xml", "type")
        _must(message.get_param("start-info") == self.kind, "start-info")
        _must(not message.defects, f"defects {message.defects}")
        parts = {str(part["Content-ID"]): part for part in message.iter_parts()}
        _must(all(name.startswith("<") and name.endswith(">") for name in parts), "Content-ID")
        root = parts.pop(str(message.get_param("start")), None)
        _must(root is not None, "start")
        assert root is not None
        _must(root.get_content_type() == "application/xop+xml" and root.get_param("type") == self.kind, "root")
        envelope = etree.fromstring(_octets(root))
        self.parts = len(parts)
        for include in list(envelope.iter(XOP)):
            self._put_back(include, parts)
        _must(not parts, "parts nobody refers to")
        self.envelopes.append(etree.tostring(envelope))
        for file in envelope.iter("{urn:akta}Plik"):
            content = file.findtext("{urn:akta}Tresc") or ""
            self.files[str(file.findtext("{urn:akta}Nazwa"))] = base64.b64decode(content, validate=True)

    def _put_back(self, include: etree._Element, parts: dict[str, Any]) -> None:
        holder = include.getparent()
        assert holder is not None
        _must(len(holder) == 1 and not (holder.text or "").strip(), "Include must stand alone")
        part = parts.pop(f"<{str(include.get('href')).removeprefix('cid:')}>", None)
        _must(part is not None and part["Content-Transfer-Encoding"] == "binary", "part")
        holder.remove(include)
        holder.text = base64.b64encode(_octets(part)).decode()

    def answer(self) -> bytes:
        soap = "http://schemas.xmlsoap.org/soap/envelope/"
        if self.kind != "text/xml":
            soap = "http://www.w3.org/2003/05/soap-envelope"
        said = '<Przyjeto xmlns="urn:akta"><Numer>A/7</Numer></Przyjeto>'
        envelope = etree.fromstring(f'<s:Envelope xmlns:s="{soap}"><s:Body>{said}</s:Body></s:Envelope>')
        if self.signer is not None:
            self.signer.sign(envelope)
        return etree.tostring(envelope)


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Refusal(what)


def _octets(part: Any) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@pytest.fixture
def records() -> Iterator[Records]:
    made = Records()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, content = 200, 'multipart/related; type="application/xop+xml"; boundary=b; start="<r>"', b""
            try:
                made.take(self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"])))
                content = b"--b\r\nContent-ID: <r>\r\nContent-Type: application/xop+xml\r\n\r\n" + made.answer()
                content += b"\r\n--b--\r\n"
            except (Refusal, etree.XMLSyntaxError, ValueError) as error:
                made.refusals.append(str(error))
                status, kind = 415, "text/plain"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def deliver(
    records: Records,
    folder: Path,
    binding: str = SOAP11_BINDING,
    style: str = "mtom",
    files: Any = FILES,
    judge: Any = None,
    **more: Any,
) -> Any:
    wsdl = folder / "akta.wsdl"
    wsdl.write_text(WSDL.replace("{binding}", binding), "utf-8")
    records.kind = KINDS[binding]
    listed = [
        {"Nazwa": f"{{files.{number}.name}}", "Tresc": f"{{files.{number}.content}}"} for number in range(len(files))
    ]
    options = {
        "wsdl": str(wsdl),
        "address": records.url,
        "files": style,
        "reading": {"success": [{"path": "Numer"}]},
        "step": [
            {
                "name": "take",
                "operation": "Przyjmij",
                "arguments": {"Klucz": "{key}", "Plik": listed},
                "results": {"number": "Numer"},
            }
        ],
        "reference": "{steps.take.number}",
        **more,
    }
    return build("soap", options, judge).deliver(a_record("k-1", files=files), "k-1", MemorySteps())


@pytest.mark.parametrize("binding", KINDS, ids=["soap11", "soap12"])
def test_files_travel_beside_the_envelope_and_arrive_octet_for_octet(records: Records, tmp_path: Path, binding: str):
    outcome = deliver(records, tmp_path, binding)

    assert isinstance(outcome, Delivered), records.refusals
    assert outcome.reference == "A/7"
    assert records.files == {file.name: file.content for file in FILES}
    assert records.parts == 3  # one for each element, also where two hold the same; none for nothing


def test_a_request_without_files_is_in_parts_too(records: Records, tmp_path: Path):
    assert isinstance(deliver(records, tmp_path, files=()), Delivered)
    assert records.parts == 0


def test_a_service_that_wants_parts_refuses_an_envelope_with_base64_in_it(records: Records, tmp_path: Path):
    assert not isinstance(deliver(records, tmp_path, style="inline"), Delivered)
    assert records.refusals == ["multipart"]


def test_a_signature_is_over_the_envelope_that_the_parts_stand_for(records: Records, tmp_path: Path):
    seal = pki().upo_seal
    (tmp_path / "brama.p12").write_bytes(seal.pkcs12("hasło"))

    outcome = deliver(
        records, tmp_path, ws_security={"pkcs12": str(tmp_path / "brama.p12"), "pkcs12_password": "hasło"}
    )

    assert isinstance(outcome, Delivered), records.refusals
    [envelope] = records.envelopes
    MessageTrust((seal.certificate,)).check(envelope)


def test_a_signed_answer_in_parts_is_believed_and_an_unsigned_one_is_not(records: Records, tmp_path: Path):
    seal = pki().upo_seal
    pem = tmp_path / "urzad.pem"
    pem.write_bytes(seal.certificate.public_bytes(Encoding.PEM))
    records.signer = MessageSigner(MessageKey(seal.key, seal.certificate))
    wanted = {"user": "brama", "password": "hasło", "answer_certificates": [str(pem)]}

    assert isinstance(deliver(records, tmp_path, judge=answer_trust, ws_security=wanted), Delivered)
    records.signer = None
    outcome = deliver(records, tmp_path, judge=answer_trust, ws_security=wanted)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "answer.untrusted"


def test_what_is_read_back_is_what_was_packed():
    envelope = etree.fromstring(f"<a><b>{base64.b64encode(NASTY).decode()}</b><c>tekst</c></a>")
    before = etree.tostring(envelope)
    body, kind = mtom.packed(envelope, [NASTY], "text/xml; charset=utf-8")
    assert NASTY in body
    assert base64.b64encode(NASTY) not in body
    again = etree.fromstring(mtom.whole(body, kind))
    assert etree.tostring(again) == before
