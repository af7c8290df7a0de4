"""A schema with everything it imports, taken only from our folders; whatever is missing is listed before compiling."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lxml import etree

from schemas.errors import DocumentUnreadable, FormError
from schemas.xmldoc import parse

XS = "http://www.w3.org/2001/XMLSchema"
MAX_FILES = 200
_UNRESOLVED = re.compile(r"'\{([^}]*)\}[^']*' does not resolve to a\(n\)")  # libxml2's words
_REFERENCES = tuple(f"{{{XS}}}{name}" for name in ("import", "include", "redefine", "override"))

Lookup = Callable[[str], Path | None]


@dataclass(frozen=True, slots=True)
class Closure:
    """A schema and its imports: parsed documents by key, where a key is `xsd:` and the file's absolute path."""

    entry: str
    documents: Mapping[str, etree._ElementTree] = field(repr=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file read, entry first."""
        return tuple(Path(key.removeprefix("xsd:")) for key in self.documents)


def gather(
    entry: Path, lookup: Lookup, allowed: tuple[Path, ...], reconstructed: frozenset[Path] = frozenset()
) -> Closure:
    """Read `entry` and follow its imports and includes.

    Args:    lookup: namespace or URL → file, from the catalogue; allowed: folders that locations may point into;
             reconstructed: files of the catalogue that give way to an official one beside `entry`.
    Returns: a Closure whose references are rewritten to its own keys.
    Raises:  FormError: `form.import_missing` with every missing reference, `form.schema_unreadable`,
             `form.import_recursive`, `form.import_limit`.
    """
    missing: list[str] = []
    documents: dict[str, etree._ElementTree] = {}
    waiting: list[tuple[Path, tuple[Path, ...]]] = [(entry.resolve(), ())]
    while waiting:
        path, above = waiting.pop()
        if _key(path) in documents:
            continue
        if len(documents) >= MAX_FILES:
            raise FormError("form.import_limit", file=entry.name, limit=MAX_FILES)
        tree = _read(path)
        documents[_key(path)] = tree
        for reference in tree.getroot().iterchildren(*_REFERENCES):
            imported = reference.tag == _REFERENCES[0]
            target = _target(reference, path, lookup, allowed)
            if imported and (target is None or target in reconstructed):
                target = _official(reference, entry, allowed) or target
            if target is None:
                missing.append(_wanted(reference))
                continue
            if not imported and target in (path, *above):
                raise FormError("form.import_recursive", file=path.name, includes=target.name)
            reference.set("schemaLocation", _key(target))
            waiting.append((target, () if imported else (*above, path)))
    if missing:
        raise FormError("form.import_missing", file=entry.name, missing=", ".join(sorted(set(missing))))
    return Closure(_key(entry.resolve()), documents)


def compiled(closure: Closure) -> etree.XMLSchema:
    """libxml2's compiled schema. Raises FormError `form.schema_invalid` with line and libxml2's reason, or
    `form.component_missing` where it uses what a library does not define.

    libxml2 loads imports through a function that is a global of the process, and any parse in another thread exchanges
    it for a moment: a resolver of ours would be passed over once in a while. So the closure is written, with its
    references rewritten, into a folder of its own, where every loader finds the same files and nothing else is named.
    """
    names = {key: f"{number}.xsd" for number, key in enumerate(closure.documents)}
    with tempfile.TemporaryDirectory(prefix="brama-xsd-") as folder:
        for key, name in names.items():
            (Path(folder) / name).write_bytes(_localised(closure, key, names))
        try:
            return etree.XMLSchema(file=str(Path(folder) / names[closure.entry]))
        except etree.XMLSchemaParseError as error:
            name, reason = PurePosixPath(closure.entry).name, str(error)[:500]
            code = "form.component_missing" if _lacks_a_library(closure, reason) else "form.schema_invalid"
            raise FormError(code, file=name, reason=reason) from error


def _lacks_a_library(closure: Closure, reason: str) -> bool:
    """Is what libxml2 could not find another namespace's than the form's own and the schema language's?"""
    unresolved = _UNRESOLVED.search(reason)
    own = closure.documents[closure.entry].getroot().get("targetNamespace")
    return unresolved is not None and unresolved[1] not in (own, XS)


def _localised(closure: Closure, key: str, names: Mapping[str, str]) -> bytes:
    """A document whose references are file names in the same folder."""
    root = copy.deepcopy(closure.documents[key].getroot())
    for reference in root.iterchildren(*_REFERENCES):
        reference.set("schemaLocation", names[reference.get("schemaLocation", "")])
    return etree.tostring(root)


def _key(path: Path) -> str:
    return f"xsd:{path.as_posix()}"


def _read(path: Path) -> etree._ElementTree:
    try:
        tree = parse(path.read_bytes())
    except (OSError, DocumentUnreadable) as error:
        raise FormError("form.schema_unreadable", file=path.name, reason=str(error)[:200]) from error
    if tree.getroot().tag != f"{{{XS}}}schema":
        raise FormError("form.schema_unreadable", file=path.name, reason="xs:schema")
    return tree


def _target(reference: etree._Element, base: Path, lookup: Lookup, allowed: tuple[Path, ...]) -> Path | None:
    """The file a reference means.

    An import: what the catalogue says of its namespace, so that an official library replaces ours everywhere at once,
    or of its URL, else the file beside. An include: the file beside the referring one, else what the catalogue says.
    """
    location = reference.get("schemaLocation") or ""
    beside = _beside(base, location, allowed)
    if reference.tag != _REFERENCES[0]:
        return beside or _known(lookup, location)
    return _known(lookup, reference.get("namespace") or "") or _known(lookup, location) or beside


def _official(reference: etree._Element, entry: Path, allowed: tuple[Path, ...]) -> Path | None:
    """The imported library beside the form's own schema, as published with it; by name, and of the right namespace.

    Asked for every import of a closure, also of libraries, so that all of it means the same file. One that we do not
    read (the schema of signatures carries a DOCTYPE) is none.
    """
    file = _beside(entry, reference.get("schemaLocation") or "", allowed)
    if file is None:
        return None
    try:
        namespace = _read(file).getroot().get("targetNamespace")
    except FormError:
        return None
    return file if namespace == reference.get("namespace") else None


def _known(lookup: Lookup, name: str) -> Path | None:
    found = lookup(name) if name else None
    return found.resolve() if found is not None else None


def _beside(base: Path, location: str, allowed: tuple[Path, ...]) -> Path | None:
    """A file of ours at this location; official files name their own folder's files by absolute URL."""
    remote = bool(urlsplit(location).scheme)
    name = PurePosixPath(urlsplit(location).path).name if remote else location
    file = (base.parent / name).resolve()
    return file if name and file.is_file() and any(file.is_relative_to(top) for top in allowed) else None


def _wanted(reference: etree._Element) -> str:
    return reference.get("schemaLocation") or reference.get("namespace") or "?"
