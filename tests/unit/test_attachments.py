"""Attachments: strict decoding, type by content, limits, archives judged without unpacking, a scanner on a socket."""

from __future__ import annotations

import base64
import io
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator

import pytest
from lxml import etree

from connectors.drop import file_names
from gateway import validate
from gateway.attachments import AttachmentContent, Rules, Scan, Scanner, attachments_of, content_type, judge
from gateway.forms import Forms
from gateway.simulate import documents
from gateway.simulate.documents import File
from gateway.simulate.ports import held_port
from schemas.delivery import AttachmentFile, CaseRecord
from schemas.finding import Severity
from schemas.xmldoc import parse
from tests.servers import clamav
from tests.servers.clamav import MARK


def attached(*files: File) -> list[AttachmentContent]:
    return attachments_of(etree.fromstring(documents.general_letter(files=files)))


def codes(*files: File, rules: Rules | None = None) -> list[str]:
    return [finding.code for item in judge(attached(*files), rules or Rules()) for finding in item.findings]


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (documents.PDF, "pdf"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 32, "png"),
        (b"MZ\x90\0" + b"\0" * 60, "exe"),
        (b"\x7fELF" + b"\0" * 60, "elf"),
        ("Zwykły tekst – źdźbło".encode(), "txt"),
        (b'<?xml version="1.0"?><a/>', "xml"),
        (bytes(range(128, 256)), None),
    ],
)
def test_the_type_is_told_by_content(content, kind):
    assert content_type(content) == kind


def test_an_attachment_that_is_what_it_says_has_no_finding():
    assert codes(File("a.pdf", documents.PDF)) == []


@pytest.mark.parametrize(
    ("file", "rules", "code"),
    [
        (File("a.pdf", b"MZ\x90\0" + b"\0" * 60), Rules(), "attachment.type_refused"),
        (File("a.pdf", b"\x89PNG\r\n\x1a\n" + b"\0" * 32), Rules(), "attachment.type_differs"),
        (File("a.pdf", documents.PDF), Rules(types=frozenset({"png"})), "attachment.type_refused"),
        (File("a.pdf", documents.PDF), Rules(size_bytes=10), "attachment.size"),
        (File("a.pdf", documents.PDF), Rules(total_bytes=10), "attachment.total_size"),
        (File("a.pdf", documents.PDF), Rules(count=0), "attachment.count"),
        (File("a.zip", zipped(zera=b"\0" * 3_000_000), "application/zip"), Rules(), "attachment.zip_bomb"),
        (File("a.zip", zipped(**{str(n): b"x" for n in range(30)}), "application/zip"), Rules(unpacked_files=20),
         "attachment.zip_bomb"),
        (File("a.zip", zipped(a=b"abc" * 1000), "application/zip"), Rules(unpacked_bytes=1000), "attachment.zip_bomb"),
    ],
)  # fmt: skip
def test_each_rule_that_is_broken_has_its_code(file, rules, code):
    assert codes(file, rules=rules) == [code]


def test_an_ordinary_archive_is_no_bomb():
    assert codes(File("a.zip", zipped(a=b"abc", b=b"Tekst" * 50), "application/zip")) == []


def test_members_that_share_their_bytes_are_a_bomb():
    packed = bytearray(zipped(a=b"abc" * 50, b=b"abd" * 50))
    directory = packed.rindex(b"PK\x01\x02")
    packed[directory + 42 : directory + 46] = struct.pack("<I", 0)  # the second member points at the first's bytes
    assert codes(File("a.zip", bytes(packed), "application/zip")) == ["attachment.zip_bomb"]


def test_what_cannot_be_decoded_keeps_no_content_and_guesses_no_type():
    (item,) = attached(File("a.pdf", b"", encoded="to nie base64!"))
    assert (item.content, item.type, item.sha256, item.size_bytes) == (b"", None, None, 0)


def test_an_address_is_an_address_and_is_never_fetched():
    document = documents.general_letter(files=[File("a.pdf", b"", encoded="https://repozytorium.example/plik?id=1")])
    root = etree.fromstring(document.replace(b'kodowanie="base64"', b'kodowanie="URI"'))
    (item,) = attachments_of(root)
    assert (item.uri, item.content) == ("https://repozytorium.example/plik?id=1", b"")


def test_names_are_base64_only_where_the_form_says_so():
    letter = etree.fromstring(documents.general_letter(files=[File("b8Wbd2lhZGN6ZW5pZS50eHQ=", b"a")]))
    assert attachments_of(letter)[0].name == "b8Wbd2lhZGN6ZW5pZS50eHQ="
    assert attachments_of(letter, names_are_base64=True)[0].name == "oświadczenie.txt"


def test_an_empty_file_is_pointed_out_once_and_no_scanner_is_asked():
    letter = documents.general_letter(files=[File("pusty.pdf", b"")])
    found = validate.check(letter, Forms.load(), attachments=Rules(), scanner=Scanner("127.0.0.1:9", timeout_s=1))
    assert [(item.code, item.severity) for item in found.findings] == [("check.attachment_empty", Severity.WARNING)]


@pytest.mark.parametrize("name", ["", "   "])
def test_a_file_without_a_name_is_pointed_out(name):
    (judged,) = judge(attached(File(name, documents.PDF)), Rules())
    assert [(item.code, item.severity) for item in judged.findings] == [("attachment.name_missing", Severity.WARNING)]


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\okna\\plik.pdf", "a/b.pdf", ".ukryty", "a\u202egpj.exe"])
def test_a_path_in_a_name_stays_a_name_and_never_becomes_a_path(name):
    (item,) = attached(File(name, documents.PDF))
    assert item.name == name
    file = AttachmentFile(name, "application/pdf", documents.PDF)
    record = CaseRecord(key="k", tenant="2009032", kind="general_letter", case={}, fields={}, files=(file,))
    (stored,) = file_names(record)
    assert stored.startswith("01-")
    assert not {"/", "\\", "\u202e"} & set(stored)


def test_a_name_in_windows_1250_is_read_as_it_was_written():
    document = documents.general_letter(files=[File("załącznik-źdźbło.pdf", documents.PDF)])
    tree = etree.fromstring(document)
    old = etree.tostring(tree, encoding="windows-1250")
    assert "za\u0142\u0105cznik".encode("cp1250") in old
    assert attachments_of(parse(old).getroot())[0].name == "załącznik-źdźbło.pdf"


def test_a_name_that_is_no_base64_of_utf_8_stays_as_written_and_the_content_is_read():
    strange = base64.b64encode("żółć.pdf".encode("cp1250")).decode()
    letter = etree.fromstring(documents.general_letter(files=[File(strange, documents.PDF)]))
    (item,) = attachments_of(letter, names_are_base64=True)
    assert (item.name, item.content) == (strange, documents.PDF)


def test_content_that_cannot_be_decoded_does_not_spoil_the_name():
    name = base64.b64encode(b"umowa.pdf").decode()
    letter = etree.fromstring(documents.general_letter(files=[File(name, b"", encoded="to nie base64!")]))
    (item,) = attachments_of(letter, names_are_base64=True)
    assert (item.name, item.content) == ("umowa.pdf", b"")


class Daemon:
    """Speaks clamd's protocol on loopback and says what it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        wire, _ = self.server.accept()
        with wire, wire.makefile("rb") as stream:
            assert stream.read(10) == b"zINSTREAM\0"
            while size := struct.unpack("!I", stream.read(4))[0]:
                self.received += stream.read(size)
            wire.sendall(self.answer)

    def close(self) -> None:
        self.thread.join()
        self.server.close()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"stream: OK\0", Scan.CLEAN),
        (b"stream: Proba.Test FOUND\0", Scan.INFECTED),
        (b"INSTREAM size limit exceeded. ERROR\0", Scan.UNKNOWN),
        (b"", Scan.UNKNOWN),
    ],
)
def test_the_scanner_gets_every_byte_and_its_word_is_taken_exactly(answer, verdict):
    daemon = Daemon(answer)
    content = bytes(range(256)) * 1000
    assert Scanner(daemon.address).scan(content) is verdict
    daemon.close()
    assert daemon.received == content


def test_a_file_that_could_not_be_scanned_is_pointed_out():
    scanner = Scanner(f"127.0.0.1:{held_port()}", timeout_s=1)
    (judged,) = judge(attached(File("a.pdf", documents.PDF)), Rules(), scanner)
    assert [(item.code, item.severity) for item in judged.findings] == [("attachment.not_scanned", Severity.WARNING)]
    assert codes(File("a.pdf", documents.PDF)) == []  # where no scanner is configured, nobody expects it


def test_a_scanner_that_is_away_leaves_the_question_open():
    scanner = Scanner(f"127.0.0.1:{held_port()}", timeout_s=1)
    assert scanner.scan(b"x") is Scan.UNKNOWN
    assert scanner.ping() is False


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with clamav.clamd(tmp_path_factory.mktemp("clam")) as wire:
        yield wire


def test_a_real_clamd_finds_what_its_database_knows(clamd):
    scanner = Scanner(clamd)
    assert scanner.ping()
    assert scanner.scan(b"a harmless letter") is Scan.CLEAN
    assert scanner.scan(b"xx" + MARK + b"xx") is Scan.INFECTED
    (judged,) = judge(attached(File("a.txt", b"xx" + MARK, "text/plain")), Rules(), scanner)
    assert (judged.scan, [finding.code for finding in judged.findings]) == (Scan.INFECTED, ["attachment.infected"])
