"""Read a trusted list (ETSI TS 119 612): check who signed it, refuse to go back, take out qualified services.

The list's signature is verified by a callable handed in (the signatures package's `verify`, trusting only the pinned
list signers), and only the signed content is read. Certificates inside a list are believed for nothing but what their
service entry says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree

from gateway.trust.services import CA_QC, TSA_QTST, Period, Service, ServiceStatusHistory, status_word
from gateway.trust.verdict import certificate_of, der, fingerprint
from schemas.errors import DocumentUnreadable, TrustError
from schemas.verification import Indication, Verification
from schemas.xmldoc import parse, qname

TSL = "http://uri.etsi.org/02231/v2#"
TSLX = "http://uri.etsi.org/02231/v2/additionaltypes#"
SIE = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"
_SERVICE = "http://uri.etsi.org/TrstSvc/Svctype/"
_LIST = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUgeneric"
_LIST_OF_LISTS = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
_USES = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
_KINDS = {f"{_SERVICE}{kind}": kind for kind in (CA_QC, TSA_QTST)}
_UNDERSTOOD = frozenset(  # extensions whose meaning is handled, or that only add to what is known
    {
        qname(TSL, "AdditionalServiceInformation"),
        qname(TSL, "ExpiredCertsRevocationInfo"),
        qname(TSLX, "TakenOverBy"),
        qname(SIE, "Qualifications"),
    }
)
_AHEAD = timedelta(hours=1)

Verify = Callable[[bytes, Sequence[x509.Certificate]], Verification]
"""List bytes, pinned signers → what its signatures are worth when nobody but those signers is trusted."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A list of lists names another list: where it is, and whose signature it must have."""

    territory: str
    location: str
    signers: tuple[x509.Certificate, ...]


def import_list(
    xml: bytes,
    pinned: Sequence[x509.Certificate],
    verify: Verify,
    *,
    now: datetime,
    previous: ServiceStatusHistory | None = None,
) -> ServiceStatusHistory:
    """Import a national trusted list.

    Args:    pinned: the signers it may have (from a verified list of lists, or installed by hand).
             previous: what was imported before; neither its number nor its date may be undercut.
    Raises:  TrustError: `trust.list_signature` (not signed by a pinned key, or not wholly), `.list_unreadable`,
             `.list_kind`, `.list_rollback`, `.list_other_territory`, `.list_expired`, `.list_from_future`.
    """
    root, signer = _signed_root(xml, pinned, verify)
    _expect_kind(root, _LIST)
    services, skipped = _services(root)
    history = ServiceStatusHistory(
        territory=_text(root, "SchemeInformation", "SchemeTerritory"),
        sequence=_sequence(root),
        issued_at=_time(_text(root, "SchemeInformation", "ListIssueDateTime")),
        next_update=_next_update(root),
        sha256=hashlib.sha256(xml).hexdigest(),
        signer_sha256=signer,
        services=tuple(services),
        skipped=tuple(skipped),
    )
    _refuse_going_back(history, previous)
    _refuse_untimely(history.issued_at, history.expired(now), now)
    return history


def import_pointers(
    xml: bytes, pinned: Sequence[x509.Certificate], verify: Verify, *, now: datetime
) -> tuple[Pointer, ...]:
    """Read the EU's list of lists: which signers each national list has. Raises as `import_list`."""
    root, _ = _signed_root(xml, pinned, verify)
    _expect_kind(root, _LIST_OF_LISTS)
    until = _next_update(root)
    issued = _time(_text(root, "SchemeInformation", "ListIssueDateTime"))
    _refuse_untimely(issued, until is not None and now > until, now)
    named = root.iterfind(f"{_path('SchemeInformation', 'PointersToOtherTSL', 'OtherTSLPointer')}")
    return tuple(pointer for element in named for pointer in _pointer(element))


def _signed_root(xml: bytes, pinned: Sequence[x509.Certificate], verify: Verify) -> tuple[etree._Element, str]:
    """The root of what a pinned signer signed, and who that was."""
    allowed = {fingerprint(certificate) for certificate in pinned}
    verification = verify(xml, pinned)
    good = [
        verdict.signer.certificate_sha256
        for verdict in verification.signatures
        if verdict.indication is Indication.PASSED and verdict.covers_document and verdict.signer
    ]
    signers = [name for name in good if name in allowed]
    if verification.indication is not Indication.PASSED or verification.signed_xml is None or not signers:
        codes = [reason.code for verdict in verification.signatures for reason in verdict.reasons]
        raise TrustError("trust.list_signature", reason=", ".join(codes[:3]) or verification.indication.value)
    try:
        root = parse(verification.signed_xml).getroot()
    except DocumentUnreadable as error:
        raise TrustError("trust.list_unreadable", reason=error.code) from error
    if root.tag != qname(TSL, "TrustServiceStatusList"):
        raise TrustError("trust.list_unreadable", reason="root")
    return root, signers[0] or ""


def _expect_kind(root: etree._Element, expected: str) -> None:
    kind = _text(root, "SchemeInformation", "TSLType")
    if kind != expected:
        raise TrustError("trust.list_kind", kind=kind[:120])


def _refuse_going_back(new: ServiceStatusHistory, old: ServiceStatusHistory | None) -> None:
    if old is None:
        return
    if new.territory != old.territory:
        raise TrustError("trust.list_other_territory", expected=old.territory, found=new.territory[:10])
    same = new.sequence == old.sequence and new.sha256 == old.sha256
    if not same and (new.sequence <= old.sequence or new.issued_at < old.issued_at):
        raise TrustError("trust.list_rollback", known=old.sequence, offered=new.sequence)


def _refuse_untimely(issued_at: datetime, expired: bool, now: datetime) -> None:
    if issued_at > now + _AHEAD:
        raise TrustError("trust.list_from_future", issued_at=issued_at.isoformat())
    if expired:
        raise TrustError("trust.list_expired", issued_at=issued_at.isoformat())


def _services(root: etree._Element) -> tuple[list[Service], list[str]]:
    found: list[Service] = []
    skipped: list[str] = []
    for provider in root.iterfind(_path("TrustServiceProviderList", "TrustServiceProvider")):
        name = _name(provider.find(_path("TSPInformation", "TSPName")))
        for element in provider.iterfind(_path("TSPServices", "TSPService")):
            information = element.find(_path("ServiceInformation"))
            if information is None:
                raise TrustError("trust.list_unreadable", reason="ServiceInformation")
            kind = _KINDS.get(_text(information, "ServiceTypeIdentifier"))
            if kind is None:
                continue  # another kind of service: not what we look for, so nothing is lost
            service = _service(kind, name, element, information)
            if isinstance(service, str):
                skipped.append(f"{name}: {service}")
            else:
                found.append(service)
    return found, skipped


def _service(kind: str, provider: str, element: etree._Element, information: etree._Element) -> Service | str:
    """The service, or why it cannot be used."""
    instances = [information, *element.iterfind(_path("ServiceHistory", "ServiceHistoryInstance"))]
    for instance in instances:
        for extension in instance.iterfind(_path("ServiceInformationExtensions", "Extension")):
            if extension.get("Critical") in ("true", "1") and not all(item.tag in _UNDERSTOOD for item in extension):
                return "unknown critical extension"
    certificates = _certificates(information)
    if not certificates:
        return "no certificate"
    return Service(
        kind=kind,
        provider=provider,
        name=_name(information.find(_path("ServiceName"))),
        certificates=certificates,
        periods=_periods(instances),
        uses=_uses(information),
    )


def _periods(instances: list[etree._Element]) -> tuple[Period, ...]:
    """Newest first; each status lasts until the next one began."""
    stated = sorted(
        ((_time(_text(item, "StatusStartingTime")), status_word(_text(item, "ServiceStatus"))) for item in instances),
        reverse=True,
    )
    ends: list[datetime | None] = [None, *(since for since, _ in stated)]
    return tuple(Period(status, since, until) for (since, status), until in zip(stated, ends, strict=False))


def _certificates(information: etree._Element) -> tuple[bytes, ...]:
    found = []
    for element in information.iterfind(_path("ServiceDigitalIdentity", "DigitalId", "X509Certificate")):
        found.append(der(_certificate(element)))
    return tuple(dict.fromkeys(found))


def _certificate(element: etree._Element) -> x509.Certificate:
    try:
        packed = base64.b64decode("".join((element.text or "").split()), validate=True)
        return certificate_of(packed)
    except (ValueError, binascii.Error) as error:
        raise TrustError("trust.list_unreadable", reason="X509Certificate") from error


def _uses(information: etree._Element) -> frozenset[str]:
    addresses = information.iterfind(
        _path("ServiceInformationExtensions", "Extension", "AdditionalServiceInformation", "URI")
    )
    words = [(item.text or "").strip() for item in addresses]
    return frozenset(word.removeprefix(_USES) for word in words if word.startswith(_USES))


def _pointer(element: etree._Element) -> Iterator[Pointer]:
    said = {child.tag: (child.text or "").strip() for child in element.iter() if isinstance(child.tag, str)}
    if said.get(qname(TSL, "TSLType")) != _LIST or "pdf" in said.get(qname(TSLX, "MimeType"), ""):
        return
    identities = element.iterfind(_path("ServiceDigitalIdentities", "ServiceDigitalIdentity", "DigitalId"))
    signers = tuple(
        _certificate(item) for identity in identities for item in identity.iterfind(_path("X509Certificate"))
    )
    yield Pointer(said.get(qname(TSL, "SchemeTerritory"), ""), said.get(qname(TSL, "TSLLocation"), ""), signers)


def _sequence(root: etree._Element) -> int:
    text = _text(root, "SchemeInformation", "TSLSequenceNumber")
    if not text.isdecimal() or len(text) > 12:
        raise TrustError("trust.list_unreadable", reason="TSLSequenceNumber")
    return int(text)


def _next_update(root: etree._Element) -> datetime | None:
    element = root.find(_path("SchemeInformation", "NextUpdate", "dateTime"))
    return _time((element.text or "").strip()) if element is not None else None


def _time(text: str) -> datetime:
    """A list's times are UTC; one without a zone is taken so."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TrustError("trust.list_unreadable", reason="dateTime") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(element: etree._Element, *steps: str) -> str:
    found = element.find(_path(*steps))
    if found is None or not (found.text or "").strip():
        raise TrustError("trust.list_unreadable", reason=steps[-1])
    return (found.text or "").strip()


def _name(element: etree._Element | None) -> str:
    """The Polish name, else the English one, else the first."""
    names = {} if element is None else {
        child.get("{http://www.w3.org/XML/1998/namespace}lang"): (child.text or "").strip() for child in element
    }  # fmt: skip
    return names.get("pl") or names.get("en") or next(iter(names.values()), "")


def _path(*steps: str) -> str:
    return "/".join(qname(TSL, step) for step in steps)
