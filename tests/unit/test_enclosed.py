"""Signed attachments: PDFs that pyHanko signed, containers with our own XAdES; reported, never a verdict."""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.app import make_tools
from gateway.attachments import Rules, attachments_of
from gateway.enclosed import Inspector, doubt, outgoing, pdf_reader
from gateway.enclosed.standing import Enclosed
from gateway.forms import Forms
from gateway.signatures import TrustPolicy
from gateway.simulate import documents, pki
from gateway.simulate.documents import File
from gateway.simulate.pki import Identity
from gateway.store.database import Store
from gateway.validate import check
from schemas.finding import Severity
from schemas.xmldoc import parse
from tests.gateways import write_config
from tests.pdfs import a_pdf, signed_pdf, with_a_page
from tests.signing import MARK, Recipe, Target, sign

ASIC = "http://uri.etsi.org/02918/v1.2.1#"
FILES = {"umowa.txt": b"tekst", "plan zagospodarowania.txt": b"plan"}


def now() -> datetime:
    return datetime.now(UTC)


def trust() -> TrustPolicy:
    own = pki.shared()
    return TrustPolicy("test", qualified_anchors=(own.qualified_ca.certificate,), seals=(own.upo_seal.certificate,))


def findings(content: bytes, rules: Rules | None = None):
    (attached,) = attachments_of(parse(documents.general_letter(files=[File("zalacznik", content)])).getroot())
    return list(Inspector(trust(), now).findings(attached, rules or Rules()))


def codes(content: bytes, rules: Rules | None = None) -> list[str]:
    found = findings(content, rules)
    assert all(item.severity is not Severity.ERROR for item in found)
    return [item.code.removeprefix("attachment.") for item in found]


def stranger() -> Identity:
    return pki.self_signed_with("rsa2048")


def test_a_pdf_signed_by_someone_trusted_is_reported_as_such():
    assert codes(signed_pdf(pki.shared().qualified)) == ["signature_valid"]


def test_a_pdf_signed_by_a_stranger_is_intact_but_not_trusted():
    assert codes(signed_pdf(stranger())) == ["signature_untrusted"]


def test_a_pdf_signed_twice_is_reported_twice():
    twice = signed_pdf(stranger(), signed_pdf(pki.shared().qualified), "Drugi")
    assert codes(twice) == ["signature_valid", "signature_untrusted"]


def test_a_pdf_altered_after_signing_is_broken():
    altered = signed_pdf(pki.shared().qualified).replace(b"q Q", b"Q q", 1)
    assert codes(altered) == ["signature_broken"]


def test_a_pdf_with_pages_added_after_signing_is_not_wholly_signed():
    assert codes(with_a_page(signed_pdf(pki.shared().qualified))) == ["signature_partial"]


def test_a_pdf_that_only_says_it_is_signed_cannot_be_judged():
    assert codes(b"%PDF-1.7\n/ByteRange [0 1 2 3]\n%%EOF") == ["signature_unreadable"]


def test_without_the_library_the_finding_says_that_nothing_was_checked(tmp_path, monkeypatch):
    (tmp_path / "pyhanko.py").write_text("raise ImportError", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert codes(signed_pdf(pki.shared().qualified)) == ["signature_unchecked"]


def test_a_pdf_that_unpacks_to_more_than_its_share_of_memory_cannot_be_judged():
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = head + block * (2 * pdf_reader.MEMORY_BYTES >> 24) + packer.flush()
    table = b"1 0 obj<</Type/XRef/Size 2/W[1 2 1]/Root 1 0 R/Filter/FlateDecode/Length %d>>stream\n" % len(bomb)
    pdf = b"%PDF-1.7 /ByteRange\n" + table + bomb + b"\nendstream endobj\nstartxref\n20\n%%EOF\n"
    started = time.monotonic()
    assert codes(pdf) == ["signature_unreadable"]
    assert time.monotonic() - started < 30


def asic(files: Mapping[str, bytes] = FILES, identity: Identity | None = None, *, given: Mapping[str, bytes] = FILES,
         name: str = "META-INF/signatures.xml", kind: str = "asic-e") -> bytes:  # fmt: skip
    """A container of `files`, its signature made over `given`."""
    targets = tuple(Target(uri.replace(" ", "%20"), "") for uri in given)
    detached = {uri.replace(" ", "%20"): octets for uri, octets in given.items()}
    wrapper = f'<asic:XAdESSignatures xmlns:asic="{ASIC}">{MARK}</asic:XAdESSignatures>'
    signature = sign(wrapper, Recipe(targets=targets, identity=identity or pki.shared().upo_seal), detached)
    return zipped({"mimetype": f"application/vnd.etsi.{kind}+zip".encode(), **files, name: signature})


def zipped(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


ONE = {"umowa.txt": b"tekst"}


@pytest.mark.parametrize(
    ("container", "code"),
    [
        (lambda: asic(), "signature_valid"),
        (lambda: asic(ONE, given=ONE, kind="asic-s"), "signature_valid"),
        (lambda: asic(name="META-INF/signatures001.xml"), "signature_valid"),
        (lambda: asic(identity=stranger()), "signature_untrusted"),
        (lambda: asic({**FILES, "umowa.txt": b"inny"}), "signature_broken"),
        (lambda: asic(ONE, given={"umowa.txt": b"inny"}, kind="asic-s"), "signature_broken"),
        (lambda: asic({**FILES, "dopisany.txt": b"x"}), "signature_partial"),
        (lambda: asic(ONE), "signature_broken"),
        (lambda: zipped({**FILES, "META-INF/signature.p7s": b"0\x80"}), "signature_unreadable"),
        (lambda: zipped({**FILES, "META-INF/signatures.xml": b"<a/>"}), "signature_unreadable"),
        (lambda: zipped({**FILES, "META-INF/signatures.xml": b"<!DOCTYPE a><a/>"}), "signature_unreadable"),
    ],
)  # fmt: skip
def test_a_signed_container_is_reported_by_what_its_signature_covers(container, code):
    assert codes(container()) == [code]


def test_a_container_beyond_the_limits_is_not_unpacked():
    bomb = asic({**FILES, "zera.bin": bytes(30_000_000)}, given=FILES)
    assert codes(bomb) == ["container_too_large"]
    assert codes(asic(), Rules(total_bytes=100)) == ["container_too_large"]


@pytest.mark.parametrize("content", [documents.PDF, b"PK\x03\x04 not an archive", b"tekst", b""])
def test_of_an_unsigned_file_nothing_is_said(content):
    assert codes(content or b" ") == []
    assert codes(zipped(FILES)) == []


def test_a_broken_signature_in_an_attachment_leaves_the_submission_valid():
    altered = signed_pdf(pki.shared().qualified).replace(b"q Q", b"Q q", 1)
    letter = documents.general_letter(files=[File("a.pdf", altered)])
    plain, looked = (
        check(letter, Forms.load(), attachments=Rules(), inspect=inspect)
        for inspect in (None, Inspector(trust(), now).findings)
    )
    assert {item.code for item in looked.findings} - {item.code for item in plain.findings} == {
        "attachment.signature_broken"
    }
    assert looked.valid == plain.valid


def test_the_gateway_looks_into_what_is_attached(tmp_path):
    letter = documents.general_letter(files=[File("a.pdf", signed_pdf(stranger()))])
    found = make_tools(write_config(tmp_path), cast(Store, None)).check(letter, now().date(), None).findings
    assert "attachment.signature_untrusted" in {item.code for item in found}


# --- decisions that go out -----------------------------------------------------------------------------------------

VALID, STRANGERS = Enclosed("PAdES", True, True, True), Enclosed("PAdES", True, True)
TOO_SHORT, BROKEN, UNREADABLE = Enclosed("PAdES", True, False, True), Enclosed("PAdES", False), Enclosed("PAdES", None)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([VALID], None),
        ([VALID, STRANGERS], None),
        ([TOO_SHORT, VALID], None),  # the last one covers all
        ([VALID, BROKEN], outgoing.BROKEN),
        ([VALID, UNREADABLE], outgoing.UNCHECKED),
        ([TOO_SHORT], outgoing.PARTIAL),
        ([TOO_SHORT, STRANGERS], outgoing.UNTRUSTED),
        ([], outgoing.UNSIGNED),
    ],
)
def test_a_decision_needs_one_signature_we_believe_and_none_that_is_broken(found, code):
    assert outgoing.doubt_of(found) == code


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: signed_pdf(pki.shared().qualified), None),
        (lambda: signed_pdf(pki.shared().qualified).replace(b"q Q", b"Q q", 1), outgoing.BROKEN),
        (lambda: a_pdf() + b"\n% /ByteRange [0 1 2 3]\n", outgoing.UNSIGNED),  # speaks of a signature and has none
        (a_pdf, outgoing.UNSIGNED),
    ],
)
def test_a_decisions_own_file_tells_what_speaks_against_it(make, code):
    assert doubt(make(), trust(), now()) == code


def test_without_the_library_a_decisions_signature_counts_as_unchecked(tmp_path, monkeypatch):
    (tmp_path / "pyhanko.py").write_text("raise ImportError", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doubt(signed_pdf(pki.shared().qualified), trust(), now()) == outgoing.UNCHECKED
