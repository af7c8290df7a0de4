"""Attachments: decoded strictly, typed by content, held to rules, and shown to a virus scanner (clamd).

Nothing here writes a file or opens an archive's members: a zip is judged by its directory.
"""

from __future__ import annotations

import hashlib
import io
import socket
import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import puremagic
from lxml import etree

from gateway.mapping.transforms import base64_name, decode_base64
from schemas.finding import Finding, Severity
from schemas.texts import text
from schemas.xmldoc import STR, STR_2008

_ATTACHMENTS = tuple(f"{{{namespace}}}Zalacznik" for namespace in (STR, STR_2008))
_ZIPPED = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp", "zip", "jar", "epub", "zipx"})
_CHUNK = 64 * 1024
_HEAD = 256 * 1024  # enough to tell a type by


class Scan(StrEnum):
    """What the scanner said."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNKNOWN = "unknown"  # no scanner configured, or it cannot be asked now


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tenant takes. Sizes in bytes; `types`: endings by content, without a dot; an empty set takes all."""

    size_bytes: int = 10 * 1024 * 1024
    total_bytes: int = 50 * 1024 * 1024
    count: int = 50
    types: frozenset[str] = frozenset()
    refused_types: frozenset[str] = frozenset({"exe", "dll", "msi", "scr", "com", "bat", "js", "jar", "elf", "class"})
    unpacked_bytes: int = 500 * 1024 * 1024
    unpacked_ratio: int = 200
    unpacked_files: int = 10_000


@dataclass(frozen=True, slots=True)
class AttachmentContent:
    """One attachment as sent, and what it is. `type` by content; `content` empty for an address or undecodable text."""

    name: str
    declared_type: str
    type: str | None
    size_bytes: int
    uri: str | None
    line: int | None
    content: bytes = field(repr=False, default=b"")

    @property
    def sha256(self) -> str | None:
        """Of the content, hex, computed when asked for: taking a document in never asks, and it is megabytes."""
        return hashlib.sha256(self.content).hexdigest() if self.content else None


@dataclass(frozen=True, slots=True)
class Judged:
    """An attachment with everything there is to say about it."""

    attachment: AttachmentContent
    scan: Scan
    findings: tuple[Finding, ...]


class Scanner:
    """A clamd on a socket of this machine or at host:port; speaks INSTREAM, sends no file names.

    Args: address: `/run/clamav/clamd.ctl` or `host:port`; timeout_s: of each step on the wire.
    """

    def __init__(self, address: str, timeout_s: float = 20.0) -> None:
        self.address, self.timeout_s = address, timeout_s

    def scan(self, content: bytes) -> Scan:
        """CLEAN or INFECTED as clamd says; UNKNOWN when it cannot be asked or says anything else."""
        return self.scan_file(io.BytesIO(content))

    def scan_file(self, file: BinaryIO) -> Scan:
        """The same for an open file, read to its end."""
        try:
            with self._connect() as wire:
                wire.sendall(b"zINSTREAM\0")
                while chunk := file.read(_CHUNK):
                    wire.sendall(struct.pack("!I", len(chunk)) + chunk)
                wire.sendall(struct.pack("!I", 0))
                return _verdict(_answer(wire))
        except OSError:
            return Scan.UNKNOWN

    def ping(self) -> bool:
        """Is it there?"""
        try:
            with self._connect() as wire:
                wire.sendall(b"zPING\0")
                return _answer(wire) == b"PONG"
        except OSError:
            return False

    def _connect(self) -> socket.socket:
        if self.address.startswith("/"):
            wire = socket.socket(socket.AF_UNIX)
            try:
                wire.settimeout(self.timeout_s)
                wire.connect(self.address)
            except OSError:
                wire.close()
                raise
            return wire
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), self.timeout_s)


def attachments_of(root: etree._Element, *, names_are_base64: bool = False) -> list[AttachmentContent]:
    """Every attachment of a document, decoded strictly; of what cannot be decoded the content stays empty.

    Args: names_are_base64: in the signed-file wrapper names are base64 of UTF-8; decided by form, never guessed.
    """
    return [_read(element, names_are_base64) for element in root.iter(*_ATTACHMENTS)]


def judge(attachments: list[AttachmentContent], rules: Rules, scanner: Scanner | None = None) -> list[Judged]:
    """Hold attachments to the rules and show them to the scanner; findings carry `attachment.*` codes."""
    total = sum(item.size_bytes for item in attachments)
    over = [_finding("attachment.total_size", None, limit=rules.total_bytes)] if total > rules.total_bytes else []
    if len(attachments) > rules.count:
        over.append(_finding("attachment.count", None, limit=rules.count))
    judged = []
    for item in attachments:
        scan = scanner.scan(item.content) if scanner and item.content else Scan.UNKNOWN
        findings = [*over, *_findings(item, rules)]
        if scan is Scan.INFECTED:
            findings.append(_finding("attachment.infected", item.line))
        elif scanner and item.content and scan is Scan.UNKNOWN:
            findings.append(_finding("attachment.not_scanned", item.line, Severity.WARNING))
        judged.append(Judged(item, scan, tuple(findings)))
        over = []  # said once, with the first
    return judged


def judge_file(
    path: Path, declared_type: str, rules: Rules, scanner: Scanner | None = None
) -> tuple[str | None, tuple[Finding, ...]]:
    """A file on disk that came beside its document: (type by content, findings). Its size is limited elsewhere."""
    with path.open("rb") as file:
        kind, size = content_type(file.read(_HEAD)), file.seek(0, io.SEEK_END)
        found = list(_of_type(kind, declared_type, rules, None))
        if kind in _ZIPPED and _is_bomb(file, size, rules):
            found.append(_finding("attachment.zip_bomb", None))
        file.seek(0)
        scan = scanner.scan_file(file) if scanner else Scan.CLEAN
    if scan is Scan.INFECTED:
        found.append(_finding("attachment.infected", None))
    elif scan is Scan.UNKNOWN:
        found.append(_finding("attachment.not_scanned", None, Severity.WARNING))
    return kind, tuple(found)


def content_type(content: bytes) -> str | None:
    """The usual ending for what this is by its content, without a dot; None where nothing is recognised."""
    if content.startswith((b"MZ", b"\x7fELF")):
        return "exe" if content.startswith(b"MZ") else "elf"
    try:
        found = puremagic.from_string(content)
    except (puremagic.PureError, ValueError):
        return _plain(content)
    return str(found).removeprefix(".").lower() or None


def _read(element: etree._Element, names_are_base64: bool) -> AttachmentContent:
    data = element.find(f"{{{etree.QName(element).namespace}}}DaneZalacznika")
    written = (data.text or "").strip() if data is not None else ""
    is_base64 = (element.get("kodowanie") or "").strip().lower() == "base64"
    content = b""
    with suppress(ValueError):  # told by check.attachment_base64
        content = decode_base64(written) if is_base64 else b""
    return AttachmentContent(
        name=_name(element.get("nazwaPliku") or "", names_are_base64),
        declared_type=element.get("format") or "",
        type=content_type(content) if content else None,
        size_bytes=len(content),
        uri=written if not is_base64 and written else None,
        line=int(str(element.sourceline)) if element.sourceline is not None else None,
        content=content,
    )


def _name(written: str, is_base64: bool) -> str:
    """As the sender wrote it: it may hold a path, and must never become one."""
    try:
        return (base64_name(written) or "") if is_base64 else written
    except ValueError:
        return written


def _findings(item: AttachmentContent, rules: Rules) -> list[Finding]:
    found = []
    if not item.name.strip():
        found.append(_finding("attachment.name_missing", item.line, Severity.WARNING))
    if item.size_bytes > rules.size_bytes:
        found.append(_finding("attachment.size", item.line, limit=rules.size_bytes))
    if item.content:
        found += _of_type(item.type, item.declared_type, rules, item.line)
    if item.type in _ZIPPED and is_bomb(item.content, rules):
        found.append(_finding("attachment.zip_bomb", item.line))
    return found


def _of_type(kind: str | None, declared: str, rules: Rules, line: int | None) -> Iterator[Finding]:
    if kind in rules.refused_types or (rules.types and kind not in rules.types):
        yield _finding("attachment.type_refused", line, type=kind or "?")
    elif kind and declared and not _agree(kind, declared):
        yield _finding("attachment.type_differs", line, Severity.WARNING, type=kind)


def is_bomb(content: bytes, rules: Rules) -> bool:
    """Judged by the archive's directory: total size, ratio, number of members, overlapping members, archives inside."""
    return _is_bomb(io.BytesIO(content), len(content), rules)


def _is_bomb(file: BinaryIO, size: int, rules: Rules) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False  # not an archive that anything would unpack
    unpacked = sum(member.file_size for member in members)
    starts = {member.header_offset for member in members}
    return (
        unpacked > rules.unpacked_bytes
        or unpacked > rules.unpacked_ratio * max(size, 1)
        or len(members) > rules.unpacked_files
        or len(starts) < len(members)
        or sum(member.compress_size for member in members) > size
    )


_TYPES = {
    "pdf": ("application/pdf",), "png": ("image/png",), "jpg": ("image/jpeg", "image/jpg"), "jpeg": ("image/jpeg",),
    "tif": ("image/tiff",), "tiff": ("image/tiff",), "gif": ("image/gif",), "xml": ("text/xml", "application/xml"),
    "txt": ("text/plain",), "zip": ("application/zip", "application/x-zip-compressed"),
    "rtf": ("application/rtf", "text/rtf"),
}  # fmt: skip


def _agree(found: str, declared: str) -> bool:
    """Where we know what a type is called on the wire, it must be called so; portals write other words (ZIPX)."""
    known = _TYPES.get(found)
    told = declared.split(";")[0].strip().lower()
    return known is None or told in known or "/" not in told


def _plain(content: bytes) -> str | None:
    try:
        head = content[:4096].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "xml" if head.lstrip("\ufeff \r\n\t").startswith("<") else "txt"


def _answer(wire: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < 4096:
        part = wire.recv(4096)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0")


def _verdict(answer: bytes) -> Scan:
    if answer.endswith(b" FOUND"):
        return Scan.INFECTED
    return Scan.CLEAN if answer.endswith(b": OK") else Scan.UNKNOWN


def _finding(code: str, line: int | None, severity: Severity = Severity.ERROR, **facts: object) -> Finding:
    return Finding(code, severity, line, None, text(code, "pl", **facts), text(code, "en", **facts))
