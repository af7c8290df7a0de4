"""The place of the pull run: thirteen gminas, each with a box at a simulated ePUAP; documents; a bare client."""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import requests

from gateway.bench import pull_answers
from gateway.bench.pull_answers import asks
from gateway.config import Config, load
from gateway.simulate import documents
from gateway.simulate import epuap_markup as markup
from gateway.simulate.applications import settlement_query
from gateway.simulate.citizens import person, sign_trusted_profile, tamper
from gateway.simulate.offices.client import Office
from gateway.simulate.people import Person
from gateway.simulate.pki import UPO_PASSWORD, Pki
from gateway.simulate.soap_messages import signed_envelope
from schemas.ids import sha256
from schemas.octets import from_base64

TENANTS = 13
_TWICE = (0, 5)  # of every hundred: a letter, and a question, which must have one answer all the same
Fate = Literal["accepted", "quarantined", "rejected"]

_GATEWAY = """\
environment = "test"
database_url = "{database}"
trust = "pki/trust.toml"
[receipt]
key = "pki/upo-seal.p12"
password = "file:seal-password"
issue = {{ push = "own", pull = "own", import = "epuap", rest = "own" }}
[worker]
concurrency = 4
sweep_s = 2.0
[epuap]
pull_url = "{epuap}/pk_external_ws/services/pull"
key = "pki/upo-seal.p12"
password = "file:seal-password"
answer_certificates = ["{ws_sign}"]
poll_shortest_s = 0.2
poll_longest_s = 1.0
{answers}"""
_TENANT = """\
teryt = "{teryt}"
name = "Gmina Próbna {number}"
mailboxes = ["{box}"]
pull = ["{box}"]
[connector.office]
kind = "folder"
root = "{root}"
[[route]]
form = "*"
connector = "office"
{answers}"""
_CONTENT = re.compile(rb"<zawartosc>([^<]*)</zawartosc>")


@dataclass(frozen=True, slots=True)
class Sent:
    """A document in a box, and what must become of it.

    `twice`: a citizen sent it again. `reply_box`: an answer must come there; empty for what is no question.
    """

    box: str
    octets: bytes = field(repr=False)
    fate: Fate
    twice: bool
    reply_box: str = ""


def box_of(number: int) -> str:
    """The boxes in turn."""
    return f"/gmina{number % TENANTS + 1}/SkrytkaESP"


def fate_of(number: int) -> Fate:
    """Of every fifty, one has a broken signature, and one is of a form nobody knows."""
    fates: dict[int, Fate] = {17: "rejected", 34: "quarantined"}
    return fates.get(number % 50, "accepted")


def signed(count: int, pki: Pki) -> list[Sent]:
    """Distinct documents, each really signed, by all processors of this machine; every fiftieth is sent twice."""
    apart = multiprocessing.get_context("spawn")  # a fork would take along whatever locks other threads hold just then
    with (
        tempfile.TemporaryDirectory() as keys,
        ProcessPoolExecutor(mp_context=apart, initializer=_use, initargs=(pki.save(Path(keys)).parent,)) as pool,
    ):
        octets = list(pool.map(_document, range(count), chunksize=20))
    return [
        Sent(box_of(one), octets[one], fate_of(one), one % 100 in _TWICE, pull_answers.box_of(one) * asks(one))
        for one in range(count)
    ]


def askers(count: int) -> list[Person]:
    """Who asks something among so many."""
    return [person(one + 1) for one in range(count) if asks(one)]


def configure(folder: Path, database: str, epuap: Office, pki: Pki) -> Config:
    """A gateway for the thirteen; each has an office that takes its cases into a folder."""
    pki.save(folder / "pki")
    (folder / "seal-password").write_text(UPO_PASSWORD, "utf-8")
    pull_answers.believe(folder / "pki" / "trust.toml", epuap)
    ws_sign, answers = epuap.state / "ws-sign.pem", pull_answers.GATEWAY.format(epuap=epuap.url)
    written = _GATEWAY.format(database=database, epuap=epuap.url, ws_sign=ws_sign, answers=answers)
    (folder / "gateway.toml").write_text(written, "utf-8")
    (folder / "tenants").mkdir()
    for number in range(TENANTS):
        teryt, root = f"30{number + 1:02}012", office_root(folder, number)
        root.mkdir(parents=True)
        given = {"number": number + 1, "box": box_of(number), "root": root, "answers": pull_answers.tenant()}
        written = _TENANT.format(teryt=teryt, **given)
        (folder / "tenants" / f"{teryt}.toml").write_text(written, "utf-8")
    return load(folder)


def office_root(folder: Path, number: int) -> Path:
    """Where the cases of one gmina arrive."""
    return folder.parent / "offices" / str(number + 1)


def fill(epuap: Office, sent: Sequence[Sent]) -> int:
    """Citizens send; how many documents lie in the boxes then."""
    session = requests.Session()
    everything = [*sent, *(one for one in sent if one.twice)]
    for one in everything:
        order = {"mailbox": one.box, "document": base64.b64encode(one.octets).decode(), "file_name": "pismo.xml"}
        order |= {"reply_mailbox": one.reply_box} if one.reply_box else {}
        session.post(f"{epuap.url}/simulated/box", json=order, timeout=30).raise_for_status()
    return len(everything)


def let_go(epuap: Office) -> Counter[str]:
    """What the simulated ePUAP has let go of because it was confirmed: how often, by SHA-256."""
    placed, gone = {}, Counter[str]()
    with (epuap.state / "effects.jsonl").open(encoding="utf-8") as lines:
        for effect in map(json.loads, lines):
            if effect["what"] == "placed":
                placed[effect["identity"]] = sha256(from_base64(effect["content"]))
            elif effect["what"] == "confirmed":
                gone[placed[effect["identity"]]] += 1
    return gone


def drain_bare(epuap: Office, pki: Pki) -> int:
    """The floor: take and confirm everything, one thread a box, and do nothing with it."""
    with ThreadPoolExecutor(TENANTS) as threads:
        return sum(threads.map(lambda number: _Bare(epuap, pki, box_of(number)).drain(), range(TENANTS)))


class _Bare:
    """A client by hand, on the simulator's own messages; answers are believed."""

    def __init__(self, epuap: Office, pki: Pki, box: str) -> None:
        self._url, self._pki = f"{epuap.url}/pk_external_ws/services/pull", pki
        self._session = requests.Session()
        subject, name = box.strip("/").split("/")
        self._box = f"<podmiot>{subject}</podmiot><nazwaSkrytki>{name}</nazwaSkrytki><adresSkrytki>{box}</adresSkrytki>"
        self._next = self._signed("ZapytaniePullPobierz", "")

    def drain(self) -> int:
        taken = 0
        while found := _CONTENT.search(self._asked(self._next)):
            digest = hashlib.sha1(base64.b64decode(found[1]), usedforsecurity=False).digest()
            said = f"<skrot>{base64.b64encode(digest).decode()}</skrot>"
            self._asked(self._signed("ZapytaniePullPotwierdz", said))
            taken += 1
        return taken

    def _signed(self, element: str, more: str) -> bytes:
        return signed_envelope(markup.obi(element, self._box + more), self._pki.upo_seal)

    def _asked(self, message: bytes) -> bytes:
        answer = self._session.post(self._url, message, headers={"Content-Type": "text/xml; charset=utf-8"}, timeout=30)
        answer.raise_for_status()
        return answer.content


_signing = threading.local()


def _use(keys: Path) -> None:
    _signing.pki = Pki.load(keys)


def _document(number: int) -> bytes:
    who, fate = person(number + 1), fate_of(number)
    if asks(number):
        return sign_trusted_profile(settlement_query(applicant=who), who, _signing.pki)
    write = documents.unknown_form if fate == "quarantined" else documents.general_letter
    whole = sign_trusted_profile(write(seed=number + 1), who, _signing.pki)
    return tamper(whole, "digest") if fate == "rejected" else whole
