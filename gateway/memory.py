"""Keep the process's memory constant while big documents come and go.

glibc's allocator learns from big blocks that were freed, then keeps further ones in its heaps, one per thread, where
they leave holes: after a few large requests a process holds many times what it needs. Fixed settings prevent that.
"""

from __future__ import annotations

import ctypes
import os

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # names of mallopt(3)
THRESHOLD_BYTES = 512 * 1024  # blocks from this size on are given back to the system at once
ARENAS = 2


def settle() -> None:
    """Apply to this process and, through the environment, to those it starts. Elsewhere than on glibc: nothing."""
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(THRESHOLD_BYTES))
    os.environ.setdefault("MALLOC_ARENA_MAX", str(ARENAS))
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no glibc
        return
    mallopt(_MMAP_THRESHOLD, THRESHOLD_BYTES)
    mallopt(_ARENA_MAX, ARENAS)
