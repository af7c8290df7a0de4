"""An office of one test: it says what its script says, and counts what it got."""

from __future__ import annotations

from typing import Any

from connectors.base import Capabilities, Options
from gateway.store import delivering
from gateway.tools import Office
from schemas.delivery import (
    CaseRecord,
    Delivered,
    Outcome,
    Repeat,
    Steps,
)
from schemas.submission import Submission
from tests.gateways import Gateway


class Scripted:
    """An office of one test: says what the script says, counts what it got."""

    options_model = Options

    def __init__(self, *script: Any, repeat: Repeat = Repeat.FINDABLE, found: Any = None, look_up: bool = True) -> None:
        self.capabilities = Capabilities(repeat=repeat, look_up=look_up)
        self.script = list(script)
        self.found = found
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.messages: list[str] = []

    def check(self) -> None: ...

    def find(self, key: str) -> str | None:
        self.asked.append(key)
        found = self.found() if callable(self.found) else self.found
        assert found is None or isinstance(found, str)
        return found

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        self.sent.append(key)
        self.messages.append(steps.message_id)
        says = self.script.pop(0) if self.script else Delivered(f"ref-{len(self.sent)}")
        if isinstance(says, Exception):
            raise says
        outcome: Outcome = says(record, key, steps) if callable(says) else says
        return outcome


class Offices:
    def __init__(self, connector: Any, settle_delay_s: float = 0.0, timeout_s: float = 1.0) -> None:
        self.office = Office(connector, timeout_s, settle_delay_s)

    def get(self, _tenant: str, _connector: str) -> Office:
        return self.office


def with_office(gateway: Gateway, office: Any, **options: float) -> Gateway:
    return gateway.with_tools(offices=Offices(office, **options))


def with_worker(gateway: Gateway, **changes: Any) -> Gateway:
    """The same gateway with other settings of its workers."""
    config = gateway.tools.config
    worker = config.gateway.worker.model_copy(update=changes)
    return gateway.with_tools(
        config=config.model_copy(update={"gateway": config.gateway.model_copy(update={"worker": worker})})
    )


def claim_and_vanish(gateway: Gateway, submission: Submission, lease_s: float = -1) -> None:
    (delivery,) = gateway.deliveries(submission)
    with gateway.tools.store.direct() as connection:
        claim = delivering.claim(
            connection, delivery.id, worker="vanished", lease_s=lease_s, message_id="m",
            repeat=Repeat.FINDABLE, settle_s=0.0,
        )  # fmt: skip
    assert claim is not None
