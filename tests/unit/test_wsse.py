"""WS-Security: what we sign is what ePUAP wants and others can verify; what comes back is believed only if it holds."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class SetClock:
    """Always the same moment."""

    at: datetime

    def now(self) -> datetime:
        return self.at


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


def test_the_certificate_may_stand_in_the_key_info_itself(whole):
    def move(root: etree._Element) -> None:
        info, token = one(root, "//ds:KeyInfo"), one(root, "//w:BinarySecurityToken")
        data = etree.SubElement(info, f"{{{DS}}}X509Data")
        etree.SubElement(data, f"{{{DS}}}X509Certificate").text = token.text
        info.remove(one(info, "w:SecurityTokenReference"))

    check(edited(whole, move))


@pytest.mark.parametrize(
    "unsay",
    [
        lambda root: one(root, "//ds:Signature").remove(one(root, "//ds:KeyInfo")),
        lambda root: one(root, "//ds:KeyInfo").remove(one(root, "//w:SecurityTokenReference")),
        lambda root: one(root, "//w:Reference").set("URI", "#" + one(root, "s:Body").get(f"{{{WSU}}}Id", "")),
        lambda root: setattr(one(root, "//w:BinarySecurityToken"), "text", "QUJD"),
    ],
    ids=["no key info", "an empty one", "what is no token", "what is no certificate"],
)
def test_a_message_that_does_not_say_whose_it_is_is_refused(whole, unsay):
    assert refusal(edited(whole, unsay)) == "message.signature_malformed"


def test_a_short_key_is_refused_even_where_its_certificate_is_pinned():
    for bits, code in ((1024, "message.algorithm_weak"), (2048, None)):
        weak = issue(
            name("TEST Usługa", "TEST"), shared().qualified_ca, at=NOW - timedelta(days=1), key=new_key(f"rsa{bits}")
        )
        assert isinstance(weak.key, rsa.RSAPrivateKey)
        message, trust = signed(key=MessageKey(weak.key, weak.certificate)), MessageTrust((weak.certificate,))
        if code is None:
            trust.check(message)
            continue
        with pytest.raises(MessageUntrusted) as caught:
            trust.check(message)
        assert caught.value.code == code


def test_a_timestamp_is_signed_too():
    root = etree.fromstring(signed(timedelta(minutes=5)))
    assert len(root.xpath("//ds:Reference", namespaces=NS)) == 2
    assert [etree.QName(child).localname for child in one(root, "//u:Timestamp")] == ["Created", "Expires"]
    broken = edited(etree.tostring(root), lambda top: setattr(one(top, "//u:Expires"), "text", "2099-01-01T00:00:00Z"))
    assert refusal(broken) == "message.signature_broken"


def stamped(at: datetime, lifetime: timedelta = timedelta(minutes=5)) -> bytes:
    root = etree.fromstring(ENVELOPE)
    MessageSigner(message_key(), lifetime=lifetime, clock=SetClock(at)).sign(root)
    return etree.tostring(root)


@pytest.mark.parametrize(
    ("at", "believed"),
    [
        (NOW, True),
        (NOW - timedelta(minutes=9), True),  # expired four minutes ago, by a clock that may differ by five
        (NOW - timedelta(minutes=11), False),
        (NOW + timedelta(minutes=4), True),
        (NOW + timedelta(minutes=6), False),
    ],
)
def test_a_signed_timestamp_is_judged_with_some_leniency_for_clocks(at, believed):
    if believed:
        check(stamped(at), NOW)
    else:
        assert refusal(stamped(at), NOW) == "message.not_fresh"


def test_an_old_timestamp_cannot_be_moved_out_of_sight_behind_a_fresh_one():
    def move(root: etree._Element) -> None:
        old = one(root, "//u:Timestamp")
        fresh = copy.deepcopy(one(etree.fromstring(stamped(NOW)), "//u:Timestamp"))
        old.getparent().replace(old, fresh)  # type: ignore[union-attr]
        etree.SubElement(one(root, "s:Header"), "Wrapper").append(old)

    assert refusal(edited(stamped(NOW - timedelta(days=1)), move), NOW) == "message.not_fresh"


def test_where_a_timestamp_is_required_an_unsigned_one_is_as_good_as_none(whole):
    trust = MessageTrust((SEAL.certificate,), timestamp_required=True)
    loose = edited(
        whole, lambda root: one(root, "//w:Security").append(one(etree.fromstring(stamped(NOW)), "//u:Timestamp"))
    )
    trust.check(stamped(NOW), NOW)
    for message in (whole, loose):
        with pytest.raises(MessageUntrusted) as caught:
            trust.check(message, NOW)
        assert caught.value.code == "message.timestamp_missing"
    check(loose)  # where none is required it does no harm


@pytest.mark.parametrize("text", ["jutro", "", "2026-13-01T00:00:00Z"])
def test_a_signed_timestamp_that_cannot_be_read_is_refused(text):
    def write(root: etree._Element) -> None:
        one(root, "//u:Expires").text = text

    assert refusal(signed_after(write)) == "message.timestamp_invalid"


def test_a_signed_timestamp_that_expires_twice_is_refused():
    def double(root: etree._Element) -> None:
        expires = one(root, "//u:Expires")
        expires.addnext(copy.deepcopy(expires))

    assert refusal(signed_after(double)) == "message.timestamp_invalid"


def test_a_required_timestamp_that_never_expires_counts_only_while_it_is_new():
    def endless(root: etree._Element) -> None:
        expires = one(root, "//u:Expires")
        expires.getparent().remove(expires)  # type: ignore[union-attr]

    message = signed_after(endless)
    check(message, NOW + timedelta(days=1))
    trust = MessageTrust((SEAL.certificate,), timestamp_required=True)
    trust.check(message, NOW)
    with pytest.raises(MessageUntrusted, match="not_fresh"):
        trust.check(message, NOW + timedelta(days=1))


class ChangedFirst(MessageSigner):
    """Signs a Timestamp that was changed before."""

    def __init__(self, change: Callable[[etree._Element], None]) -> None:
        super().__init__(message_key(), lifetime=timedelta(minutes=5), clock=SetClock(NOW))
        self._change = change

    def _signature(self, envelope: etree._Element, ids: list[str], token_id: str) -> etree._Element:
        self._change(envelope)
        return super()._signature(envelope, ids, token_id)


def signed_after(change: Callable[[etree._Element], None]) -> bytes:
    root = etree.fromstring(ENVELOPE)
    ChangedFirst(change).sign(root)
    return etree.tostring(root)


def test_header_blocks_of_a_namespace_can_be_demanded_to_be_signed(whole):
    trust = MessageTrust((SEAL.certificate,), signed_headers=frozenset({OBI}))
    with pytest.raises(MessageUntrusted) as caught:
        trust.check(whole)
    assert (caught.value.code, caught.value.facts) == ("message.header_not_signed", {"block": "AdresSkrytki"})


def test_xmlsec1_verifies_our_signature(whole, tmp_path):
    assert xmlsec1_accepts(whole, tmp_path)
    assert not xmlsec1_accepts(whole.replace(b"eA==", b"eQ=="), tmp_path)


def xmlsec1_accepts(message: bytes, folder: Path) -> bool:
    (folder / "message.xml").write_bytes(message)
    (folder / "certificate.pem").write_bytes(SEAL.certificate_pem)
    command = [require.program("xmlsec1"), "--verify", "--pubkey-cert-pem", str(folder / "certificate.pem")]
    command += [
        "--id-attr:Id",
        f"{SOAP11}:Body",
        "--id-attr:Id",
        f"{WSU}:Timestamp",
        "--node-xpath",
        "//*[local-name()='Signature']",
    ]
    finished = subprocess.run([*command, str(folder / "message.xml")], capture_output=True, check=False, timeout=300)
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
