"""Reading a document reaches for nothing: every socket is blocked, and none is attempted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.receipt import SealKey, UppFacts, issue_upp
from gateway.simulate import citizens, documents, pki
from schemas.receipt import ReceiptParty
from tests import attacks, corpus, offline


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """Where every attack points to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The reader in a fresh process."""
    command = [sys.executable, "-m", "tests.offline", str(folder / "read"), *options]
    (folder / "tmp").mkdir()
    return subprocess.run(
        command, cwd=offline.PROJECT, env={**os.environ, "TMPDIR": str(folder / "tmp")},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def everything(url: str) -> Iterator[bytes]:
    """All attacks, all valid shapes of signatures, honest submissions and a receipt."""
    yield from (attack.document() for attack in attacks.attacks(url))
    yield from (document for _, document in corpus.signed())
    own, person, moment = pki.shared(), citizens.person(1), datetime.now(UTC)
    for form in (documents.general_letter(), documents.property_return(), documents.unknown_form()):
        yield form
        yield citizens.sign_trusted_profile(form, person, own)
        yield citizens.sign_qualified(form, person, own, identity=own.qualified)
    party = ReceiptParty("Gmina", "9999011", "TERYT")
    key = SealKey.of(own.upo_seal.key, own.upo_seal.certificate)
    yield issue_upp(UppFacts("UPP-1", party, party, "DOK-1", "1", f"{url}.xml", moment), b"x", key, moment).xml


def test_no_document_makes_the_gateway_reach_for_a_socket_or_a_foreign_file(tmp_path, listener):
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    (tmp_path / "read").mkdir()
    count = 0
    for count, document in enumerate(everything(url), 1):
        (tmp_path / "read" / f"{count:04}.xml").write_bytes(document)
    finished = run(tmp_path)
    assert (finished.returncode, finished.stdout.split("\n")[:-1]) == (0, [f"read {count}"]), finished.stderr[-2000:]
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_socket_would_have_ended_the_process(tmp_path):
    assert run(tmp_path, "--probe").returncode == -signal.SIGSYS
