"""An independent SOAP stack as a partner: Apache WSS4J and SAAJ on the JDK, as client and as server, in one process."""

from __future__ import annotations

import base64
import functools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests import require
from tests.judges import maven
from tests.waiting import PATIENCE_S

PASSWORD = "partner"  # of keys generated for one run


@dataclass(frozen=True, slots=True)
class Said:
    """What the partner makes of an answer to its call."""

    signer: str  # subject of the certificate that signed the answer's Body; "! …": why it believes none
    code: str  # kod: of the status, or of a Fault
    text: str  # komunikat, or faultstring
    receipt: bytes

    @property
    def error(self) -> str:
        """Our code at the beginning of a Fault's text."""
        return self.text.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Partner:
    """The running process. `how` it signs: see MessageSecurity.java."""

    url: str

    def pushes(self, how: str, to: str, mailbox: str, document: bytes) -> Said:
        """Let it call a push endpoint."""
        order = f"{how} {to} {base64.b64encode(document).decode()} {mailbox}"
        said = requests.post(f"{self.url}/call", order.encode(), timeout=PATIENCE_S)
        assert said.status_code == 200, said.text
        signer, code, words, receipt = said.content.decode().split("\n")
        return Said(signer, code, words, base64.b64decode(receipt))

    def puts(self, document: bytes) -> None:
        """Put a document into the box it plays."""
        requests.post(f"{self.url}/put", document, timeout=PATIENCE_S).raise_for_status()

    def service(self, how: str, name: str) -> str:
        """The address of a service whose answers are signed in this way."""
        return f"{self.url}/{how}/{name}"


@contextmanager
def partner(own: bytes, stranger: bytes, pinned: bytes) -> Iterator[Partner]:
    """Start it.

    Args: own, stranger: PKCS#12 with PASSWORD: its honest key, and one nobody knows. pinned: PEM, whom it believes.
    """
    with tempfile.TemporaryDirectory(prefix="brama-soap-") as name:
        files = []
        for file, content in (("own.p12", own), ("stranger.p12", stranger), ("pinned.pem", pinned)):
            files.append(Path(name, file))
            files[-1].write_bytes(content)
        arguments = [str(files[0]), str(files[1]), PASSWORD, str(files[2])]
        command = [require.program("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", _classes()]
        with subprocess.Popen(
            [*command, "SoapPartner", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield Partner(f"http://127.0.0.1:{int(process.stdout.readline())}")
            finally:
                process.stdin.close()  # its end
                process.wait(PATIENCE_S)


@functools.cache
def _classes() -> str:
    return maven.class_path("wss4j-3.0.4", Path(__file__).parent / "soap")
