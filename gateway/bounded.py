"""A call in a process of its own, bounded in processor time, memory and what it may write.

For work on other people's files that may never end: a stylesheet, a schema whose compiling takes forever. The other
process gets the arguments and gives back a value or an error; it shares nothing else, and is killed in the end.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from schemas.errors import BramaError

_START_S = 60.0  # of starting an interpreter on a busy machine
_SLOWER = 3  # how much longer than its processor time a call may take on a busy machine


class OutOfBounds(Exception):
    """The call was ended. `limit`: time or memory, in words."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


class Escaped(Exception):
    """The call raised something that is no error of ours; told as text."""


def call(
    function: Callable[..., Any], *args: Any, timeout_s: float, memory_bytes: int = 512 << 20, file_bytes: int = 0
) -> Any:
    """What `function(*args)` returns; function, arguments and result must be picklable.

    Args:    timeout_s: of processor time; file_bytes: the largest file it may write, 0 forbids writing.
    Raises:  OutOfBounds, Escaped, or the BramaError that the call raised (as BramaError with its code and facts).
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    limits = (timeout_s, memory_bytes, file_bytes)
    worker = context.Process(target=_run, args=(theirs, limits, function, args), daemon=True)
    worker.start()
    theirs.close()
    try:
        if not mine.poll(timeout_s * _SLOWER + _START_S):
            raise OutOfBounds(f"{timeout_s:g} s")
        kind, value = mine.recv()
    except EOFError:  # killed: by the limit of time, or by the system for want of memory
        raise OutOfBounds(f"{timeout_s:g} s, {memory_bytes >> 20} MiB") from None
    finally:
        worker.kill()
        worker.join()
        mine.close()
    if kind == "done":
        return value
    raise value


def _run(answer: Connection, limits: tuple[float, int, int], function: Callable[..., Any], args: Any) -> None:
    """In the other process. Its answer is ("done", value) or ("failed", exception)."""
    timeout_s, memory_bytes, file_bytes = limits
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (int(timeout_s) + 1, int(timeout_s) + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    try:
        value = function(*args)
    except MemoryError:
        answer.send(("failed", OutOfBounds(f"{memory_bytes >> 20} MiB")))
    except BramaError as error:
        answer.send(("failed", error))
    except Exception as error:  # noqa: BLE001 # whatever it is, the other side must hear of it
        answer.send(("failed", Escaped(f"{type(error).__name__}: {error}")))
    else:
        answer.send(("done", value))
