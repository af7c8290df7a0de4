"""What a connector is: typed options, declared capabilities, and `check`, `find`, `deliver`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.delivery import CaseRecord, Outcome, Repeat, Steps


class Options(BaseModel):
    """Base of every connector's options: frozen, unknown keys refused; secrets arrive already resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: float = Field(default=20.0, gt=0, le=600, description="Longest wait for one remote call, in seconds.")
    settle_delay_s: float = Field(
        default=60.0,
        ge=0,
        description="After a lost answer, ask no sooner than this; at least the office's longest processing time.",
    )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do. `max_lengths` and `charset` are checked before anything is sent."""

    repeat: Repeat
    look_up: bool = False
    attachments: bool = False
    queries: frozenset[str] = frozenset()
    charset: str | None = None  # a Python codec name, for example cp1250


class Connector(Protocol):
    """One instance per tenant and configured name; used from several threads at once, so hold no state per call.

    An exception that escapes `deliver` is our bug: it is recorded and shown, and the delivery becomes `unsettled`.
    """

    options_model: ClassVar[type[Options]]
    capabilities: Capabilities  # may depend on the options: a SOAP service without a look-up operation is `blind`

    def check(self) -> None:
        """Is the other side reachable and are we allowed in? Changes nothing there. Raises ConnectorError if not."""
        ...

    def find(self, key: str) -> str | None:
        """Did a record with this key arrive? Its reference there, or None. May raise: then nothing is known."""
        ...

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Hand the record over, once in effect."""
        ...
