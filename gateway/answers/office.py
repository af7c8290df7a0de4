"""The office's card: what every letter of one gmina needs to know of it. A TOML file beside its own templates."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.answers.letter import Sender
from schemas.answers import Account
from schemas.errors import ConfigError

_GENITIVE = {"Wójt": "Wójta", "Burmistrz": "Burmistrza", "Prezydent": "Prezydenta"}


class Office(BaseModel):
    """`office.toml`. Polish names stand in the nominative unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authority: str = Field(min_length=1, description="Organ podatkowy: Wójt Gminy …, Burmistrz …, Prezydent Miasta …")
    office: str = Field(min_length=1, description="Urząd Gminy …")
    place: str = Field(min_length=1, description="Place named before the date.")
    address: tuple[str, ...] = Field(min_length=1, description="Lines of the letterhead.")
    nip: str | None = None
    regon: str | None = None
    contact: tuple[str, ...] = ()
    authority_genitive: str = ""
    appeal_body: str = Field(min_length=1, description="Where complaints go, in the genitive: Samorządowego Kolegium …")
    recipient: str = Field(min_length=1, description="Name for transfers; the payment code takes 20 characters.")
    stamp_duty_account: Account | None = None
    ledgers: tuple[str, ...] = Field(min_length=1, description="Connectors that must answer before a certificate.")
    signatory: str | None = None
    position: str | None = None
    partial_statements: Literal["send", "hold"] = Field(
        default="send", description="A settlement statement some ledger is missing from: send it saying so, or hold it."
    )

    @property
    def of_authority(self) -> str:
        """The authority in the genitive: Wójta Gminy …"""
        first, _, rest = self.authority.partition(" ")
        return self.authority_genitive or f"{_GENITIVE.get(first, first)} {rest}".strip()

    @property
    def sender(self) -> Sender:
        """As the letterhead shows it."""
        return Sender(
            authority=self.authority, office=self.office, place=self.place, address=self.address, nip=self.nip,
            regon=self.regon, contact=self.contact, signatory=self.signatory, position=self.position,
        )  # fmt: skip


def load(file: Path) -> Office:
    """Read an office card.

    Raises: ConfigError: missing, not TOML, or with every wrong or unknown key.
    """
    try:
        return Office.model_validate(tomllib.loads(file.read_text("utf-8")))
    except FileNotFoundError as error:
        raise ConfigError([f"{file.name}: brak pliku {file} / file missing"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file.name}: {error}"]) from error
    except ValidationError as error:
        raise ConfigError([_problem(file, item) for item in error.errors(include_input=False)]) from None


def _problem(file: Path, item: Mapping[str, Any]) -> str:
    return f"{file.name}: {'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
