"""Packages as ePUAP's portal exports a box in an emergency: `Deskryptor.xml` and files. For drills, demo and tests."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

DESCRIPTOR = "Deskryptor.xml"
_WARSAW = ZoneInfo("Europe/Warsaw")


@dataclass(frozen=True, slots=True)
class Exported:
    """One document of a box. `path` in the archive; empty: numbered by its place."""

    document: bytes
    mailbox: str = "/gmkrasnopol/SkrytkaESP"
    file_name: str = "pismo.xml"
    path: str = ""
    reply_mailbox: str = "/testowykonto/domyslna"
    document_id: str = "4711"
    posted_at: datetime | None = None  # aware; None: now
    listed: bool = True  # in the descriptor


def package(items: Iterable[Exported], descriptor: bytes | None = None) -> bytes:
    """The ZIP. `descriptor` replaces the one that would be written, to break it."""
    listed = [(item, item.path or f"dokument-{number}.xml") for number, item in enumerate(items, start=1)]
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        made = "".join(_entry(item, path) for item, path in listed if item.listed)
        whole = f'<?xml version="1.0" encoding="UTF-8"?>\n<Dokumenty>{made}\n</Dokumenty>\n'
        archive.writestr(DESCRIPTOR, whole.encode() if descriptor is None else descriptor)
        for item, path in listed:
            archive.writestr(path, item.document)
    return octets.getvalue()


def _entry(item: Exported, path: str) -> str:
    local = (item.posted_at or datetime.now(UTC)).astimezone(_WARSAW)
    posted = f"{local:%d.%m.%YT%H:%M:%S}.{local.microsecond // 1000:03d}"
    further = f"<Dane><IdentyfikatorDokumentu>{item.document_id}</IdentyfikatorDokumentu></Dane>"
    values = {
        "DataNadania": posted,
        "NazwaSkrytki": item.mailbox.rpartition("/")[2],
        "AdresSkrytki": item.mailbox,
        "AdresOdpowiedzi": item.reply_mailbox,
        "DaneDodatkowe": base64.b64encode(further.encode()).decode(),
        "NazwaPliku": item.file_name,
        "SciezkaWArchiwum": path,
    }
    rest = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return (
        "\n  <Dokument><DanePodmiotu><Identyfikator>testowykonto</Identyfikator><TypOsoby>PP</TypOsoby>"
        "<ImieSkrot>TEST</ImieSkrot><NazwiskoNazwa>TESTOWY</NazwiskoNazwa><Nip/><Pesel/><Regon/><Zgoda>true</Zgoda>"
        "</DanePodmiotu><DaneNadawcy><Uzytkownik>testowykonto</Uzytkownik><System/></DaneNadawcy>"
        f"{rest}</Dokument>"
    )
