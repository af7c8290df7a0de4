"""The catalogue of forms: root namespace → schema, names, rules. Forms are data; nothing here knows any form.

`Forms.load()` reads `catalogue.toml` of each folder and nothing else: schemas are compiled when first used, any number
of threads may use them at once. A later folder overrides or adds forms; a gmina's own folder comes last.
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from gateway import resources
from gateway.formdata.closure import Closure, compiled, gather
from gateway.formdata.model import ElementModel, root_of
from schemas.errors import FormError
from schemas.finding import FormInfo, Severity
from schemas.ids import sha256

CATALOGUE = "catalogue.toml"
STATUSES = ("official", "reconstructed")
_FORM_KEYS = frozenset(
    {"namespace", "code", "version", "name_pl", "name_en", "file", "status", "source", "sha256", "strict", "signature",
     "kind", "legal_basis", "valid_from", "valid_to", "checks", "test_host", "wrapper", "elsewhere",
     "note"}
)  # fmt: skip
_LIBRARY_KEYS = frozenset({"namespace", "file", "status", "source", "sha256", "urls", "note"})
_TEST_HOST = re.compile(r"https?://int\.")  # ePUAP's integration host, whatever an entry says of it
_FILE_KEYS = frozenset({"file", "sha256"})


@dataclass(frozen=True, slots=True)
class Form:
    """One published template. `strict`: schema errors and failed checks refuse it; else a clerk looks."""

    info: FormInfo
    file: Path | None  # None: recognised, but no schema is known
    strict: bool
    signature: str  # required | optional
    kind: str | None  # kind of case it becomes
    source: str
    sha256: str | None
    legal_basis: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    wrapper: bool = False  # carries another document inside (podpisanyPlik)
    test_host: bool = False
    elsewhere: str = ""  # the authority it is for, where that is no gmina: recognised, and a clerk sends it on
    severities: Mapping[str, Severity] = field(default_factory=dict)  # check code → severity, where it differs

    @property
    def namespace(self) -> str:
        """The root element's namespace: the form's identity."""
        return self.info.namespace


@dataclass
class _Compiled:
    """Compiled schemas of one form that are free just now; one per thread that ever needed one at the same time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    closure: Closure | None = None
    model: ElementModel | None = None
    free: list[etree.XMLSchema] = field(default_factory=list)


class Forms:
    """All known forms, and the schema of each."""

    def __init__(
        self,
        forms: Mapping[str, Form],
        libraries: Mapping[str, Path],
        folders: tuple[Path, ...],
        digests: Mapping[Path, str],
        reconstructed: frozenset[Path] = frozenset(),
    ) -> None:
        self._forms = dict(forms)
        self._libraries = dict(libraries)
        self._digests = dict(digests)
        self._reconstructed = reconstructed
        self._folders = folders
        self._compiled: dict[str, _Compiled] = {namespace: _Compiled() for namespace in self._forms}

    @classmethod
    def load(cls, folders: Sequence[Path] | None = None, *, production: bool = False) -> Forms:
        """Read the catalogues of `folders`, after the packaged one, later ones winning.

        Raises FormError (`form.catalogue_unreadable`, `form.catalogue_wrong`, `form.file_missing`) naming file and
        entry. In production, templates of ePUAP's integration host are left out, so that they count as unknown.
        """
        forms: dict[str, Form] = {}
        libraries: dict[str, Path] = {}
        digests: dict[Path, str] = {}
        reconstructed: frozenset[Path] = frozenset()
        every = tuple(path.resolve() for path in (resources.folder("xsd"), *(folders or ())))
        for folder in every:
            found = _read_catalogue(folder)
            libraries |= found.libraries
            forms |= found.forms
            digests |= found.digests
            reconstructed |= found.reconstructed
        if production:
            forms = {key: form for key, form in forms.items() if not form.test_host}
        return cls(forms, libraries, every, digests, reconstructed)

    def __iter__(self) -> Iterator[Form]:
        return iter(sorted(self._forms.values(), key=lambda form: (form.info.code, form.namespace)))

    def __len__(self) -> int:
        return len(self._forms)

    def get(self, namespace: str) -> Form | None:
        """The form of this root namespace, or None."""
        return self._forms.get(namespace)

    @contextmanager
    def schema(self, namespace: str) -> Iterator[etree.XMLSchema | None]:
        """Lend the compiled schema; None where the form has none. Raises FormError, KeyError for an unknown form.

        libxml2's error log belongs to the compiled schema, so two threads never share one.
        """
        if self._forms[namespace].file is None:
            yield None
            return
        slot = self._compiled[namespace]
        with slot.lock:
            lent = slot.free.pop() if slot.free else None
        lent = lent or compiled(self.closure(namespace))
        try:
            yield lent
        finally:
            with slot.lock:
                slot.free.append(lent)

    def closure(self, namespace: str) -> Closure:
        """The schema's documents with all imports. Raises FormError with the list of what is missing."""
        form = self._forms[namespace]
        slot = self._compiled[namespace]
        if form.file is None:
            raise FormError("form.no_schema", namespace=namespace)
        with slot.lock:
            if slot.closure is None:
                slot.closure = gather(form.file, self.lookup, self._folders, self._reconstructed)
            return slot.closure

    def model(self, namespace: str) -> ElementModel:
        """What a document of this form can contain; shared, so only to be read. Raises FormError, KeyError."""
        slot = self._compiled[namespace]
        if slot.model is None:  # two threads may both make it: the same one
            slot.model = root_of(self.closure(namespace))
        return slot.model

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of the catalogues, the packaged one first."""
        return self._folders

    def changed(self, namespace: str) -> tuple[Path, ...]:
        """Files of the form's schema that are not, octet for octet, what the catalogue's digests say; each is read."""
        files = self.closure(namespace).files
        return tuple(path for path in files if self._digests.get(path) not in (None, sha256(path.read_bytes())))

    @property
    def digests(self) -> Mapping[Path, str]:
        """SHA-256 (hex) by file, as the catalogues state it."""
        return self._digests

    @property
    def libraries(self) -> Mapping[str, Path]:
        """Library schemas by namespace, and by the URLs that official files use for them."""
        return self._libraries

    @property
    def reconstructed(self) -> frozenset[Path]:
        """Library schemas that are not official: one beside a form's own schema goes before them."""
        return self._reconstructed

    def lookup(self, name: str) -> Path | None:
        """A library schema by namespace or by the URL that official files use for it."""
        return self._libraries.get(name)


@dataclass(frozen=True, slots=True)
class _Found:
    forms: dict[str, Form]
    libraries: dict[str, Path]
    digests: dict[Path, str]
    reconstructed: frozenset[Path]


def _read_catalogue(folder: Path) -> _Found:
    path = folder / CATALOGUE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormError("form.catalogue_unreadable", file=str(path), reason=str(error)[:200]) from error
    _only({"form", "library", "file"}, table, path, "-")
    forms = [_form(entry, folder, path) for entry in table.get("form", [])]
    libraries: dict[str, Path] = {}
    reconstructed: set[Path] = set()
    for entry in table.get("library", []):
        _only(_LIBRARY_KEYS, entry, path, str(entry.get("namespace", "?")))
        file = _existing(folder, entry, path)
        if entry.get("status") == "reconstructed":
            reconstructed.add(file)
        libraries |= dict.fromkeys([entry["namespace"], *entry.get("urls", [])], file)
    for entry in table.get("file", []):
        _only(_FILE_KEYS, entry, path, str(entry.get("file", "?")))
    every = [entry for kind in ("form", "library", "file") for entry in table.get(kind, [])]
    digests = {_existing(folder, entry, path): entry["sha256"] for entry in every if {"file", "sha256"} <= set(entry)}
    return _Found({form.namespace: form for form in forms}, libraries, digests, frozenset(reconstructed))


def _form(entry: dict[str, Any], folder: Path, path: Path) -> Form:
    name = str(entry.get("namespace", "?"))
    _only(_FORM_KEYS, entry, path, name)
    try:
        info = FormInfo(
            namespace=entry["namespace"], code=entry["code"], version=entry["version"], name_pl=entry["name_pl"],
            name_en=entry["name_en"], status=_one_of(entry["status"], STATUSES),
        )  # fmt: skip
        return Form(
            info=info,
            file=_existing(folder, entry, path) if "file" in entry else None,
            strict=bool(entry["strict"]),
            signature=_one_of(entry["signature"], ("required", "optional")),
            kind=entry.get("kind"),
            source=entry.get("source", ""),
            sha256=entry.get("sha256"),
            legal_basis=entry.get("legal_basis", ""),
            valid_from=entry.get("valid_from"),
            valid_to=entry.get("valid_to"),
            wrapper=bool(entry.get("wrapper", False)),
            test_host=bool(entry.get("test_host", False)) or _TEST_HOST.match(entry["namespace"]) is not None,
            elsewhere=entry.get("elsewhere", ""),
            severities={code: Severity(word) for code, word in entry.get("checks", {}).items()},
        )
    except KeyError as error:
        raise FormError("form.catalogue_wrong", file=str(path), entry=name, key=error.args[0]) from error
    except ValueError as error:
        raise FormError("form.catalogue_wrong", file=str(path), entry=name, key=str(error)) from error


def _existing(folder: Path, entry: dict[str, Any], path: Path) -> Path:
    file: Path = (folder / entry["file"]).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise FormError(
            "form.file_missing", file=str(path), entry=entry.get("namespace", "file"), missing=entry["file"]
        )
    return file


def _only(allowed: set[str] | frozenset[str], table: dict[str, Any], path: Path, entry: str) -> None:
    if unknown := sorted(set(table) - allowed):
        raise FormError("form.catalogue_wrong", file=str(path), entry=entry, key=", ".join(unknown))


def _one_of(word: str, allowed: Sequence[str]) -> str:
    if word not in allowed:
        raise ValueError(word)
    return word
