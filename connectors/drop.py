"""Hand a case over as files in a folder the office reads, once, even when the office takes the files away.

    <root>/.brama/ready/<try>/   everything of the case, complete and on disk, not yet visible to the office
    <root>/.brama/begun/<key>    names the one try that may publish; made exclusively, after its files are complete
    <root>/<key>.files/…         the original document, the receipt, attachments: published first
    <root>/<key>.json            the case itself: published last, so a reader that sees it sees everything

A rename is atomic, so after a crash the place itself tells how far we came: `begun` there and the case no longer in
`ready` means it was published, whether or not the office has moved it since. Two tries of one key, even at once,
publish once: only the try that `begun` names. The office must leave `.brama` alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import quote
from uuid import uuid4

from connectors.values import as_text
from schemas.delivery import CaseRecord

READ_AT_MOST = 1024 * 1024  # bytes of a mark or a response; what is longer is none
_READY = PurePosixPath(".brama/ready")
_BEGUN = PurePosixPath(".brama/begun")
_LONGEST_NAME = 200  # bytes; file systems allow 255, and suffixes come on top
# Besides what file systems refuse: marks that turn the direction of writing, and make `exe` look like `gpj`.
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class Place(Protocol):
    """A folder, here or on an SFTP server; paths are relative to its root. Errors are OSError."""

    def exists(self, path: PurePosixPath) -> bool:
        """Is there a file or folder of this name?"""
        ...

    def read(self, path: PurePosixPath) -> bytes | None:
        """A file's content, None when there is none; the first `READ_AT_MOST` bytes of a longer one."""
        ...

    def write(self, path: PurePosixPath, content: bytes) -> None:
        """Write a whole file, durably, making parent folders as needed; the folders themselves wait for `secure`."""
        ...

    def secure(self, *folders: PurePosixPath) -> None:
        """Make folders, and those above them, durable."""
        ...

    def claim(self, source: PurePosixPath, target: PurePosixPath) -> bool:
        """Move atomically unless the target exists; False then."""
        ...

    def rename(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Move atomically; FileNotFoundError when the source is not there."""
        ...

    def discard(self, folder: PurePosixPath) -> None:
        """Remove a folder of ours with what is left in it."""
        ...

    def settle(self) -> None:
        """Make the renames durable."""
        ...


class KeyUnusable(ValueError):
    """The key cannot become a file name."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One case as files: `main` names the case file, `content` is its bytes, `beside` goes before it."""

    key: str
    main: str
    content: bytes
    beside: tuple[tuple[str, bytes], ...] = ()


def published(place: Place, key: str, suffix: str) -> bool:
    """Did the case file of this key reach the office's folder, now or earlier?"""
    main = safe_name(key) + suffix
    if place.exists(PurePosixPath(main)):
        return True
    chosen = place.read(_BEGUN / safe_name(key))
    return chosen is not None and not place.exists(_READY / chosen.decode() / main)


def prepare(place: Place, drop: Drop) -> None:
    """Write everything out of the office's sight. Nothing is published; repeating it is harmless."""
    begun = _BEGUN / safe_name(drop.key)
    if place.exists(begun) or place.exists(PurePosixPath(drop.main)):
        return
    this_try = str(uuid4())
    folder = _READY / this_try
    for name, content in drop.beside:
        place.write(folder / _files(drop.key) / name, content)
    place.write(folder / drop.main, drop.content)
    place.write(_READY / f"{this_try}.claim", this_try.encode())
    place.secure(folder, *([folder / _files(drop.key)] if drop.beside else []))  # before `begun` says so
    if not place.claim(_READY / f"{this_try}.claim", begun):
        place.discard(folder)


def publish(place: Place, drop: Drop) -> None:
    """Make it visible, files first, the case last. What an earlier try has published already is left as it is."""
    chosen = place.read(_BEGUN / safe_name(drop.key))
    if chosen is None:  # published before the marks were tidied away
        return
    folder = _READY / chosen.decode()
    for name in (_files(drop.key), drop.main):
        if place.exists(folder / name):
            try:
                place.rename(folder / name, PurePosixPath(name))
            except FileNotFoundError:  # another try of the same key was faster
                continue
    place.discard(folder)


def case_json(record: CaseRecord, key: str) -> bytes:
    """The case file: key, tenant, kind, the mapped fields, the normalized case, and what lies beside it. UTF-8."""
    files = [
        {
            "name": file.name,
            "role": file.role,
            "content_type": file.content_type,
            "path": f"{_files(key)}/{stored}",
            "size_bytes": len(file.content),
            "sha256": hashlib.sha256(file.content).hexdigest(),
        }
        for file, stored in zip(record.files, file_names(record), strict=True)
    ]
    content = {
        "key": key,
        "tenant": record.tenant,
        "kind": record.kind,
        "is_test": record.is_test,
        "fields": record.fields,
        "case": record.case,
        "files": files,
    }
    return json.dumps(content, ensure_ascii=False, indent=2, default=as_text).encode()


def files_of(record: CaseRecord) -> tuple[tuple[str, bytes], ...]:
    """The record's files under the names they get beside the case."""
    return tuple((name, file.content) for name, file in zip(file_names(record), record.files, strict=True))


def file_names(record: CaseRecord) -> list[str]:
    """Names safe on any file system, numbered, so that equal names do not collide: `01-wniosek.xml`."""
    return [f"{number:02}-{_fit(file.name)}" for number, file in enumerate(record.files, start=1)]


def safe_name(key: str) -> str:
    """The key as a file name; different keys stay different.

    Raises: KeyUnusable: empty or too long.
    """
    name = quote(key, safe=" @+,=")
    name = "%2E" + name[1:] if name.startswith(".") else name
    if not key or len(name) > _LONGEST_NAME:
        raise KeyUnusable(f"{len(name)} bytes")
    return name


def _fit(name: str) -> str:
    kept = _UNFIT.sub("_", name).strip(" .") or "plik"
    return kept[-80:] if len(kept) > 80 else kept


def _files(key: str) -> str:
    return f"{safe_name(key)}.files"
