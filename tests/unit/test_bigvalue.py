"""Big answers are taken apart on disk: whatever their size, memory stays small, and nothing half is taken for whole."""

from __future__ import annotations

import base64
import contextlib
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from connectors.http import Http, HttpOptions
from gateway.bigfiles.spool import Spool
from gateway.transport import bigvalue
from gateway.transport.client import Endpoint
from gateway.transport.filerepo import FileRepository, file_id_of
from schemas.errors import EnvelopeUnreadable, ServiceUnsettled

SIZE = {"mtom": 100 * 1024 * 1024, "inline": 32 * 1024 * 1024}  # decoding base64 takes its time
PIECE = bytes(range(256)) * 256
ROOT = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<f:DataDocument xmlns:f="http://wsdl.epuap.gov.pl/filerepocore/"><file>%b</file>'
    b"<filename>plan.zip</filename><mimeType>application/zip</mimeType></f:DataDocument></s:Body></s:Envelope>"
)
INCLUDE = b'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:a%40b"/>'
MIME = 'multipart/related; type="application/xop+xml"; boundary="b-1"; start="<r>"'
XML = "text/xml; charset=utf-8"


def parts(*given: tuple[bytes, bytes], end: bytes = b"\r\n--b-1--\r\n") -> bytes:
    """A multipart body of (headers, content)."""
    return b"".join(b"\r\n--b-1\r\n" + headers + b"\r\n\r\n" + content for headers, content in given)[2:] + end


def mtom(content: bytes, root: bytes = ROOT % INCLUDE, **more: bytes) -> bytes:
    return parts((b"Content-ID: <r>", root), (b"Content-ID: <a@b>", content), **more)


def taken(octets: bytes, kind: str, tmp_path: Path) -> bytes:
    """The value of an answer."""
    (tmp_path / "answer").write_bytes(octets)
    value = bigvalue.read(tmp_path / "answer", kind).value
    assert value is not None
    return b"".join(value.octets())


@pytest.mark.parametrize("size", [0, 1, 2, 3, bigvalue.PIECE - 1, bigvalue.PIECE, bigvalue.PIECE + 1, 400_001])
@pytest.mark.parametrize("lines", [False, True])
def test_a_value_of_any_length_is_taken_out_whole(tmp_path, size, lines):
    content = (PIECE * (size // len(PIECE) + 1))[:size]
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n") if lines else base64.b64encode(content)
    assert taken(ROOT % encoded, XML, tmp_path) == content
    assert taken(mtom(content), MIME, tmp_path) == content


@pytest.mark.parametrize("at", range(-6, 7))
def test_a_boundary_is_found_wherever_the_pieces_are_cut(tmp_path, at):
    content = b"\r\n--b-" + b"x" * (bigvalue.PIECE + at) + b"\r\n--b-"
    assert taken(mtom(content), MIME, tmp_path) == content


def test_small_values_in_parts_of_their_own_go_back_into_the_envelope(tmp_path):
    root = ROOT.replace(b"<s:Body>", b"<s:Header><t>%b</t></s:Header><s:Body>") % (
        INCLUDE.replace(b"a%40b", b"t"),
        INCLUDE,
    )
    body = parts((b"Content-ID: <r>", root), (b"Content-ID: <t>", b"token"), (b"Content-ID: <a@b>", b"wartosc"))
    (tmp_path / "answer").write_bytes(body)
    answer = bigvalue.read(tmp_path / "answer", MIME)
    assert b"<t>" + base64.b64encode(b"token") + b"</t>" in answer.envelope
    assert b"".join(answer.value.text() if answer.value else ()) == base64.b64encode(b"wartosc")


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (mtom(b"abc", end=b""), MIME),
        (mtom(b"abc", end=b"\r\n--b-1"), MIME),
        (mtom(b"abc").replace(b"<a@b>", b"<x@y>"), MIME),
        (mtom(b"abc").replace(b"Content-ID: <a@b>", b"Content-ID: <a@b>\r\nContent-Transfer-Encoding: base64"), MIME),
        (b"--b-1--", MIME),
        (b"", MIME),
        (b"nic", MIME),
        (ROOT % b"QUJD" + b" " * bigvalue.ENVELOPE_BYTES, XML),
        (b"<a>" + b" " * bigvalue.ENVELOPE_BYTES + b"</a>", XML),
        (b"<a><file>QUJD", XML),
    ],
)
def test_what_is_cut_off_or_of_no_known_shape_is_not_taken_for_an_answer(tmp_path, octets, kind):
    (tmp_path / "answer").write_bytes(octets)
    with pytest.raises(EnvelopeUnreadable):
        bigvalue.read(tmp_path / "answer", kind)


@pytest.mark.parametrize("encoded", [b"QUJ", b"QU=D", b"QUJD=QUJD", b"QUI=QUJD", b"QU-D", b"====", b"QUJD===="])
def test_base64_is_read_strictly(tmp_path, encoded):
    with pytest.raises(EnvelopeUnreadable):
        taken(ROOT % encoded, XML, tmp_path)
    padded = base64.b64encode(PIECE * 4) + encoded
    with pytest.raises(EnvelopeUnreadable):
        taken(ROOT % padded, XML, tmp_path)


def test_a_value_that_stands_elsewhere_is_not_the_file(tmp_path):
    moved = (ROOT % b"").replace(b"<s:Body>", b"<s:Header><file>QUJD</file></s:Header><s:Body>")
    (tmp_path / "answer").write_bytes(moved)
    with pytest.raises(EnvelopeUnreadable):
        FileRepository(Endpoint("http://127.0.0.1:9/", Http(HttpOptions())), "g").read(tmp_path / "answer", XML)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://epuap.gov.pl/file-download-servlet/DownloadServlet?fileId=" + "0af9" * 18, "0af9" * 18),
        ("https://EPUAP.gov.pl/x?a=b&fileId=" + "0" * 72, "0" * 72),
        ("0af9" * 18, "0af9" * 18),
        ("https://epuap.gov.pl.zly.invalid/?fileId=" + "0" * 72, None),
        ("https://epuap.gov.pl/?fileId=" + "g" * 72, None),
        ("https://epuap.gov.pl/?fileId=", None),
        ("https://[::1/?fileId=" + "0" * 72, None),
        ("", None),
    ],
)
def test_only_an_id_is_read_from_an_address_and_only_from_epuaps(address, expected):
    assert file_id_of(address, ("epuap.gov.pl",)) == expected


class _Endless(BaseHTTPRequestHandler):
    """Answers with a hundred megabytes, a piece at a time."""

    style = "mtom"

    def do_POST(self) -> None:
        """POST."""
        self.rfile.read(int(self.headers["Content-Length"]))
        frame = mtom(b"@") if self.style == "mtom" else ROOT % b"@"
        before, _, after = frame.partition(b"@\r\n--b-1--" if self.style == "mtom" else b"@")
        after = b"\r\n--b-1--" + after if self.style == "mtom" else after
        piece = PIECE if self.style == "mtom" else base64.b64encode(PIECE[:-1])
        count = SIZE[self.style] // len(piece)
        self.send_response(200)
        self.send_header("Content-Type", MIME if self.style == "mtom" else XML)
        self.send_header("Content-Length", str(len(before) + count * len(piece) + len(after)))
        self.end_headers()
        self.wfile.write(before)
        for _ in range(count):
            self.wfile.write(piece)
        self.wfile.write(after)

    def handle(self) -> None:
        """A caller that hangs up is expected."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture(params=["mtom", "inline"])
def endless(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Handler", (_Endless,), {"style": request.param})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_hundred_megabytes_are_fetched_and_taken_out_in_a_few(endless, tmp_path):
    options = HttpOptions(timeout_s=120.0, max_answer_bytes=1 << 30)
    repository, spool = FileRepository(Endpoint(endless, Http(options)), "g"), Spool(tmp_path)
    file = "0" * 31 + "1"
    repository._client.message("downloadFile", {"fileId": "x", "subject": "g"})  # zeep reads its definitions once
    tracemalloc.start()
    try:
        with spool.begin(UUID(file), 1) as sink:
            kind = repository.download("0" * 72, sink.write)
            answer = spool.complete(sink, UUID(file), 1, kind)
        _, _, size = spool.take_out(answer, repository.read(answer.path, kind).octets())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 20 * 1024 * 1024
    assert peak < 8 * 1024 * 1024


def test_an_answer_over_the_limit_is_cut_off(endless, tmp_path):
    repository = FileRepository(Endpoint(endless, Http(HttpOptions(max_answer_bytes=1024 * 1024))), "g")
    with pytest.raises(ServiceUnsettled) as caught, (tmp_path / "a").open("wb") as sink:
        repository.download("0" * 72, sink.write)
    assert "too_large" in caught.value.facts["reason"]
    assert (tmp_path / "a").stat().st_size <= 1024 * 1024
