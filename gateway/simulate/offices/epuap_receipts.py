"""UPPs and UPDs of the simulated ePUAP, and ObslugaUPP, which issues them on request."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from gateway.simulate import epuap_markup as markup
from gateway.simulate import upp
from gateway.simulate.offices.epuap_common import Operations, party, sent_file
from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.pki import Identity

SENDER = ("TEST Nadawca", "testowykonto")


class Receipts:
    """Every receipt is in the ledger, whoever asked for it."""

    def __init__(self, ledger: Ledger, seal: Identity) -> None:
        self._ledger, self._seal = ledger, seal
        self.operations: Operations = {("obslugaUpp", "ZapytanieDajUpp"): self._issue}

    def issue(
        self, document_number: int, addressee: tuple[str, str], sender: tuple[str, str], file_name: str, document: bytes
    ) -> dict[str, Any]:
        """An UPP; its `number` and, in base64, its `content`."""
        number = len(self._ledger.all("receipt")) + 1
        data = upp.UppData(number, document_number, addressee, sender, file_name)
        content = base64.b64encode(upp.upp(data, document, self._seal)).decode()
        return self._ledger.add("receipt", f"UPP {document_number}", content=content, at=datetime.now(UTC).isoformat())

    def for_citizen(self, document: bytes, order: dict[str, Any]) -> int:
        """The number of the UPP that a sender is given, and the RECEIVED store names, before the document is placed."""
        number = len(self._ledger.all()) + 2  # the document comes after its receipt
        made: int = self.issue(number, party(order["mailbox"]), SENDER, order["file_name"], document)["number"]
        return made

    def as_mail(self, sent: dict[str, Any], kind: str) -> bytes:
        """A receipt that comes as ordinary mail: the UPP again or late, or the UPD once the addressee has collected."""
        document, number, addressee = base64.b64decode(sent["content"]), sent["number"], party(sent["to"])
        if kind == "UPD":
            ids = (sent.get("document_id") or "", sent.get("case_id") or "")
            told = upp.UpdData(number, *ids, addressee, ("TEST Gmina", "gmina"), sent["file_name"])
            return upp.upd(told, document, self._seal)
        again = len(self._ledger.all("receipt")) + 1
        return upp.upp(upp.UppData(again, number, addressee, ("TEST", "t"), sent["file_name"]), document, self._seal)

    def _issue(self, body: etree._Element, _headers: dict[str, str]) -> str:
        (asked,) = body.iterfind("dokument")
        file_name, document = sent_file(asked, {})
        number = self._ledger.add("upp_asked", hashlib.sha256(document).hexdigest())["number"]
        subject = body.findtext("podmiot", "")
        who = (body.findtext("nadawca/nazwa", ""), body.findtext("nadawca/identyfikator", ""))
        receipt = self.issue(number, (subject, subject), who, file_name, document)
        return markup.obi(
            "OdpowiedzDajUpp", f"{markup.status(1)}<upp>{markup.file('UPP.xml', receipt['content'])}</upp>"
        )
