"""The package in which ePUAP's portal hands out a box in an emergency: `Deskryptor.xml` and the files it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lxml import etree

from gateway.clock import WARSAW
from schemas import xmldoc
from schemas.errors import DocumentUnreadable, EnvelopeUnreadable, IdentifierInvalid
from schemas.ids import Mailbox
from schemas.submission import Channel, Envelope, SenderBlock

from . import fields
from .archive import Archive, FileUnreadable, PackageUnreadable

DESCRIPTOR = "Deskryptor.xml"
_LOCAL_TIME = "%d.%m.%YT%H:%M:%S.%f"
_ZIP = b"PK\3\4"
_PARTY = {
    "identifier": "Identyfikator",
    "person_kind": "TypOsoby",
    "first_name": "ImieSkrot",
    "name": "NazwiskoNazwa",
    "nip": "Nip",
    "pesel": "Pesel",
    "regon": "Regon",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One document the descriptor lists, not yet read. `number` counts from 1; `path` as it stands there."""

    number: int
    path: str
    element: etree._Element


class Package:
    """An open package. `mailbox`: for items that name none."""

    def __init__(self, archive: Archive, mailbox: Mailbox | None = None) -> None:
        """Raises PackageUnreadable: `import.no_descriptor`, `import.descriptor_unreadable`."""
        self._archive, self._mailbox = archive, mailbox
        names = [name for name in archive.files() if name.rpartition("/")[2].lower() == DESCRIPTOR.lower()]
        if len(names) != 1:
            raise PackageUnreadable("import.no_descriptor", found=len(names))
        self._descriptor = names[0]
        try:
            root = xmldoc.parse(archive.read(names[0])).getroot()
        except (DocumentUnreadable, FileUnreadable) as error:
            raise PackageUnreadable("import.descriptor_unreadable", reason=error.code) from error
        if etree.QName(root).localname != "Dokumenty":
            raise PackageUnreadable("import.descriptor_unreadable", reason="Dokumenty")
        self.items = tuple(
            Item(number, _said(element, "SciezkaWArchiwum") or "", element)
            for number, element in enumerate(root.findall("Dokument"), start=1)
        )

    def envelope(self, item: Item) -> Envelope:
        """One item with its document's octets.

        Raises: FileUnreadable: `import.path_missing`, `.file_missing`, `.file_empty`, `.nested_archive`,
                `.mailbox_missing`, `.mailbox_invalid`, or as `Archive.read`.
        """
        name = self._name(item)
        document = self._archive.read(name)
        if not document:
            raise FileUnreadable("import.file_empty")
        if document.startswith(_ZIP):
            raise FileUnreadable("import.nested_archive")
        element = item.element
        made = Envelope(
            channel=Channel.IMPORT,
            mailbox=self._box(element),
            document=document,
            raw=etree.tostring(element, encoding="UTF-8", with_tail=False),
            file_name=_said(element, "NazwaPliku") or name.rpartition("/")[2],
            sender=_sender(element),
            reply_mailbox=_said(element, "AdresOdpowiedzi"),
        )
        return replace(made, posted_at=_posted_at(element), epuap_document_id=_document_id(element))

    def unlisted(self) -> Iterator[str]:
        """Files no item names: receipts, or something forgotten."""
        named = {self._descriptor}
        for item in self.items:
            try:
                named.add(self._name(item))
            except FileUnreadable:
                continue
        yield from (name for name in self._archive.files() if name not in named)

    def read(self, name: str) -> bytes:
        """A file by its name in `unlisted`. Raises FileUnreadable."""
        return self._archive.read(name)

    def _name(self, item: Item) -> str:
        """Paths start where the archive does, or where the descriptor lies."""
        if not item.path:
            raise FileUnreadable("import.path_missing")
        folder = self._descriptor.rpartition("/")[0]
        for path in (item.path, f"{folder}/{item.path}"):
            found = self._archive.find(path)
            if found is not None:
                return found
        raise FileUnreadable("import.file_missing")

    def _box(self, element: etree._Element) -> str:
        said = _said(element, "AdresSkrytki")
        try:
            box = Mailbox(said) if said else self._mailbox
        except IdentifierInvalid as error:
            raise FileUnreadable("import.mailbox_invalid") from error
        if box is None:
            raise FileUnreadable("import.mailbox_missing")
        return str(box)


def _said(element: etree._Element, name: str) -> str | None:
    return fields.text(element.find(name))


def _sender(element: etree._Element) -> SenderBlock:
    party, account = element.find("DanePodmiotu"), element.find("DaneNadawcy")
    known = {} if party is None else {ours: _said(party, theirs) for ours, theirs in _PARTY.items()}
    if account is not None:
        known |= {"user": _said(account, "Uzytkownik"), "system": _said(account, "System")}
    return SenderBlock(**known)


def _posted_at(element: etree._Element) -> datetime | None:
    """Polish wall time, day first; one that cannot be read costs only itself."""
    written = _said(element, "DataNadania") or ""
    try:
        return datetime.strptime(written, _LOCAL_TIME).replace(tzinfo=WARSAW).astimezone(UTC)
    except ValueError:
        pass
    try:
        return fields.moment(written)
    except (ValueError, OverflowError):
        return None


def _document_id(element: etree._Element) -> str | None:
    try:
        return fields.document_id(fields.octets(_said(element, "DaneDodatkowe") or "", "DaneDodatkowe"))
    except EnvelopeUnreadable:
        return None
