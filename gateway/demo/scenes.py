"""What the demo sends, and what must become of each: a table of scenes, data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from gateway.simulate import documents
from gateway.simulate.citizens import sign_qualified, sign_trusted_profile, tamper
from gateway.simulate.people import person
from gateway.simulate.pki import Pki

KRASNOPOL, SOKOLKA, SIEMIATYCZE = "2009032", "2011083", "2010092"
MAILBOX = {
    KRASNOPOL: "/gmkrasnopol/SkrytkaESP",
    SOKOLKA: "/umsokolka/SkrytkaESP",
    SIEMIATYCZE: "/gmsiemiatycze/SkrytkaESP",
}
OFFICE = {KRASNOPOL: "ezd", SOKOLKA: "podatki", SIEMIATYCZE: "pliki"}  # SOAP, SQL, folder
ANSWERS_MAILBOX = "/gmkrasnopol/Podatki"  # polled; what citizens ask there is answered online
UNKNOWN_MAILBOX = "/nieznany/SkrytkaESP"


@dataclass(frozen=True, slots=True)
class Scene:
    """One document and its fate. `outcome` is the decision, or where deliveries are to be told apart, their state."""

    name: str
    what: str
    tenant: str
    document: Callable[[Pki], bytes]
    outcome: str  # delivered | rejected | quarantined | refused | test | duplicate
    mailbox: str | None = None  # None: the tenant's own
    is_test: bool = False
    office: str | None = None  # what the office is told to do just before: refuse | down | hang_up_after_storing
    replay: bool = False  # an operator replays it at the end, once the office was put right
    finding: str | None = None  # how the code of a finding it must get begins
    same_as: str | None = None  # send the very octets of that earlier scene

    @property
    def box(self) -> str:
        """The mailbox it is sent to."""
        return self.mailbox or MAILBOX[self.tenant]


def _return(tenant: str, seed: int, **breaks: object) -> Callable[[Pki], bytes]:
    def build(pki: Pki) -> bytes:
        form = documents.property_return(tenant, seed=seed, **breaks)  # type: ignore[arg-type]
        return sign_trusted_profile(form, person(seed), pki)

    return build


def _letter(tenant: str, seed: int, **breaks: object) -> Callable[[Pki], bytes]:
    def build(pki: Pki) -> bytes:
        letter = documents.general_letter(tenant, seed=seed, **breaks)  # type: ignore[arg-type]
        return sign_qualified(letter, person(seed), pki)

    return build


def _tampered(pki: Pki) -> bytes:
    return tamper(_return(KRASNOPOL, 21)(pki), "content")


def _unknown(pki: Pki) -> bytes:
    return sign_trusted_profile(documents.unknown_form(SOKOLKA, seed=24), person(24), pki)


SCENES: tuple[Scene, ...] = (
    Scene("dn1-soap", "Deklaracja DN-1 do systemu EZD (SOAP)", KRASNOPOL, _return(KRASNOPOL, 11), "delivered"),
    Scene("pismo-soap", "Pismo ogólne do systemu EZD (SOAP)", KRASNOPOL, _letter(KRASNOPOL, 12), "delivered"),
    Scene("dn1-sql", "Deklaracja DN-1 do bazy podatkowej (SQL)", SOKOLKA, _return(SOKOLKA, 13), "delivered"),
    Scene("pismo-sql", "Pismo ogólne do bazy podatkowej (SQL)", SOKOLKA, _letter(SOKOLKA, 14), "delivered"),
    Scene("dn1-pliki", "Deklaracja DN-1 do folderu", SIEMIATYCZE, _return(SIEMIATYCZE, 15), "delivered"),
    Scene("pismo-pliki", "Pismo ogólne do folderu", SIEMIATYCZE, _letter(SIEMIATYCZE, 16), "delivered"),
    Scene(
        "duplikat", "Ten sam dokument jeszcze raz", KRASNOPOL, _return(KRASNOPOL, 11), "duplicate", same_as="dn1-soap",
    ),
    Scene("zmieniony", "Dokument zmieniony po podpisaniu", KRASNOPOL, _tampered, "rejected"),
    Scene(
        "dn1-bledna", "DN-1 niezgodna ze wzorem (brak roku)", SOKOLKA, _return(SOKOLKA, 22, year=None), "rejected",
        finding="schema.",
    ),
    Scene(
        "pismo-bledne", "Pismo ogólne niezgodne ze wzorem (brak tytułu)", SIEMIATYCZE,
        _letter(SIEMIATYCZE, 23, title=None, created=date(2026, 2, 6)), "quarantined", finding="schema.",
    ),
    Scene("nieznany-wzor", "Nieznany wzór dokumentu", SOKOLKA, _unknown, "quarantined"),
    Scene(
        "nieznana-skrytka", "Nieznana skrytka odbiorcy", KRASNOPOL, _letter(KRASNOPOL, 25), "quarantined",
        mailbox=UNKNOWN_MAILBOX,
    ),
    Scene("testowy", "Dokument testowy", SIEMIATYCZE, _return(SIEMIATYCZE, 26), "test", is_test=True),
    Scene("odmowa", "Urząd odmawia przyjęcia", KRASNOPOL, _return(KRASNOPOL, 27), "refused", office="refuse"),
    Scene(
        "odmowa-ponowienie", "Urząd odmawia, pracownik ponawia po poprawce", KRASNOPOL, _return(KRASNOPOL, 28),
        "delivered", office="refuse", replay=True,
    ),
    Scene(
        "awaria", "System urzędu nie działa, potem wraca", KRASNOPOL, _letter(KRASNOPOL, 29), "delivered",
        office="down",
    ),
    Scene(
        "zerwane", "Urząd zapisał i zerwał połączenie", KRASNOPOL, _letter(KRASNOPOL, 30), "delivered",
        office="hang_up_after_storing",
    ),
)  # fmt: skip
