"""WS-Security of the SOAP connector: what it sends our engine and xmlsec1 judge, what it gets our engine judges."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors.registry import build
from connectors.wsse import WSSE, WSU
from gateway.signatures.messages import MessageTrust, answer_trust
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from gateway.transport.wsse import MessageKey, MessageSigner
from schemas.delivery import Delivered, Unsettled
from schemas.errors import ConnectorError, MessageUntrusted
from tests.builders import pki
from tests.require import program

ANSWER = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><RejestrujWplywResponse '
    'xmlns="http://ezd.gov.pl/"><ResultStatus>1</ResultStatus><ZnakWplywu>RPW/1</ZnakWplywu></RejestrujWplywResponse>'
    "</s:Body></s:Envelope>"
)


class Office:
    """Keeps what it was sent; answers signed, if it has a key, and can spoil its answer."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.signer: MessageSigner | None = None
        self.spoil = False

    def answer(self) -> bytes:
        envelope = etree.fromstring(ANSWER)
        if self.signer is not None:
            self.signer.sign(envelope)
        content = etree.tostring(envelope)
        return content.replace(b"RPW/1", b"RPW/2") if self.spoil else content


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
            content = made.answer()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "brama.p12"
    file.write_bytes(identity().pkcs12("hasło"))
    return file


def identity() -> Any:
    return pki().upo_seal


def deliver(office: Any, ws_security: dict[str, Any], judge: Any = None) -> Any:
    options = {
        "wsdl": "connectors/ezd_puw/contract.wsdl",
        "address": office.url,
        "ws_security": ws_security,
        "reading": {"success": [{"path": "ResultStatus", "equals": "1"}]},
        "step": [
            {
                "name": "register",
                "operation": "RejestrujWplyw",
                "arguments": {"Tytul": "{fields.title}"},
                "results": {"number": "ZnakWplywu"},
            }
        ],
    }
    return build("soap", options, judge).deliver(a_record("k-1"), "k-1", MemorySteps())


def test_a_signed_message_is_believed_by_our_engine_and_by_xmlsec1(office: Any, key: Path, tmp_path: Path) -> None:
    outcome = deliver(office, {"pkcs12": str(key), "pkcs12_password": "hasło"})

    assert isinstance(outcome, Delivered)
    [sent] = office.requests
    MessageTrust((identity().certificate,)).check(sent)
    file = tmp_path / "sent.xml"
    file.write_bytes(sent)
    pem = tmp_path / "own.pem"
    pem.write_bytes(identity().certificate.public_bytes(Encoding.PEM))
    command = [program("xmlsec1"), "--verify", "--insecure", "--pubkey-cert-pem", str(pem)]
    ids = ["--id-attr:Id", "http://schemas.xmlsoap.org/soap/envelope/:Body", "--id-attr:Id", f"{WSU}:Timestamp"]
    done = subprocess.run([*command, *ids, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_message_changed_on_its_way_is_not_believed(office: Any, key: Path) -> None:
    deliver(office, {"pkcs12": str(key), "pkcs12_password": "hasło"})

    with pytest.raises(MessageUntrusted):
        MessageTrust((identity().certificate,)).check(office.requests[0].replace("Zażółć".encode(), b"Zazolc"))


def test_body_timestamp_and_token_are_all_signed(office: Any, key: Path) -> None:
    deliver(office, {"pkcs12": str(key), "pkcs12_password": "hasło", "user": "brama", "password": "tajne"})

    root = etree.fromstring(office.requests[0])
    signed = {uri[1:] for uri in root.xpath("//*[local-name()='Reference']/@URI[starts-with(., '#id-')]")}
    names = {etree.QName(part).localname for part in root.iter(etree.Element) if part.get(f"{{{WSU}}}Id") in signed}
    assert names == {"Body", "Timestamp", "UsernameToken"}


def test_a_password_goes_as_a_digest_with_nonce_and_time(office: Any) -> None:
    deliver(office, {"user": "brama", "password": "zażółć"})

    [token] = etree.fromstring(office.requests[0]).iter(f"{{{WSSE}}}UsernameToken")
    password = token.findtext(f"{{{WSSE}}}Password") or ""
    nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce") or "")
    created = token.findtext(f"{{{WSU}}}Created") or ""
    expected = hashlib.sha1(nonce + created.encode() + "zażółć".encode()).digest()
    assert base64.b64decode(password) == expected
    assert abs((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()) < 60
    assert "zażółć".encode() not in office.requests[0]


def test_a_password_can_go_as_text_where_the_service_wants_it(office: Any) -> None:
    deliver(office, {"user": "brama", "password": "zażółć", "password_type": "text"})

    assert "zażółć".encode() in office.requests[0]


@pytest.fixture
def wants_signed(key: Path, tmp_path: Path) -> dict[str, Any]:
    pinned = tmp_path / "office.pem"
    pinned.write_bytes(identity().certificate.public_bytes(Encoding.PEM))
    return {"pkcs12": str(key), "pkcs12_password": "hasło", "answer_certificates": [str(pinned)]}


def test_a_signed_answer_counts(office: Any, wants_signed: dict[str, Any]) -> None:
    office.signer = MessageSigner(MessageKey.from_pkcs12(identity().pkcs12("x"), "x"))

    assert isinstance(deliver(office, wants_signed, answer_trust), Delivered)


@pytest.mark.parametrize("case", ["unsigned", "changed"])
def test_an_answer_that_cannot_be_believed_is_a_doubt(office: Any, wants_signed: dict[str, Any], case: str) -> None:
    if case == "changed":
        office.signer, office.spoil = MessageSigner(MessageKey.from_pkcs12(identity().pkcs12("x"), "x")), True

    outcome = deliver(office, wants_signed, answer_trust)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "answer.untrusted"


def test_a_check_nobody_can_make_is_refused_and_not_skipped(office: Any, wants_signed: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError) as refused:
        deliver(office, wants_signed)

    assert "no verifier" in refused.value.facts["problems"]


@pytest.mark.parametrize("password", ["złe", None])
def test_a_key_that_cannot_be_read_is_told_when_built(office: Any, key: Path, password: str | None) -> None:
    with pytest.raises(ConnectorError) as refused:
        deliver(office, {"pkcs12": str(key), "pkcs12_password": password})

    assert "pkcs12" in refused.value.facts["problems"]


def test_a_security_header_about_nothing_is_refused_when_saved(office: Any) -> None:
    with pytest.raises(ConnectorError) as refused:
        deliver(office, {"lifetime_s": 60})

    assert "either user or pkcs12" in refused.value.facts["problems"]
