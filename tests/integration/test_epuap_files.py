"""Big files in the simulated FileRepo: up and down once, every octet under the signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import mtom
from gateway.transport.filerepo import FileRepository
from schemas.errors import EnvelopeUnreadable, ServiceRefused
from schemas.files import RepositoryFile
from schemas.octets import Octets
from tests.epuap_clients import epuap

CONTENT = bytes(range(256)) * 4000 + b"\r\n--MIMEBoundar\r\n"


@pytest.mark.parametrize("style", [(), ("--mtom",)], ids=["inline", "mtom"])
def test_a_big_file_goes_up_and_comes_down_once(tmp_path, style):
    with epuap(tmp_path, *style) as started:
        file_id = started.files.upload(a_file(CONTENT))
        answer = tmp_path / "answer"
        kind = download(started.files, file_id, answer)
        for _ in range(2):  # what is written down can be read as often as wanted
            fetched = started.files.read(answer, kind)
            assert (fetched.name, fetched.content_type, fetched.untrusted) == ("plan.pdf", "application/pdf", None)
            assert b"".join(fetched.octets()) == CONTENT
        kind = download(started.files, file_id, answer)
        with pytest.raises(ServiceRefused) as caught:
            started.files.read(answer, kind)
        assert caught.value.facts["number"] == "-30"


def test_a_file_whose_base64_is_longer_than_libxml2_takes_by_itself_goes_up(tmp_path):
    content = CONTENT * 8  # 8 MB; from 10 MB of text on a parser must be told
    with epuap(tmp_path) as started:
        file_id = started.files.upload(a_file(content))
        answer = tmp_path / "answer"
        kind = download(started.files, file_id, answer)
        assert b"".join(started.files.read(answer, kind).octets()) == content


def a_file(content: bytes) -> RepositoryFile:
    return RepositoryFile("plan.pdf", "application/pdf", Octets.of(content))


def download(files: FileRepository, file_id: str, into: Path) -> str:
    with into.open("wb") as sink:
        return files.download(file_id, sink.write)


@pytest.mark.parametrize("style", [(), ("--mtom",)], ids=["inline", "mtom"])
def test_one_changed_octet_of_a_big_file_breaks_the_signature_of_its_answer(tmp_path, style):
    with epuap(tmp_path, *style) as started:
        file_id = started.files.upload(a_file(b"A" * 300_000))
        answer = tmp_path / "answer"
        kind = download(started.files, file_id, answer)
        whole = answer.read_bytes()
        middle = whole.index(b"QUFBQUFB" if not style else b"AAAAAAAA") + 1000
        answer.write_bytes(whole[:middle] + b"B" + whole[middle + 1 :])
        assert started.files.read(answer, kind).untrusted == "message.signature_broken"


def test_a_part_that_is_referred_to_but_missing_is_an_unreadable_answer():
    root = b'<a xmlns:x="u"><x:Include href="cid:weg"/></a>'
    content = b"--b\r\nContent-ID: <r>\r\n\r\n" + root + b"\r\n--b--\r\n"
    with pytest.raises(EnvelopeUnreadable):
        mtom.whole(content, 'multipart/related; boundary="b"; start="<r>"')
    with pytest.raises(EnvelopeUnreadable):
        mtom.whole(b"--b--", 'multipart/related; boundary="b"')
