"""Options of the EZD RP connector. What the public description leaves open is an option with a default."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from connectors.base import Part
from connectors.http import HttpOptions
from connectors.rest import RestStep

API = "/ezdrp/integrator/v2"


class ApiKey(Part):
    """The key issued inside EZD RP (Administracja, klucze API), bound to a technical user."""

    token_url: str = Field(description="The authorisation server's token endpoint.")
    host: str = Field(description="The host name the client id is made of, as registered.")
    entity_id: str = Field(description="`pid`: identifier of the entity (podmiot).")
    key_id: str = Field(description="`aki`: identifier of the key.")
    key: SecretStr = Field(description="The key itself, by reference (env:, file:).")
    time_format: str = Field(
        default="%Y-%m-%dT%H:%M:%SZ", description="How `rt`, the request's time in UTC, is written."
    )


class Case(Part):
    """The case opened for the letter."""

    list_id: str = Field(description="`idWykaz`: the JRWA entry.")
    archive_category: str = Field(default="B10", description="`kategoriaArchiwalna`.")
    year: str = Field(default="{fields.year}", description="Template of `rok`.")


class EzdRpOptions(HttpOptions):
    """One office's EZD RP."""

    base_url: str = Field(description="URL before `/ezdrp/integrator/v2`.")
    api_key: ApiKey = Field(description="How to get a token.")
    position_id: str = Field(description="`SID`: the position (stanowisko) we act for.")
    title: str = Field(default="{fields.title}", description="Template of the title; at most 500 characters.")
    letter: dict[str, Any] = Field(
        default_factory=lambda: dict(_LETTER), description="Field of the registry entry (RPW) → template."
    )
    key_field: str = Field(default="znakPisma", description="Field of the registry entry that carries our key.")
    look_up_field: str | None = Field(
        default=None,
        description="Field `rpw/_search` finds our key by. Set it only after a test on your instance: a search that "
        "never finds would double letters.",
    )
    look_up_echo: str | None = Field(
        default=None, description="Field of a found entry that repeats our key; empty: as `key_field`."
    )
    open_case: Case | None = Field(default=None, description="Open a case and put the attachments into it.")
    step: tuple[RestStep, ...] | None = Field(default=None, description="All calls, instead of the ones we know.")


_LETTER: dict[str, Any] = {
    "dataWplywu": "{fields.received_at?}",
    "nadawca": {
        "imie": "{fields.first_name?}",
        "nazwisko": "{fields.surname?}",
        "nazwaPodmiotu": "{fields.sender_name?}",
        "pesel": "{fields.pesel?}",
        "nip": "{fields.nip?}",
        "adresSkrytki": "{fields.reply_mailbox?}",
    },
}
