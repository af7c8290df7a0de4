"""What it costs to take one document in, beside the same work written by hand on the C libraries.

Floor per document: parse, C14N, SHA-256, RSA verify, XSD validation, RSA sign of a receipt, one durable commit of the
octets. Ours: `flow.accept`, envelope to UPO durable. CPU time of this process (PostgreSQL has its own), the two taken
in turns, median of the rounds.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from gateway import flow
from gateway.app import make_tools
from gateway.config import load
from gateway.receipts.seal import SealKey
from gateway.simulate import documents
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.documents import File
from gateway.simulate.pki import UPO_PASSWORD, Pki, shared
from gateway.store.database import Store
from gateway.store.embedded import embedded
from gateway.store.schema import migrate
from gateway.tools import Tools
from schemas.submission import Channel, Envelope, SenderBlock
from schemas.xmldoc import XADES, qname

TERYT, MAILBOX = "2009032", "/gmkrasnopol/SkrytkaESP"
SIZES = {"6 KB": (0, 40, 2.5), "5 MB": (5 * 1024 * 1024, 3, 1.5)}  # attachment bytes, documents a round, budget

GATEWAY = """\
trust = "pki/trust.toml"
[receipt]
key = "pki/upo-seal.p12"
password = "file:password"
"""
TENANT = f"""\
teryt = "{TERYT}"
name = "Gmina Krasnopol"
mailboxes = ["{MAILBOX}"]
"""


def measure(rounds: int = 5, most: int = 40) -> list[dict[str, Any]]:
    """One figure for each size: CPU milliseconds a document, ours and floor, their ratio and the budget.

    Args: most: documents a round, whatever the size.
    """
    with tempfile.TemporaryDirectory(prefix="brama-b-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded(folder / "pg") as address:
            store = Store(address)
            try:
                migrate(store.engine)
                tools = made_tools(folder, store)
                return [_figure(size, tools, store, rounds, most) for size in SIZES]
            finally:
                store.close()


def _figure(size: str, tools: Tools, store: Store, rounds: int, most: int) -> dict[str, Any]:
    attachment, count, budget = SIZES[size]
    count = min(count, most)
    ours, floor = [], []
    with psycopg.connect(store.dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, document bytea, receipt bytea)")
        connection.commit()
        by_hand = _ByHand(connection, shared())
        for number in range(rounds + 1):  # the first round warms up
            batch = [_document(number * count + index, attachment) for index in range(count)]
            spent = (_cpu(lambda: _accept(batch, tools)), _cpu(lambda: by_hand.all(batch)))  # noqa: B023 - called at once
            if number:
                ours.append(spent[0] / count)
                floor.append(spent[1] / count)
    value, low = statistics.median(ours), statistics.median(floor)
    return {
        "name": f"intake {size}",
        "unit": "ms CPU",
        "value": round(value * 1000, 3),
        "floor": round(low * 1000, 3),
        "ratio": round(value / low, 2),
        "budget": budget,
        "within_budget": value / low <= budget,
    }


def _accept(batch: list[bytes], tools: Tools) -> None:
    for document in batch:
        answer = flow.accept(_envelope(document), tools)
        if answer.code != 1 or answer.receipt is None:
            raise RuntimeError(answer.text)


class _ByHand:
    """The floor: the same work, no checks, no verdicts, no history."""

    def __init__(self, connection: psycopg.Connection[Any], pki: Pki) -> None:
        self._connection = connection
        self._seal = SealKey.of(pki.upo_seal.key, pki.upo_seal.certificate)
        self._schema = _schema()
        self._certificate: x509.Certificate = pki.trusted_profile.certificate

    def all(self, batch: list[bytes]) -> None:
        """Each document once."""
        for document in batch:
            self._one(document)

    def _one(self, document: bytes) -> None:
        root = etree.fromstring(document, etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True))
        self._schema.validate(root)
        signature = root[-1]
        for part in (signature[0], next(signature.iter(qname(XADES, "SignedProperties")))):
            etree.tostring(part, method="c14n", exclusive=True)
        key: Any = self._certificate.public_key()
        value = bytes(self._seal.key.key_size // 8)
        with suppress(InvalidSignature):  # the arithmetic is what costs, not its answer
            key.verify(value, etree.tostring(signature[0], method="c14n", exclusive=True), padding.PKCS1v15(), _SHA)
        root.remove(signature)
        hashlib.sha256(etree.tostring(root.getroottree(), method="c14n")).digest()
        digest = hashlib.sha256(document).digest()
        receipt = self._seal.key.sign(digest, padding.PKCS1v15(), _SHA)
        self._connection.execute("INSERT INTO floor (document, receipt) VALUES (%b, %b)", (document, receipt))
        self._connection.commit()


_SHA = hashes.SHA256()


def _schema() -> etree.XMLSchema:
    """The same compiled schema `validate` uses."""
    from gateway.forms import Forms

    with Forms.load().schema(documents.PROPERTY_RETURN) as schema:
        assert schema is not None
        return schema


def _document(number: int, attachment: int) -> bytes:
    """A return with nothing to find fault with, whatever today is: an annual one would be late for most of the year."""
    files = [File("skan.pdf", os.urandom(attachment * 3 // 4))] if attachment else []
    form = documents.property_return(TERYT, seed=number + 1, from_month="03", files=files)
    return sign_trusted_profile(form, person(number + 1), shared())


def _envelope(document: bytes) -> Envelope:
    return Envelope(
        channel=Channel.PUSH, mailbox=MAILBOX, document=document, raw=document, file_name="dn1.xml",
        sender=SenderBlock(identifier="testowykonto"),
    )  # fmt: skip


def made_tools(folder: Path, store: Store) -> Tools:
    """A gateway with one gmina, configured in `folder`."""
    shared().save(folder / "pki")
    (folder / "password").write_text(UPO_PASSWORD, "utf-8")
    (folder / "gateway.toml").write_text(GATEWAY, "utf-8")
    (folder / "tenants").mkdir()
    (folder / "tenants" / f"{TERYT}.toml").write_text(TENANT, "utf-8")
    return make_tools(load(folder), store)


def _cpu(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
