"""Take a published schema into a gmina's own folder: byte for byte, with origin and digest, imports resolved first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from gateway.formdata.closure import XS, compiled, gather
from schemas.errors import DocumentUnreadable, FormError
from schemas.ids import sha256
from schemas.xmldoc import parse

ENTRY = "schemat.xsd"
STYLE = "styl.xsl"


@dataclass(frozen=True, slots=True)
class Details:
    """What the catalogue says of a form beside its schema."""

    code: str
    version: str
    name_pl: str
    name_en: str
    kind: str = "general_letter"
    strict: bool = False
    signature: str = "required"
    source: str = ""
    status: str = "official"


class Libraries(Protocol):
    """What answers imports: the gateway's Forms."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that relative locations may point into."""
        ...

    @property
    def reconstructed(self) -> frozenset[Path]:
        """Library schemas that are not official."""
        ...

    def lookup(self, name: str) -> Path | None:
        """A library schema by namespace or URL."""
        ...


@dataclass(frozen=True, slots=True)
class Added:
    """What was written, and from where."""

    namespace: str
    file: Path
    sha256: str
    files: tuple[Path, ...]


def add(source: Path, folder: Path, details: Details, forms: Libraries, *, today: date) -> Added:
    """Copy a schema, or a folder with `schemat.xsd`, into `folder` and enter it in its catalogue.

    Args:    forms: the gateway's Forms, whose libraries answer imports.
    Raises:  FormError: `form.schema_unreadable`, `form.import_missing` with everything missing, `form.schema_invalid`,
             `form.component_missing`, `form.exists`. Nothing is written then.
    """
    entry = source / ENTRY if source.is_dir() else source
    namespace = namespace_of(entry)
    closure = gather(entry, forms.lookup, (entry.parent.resolve(), *forms.folders), forms.reconstructed)
    compiled(closure)
    target = folder / slug(namespace)
    if target.exists():
        raise FormError("form.exists", namespace=namespace, folder=str(target))
    target.mkdir(parents=True)
    own = [path for path in closure.files if path.parent == entry.parent.resolve()]
    style = entry.parent / STYLE
    written = [_copy(path, target / path.name) for path in (*own, *([style] if style.is_file() else []))]
    digest = sha256(entry.read_bytes())
    _enter(folder, namespace, f"{target.name}/{entry.name}", digest, details, today)
    _enter_parts(folder, [path for path in written if path.name != entry.name])
    return Added(namespace, target / entry.name, digest, tuple(written))


def try_to_compile(
    entry: Path, libraries: Mapping[str, Path], allowed: tuple[Path, ...], reconstructed: frozenset[Path]
) -> None:
    """The steps that may take for ever, for a process of its own. Raises FormError as `add` does, MemoryError."""
    try:
        compiled(gather(entry, libraries.get, allowed, reconstructed))
    except FormError as error:
        if error.facts.get("reason") == _SILENT:
            raise MemoryError from error
        raise


_SILENT = "unknown error"  # what lxml says where libxml2 ran out of memory and said nothing


def slug(namespace: str) -> str:
    """A folder name for a namespace: its path in letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", namespace.removeprefix("http://")).strip("-")


def namespace_of(entry: Path) -> str:
    """The namespace whose documents a schema describes. Raises FormError `form.schema_unreadable`."""
    try:
        root = parse(entry.read_bytes()).getroot()
    except (OSError, DocumentUnreadable) as error:
        raise FormError("form.schema_unreadable", file=entry.name, reason=str(error)[:200]) from error
    namespace = root.get("targetNamespace")
    if root.tag != f"{{{XS}}}schema" or not namespace or root.find(f"{{{XS}}}element") is None:
        raise FormError("form.schema_unreadable", file=entry.name, reason="targetNamespace, xs:element")
    return namespace


def _copy(path: Path, target: Path) -> Path:
    target.write_bytes(path.read_bytes())
    return target


def _enter(folder: Path, namespace: str, file: str, digest: str, details: Details, today: date) -> None:
    rows: dict[str, str | bool] = {
        "namespace": namespace, "code": details.code, "version": details.version, "name_pl": details.name_pl,
        "name_en": details.name_en, "file": file, "status": details.status,
        "source": f"{details.source} ({today.isoformat()})".strip(), "sha256": digest,
        "strict": details.strict, "signature": details.signature, "kind": details.kind,
    }  # fmt: skip
    lines = [f"{name} = {_toml(value)}" for name, value in rows.items()]
    catalogue = folder / "catalogue.toml"
    before = catalogue.read_text("utf-8").rstrip() + "\n\n" if catalogue.is_file() else ""
    catalogue.write_text(before + "[[form]]\n" + "\n".join(lines) + "\n", "utf-8")


def _enter_parts(folder: Path, files: list[Path]) -> None:
    """Digests of what came along with the schema: what it includes, its stylesheet."""
    with (folder / "catalogue.toml").open("a", encoding="utf-8") as catalogue:
        for path in files:
            name = path.relative_to(folder).as_posix()
            catalogue.write(f'\n[[file]]\nfile = {_toml(name)}\nsha256 = "{sha256(path.read_bytes())}"\n')


def _toml(value: str | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
