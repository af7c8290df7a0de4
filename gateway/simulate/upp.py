"""UPPs and UPDs as ePUAP writes them: XPath transforms, a detached reference by file name, local times, no C14N."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from lxml import etree

from gateway.simulate import citizens, xmlsign
from gateway.simulate.pki import Identity
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import UPO, XADES, parse, qname

_WARSAW = ZoneInfo("Europe/Warsaw")
_NOT_UNSIGNED = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>'
    "not(ancestor-or-self::*[local-name()='UnsignedProperties' and "
    f"namespace-uri()='{XADES}'])</ds:XPath></ds:Transform>"
)


@dataclass(frozen=True, slots=True)
class UppData:
    """What one UPP states; parties as (name, ePUAP id)."""

    number: int
    document_number: int
    addressee: tuple[str, str]
    sender: tuple[str, str]
    file_name: str


@dataclass(frozen=True, slots=True)
class UpdData:
    """What one UPD states: the office's own ids of document and case, parties as (name, ePUAP id)."""

    number: int
    document_id: str
    case_id: str
    addressee: tuple[str, str]
    issuer: tuple[str, str]
    file_name: str


def upd(data: UpdData, document: bytes, seal: Identity, at: datetime | None = None) -> bytes:
    """An UPD for `document`, sealed and bound as an UPP is."""
    moment = at or datetime.now(UTC)
    return _sealed(_plain_upd(data, moment), data.file_name, document, seal, moment)


def upp(data: UppData, document: bytes, seal: Identity, at: datetime | None = None) -> bytes:
    """An UPP for `document`, sealed. Bound to it by the digest of its C14N without XAdES unsigned properties."""
    moment = at or datetime.now(UTC)
    return _sealed(_plain(data, moment), data.file_name, document, seal, moment)


def _sealed(plain: bytes, file_name: str, document: bytes, seal: Identity, moment: datetime) -> bytes:
    mark = f"id-{uuid4().hex}"
    refs = (
        xmlsign.Ref("", _constant(xmlsign.document_octets(plain)), xmlsign.NOT_SIGNATURE, id=f"r-{mark}"),
        xmlsign.Ref(quote(file_name), _constant(_detached(document)), _NOT_UNSIGNED),
        citizens._signed_properties_ref(f"xades-{mark}"),
    )
    objects = citizens._dss_properties(mark, seal, moment)
    return xmlsign.sign(plain, seal, refs, signature_id=mark, objects=objects)


def _plain(data: UppData, moment: datetime) -> bytes:
    local = moment.astimezone(_WARSAW).replace(tzinfo=None).isoformat(timespec="milliseconds")
    further = {
        "Źródło": "Poświadczenie wystawione przez symulowany ePUAP (TEST)",
        "Identyfikator ePUAP dokumentu": str(data.document_number),
    }
    told = "".join(
        f'<pos:InformacjaUzupelniajaca TypInformacjiUzupelniajacej="{kind}">{text}</pos:InformacjaUzupelniajaca>'
        for kind, text in further.items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="{UPO}UPO.xsl"?>\n'
        f'<pos:Dokument xmlns:pos="{UPO}"><pos:UPP>'
        f"<pos:IdentyfikatorPoswiadczenia>ePUAP-UPP{data.number}</pos:IdentyfikatorPoswiadczenia>"
        f"{_party('Adresat', data.addressee)}{_party('Nadawca', data.sender)}"
        f"<pos:DataDoreczenia>{local}</pos:DataDoreczenia>"
        f"<pos:DataWytworzeniaPoswiadczenia>{local}</pos:DataWytworzeniaPoswiadczenia>"
        f"<pos:IdentyfikatorDokumentu>DOK{data.document_number}</pos:IdentyfikatorDokumentu>{told}"
        "</pos:UPP></pos:Dokument>"
    ).encode()


def _plain_upd(data: UpdData, moment: datetime) -> bytes:
    local = moment.astimezone(_WARSAW).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="{UPO}UPO.xsl"?>\n'
        f'<pos:Dokument xmlns:pos="{UPO}"><pos:UPD>'
        f"<pos:IdentyfikatorPoswiadczenia>ePUAP-UPD{data.number}</pos:IdentyfikatorPoswiadczenia>"
        f"{_party('PodmiotWystawiajacyPoswiadczenie', data.issuer)}{_party('Adresat', data.addressee)}"
        f"<pos:DataOdbioru>{local}</pos:DataOdbioru>"
        f"<pos:DataUtworzeniaPoswiadczenia>{local}</pos:DataUtworzeniaPoswiadczenia>"
        f"<pos:IdentyfikatorSprawy>{escape(data.case_id)}</pos:IdentyfikatorSprawy>"
        f"<pos:IdentyfikatorDokumentu>{escape(data.document_id)}</pos:IdentyfikatorDokumentu>"
        "</pos:UPD></pos:Dokument>"
    ).encode()


def _party(role: str, who: tuple[str, str]) -> str:
    name, identifier = (escape(text) for text in who)
    return (
        f"<pos:{role}><pos:Nazwa>{name}</pos:Nazwa>"
        f'<pos:IdentyfikatorPodmiotu TypIdentyfikatora="ePUAP-ID">{identifier}</pos:IdentyfikatorPodmiotu></pos:{role}>'
    )


def _detached(document: bytes) -> bytes:
    """What the detached reference digests; the octets themselves where the document is no XML."""
    try:
        tree = parse(document)
    except DocumentUnreadable:
        return document
    for unsigned in list(tree.iter(qname(XADES, "UnsignedProperties"))):
        xmlsign._cut(unsigned)
    return etree.tostring(tree, method="c14n")


def _constant(octets: bytes) -> xmlsign.Octets:
    return lambda _signature: octets
