"""What a case is about beyond tax objects: letters, applications, excise, waste, dogs, alcohol, roads."""

from __future__ import annotations

from datetime import date

from schemas.case_parts import Address, Exact, Instalment, Part, Party


class Letter(Part):
    """A general letter (pismo ogólne). `title` is the only reliable routing hint."""

    title: str | None = None
    place: str | None = None
    kind: str | None = None
    case_number: str | None = None
    body: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    other_kind: str | None = None
    copies_to: tuple[Party, ...] = ()
    signed_by: str | None = None
    signed_by_first_name: str | None = None
    signed_by_second_name: str | None = None
    signed_as: str | None = None
    on_behalf: str | None = None


class Obligation(Part):
    """A due of the taxpayer that an application speaks of (zobowiązanie). Amounts in złoty and grosze."""

    kind: str | None = None
    year: int | None = None
    instalment_no: int | None = None
    amount: Exact | None = None


class Application(Part):
    """An application for a certificate, a relief, a refund or a statement of account."""

    matter: str | None = None
    purpose: str | None = None
    grounds: str | None = None
    copies: int | None = None
    delivery: str | None = None
    as_of: date | None = None
    from_date: date | None = None
    to_date: date | None = None
    requested_amount: Exact | None = None
    obligations: tuple[Obligation, ...] = ()
    schedule: tuple[Instalment, ...] = ()
    deed_number: str | None = None
    deed_date: date | None = None
    area_ha: Exact | None = None
    farm_area_ha: Exact | None = None
    state_aid: bool | None = None


class FuelInvoice(Part):
    """One VAT invoice for diesel oil. Litres with two decimals."""

    number: str | None = None
    issued_on: date | None = None
    seller: str | None = None
    litres: Exact | None = None


class Excise(Part):
    """Refund of excise in farm diesel. `livestock_units`: DJP, average of the year."""

    agricultural_area_ha: Exact | None = None
    livestock_units: Exact | None = None
    pig_count: Exact | None = None
    litres: Exact | None = None
    requested_amount: Exact | None = None
    producer_number: str | None = None
    invoice_count: int | None = None
    invoices: tuple[FuelInvoice, ...] = ()


class Containers(Part):
    """Waste containers of one size. `amount`: of a month."""

    capacity_l: int | None = None
    count: int | None = None
    rate: Exact | None = None
    amount: Exact | None = None


class Waste(Part):
    """Municipal waste fee. method: persons | water | area | household | containers."""

    declaration: str | None = None  # first | change | correction
    method: str | None = None
    selective: bool | None = None
    composter: bool | None = None
    persons: int | None = None
    water_m3: Exact | None = None
    area_m2: Exact | None = None
    rate: Exact | None = None
    containers: tuple[Containers, ...] = ()
    relief: Exact | None = None
    monthly_amount: Exact | None = None
    property_address: Address | None = None


class Dogs(Part):
    """Fee for keeping dogs. `count`: dogs kept, `exempt`: of these without fee."""

    count: int | None = None
    exempt: int | None = None
    legal_title: str | None = None


class AlcoholSales(Part):
    """Value of alcohol sold in a year by strength class: to_4_5 | from_4_5_to_18 | over_18 (per cent)."""

    strength: str
    value: Exact | None = None
    permit_no: str | None = None


class Road(Part):
    """Occupation of a road lane (zajęcie pasa drogowego)."""

    road: str | None = None
    place: str | None = None
    purpose: str | None = None
    kind: str | None = None
    area_m2: Exact | None = None
    days: int | None = None
