"""A PostgreSQL on TCP with passwords, for hosts that share no socket with it: the embedded program, started by us."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from gateway.store.embedded import DATABASE, START_WITHIN_S, EmbeddedServer

PORT = 54321


class TcpServer:
    """As `EmbeddedServer`, but it listens on these addresses, and callers from `networks` need a password (SCRAM)."""

    def __init__(self, folder: Path, addresses: Sequence[str], networks: Sequence[str]) -> None:
        self._data = folder / "postgres"
        self._log = folder / "postgres.log"
        self._addresses = addresses
        self._password = uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._program = self._prepare(folder, networks)

    def start(self) -> str:
        """Start it and wait until it answers; its address. After a crash it recovers first."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the server that comes with the program
                [shutil.which("setpriv") or "setpriv", "--pdeathsig", "KILL",
                 str(self._program), "-D", str(self._data), "-k", str(self._data), "-h", ",".join(self._addresses),
                 "-p", str(PORT)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, **_unprivileged(),
            )  # fmt: skip
        address = self.address(self._addresses[0])
        self._await(address)
        return address

    def address(self, host: str) -> str:
        """postgresql://… as seen by who reaches it there."""
        return f"postgresql://postgres:{self._password}@{host}:{PORT}/{DATABASE}"

    def stop(self) -> None:
        """End it; open connections are cut off."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it without a goodbye to anybody, as a power cut would."""
        self._end(signal.SIGQUIT)

    def _end(self, word: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(word)
            process.wait(30)

    def _prepare(self, folder: Path, networks: Sequence[str]) -> Path:
        """Make the data, with the embedded start; then the password, and who needs it."""
        first = EmbeddedServer(folder)
        url = make_url(first.start()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"ALTER ROLE postgres PASSWORD '{self._password}'"))
        program = first.programs / "postgres"
        first.stop()
        with (self._data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.writelines(f"host all all {network} scram-sha-256\n" for network in networks)
        return program

    def _await(self, address: str) -> None:
        end = time.monotonic() + START_WITHIN_S
        engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        while True:
            try:
                with engine.connect():
                    return
            except OperationalError:
                if time.monotonic() > end or self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text('utf-8', 'replace')[-2000:]}") \
                        from None  # fmt: skip
                time.sleep(0.1)


def _unprivileged() -> dict[str, Any]:
    """As root: the user that the embedded start made for the data."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam("pgserver")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
