"""What the simulated ePUAP writes: answers as markup, in the prefixes and shapes of the real one."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from gateway.simulate.offices.server import Request, Response
from schemas.xmldoc import OBI

_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_INCLUDE = re.compile(rb"<xop:Include [^>]*/>")
_WARSAW = ZoneInfo("Europe/Warsaw")


def status(number: int, text: str = "OK") -> str:
    """`status{kod, komunikat}`."""
    return f"<status><kod>{number}</kod><komunikat>{escape(text)}</komunikat></status>"


EMPTY = {
    "short": status(0, "brak dokumentów"),
    "wordy": status(0, "brak dokumentów")
    + "<danePodmiotu/><daneNadawcy/><dataNadania/><nazwaSkrytki/><adresSkrytki/><adresOdpowiedzi/><czyTestowe/>"
    "<daneDodatkowe/><dokument><nazwaPliku/><zawartosc/></dokument>",
    "one": status(1),
}


def obi(element: str, inner: str) -> str:
    """An answer element in the namespace of ePUAP's objects; its children stand in none."""
    return f'<p140:{element} xmlns:p140="{OBI}">{inner}</p140:{element}>'


def file(file_name: str, content: str) -> str:
    """The content of a DokumentTyp; `content` is base64."""
    head = f"<nazwaPliku>{escape(file_name)}</nazwaPliku><typPliku>application/xml</typPliku>"
    return f"{head}<zawartosc>{content}</zawartosc>"


def pulled(head: dict[str, Any]) -> str:
    """The head of a box's queue; `answer` of it, if it has one, word for word."""
    if head.get("answer") is not None:
        return str(head["answer"])
    local = datetime.fromisoformat(head["at"]).astimezone(_WARSAW).replace(tzinfo=None)
    further = f"<Dane><IdentyfikatorDokumentu>{head['number']}</IdentyfikatorDokumentu></Dane>"
    return (
        f"{status(1)}<danePodmiotu><identyfikator>testowykonto</identyfikator><typOsoby>F</typOsoby>"
        "<imieSkrot>TEST</imieSkrot><nazwiskoNazwa>TESTOWY</nazwiskoNazwa><zgoda>true</zgoda></danePodmiotu>"
        "<daneNadawcy><uzytkownik>testowykonto</uzytkownik></daneNadawcy>"
        f"<dataNadania>{local.isoformat(timespec='milliseconds')}</dataNadania>"
        f"<nazwaSkrytki>{escape(head['mailbox'].rpartition('/')[2])}</nazwaSkrytki>"
        f"<adresSkrytki>{escape(head['mailbox'])}</adresSkrytki>"
        f"<adresOdpowiedzi>{escape(head['reply_mailbox'])}</adresOdpowiedzi>"
        f"<czyTestowe>{str(head['is_test']).lower()}</czyTestowe>"
        f"<daneDodatkowe>{base64.b64encode(further.encode()).decode()}</daneDodatkowe>"
        f"<dokument>{file(head['file_name'], head['content'])}</dokument>"
    )


def details(effect: dict[str, Any], store: str, element: str = "SzczegolyDokumentuTyp") -> str:
    """One line of a store's listing; times as GMT without a zone."""
    gmt = datetime.fromisoformat(effect["at"]).astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
    receipt = f"<idUPO>{effect['upp']}</idUPO>" if effect.get("upp") else f"<idUPO {nil}/>"
    to, back = effect.get("to", effect.get("mailbox", "")), effect.get("reply_mailbox", "")
    return (
        f"<{element}><id>{effect['number']}</id><nazwa>{escape(effect.get('file_name', ''))}</nazwa><metadane {nil}/>"
        f"{receipt}<nadawca><nazwa>TEST</nazwa><adres>{escape(back)}</adres></nadawca>"
        f"<adresat><nazwa>TEST</nazwa><adres>{escape(to)}</adres></adresat><dataNadania>{gmt}</dataNadania>"
        f"<dataOdebrania {nil}/><dataUtworzenia {nil}/><formularz {nil}/><folder>{store}</folder></{element}>"
    )


def out_of_parts(request: Request) -> bytes:
    """The envelope of a request, with the base64 of its file where the request has it in a part of its own (MTOM)."""
    kind = request.headers.get("content-type", "")
    boundary = _BOUNDARY.search(kind)
    if boundary is None or not kind.startswith("multipart/related"):
        return request.body
    mark = b"\r\n--" + boundary[1].encode()
    _, *parts, _ = (b"\r\n" + request.body).split(mark)
    root, *files = [part.partition(b"\r\n\r\n")[2] for part in parts]
    for content in files:
        root = _INCLUDE.sub(base64.b64encode(content), root, count=1)
    return root


def in_parts(whole: bytes) -> Response:
    """MTOM: the file's octets in a part of their own; the signature stays that of the base64 form."""
    start, end = whole.index(b"<file>") + 6, whole.index(b"</file>")
    include = b'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:file-1@epuap.invalid"/>'
    root = whole[:start] + include + whole[end:]
    mark, kind = b"--MIMEBoundary", 'multipart/related; type="application/xop+xml"; start="<root@epuap.invalid>"'
    body = b"\r\n".join(
        [
            mark, b'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"',
            b"Content-Transfer-Encoding: binary", b"Content-ID: <root@epuap.invalid>", b"", root,
            mark, b"Content-Type: application/octet-stream",
            b"Content-Transfer-Encoding: binary", b"Content-ID: <file-1@epuap.invalid>", b"",
            base64.b64decode(whole[start:end]), mark + b"--", b"",
        ]
    )  # fmt: skip
    return Response(200, body, f'{kind}; boundary="MIMEBoundary"; start-info="text/xml"')
