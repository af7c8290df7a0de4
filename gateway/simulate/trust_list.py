"""A trusted list in the form of ETSI TS 119 612, made and signed on the spot by a generated scheme operator."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.simulate import citizens, pki
from gateway.simulate.people import person
from gateway.simulate.pki import Identity, Pki

TSL = "http://uri.etsi.org/02231/v2#"
_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
_KIND = "http://uri.etsi.org/TrstSvc/Svctype/"
_TYPE = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/"
_USE = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"


@dataclass(frozen=True, slots=True)
class Listed:
    """A service to list. `history`: (status, since), the present one first. `extension`: raw XML, marked critical."""

    certificate: x509.Certificate
    history: tuple[tuple[str, datetime], ...]
    kind: str = "CA/QC"
    name: str = "TEST usługa"
    uses: tuple[str, ...] = ()
    extension: str = ""


def scheme_operator(at: datetime) -> Identity:
    """Who signs lists; trusted by being pinned."""
    own = pki.authority(pki.name("TEST Operator TSL", "TEST"), at=at)
    return pki.issue(pki.name("TEST Operator listy", "TEST"), own, at=at, key=pki.new_key("rsa2048"))


def trust_list(
    services: Sequence[Listed],
    operator: Identity,
    signed_with: Pki,
    *,
    issued_at: datetime,
    sequence: int = 1,
    valid_for: timedelta | None = timedelta(days=180),
    territory: str = "PL",
    kind: Literal["EUgeneric", "EUlistofthelists"] = "EUgeneric",
    pointers: Sequence[tuple[str, str, x509.Certificate]] = (),
) -> bytes:
    """A signed list; `pointers` are (territory, location, signer) of other lists."""
    listed = "".join(_service(service) for service in services)
    document = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<TrustServiceStatusList xmlns="{TSL}" '
        f'xmlns:tslx="http://uri.etsi.org/02231/v2/additionaltypes#" Id="tsl-{sequence}" TSLTag="http://uri.etsi.org/19612/TSLTag">'
        f"<SchemeInformation><TSLVersionIdentifier>5</TSLVersionIdentifier>"
        f"<TSLSequenceNumber>{sequence}</TSLSequenceNumber><TSLType>{_TYPE}{kind}</TSLType>"
        f'<SchemeOperatorName><Name xml:lang="pl">TEST operator</Name></SchemeOperatorName>'
        f"<SchemeTerritory>{territory}</SchemeTerritory>{_pointers(pointers)}"
        f"<ListIssueDateTime>{_time(issued_at)}</ListIssueDateTime>"
        f"<NextUpdate>{f'<dateTime>{_time(issued_at + valid_for)}</dateTime>' if valid_for else ''}</NextUpdate>"
        f"</SchemeInformation><TrustServiceProviderList><TrustServiceProvider><TSPInformation><TSPName>"
        f'<Name xml:lang="en">TEST provider</Name><Name xml:lang="pl">TEST dostawca</Name></TSPName></TSPInformation>'
        f"<TSPServices>{listed}</TSPServices></TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"
    ).encode()
    return citizens.sign_qualified(document, person(0), signed_with, issued_at, identity=operator)


def _service(service: Listed) -> str:
    (status, since), *earlier = service.history
    history = "".join(
        f"<ServiceHistoryInstance>{_information(service, *item, extended=False)}</ServiceHistoryInstance>"
        for item in earlier
    )
    now = _information(service, status, since, extended=True)
    shown = f"<ServiceHistory>{history}</ServiceHistory>" if history else ""
    return f"<TSPService><ServiceInformation>{now}</ServiceInformation>{shown}</TSPService>"


def _information(service: Listed, status: str, since: datetime, *, extended: bool) -> str:
    extensions = "".join(
        '<Extension Critical="true"><AdditionalServiceInformation>'
        f'<URI xml:lang="en">{_USE}{use}</URI></AdditionalServiceInformation></Extension>'
        for use in service.uses
    )
    if service.extension:
        extensions += f'<Extension Critical="true">{service.extension}</Extension>'
    if extensions and extended:
        extensions = f"<ServiceInformationExtensions>{extensions}</ServiceInformationExtensions>"
    return (
        f"<ServiceTypeIdentifier>{_KIND}{service.kind}</ServiceTypeIdentifier>"
        f'<ServiceName><Name xml:lang="en">{escape(service.name)}</Name></ServiceName>'
        f"<ServiceDigitalIdentity><DigitalId><X509Certificate>{_der(service.certificate)}</X509Certificate></DigitalId>"
        f"</ServiceDigitalIdentity><ServiceStatus>{_STATUS}{status}</ServiceStatus>"
        f"<StatusStartingTime>{_time(since)}</StatusStartingTime>{extensions if extended else ''}"
    )


def _pointers(pointers: Sequence[tuple[str, str, x509.Certificate]]) -> str:
    listed = "".join(
        "<OtherTSLPointer><ServiceDigitalIdentities><ServiceDigitalIdentity><DigitalId>"
        f"<X509Certificate>{_der(signer)}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        f"</ServiceDigitalIdentities><TSLLocation>{escape(location)}</TSLLocation><AdditionalInformation>"
        f"<OtherInformation><TSLType>{_TYPE}EUgeneric</TSLType></OtherInformation>"
        f"<OtherInformation><SchemeTerritory>{territory}</SchemeTerritory></OtherInformation>"
        f"<OtherInformation><tslx:MimeType>{'application/pdf' if location.endswith('pdf') else 'application/xml'}"
        "</tslx:MimeType></OtherInformation></AdditionalInformation></OtherTSLPointer>"
        for territory, location, signer in pointers
    )
    return f"<PointersToOtherTSL>{listed}</PointersToOtherTSL>" if listed else ""


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
