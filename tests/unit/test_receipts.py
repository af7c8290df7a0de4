"""Receipts: ours verify anywhere and change nowhere unnoticed; others' are read leniently and judged separately."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from gateway.receipt import SealKey, UpdFacts, UppFacts, check_receipt, is_receipt, issue_upd, issue_upp, read_receipt
from gateway.signatures import TrustPolicy, verify
from gateway.simulate import citizens, pki
from schemas.errors import ReceiptError
from schemas.receipt import Receipt, ReceiptKind, ReceiptParty
from schemas.texts import all_texts
from schemas.verification import Crypto, Indication
from schemas.xmldoc import UPO, XADES, parse
from tests import reference
from tests.damage import changes
from tests.judges import dss, jdk, xmlsec, xmlverifier
from tests.signing import NOT_SIGNATURE, Recipe, Target, sign, xpath

DOCUMENT = "<a>zgłoszenie</a>\r\n".encode()
NAME = "Pismo ogólne #1.xml"
URI = "Pismo%20og%C3%B3lne%20%231.xml"
MOMENT = datetime(2026, 7, 1, 22, 30, 15, 266000, UTC)
FACTS = UppFacts(
    receipt_id="BRAMA-UPP-1",
    addressee=ReceiptParty("Gmina Przykład", "9999011", "TERYT"),
    sender=ReceiptParty("Łucja <Próbna>", "osoba", "ePUAP-ID"),
    document_id="BRAMA-1",
    submission_id="0198c0de",
    file_name=NAME,
    received_at=MOMENT,
    cid="abc@epuap",
)


def seal(kind: str = "rsa2048") -> SealKey:
    identity = pki.shared().upo_seal if kind == "rsa2048" else pki.self_signed_with(kind)
    return SealKey.of(identity.key, identity.certificate)


@pytest.fixture(scope="module")
def trust() -> TrustPolicy:
    return TrustPolicy("test", seals=(pki.shared().upo_seal.certificate,))


@pytest.fixture(scope="module")
def upp() -> Receipt:
    return issue_upp(FACTS, DOCUMENT, seal(), MOMENT)


def test_our_upp_is_valid_and_is_for_its_document(upp: Receipt, trust: TrustPolicy) -> None:
    checked = check_receipt(upp.xml, DOCUMENT, trust)
    assert checked.binding == "is_for"
    assert checked.verification.indication is Indication.PASSED
    (verdict,) = checked.verification.signatures
    assert verdict.level == "XAdES-B-B"
    assert verdict.signing_time == MOMENT.replace(microsecond=0)
    assert [item.uri for item in verdict.references][:2] == ["", URI]
    assert verdict.signer is not None
    assert verdict.signer.kind == "seal"


def test_our_upp_is_not_for_another_document_and_says_nothing_without_one(upp: Receipt, trust: TrustPolicy) -> None:
    assert check_receipt(upp.xml, DOCUMENT + b" ", trust).binding == "is_not"
    assert check_receipt(upp.xml, None, trust).binding == "unresolved"


def test_a_damaged_upp_is_for_nothing(upp: Receipt, trust: TrustPolicy) -> None:
    damaged = upp.xml.replace(b"BRAMA-UPP-1", b"BRAMA-UPP-2", 1)
    checked = check_receipt(damaged, DOCUMENT, trust)
    assert checked.binding == "unresolved"
    assert checked.verification.indication is Indication.FAILED


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_our_upp_verifies_with_the_jdk_with_xmlsec1_and_with_signxml(kind: str) -> None:
    key = seal(kind)
    xml = issue_upp(FACTS, DOCUMENT, key, MOMENT).xml
    assert jdk.judge([xml], {URI: DOCUMENT}, secure=True) == [[jdk.Answer("intact", "vvv")]]
    assert xmlsec.accepts(xml, {URI: DOCUMENT})
    assert xmlverifier.accepts(xml, key.certificate, {URI: DOCUMENT})


def test_any_change_to_what_is_sealed_fails_in_every_verifier(upp: Receipt) -> None:
    certificate = seal().certificate
    names = {URI: DOCUMENT, "1" + URI[1:]: DOCUMENT}  # the changed name of the file resolves too
    assert xmlverifier.accepts(upp.xml, certificate, names)  # so that each refusal below is the change's
    assert xmlsec.accepts(upp.xml, names)
    damaged = list(changes(upp.xml))
    assert len(damaged) >= 25
    judged = [(xml, names) for xml in damaged]
    judged += [(upp.xml, dict.fromkeys(names, other)) for other in (DOCUMENT[:-1], DOCUMENT.replace(b"\r", b""))]
    theirs = jdk.judge(damaged, names)
    theirs += [jdk.judge([xml], given)[0] for xml, given in judged[len(damaged) :]]
    for (xml, given), jdks in zip(judged, theirs, strict=True):
        assert [answer.verdict for answer in jdks] != ["intact"]
        assert not xmlsec.accepts(xml, given)
        assert not xmlverifier.accepts(xml, certificate, given)
        assert verify(xml, TrustPolicy(), detached=given, scope="crypto").signatures[0].crypto is not Crypto.INTACT


def test_dss_passes_our_upp_and_no_changed_one(upp: Receipt, tmp_path: Path) -> None:
    names = {URI: DOCUMENT, "1" + URI[1:]: DOCUMENT}
    judged = [(upp.xml, {URI: DOCUMENT}), *((xml, names) for xml in changes(upp.xml))]
    judged.append((upp.xml, {URI: DOCUMENT[:-1]}))
    said = dss.judge([dss.Sample("", xml, given) for xml, given in judged], tmp_path)
    assert said[0] == "TOTAL-PASSED"
    assert [one for one in said[1:] if not one or "PASSED" in one] == []


def test_our_upp_reads_back_as_it_was_issued(upp: Receipt) -> None:
    assert read_receipt(upp.xml) == upp


def test_times_in_an_upp_are_polish_wall_time_and_the_signing_time_is_utc(upp: Receipt) -> None:
    assert b"<pos:DataDoreczenia>2026-07-02T00:30:15.266<" in upp.xml
    assert b"<xades:SigningTime>2026-07-01T22:30:15Z<" in upp.xml


def test_a_test_submission_s_upp_says_so_and_others_do_not(upp: Receipt) -> None:
    tested = issue_upp(replace(FACTS, is_test=True), DOCUMENT, seal(), MOMENT)
    assert "nie wywołuje skutków prawnych" in read_receipt(tested.xml).supplementary["Tryb testowy"]
    assert "Tryb testowy" not in upp.supplementary


def test_odd_names_do_not_keep_an_upp_from_being_issued() -> None:
    for name in ("", "../../etc/passwd", "http://127.0.0.1/x", "a&b<c>\"'.xml", "nul\x00.xml", "#fragment"):
        facts = replace(FACTS, file_name=name, sender=None, cid="\x0b" + name)
        xml = issue_upp(facts, DOCUMENT, seal("p256"), MOMENT).xml
        assert check_receipt(xml, DOCUMENT, TrustPolicy()).binding == "is_for"


def test_the_seal_is_loaded_from_pkcs12(tmp_path: Path) -> None:
    pki.shared().save(tmp_path)
    key = SealKey.from_pkcs12(tmp_path / "upo-seal.p12", pki.UPO_PASSWORD)
    assert isinstance(key.key, RSAPrivateKey)
    assert timedelta(days=365) < key.remaining(datetime.now(UTC)) < timedelta(days=4 * 365)
    assert pki.UPO_PASSWORD not in repr(key)


@pytest.mark.parametrize(("file", "password"), [("upo-seal.p12", "wrong"), ("none.p12", ""), ("trust.toml", "")])
def test_a_seal_that_cannot_be_loaded_is_named(tmp_path: Path, file: str, password: str) -> None:
    pki.shared().save(tmp_path)
    with pytest.raises(ReceiptError) as refused:
        SealKey.from_pkcs12(tmp_path / file, password)
    assert refused.value.code == "receipt.key_unreadable"


def test_a_key_of_another_certificate_is_refused() -> None:
    own = pki.shared()
    with pytest.raises(ReceiptError) as refused:
        SealKey.of(own.upo_seal.key, own.trusted_profile.certificate)
    assert refused.value.code == "receipt.key_unfit"


def epuap_upp(document: bytes) -> bytes:
    """An UPP in ePUAP's own shape: XPath filters, the detached file without its unsigned properties."""
    unsigned = xpath(f"not(ancestor-or-self::*[local-name() = 'UnsignedProperties' and namespace-uri() = '{XADES}'])")
    plain = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="UPO.xsl"?>'
        f'<pos:Dokument xmlns:pos="{UPO}"><pos:UPP><pos:IdentyfikatorPoswiadczenia>ePUAP-UPP1'
        "</pos:IdentyfikatorPoswiadczenia></pos:UPP>\n</pos:Dokument>"
    )
    targets = (Target("", NOT_SIGNATURE), Target("Odpowied%C5%BA.xml", unsigned))
    return sign(plain, Recipe(targets=targets), {"Odpowied%C5%BA.xml": document})


def test_epuap_s_upp_stays_for_a_document_that_was_time_stamped_since() -> None:
    signed = citizens.sign_trusted_profile(b"<a/>", citizens.person(1), pki.shared())
    stamped = re.sub(
        b"</xades:SignedProperties>",
        b"</xades:SignedProperties><xades:UnsignedProperties>later</xades:UnsignedProperties>",
        signed,
    )
    xml = epuap_upp(signed)
    assert check_receipt(xml, signed, TrustPolicy()).binding == "is_for"
    assert check_receipt(xml, stamped, TrustPolicy()).binding == "is_for"
    assert check_receipt(xml, signed.replace(b"<a>", b"<a> "), TrustPolicy()).binding == "is_not"
    assert check_receipt(xml, b"%PDF", TrustPolicy()).binding == "unresolved"


def test_another_issuer_s_receipt_is_read_without_what_it_leaves_out() -> None:
    plain = (
        f'<pos:Dokument xmlns:pos="{UPO}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><pos:UPP>'
        "<pos:IdentyfikatorPoswiadczenia>1/2019</pos:IdentyfikatorPoswiadczenia>"
        '<pos:Adresat><pos:Nazwa>Gmina</pos:Nazwa></pos:Adresat><pos:DataDoreczenia xsi:nil="true"/>'
        "<pos:DataWytworzeniaPoswiadczenia>0001-01-01T00:00:00</pos:DataWytworzeniaPoswiadczenia>"
        '<pos:InformacjaUzupelniajaca TypInformacjiUzupelniajacej="x">1</pos:InformacjaUzupelniajaca>'
        '<pos:InformacjaUzupelniajaca TypInformacjiUzupelniajacej="x">2</pos:InformacjaUzupelniajaca>'
        "</pos:UPP></pos:Dokument>"
    )
    receipt = read_receipt(codecs.BOM_UTF8 + plain.encode())
    assert (receipt.kind, receipt.id, receipt.addressee.name) == (ReceiptKind.UPP, "1/2019", "Gmina")
    assert (receipt.sender, receipt.delivered_at, receipt.issued_at, receipt.document_id) == (None, None, None, None)
    assert receipt.supplementary == {"x": "1", "x (2)": "2"}


def test_an_upd_is_read() -> None:
    plain = (
        f'<pos:Dokument xmlns:pos="{UPO}"><pos:UPD>'
        "<pos:IdentyfikatorPoswiadczenia>UPD1</pos:IdentyfikatorPoswiadczenia>"
        "<pos:PodmiotWystawiajacyPoswiadczenie><pos:Nazwa>Gmina</pos:Nazwa></pos:PodmiotWystawiajacyPoswiadczenie>"
        "<pos:DataOdbioru>2026-02-05T12:00:00+01:00</pos:DataOdbioru>"
        "<pos:IdentyfikatorSprawy>FN.1</pos:IdentyfikatorSprawy></pos:UPD></pos:Dokument>"
    )
    receipt = read_receipt(plain.encode())
    assert (receipt.kind, receipt.case_id) == (ReceiptKind.UPD, "FN.1")
    assert receipt.sender == ReceiptParty("Gmina")
    assert receipt.delivered_at == datetime(2026, 2, 5, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"not XML", "receipt.unreadable"),
        (b"<a/>", "receipt.not_upo"),
        (f'<Dokument xmlns="{UPO}"/>'.encode(), "receipt.incomplete"),
        (f'<Dokument xmlns="{UPO}"><UPP/></Dokument>'.encode(), "receipt.incomplete"),
    ],
)
def test_what_is_no_receipt_is_refused_with_its_code(xml: bytes, code: str) -> None:
    with pytest.raises(ReceiptError) as refused:
        read_receipt(xml)
    assert refused.value.code == code
    assert code in all_texts()


def test_our_upd_verifies_anywhere_and_reads_back_as_it_was_issued(trust: TrustPolicy) -> None:
    facts = UpdFacts(
        receipt_id="BRAMA-UPD-1",
        issuer=FACTS.addressee,
        addressee=ReceiptParty("Łucja <Próbna>", "osoba", "ePUAP-ID"),
        document_id="DEC-1",
        case_id="FN.3120.1.2026",
        file_name=NAME,
        received_at=MOMENT - timedelta(days=1),
        supplementary={"Informacja": "Doręczenie pełne."},
    )
    upd = issue_upd(facts, DOCUMENT, seal(), MOMENT)
    assert read_receipt(upd.xml) == upd
    assert check_receipt(upd.xml, DOCUMENT, trust).binding == "is_for"
    assert jdk.judge([upd.xml], {URI: DOCUMENT}, secure=True) == [[jdk.Answer("intact", "vvv")]]
    assert xmlsec.accepts(upd.xml, {URI: DOCUMENT})


def test_an_upd_stays_intact_when_the_addressee_signs_it_too(trust: TrustPolicy) -> None:
    party = ReceiptParty("Gmina", "9999011", "TERYT")
    facts = UpdFacts("UPD-2", party, party, "DEC-1", "FN.1", NAME, MOMENT)
    upd = issue_upd(facts, DOCUMENT, seal(), MOMENT)
    for signed in (
        citizens.sign_trusted_profile(upd.xml, citizens.person(1), pki.shared()),
        citizens.sign_qualified(upd.xml, citizens.person(1), pki.shared()),
    ):
        result = verify(signed, trust, detached={URI: DOCUMENT}, scope="crypto")
        assert [item.crypto for item in result.signatures] == [Crypto.INTACT, Crypto.INTACT]
        assert [item.verdict for item in jdk.judge([signed], {URI: DOCUMENT})[0]] == ["intact", "intact"]
        assert check_receipt(signed, DOCUMENT, trust).binding == "is_for"


def test_a_receipt_among_the_mail_is_recognised(upp: Receipt) -> None:
    assert is_receipt(parse(upp.xml).getroot())
    assert not is_receipt(etree.fromstring(b"<Dokument/>"))


@pytest.mark.parametrize("path", reference.files("epuap/data/samples/up[pd]/*.xml"), ids=lambda path: path.name)
def test_real_receipts_are_read(path: Path) -> None:
    assert read_receipt(path.read_bytes()).id
