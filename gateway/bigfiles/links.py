"""Which files elsewhere a document refers to. No address that a citizen wrote is ever called: only ids are read."""

from __future__ import annotations

import re
from collections.abc import Collection

from lxml import etree

from gateway.attachments import attachments_of
from gateway.store import events, files
from gateway.tools import Tools
from gateway.transport.filerepo import file_id_of
from schemas.errors import DocumentUnreadable
from schemas.files import Link
from schemas.submission import Submission
from schemas.xmldoc import STR, STR_2008, parse, qname

_ATTACHMENTS = tuple(qname(namespace, "Zalacznik") for namespace in (STR, STR_2008))
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S{1,2000}")


def note(submission: Submission, tools: Tools) -> None:
    """Before a document is decided: what it refers to is written down and due to be fetched. Repeating it is harmless.

    Raises: StoreUnavailable.
    """
    links = links_of(submission.document, tools.config.gateway.files.hosts)
    if not links or submission.tenant is None:
        return
    with tools.store.begin() as transaction:
        if files.link(transaction, submission.id, submission.tenant, links):
            ours = sum(link.file_id is not None for link in links)
            events.append(transaction, submission.id, "files_named", fetched=ours, elsewhere=len(links) - ours)


def links_of(document: bytes, hosts: Collection[str]) -> tuple[Link, ...]:
    """Every attachment that is only an address, in the document's order.

    Args: hosts: whose addresses mean ePUAP's store (`files.hosts`); links to others come without `file_id`.
    """
    try:
        root = parse(document).getroot()  # while it is decided: parsed already
    except DocumentUnreadable:
        return ()
    if all(_is_inside(element) for element in root.iter(*_ATTACHMENTS)):
        return ()  # nearly every document: nothing decoded once more
    attachments = attachments_of(root)
    found = []
    for number, item in enumerate(attachments, start=1):
        file_id = file_id_of(item.uri, hosts) if item.uri else None
        if item.uri and (file_id or _ADDRESS.fullmatch(item.uri)):
            found.append(Link(number, item.name, item.declared_type, item.uri, file_id))
    return tuple(found)


def _is_inside(element: etree._Element) -> bool:
    return (element.get("kodowanie") or "").strip().lower() == "base64"
