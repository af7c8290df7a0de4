"""All mapping tables of some folders: found at once, read and compiled when first used, shared between threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from gateway import resources
from gateway.mapping.record import RecordTable, read_record_table
from gateway.mapping.table import Table, read_table
from schemas.errors import MappingError

_FORM = re.compile(r'(?m)^form\s*=\s*"([^"]+)"')


class Mappings:
    """Form namespace → mapping table; name → record mapping."""

    def __init__(self, tables: dict[str, Path], records: dict[str, Path], parts: dict[str, Path]) -> None:
        self._tables, self._records, self._parts = tables, records, parts
        self._read: dict[str, Table] = {}
        self._read_records: dict[str, RecordTable] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folders: Sequence[Path] | None = None) -> Mappings:
        """Find the tables of the packaged folder and then of `folders`; a later folder wins.

        Tables include the shared parts of their own folder, the packaged ones where it has no `parts/`.

        Raises MappingError `mapping.form_missing` (no form line), `mapping.duplicate` (two in one folder).
        """
        tables: dict[str, Path] = {}
        records: dict[str, Path] = {}
        parts: dict[str, Path] = {}
        shipped = resources.folder("mappings")
        for folder in (shipped, *(folders or ())):
            found = _tables_in(folder)
            tables |= found
            shared = folder if (folder / "parts").is_dir() else shipped
            parts |= dict.fromkeys((str(path) for path in found.values()), shared / "parts")
            records |= {path.stem: path for path in sorted((folder / "records").glob("*.toml"))}
        return cls(tables, records, parts)

    def __iter__(self) -> Iterator[str]:
        """Namespaces of the forms that have a table."""
        return iter(sorted(self._tables))

    def __contains__(self, namespace: str) -> bool:
        return namespace in self._tables

    def get(self, namespace: str) -> Table | None:
        """The table of a form, or None. Raises MappingError where the file is wrong."""
        path = self._tables.get(namespace)
        if path is None:
            return None
        with self._lock:
            if namespace not in self._read:
                self._read[namespace] = read_table(path, self._parts[str(path)])
            return self._read[namespace]

    def file(self, namespace: str) -> Path:
        """The file of a form's table. Raises KeyError."""
        return self._tables[namespace]

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the record mappings."""
        return tuple(sorted(self._records))

    def record(self, name: str) -> RecordTable:
        """A record mapping by name. Raises MappingError `mapping.record_unknown`, or what reading it says."""
        path = self._records.get(name)
        if path is None:
            raise MappingError("mapping.record_unknown", mapping=name, known=", ".join(self.records))
        with self._lock:
            if name not in self._read_records:
                self._read_records[name] = read_record_table(path)
            return self._read_records[name]


@cache
def packaged() -> Mappings:
    """The tables that come with the gateway."""
    return Mappings.load()


def _tables_in(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        line = _FORM.search(path.read_text("utf-8"))
        if line is None:
            raise MappingError("mapping.form_missing", file=path.name, line=0, key="form")
        if line[1] in found:
            raise MappingError("mapping.duplicate", file=path.name, line=0, key="form", other=found[line[1]].name)
        found[line[1]] = path
    return found
