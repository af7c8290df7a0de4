"""What keeps answers and messages moving: due ones woken, messages of vanished workers recovered, receipts bound."""

from __future__ import annotations

from gateway.outbox.receipts import rematch
from gateway.outbox.send import recover
from gateway.store import answers, outbox
from gateway.tools import Tools


def tick(tools: Tools) -> int:
    """Every second or so; any number of workers at once. Returns how much there was."""
    if tools.mail is None:
        return 0
    with tools.store.begin() as transaction:
        again_after_s = max(tools.config.gateway.worker.sweep_s, 15.0)
        woken = [*answers.promote(transaction, again_after_s), *outbox.promote(transaction, again_after_s)]
    with tools.store.begin() as transaction:
        lost = outbox.expired(transaction)
        for row in lost:
            recover(transaction, row, tools)
    return len(woken) + len(lost) + rematch(tools)
