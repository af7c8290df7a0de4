"""An office with an EZD-PUW-like SOAP service: letters, documents, cases. `python -m gateway.simulate.offices.ezd`.

Requests must fit the contract's XSD. A letter is looked up by what was sent in `SygnaturaWplywu` (or `NumerNadania`).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from lxml import etree

from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import SOAP11, parse

EZD = "http://ezd.gov.pl/"
_XS = "{http://www.w3.org/2001/XMLSchema}schema"
_EFFECTS = frozenset({"RejestrujWplyw", "DodajZalacznik", "RejestrujDokument", "RejestrujSprawe"})
Values = dict[str, str]


class Refusal(Exception):
    """The office says no."""


class EzdOffice:
    """Registers letters (RPW), keeps attachments, opens cases."""

    def __init__(self, ledger: Ledger, user: str | None, password: str | None, token: str | None) -> None:
        self._ledger = ledger
        self._wanted = base64.b64encode(f"{user}:{password}".encode()).decode() if user else None
        self._token = token
        self._wsdl = (resources.files("connectors.ezd_puw") / "contract.wsdl").read_bytes()
        schema = etree.tostring(next(parse(self._wsdl).getroot().iter(_XS)))  # with the prefixes its QNames use
        self._schema = etree.XMLSchema(parse(schema))
        self._operations: dict[str, Callable[[etree._Element], Values | str]] = {
            "RejestrujWplyw": self._register_letter,
            "WyszukajWplyw": self._find_letter,
            "DodajZalacznik": self._add_content,
            "RejestrujDokument": self._register_document,
            "KoszulkaListaDokumentow": self._list_documents,
            "RejestrujSprawe": self._open_case,
            "PobierzSprawe": self._get_case,
            "StanSprawy": self._case_status,
        }

    def is_effect(self, request: Request) -> bool:
        """Registering and adding are; looking up is not."""
        return request.headers.get("soapaction", "").strip('"').rpartition("/")[2] in _EFFECTS

    def answer(self, request: Request) -> Response:
        """One SOAP call, or the WSDL."""
        if request.method == "GET":
            host = request.headers.get("host", "127.0.0.1")
            return Response(200, self._wsdl.replace(b"http://127.0.0.1:1/", f"http://{host}/".encode()))
        if not self._admits(request.headers):
            return Response(401, b"", headers={"WWW-Authenticate": 'Basic realm="ezd"'})
        try:
            body = parse(request.body).getroot().find(f"{{{SOAP11}}}Body/*")
        except DocumentUnreadable as error:
            return fault("Client", str(error))
        if body is None or not self._schema.validate(body):
            return fault("Client", "request does not fit the contract")
        return self._call(etree.QName(body).localname, body)

    def refusal(self, request: Request, inside_success: bool) -> Response:
        """A fault, or ResultStatus 0 inside HTTP 200."""
        operation = request.headers.get("soapaction", "").strip('"').rpartition("/")[2]
        if inside_success:
            return reply(operation, {}, 0, "ERR String or binary data would be truncated.")
        return fault("Client", "Odmowa: koszulka o tej nazwie nie może być założona")

    def _admits(self, headers: dict[str, str]) -> bool:
        if self._token is not None:
            parameter, hour = headers.get("authparam", ""), datetime.now(ZoneInfo("Europe/Warsaw")).strftime("%Y%m%d%I")
            wanted = hashlib.sha256(f"{parameter}{self._token}{hour}".encode()).hexdigest()
            return headers.get("authtoken") == wanted
        return self._wanted is None or headers.get("authorization") == f"Basic {self._wanted}"

    def _call(self, operation: str, body: etree._Element) -> Response:
        cid = text(body, "CID") or "0"
        try:
            return reply(operation, self._operations[operation](body), 1, "OK", cid)
        except Refusal as refused:
            return reply(operation, {}, 0, str(refused), cid)

    def _register_letter(self, body: etree._Element) -> Values:
        title = text(body, "Tytul")
        if len(title.split()) < 2:
            raise Refusal("Nazwa koszulki musi się składać co najmniej z dwóch słów")
        key = text(body, "SygnaturaWplywu") or text(body, "NumerNadania")
        effect = self._ledger.add("letter", key, key, title=title, surname=text(body, "AdresatNazwisko"))
        return {**_letter(effect["number"]), "IdAdresata": "1", "IdAdresu": "1", "IdWplywu": str(effect["number"])}

    def _find_letter(self, body: etree._Element) -> Values:
        wanted = text(body, "IdDokumentuePUAP") or text(body, "KodKreskowy")
        found = self._ledger.find("letter", identity=wanted)
        return _letter(found["number"]) if found else {"IdDokumentu": "0", "IdKoszulki": "0"}

    def _add_content(self, body: etree._Element) -> Values:
        data = base64.b64decode(text(body, "Dane") or text(body, "DaneBase64"), validate=True)
        digest = hashlib.sha256(data).hexdigest()
        number = len(self._ledger.all("content")) + 1
        self._ledger.add("content", str(number), name=text(body, "Nazwa"), sha256=digest, size=len(data))
        return {"ContentId": str(number), "Nazwa": text(body, "Nazwa")}

    def _register_document(self, body: etree._Element) -> Values:
        folder, name = self._folder(text(body, "IdKoszulki")), text(body, "Nazwa")
        content = self._ledger.find("content", identity=text(body, "IdZalacznika"))
        if content is None:
            raise Refusal("Brak załącznika o podanym identyfikatorze")
        effect = self._ledger.add("document", f"{folder}/{name}", folder=folder, name=name, sha256=content["sha256"])
        return {"IdDokumentu": str(effect["number"]), "IdZawartosci": content["identity"]}

    def _list_documents(self, body: etree._Element) -> str:
        found = self._ledger.all("document", folder=text(body, "IdKoszulki"))
        items = "".join(
            f"<DokumentDto><IdDokumentu>{item['number']}</IdDokumentu><Nazwa>{escape(item['name'])}</Nazwa></DokumentDto>"
            for item in found
        )
        return f"<ListaDokumentow>{items}</ListaDokumentow>"

    def _open_case(self, body: etree._Element) -> Values:
        folder = self._folder(text(body, "IdKoszulki"))
        symbol, year = text(body, "TeczkaSymbol"), text(body, "Rok")
        if not symbol:
            raise Refusal("Nie wskazano teczki (JRWA)")
        number = len(self._ledger.all("case")) + 1
        effect = self._ledger.add("case", folder, folder=folder, case=f"PR.{symbol}.{number}.{year}")
        return {"IdSprawy": str(effect["number"]), "SymbolTeczki": symbol, "ZnakSprawy": effect["case"]}

    def _get_case(self, body: etree._Element) -> str:
        found = self._ledger.find("case", folder=text(body, "IdKoszulki"))
        if found is None:
            return ""
        return f"<Sprawa><IdSprawy>{found['number']}</IdSprawy><ZnakSprawy>{found['case']}</ZnakSprawy></Sprawa>"

    def _case_status(self, body: etree._Element) -> Values:
        if self._ledger.find("case", case=text(body, "ZnakSprawy")) is None:
            raise Refusal("Nie znaleziono sprawy")
        return {
            "WRealizacji": "true",
            "Zakonczona": "false",
            "Zawieszona": "false",
            "ZnakSprawy": text(body, "ZnakSprawy"),
        }

    def _folder(self, number: str) -> str:
        if self._ledger.find("letter", number=int(number or 0)) is None:
            raise Refusal("Brak koszulki o podanym identyfikatorze")
        return number


def text(body: etree._Element, name: str) -> str:
    """The first element of this name anywhere below, as text."""
    found = next(body.iter(f"{{{EZD}}}{name}"), None)
    return (found.text or "") if found is not None else ""


def reply(operation: str, values: Values | str, status: int, message: str, cid: str = "0") -> Response:
    """An answer with the three values every answer has."""
    inner = values if isinstance(values, str) else "".join(f"<{n}>{escape(v)}</{n}>" for n, v in sorted(values.items()))
    head = f"<CID>{cid}</CID><ResultMessage>{escape(message)}</ResultMessage><ResultStatus>{status}</ResultStatus>"
    return _envelope(200, f'<{operation}Response xmlns="{EZD}">{head}{inner}</{operation}Response>')


def fault(code: str, message: str) -> Response:
    """A SOAP 1.1 Fault, HTTP 500 as the specification wants it."""
    inner = f"<faultcode>s:{code}</faultcode><faultstring>{escape(message)}</faultstring>"
    return _envelope(500, f"<s:Fault>{inner}</s:Fault>")


def _envelope(status: int, body: str) -> Response:
    whole = f'<s:Envelope xmlns:s="{SOAP11}"><s:Body>{body}</s:Body></s:Envelope>'
    return Response(status, whole.encode())


def _letter(number: int) -> Values:
    return {"IdDokumentu": str(number), "IdKoszulki": str(number), "ZnakWplywu": f"RPW/{number}/2026"}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--token", help="application token of header authentication")


if __name__ == "__main__":
    run(lambda ledger, options: EzdOffice(ledger, options.user, options.password, options.token), _options)
