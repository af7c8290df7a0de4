"""Real MariaDB and Firebird servers for tests: own data, own port, an unprivileged user, gone with the test run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.simulate.ports import held_port
from tests.require import missing, program
from tests.waiting import PATIENCE_S

FIREBIRD_HOME = Path("/usr/lib/x86_64-linux-gnu/firebird/3.0")
PASSWORD = "tajne-w-testach"


@dataclass
class Server:
    """A database server that can be stopped and started again on its port."""

    url: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    identity: dict[str, Any]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                dying_with_us(self.command),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.identity,
            )
        answers(self.url, self.process, self.log)

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None


@contextmanager
def mariadb() -> Iterator[Server]:
    """A MariaDB with an empty database `urzad`; needs Debian's mariadb-server."""
    install, server = program("mariadb-install-db"), program("mariadbd")
    with folder() as home:
        identity, port = unprivileged("mysql", home), held_port()
        data = home / "data"
        subprocess.run(
            [
                install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                "--skip-test-db", "--skip-name-resolve",
            ],
            check=True, capture_output=True, **identity,
        )  # fmt: skip
        command = [
            server, "--no-defaults", f"--datadir={data}", f"--socket={home}/s.sock", f"--port={port}",
            "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2",
        ]  # fmt: skip
        root = f"mysql+pymysql://root@127.0.0.1:{port}/mysql"
        with ready(Server(root, command, dict(os.environ), home / "log", identity)) as running:
            execute(root, "CREATE DATABASE urzad CHARACTER SET utf8mb4 COLLATE utf8mb4_polish_ci")
            running.url = root.removesuffix("mysql") + "urzad"
            yield running


@contextmanager
def firebird() -> Iterator[Server]:
    """A Firebird 3 with a WIN1250 database; needs Debian's firebird3.0-server and firebird3.0-utils."""
    server, shell = program("/usr/sbin/firebird"), program("isql-fb")
    if not FIREBIRD_HOME.is_dir():
        missing(f"no Firebird 3.0 in {FIREBIRD_HOME}")
    with folder() as home:
        port = held_port()
        firebird_home(home, port)
        identity = unprivileged("firebird", home)
        environment = {**os.environ, "FIREBIRD": str(home), "FIREBIRD_LOCK": str(home), "FIREBIRD_TMP": str(home)}
        script = (
            f"CREATE DATABASE '{home}/security3.fdb';\nCREATE USER SYSDBA PASSWORD '{PASSWORD}';\nCOMMIT;\n"
            f"CREATE DATABASE '{home}/urzad.fdb' DEFAULT CHARACTER SET WIN1250;\nCOMMIT;\n"
        )
        subprocess.run([shell, "-user", "SYSDBA"], input=script.encode(), env=environment, check=True,
                       capture_output=True, **identity)  # fmt: skip
        url = f"firebird+firebird://SYSDBA:{PASSWORD}@127.0.0.1:{port}/{home}/urzad.fdb?charset=WIN1250"
        with ready(Server(url, [server, "-p", str(port)], environment, home / "log", identity)) as running:
            yield running


def firebird_home(home: Path, port: int) -> None:
    """A root folder of its own: configuration, character sets, plug-ins."""
    (home / "firebird.conf").write_text(
        f"SecurityDatabase = {home}/security3.fdb\nRemoteServicePort = {port}\nRemoteBindAddress = 127.0.0.1\n"
        "AuthServer = Srp\nAuthClient = Srp\nUserManager = Srp\n"
    )
    (home / "databases.conf").touch()
    shutil.copytree(FIREBIRD_HOME / "intl", home / "intl")
    shutil.copy(FIREBIRD_HOME / "plugins.conf", home / "plugins.conf")
    for name in ("plugins", "firebird.msg"):
        (home / name).symlink_to(FIREBIRD_HOME / name)


@contextmanager
def ready(server: Server) -> Iterator[Server]:
    """Started, and stopped at the end."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder other users can reach, unlike pytest's own."""
    home = Path(tempfile.mkdtemp(prefix="brama-db-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def unprivileged(user: str, home: Path) -> dict[str, Any]:
    """As root: run as the package's own user, and give it the folder. Otherwise: as we are."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam(user)
    for path in (home, *home.rglob("*")):
        os.chown(path, found.pw_uid, found.pw_gid, follow_symlinks=False)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def dying_with_us(command: list[str]) -> list[str]:
    """The command, killed by the kernel when the test run itself is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command


def answers(url: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float = PATIENCE_S) -> None:
    """Wait until a connection succeeds."""
    end = time.monotonic() + timeout_s
    while True:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        try:
            with engine.connect():
                return
        except sa.exc.DBAPIError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"did not start: {log.read_text('utf-8', 'replace')[-2000:]}") from None
            time.sleep(0.1)


def postgresql(address: str, name: str) -> str:
    """A new database on the PostgreSQL of this test run; its address for SQLAlchemy."""
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return url.set(database=name).render_as_string(hide_password=False)


def execute(url: str, *statements: str) -> None:
    """Run statements, each committed."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for statement in statements:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)


ENGINES: dict[str, Callable[[], Any]] = {"mariadb": mariadb, "firebird": firebird}
