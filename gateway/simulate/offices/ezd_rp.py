"""An office with an EZD-RP-like Integrator API. `python -m gateway.simulate.offices.ezd_rp --secret KEY`."""

from __future__ import annotations

import argparse
import hashlib
import json
from urllib.parse import unquote, urlsplit

from gateway.simulate.offices.rest import RestOffice, answer, file_of, form_of
from gateway.simulate.offices.server import Request, Response, run

_PREFIX = "/ezdrp/integrator/v2/"


class EzdRpOffice(RestOffice):
    """Circulations (obiegi), the registry of letters (RPW), cases."""

    def answer(self, request: Request) -> Response:
        """One call; the token is the same as the JSON office's."""
        path = urlsplit(request.path).path
        if not path.startswith(_PREFIX):
            return super().answer(request)
        if not self.admits(request) or "sid" not in request.headers:
            return answer(401, {"detail": "Brak uprawnień"})
        match (request.method, [unquote(part) for part in path.removeprefix(_PREFIX).split("/")]):
            case ("POST", ["obiegi"]):
                return self._circulate(request)
            case ("POST", ["dokumenty", document, "rpw"]):
                return self._number(json.loads(request.body), document)
            case ("POST", ["rpw", "_search"]):
                return self._search(json.loads(request.body))
            case ("POST", ["sprawy"]):
                return self._open_case(json.loads(request.body))
            case ("POST", ["sprawy", case, "dokumenty"]):
                return self._attach(request, case)
        return answer(404, {"detail": "Nie znaleziono"})

    def _circulate(self, request: Request) -> Response:
        name, content = file_of(request)
        title = form_of(request).get("tytul", "")
        number = len(self.ledger.all("circulation")) + 1
        digest = hashlib.sha256(content).hexdigest()
        self.ledger.add("circulation", str(number), title=title, name=name, sha256=digest)
        return answer(201, {"idObieg": f"o-{number}", "idDokumentPrzestrzeni": f"d-{number}"})

    def _number(self, body: dict[str, object], document: str) -> Response:
        key = str(body["znakPisma"])
        effect = self.ledger.add("letter", key, key, document=document)
        return answer(201, {"numer": effect["number"], "rok": 2026})

    def _search(self, body: dict[str, object]) -> Response:
        found = self.ledger.all("letter", identity=body["znakPisma"]) if "znakPisma" in body else []
        entries = [{"numer": item["number"], "rok": 2026, "znakPisma": item["identity"]} for item in found]
        return answer(200, {"elementy": entries})

    def _open_case(self, body: dict[str, object]) -> Response:
        if not body.get("idWykaz"):
            return answer(400, {"detail": "Nie wskazano wykazu"})
        effect = self.ledger.add("case", str(body["idObieg"]), title=body["tytul"])
        return answer(201, {"idSprawa": f"s-{effect['number']}", "znakSprawy": f"AB.{effect['number']}.2026"})

    def _attach(self, request: Request, case: str) -> Response:
        name, _ = file_of(request)
        self.ledger.add("document", f"{case}/{name}", case=case, name=name)
        return answer(201, {})


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--secret")


if __name__ == "__main__":
    run(lambda ledger, options: EzdRpOffice(ledger, options.secret, honour_keys=False), _options)
