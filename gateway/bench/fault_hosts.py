"""Where the workers of a fault run stand: on this host, or on hosts of their own that can be cut off from the database.

one host       a Unix socket to the embedded PostgreSQL; nothing to cut
namespaces     PostgreSQL on TCP, each host in a network namespace (fault_network); the cable to the database can be
               pulled, or both cables
proxies        where namespaces cannot be made: each host reaches the database through a line of its own that can
               fall silent; the offices stay in reach
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import make_url

from gateway.bench import fault_network
from gateway.bench.fault_database import TcpServer
from gateway.bench.fault_site import Site
from gateway.simulate.offices.client import Office
from gateway.store.embedded import EmbeddedServer

Separation = Literal["namespaces", "proxies"]


class Server(Protocol):
    """A PostgreSQL that can be killed."""

    def start(self) -> str:
        """Start it; its address."""
        ...

    def stop(self) -> None:
        """End it in good order."""
        ...

    def crash(self) -> None:
        """End it without a goodbye."""
        ...


@dataclass
class Host:
    """A machine for workers. `cuts`: how it can be cut off, name → act; `heal` undoes whichever was done."""

    name: str
    config: Path
    enter: tuple[str, ...] = ()
    cuts: dict[str, Callable[[], None]] = field(default_factory=dict)
    heal: Callable[[], None] = lambda: None
    workers: list[Worker] = field(default_factory=list)

    def names(self) -> frozenset[str]:
        """Every worker that ever ran here, as attempts call it."""
        return frozenset(name for worker in self.workers for name in worker.names)


class Worker:
    """`brama work` as a process of its own, started again whenever it ended, as a supervisor does."""

    def __init__(self, host: Host, number: int) -> None:
        self._host = host
        self._log = host.config / f"work-{number}.log"
        self._read_from = 0
        self._cpu_at_first: float | None = None
        self.names: list[str] = []
        self._process = self._start()

    @property
    def working(self) -> bool:
        """Has it come so far as to take work? A worker killed sooner than that has nothing to lose."""
        with self._log.open("rb") as log:
            log.seek(self._read_from)
            return b'"worker_started"' in log.read()

    def worked_s(self) -> float:
        """Processor time since it began to take work; 0 before that."""
        if self._process.poll() is not None or not self.working:
            return 0.0
        spent = _processor_s(self._process.pid)
        if self._cpu_at_first is None:
            self._cpu_at_first = spent
        return spent - self._cpu_at_first

    def supervise(self) -> None:
        """Whoever ended, for whatever reason, is started again."""
        if self._process.poll() is not None:
            self._process = self._start()

    def kill(self) -> None:
        """SIGKILL, now."""
        self._process.kill()
        self._process.wait(20)

    def stop(self, within_s: float = 20.0) -> None:
        """Ask it to end, then insist."""
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._log.touch()
        self._cpu_at_first = None
        self._read_from = self._log.stat().st_size
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [*_dying_with_us(), *self._host.enter, sys.executable, "-m", "gateway", "work", "--config",
                 str(self._host.config)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        self.names.append(f"{os.uname().nodename}:{process.pid}")
        return process


@dataclass
class Place:
    """A database, the address at which offices listen, and hosts, once the site is built."""

    server: Server
    office_address: str
    staging_address: Callable[[str], str]
    hosts: Callable[[Site, str], list[Host]]


def place(folder: Path, hosts: int, separated_by: Separation | None, stack: ExitStack) -> Place:
    """Prepare it; what was made ends with the stack."""
    match separated_by:
        case None:
            return Place(EmbeddedServer(folder), "127.0.0.1", lambda url: url, lambda site, _: [_here(site)])
        case "namespaces":
            stack.enter_context(fault_network.hub())
            return _namespaces(folder, hosts, stack)
        case "proxies":
            make = EmbeddedServer(folder)
            return Place(
                make, "127.0.0.1", lambda url: url, lambda site, url: _proxied(folder, hosts, site, url, stack)
            )


def _here(site: Site) -> Host:
    return Host("1", site.config.folder)


def _namespaces(folder: Path, count: int, stack: ExitStack) -> Place:
    addresses = (fault_network.DATABASE_ADDRESS, fault_network.OFFICE_ADDRESS)
    server = TcpServer(folder, addresses, fault_network.NETWORKS)

    def hosts(site: Site, url: str) -> list[Host]:
        return [_namespace(number, site, url, stack) for number in range(1, count + 1)]

    return Place(server, fault_network.OFFICE_ADDRESS, lambda _: server.address(addresses[1]), hosts)


def _namespace(number: int, site: Site, url: str, stack: ExitStack) -> Host:
    network = fault_network.NetworkHost(number)
    stack.callback(network.close)

    def pull(*links: str) -> None:
        for link in links:
            network.pull(link)

    def heal() -> None:
        for link in fault_network.LINKS:
            network.plug(link)

    cuts: dict[str, Callable[[], None]] = {
        "database": lambda: pull("database"),
        "everything": lambda: pull(*fault_network.LINKS),
    }
    return Host(str(number), site.config_for(str(number), url), network.enter, cuts, heal)


def _proxied(folder: Path, count: int, site: Site, url: str, stack: ExitStack) -> list[Host]:
    """`url`: of the embedded server; its socket lies in the folder named as host."""
    socket = f"{make_url(url).query['host']}/.s.PGSQL.5432"
    hosts = []
    for name in map(str, range(1, count + 1)):
        line = stack.enter_context(Office("wire", folder / f"line-{name}", "--to", socket))
        through = make_url(url).set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)
        cuts = {"database": _order(line, "silent")}
        hosts.append(Host(name, site.config_for(name, through), (), cuts, _order(line, "up")))
    return hosts


def _order(line: Office, mode: str) -> Callable[[], None]:
    return lambda: line.tell(mode)


def _processor_s(pid: int) -> float:
    """User and system time of a process; where there is no /proc, time as such."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return time.monotonic()
    fields = stat.read_text("ascii", "replace").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _dying_with_us() -> tuple[str, ...]:
    """Where the kernel can: a run that is killed leaves no worker behind."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()
