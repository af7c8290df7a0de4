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
import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from lxml import etree

from gateway.resources import folder
from gateway.simulate import epuap_markup as markup
from gateway.simulate import upp
from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run
from gateway.simulate.pki import Identity, authority, issue, name
from gateway.simulate.soap_messages import envelope, fault, is_signed, signed_envelope
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import DS, OBI, SOAP11, parse, qname

EXT = OBI + "ext/"
FILES = "http://wsdl.epuap.gov.pl/filerepocore/"
STORES = "http://ws.epuap.gov.pl/zarzadzanieDokumentami"
_EFFECTS = frozenset({"ZapytaniePullPotwierdz", "Dokument", "UPD", "UploadFileParam", "DownloadFileParam"})
_SCHEMAS = {OBI: "obiekty.xsd", EXT: "obiekty-ext.xsd", FILES: "filerepo.xsd", STORES: "zarzadzanie-dokumentami.xsd"}


class Refusal(Exception):
    """ePUAP says no, with a number and a text."""

    def __init__(self, number: int, text: str) -> None:
        self.number, self.text = number, text
        super().__init__(text)


@dataclass(frozen=True)
class Options:
    """How this ePUAP behaves where the real one is not documented."""

    empty: str = "short"  # an empty queue: `short` (kod 0, status only) | `wordy` (all elements, empty) | `one` (kod 1)
    digest: str = "sha1"  # how potwierdzOdebranie names a document
    sign_faults: bool = False
    allowed: frozenset[str] = frozenset()  # SHA-256 of client certificates; empty: any
    mtom: bool = False  # downloads in parts
    uploaded: str = "{id}"  # what the answer to an upload says: the id, or an address that holds it


class Epuap:
    """The services and what they hold. The ledger survives a restart: queues are rebuilt from it."""

    def __init__(self, ledger: Ledger, state: Path, options: Options) -> None:
        self._ledger, self._options = ledger, options
        self._lock = threading.RLock()
        self._message_key, self._seal = _identities(state)
        self._schemas = {uri: etree.XMLSchema(etree.parse(folder("xsd") / "epuap" / f)) for uri, f in _SCHEMAS.items()}
        self._boxes: dict[str, deque[dict[str, Any]]] = {}
        confirmed = {effect["identity"] for effect in ledger.all("confirmed")}
        for placed in ledger.all("placed"):
            if placed["identity"] not in confirmed:
                self._boxes.setdefault(placed["mailbox"], deque()).append(placed)
        self._operations: dict[tuple[str, str], Callable[[etree._Element, dict[str, str]], str]] = {
            ("pull", "ZapytaniePullOczekujace"): self._waiting,
            ("pull", "ZapytaniePullPobierz"): self._next,
            ("pull", "ZapytaniePullPotwierdz"): self._confirm,
            ("skrytka", "Dokument"): self._submit,
            ("doreczyciel", "Dokument"): self._deliver,
            ("doreczyciel", "UPD"): self._collect,
            ("obslugaUpp", "ZapytanieDajUpp"): self._issue,
            ("FileRepoService", "UploadFileParam"): self._upload,
            ("FileRepoService", "DownloadFileParam"): self._download,
            ("ZarzadzanieDokumentami", "zawartoscSkladu"): self._listing,
            ("ZarzadzanieDokumentami", "pobierzDokument"): self._stored,
        }

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
        if not is_signed(request.body, self._options.allowed):
            raise Refusal(-2, "brak poprawnego podpisu WS-Security")
        tag = etree.QName(body)
        operation = self._operations.get((request.path.rstrip("/").rpartition("/")[2], tag.localname))
        schema = self._schemas.get(tag.namespace or "")
        if operation is None or schema is None or not schema.validate(body):
            raise Refusal(-3, f"nieznana operacja albo treść niezgodna ze schematem: {tag.localname}")
        with self._lock:
            content = operation(body, _headers(body))
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
                upp = self._upp_of(document, order) if order.pop("receipted", False) else None
                placed = self._place(**{**order, "document": document}, upp=upp)
                return _json({"number": placed["number"], "document_id": placed["number"]})
            if request.path == "/simulated/receipt":
                return _json({"number": self._place_receipt(order["number"], order["kind"])})
            if request.path == "/simulated/file":
                return _json({"file_id": self._keep_file(order["name"], "application/octet-stream", order["content"])})
        return Response(404, b"")

    def _upp_of(self, document: bytes, order: dict[str, Any]) -> int:
        """The number of the UPP that the sender is given and the RECEIVED store names."""
        to, number = order["mailbox"], len(self._ledger.all()) + 2  # the document comes after its receipt
        who = (to, to.strip("/").partition("/")[0])
        sealed = self._seal_receipt(number, who, ("TEST Nadawca", "testowykonto"), order["file_name"], document)
        made: int = sealed["number"]
        return made

    def _place(
        self, mailbox: str, document: bytes, file_name: str, reply_mailbox: str = "/testowykonto/domyslna",
        is_test: bool = False, content: str | None = None, answer: str | None = None, upp: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Put a document at the end of a box's queue.

        Args: content: stands on the wire instead of its base64; answer: instead of everything about it.
        """
        placed = self._ledger.add(
            "placed", str(uuid4()), mailbox=mailbox, file_name=file_name, is_test=is_test,
            reply_mailbox=reply_mailbox, sha256=hashlib.sha256(document).hexdigest(), answer=answer,
            content=base64.b64encode(document).decode() if content is None else content,
            digest=_digest(document, self._options.digest), at=datetime.now(UTC).isoformat(), upp=upp,
        )  # fmt: skip
        self._boxes.setdefault(mailbox, deque()).append(placed)
        return placed

    # --- Pull --------------------------------------------------------------------------------------------------------

    def _queue(self, body: etree._Element) -> deque[dict[str, Any]]:
        return self._boxes.setdefault(body.findtext("adresSkrytki", ""), deque())

    def _waiting(self, body: etree._Element, _headers: dict[str, str]) -> str:
        waiting = f"{markup.status(1)}<oczekujace>{len(self._queue(body))}</oczekujace>"
        return markup.obi("OdpowiedzPullOczekujace", waiting)

    def _next(self, body: etree._Element, _headers: dict[str, str]) -> str:
        queue = self._queue(body)
        if not queue:
            return markup.obi("OdpowiedzPullPobierz", markup.EMPTY[self._options.empty])
        return markup.obi("OdpowiedzPullPobierz", markup.pulled(queue[0]))

    def _confirm(self, body: etree._Element, _headers: dict[str, str]) -> str:
        queue = self._queue(body)
        if not queue or body.findtext("skrot") != queue[0]["digest"]:
            return markup.obi("OdpowiedzPullPotwierdz", markup.status(-10, "skrót nie zgadza się z dokumentem"))
        head = queue.popleft()
        self._ledger.add("confirmed", head["identity"], mailbox=head["mailbox"], sha256=head["sha256"])
        return markup.obi("OdpowiedzPullPotwierdz", markup.status(1))

    # --- sending -----------------------------------------------------------------------------------------------------

    def _submit(self, body: etree._Element, headers: dict[str, str]) -> str:
        if headers.get("CzyProbne") in ("1", "true"):
            return markup.obi(
                "OdpowiedzSkrytki", f"{markup.status(1)}<identyfikatorDokumentu>0</identyfikatorDokumentu>"
            )
        file_name, document = _sent_file(body, headers)
        sent = self._send("sent", headers, file_name, document)
        receipt = self._receipt(sent, headers, file_name, document)
        return markup.obi(
            "OdpowiedzSkrytki",
            f"{markup.status(1)}<identyfikatorDokumentu>{sent['number']}</identyfikatorDokumentu>"
            f"<identyfikatorUpp>{receipt['number']}</identyfikatorUpp>"
            f"<zalacznik>{markup.file('UPP.xml', receipt['content'])}</zalacznik>",
        )

    def _deliver(self, body: etree._Element, headers: dict[str, str]) -> str:
        file_name, document = _sent_file(body, headers)
        if not _has_signature(document):
            raise Refusal(-20, "dokument nie zawiera podpisu elektronicznego")
        ids = {"document_id": headers.get("IdentyfikatorDokumentu"), "case_id": headers.get("IdentyfikatorSprawy")}
        sent = self._send("delivered", headers, file_name, document, **ids)
        return markup.obi(
            "OdpowiedzDoreczyciela",
            f"{markup.status(1)}<identyfikatorDokumentu>{sent['number']}</identyfikatorDokumentu>"
            f"<identyfikatorZlecenia>{sent['number']}</identyfikatorZlecenia>",
        )

    def _send(self, what: str, headers: dict[str, str], file_name: str, document: bytes, **more: Any) -> dict[str, Any]:
        """Note it, and put it into the addressee's box, where this ePUAP has one."""
        to = headers.get("AdresSkrytki", "")
        digest = hashlib.sha256(document).hexdigest()
        sent = self._ledger.add(
            what, f"{to} {digest}", digest, to=to, reply_mailbox=headers.get("AdresOdpowiedzi", ""), sha256=digest,
            file_name=file_name, content=base64.b64encode(document).decode(), at=datetime.now(UTC).isoformat(), **more,
        )  # fmt: skip
        if to in self._boxes:
            self._place(to, document, file_name, headers.get("AdresOdpowiedzi", ""))
        return sent

    def _collect(self, _body: etree._Element, _headers: dict[str, str]) -> str:
        return markup.obi("StatusDoreczyciela", "<kod>1</kod><komunikat>OK</komunikat>")

    def _issue(self, body: etree._Element, _headers: dict[str, str]) -> str:
        file_name, document = _sent_file(_found(body, "dokument"), {})
        subject = body.findtext("podmiot", "")
        number = self._ledger.add("upp_asked", hashlib.sha256(document).hexdigest())["number"]
        who = (body.findtext("nadawca/nazwa", ""), body.findtext("nadawca/identyfikator", ""))
        receipt = self._seal_receipt(number, (subject, subject), who, file_name, document)
        return markup.obi(
            "OdpowiedzDajUpp", f"{markup.status(1)}<upp>{markup.file('UPP.xml', receipt['content'])}</upp>"
        )

    def _receipt(
        self, sent: dict[str, Any], headers: dict[str, str], file_name: str, document: bytes
    ) -> dict[str, Any]:
        to = headers.get("AdresSkrytki", "")
        addressee = (to, to.strip("/").partition("/")[0])
        return self._seal_receipt(sent["number"], addressee, ("TEST Nadawca", "testowykonto"), file_name, document)

    def _seal_receipt(
        self, document_number: int, addressee: tuple[str, str], sender: tuple[str, str], file_name: str, document: bytes
    ) -> dict[str, Any]:
        number = len(self._ledger.all("receipt")) + 1
        data = upp.UppData(number, document_number, addressee, sender, file_name)
        content = base64.b64encode(upp.upp(data, document, self._seal)).decode()
        return self._ledger.add("receipt", f"UPP {document_number}", content=content, at=datetime.now(UTC).isoformat())

    def _place_receipt(self, number: int, kind: str) -> int:
        """A receipt as ordinary mail: the UPP again or late, or the UPD once the addressee has collected."""
        sent = next(effect for effect in self._ledger.all() if effect["number"] == number)
        document, to = base64.b64decode(sent["content"]), sent["to"]
        addressee = (to, to.strip("/").partition("/")[0])
        if kind == "UPD":
            ids = (sent.get("document_id") or "", sent.get("case_id") or "")
            data = upp.UpdData(number, *ids, addressee, ("TEST Gmina", "gmina"), sent["file_name"])
            octets = upp.upd(data, document, self._seal)
        else:
            made = upp.UppData(
                len(self._ledger.all("receipt")) + 1, number, addressee, ("TEST", "t"), sent["file_name"]
            )
            octets = upp.upp(made, document, self._seal)
        placed: int = self._place(sent["reply_mailbox"], octets, f"{kind}.xml")["number"]
        return placed

    # --- files and stores --------------------------------------------------------------------------------------------

    def _upload(self, body: etree._Element, _headers: dict[str, str]) -> str:
        kept = self._keep_file(body.findtext("filename", ""), body.findtext("mimeType", ""), body.findtext("file", ""))
        said = self._options.uploaded.format(id=kept)
        return f'<ns2:fileId5 xmlns:ns2="{FILES}">{escape(said)}</ns2:fileId5>'

    def _keep_file(self, file_name: str, kind: str, content: str) -> str:
        file_id = (uuid4().hex * 3)[:72]
        self._ledger.add("file", file_id, name=file_name, kind=kind, content=content)
        return file_id

    def _download(self, body: etree._Element, _headers: dict[str, str]) -> str:
        file_id = body.findtext("fileId", "")
        found = self._ledger.find("file", identity=file_id)
        if found is None or self._ledger.find("fetched", identity=file_id):
            raise Refusal(-30, "plik nie istnieje albo został już pobrany")
        self._ledger.add("fetched", file_id)
        return (
            f'<ns2:DataDocument xmlns:ns2="{FILES}"><file>{found["content"]}</file>'
            f"<filename>{escape(found['name'])}</filename><mimeType>{escape(found['kind'])}</mimeType></ns2:DataDocument>"
        )

    def _listing(self, body: etree._Element, _headers: dict[str, str]) -> str:
        store = body.findtext("sklad/nazwa", "")
        effects = {"SENT": ("sent", "delivered"), "RECEIVED": ("placed",)}.get(store, ())
        found = [effect for what in effects for effect in self._ledger.all(what)]
        lines = "".join(markup.details(effect, store) for effect in found)
        inner = f"<zawartoscSkladu>{lines}</zawartoscSkladu>"
        return f'<p521:zawartoscSkladuResponse xmlns:p521="{STORES}">{inner}</p521:zawartoscSkladuResponse>'

    def _stored(self, body: etree._Element, _headers: dict[str, str]) -> str:
        number = int(body.findtext("idDokumentu", "0"))
        found = next(
            (effect for effect in self._ledger.all() if effect["number"] == number and "content" in effect), None
        )
        if found is None:
            raise Refusal(-40, "nie ma takiego dokumentu")
        inner = f"{markup.details(found, 'SENT', 'szczegolyDokumentu')}<tresc>{found['content']}</tresc>"
        whole = f"<pobierzDokumentResult>{inner}</pobierzDokumentResult>"
        return f'<p521:pobierzDokumentResponse xmlns:p521="{STORES}">{whole}</p521:pobierzDokumentResponse>'


def _sent_file(body: etree._Element, headers: dict[str, str]) -> tuple[str, bytes]:
    if etree.QName(body).namespace == EXT:
        return headers.get("NazwaPliku", "dokument.xml"), etree.tostring(body[0], with_tail=False)
    return body.findtext("nazwaPliku", ""), base64.b64decode(body.findtext("zawartosc", ""))


def _found(body: etree._Element, name: str) -> etree._Element:
    found = body.find(name)
    assert found is not None, "the schema demands it"
    return found


def _has_signature(document: bytes) -> bool:
    try:
        return next(parse(document).iter(qname(DS, "Signature")), None) is not None
    except DocumentUnreadable:
        return False


def _body(request: Request) -> etree._Element | None:
    try:
        return parse(request.body).getroot().find(f"{qname(SOAP11, 'Body')}/*")
    except DocumentUnreadable:
        return None


def _headers(body: etree._Element) -> dict[str, str]:
    blocks = body.getroottree().getroot().iterfind(f"{qname(SOAP11, 'Header')}/*")
    return {etree.QName(block).localname: (block.text or "").strip() for block in blocks}


def _digest(document: bytes, algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, document, usedforsecurity=False).digest()).decode()


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
