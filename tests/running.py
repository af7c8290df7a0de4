"""A real server for a real application: uvicorn in a thread of this process, on a free loopback port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from gateway.web.server import KEEP_ALIVE_S
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serve `app` for the length of the block; yields its base URL, for example http://127.0.0.1:40123."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE_S)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=PATIENCE_S)
        listener.close()
