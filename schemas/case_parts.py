"""The parts of a normalized case: parties, addresses, objects, what was declared. Exact decimals, ISO dates, own words.

Money and areas are Decimal here and strings in JSON; a binary float is refused. Absent means "not given".
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

_EXACT_TYPES = (str, Decimal, int)


def _exact(value: Any) -> Decimal:
    """A finite Decimal; ValueError (never TypeError, which pydantic lets pass) for anything else, floats included."""
    try:
        number = Decimal(value) if type(value) in _EXACT_TYPES else None
    except InvalidOperation as error:
        raise ValueError("an exact decimal is expected") from error
    if number is None or not number.is_finite():
        raise ValueError("an exact decimal is expected")
    return number


Exact = Annotated[
    Decimal,
    PlainValidator(_exact),
    PlainSerializer(lambda number: format(number, "f"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
]


def _plain(value: Any) -> str:
    """What a form's own field says, as text: decimals in full, dates in ISO, flags as true or false."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | int | date):
        return str(value)
    raise ValueError("one value is expected")


Plain = Annotated[str, PlainValidator(_plain), WithJsonSchema({"type": "string"})]


class Part(BaseModel):
    """Base of all parts: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Address(Part):
    """An address (adres); Polish post codes as 99-999."""

    country: str | None = None
    voivodeship: str | None = None
    county: str | None = None
    municipality: str | None = None
    street: str | None = None
    building: str | None = None
    premises: str | None = None
    place: str | None = None
    post_code: str | None = None
    post_office: str | None = None
    po_box: str | None = None


class Contact(Part):
    """How to reach a party (kontakt)."""

    phone: str | None = None
    email: str | None = None


class Party(Part):
    """A person or organisation as one source states it; sources are compared, never merged.

    kind: natural_person | legal_person | unit_without_personality. capacity: owner, co_owner, autonomous_possessor, ...
    """

    kind: str | None = None
    pesel: str | None = None
    nip: str | None = None
    regon: str | None = None
    krs: str | None = None
    other_id: str | None = None
    full_name: str | None = None
    short_name: str | None = None
    surname: str | None = None
    first_name: str | None = None
    second_name: str | None = None
    birth_date: date | None = None
    father_name: str | None = None
    mother_name: str | None = None
    capacity: str | None = None
    address: Address | None = None
    delivery_address: Address | None = None
    contact: Contact | None = None


class Authority(Part):
    """The gmina's tax authority as the form names it (organ podatkowy)."""

    teryt: str | None = None
    name: str | None = None
    nip: str | None = None
    address: str | None = None


class Period(Part):
    """The obligation period, not the filing date. `from_month` 1 to 12: the month the obligation arose."""

    year: int | None = None
    from_month: int | None = None
    from_date: date | None = None
    to_date: date | None = None


class CoOwner(Part):
    """Another owner of the same objects (współwłaściciel). `share` as written, "1/2"."""

    party: Party = Party()
    share: str | None = None
    first_in_registration: bool | None = None


class LandRegister(Part):
    """Land and mortgage register entry (księga wieczysta); free text on paper forms."""

    court: str | None = None
    number: str | None = None


class Vehicle(Part):
    """A transport vehicle (środek transportowy) of DT-1/A. Masses in tonnes, amount in złoty and grosze."""

    registration_no: str | None = None
    vin: str | None = None
    make_model: str | None = None
    type: str | None = None
    year: int | None = None
    category: str | None = None
    gross_mass_t: Exact | None = None
    combination_mass_t: Exact | None = None
    axles: int | None = None
    suspension: str | None = None
    euro_norm: str | None = None
    first_registered_on: date | None = None
    acquired_on: date | None = None
    withdrawn_on: date | None = None
    readmitted_on: date | None = None
    deregistered_on: date | None = None
    ownership: str | None = None
    gas: str | None = None
    electric: str | None = None
    hybrid: str | None = None
    natural_gas: str | None = None
    hydrogen: str | None = None
    months: int | None = None
    amount: Exact | None = None


class TaxObject(Part):
    """One object of a tax. type: land | building | structure | vehicle | waste_point | road.

    Units are in the names: m2, ha, pln.
    """

    type: str
    parcel_id: str | None = None
    kw: LandRegister | None = None
    address: Address | None = None
    use_code: str | None = None
    soil_class: str | None = None
    capacity: str | None = None
    description: str | None = None
    area_m2: Exact | None = None
    area_ha: Exact | None = None
    conversion_ha: Exact | None = None
    usable_area_m2: Exact | None = None
    area_140_220_m2: Exact | None = None
    area_above_220_m2: Exact | None = None
    value_pln: Exact | None = None
    stocking: str | None = None
    share: str | None = None
    vehicle: Vehicle | None = None


class Exemption(Part):
    """An exempt object (przedmiot zwolniony)."""

    legal_title: str | None = None
    area_m2: Exact | None = None
    building_area_m2: Exact | None = None
    area_ha: Exact | None = None
    value_pln: Exact | None = None
    from_date: date | None = None
    to_date: date | None = None


class Relief(Part):
    """A tax relief (ulga). kind: investment | purchase | natural_disaster | military | composter | other."""

    kind: str | None = None
    percent: Exact | None = None
    amount: Exact | None = None
    legal_basis: str | None = None
    period: str | None = None


class DeclaredRow(Part):
    """One row of the taxpayer's own figures. unit: m2 | ha | conversion_ha | pln_percent | vehicle | person | m3."""

    code: str
    base: Exact | None = None
    unit: str | None = None
    rate: Exact | None = None
    months: int | None = None
    count: int | None = None
    count_co_first: int | None = None  # vehicles held jointly, the taxpayer first in the registration document
    count_co_other: int | None = None
    amount: Exact | None = None


class Instalment(Part):
    """One instalment (rata)."""

    no: int | None = None
    due_on: date | None = None
    amount: Exact | None = None


class Declared(Part):
    """The taxpayer's figures, never recomputed by the gateway."""

    rows: tuple[DeclaredRow, ...] = ()
    total: Exact | None = None
    instalments: tuple[Instalment, ...] = ()
    annexes: dict[str, int] = Field(default_factory=dict)


class Statement(Part):
    """A statement of facts (oświadczenie)."""

    code: str | None = None
    text: str | None = None
    given: bool = True


class Fee(Part):
    """A fee that goes with the matter (opłata skarbowa)."""

    kind: str = "stamp_duty"
    amount: Exact | None = None
    paid: bool | None = None


class Attachment(Part):
    """An attached file, without its bytes. `size` in bytes and `sha256` of the decoded content; None for a URI."""

    id: str
    file_name: str | None = None
    mime: str | None = None
    encoding: str | None = None  # base64 | uri
    size: int | None = None
    sha256: str | None = None
    uri: str | None = None
    description: str | None = None
    source_path: str | None = None
