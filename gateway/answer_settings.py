"""What a gmina answers online and how: the table `[answers]` of its file (docs/answers.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.effectiveness import Form


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorrectionsConfig(_Model):
    """`[answers.corrections]`: calls for correction drafted without being asked for; a person approves each."""

    forms: tuple[Form, ...] = Field(default=(), description="Forms whose findings lead to a draft; * means all.")
    days: int = Field(default=7, ge=1, le=90, description="To answer or correct, from the day of delivery.")

    def wanted(self, form: str) -> bool:
        """Are calls drafted for this form (namespace)?"""
        return "*" in self.forms or form in self.forms


class AnswersConfig(_Model):
    """Services a gmina answers online."""

    services: tuple[Literal["settlement_query", "arrears_certificate_application"], ...] = ()
    office: Path = Field(default=Path("office/office.toml"), description="The card; its folder overrides templates.")
    ledgers: tuple[str, ...] = Field(default=(), description="Connectors asked for dues.")
    kind: Literal["nadaj", "dorecz"] = Field(default="nadaj", description="Into the box, or against an UPD.")
    reply_mailbox: str = Field(default="", description="Where receipts come; empty: the first of mailboxes.")
    approve_all: bool = Field(default=False, description="A person approves settlement statements too.")
    collect_within_days: int = Field(default=14, ge=1, le=90, description="terminDoreczenia of dorecz.")
    corrections: CorrectionsConfig = CorrectionsConfig()


class ObtainConfig(_Model):
    """`[receipt.obtain]`: how ePUAP's receipt for a document is had where ePUAP gave it to the sender, not to us."""

    sources: tuple[Literal["stores", "service"], ...] = Field(
        default=("stores",), description="Asked in this order: the RECEIVED store, ObslugaUPP; none: never asked."
    )
    service_url: str = "https://ws.epuap.gov.pl/pk_external_ws/services/obslugaUpp"
    first_after_s: float = Field(default=60.0, ge=0, description="After a document came.")
    retry_s: tuple[float, ...] = Field(
        default=(600, 3600, 21600, 86400), description="Waits after asking in vain; then it is given up, visibly."
    )
