"""Read a ZIP that somebody else made: within bounds, nothing written to disk, one bad file at a time.

Names are only compared, never opened as paths. Where they are not marked as UTF-8 every code page a Polish system may
have written is tried; a name that then fits two files fits none.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from schemas.errors import BramaError

_UTF8, _ENCRYPTED = 0x800, 0x1
_CODE_PAGES = ("utf-8", "cp852", "cp1250", "cp437")
_END, _END_BYTES, _COMMENT_BYTES = b"PK\5\6", 22, 65_535
_LOCATOR, _LONG_END = b"PK\6\7", b"PK\6\6"
_MANY = 0xFFFF
_SMALL = 1024 * 1024  # below this any ratio is harmless


class PackageUnreadable(BramaError):
    """The package as a whole cannot be read; nothing of it was imported. Codes: `import.*`."""

    code = "import.not_a_zip"


class FileUnreadable(BramaError):
    """One file of a package cannot be read. Codes: `import.*`."""

    code = "import.file_damaged"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a package may cost. Sizes in bytes, unpacked."""

    files: int = 20_000
    file_bytes: int = 96 * 1024 * 1024
    total_bytes: int = 8 * 1024 * 1024 * 1024
    ratio: int = 200


class Archive:
    """An open package. Close it, or use it as a context."""

    def __init__(self, path: Path, bounds: Bounds | None = None) -> None:
        """Raises PackageUnreadable: `import.not_a_zip`, `.too_many_files`, `.too_large`."""
        self._bounds = bounds or Bounds()
        try:
            self._refuse_long_directory(path)
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise PackageUnreadable(reason=type(error).__name__) from error
        self._entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in self._entries) > self._bounds.total_bytes:
            self.close()
            raise PackageUnreadable("import.too_large", limit=self._bounds.total_bytes)
        self._by_name: dict[str, list[zipfile.ZipInfo]] = {}
        for entry in self._entries:
            for name in _names(entry):
                self._by_name.setdefault(name, []).append(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def files(self) -> list[str]:
        """The names of all files, as far as they can be told, in the archive's order; these can be read."""
        return [next(iter(_names(entry))) for entry in self._entries]

    def find(self, name: str) -> str | None:
        """The file a descriptor means by `name`: how `files` calls it; None: there is none.

        Raises FileUnreadable: `import.name_unsafe`; `import.name_twice`: more than one could be meant.
        """
        wanted = _normal(name)
        if not wanted or ".." in wanted.split("/") or any(unicodedata.category(one) == "Cc" for one in wanted):
            raise FileUnreadable("import.name_unsafe")
        found = self._by_name.get(wanted, [])
        if len(found) > 1:
            raise FileUnreadable("import.name_twice")
        return next(iter(_names(found[0]))) if found else None

    def read(self, name: str) -> bytes:
        """One file, whole.

        Raises FileUnreadable: `import.name_twice`, `.file_encrypted`, `.file_too_large`, `.file_ratio`,
                `.file_damaged`.
        """
        found = self._by_name[name]
        if len(found) > 1:
            raise FileUnreadable("import.name_twice")
        entry, bounds = found[0], self._bounds
        if entry.flag_bits & _ENCRYPTED:
            raise FileUnreadable("import.file_encrypted")
        if entry.file_size > bounds.file_bytes:
            raise FileUnreadable("import.file_too_large", limit=bounds.file_bytes)
        if entry.file_size > max(_SMALL, bounds.ratio * entry.compress_size):
            raise FileUnreadable("import.file_ratio", limit=bounds.ratio)
        try:
            with self._zip.open(entry) as file:
                return file.read(entry.file_size)  # checks the CRC; never more than the directory said
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise FileUnreadable(reason=type(error).__name__) from error

    def _refuse_long_directory(self, path: Path) -> None:
        """Before the library reads the whole list of files into memory: how long does it say it is?"""
        with path.open("rb") as file:
            count = _entries(file)
        if count > self._bounds.files:
            raise PackageUnreadable("import.too_many_files", limit=self._bounds.files)


def _entries(file: BinaryIO) -> int:
    """How many files the end of the archive speaks of; 0 where it is none: the library says so then.

    Source: APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    size = file.seek(0, 2)
    start = max(0, size - _END_BYTES - _COMMENT_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0:
        return 0
    count: int = struct.unpack_from("<H", tail, at + 10)[0]
    if count != _MANY or tail[max(0, at - 20) : at][:4] != _LOCATOR:
        return count
    file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
    record = file.read(40)
    return int(struct.unpack_from("<Q", record, 32)[0]) if record.startswith(_LONG_END) else count


def _names(entry: zipfile.ZipInfo) -> Iterator[str]:
    """Every name a file may have, normal form; the likeliest first."""
    written = entry.orig_filename
    if entry.flag_bits & _UTF8:
        yield _normal(written)
        return
    octets, seen = written.encode("cp437", "replace"), set()
    for page in _CODE_PAGES:
        try:
            name = _normal(octets.decode(page))
        except UnicodeDecodeError:
            continue
        if name not in seen:
            seen.add(name)
            yield name


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./").lstrip("/")
