"""A simulated TpSigning and TpSigning5 of Profil Zaufany. `python -m gateway.simulate.offices.tpsigning`.

Requests must be signed and fit the XSD; answers are signed, the certificate is written to `pz-sign.pem` in the state
folder. It finds documents valid that hold a ds:Signature, until told otherwise:

    POST /simulated/opinion  {"valid": true | false | null}: what it says from now on; null: nothing about validity
"""

from __future__ import annotations

import argparse
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from lxml import etree

from gateway.resources import folder
from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run
from gateway.simulate.pki import authority, issue, name
from gateway.simulate.soap_messages import envelope, fault, is_signed, signed_envelope
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import DS, SOAP11, parse, qname

SIGNING = "http://signing.ws.comarch.gov"
_ROLE = '<xades:ClaimedRole xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"/>'


class TpSigning:
    """Both services; which one is asked shows in the path."""

    def __init__(self, ledger: Ledger, state: Path) -> None:
        self._ledger = ledger
        self._valid: bool | None = True
        self._schema = etree.XMLSchema(etree.parse(folder("xsd") / "epuap" / "tp-signing.xsd"))
        now = datetime.now(UTC)
        root = authority(name("TEST PZ CA", "TEST Ministerstwo"), at=now)
        self._key = issue(name("TEST PZ-WS-Sign", "TEST Ministerstwo"), root, at=now)
        (state / "pz-sign.pem").write_bytes(self._key.certificate_pem)

    def is_effect(self, request: Request) -> bool:
        """Faults hit every question."""
        return not request.path.startswith("/simulated/")

    def answer(self, request: Request) -> Response:
        """One question, or an order."""
        if request.path == "/simulated/opinion":
            self._valid = json.loads(request.body)["valid"]
            return Response(200, b"{}", "application/json")
        asked = _asked(request.body)
        if asked is None or not is_signed(request.body, frozenset()) or not self._schema.validate(asked):
            return self.refusal(request, inside_success=False)
        document = base64.b64decode(asked.findtext("document", ""))
        self._ledger.add("asked", str(len(document)), call_id=asked.get("callId"), path=request.path)
        said = f"<verifySignedDocumentReturn>{escape(self._result(document))}</verifySignedDocumentReturn>"
        if not request.path.endswith("5"):
            wrapper = "verifySignedDocumentResponse"
            said = f'<p:{wrapper} xmlns:p="{SIGNING}">{said}</p:{wrapper}>'
        return Response(200, signed_envelope(said, self._key))

    def refusal(self, request: Request, inside_success: bool) -> Response:  # noqa: ARG002  # the frame's signature
        """A Fault."""
        return Response(200 if inside_success else 500, envelope(fault(-2, "brak uprawnienia do usługi")))

    def _result(self, document: bytes) -> str:
        valid = self._valid and _has_signature(document) if self._valid is not None else None
        word = "" if valid is None else str(valid).lower()
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><VerifyResult><ValidDocumentSignature znaczenie="opis">{word}'
            "</ValidDocumentSignature><SignatureType>XAdES</SignatureType><StatusInfo>"
            f'<ValidSignature znaczenie="opis">{word}</ValidSignature>'
            f'<VerifyStatus znaczenie="opis">{0 if valid else 1}</VerifyStatus>'
            '<VerifySignerCert znaczenie="opis">0</VerifySignerCert>'
            f'<SignatureCertSubject>CN=TEST</SignatureCertSubject><ZP czy_obecny="true">{_ROLE}</ZP>'
            "</StatusInfo></VerifyResult>"
        )


def _asked(message: bytes) -> etree._Element | None:
    try:
        return parse(message).getroot().find(f"{qname(SOAP11, 'Body')}/{qname(SIGNING, 'verifySignedDocument')}")
    except DocumentUnreadable:
        return None


def _has_signature(document: bytes) -> bool:
    try:
        return next(parse(document).iter(qname(DS, "Signature")), None) is not None
    except DocumentUnreadable:
        return False


def _make(ledger: Ledger, options: argparse.Namespace) -> TpSigning:
    return TpSigning(ledger, options.state)


if __name__ == "__main__":
    run(_make)
