"""What an integrator does with forms: list, show, add, check, draft, compare, make samples."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree

from gateway import bounded, mapper, resources, validate
from gateway.formdata import adding, draft
from gateway.formdata.adding import Added, Details
from gateway.formdata.breaking import BREAKABLE, break_one
from gateway.formdata.draft import Difference
from gateway.formdata.model import ElementModel
from gateway.formdata.sample import Figures
from gateway.formdata.sample import sample as make_sample
from gateway.formdata.skeleton import Stray, skeleton, strays
from gateway.forms import Form, Forms
from gateway.mapping.table import Table
from gateway.mapping.tables import Mappings
from gateway.render import render
from gateway.services import Service, services
from schemas.errors import BramaError, FormError
from schemas.xmldoc import parse

__all__ = ["Added", "Checked", "Details", "Difference", "ServiceRow", "add", "check", "diff", "find", "list_forms",
           "new", "sample", "service_rows", "show"]  # fmt: skip


COMPILE_S = 20.0  # of processor time; a schema of the state takes a fraction of a second
SCHEMA_BYTES = 32 << 20  # of one file; compiling writes the closure into a folder of its own


@dataclass(frozen=True, slots=True)
class Checked:
    """One form after `check`: what holds, and in `problems` what does not, as codes with facts."""

    namespace: str
    code: str
    version: str
    status: str
    compiled: bool
    mapped: bool
    sampled: bool
    rendered: bool
    problems: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Nothing to complain about."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One e-service and how far its forms work. `schema`: official only where the schemas of all its forms are."""

    service: Service
    schema: str
    recognised: bool
    validated: bool
    checked: bool
    mapped: bool
    rendered: bool


def find(forms: Forms, name: str) -> Form:
    """A form by namespace, by `2020/01/07/8990`, by code, or by `CODE:version`.

    Raises FormError `form.name_unknown`, or `form.name_ambiguous` with the namespaces a code may mean.
    """
    known = forms.get(name) or forms.get(f"http://crd.gov.pl/wzor/{name.strip('/')}/")
    if known is not None:
        return known
    code, _, version = name.partition(":")
    found = [form for form in forms if form.info.code.lower() == code.lower() and version in ("", form.info.version)]
    if not found:
        raise FormError("form.name_unknown", name=name)
    if len(found) > 1:
        raise FormError("form.name_ambiguous", name=name, namespaces=", ".join(form.namespace for form in found))
    return found[0]


def list_forms(forms: Forms, mappings: Mappings) -> list[dict[str, Any]]:
    """Every form with its rules and whether it has a schema and a mapping; status says official or reconstructed."""
    return [
        {
            **form.info.to_json(), "kind": form.kind, "strict": form.strict, "signature": form.signature,
            "schema": form.file is not None, "mapping": form.namespace in mappings, "test_host": form.test_host,
        }
        for form in forms
    ]  # fmt: skip


def show(forms: Forms, mappings: Mappings, name: str) -> dict[str, Any]:
    """One form: catalogue entry, files, the places it holds text, and the targets its mapping fills."""
    form = find(forms, name)
    table = mappings.get(form.namespace)
    shown: dict[str, Any] = {
        **form.info.to_json(), "kind": form.kind, "strict": form.strict, "signature": form.signature,
        "source": form.source, "legal_basis": form.legal_basis, "sha256": form.sha256 or "unknown",
        "valid_from": str(form.valid_from or "unknown"), "valid_to": str(form.valid_to or "unknown"),
        "files": [], "leaves": [], "targets": [],
    }  # fmt: skip
    if form.file is not None:
        shown["files"] = [str(path) for path in forms.closure(form.namespace).files]
        shown["leaves"] = [
            {"path": leaf.path, "type": leaf.kind} for leaf in draft.leaves_of(forms.model(form.namespace))
        ]
    if table is not None:
        each = [f"{entry.target}[].{row.target}" for entry in table.eaches for row in entry.rows]
        shown["targets"] = sorted({*(row.target for row in table.rows), *each})
    return shown


def add(
    forms: Forms, source: Path, folder: Path, details: Details, *, today: date, compile_s: float = COMPILE_S
) -> Added:
    """See gateway.formdata.adding.add; before that, another process tries whether the schema compiles at all.

    Raises FormError `form.schema_limit` where it would take for ever, `form.entry_missing` for a folder without one.
    """
    entry = source / adding.ENTRY if source.is_dir() else source
    if not entry.is_file():
        raise FormError("form.entry_missing", folder=str(source), wanted=adding.ENTRY)
    adding.namespace_of(entry)
    allowed = (entry.parent.resolve(), *forms.folders)
    try:
        bounded.call(
            adding.try_to_compile,
            entry,
            forms.libraries,
            allowed,
            forms.reconstructed,
            timeout_s=compile_s,
            file_bytes=SCHEMA_BYTES,
        )
    except bounded.OutOfBounds as error:
        raise FormError("form.schema_limit", file=entry.name, limit=error.limit) from error
    return adding.add(source, folder, details, forms, today=today)


def new(forms: Forms, name: str) -> str:
    """A draft mapping for a form, TOML text."""
    form = find(forms, name)
    return draft.draft(forms.model(form.namespace), form.namespace, form.info.code, form.kind or "general_letter")


def diff(forms: Forms, before: str, after: str) -> Difference:
    """What differs between two templates."""
    return draft.difference(forms.model(find(forms, before).namespace), forms.model(find(forms, after).namespace))


def sample(
    forms: Forms, mappings: Mappings, name: str, *, seed: int = 1, full: bool = True, broken: str | None = None
) -> bytes:
    """A valid fictitious document of a form; the same seed makes the same one.

    Args:    broken: code of a check (formdata.breaking.BREAKABLE): exactly what it looks at is wrong then.
    Raises:  FormError `form.not_breakable` where the form has nothing that this check looks at,
             `form.check_unknown` for a code that is none of them.
    """
    if broken is not None and broken not in BREAKABLE:
        raise FormError("form.check_unknown", check=broken, known=", ".join(sorted(BREAKABLE)))
    form = find(forms, name)
    known = {"KodFormularza": form.info.code, "WariantFormularza": form.info.version}
    table = mappings.get(form.namespace)
    made = make_sample(forms.model(form.namespace), seed=seed, full=full, known=known, table=table)
    if broken is None:
        return made
    root = parse(made).getroot()
    if table is None or not break_one(root, Figures(root, table), broken):
        raise FormError("form.not_breakable", form=form.info.code, check=broken)
    written: bytes = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
    return written


def check(
    forms: Forms, mappings: Mappings, samples: Sequence[Path] | None = None, only: str | None = None
) -> list[Checked]:
    """Prove every form: its schema compiles, its mapping points into it, its samples are valid and map as expected.

    Args:    samples: folders of `<mapping>.xml` and `<mapping>.case.json`; default: `samples/` beside each mapping.
    """
    folders = tuple(samples) if samples is not None else None
    chosen = [find(forms, only)] if only else list(forms)
    return [_checked(form, forms, mappings, folders) for form in chosen]


def service_rows(forms: Forms, mappings: Mappings) -> list[ServiceRow]:
    """The 27 e-services × how far their forms work, from a fresh `check`."""
    results = check(forms, mappings)
    return [_service_row(service, [item for item in results if item.code in service.forms]) for service in services()]


def _service_row(service: Service, results: list[Checked]) -> ServiceRow:
    every = bool(results)
    return ServiceRow(
        service,
        schema="official" if every and all(result.status == "official" for result in results) else "reconstructed",
        recognised=every,
        validated=every and all(result.compiled and result.sampled for result in results),
        checked=every and all(result.fine for result in results),
        mapped=every and all(result.mapped for result in results),
        rendered=every and all(result.rendered for result in results),
    )


def _checked(form: Form, forms: Forms, mappings: Mappings, folders: tuple[Path, ...] | None) -> Checked:
    problems: list[str] = []
    compiled = mapped = sampled = rendered = False
    try:
        if form.file is not None:
            with forms.schema(form.namespace):
                compiled = True
            problems += [_told("form.digest_differs", path.name) for path in forms.changed(form.namespace)]
        elif not (form.test_host or form.elsewhere):
            problems.append("form.no_schema")
        table = mappings.get(form.namespace)
        if table is not None and compiled:
            found = _strays(table, forms.model(form.namespace), mappings.file(form.namespace))
            problems += [_told("form.stray_row", stray.target) for stray in found]
            mapped = not found
            beside = (mappings.file(form.namespace).parent / "samples",)
            trouble = list(_sample_problems(form, forms, mappings, beside if folders is None else folders))
            problems += trouble
            sampled = rendered = not trouble
        elif form.file is not None:
            problems.append("form.no_mapping")
    except BramaError as error:
        problems.append(str(error))
    info = form.info
    return Checked(
        form.namespace, info.code, info.version, info.status, compiled, mapped, sampled, rendered, tuple(problems)
    )


def _strays(table: Table, model: ElementModel, file: Path) -> list[Stray]:
    """Rows that point at nothing the schema can contain.

    A gmina's own mapping answers for its own rows only: the shared parts hold what ePUAP documents usually have, and
    its form may lack some of it. Ours must fit whole.
    """
    found = strays(table, skeleton(model))
    if file.is_relative_to(resources.folder("mappings")):
        return found
    raw = tomllib.loads(file.read_text("utf-8"))
    lists = tuple(each["target"] for each in raw.get("each", []))
    inside = tuple(f"{target}." for target in lists)
    return [
        stray for stray in found if stray.target in (*raw.get("field", {}), *lists) or stray.target.startswith(inside)
    ]


def _sample_problems(form: Form, forms: Forms, mappings: Mappings, folders: tuple[Path, ...]) -> Iterator[str]:
    stem = mappings.file(form.namespace).stem
    files = [path for folder in folders for path in sorted(folder.glob(f"{stem}*.xml"))]
    files = [path for path in files if etree.QName(parse(path.read_bytes()).getroot()).namespace == form.namespace]
    if not files:
        yield _told("form.no_sample", stem)
    for path in files:
        document = path.read_bytes()
        verdict = validate.check(document, forms, mappings)
        if not verdict.valid:
            yield _told("form.sample_invalid", f"{path.name}: {', '.join(item.code for item in verdict.findings)}")
        case = mapper.apply(document, mappings, mapper.MessageFacts())
        expected = path.with_suffix(".case.json")
        if not expected.is_file():
            yield _told("form.expected_missing", expected.name)
        elif json.loads(expected.read_text("utf-8")) != case.to_json():
            yield _told("form.sample_differs", path.name)
        if (verdict.form or form.info).name_pl not in render(document, case, verdict, mappings).text:
            yield _told("form.not_rendered", path.name)


def _told(code: str, what: str) -> str:
    return f"{code}: {what}"
