"""A sealed letter: not an octet of it changed, and intact also for those who did not write our verifier."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.receipt import SealKey
from gateway.receipts.digests import canonical_sha256, detached_digests
from gateway.receipts.document import seal_document
from gateway.simulate import upp
from gateway.simulate.documents import general_letter
from schemas.ids import sha256
from schemas.xmldoc import DS, XADES
from tests.builders import pki
from tests.judges import jdk, xmlsec

LETTER = general_letter()


@pytest.fixture(scope="module")
def sealed() -> bytes:
    seal = pki().upo_seal
    return seal_document(LETTER, SealKey.of(seal.key, seal.certificate), datetime.now(UTC))


def test_a_sealed_letter_with_its_stylesheet_is_intact_for_the_jdk_and_xmlsec1(sealed):
    assert b"<?xml-stylesheet" in sealed
    assert jdk.judge([sealed], {}, secure=True) == [[jdk.Answer("intact", "vv")]]
    assert xmlsec.accepts(sealed)


def test_another_stylesheet_breaks_the_seal_for_everybody(sealed):
    changed = sealed.replace(b"styl.xsl", b"inny.xsl", 1)
    assert changed != sealed
    assert jdk.judge([changed], {}, secure=True)[0][0].verdict != "intact"
    assert not xmlsec.accepts(changed)


def test_sealing_adds_a_signature_and_changes_nothing_else(sealed):
    start, end = sealed.index(b"<ds:Signature"), sealed.rindex(b"</ds:Signature>") + len(b"</ds:Signature>")
    assert sealed[:start] + sealed[end:] == LETTER


def test_a_receipt_names_a_letter_by_its_canonical_digest(sealed):
    receipt = upp.upp(upp.UppData(1, 2, ("A", "a"), ("B", "b"), "pismo.xml"), sealed, pki().upo_seal)
    assert detached_digests(receipt) == {canonical_sha256(sealed)}
    assert canonical_sha256(b"%PDF") is None


UNSIGNED = f'<x:UnsignedProperties xmlns:x="{XADES}"><x:a/></x:UnsignedProperties>'


@pytest.mark.parametrize(
    ("later", "signed"),
    [
        (f"<a>{UNSIGNED}</a>", "<a></a>"),
        (f"<a>przed{UNSIGNED}po</a>", "<a>przedpo</a>"),
        (f"<a><b/>przed{UNSIGNED}po<c/></a>", "<a><b></b>przedpo<c></c></a>"),
        (f"<a>{UNSIGNED}<b/>{UNSIGNED}po</a>", "<a><b></b>po</a>"),
        ("<a><!-- uwaga --><b  c='1'/></a>", '<a><b c="1"></b></a>'),
    ],
)
def test_what_is_added_after_signing_changes_no_canonical_digest(later, signed):
    assert canonical_sha256(later.encode()) == sha256(signed.encode())


def test_a_document_of_unsigned_properties_alone_has_its_own_digest():
    assert canonical_sha256(UNSIGNED.encode()) not in (None, canonical_sha256(b"<a/>"))


def test_only_readable_digests_of_files_outside_a_receipt_count():
    def reference(address: str, digest: str) -> str:
        return f'<Reference URI="{address}"><DigestValue>{digest}</DigestValue></Reference>'

    inner = (
        reference("pismo.xml", "q80=") + reference("#w", "q80A") + reference("inne.xml", "q") + reference("", "AA==")
    )
    receipt = f'<Signature xmlns="{DS}">{inner}</Signature>'.encode()
    assert detached_digests(receipt) == {"abcd"}
