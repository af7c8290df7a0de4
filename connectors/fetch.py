"""An office that comes for its cases over REST (docs/api.md): nothing is sent, an acknowledgement delivers."""

from __future__ import annotations

from typing import ClassVar

from connectors.base import Capabilities, LookUpFailed, Options
from connectors.outcomes import outcome
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps


class FetchOptions(Options):
    """There is nothing to set; the office's keys are made with `brama api-key new`."""


class FetchConnector:
    """Leave each case until the office has fetched and acknowledged it."""

    options_model: ClassVar[type[Options]] = FetchOptions
    capabilities = Capabilities(repeat=Repeat.SAFE, attachments=True, fetched=True)

    def __init__(self, options: FetchOptions) -> None:
        self.options = options

    def check(self) -> None:
        """There is nobody to call."""

    def find(self, key: str) -> str | None:  # noqa: ARG002 - the protocol's name
        """Whether the office has it, only the office can say. Raises: LookUpFailed."""
        raise LookUpFailed(reason="the office fetches; it cannot be asked")

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:  # noqa: ARG002
        """The engine never calls this (`capabilities.fetched`); surely nothing was sent."""
        return outcome("fetch.nothing_sent")
