"""Files and stores of the simulated ePUAP: FileRepo gives a file out once; ZarzadzanieDokumentami lists and reads."""

from __future__ import annotations

from uuid import uuid4
from xml.sax.saxutils import escape

from lxml import etree

from gateway.simulate import epuap_markup as markup
from gateway.simulate.offices.epuap_common import FILES, STORES, Operations, Options, Refusal
from gateway.simulate.offices.ledger import Ledger


class Files:
    """Everything is in the ledger: files, and what was fetched."""

    def __init__(self, ledger: Ledger, options: Options) -> None:
        self._ledger, self._options = ledger, options
        self.operations: Operations = {
            ("FileRepoService", "UploadFileParam"): self._upload,
            ("FileRepoService", "DownloadFileParam"): self._download,
            ("ZarzadzanieDokumentami", "zawartoscSkladu"): self._listing,
            ("ZarzadzanieDokumentami", "pobierzDokument"): self._stored,
        }

    def keep(self, file_name: str, kind: str, content: str) -> str:
        """A file's id. `content` is base64."""
        file_id = (uuid4().hex * 3)[:72]
        self._ledger.add("file", file_id, name=file_name, kind=kind, content=content)
        return file_id

    def _upload(self, body: etree._Element, _headers: dict[str, str]) -> str:
        kept = self.keep(body.findtext("filename", ""), body.findtext("mimeType", ""), body.findtext("file", ""))
        said = self._options.uploaded.format(id=kept)
        return f'<ns2:fileId5 xmlns:ns2="{FILES}">{escape(said)}</ns2:fileId5>'

    def _download(self, body: etree._Element, _headers: dict[str, str]) -> str:
        file_id = body.findtext("fileId", "")
        found = self._ledger.find("file", identity=file_id)
        if found is None or self._ledger.find("fetched", identity=file_id):
            raise Refusal(-30, "plik nie istnieje albo został już pobrany")
        self._ledger.add("fetched", file_id)
        return (
            f'<ns2:DataDocument xmlns:ns2="{FILES}"><file>{found["content"]}</file>'
            f"<filename>{escape(found['name'])}</filename><mimeType>{escape(found['kind'])}</mimeType></ns2:DataDocument>"
        )

    def _listing(self, body: etree._Element, _headers: dict[str, str]) -> str:
        store = body.findtext("sklad/nazwa", "")
        effects = {"SENT": ("sent", "delivered"), "RECEIVED": ("placed",)}.get(store, ())
        found = [effect for what in effects for effect in self._ledger.all(what)]
        lines = "".join(markup.details(effect, store) for effect in found)
        inner = f"<zawartoscSkladu>{lines}</zawartoscSkladu>"
        return f'<p521:zawartoscSkladuResponse xmlns:p521="{STORES}">{inner}</p521:zawartoscSkladuResponse>'

    def _stored(self, body: etree._Element, _headers: dict[str, str]) -> str:
        number = int(body.findtext("idDokumentu", "0"))
        found = next(
            (effect for effect in self._ledger.all() if effect["number"] == number and "content" in effect), None
        )
        if found is None:
            raise Refusal(-40, "nie ma takiego dokumentu")
        inner = f"{markup.details(found, 'SENT', 'szczegolyDokumentu')}<tresc>{found['content']}</tresc>"
        whole = f"<pobierzDokumentResult>{inner}</pobierzDokumentResult>"
        return f'<p521:pobierzDokumentResponse xmlns:p521="{STORES}">{whole}</p521:pobierzDokumentResponse>'
