"""Options of the EZD PUW connector: what differs from office to office."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, model_validator

from connectors.base import Part
from connectors.http import HttpOptions


class Token(Part):
    """Header authentication: `authParam` (a GUID) and the application's token."""

    auth_param: str
    application_token: SecretStr = Field(description="By reference (env:, file:).")
    timezone: str = Field(default="Europe/Warsaw", description="The server's; the token changes with its hour.")


class OpenCase(Part):
    """Whether and where a case is opened for the letter."""

    folder_symbol: str = Field(
        description="Template of the JRWA symbol (TeczkaSymbol), e.g. `3120` or `{fields.jrwa}`."
    )
    archive_category: str = Field(default="B10", description="Kategoria archiwalna.")
    year: str = Field(default="{fields.year}", description="Template of the year (Rok).")
    conducted: str = Field(default="elektronicznie", description="TypProwadzenia.")


class EzdPuwOptions(HttpOptions):
    """One office's EZD PUW."""

    address: str = Field(description="URL of the service, e.g. https://ezd.gmina.example/Integracja.svc.")
    wsdl: str | None = Field(default=None, description="The office's own WSDL; empty: the public contract we ship.")
    token: Token | None = Field(default=None, description="Header authentication instead of user and password.")
    owner_id: int = Field(default=0, description="IdPracownikaWlasciciela: the clerk letters are assigned to.")
    position_id: int = Field(default=0, description="IdStanowiskaWlasciciela: the clerk's position.")
    key_field: str = Field(
        default="SygnaturaWplywu",
        description="Field of RejestrujWplyw that carries our key and that the office indexes.",
    )
    look_up_field: str = Field(default="IdDokumentuePUAP", description="Field of WyszukajWplyw our key is asked by.")
    letter: dict[str, Any] = Field(
        default_factory=lambda: dict(_LETTER), description="Field of RejestrujWplyw → template. Titles need two words."
    )
    document_title: str = Field(default="{file.number}. {file.name}", description="Name of each document; unique in one letter.")  # fmt: skip  # noqa: E501
    container: str = Field(default="EZD.FLAT.MAIN", description="IdentyfikatorKontenera of the document store.")
    open_case: OpenCase | None = Field(default=None, description="Open a case for the letter.")

    @model_validator(mode="after")
    def _one_way_in(self) -> EzdPuwOptions:
        if self.token is not None and self.user is not None:
            raise ValueError("either token or user, not both")
        return self


_LETTER: dict[str, Any] = {
    "Tytul": "{fields.title}",
    "Rodzaj": "{fields.letter_kind?}",
    "DataWplywu": "{fields.received_at?}",
    "DataPisma": "{fields.document_date?}",
    "SposobDostarczenia": "ePUAP",
    "CzyDokumentElektroniczny": True,
    "AdresatTyp": "{fields.sender_kind?}",
    "AdresatNazwa": "{fields.sender_name?}",
    "AdresatImie": "{fields.first_name?}",
    "AdresatNazwisko": "{fields.surname?}",
    "AdresatPesel": "{fields.pesel?}",
    "AdresatNip": "{fields.nip?}",
    "AdresatRegon": "{fields.regon?}",
    "AdresatAdresMiejscowosc": "{fields.place?}",
    "AdresatAdresUlica": "{fields.street?}",
    "AdresatAdresNumerDomu": "{fields.building?}",
    "AdresatAdresNumerLokalu": "{fields.premises?}",
    "AdresatAdresKodPocztowy": "{fields.post_code?}",
    "AdresatAdresOdpowiedzi_ePUPAP": "{fields.reply_mailbox?}",
    "AdresatIdentyfikator_ePUPAP": "{fields.sender_epuap_id?}",
}
