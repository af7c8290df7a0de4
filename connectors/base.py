"""What a connector (łącze) is: typed options, declared capabilities, and `check`, `find`, `deliver`, `query`.

Written for those who write one: docs/connectors.md leads through it, `gateway.testing.contract` proves the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from schemas.delivery import CaseRecord, Outcome, Repeat, Steps
from schemas.errors import ConnectorError


class Part(BaseModel):
    """Base of every table inside options: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


class Options(Part):
    """Base of every connector's options (`[connector.NAME]` of a gmina's file); secrets arrive already resolved.

    All durations are seconds. A wrong value is refused by `brama check`, all problems at once.
    """

    timeout_s: float = Field(default=20.0, gt=0, le=600, description="Longest wait for one remote call, in seconds.")
    settle_delay_s: float = Field(
        default=60.0,
        ge=0,
        description="After a lost answer, ask no sooner than this; at least the office's longest processing time.",
    )
    query_cache_s: float = Field(default=0.0, ge=0, le=86400, description="How long answers to queries are kept.")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do (możliwości). `charset` and the route's field rules are checked before sending."""

    repeat: Repeat
    look_up: bool = False
    attachments: bool = False
    queries: frozenset[str] = frozenset()
    charset: str | None = None  # a Python codec name, for example cp1250
    fetched: bool = False  # nothing is sent: a case waits until the office has come for it and acknowledged it
    max_calls: int = 1  # remote calls one delivery may make; times timeout_s is how long it may take at most
    step_calls: int | None = None  # and one remembered step; times timeout_s a worker holds on. None: as max_calls

    def to_json(self) -> dict[str, Any]:
        """As shown by `connector list --json`."""
        return {
            "repeat": self.repeat.value,
            "look_up": self.look_up,
            "attachments": self.attachments,
            "queries": sorted(self.queries),
            "charset": self.charset,
            "fetched": self.fetched,
            "max_calls": self.max_calls,
            "step_calls": self.step_calls,
        }


class Connector(Protocol):
    """One instance per tenant and configured name; used from several threads at once, so hold no state per call.

    Constructing one touches neither network nor disk. An exception that escapes `deliver` is our bug (StepInDoubt
    apart): it is recorded and shown, and the delivery becomes `unsettled`.
    """

    options_model: ClassVar[type[Options]]
    capabilities: Capabilities  # may depend on the options: a SOAP service without a look-up operation is `blind`

    def check(self) -> None:
        """Is the other side reachable and are we allowed in? Changes nothing there. Raises ConnectorError if not."""
        ...

    def find(self, key: str) -> str | None:
        """Did everything a delivery with this key does arrive? Its reference there, or None: it surely did not.

        The reference is the office's own number. May raise, LookUpFailed above all: then nothing is known. After a lost
        answer it is asked no sooner than `settle_delay_s`.
        """
        ...

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Hand the record over (przekaż), once in effect: each remote effect goes through `steps.once`.

        `key` is `record.key`. Returns Delivered, Refused, Unreachable (surely not there) or Unsettled (any doubt). Lets
        StepInDoubt escape; raises nothing else.
        """
        ...


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What an office answered. `as_of` is when the office was asked (aware UTC), also when it comes from a cache.

    `rows`: one dict a row, with the columns that docs/answers.md lists for `dues`; amounts exact (Decimal or text).
    """

    name: str
    as_of: datetime
    rows: tuple[dict[str, Any], ...]
    cached: bool = False


@runtime_checkable
class Querying(Protocol):
    """A connector that answers the questions named in `capabilities.queries`: dues, arrears, case_status."""

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        """Ask the office; changes nothing there. No row means "nothing"; whatever is not understood must raise.

        Args:   name: one of `capabilities.queries`. parameters: `party` (PESEL or NIP) and `as_of` (aware moment)
                for dues and arrears, `case_number` for case_status.
        Raises: LookUpFailed: nothing is known.
        """
        ...


class LookUpFailed(ConnectorError):
    """The office could not be asked, or its answer could not be understood: nothing is known."""

    code = "connector.look_up_failed"
