"""Hosts of their own on one machine: network namespaces joined by cables that can be pulled. Linux, as root.

    hub (this thread and what it starts): 198.18.0.1 has the database, 198.19.0.1 the offices
      │ │                    addresses of RFC 2544, which no real network uses; the hub has no way out of the machine
      │ └─ offices ──┐
      └─── database ─┴─ host 1, host 2, …  one namespace and two cables each
A pulled cable is silent, as a real one: nobody is told, packets go nowhere. Namespaces have no names and live only as
long as a process in them, so nothing is left behind however we end.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATABASE_ADDRESS, OFFICE_ADDRESS = "198.18.0.1", "198.19.0.1"
NETWORKS = ("198.18.0.0/15",)  # both of them
LINKS = {"database": 18, "offices": 19}  # name of the cable → second number of its addresses
_OURS = Path("/proc/thread-self/ns/net")
_NOBODY = "02:00:00:00:00:01"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET; os.unshare came with Python 3.12


def possible() -> bool:
    """May we make namespaces here, and are the programs there?"""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    if not all(shutil.which(name) for name in ("ip", "unshare", "nsenter", "setpriv")):
        return False
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "type", "veth"], capture_output=True, check=False)  # noqa: S607
    return tried.returncode == 0


@contextmanager
def hub() -> Iterator[None]:
    """A network of its own for this thread and for what it starts meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    with _OURS.open() as before:
        if libc.unshare(_NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            run("ip", "link", "set", "lo", "up")
            for address in (DATABASE_ADDRESS, OFFICE_ADDRESS):
                run("ip", "address", "add", f"{address}/32", "dev", "lo")
            yield
        finally:
            if libc.setns(before.fileno(), _NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")


class NetworkHost:
    """One namespace with a cable to the database and one to the offices; made inside `hub`."""

    def __init__(self, number: int) -> None:
        """`number`: from 1."""
        self._number = number
        self._holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])  # noqa: S607
        self.enter = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--")
        self._await_own_network()
        self._inside("ip", "link", "set", "lo", "up")
        for name, address in zip(LINKS, (DATABASE_ADDRESS, OFFICE_ADDRESS), strict=True):
            self._join(name, address)

    def pull(self, link: str) -> None:
        """Nothing passes on this cable any more: both ends address their frames to nobody.

        Taking an end down would tell its kernel at once; this is silence, as from a switch that lost its power.
        """
        near, far = self._addresses(link)
        nobody = ("lladdr", _NOBODY, "nud", "permanent")
        run("ip", "neighbour", "replace", far, "dev", self._end(link), *nobody)
        self._inside("ip", "neighbour", "replace", near, "dev", link, *nobody)

    def plug(self, link: str) -> None:
        """It does again; harmless when it did all the time."""
        near, far = self._addresses(link)
        run("ip", "neighbour", "flush", "to", far, "dev", self._end(link), "nud", "all")
        self._inside("ip", "neighbour", "flush", "to", near, "dev", link, "nud", "all")

    def close(self) -> None:
        """The namespace goes with its last process."""
        self._holder.kill()
        self._holder.wait(10)

    def _join(self, name: str, address: str) -> None:
        near, far = self._addresses(name)
        run("ip", "link", "add", self._end(name), "type", "veth", "peer", "name", name, "netns", str(self._holder.pid))
        run("ip", "address", "add", f"{near}/30", "dev", self._end(name))
        run("ip", "link", "set", self._end(name), "up")
        self._inside("ip", "address", "add", f"{far}/30", "dev", name)
        self._inside("ip", "link", "set", name, "up")
        self._inside("ip", "route", "add", f"{address}/32", "via", near)

    def _addresses(self, link: str) -> tuple[str, str]:
        """At the hub, at the host."""
        network = f"198.{LINKS[link]}.{self._number}"
        return f"{network}.1", f"{network}.2"

    def _end(self, link: str) -> str:
        return f"{link[:8]}{self._number}"

    def _inside(self, *command: str) -> None:
        run(*self.enter, *command)

    def _await_own_network(self) -> None:
        end = time.monotonic() + 10
        while Path(f"/proc/{self._holder.pid}/ns/net").readlink() == _OURS.readlink():
            if time.monotonic() > end or self._holder.poll() is not None:
                raise RuntimeError("the namespace was not made")
            time.sleep(0.01)


def run(*command: str) -> None:
    """Run it; raises RuntimeError with what it said."""
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed programs, our arguments
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode('utf-8', 'replace').strip()}")
