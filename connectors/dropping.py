"""What the connectors that drop files share: write out of sight, rename into sight, read the response."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from pydantic import Field

from connectors import drop
from connectors.base import Capabilities, LookUpFailed, Options
from connectors.formats import FileFormat, render
from connectors.outcomes import outcome, stopped, technical
from connectors.response import ResponseFile, read
from schemas.delivery import CaseRecord, Delivered, Outcome, Steps, StepStopped, Unsettled

_POLL_S = 0.2


class DropOptions(Options):
    """How a case becomes files."""

    format: FileFormat = Field(default=FileFormat(), description="What the case file looks like.")
    with_files: bool = Field(default=True, description="Whether the documents go beside it, in `<key>.files`.")
    response: ResponseFile | None = Field(default=None, description="The response file to wait for, if there is one.")
    response_wait_s: float = Field(default=0.0, ge=0, le=60, description="How long one try waits for it.")


class DropConnector(ABC):
    """A connector whose effect is a rename."""

    lost = "folder.publish_in_doubt"
    failed = "folder.unwritable"

    capabilities: Capabilities

    def __init__(self, options: DropOptions) -> None:
        self.drop_options = options
        waits = math.ceil(options.response_wait_s / options.timeout_s)
        can = self.capabilities
        held = None if can.step_calls is None else can.step_calls + waits
        self.capabilities = replace(can, max_calls=can.max_calls + waits, step_calls=held)

    @abstractmethod
    def open(self) -> AbstractContextManager[drop.Place]:
        """The office's folder, for one delivery. Errors are OSError."""

    def find(self, key: str) -> str | None:
        """The case file's name, or the response's reference; also when the office took it. Raises: LookUpFailed."""
        options = self.drop_options
        try:
            with self.open() as place:
                if options.response is None:
                    name = drop.safe_name(key) + options.format.end
                    return name if drop.published(place, key, options.format.end) else None
                said = read(place, options.response, key)
        except OSError as error:
            raise LookUpFailed(reason=technical(error)) from error
        return (said.reference or key) if isinstance(said, Delivered) else None

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Publish once; with a response file, the outcome is what it says."""
        try:
            files = self._files(record, key, steps.message_id)
            with self.open() as place:
                drop.prepare(place, files)
                done = steps.once("publish", lambda: self._publish(place, files))
                if self.drop_options.response is not None:
                    return self._response(place, self.drop_options.response, key)
        except StepStopped as stop:
            return stop.outcome
        except drop.KeyUnusable as error:
            return outcome("folder.key_unusable", str(error))
        except OSError as error:  # publishing itself never raises it: nothing was published by this try
            return outcome(self.failed, technical(error))
        return Delivered(done["file"])

    def _files(self, record: CaseRecord, key: str, message_id: str) -> drop.Drop:
        options = self.drop_options
        content = render(options.format, record, key, message_id)
        beside = drop.files_of(record) if options.with_files else ()
        return drop.Drop(key, drop.safe_name(key) + options.format.end, content, beside)

    def _publish(self, place: drop.Place, files: drop.Drop) -> dict[str, Any]:
        """A rename that was refused has moved nothing; a lost connection or a failed fsync is a doubt."""
        try:
            drop.publish(place, files)
        except (ConnectionError, TimeoutError) as error:
            raise stopped(self.lost, technical(error)) from error
        except OSError as error:
            raise stopped(self.failed, technical(error)) from error
        try:
            place.settle()
        except OSError as error:
            raise stopped(self.lost, technical(error)) from error
        return {"file": files.main}

    def _response(self, place: drop.Place, options: ResponseFile, key: str) -> Outcome:
        end = time.monotonic() + self.drop_options.response_wait_s
        while True:
            try:
                said = read(place, options, key)
            except OSError as error:
                return Unsettled("response.awaited", technical(error))
            if not isinstance(said, Unsettled) or time.monotonic() >= end:
                return said
            time.sleep(_POLL_S)
