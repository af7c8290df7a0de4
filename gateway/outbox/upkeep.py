"""What keeps the outbox moving: due messages are woken, those of vanished workers recovered."""

from __future__ import annotations

from gateway.outbox.send import recover
from gateway.store import outbox
from gateway.tools import Tools


def tick(tools: Tools) -> int:
    """Every second or so; any number of workers at once. Returns how much there was."""
    if tools.mail is None:
        return 0
    with tools.store.begin() as transaction:
        woken = outbox.promote(transaction, tools.config.gateway.worker.sweep_s)
    with tools.store.begin() as transaction:
        lost = outbox.expired(transaction)
        for row in lost:
            recover(transaction, row, tools)
    return len(woken) + len(lost)
