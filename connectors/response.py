"""The office's response file: what it says of a case it took from its folder."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pydantic import Field, field_validator

from connectors.base import Part
from connectors.drop import Place, safe_name
from connectors.outcomes import outcome, said
from schemas.delivery import Delivered, Outcome, Unsettled


class ResponseFile(Part):
    """Where the response to a case appears and how to read it. Until it does, the delivery stays `unsettled`."""

    folder: str = Field(default=".", description="Below the root.")
    suffix: str = Field(default=".odp", description="The file is named by the key and this.")
    encoding: str = Field(default="utf-8")
    accepted: str = Field(
        description="Expression the text of a yes contains; group `reference` is the office's number."
    )
    refused: str = Field(description="Expression the text of a no contains; group `reason` is shown to the clerk.")
    complete: str | None = Field(
        default=None, description="Expression the end of a whole response matches, where the office writes it in place."
    )

    @field_validator("accepted", "refused", "complete")
    @classmethod
    def _expression(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return text


def read(place: Place, options: ResponseFile, key: str) -> Outcome:
    """What the office said; `response.awaited` while it has said nothing. Raises: OSError."""
    content = place.read(PurePosixPath(options.folder) / f"{safe_name(key)}{options.suffix}")
    if content is None:
        return Unsettled("response.awaited", awaited=True)
    text = content.decode(options.encoding, "replace")
    if not text.strip() or (options.complete and not re.search(rf"(?:{options.complete})\s*\Z", text)):
        return Unsettled("response.awaited", "being written", awaited=True)
    accepted = re.search(options.accepted, text)
    refused = re.search(options.refused, text)
    if accepted and not refused:
        return Delivered(accepted.groupdict().get("reference"))
    if refused and not accepted:
        return outcome("response.refused", said(refused.groupdict().get("reason") or refused[0]))
    return outcome("answer.unreadable", "response file")
