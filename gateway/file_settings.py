"""Settings of big files, which documents only refer to and ePUAP's FileRepo gives out once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Missing = Literal["wait", "deliver_without"]
UploadForm = Literal["inline", "mtom"]


class FilesConfig(BaseModel):
    """`[files]`: where they come from, what is taken, and what a case does until they are here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        default="https://ws.epuap.gov.pl/repo-ws-ext/FileRepoService",
        description="The one service asked; empty: none is.",
    )
    hosts: tuple[str, ...] = Field(
        default=("epuap.gov.pl", "www.epuap.gov.pl"), description="Whose addresses in documents mean that service."
    )
    limit_bytes: int = Field(default=512 * 1024 * 1024, gt=0, le=1 << 40, description="Of one file.")
    timeout_s: float = Field(default=900.0, gt=0, le=7200, description="One transfer, whole.")
    spool: Path | None = Field(default=None, description="Where answers are written first; None: $BRAMA_HOME/spool.")
    gone_codes: tuple[int, ...] = Field(default=(), description="Fault numbers that mean: fetched before, or expired.")
    refusals: int = Field(default=4, ge=1, description="So many other Faults in all end the tries: lost, or failed.")
    check_answers: bool = Field(default=True, description="A file whose answer is not signed as it should be is held.")
    inline_limit_bytes: int = Field(
        default=3_500_000, ge=0, le=1 << 30,
        description="Of all files inside one letter of ours; the largest beyond it go up and are referred to.",
    )  # fmt: skip
    upload_limit_bytes: int = Field(
        default=50_000_000, gt=0, le=1 << 30, description="Of one file that goes up; a larger one is refused."
    )
    upload_form: UploadForm = Field(
        default="inline", description="A file goes up inside the envelope as base64, or beside it as a part (MTOM)."
    )
    address: str = Field(
        default="https://epuap.gov.pl/file-download-servlet/DownloadServlet?fileId={id}",
        pattern=r"^https://[^\s{}]+\{id\}[^\s{}]*$",
        description="How our letters name an uploaded file.",
    )
    missing: Missing = Field(default="wait", description="Deliveries wait for their files, or go without.")
