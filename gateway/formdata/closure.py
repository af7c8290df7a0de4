"""A schema with everything it imports, taken only from our folders; whatever is missing is listed before compiling."""

from __future__ import annotations

import copy
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


def gather(entry: Path, lookup: Lookup, allowed: tuple[Path, ...]) -> Closure:
    """Read `entry` and follow its imports and includes.

    Args:    lookup: namespace or URL → file, from the catalogue; allowed: folders that locations may point into.
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
    """libxml2's compiled schema. Raises FormError `form.schema_invalid` with line and libxml2's reason.

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
            name = PurePosixPath(closure.entry).name
            raise FormError("form.schema_invalid", file=name, reason=str(error)[:500]) from error


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
