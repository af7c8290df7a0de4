"""Remembered steps of one delivery: the intent is committed before a remote effect, its result at once after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from gateway.clock import steady_s
from gateway.store import attempts, delivering
from gateway.store.database import Store
from schemas.delivery import Refused, Repeat, StepInDoubt, StepStopped, Unreachable
from schemas.errors import StoreUnavailable

T = TypeVar("T")

_PATIENCE_POLL_S = 0.25


class LeaseLost(Exception):
    """This worker no longer holds the delivery, or could not finish in time: it must not send."""


class Lease:
    """The right to try one delivery: a fencing number and a time, measured here on a clock that never goes back.

    Our own end is counted from before the claim was sent, so it is never later than the database's.
    """

    def __init__(self, store: Store, delivery_id: UUID, fence: int, seconds: float, asked_at: float) -> None:
        self.store = store
        self.delivery_id = delivery_id
        self.fence = fence
        self.seconds = seconds
        self._ends = asked_at + seconds

    def left_s(self) -> float:
        """Seconds for which nobody else can hold the delivery."""
        return self._ends - steady_s()

    def ensure(self, needed_s: float) -> None:
        """Go on only if the lease outlasts the next call; renew it if it does not. Raises LeaseLost."""
        if self.left_s() >= needed_s:
            return
        asked_at = steady_s()
        with self.store.begin() as transaction:
            held = attempts.renew(transaction, self.delivery_id, self.fence, self.seconds)
        self.renewed(held, asked_at)
        if self.left_s() < needed_s:
            raise LeaseLost("lease shorter than the call's time-out")

    def renewed(self, held: bool, asked_at: float) -> None:
        """Note the end of a lease just renewed; raises LeaseLost if the database said no."""
        if not held:
            raise LeaseLost("somebody else holds the delivery")
        self._ends = asked_at + self.seconds

    def patiently(self, write: Callable[[], T]) -> T:
        """Write what must not get lost; while the database is away, try again until the lease ends.

        Raises: StoreUnavailable: it stayed away; the delivery is then in doubt and will be asked about.
        """
        while True:
            try:
                return write()
            except StoreUnavailable:
                if self.left_s() <= 0:
                    raise
                time.sleep(_PATIENCE_POLL_S)


class RememberedSteps:
    """`schemas.delivery.Steps` over the step table."""

    def __init__(
        self,
        lease: Lease,
        repeat: Repeat,
        step_s: float,
        message_id: str,
        known: dict[str, dict[str, Any] | None],
    ) -> None:
        """`step_s`: how long one step may be busy with calls.

        `known`: steps of earlier attempts as read with the claim; nobody else changes them while we hold it.
        """
        self._known = dict(known)
        self._lease = lease
        self._repeat = repeat
        self._step_s = step_s
        self._message_id = message_id

    @property
    def message_id(self) -> str:
        """A fresh id for this attempt (UUID text)."""
        return self._message_id

    def once(
        self,
        name: str,
        call: Callable[[], dict[str, Any]],
        find: Callable[[], dict[str, Any] | None] | None = None,
    ) -> dict[str, Any]:
        """As promised in schemas.delivery.Steps."""
        result = self._known.get(name)
        if result is not None:
            return result
        if name in self._known:
            found = self._ask(name, find)
            if found is not None:
                self._keep(name, found)
                return found
        self._intend(name)
        try:
            result = call()
        except StepStopped as stop:
            if isinstance(stop.outcome, Refused | Unreachable):
                self._lease.patiently(lambda: self._withdraw(name))
            raise
        self._keep(name, result)
        return result

    def _ask(self, name: str, find: Callable[[], dict[str, Any] | None] | None) -> dict[str, Any] | None:
        if find is not None:
            self._lease.ensure(self._step_s)
            return find()
        if self._repeat is Repeat.SAFE:
            return None
        raise StepInDoubt(name)

    def _intend(self, name: str) -> None:
        """Commit the intent under a lease that lasts, in one statement; without both, nothing is sent."""
        lease, asked_at = self._lease, steady_s()
        lease_s = lease.seconds if lease.left_s() < max(self._step_s, lease.seconds / 2) else None
        with lease.store.direct() as connection:
            held = delivering.intend(connection, lease.delivery_id, name, lease.fence, lease_s)
        if lease_s is not None or not held:
            lease.renewed(held, asked_at)
        self._known[name] = None
        lease.ensure(self._step_s)

    def _keep(self, name: str, result: dict[str, Any]) -> None:
        def write() -> None:
            with self._lease.store.direct() as connection:
                delivering.keep_result(connection, self._lease.delivery_id, name, result)

        self._lease.patiently(write)
        self._known[name] = result

    def _withdraw(self, name: str) -> None:
        with self._lease.store.begin() as transaction:
            attempts.withdraw(transaction, self._lease.delivery_id, name, self._lease.fence)
        self._known.pop(name, None)
