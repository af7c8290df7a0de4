"""A gateway that fetches big files from a simulated ePUAP, and letters that refer to them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import requests

from gateway.app import ConfiguredOffices, attachment_rules
from gateway.config import load as load_config
from gateway.repositories import file_tools_of
from gateway.simulate.offices.client import Office
from gateway.simulate.writing import File
from gateway.store import files
from gateway.store.database import Store
from schemas.files import LinkedFile
from schemas.submission import Submission
from tests.builders import a_signed_document
from tests.gateways import Gateway, a_gateway
from tests.outboxes import configure

HOST = "epuap.invalid"
CONTENT = b"%PDF-1.4\n" + bytes(range(256)) * 6000  # a few pieces


def files_toml(office: Office, folder: Path, **more: object) -> str:
    """The [files] table for this ePUAP."""
    given = {
        "url": f'"{office.url}/repo-ws-ext/FileRepoService"',
        "hosts": f'["{HOST}"]',
        "spool": f'"{folder}/spool"',
        "limit_bytes": 64 * 1024 * 1024,
        "timeout_s": 30.0,
        "gone_codes": "[-30]",
        **more,
    }
    return "\n[files]\n" + "\n".join(f"{name} = {value}" for name, value in given.items()) + "\n"


def configured(folder: Path, office: Office, database_url: str = "", tenant: str = "", **more: object) -> Path:
    """A configuration folder whose gminas fetch big files from `office`."""
    configure(folder, office, database_url=database_url, tenant=tenant)
    with (folder / "gateway.toml").open("a", encoding="utf-8") as file:
        file.write(files_toml(office, folder, **more))
    return folder


def fetching(store: Store, folder: Path) -> Gateway:
    """A gateway on a configuration made by `configured`, which drafts no letters; forms are compiled once for all."""
    config = load_config(folder)
    shared = a_gateway(store, folder).tools
    files = file_tools_of(config, partial(attachment_rules, config))
    return Gateway(replace(shared, config=config, offices=ConfiguredOffices(config), files=files, mail=None))


def uploaded(office: Office, content: bytes = CONTENT, name: str = "plan.pdf") -> str:
    """A citizen uploads a file; its id."""
    order = {"content": base64.b64encode(content).decode(), "name": name}
    answer = requests.post(f"{office.url}/simulated/file", json=order, timeout=120)
    return str(answer.json()["file_id"])


def address_of(file_id: str, host: str = HOST) -> str:
    """As documents name a file."""
    return f"https://{host}/file-download-servlet/DownloadServlet?fileId={file_id}"


def a_letter(addresses: Sequence[str]) -> bytes:
    """A signed letter whose attachments are only addresses."""
    attached = [File(f"załącznik {n}.pdf", b"", address=one) for n, one in enumerate(addresses, 1)]
    return a_signed_document("letter", files=attached)


def linked(gateway: Gateway, submission: Submission) -> list[LinkedFile]:
    """The submission's links as they stand."""
    with gateway.tools.store.begin() as transaction:
        return files.of_submission(transaction, submission.id)


def content_of(gateway: Gateway, one: LinkedFile) -> bytes:
    """What is kept of a file."""
    assert one.id is not None
    with gateway.tools.store.begin() as transaction:
        return b"".join(files.pieces(transaction, one.id))
