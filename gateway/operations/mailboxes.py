"""How polling ePUAP's mailboxes goes, for an operator: which box stands still, since when, in ePUAP's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway.config import Config
from gateway.operations.plain import plain
from gateway.store import polls
from gateway.store.database import Store
from gateway.store.polls import PollRow

NEVER, LATE = "mailbox.never", "mailbox.late"
_PATIENCE = 5  # longest waits that may pass without a look


@dataclass(frozen=True, slots=True)
class MailboxView:
    """One polled mailbox. `failing`: the last look did not end as it should; `late`: nobody looks."""

    mailbox: str
    tenant: str
    state: Literal["fine", "failing", "late", "never"]
    code: str | None  # of the trouble
    text: str | None  # number and words of the other side, as they came
    failures: int  # in a row
    failing_since: datetime | None
    polled_at: datetime | None
    taken_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        result: dict[str, Any] = plain(self)
        return result


def mailboxes(store: Store, config: Config) -> list[MailboxView]:
    """Every mailbox that the configuration says is polled."""
    epuap = config.gateway.epuap
    patience = timedelta(seconds=_PATIENCE * max(epuap.poll_longest_s, epuap.timeout_s))
    with store.begin() as transaction:
        known = polls.rows(transaction)
    wanted = [(box, tenant.teryt) for tenant in config.tenants.values() for box in tenant.pull]
    return [_view(box, teryt, known.get(box), patience) for box, teryt in wanted]


def _view(mailbox: str, tenant: str, row: PollRow | None, patience: timedelta) -> MailboxView:
    if row is None:
        return MailboxView(mailbox, tenant, "never", NEVER, None, 0, None, None, None)
    seen = (row.failures, row.failing_since, row.polled_at, row.taken_at)
    if row.now - row.polled_at > patience:
        return MailboxView(mailbox, tenant, "late", LATE, row.last_text, *seen)
    return MailboxView(mailbox, tenant, "failing" if row.failures else "fine", row.last_code, row.last_text, *seen)
