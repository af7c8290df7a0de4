"""A simulated ePUAP to call: Pull, Skrytka, Doręczyciel, FileRepo, stores. `python -m gateway.simulate.offices.epuap`.

Requests must be signed and fit the XSD; answers are signed with a generated WS-Sign certificate, written to
`ws-sign.pem` in the state folder, UPPs with the seal in `upp-seal.pem`. Faults as for every office. Beside services:

    POST /simulated/box    {"mailbox", "document" (base64), "file_name", "reply_mailbox", "is_test"}: a citizen sends;
                           "receipted": true: the store RECEIVED names its UPP;
                           spoilt: "content" instead of the document's base64, "answer" instead of all about it
    POST /simulated/file   {"content" (base64), "name"} → {"file_id"}: a big file a citizen uploaded
    POST /simulated/receipt {"number", "kind": "UPP" | "UPD"}: a receipt for what was sent comes to the sender's box
"""

from __future__ import annotations

import argparse
import base64
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.resources import folder
from gateway.simulate import epuap_markup as markup
from gateway.simulate.offices.epuap_boxes import Boxes
from gateway.simulate.offices.epuap_common import EXT, FILES, STORES, Options, Refusal, headers_of
from gateway.simulate.offices.epuap_files import Files
from gateway.simulate.offices.epuap_receipts import Receipts
from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run
from gateway.simulate.pki import Identity, authority, issue, name
from gateway.simulate.soap_messages import envelope, fault, is_signed, signed_envelope
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import OBI, SOAP11, parse, qname

_EFFECTS = frozenset({"ZapytaniePullPotwierdz", "Dokument", "UPD", "UploadFileParam", "DownloadFileParam"})
_SCHEMAS = {OBI: "obiekty.xsd", EXT: "obiekty-ext.xsd", FILES: "filerepo.xsd", STORES: "zarzadzanie-dokumentami.xsd"}


class Epuap:
    """The services and what they hold. The ledger survives a restart: queues are rebuilt from it."""

    def __init__(self, ledger: Ledger, state: Path, options: Options) -> None:
        self._ledger, self._options = ledger, options
        self._lock = threading.RLock()
        self._message_key, seal = _identities(state)
        self._schemas = {uri: etree.XMLSchema(etree.parse(folder("xsd") / "epuap" / f)) for uri, f in _SCHEMAS.items()}
        self._receipts = Receipts(ledger, seal)
        self._boxes = Boxes(ledger, self._receipts, options)
        self._files = Files(ledger, options)
        self._operations = {**self._boxes.operations, **self._receipts.operations, **self._files.operations}

    # --- the frame's questions ---------------------------------------------------------------------------------------

    def is_effect(self, request: Request) -> bool:
        """Confirming, sending, uploading and downloading (it can be done once) are."""
        if request.path.startswith("/simulated/"):
            return False
        body = _body(request)
        return body is not None and etree.QName(body).localname in _EFFECTS

    def answer(self, request: Request) -> Response:
        """One call of a service, or something a citizen does."""
        if request.path.startswith("/simulated/"):
            return self._simulated(request)
        body = _body(request)
        if body is None:
            return self._fault(Refusal(-1, "nie jest to koperta SOAP"))
        try:
            return self._served(request, body)
        except Refusal as refusal:
            return self._fault(refusal)

    def refusal(self, request: Request, inside_success: bool) -> Response:  # noqa: ARG002  # the frame's signature
        """A Fault, with HTTP 500 or inside HTTP 200."""
        return self._fault(Refusal(-7, "odmowa na życzenie"), 200 if inside_success else 500)

    def _served(self, request: Request, body: etree._Element) -> Response:
        if not is_signed(markup.out_of_parts(request), self._options.allowed):
            raise Refusal(-2, "brak poprawnego podpisu WS-Security")
        tag = etree.QName(body)
        operation = self._operations.get((request.path.rstrip("/").rpartition("/")[2], tag.localname))
        schema = self._schemas.get(tag.namespace or "")
        if operation is None or schema is None or not schema.validate(body):
            raise Refusal(-3, f"nieznana operacja albo treść niezgodna ze schematem: {tag.localname}")
        with self._lock:
            content = operation(body, headers_of(body))
        whole = signed_envelope(content, self._message_key)
        return (
            markup.in_parts(whole)
            if self._options.mtom and tag.localname == "DownloadFileParam"
            else Response(200, whole)
        )

    def _fault(self, refusal: Refusal, status: int = 500) -> Response:
        content = fault(refusal.number, refusal.text)
        whole = signed_envelope(content, self._message_key) if self._options.sign_faults else envelope(content)
        return Response(status, whole)

    def _simulated(self, request: Request) -> Response:
        order = json.loads(request.body)
        with self._lock:
            if request.path == "/simulated/box":
                document = base64.b64decode(order["document"])
                upp = self._receipts.for_citizen(document, order) if order.pop("receipted", False) else None
                placed = self._boxes.place(**{**order, "document": document}, upp=upp)
                return _json({"number": placed["number"], "document_id": placed["number"]})
            if request.path == "/simulated/receipt":
                sent = next(effect for effect in self._ledger.all() if effect["number"] == order["number"])
                receipt = self._receipts.as_mail(sent, order["kind"])
                placed = self._boxes.place(sent["reply_mailbox"], receipt, f"{order['kind']}.xml")
                return _json({"number": placed["number"]})
            if request.path == "/simulated/file":
                return _json({"file_id": self._files.keep(order["name"], "application/octet-stream", order["content"])})
        return Response(404, b"")


def _body(request: Request) -> etree._Element | None:
    try:
        return parse(markup.out_of_parts(request)).getroot().find(f"{qname(SOAP11, 'Body')}/*")
    except DocumentUnreadable:
        return None


def _json(answer: dict[str, Any]) -> Response:
    return Response(200, json.dumps(answer).encode(), "application/json")


def _identities(state: Path) -> tuple[Identity, Identity]:
    """The key that signs messages and the seal of the UPPs; their certificates are written to the state folder."""
    now = datetime.now(UTC)
    root = authority(name("TEST ePUAP CA", "TEST Ministerstwo"), at=now)
    signer = issue(name("TEST ePUAP-WS-Sign", "TEST Ministerstwo"), root, at=now)
    seal = issue(name("TEST ePUAP ESP", "TEST Ministerstwo"), root, at=now)
    (state / "ws-sign.pem").write_bytes(signer.certificate_pem)
    (state / "upp-seal.pem").write_bytes(seal.certificate_pem)
    return signer, seal


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--empty", choices=sorted(markup.EMPTY), default="short")
    parser.add_argument("--digest", choices=("sha1", "sha256"), default="sha1")
    parser.add_argument("--sign-faults", action="store_true")
    parser.add_argument("--mtom", action="store_true")
    parser.add_argument("--uploaded", default="{id}")
    parser.add_argument("--allow", action="append", default=[], help="SHA-256 of a client certificate")


def _make(ledger: Ledger, options: argparse.Namespace) -> Epuap:
    own, allowed = options, frozenset(options.allow)
    chosen = Options(own.empty, own.digest, own.sign_faults, allowed, own.mtom, own.uploaded)
    return Epuap(ledger, options.state, chosen)


if __name__ == "__main__":
    run(_make, _add_options)
