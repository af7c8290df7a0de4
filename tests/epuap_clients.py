"""Our clients of a simulated ePUAP, as tests hold them: one gmina, one mailbox, one citizen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.http import Http, HttpOptions
from gateway.signatures.messages import MessageTrust
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.documents import general_letter
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import shared
from gateway.transport.client import Endpoint
from gateway.transport.filerepo import FileRepository
from gateway.transport.pull import PullBox
from gateway.transport.send import Outgoing, Portal, Sender
from gateway.transport.wsse import MessageKey, MessageSigner
from schemas.ids import Mailbox

BOX = Mailbox("/gmkrasnopol/SkrytkaESP")


CITIZEN = Mailbox("/testowykonto/domyslna")


SUBJECT = "gmkrasnopol"


LETTER = sign_trusted_profile(general_letter(), person(7), shared())


def signer(lifetime: timedelta | None = None) -> MessageSigner:
    seal = shared().upo_seal
    assert isinstance(seal.key, rsa.RSAPrivateKey)
    return MessageSigner(MessageKey(seal.key, seal.certificate), lifetime=lifetime)


class Epuap:
    """The simulated ePUAP, and our clients of it."""

    def __init__(self, office: Office, **endpoint: Any) -> None:
        self.office = office
        certificate = x509.load_pem_x509_certificate((office.state / "ws-sign.pem").read_bytes())
        self._given = {
            "http": Http(HttpOptions(timeout_s=endpoint.pop("timeout_s", 30.0))),
            "signer": signer(),
            "check": MessageTrust((certificate,)).check,
            **endpoint,
        }

    def endpoint(self, path: str) -> Endpoint:
        return Endpoint(address=f"{self.office.url}{path}", **self._given)

    @property
    def pull(self) -> PullBox:
        return self.box(BOX)

    def box(self, mailbox: str) -> PullBox:
        return PullBox(self.endpoint("/pk_external_ws/services/pull"), SUBJECT, Mailbox(mailbox))

    @property
    def sender(self) -> Sender:
        services = "/pk_external_ws/services/"
        return Sender(self.endpoint(services + "skrytka"), self.endpoint(services + "doreczyciel"), SUBJECT)

    @property
    def files(self) -> FileRepository:
        return self.repository()

    def repository(self, **more: Any) -> FileRepository:
        endpoint = self.endpoint("/repo-ws-ext/FileRepoService")
        return FileRepository(endpoint, SUBJECT, endpoint.check, **more)

    @property
    def portal(self) -> Portal:
        return Portal(self.endpoint("/fe_external_ws/services/ZarzadzanieDokumentami"), SUBJECT)

    def citizen_sends(self, document: bytes = LETTER, **more: Any) -> None:
        order = {"mailbox": str(BOX), "document": base64.b64encode(document).decode(), "file_name": "pismo.xml", **more}
        requests.post(self.office.url + "/simulated/box", json=order, timeout=60).raise_for_status()


@contextmanager
def epuap(state: Path, *arguments: str, **endpoint: Any) -> Iterator[Epuap]:
    with Office("epuap", state, *arguments) as office:
        yield Epuap(office, **endpoint)


def outgoing(document: bytes = LETTER, **more: Any) -> Outgoing:
    return Outgoing(CITIZEN, BOX, document, "odpowiedź.xml", **more)
