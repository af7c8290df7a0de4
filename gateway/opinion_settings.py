"""Settings of the second opinion on signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_ADDRESSES = {
    "tpsigning": "https://pz.gov.pl/pz-services/tpSigning",
    "tpsigning5": "https://pz.gov.pl/ep-services/tpSigning5",
}


class SecondOpinionConfig(BaseModel):
    """Whether Profil Zaufany's own service is asked about signed documents too; it never overrules our verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Literal["off", "tpsigning", "tpsigning5"] = Field(
        default="off", description="Whole documents go there: needs a right in ePUAP and a reason in the register."
    )
    url: str = Field(default="", description="Empty: the production address of the service.")
    answer_certificates: tuple[Path, ...] = Field(default=(), description="PEM; none: answers are not checked.")
    call_ids: bool = Field(default=False, description="Send callId and requestTimestamp, as some clients do.")
    timeout_s: float = Field(default=20.0, gt=0, le=120)
    within_h: float = Field(default=24.0, gt=0, description="Documents older than this are not asked about.")
    tries: int = Field(default=5, ge=1, description="Then it stays without a second opinion, visibly.")

    @property
    def address(self) -> str:
        """Where to ask; empty when off."""
        return self.url or _ADDRESSES.get(self.service, "")
