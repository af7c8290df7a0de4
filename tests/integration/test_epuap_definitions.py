"""Our messages and definitions against those that others published, where they lie beside the clone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from connectors.http import Http, HttpOptions, Reply
from gateway import resources
from gateway.signatures.messages import MessageTrust
from gateway.transport.client import Endpoint, ServiceClient
from gateway.transport.pull import PullBox
from gateway.transport.send import Outgoing, ReceiptService, Sender
from gateway.transport.tpsigning import SigningService
from schemas.errors import ServiceRefused
from schemas.ids import Mailbox
from schemas.receipt import ReceiptParty
from schemas.xmldoc import OBI, SOAP11
from tests import reference

WSDL, WSDL_SOAP = "{http://schemas.xmlsoap.org/wsdl/}", "{http://schemas.xmlsoap.org/wsdl/soap/}"
BOX = Mailbox("/gm/skrytka")

MESSAGES: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("pull.wsdl", "oczekujaceDokumenty", {"podmiot": "g", "nazwaSkrytki": "s", "adresSkrytki": "/g/s"}, {}),
    ("pull.wsdl", "pobierzNastepny", {"podmiot": "g", "nazwaSkrytki": "s", "adresSkrytki": "/g/s"}, {}),
    (
        "pull.wsdl",
        "potwierdzOdebranie",
        {"podmiot": "g", "nazwaSkrytki": "s", "adresSkrytki": "/g/s", "skrot": "x"},
        {},
    ),
    (
        "skrytka.wsdl",
        "nadaj",
        {"nazwaPliku": "a", "typPliku": "b", "zawartosc": b"x"},
        {"podmiot": "g", "adresSkrytki": "/a/b", "adresOdpowiedzi": "/c/d", "czyProbne": True, "daneDodatkowe": b""},
    ),
    (
        "skrytka.wsdl",
        "nadajAny",
        etree.fromstring("<a xmlns='urn:x'/>"),
        {"podmiot": "g", "adresSkrytki": "/a/b", "adresOdpowiedzi": "/c/d", "czyProbne": False, "nazwaPliku": "a"},
    ),
    (
        "doreczyciel.wsdl",
        "dorecz",
        {"nazwaPliku": "a", "typPliku": "b", "zawartosc": b"x"},
        {
            "podmiot": "g",
            "adresSkrytki": "/a/b",
            "adresOdpowiedzi": "/c/d",
            "terminDoreczenia": datetime(2026, 1, 1, tzinfo=UTC),
            "czyProbne": False,
            "identyfikatorDokumentu": "d",
            "identyfikatorSprawy": "s",
            "daneDodatkowe": b"",
        },
    ),
    ("doreczyciel.wsdl", "odbierz", {"nazwaPliku": "a", "zawartosc": b"x"}, {"podmiot": "g", "czyProbne": False}),
    (
        "obsluga-upp.wsdl",
        "dajUpp",
        {
            "podmiot": "g",
            "nadawca": {"identyfikator": "i", "typIdentyfikatora": "ePUAP-ID", "nazwa": "n"},
            "dokument": {"nazwaPliku": "a", "zawartosc": b"x"},
        },
        {},
    ),
    ("filerepo.wsdl", "uploadFile", {"file": b"x", "filename": "a", "mimeType": "b", "subject": "g"}, {}),
    ("filerepo.wsdl", "downloadFile", {"fileId": "a", "subject": "g"}, {}),
    ("zarzadzanie-dokumentami.wsdl", "zawartoscSkladu", {"sklad": {"nazwa": "SENT", "podmiot": "g"}}, {}),
    ("zarzadzanie-dokumentami.wsdl", "pobierzDokument", {"idDokumentu": 1, "podmiot": "g"}, {}),
]


def the_schemas() -> dict[str, etree.XMLSchema]:
    (folder,) = {file.parent for file in reference.files("epuap/data/wsdl-2024-sejm/*.xsd")}
    stores = etree.parse(folder / "ZarzadzanieDokumentami.wsdl").find(".//{http://www.w3.org/2001/XMLSchema}schema")
    ext = etree.XMLSchema(etree.parse(folder / "obiektyExt.xsd"))
    return {
        OBI + "ext/": ext,
        OBI: etree.XMLSchema(etree.parse(folder / "obiektypk.xsd")),
        "http://wsdl.epuap.gov.pl/filerepocore/": etree.XMLSchema(etree.parse(folder / "filerepocore.xsd")),
        "http://ws.epuap.gov.pl/zarzadzanieDokumentami": etree.XMLSchema(
            etree.fromstring(etree.tostring(stores))
        ),  # with the prefixes in scope,
    }


if reference.files("epuap/data/wsdl-2024-sejm/*.xsd"):
    SCHEMAS = the_schemas()

    @pytest.mark.parametrize(("wsdl", "operation", "values", "headers"), MESSAGES, ids=lambda item: str(item)[:24])
    def test_what_we_send_fits_the_published_definitions(wsdl, operation, values, headers):
        client = ServiceClient(wsdl, Endpoint("http://127.0.0.1:1", Http(HttpOptions())))
        root = etree.fromstring(client.message(operation, values, headers))
        parts = [*root.iterfind(f"{{{SOAP11}}}Header/*"), *root.iterfind(f"{{{SOAP11}}}Body/*")]
        assert len(parts) == len(headers) + 1
        for part in parts:
            SCHEMAS[etree.QName(part).namespace].assertValid(part)

    PUBLISHED = {
        "skrytka.wsdl": "skrytka.wsdl",
        "pull.wsdl": "pull.wsdl",
        "doreczyciel.wsdl": "doreczyciel.wsdl",
        "filerepo.wsdl": "filerepo.wsdl",
        "zarzadzanie-dokumentami.wsdl": "ZarzadzanieDokumentami.wsdl",
    }

    @pytest.mark.parametrize(("ours", "theirs"), PUBLISHED.items())
    def test_our_definitions_name_operations_actions_and_parts_as_the_published_ones(ours, theirs):
        (published,) = reference.files(f"epuap/data/wsdl-2024-sejm/{theirs}")
        known, own = operations(published), operations(resources.folder("xsd") / "epuap" / ours)
        assert own
        assert {name: known[name] for name in own} == own

    def test_every_operation_we_call_is_among_the_messages_compared():
        compared = {(wsdl, operation) for wsdl, operation, _, _ in MESSAGES}
        own = {(wsdl, name) for wsdl in PUBLISHED for name in operations(resources.folder("xsd") / "epuap" / wsdl)}
        not_called = {
            ("zarzadzanie-dokumentami.wsdl", "dodajDokument"),
            ("zarzadzanie-dokumentami.wsdl", "usunDokument"),
        }
        assert own - not_called <= compared


def operations(file: Path) -> dict[str, tuple[str, str, frozenset[str]]]:
    """Of a WSDL: operation → SOAPAction, the Body's element, and the elements of the header."""
    root = etree.parse(file).getroot()
    messages = {item.get("name"): {part.get("name"): part for part in item} for item in root.iter(f"{WSDL}message")}
    asked = {
        item.get("name"): local(item.find(f"{WSDL}input").get("message"))
        for item in root.iterfind(f"{WSDL}portType/{WSDL}operation")
    }
    found = {}
    for item in root.iterfind(f"{WSDL}binding/{WSDL}operation"):
        name = item.get("name")
        headers = {
            qualified(messages[local(one.get("message"))][one.get("part")])
            for one in item.iterfind(f"{WSDL}input/{WSDL_SOAP}header")
        }
        parts = {qualified(part) for part in messages[asked[name]].values()}
        action = item.find(f"{WSDL_SOAP}operation").get("soapAction", "")
        (body,) = parts - headers
        found[name] = (action, body, frozenset(headers))
    return found


def local(name: str) -> str:
    return name.rpartition(":")[2]


def qualified(part: etree._Element) -> str:
    """The element of a part: `{namespace}name`."""
    prefix, _, name = part.get("element", "").rpartition(":")
    return f"{{{part.nsmap[prefix or None]}}}{name}"


# --- answers, as others constructed them ------------------------------------------------------------------------------


@dataclass
class Playing:
    """Answers every call with the same octets."""

    octets: bytes
    status: int = 200

    def send(self, method: str, url: str, **given: Any) -> Reply:
        """What is played."""
        return Reply(self.status, {"Content-Type": "text/xml"}, self.octets)


def played(name: str, *, check: bool = True, status: int = 200) -> Endpoint:
    """An endpoint that answers with a sample; its signature is checked with the certificate beside it."""
    (file,) = reference.files(f"epuap/data/samples/soap/{name}.xml")
    (pem,) = reference.files("epuap/data/samples/soap/sample-response-signer-cert.pem")
    trust = MessageTrust((x509.load_pem_x509_certificate(pem.read_bytes()),))
    return Endpoint("http://127.0.0.1:1", Playing(file.read_bytes(), status), check=trust.check if check else None)


if reference.files("epuap/data/samples/soap/*.xml"):

    def test_the_constructed_pull_answers_are_read():
        assert PullBox(played("pull-1-oczekujaceDokumenty.response"), "g", BOX).waiting() > 0
        assert PullBox(played("pull-2-pobierzNastepny.response-empty"), "g", BOX).next() is None
        envelope = PullBox(played("pull-2-pobierzNastepny.response"), "g", BOX).next()
        assert envelope is not None
        assert envelope.document.lstrip(b"\xef\xbb\xbf").startswith(b"<?xml")
        assert (envelope.defect, envelope.posted_at is not None) == (None, True)
        PullBox(played("pull-3-potwierdzOdebranie.response"), "g", BOX).confirm(envelope.document)

    def test_the_constructed_answers_to_what_is_sent_are_read():
        out = Outgoing(BOX, BOX, b"<a/>", "a.xml")
        box, delivery = played("skrytka-nadaj.response-with-upp"), played("doreczyciel-dorecz.response")
        sender = Sender(box, delivery, "g")
        sent = sender.submit(out)
        assert sent.document_id
        assert sent.receipt is not None
        assert b"UPP" in sent.receipt
        assert sender.deliver(out, due=datetime.now(UTC), document_id="1", case_id="2").order_id
        Sender(box, played("doreczyciel-odbierz.response"), "g").collect(out)
        party = ReceiptParty("TEST", "test", "ePUAP-ID")
        assert ReceiptService(played("obslugaUpp-dajUpp.response"), "g").issue(b"<a/>", "a.xml", party)

    def test_the_constructed_second_opinion_is_read():
        opinion = SigningService(played("tpSigning-verifySignedDocument.response", check=False)).verify(b"<a/>")
        assert (opinion.valid, opinion.signature_type, opinion.verify_status) == (True, "XAdES", 0)

    def test_the_constructed_fault_is_a_refusal_in_its_own_words():
        with pytest.raises(ServiceRefused) as caught:
            PullBox(played("fault-wyjatek", status=500), "g", BOX).waiting()
        assert str(caught.value.facts["number"]).lstrip("-").isdigit()
        assert caught.value.facts["text"]

    def test_our_question_for_a_second_opinion_has_the_shape_of_the_constructed_one():
        (sample,) = reference.files("epuap/data/samples/soap/tpSigning-verifySignedDocument.request.xml")
        client = ServiceClient("tp-signing.wsdl", Endpoint("http://127.0.0.1:1", Http(HttpOptions())))
        values = {"document": b"x", "callId": "1", "requestTimestamp": datetime(2026, 1, 1, tzinfo=UTC)}
        ours = etree.fromstring(client.message("verifySignedDocument", values))
        shapes = [
            (body[0].tag, sorted(body[0].attrib), [child.tag for child in body[0]])
            for root in (ours, etree.parse(sample).getroot())
            for body in root.iterfind(f"{{{SOAP11}}}Body")
        ]
        assert shapes[0] == shapes[1]
