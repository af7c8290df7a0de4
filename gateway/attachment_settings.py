"""Settings of attached files: what a gmina takes, and the virus scanner that is asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class TenantAttachments(BaseModel):
    """`[attachments]` of a gmina: whatever is set here wins over the gateway's; sizes in bytes of decoded content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int | None = Field(default=None, gt=0)
    total_bytes: int | None = Field(default=None, gt=0)
    count: int | None = Field(default=None, ge=0)
    types: tuple[str, ...] | None = None
    refused_types: tuple[str, ...] | None = None


class AttachmentsConfig(BaseModel):
    """`[attachments]` of the gateway. Types are usual endings without a dot, told by content and not by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="Of one file, decoded.")
    total_bytes: int = Field(default=50 * 1024 * 1024, gt=0, description="Of all files of a document.")
    count: int = Field(default=50, ge=0)
    types: tuple[str, ...] = Field(default=(), description="Only these are taken; empty: all.")
    refused_types: tuple[str, ...] = ("bat", "class", "com", "dll", "elf", "exe", "jar", "js", "msi", "scr")
    scanner: str = Field(default="", description="clamd: /run/clamav/clamd.ctl or host:port; empty: none is asked.")
    scanner_timeout_s: float = Field(default=20.0, gt=0, description="Of each step on the wire.")

    @field_validator("scanner")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not value.startswith("/") and not (host and colon and port.isdigit()):
            raise ValueError("/ścieżka/do/gniazda albo host:port / path of a socket or host:port")
        return value
