"""What our seals digest is what libxml2 calls canonical, octet for octet: the seal is written without asking it."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.receipt import SealKey, UpdFacts, UppFacts, issue_upd, issue_upp
from gateway.receipts.document import seal_document
from gateway.simulate import pki
from gateway.simulate.documents import general_letter
from schemas.receipt import ReceiptParty
from schemas.xmldoc import DS, XADES, parse, qname
from tests.judges import xmlsec

MOMENT = datetime(2026, 7, 1, 22, 30, 15, 266000, UTC)
ODD = "a&amp;b<c>\"'\t\r\n ]]> ż \U0001f600.xml"
PARTY = ReceiptParty(ODD, ODD, ODD)
FILE = b"\x00octets"
FILE_URI = "a%26amp%3Bb%3Cc%3E%22%27%09%0D%0A%20%5D%5D%3E%20%C5%BC%20%F0%9F%98%80.xml"
UPP = UppFacts(ODD, PARTY, None, ODD, ODD, ODD, MOMENT, cid=ODD)
UPD = UpdFacts(ODD, PARTY, PARTY, ODD, ODD, ODD, MOMENT, supplementary={ODD: ODD})


def key(kind: str) -> SealKey:
    own = pki.shared()
    identity = own.upo_seal if kind == "rsa" else pki.self_signed_with(kind)
    return SealKey(identity.certificate, identity.key, (own.root.certificate, own.qualified_ca.certificate))


SEALED: dict[str, Callable[[SealKey], bytes]] = {
    "upp": lambda seal: issue_upp(UPP, FILE, seal, MOMENT).xml,
    "upd": lambda seal: issue_upd(UPD, FILE, seal, MOMENT).xml,
    "letter": lambda seal: seal_document(general_letter(), seal, MOMENT),
    "stamped": lambda seal: issue_upp(UPP, FILE, seal, MOMENT, lambda octets: hashlib.sha256(octets).digest()).xml,
}
cases = pytest.mark.parametrize(("what", "kind"), [(what, kind) for what in SEALED for kind in ("rsa", "p384")])


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)


def part(xml: bytes, name: str) -> etree._Element:
    return next(parse(xml).getroot().iter(name))


@cases
@pytest.mark.parametrize(
    "name", [qname(DS, "SignedInfo"), qname(DS, "SignatureValue"), qname(XADES, "SignedProperties")]
)
def test_whatever_is_hashed_stands_in_the_document_as_it_is_hashed(what: str, kind: str, name: str) -> None:
    xml = SEALED[what](key(kind))
    assert xml.count(canonical(part(xml, name))) == 1


@cases
def test_the_digests_are_those_of_the_canonical_parts(what: str, kind: str) -> None:
    xml = SEALED[what](key(kind))
    tree = copy.deepcopy(parse(xml))
    signature = tree.getroot()[-1]
    tree.getroot().remove(signature)
    hashed = [
        etree.tostring(tree, method="c14n", exclusive=True, with_comments=False),
        *([FILE] if what != "letter" else []),
        canonical(part(xml, qname(XADES, "SignedProperties"))),
    ]
    said = [
        base64.b64decode(item.text or "") for item in part(xml, qname(DS, "SignedInfo")).iter(qname(DS, "DigestValue"))
    ]
    assert said == [hashlib.sha256(octets).digest() for octets in hashed]


def test_a_time_stamp_is_over_the_canonical_signature_value() -> None:
    xml = SEALED["stamped"](key("p384"))
    token = base64.b64decode(part(xml, qname(XADES, "EncapsulatedTimeStamp")).text or "")
    assert token == hashlib.sha256(canonical(part(xml, qname(DS, "SignatureValue")))).digest()


@pytest.mark.parametrize("kind", ["rsa", "p521"])
@pytest.mark.parametrize("what", SEALED)
def test_xmlsec1_accepts_every_seal_around_the_oddest_names(what: str, kind: str) -> None:
    xml = SEALED[what](key(kind))
    assert xmlsec.accepts(xml, {FILE_URI: FILE})
    assert not xmlsec.accepts(xml.replace(b"SigningTime>20", b"SigningTime>21"), {FILE_URI: FILE})
