"""An office with a JSON service, OAuth 2 and idempotency keys. `python -m gateway.simulate.offices.rest`.

POST /token                   client credentials, or EZD RP's api_credentials
GET  /ping
POST /cases                   {"external_id", …} → 201 {"id", "number"}; the same Idempotency-Key → the same answer
GET  /cases?external_id=…     {"items": [{"id", "number"}]}
POST /cases/{id}/documents    multipart `files` → 201 {"id"}
GET  /cases/{id}/documents    {"items": [{"id", "name"}]}
GET  /dues?party=…            {"as_of", "items": [{"title", "amount"}]}
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run

_EFFECTS = re.compile(r"/cases(/|$)|/obiegi$|/dokumenty/[^/]+/rpw$|/sprawy(/|$)")


class RestOffice:
    """Cases and their documents."""

    def __init__(self, ledger: Ledger, secret: str | None, honour_keys: bool) -> None:
        self.ledger = ledger
        self._secret = secret
        self._honour_keys = honour_keys

    def is_effect(self, request: Request) -> bool:
        """POST to anything but the token and searches."""
        return request.method != "GET" and bool(_EFFECTS.search(urlsplit(request.path).path))

    def refusal(self, request: Request, inside_success: bool) -> Response:  # noqa: ARG002
        """422 with a reason, or 200 with an error inside."""
        if inside_success:
            return answer(200, {"error": "ERR String or binary data would be truncated"})
        return answer(422, {"detail": "Brak podatnika w kartotece"})

    def answer(self, request: Request) -> Response:
        """One call."""
        parts = urlsplit(request.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if path == ["token"]:
            return self._token(request)
        if not self.admits(request):
            return answer(401, {"detail": "Brak uprawnień"})
        match (request.method, path):
            case ("GET", ["ping"]):
                return answer(200, {"ok": True})
            case ("POST", ["cases"]):
                return self._open(request)
            case ("GET", ["cases"]):
                found = self.ledger.all("case", identity=query.get("external_id"))
                return answer(200, {"items": [_case(case) for case in found]})
            case ("POST", ["cases", case, "documents"]):
                return self._add(request, case)
            case ("GET", ["cases", case, "documents"]):
                found = self.ledger.all("document", case=case)
                return answer(200, {"items": [{"id": item["number"], "name": item["name"]} for item in found]})
            case ("GET", ["dues"]):
                due = {"title": "Podatek od nieruchomości", "amount": "120.50"}
                return answer(200, {"as_of": query.get("as_of"), "items": [due] if query.get("party") == "P-1" else []})
        return answer(404, {"detail": "Nie ma takiego zasobu"})

    def admits(self, request: Request) -> bool:
        """Has it the token we gave out?"""
        return self._secret is None or request.headers.get("authorization") == f"Bearer {self._issued()}"

    def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") == "api_credentials":
            digest = hashlib.sha256(f"{form['rt']}{self._secret}".encode()).digest()
            right = form["akh"] == base64.b64encode(digest).decode()
        else:
            right = form.get("client_secret") == self._secret
        if not right:
            return answer(401, {"error": "invalid_client"})
        return answer(200, {"access_token": self._issued(), "token_type": "Bearer", "expires_in": 3600})

    def _issued(self) -> str:
        return hashlib.sha256(f"issued {self._secret}".encode()).hexdigest()

    def _open(self, request: Request) -> Response:
        body = json.loads(request.body)
        seen = self._before(request, "case")
        if seen is not None:
            return answer(201, _case(seen))
        key = body["external_id"]
        more = {"idempotency": request.headers.get("idempotency-key"), "body": body, "raw": request.body.decode()}
        return answer(201, _case(self.ledger.add("case", key, key, **more)))

    def _add(self, request: Request, case: str) -> Response:
        seen = self._before(request, "document")
        if seen is not None:
            return answer(201, {"id": seen["number"]})
        name, content = file_of(request)
        more = {"idempotency": request.headers.get("idempotency-key"), "sha256": hashlib.sha256(content).hexdigest()}
        effect = self.ledger.add("document", f"{case}/{name}", case=case, name=name, **more)
        return answer(201, {"id": effect["number"]})

    def _before(self, request: Request, what: str) -> dict[str, Any] | None:
        key = request.headers.get("idempotency-key")
        return self.ledger.find(what, idempotency=key) if key and self._honour_keys else None


def answer(status: int, body: Any) -> Response:
    """JSON."""
    return Response(status, json.dumps(body, ensure_ascii=False).encode(), "application/json")


def _case(case: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(case["number"]), "number": f"SP.{case['number']}.2026"}


def file_of(request: Request) -> tuple[str, bytes]:
    """Name and content of the first file of a multipart form."""
    part = next(part for part in _parts(request) if part.get_filename())
    content = part.get_payload(decode=True)
    return str(part.get_filename()), content if isinstance(content, bytes) else b""


def form_of(request: Request) -> dict[str, str]:
    """The fields of a multipart form that are no files."""
    found = {}
    for part in _parts(request):
        content = part.get_payload(decode=True)
        if not part.get_filename() and isinstance(content, bytes):
            found[str(part.get_param("name", header="content-disposition"))] = content.decode()
    return found


def _parts(request: Request) -> list[Message]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    return list(BytesParser(policy=policy.HTTP).parsebytes(head + request.body).iter_parts())


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--secret")
    parser.add_argument("--forgets-keys", action="store_true", help="does not honour idempotency keys")


if __name__ == "__main__":
    run(lambda ledger, options: RestOffice(ledger, options.secret, not options.forgets_keys), _options)
