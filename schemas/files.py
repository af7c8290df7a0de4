"""Files that do not come inside a document: where each stands on its way from ePUAP's store of big files to ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from schemas.octets import Octets

LOST = "attachment.lost"
WAITS = "attachment.waited_for"


class FileState(StrEnum):
    """due → fetching → kept; what cannot be kept waits for a person, visibly."""

    DUE = "due"  # to be asked for at its time
    FETCHING = "fetching"  # asked for, or being read from what was written down
    KEPT = "kept"  # its octets are in the store
    HELD = "held"  # kept, but something speaks against handing it on: a person decides
    LOST = "lost"  # the repository does not have it any more, and neither have we
    FAILED = "failed"  # it could not be had; a person may try again


@dataclass(frozen=True, slots=True)
class Link:
    """What a document says of a file elsewhere. `number` counts its attachments from 1; `file_id` None: not ePUAP's."""

    number: int
    name: str
    declared_type: str
    address: str
    file_id: str | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as the repository gave it. `untrusted`: why its answer's signature is not believed; None: it is."""

    name: str
    content_type: str
    octets: Callable[[], Iterable[bytes]]
    untrusted: str | None


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file to be put into the repository."""

    name: str
    content_type: str
    content: Octets = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """A link of a submission with the file it stands for; times aware UTC. Names are the citizen's: never logged.

    `id` and `state` are None where the address is not one of ePUAP's store: nobody fetches that.
    """

    number: int
    name: str
    address: str
    waived: bool  # a person let the case go without it
    id: UUID | None
    state: FileState | None
    content_type: str | None
    type: str | None  # by content, an ending without a dot
    sha256: str | None
    size_bytes: int | None
    attempts: int | None
    due_at: datetime | None
    last_code: str | None
    last_text: str | None
    findings: tuple[dict[str, Any], ...]

    @property
    def awaited(self) -> bool:
        """Is it to come yet, or for a person to decide about?"""
        return self.state is not None and self.state is not FileState.KEPT and not self.waived
