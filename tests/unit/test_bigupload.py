"""A big file goes up in pieces: signed and sent without ever being in memory, in both of the forms there are."""

from __future__ import annotations

import base64
import contextlib
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from connectors import mtom
from connectors.http import Http, HttpOptions
from gateway.signatures.messages import MessageTrust
from gateway.simulate.pki import shared
from gateway.transport.client import Endpoint
from gateway.transport.filerepo import FileRepository
from gateway.transport.wsse import MessageSigner
from schemas.errors import ServiceUnsettled
from schemas.files import RepositoryFile
from schemas.octets import Octets, from_base64
from schemas.xmldoc import parse
from tests.unit.test_wsse import message_key, xmlsec1_accepts

FILE_ID = "0af9" * 18
CONTENT = bytes(range(256)) * 8000 + b"."  # no whole number of pieces, nor of base64's groups
ANSWER = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<f:fileId5 xmlns:f="http://wsdl.epuap.gov.pl/filerepocore/">%b</f:fileId5></s:Body></s:Envelope>'
)


class Taker(BaseHTTPRequestHandler):
    """Takes a file piece by piece, keeping what is small."""

    taken: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        """POST."""
        left, kept = int(self.headers["Content-Length"]), bytearray()
        while left > 0 and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
            if len(kept) < 2 * len(CONTENT):
                kept += piece
        self.taken.append(({name.lower(): value for name, value in self.headers.items()}, bytes(kept)))
        body = ANSWER % FILE_ID.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """A caller that hangs up is expected."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def taker() -> Iterator[tuple[str, type[Taker]]]:
    handler = type("Handler", (Taker,), {"taken": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", handler
    server.shutdown()
    thread.join(10)
    server.server_close()


def repository(address: str, *, parts: bool) -> FileRepository:
    signer = MessageSigner(message_key(), lifetime=timedelta(minutes=5))
    return FileRepository(Endpoint(address, Http(HttpOptions(timeout_s=60.0)), signer), "g", upload_parts=parts)


def a_file(octets: Octets) -> RepositoryFile:
    return RepositoryFile("plan zażółcony.pdf", "application/pdf", octets)


@pytest.mark.parametrize("parts", [False, True], ids=["inline", "mtom"])
def test_what_goes_up_in_pieces_is_the_message_that_was_signed(taker, parts, tmp_path):
    address, handler = taker
    assert repository(address, parts=parts).upload(a_file(Octets.of(CONTENT))) == FILE_ID
    ((headers, body),) = handler.taken
    assert "transfer-encoding" not in headers
    assert (CONTENT in body) == parts
    envelope = mtom.whole(body, headers["content-type"])
    assert from_base64(parse(envelope).getroot().findtext(".//file", "")) == CONTENT
    MessageTrust((shared().upo_seal.certificate,)).check(envelope)
    assert xmlsec1_accepts(envelope, tmp_path)


@pytest.mark.parametrize("parts", [False, True], ids=["inline", "mtom"])
def test_forty_megabytes_go_up_in_a_few(taker, parts):
    address, handler = taker
    up, piece = repository(address, parts=parts), bytes(1 << 20)
    up.upload(a_file(Octets.of(b"x")))  # zeep reads its definitions once
    tracemalloc.start()
    try:
        up.upload(a_file(Octets(40 << 20, lambda: (piece for _ in range(40)))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert int(handler.taken[1][0]["content-length"]) > 40 << 20
    assert peak < 24 << 20  # both sides, the server's share included


def test_a_file_that_is_shorter_than_it_was_when_it_was_signed_never_counts_as_sent(taker):
    times = iter([CONTENT, CONTENT[:-9]])
    changing = Octets(len(CONTENT), lambda: [next(times)])
    with pytest.raises(ServiceUnsettled):
        repository(taker[0], parts=False).upload(a_file(changing))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5])
def test_base64_in_pieces_is_the_base64_of_the_whole(size):
    content = bytes(range(97))
    octets = Octets(len(content), lambda: (content[at : at + size + 1] for at in range(0, len(content), size + 1)))
    assert b"".join(octets.base64()) == base64.b64encode(content)
    assert len(octets.base64()) == len(base64.b64encode(content))


@pytest.mark.parametrize("said", [96, 98])
def test_octets_that_are_more_or_fewer_than_was_said_are_refused(said):
    with pytest.raises(ValueError, match="size"):
        b"".join(Octets(said, lambda: [bytes(97)]))
