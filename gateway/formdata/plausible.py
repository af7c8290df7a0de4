"""Texts a person might have written, by what the mapping says of a place; everything in them is invented.

Made values fit their types, and say nothing: an integrator who shows a sample to a clerk wants a lorry with two axles.
"""

from __future__ import annotations

from typing import Protocol

from gateway.formdata.values import FILLERS

LIKELY: dict[str, dict[str, str]] = {
    "authority": {
        "name": "Wójt Gminy Przykładowo",
        "address": "Szkolna 1, 16-999 Przykładowo",
    },
    "taxpayer": {
        "father_name": "Jan",
        "mother_name": "Maria",
        "second_name": "Ewa",
    },
    "submitter": {
        "second_name": "Ewa",
    },
    "letter": {
        "place": "Przykładowo",
        "title": "Wniosek o wydanie zaświadczenia",
        "signed_as": "Kierownik",
    },
    "application": {
        "matter": "podatek od nieruchomości",
        "purpose": "przedłożenie w banku",
        "grounds": "Choroba i utrata dochodów.",
        "deed_number": "Rep. A 1234/2026",
    },
    "excise": {
        "producer_number": "012345678",
    },
    "road": {
        "road": "droga gminna nr 101234B",
        "place": "Leśna 5",
        "purpose": "budowa przyłącza wodociągowego",
    },
    "document": {
        "name": "Dokument próbny",
        "description": "Dokument próbny",
        "language": "pol",
    },
}
LIKELY_IN: dict[str, dict[str, str]] = {
    "objects": {
        "vehicle.type": "samochód ciężarowy", "vehicle.make_model": "Próbny A1", "vehicle.year": "2018",
        "vehicle.combination_mass_t": "18", "vehicle.axles": "2", "vehicle.suspension": "pneumatyczne",
        "vehicle.euro_norm": "Euro 6", "vehicle.ownership": "właściciel", "vehicle.first_registered_on": "2018-05-10",
        "vehicle.acquired_on": "2018-05-10", "kw.court": "Sąd Rejonowy w Przykładowie", "description": "ogrodzenie",
    },
    "exemptions": {"legal_title": "art. 7 ust. 1 pkt 10"},
    "excise.invoices": {"number": "FV/12/2026", "seller": "Stacja Paliw Próbna"},
    "statements": {"text": "Dane są zgodne z prawdą."},
    "attachments": {"description": "Dokument próbny"},
}  # fmt: skip


class Writable(Protocol):
    """Places of a document by target; what the document does not have is not written."""

    def get(self, path: str) -> object:
        """What the mapping reads there."""
        ...

    def write(self, target: str, value: object) -> None:
        """Write a value back to where it was read."""
        ...


def make_plausible(figures: Writable) -> None:
    """Write what is likely where the sample holds a filler, so that its schema leaves the words open; lorries whole."""
    for part, values in LIKELY.items():
        for name, value in values.items():
            if figures.get(f"{part}.{name}") in FILLERS:
                figures.write(f"{part}.{name}", value)
    for target, rows in LIKELY_IN.items():
        entries = figures.get(target)
        for index in range(len(entries) if isinstance(entries, list) else 0):
            for name, value in rows.items():
                if name.startswith("vehicle.") or figures.get(f"{target}.{index}.{name}") in FILLERS:
                    figures.write(f"{target}[{index}].{name}", value)
