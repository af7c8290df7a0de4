"""Named places where the tests kill the process, to show that nothing is lost or doubled there.

`BRAMA_CRASH_AT=name` makes the process send itself SIGKILL at that place; refused in production by `brama check`
and by `brama serve`. Names: after_pull, after_keep, after_confirm, after_receipt; before_send, after_send, after_store
of deliveries and messages, before_claim of messages; for big files before_fetch, in_fetch (amid the transfer),
after_fetch (written down, not read), after_file_kept; for files of our letters after_upload (not written down),
after_upload_kept.
"""

from __future__ import annotations

import os
import signal

NAMES = (
    "after_pull", "after_keep", "after_confirm", "after_receipt", "before_claim", "before_send", "after_send",
    "after_store",
    "before_fetch", "in_fetch", "after_fetch", "after_file_kept",
    "after_upload", "after_upload_kept",
)  # fmt: skip


def crashpoint(name: str) -> None:
    """Die here if asked to; otherwise nothing."""
    if os.environ.get("BRAMA_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
