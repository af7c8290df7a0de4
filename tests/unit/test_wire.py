"""Push requests: what is read from which spelling, and what is refused where."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.config import PushConfig, PushNames
from gateway.simulate.epuap import Push, read_answer
from gateway.transport import contract, soap, wire
from gateway.transport.faults import FAULTS, fault_of
from schemas.errors import BodyTooLarge, BramaError, EnvelopeUnreadable, OperationUnknown, StoreUnavailable
from schemas.submission import Answer, Channel, Envelope
from schemas.xmldoc import OBI, SOAP11
from tests import reference

DOCUMENT = '<?xml version="1.0" encoding="UTF-8"?>\n<a:Dokument xmlns:a="urn:test">Zażółć</a:Dokument>'.encode()
CALL = Push("/gmprzyklad/SkrytkaESP", DOCUMENT, posted_at="2026-02-03T10:11:12.345+01:00", document_id="4711")


def read(raw: bytes, push: PushConfig | None = None) -> Envelope:
    return wire.PushReader(push or PushConfig(), 1_000_000).read(raw, "192.0.2.1")


def refusal(raw: bytes, push: PushConfig | None = None) -> BramaError:
    with pytest.raises(BramaError) as caught:
        read(raw, push)
    return caught.value


def changed(before: str, after: str, call: Push = CALL) -> bytes:
    raw = call.envelope()
    assert raw.count(before.encode()) >= 1
    return raw.replace(before.encode(), after.encode())


def test_every_parameter_of_a_push_is_read():
    raw = CALL.envelope()
    envelope = read(raw)
    assert envelope.channel is Channel.PUSH
    assert envelope.document == DOCUMENT
    assert envelope.raw == raw
    assert (envelope.mailbox, envelope.reply_mailbox) == ("/gmprzyklad/SkrytkaESP", "/testowykonto/domyslna")
    assert (envelope.file_name, envelope.content_type) == ("pismo.xml", "application/xml")
    assert envelope.posted_at == datetime(2026, 2, 3, 9, 11, 12, 345000, tzinfo=UTC)
    assert envelope.epuap_document_id == "4711"
    assert envelope.is_test is False
    assert (envelope.sender.identifier, envelope.sender.name, envelope.sender.user) == (
        "testowykonto",
        "TESTOWY",
        "testowykonto",
    )
    assert envelope.caller == "192.0.2.1"


@pytest.mark.parametrize("suffix", ["", "Any", "any"])
@pytest.mark.parametrize("place", ["header", "body"])
def test_parameters_are_found_in_header_or_body_with_or_without_the_suffix_any(place, suffix):
    envelope = read(replace(CALL, parameters_in=place, suffix=suffix).envelope())
    expected = read(CALL.envelope())
    assert replace(envelope, raw=b"") == replace(expected, raw=b"")


def test_parameters_are_found_inside_a_configured_wrapper_element_with_unqualified_names():
    raw = (
        f'<e:Envelope xmlns:e="{SOAP11}"><e:Body><o:Zapytanie xmlns:o="{OBI}">'
        f"<adresSkrytki>/gm/skrytka</adresSkrytki><czyTestowe>1</czyTestowe>"
        f"<dokument><nazwaPliku>a.xml</nazwaPliku><zawartosc>eA==</zawartosc></dokument>"
        f"</o:Zapytanie></e:Body></e:Envelope>"
    ).encode()
    envelope = read(raw, PushConfig(wrapper_elements=("Zapytanie",)))
    assert (envelope.mailbox, envelope.is_test, envelope.document) == ("/gm/skrytka", True, b"x")
    assert refusal(raw).code == "intake.operation_unknown"


def test_other_wire_names_and_another_namespace_are_a_matter_of_configuration():
    push = PushConfig(namespace="urn:inne", names=PushNames(mailbox="Skrytka", document="Plik"))
    raw = CALL.envelope().replace(OBI.encode(), b"urn:inne").replace(b"obi:Dokument", b"obi:Plik")
    raw = raw.replace(b"AdresSkrytki", b"Skrytka")
    assert read(raw, push).mailbox == "/gmprzyklad/SkrytkaESP"
    assert isinstance(refusal(raw), OperationUnknown)


@pytest.mark.parametrize(("written", "expected"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_both_spellings_of_a_boolean_are_read(written, expected):
    assert read(changed(">false</obi:CzyTestowe>", f"> {written} </obi:CzyTestowe>")).is_test is expected


@pytest.mark.parametrize(
    ("written", "hour"),
    [("2026-02-03T10:00:00", 9), ("2026-07-03T10:00:00.5", 8), ("2026-07-03T10:00:00Z", 10)],
)
def test_a_time_without_a_zone_is_polish_wall_time(written, hour):
    posted_at = read(replace(CALL, posted_at=written).envelope()).posted_at
    assert posted_at is not None
    assert (posted_at.tzinfo, posted_at.hour) == (UTC, hour)


def test_a_mailbox_left_out_is_made_of_recipient_and_name():
    raw = changed("<obi:AdresSkrytki>/gmprzyklad/SkrytkaESP</obi:AdresSkrytki>", "<obi:AdresSkrytki/>")
    assert read(raw).mailbox == "/gmprzyklad/SkrytkaESP"


def test_the_last_unqualified_document_id_in_the_further_data_is_taken():
    inner = (
        "<D><IdentyfikatorDokumentu>1</IdentyfikatorDokumentu><x:IdentyfikatorDokumentu xmlns:x='urn:x'>9"
        "</x:IdentyfikatorDokumentu><E><IdentyfikatorDokumentu>2</IdentyfikatorDokumentu></E></D>"
    )
    further = base64.b64encode(inner.encode()).decode()
    known = base64.b64encode(b"<Dane><IdentyfikatorDokumentu>4711</IdentyfikatorDokumentu></Dane>").decode()
    assert read(changed(known, further)).epuap_document_id == "2"
    assert read(changed(known, base64.b64encode(b"no xml").decode())).epuap_document_id is None


def test_line_breaks_inside_base64_are_white_space():
    encoded = base64.b64encode(DOCUMENT).decode()
    assert read(changed(encoded, f"\n  {encoded[:20]}\r\n{encoded[20:]}\n")).document == DOCUMENT


@pytest.mark.parametrize("bad", ["!{}", "{}A", "{}====", "żó{}", "{}*"])
def test_base64_that_is_not_base64_is_refused_with_its_place(bad):
    encoded = base64.b64encode(DOCUMENT).decode()
    error = refusal(changed(encoded, bad.format(encoded)))
    assert (error.code, error.facts["part"]) == ("intake.base64_invalid", "zawartosc")


def test_inline_xml_keeps_its_octets():
    document = b'<?xml-stylesheet type="text/xsl" href="a.xsl"?>\n<a:D  xmlns:a=\'urn:a\'  x = "1"><![CDATA[&]]></a:D>'
    assert read(replace(CALL, document=document, inline=True).envelope()).document == document


def test_a_comment_inside_a_value_does_not_cut_it_short():
    raw = changed("/gmprzyklad/SkrytkaESP<", "/gmprzyklad/Skrytka<!-- -->ESP<")
    assert read(raw).mailbox == "/gmprzyklad/SkrytkaESP"


@pytest.mark.parametrize("document", [b"<a><!-- w --></a>", b"<obi:D><!-- w --></obi:D>"], ids=["alone", "anew"])
def test_comments_of_an_inline_document_are_its_own(document):
    assert b"<!-- w -->" in read(replace(CALL, document=document, inline=True).envelope()).document


def test_inline_xml_that_needs_prefixes_from_outside_is_written_anew():
    document = read(replace(CALL, document=b"<obi:D/>", inline=True).envelope()).document
    assert etree.fromstring(document).tag == f"{{{OBI}}}D"


@pytest.mark.parametrize("inside", [b"", b"tekst", b"<a/><b/>"])
def test_inline_content_that_is_no_document_is_refused(inside):
    assert refusal(replace(CALL, document=inside, inline=True).envelope()).code == "intake.part_missing"


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("2026-02-03T", "2026-02-33T", "/obi:DataNadania"),
        ("2026-02-03T10:11:12.345", "2026-02-03T24:00:00", "DataNadania"),
        (">false<", ">tak<", "/obi:CzyTestowe"),
        ("nazwaPliku", "nazwapliku", "/obi:Dokument/nazwapliku"),
        ("zawartosc", "tresc", "/obi:Dokument/tresc"),
        ("<typOsoby>F</typOsoby>", "<typOsoby>F</typOsoby><obcy/>", "/obi:DanePodmiotu/obcy"),
        ("/gmprzyklad/SkrytkaESP<", "/gmprzyklad/" + "x" * 300 + "<", "/obi:AdresSkrytki"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_line_place_and_rule_but_no_value(before, after, where):
    error = refusal(changed(before, after))
    assert (error.code, error.facts["where"]) == ("intake.request_invalid", where)
    assert error.facts["line"] > 0
    assert set(error.facts) == {"line", "where", "rule"}


def test_the_same_parameter_twice_must_agree():
    twice = "<obi:NazwaSkrytki>SkrytkaESP</obi:NazwaSkrytki>"
    assert read(changed(twice, twice * 2)).mailbox == "/gmprzyklad/SkrytkaESP"
    assert refusal(changed(twice, twice + twice.replace("SkrytkaESP", "inna"))).code == "intake.part_repeated"


@pytest.mark.parametrize("body", ["<x/>", "<o:DajUpp xmlns:o='urn:o'/>", ""])
def test_an_operation_we_do_not_have_is_refused(body):
    raw = f'<e:Envelope xmlns:e="{SOAP11}"><e:Body>{body}</e:Body></e:Envelope>'.encode()
    assert isinstance(refusal(raw), OperationUnknown)


@pytest.mark.parametrize(("part", "missing"), [("Dokument", "Dokument"), ("AdresSkrytki", "AdresSkrytki")])
def test_a_call_without_document_or_mailbox_is_refused(part, missing):
    root = etree.fromstring(replace(CALL, parameters_in="body").envelope())
    for name in (part, "NazwaSkrytki"):
        for element in root.findall(f".//{{{OBI}}}{name}"):
            element.getparent().remove(element)
    error = refusal(etree.tostring(root))
    assert (error.code, error.facts["part"]) == ("intake.part_missing", missing)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "document.empty"),
        (b"niech bedzie", "document.not_well_formed"),
        (CALL.envelope()[:-20], "document.not_well_formed"),
        (CALL.envelope().replace(b"TESTOWY", "ŻÓŁĆ".encode("cp1250")), "document.not_well_formed"),
        (CALL.envelope().replace(b"UTF-8", b"EBCDIC-CP-BE"), "document.encoding"),
        (b"<!DOCTYPE x><x/>", "document.doctype"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "document.doctype"),
        (b"<x>" * 400 + b"</x>" * 400, "document.too_deep"),
        (b"<x>" * 5000 + b"</x>" * 5000, None),
    ],
)
def test_an_envelope_that_cannot_be_read_is_refused_with_its_reason(raw, reason):
    error = refusal(raw)
    assert error.code == "intake.envelope_unreadable"
    assert isinstance(error, EnvelopeUnreadable)
    assert reason is None or error.facts["reason"] == reason


def test_soap_1_2_and_what_is_no_envelope_are_told_apart():
    newer = refusal(changed(SOAP11, soap.SOAP12))
    assert (newer.code, newer.facts["found"]) == ("intake.soap_version", "1.2")
    assert refusal(changed(SOAP11, "urn:soap")).facts["found"] == "?"
    assert refusal(b"<Dokument/>").code == "intake.not_soap"
    assert refusal(f'<e:Envelope xmlns:e="{SOAP11}"/>'.encode()).code == "intake.not_soap"


def test_only_header_blocks_we_know_may_demand_to_be_understood():
    block = '<w:Security xmlns:w="{}" soapenv:mustUnderstand="1"/></soapenv:Header>'
    assert read(changed("</soapenv:Header>", block.format(soap.WSSE))).document == DOCUMENT
    error = refusal(changed("</soapenv:Header>", block.format("urn:obce")))
    assert (error.code, error.facts["block"]) == ("intake.must_understand", "Security")


def test_attributes_of_soap_and_ws_security_on_parameters_do_no_harm():
    raw = changed("<obi:CzyTestowe>", '<obi:CzyTestowe soapenv:mustUnderstand="1" xmlns:u="urn:wsu" u:Id="a">')
    assert read(raw).document == DOCUMENT


def test_utf_16_and_other_prefixes_are_read_alike():
    raw = CALL.envelope().decode().replace("obi:", "p140:").replace("xmlns:obi", "xmlns:p140")
    assert read(raw.replace("UTF-8", "UTF-16").encode("utf-16")).document == DOCUMENT


def test_an_answer_carries_status_and_receipt_in_unqualified_children():
    root = etree.fromstring(wire.answer(Answer(1, "Przyjęto", b"<UPO/>", "UPO-1.xml"), PushConfig()))
    answer = root[0][0]
    assert answer.tag == f"{{{OBI}}}OdpowiedzOdbiorcy"
    assert [child.tag for child in answer.iter()][1:] == [
        "status",
        "kod",
        "komunikat",
        "zalacznik",
        "nazwaPliku",
        "typPliku",
        "zawartosc",
    ]
    assert contract.schema().validate(answer)
    assert read_answer(200, etree.tostring(root)).receipt == b"<UPO/>"


def test_a_fault_has_epuaps_detail_and_starts_with_our_code():
    root = etree.fromstring(soap.fault(StoreUnavailable(), OBI))
    fault = root[0][0]
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    assert fault.findtext("faultcode") == "soapenv:Server"
    exception = fault.find(f"detail/{{{OBI}}}Wyjatek")
    assert contract.schema().validate(exception)
    assert exception.findtext("kod") == str(FAULTS["store.unavailable"].number)
    assert exception.findtext("komunikat").startswith("store.unavailable: ")


def test_fault_numbers_are_unique_and_every_error_finds_one():
    assert len({kind.number for kind in FAULTS.values()}) == len(FAULTS)
    assert fault_of(BodyTooLarge()).http_status == 413
    assert fault_of(EnvelopeUnreadable("intake.nowy")) == FAULTS["intake.envelope_unreadable"]
    assert fault_of(BramaError("nothing.known")) == FAULTS["brama.error"]


def test_the_served_contract_follows_the_configured_names():
    served = contract.Contract(PushConfig(namespace="urn:inne", names=PushNames(mailbox="Skrytka")))
    wsdl = etree.fromstring(served.wsdl("http://gateway.example/push"))
    parts = [part.get("element") for part in wsdl.iter("{http://schemas.xmlsoap.org/wsdl/}part")]
    assert "obi:Skrytka" in parts
    assert "obi:AdresSkrytki" not in parts
    assert wsdl.nsmap["obi"] == "urn:inne"
    assert b'name="Skrytka"' in served.schema_xml


if SAMPLES := reference.files("epuap/data/samples/soap/odbiorca-push.request*"):

    @pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
    def test_the_reference_sample_is_read_whole(file):
        envelope = read(file.read_bytes())
        assert envelope.mailbox == "/gminaprzyklad/domyslna"
        assert envelope.document.startswith(b"<?xml")
