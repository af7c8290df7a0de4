"""WS-Security: what we sign is what ePUAP wants and others can verify; what comes back is believed only if it holds."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from gateway.signatures.messages import MessageTrust
from gateway.simulate.pki import UPO_PASSWORD, issue, name, new_key, shared
from gateway.transport.soap import WSSE
from gateway.transport.wsse import WSU, MessageKey, MessageSigner
from schemas.errors import ConfigError, MessageUntrusted
from schemas.xmldoc import DS, OBI, SOAP11
from tests import reference, require

NOW = datetime.now(UTC)
SEAL = shared().upo_seal
ENVELOPE = (
    f'<s:Envelope xmlns:s="{SOAP11}" xmlns:o="{OBI}"><s:Header><o:AdresSkrytki>/gm/s</o:AdresSkrytki></s:Header>'
    f"<s:Body><o:Dokument><nazwaPliku>ż.xml</nazwaPliku>\n<zawartosc>eA==</zawartosc></o:Dokument></s:Body></s:Envelope>"
)
NS = {"s": SOAP11, "w": WSSE, "u": WSU, "ds": DS}


def message_key() -> MessageKey:
    assert isinstance(SEAL.key, rsa.RSAPrivateKey)
    return MessageKey(SEAL.key, SEAL.certificate)


def signed(lifetime: timedelta | None = None, key: MessageKey | None = None) -> bytes:
    root = etree.fromstring(ENVELOPE)
    MessageSigner(key or message_key(), lifetime=lifetime).sign(root)
    return etree.tostring(root)


@pytest.fixture(scope="module")
def whole() -> bytes:
    return signed()


def check(message: bytes, at: datetime | None = None) -> None:
    MessageTrust((SEAL.certificate,)).check(message, at)


def refusal(message: bytes, at: datetime | None = None) -> str:
    with pytest.raises(MessageUntrusted) as caught:
        check(message, at)
    return caught.value.code


def edited(message: bytes, edit: Callable[[etree._Element], object]) -> bytes:
    root = etree.fromstring(message)
    edit(root)
    return etree.tostring(root)


def one(root: etree._Element, path: str) -> etree._Element:
    (found,) = root.xpath(path, namespaces=NS)
    return found


def test_a_message_has_the_shape_epuap_asks_for(whole):
    root = etree.fromstring(whole)
    security = one(root, "s:Header/w:Security")
    assert [etree.QName(child).localname for child in security] == ["BinarySecurityToken", "Signature"]
    assert security.getparent()[0] is security
    assert security.get(f"{{{SOAP11}}}mustUnderstand") is None
    assert one(security, "ds:Signature/ds:SignedInfo/ds:SignatureMethod").get("Algorithm", "").endswith("rsa-sha256")
    assert (
        one(security, "ds:Signature/ds:SignedInfo/ds:CanonicalizationMethod").get("Algorithm", "").endswith("exc-c14n#")
    )
    reference = one(security, "ds:Signature/ds:SignedInfo/ds:Reference")
    assert reference.get("URI") == "#" + one(root, "s:Body").get(f"{{{WSU}}}Id", "")
    assert [item.get("Algorithm") for item in reference.iter(f"{{{DS}}}Transform")] == [
        "http://www.w3.org/2001/10/xml-exc-c14n#"
    ]
    pointer = one(security, "ds:Signature/ds:KeyInfo/w:SecurityTokenReference/w:Reference")
    assert pointer.get("URI") == "#" + one(security, "w:BinarySecurityToken").get(f"{{{WSU}}}Id", "")


def test_a_message_of_ours_is_believed(whole):
    check(whole)
    check(signed(timedelta(minutes=5)))


def test_a_timestamp_is_signed_too():
    root = etree.fromstring(signed(timedelta(minutes=5)))
    assert len(root.xpath("//ds:Reference", namespaces=NS)) == 2
    assert [etree.QName(child).localname for child in one(root, "//u:Timestamp")] == ["Created", "Expires"]
    broken = edited(etree.tostring(root), lambda top: setattr(one(top, "//u:Expires"), "text", "2099-01-01T00:00:00Z"))
    assert refusal(broken) == "message.signature_broken"


def test_xmlsec1_verifies_our_signature(whole, tmp_path):
    assert xmlsec1_accepts(whole, tmp_path)
    assert not xmlsec1_accepts(whole.replace(b"eA==", b"eQ=="), tmp_path)


def xmlsec1_accepts(message: bytes, folder: Path) -> bool:
    (folder / "message.xml").write_bytes(message)
    (folder / "certificate.pem").write_bytes(SEAL.certificate_pem)
    command = [require.program("xmlsec1"), "--verify", "--pubkey-cert-pem", str(folder / "certificate.pem")]
    command += ["--id-attr:Id", f"{SOAP11}:Body", "--node-xpath", "//*[local-name()='Signature']"]
    finished = subprocess.run([*command, str(folder / "message.xml")], capture_output=True, check=False, timeout=60)
    return finished.returncode == 0


def test_a_message_signed_by_xmlsec1s_rules_survives_reserialization(whole):
    reparsed = etree.tostring(etree.fromstring(whole), encoding="UTF-16", xml_declaration=True)
    check(reparsed)


# --- what is not believed; each breaks one thing --------------------------------------------------------------------


def test_a_changed_body_is_refused(whole):
    assert refusal(whole.replace(b"eA==", b"eQ==")) == "message.signature_broken"


def test_a_changed_signature_value_is_refused(whole):
    def swap(root: etree._Element) -> None:
        value = one(root, "//ds:SignatureValue")
        assert value.text
        value.text = value.text[::-1].replace("=", "A")[: len(value.text) - 2] + "=="

    assert refusal(edited(whole, swap)) in ("message.signature_broken", "message.signature_malformed")


def test_an_unsigned_message_is_refused(whole):
    assert refusal(ENVELOPE.encode()) == "message.unsigned"
    assert refusal(edited(whole, lambda root: one(root, "//w:Security").clear())) == "message.unsigned"


def test_two_signatures_are_ambiguous(whole):
    def twice(root: etree._Element) -> None:
        one(root, "//w:Security").append(copy.deepcopy(one(root, "//ds:Signature")))

    assert refusal(edited(whole, twice)) == "message.unsigned"


def test_a_body_moved_aside_for_another_one_is_refused(whole):
    def wrap(root: etree._Element) -> None:
        real = one(root, "s:Body")
        wrapper = etree.SubElement(one(root, "s:Header"), "Wrapper")
        other = copy.deepcopy(real)
        del other.attrib[f"{{{WSU}}}Id"]
        one(other, ".//zawartosc").text = "ZXZpbA=="
        root.append(other)
        wrapper.append(real)

    assert refusal(edited(whole, wrap)) == "message.body_not_signed"


def test_a_second_element_with_the_signed_id_is_refused(whole):
    def twin(root: etree._Element) -> None:
        etree.SubElement(one(root, "s:Header"), "x", {"Id": one(root, "s:Body").get(f"{{{WSU}}}Id", "")})

    assert refusal(edited(whole, twin)) == "message.signature_broken"


def test_a_second_body_is_refused(whole):
    assert refusal(edited(whole, lambda root: root.append(copy.deepcopy(one(root, "s:Body"))))) == "message.unsigned"


def test_a_certificate_that_is_not_pinned_is_refused():
    stranger = issue(name("TEST Obcy", "TEST Obcy"), shared().root, at=NOW, key=new_key())
    assert isinstance(stranger.key, rsa.RSAPrivateKey)
    assert refusal(signed(key=MessageKey(stranger.key, stranger.certificate))) == "message.certificate_unknown"


def test_the_pinned_certificate_beside_another_key_does_not_help():
    other = new_key()
    assert isinstance(other, rsa.RSAPrivateKey)
    assert refusal(signed(key=MessageKey(other, SEAL.certificate))) == "message.signature_broken"


def test_a_pinned_certificate_counts_only_while_it_is_valid(whole):
    assert refusal(whole, NOW + timedelta(days=4000)) == "message.certificate_expired"


def test_weak_algorithms_are_refused(whole):
    weak = whole.replace(b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#rsa-sha1")
    assert refusal(weak) == "message.algorithm_weak"


def test_a_signature_without_its_token_or_of_another_shape_is_refused(whole):
    def drop(path: str) -> Callable[[etree._Element], None]:
        return lambda root: one(root, path).getparent().remove(one(root, path))  # type: ignore[union-attr]

    for path in ("//w:BinarySecurityToken", "//ds:KeyInfo", "//ds:SignedInfo"):
        assert refusal(edited(whole, drop(path))) == "message.signature_malformed"


def test_what_is_no_xml_is_refused():
    assert refusal(b"HTTP 502") == "message.unreadable"


def test_the_key_is_read_from_pkcs12_with_its_password(tmp_path):
    content = SEAL.pkcs12(UPO_PASSWORD)
    assert MessageKey.from_pkcs12(content, UPO_PASSWORD).certificate == SEAL.certificate
    for wrong in ((content, "zle"), (b"x", UPO_PASSWORD)):
        with pytest.raises(ConfigError):
            MessageKey.from_pkcs12(*wrong)


if SAMPLES := reference.files("epuap/data/samples/soap/*.re*.xml"):
    CERTIFICATES = tuple(
        x509.load_pem_x509_certificate(file.read_bytes())
        for file in reference.files("epuap/data/samples/soap/sample-*-cert.pem")
    )
    SIGNED = [file for file in SAMPLES if b"SignatureValue" in file.read_bytes()]

    @pytest.mark.parametrize("file", SIGNED, ids=lambda file: file.name)
    def test_signed_reference_messages_are_believed_with_their_certificates_only(file):
        MessageTrust(CERTIFICATES).check(file.read_bytes())
        assert refusal(file.read_bytes()) == "message.certificate_unknown"
