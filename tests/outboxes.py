"""A gateway that answers: a simulated ePUAP, a ledger in memory of PostgreSQL, and shorthands over messages."""

from __future__ import annotations

import base64
import shutil
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import requests
from sqlalchemy import text

from gateway import channels, operations, poll, resources
from gateway.app import make_tools
from gateway.config import load as load_config
from gateway.receipts.digests import canonical_sha256
from gateway.simulate.ledger import Ledger, queries
from gateway.simulate.offices.client import Office
from gateway.store import outbox, submissions
from gateway.store.database import Store
from schemas.ids import sha256
from schemas.outgoing import Message, MessageKind, MessageState
from schemas.submission import Submission
from tests.builders import MAILBOX, TERYT, a_signed_document
from tests.gateways import GATEWAY_TOML, Gateway, write_config

CITIZEN_BOX = "/testowykonto/domyslna"
LEDGER = """
[connector.{name}]
kind = "sql"
url = "file:ledger-url"
table = "przekazania"
repeat = "safe"
[connector.{name}.queries]
dues = '''
{select}
'''
"""
ANSWERS = """
[answers]
services = ["settlement_query", "arrears_certificate_application"]
office = "urzad/office.toml"
ledgers = ["tax", "waste"]
kind = "{kind}"
approve_all = {approve_all}
"""
EPUAP_TOML = """
[epuap]
pull_url = "{url}/pk_external_ws/services/pull"
skrytka_url = "{url}/pk_external_ws/services/skrytka"
doreczyciel_url = "{url}/pk_external_ws/services/doreczyciel"
stores_url = "{url}/fe_external_ws/services/ZarzadzanieDokumentami"
key = "pki/upo-seal.p12"
password = "env:BRAMA_TEST_SEAL_PASSWORD"
answer_certificates = ["{state}/ws-sign.pem"]
sent_store = "{sent_store}"
sent_settle_s = {settle_s}
timeout_s = 30.0
"""


def configure(
    folder: Path, office: Office, *, database_url: str = "", sent_store: str = "complete", settle_s: float = 0.05,
    lease_s: float = 30.0, more: str = "", tenant: str = "",
) -> Path:  # fmt: skip
    """A configuration folder that sends through the simulated ePUAP and believes its seal."""
    first = f'database_url = "{database_url}"\n' if database_url else ""
    usual = GATEWAY_TOML.replace("lease_s = 30.0", f"lease_s = {lease_s}")
    epuap = EPUAP_TOML.format(url=office.url, state=office.state, sent_store=sent_store, settle_s=settle_s)
    write_config(folder, gateway=first + usual + epuap, more=more)
    trust = folder / "pki" / "trust.toml"
    seal = office.state / "upp-seal.pem"
    trust.write_text(f'{trust.read_text("utf-8")}\n[[seal]]\ncertificate = "{seal}"\n', "utf-8")
    file = folder / "tenants" / f"{TERYT}.toml"
    file.write_text(f'pull = ["{MAILBOX}"]\n{file.read_text("utf-8")}\n{tenant}', "utf-8")
    return folder


def answering(store: Store, folder: Path) -> Correspondent:
    """A gateway on a configuration made by `configure`."""
    return Correspondent(make_tools(load_config(folder), store))


def a_letter_writer(store: Store, office: Office, folder: Path, tenant: str = "", **more: Any) -> Correspondent:
    """A gateway that asks no ledger and writes letters; `tenant`: further lines of the gmina's file."""
    _card(folder)
    url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    configure(folder, office, database_url=url, tenant=f'[answers]\noffice = "urzad/office.toml"\n{tenant}', **more)
    return answering(store, folder)


def a_town(
    store: Store, office: Office, ledger: Ledger, folder: Path, kind: str = "nadaj", *, approve_all: bool = False
) -> Correspondent:
    """A gateway that answers citizens from two ledgers, which live in one table."""
    _card(folder)
    (folder / "ledger-url").write_text(ledger.url, "utf-8")
    connectors = "".join(LEDGER.format(name=name, select=queries(name)["dues"]) for name in ("tax", "waste"))
    own = ANSWERS.format(kind=kind, approve_all=str(approve_all).lower())
    return answering(store, configure(folder, office, more=connectors, tenant=own))


def _card(folder: Path) -> None:
    """The office's, with nothing of its own."""
    (folder / "urzad").mkdir()
    shutil.copy(resources.folder("templates") / "answers" / "office.example.toml", folder / "urzad" / "office.toml")


@dataclass(frozen=True)
class SetClock:
    """Always the same moment."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass
class Correspondent(Gateway):
    """A gateway whose messages can be looked at."""

    def put(self, kind: str = "nadaj", *, document: bytes | None = None, cid: str | None = None) -> Message:
        """A signed document into the outbox, answering a letter received just now."""
        submission = self.receive(a_signed_document("letter"))
        new = uuid4()
        octets = document or a_signed_document("letter")
        message = Message(
            id=new, submission_id=submission.id, tenant=TERYT, kind=MessageKind(kind), to=CITIZEN_BOX,
            reply_to=MAILBOX, file_name=f"BRAMA-{new}.xml", document_id=str(new), case_id=str(submission.id),
            cid=cid, sha256=sha256(octets), state=MessageState.DUE, attempts=0, created_at=submission.received_at,
            document=octets,
        )  # fmt: skip
        with self.tools.store.begin() as transaction:
            assert outbox.put(transaction, message, None, canonical_sha256(octets))
        return message

    def message(self, message_id: UUID) -> Message:
        """As it stands now."""
        with self.tools.store.begin() as transaction:
            found = outbox.load(transaction, message_id)
        assert found is not None
        return found

    def submission_of(self, message: Message) -> Submission:
        """What a message answers."""
        with self.tools.store.begin() as transaction:
            found = submissions.load(transaction, message.submission_id)
        assert found is not None
        return found

    def tries(self, message_id: UUID) -> list[str | None]:
        """How each try at it ended."""
        with self.tools.store.begin() as transaction:
            return [one["outcome"] for one in outbox.attempts_of(transaction, message_id)]

    def receipts(self, message_id: UUID) -> list[dict[str, Any]]:
        """Its receipts, oldest first."""
        with self.tools.store.begin() as transaction:
            return outbox.receipts_of(transaction, [message_id])

    def messages(self, submission: Submission) -> list[Message]:
        """What answers a submission."""
        with self.tools.store.begin() as transaction:
            return outbox.of_submission(transaction, submission.id)

    def with_clock(self, at: datetime) -> Correspondent:
        """The same gateway at another moment."""
        return Correspondent(replace(self.tools, clock=SetClock(at)))

    def close_offices(self, *names: str) -> None:
        """Give the ledgers' connections back."""
        for name in names:
            cast(Any, self.tools.offices.get(TERYT, name).connector).close()

    def forget_deliveries(self) -> None:
        """Nothing but messages is left to do."""
        with self.tools.store.begin() as transaction:
            transaction.execute(text("DELETE FROM procrastinate_jobs WHERE task_name <> 'send'"))
            transaction.execute(text("UPDATE submission SET state = 'closed'"))
            transaction.execute(text("UPDATE delivery SET state = 'set_aside', due_at = NULL"))

    def later(self) -> None:
        """Everything that waits for a time is due now, every lease is over, and lost wake-ups are known to be lost."""
        with self.tools.store.begin() as transaction:
            transaction.execute(text("UPDATE message SET woken_at = NULL"))
            for column in ("due_at", "lease_until"):
                transaction.execute(text(f"UPDATE message SET {column} = now() WHERE {column} IS NOT NULL"))


def place_receipt(office: Office, number: int, kind: str) -> None:
    """ePUAP puts a receipt for what was sent into the sender's box."""
    order = {"number": number, "kind": kind}
    requests.post(f"{office.url}/simulated/receipt", json=order, timeout=60).raise_for_status()


def polled(
    gateway: Correspondent, office: Office, document: bytes | None = None, file_name: str = "pismo.xml", **order: Any
) -> Submission:
    """What a citizen sent, a letter by default: pulled and decided."""
    octets = a_signed_document("letter") if document is None else document
    sent = {"mailbox": MAILBOX, "document": base64.b64encode(octets).decode(), "file_name": file_name, **order}
    requests.post(f"{office.url}/simulated/box", json=sent, timeout=60).raise_for_status()
    (box,) = channels.pull_boxes(gateway.tools.config)
    assert poll.drain(box, gateway.tools, threading.Event()) == 1
    with gateway.tools.store.begin() as transaction:
        found = transaction.execute(text("SELECT id FROM submission ORDER BY sequence DESC LIMIT 1")).scalar_one()
    return operations.submission(gateway.tools.store, found).submission
