"""Boxes of the simulated ePUAP: Pull empties them, Skrytka and Doręczyciel send, a citizen's included."""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lxml import etree

from gateway.simulate import epuap_markup as markup
from gateway.simulate.offices.epuap_common import Operations, Options, Refusal, party, sent_file
from gateway.simulate.offices.epuap_receipts import SENDER, Receipts
from gateway.simulate.offices.ledger import Ledger
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import DS, parse, qname


class Boxes:
    """Queues are rebuilt from the ledger, which survives a restart."""

    def __init__(self, ledger: Ledger, receipts: Receipts, options: Options) -> None:
        self._ledger, self._receipts, self._options = ledger, receipts, options
        self._boxes: dict[str, deque[dict[str, Any]]] = {}
        confirmed = {effect["identity"] for effect in ledger.all("confirmed")}
        for placed in ledger.all("placed"):
            if placed["identity"] not in confirmed:
                self._boxes.setdefault(placed["mailbox"], deque()).append(placed)
        ledger.when_cleared.append(self._boxes.clear)
        self.operations: Operations = {
            ("pull", "ZapytaniePullOczekujace"): self._waiting,
            ("pull", "ZapytaniePullPobierz"): self._next,
            ("pull", "ZapytaniePullPotwierdz"): self._confirm,
            ("skrytka", "Dokument"): self._submit,
            ("doreczyciel", "Dokument"): self._deliver,
            ("doreczyciel", "UPD"): self._collect,
        }

    def place(
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

    def _submit(self, body: etree._Element, headers: dict[str, str]) -> str:
        if headers.get("CzyProbne") in ("1", "true"):
            return markup.obi(
                "OdpowiedzSkrytki", f"{markup.status(1)}<identyfikatorDokumentu>0</identyfikatorDokumentu>"
            )
        file_name, document = sent_file(body, headers)
        sent = self._send("sent", headers, file_name, document)
        to = party(headers.get("AdresSkrytki", ""))
        receipt = self._receipts.issue(sent["number"], to, SENDER, file_name, document)
        return markup.obi(
            "OdpowiedzSkrytki",
            f"{markup.status(1)}<identyfikatorDokumentu>{sent['number']}</identyfikatorDokumentu>"
            f"<identyfikatorUpp>{receipt['number']}</identyfikatorUpp>"
            f"<zalacznik>{markup.file('UPP.xml', receipt['content'])}</zalacznik>",
        )

    def _deliver(self, body: etree._Element, headers: dict[str, str]) -> str:
        file_name, document = sent_file(body, headers)
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
            self.place(to, document, file_name, headers.get("AdresOdpowiedzi", ""))
        return sent

    def _collect(self, _body: etree._Element, _headers: dict[str, str]) -> str:
        return markup.obi("StatusDoreczyciela", "<kod>1</kod><komunikat>OK</komunikat>")


def _has_signature(document: bytes) -> bool:
    try:
        return next(parse(document).iter(qname(DS, "Signature")), None) is not None
    except DocumentUnreadable:
        return False


def _digest(document: bytes, algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, document, usedforsecurity=False).digest()).decode()
