"""Loopback ports for servers that are told theirs, or that go away and come back on it."""

from __future__ import annotations

import socket


def held_port() -> int:
    """A port of 127.0.0.1 that the kernel gives to nobody else before this process ends.

    It stays bound here without listening: whoever calls it is refused, and a server that is told it may listen there
    (with SO_REUSEADDR, which servers set), go away, and listen again. A port only looked up and let go may be anybody's
    by the time its server has started.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    holder.detach()  # the descriptor stays open
    return port
