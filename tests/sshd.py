"""A real OpenSSH server on loopback that offers SFTP only, to one generated key."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.simulate.ports import held_port
from tests.databases import dying_with_us
from tests.require import program
from tests.waiting import PATIENCE_S, wait_until

SERVER = "/usr/sbin/sshd"


@dataclass
class Sshd:
    """The server: where it is, whom it lets in, its key."""

    home: Path
    port: int
    user: str
    private_key: Path
    host_key: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait for its banner."""
        command = [SERVER, "-D", "-e", "-f", str(self.home / "sshd_config")]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(dying_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers)

    def stop(self) -> None:
        """End it and its sessions."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            return False


def prepare(home: Path) -> Sshd:
    """Keys and configuration; needs Debian's openssh-server."""
    program(SERVER)
    keygen = program("ssh-keygen")
    for name in ("host", "client"):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    port = held_port()
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {home}/client.pub\nPasswordAuthentication no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation wants it
    return Sshd(home, port, getpass.getuser(), home / "client", (home / "host.pub").read_text())
