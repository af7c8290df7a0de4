"""`brama forms` and `brama show`: the catalogue of forms, what proves it, and a document as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.documents import AsJson, ConfigFolder, OneFile, findings_of, load_forms, load_mappings, load_trust
from gateway.cli.output import Exit, err, language, leave, out, say, show_json
from schemas.errors import FormError, MappingError
from schemas.texts import all_texts
from schemas.xmldoc import read_once

forms = typer.Typer(no_args_is_help=True, help="Wzory formularzy: wykaz, dodawanie, sprawdzanie, szkice odwzorowań.")

Name = Annotated[str, typer.Argument(help="Przestrzeń nazw, numer (2020/01/07/8990) albo kod (DN-1).", metavar="WZÓR")]
Out = Annotated[Path | None, typer.Option("--out", dir_okay=False, help="Dokąd zapisać; bez tego na ekran.")]


@forms.command("list")
def forms_list(json_: AsJson = False, config: ConfigFolder = None) -> None:
    """Pokaż znane wzory."""
    from gateway import forms_admin

    rows = forms_admin.list_forms(load_forms(config), load_mappings(config))
    if json_:
        show_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in (("Kod", "Code"), ("Wersja", "Version"), ("Nazwa", "Name"), ("Wzór", "Template"), ("XSD", "XSD"),
                   ("Odwz.", "Map")):  # fmt: skip
        table.add_column(say(pl, en), overflow="fold")
    for row in rows:
        name = row["name_pl"] if say("pl", "en") == "pl" else row["name_en"]
        marks = ("✓" if row[key] else "—" for key in ("schema", "mapping"))
        table.add_row(Text(row["code"], "cyan"), row["version"], name, word(row["status"]), *marks)
    out.print(table)
    _honest(row["status"] for row in rows)


@forms.command("show")
def forms_show(name: Name, json_: AsJson = False, config: ConfigFolder = None) -> None:
    """Pokaż jeden wzór: pliki, pola, cele odwzorowania."""
    from gateway import forms_admin

    shown = forms_admin.show(load_forms(config), load_mappings(config), name)
    if json_:
        show_json(shown)
        return
    for key, value in shown.items():
        if isinstance(value, list):
            out.print(Text(f"{key}:", "cyan"))
            for item in value:
                out.print(
                    f"  {item['path']}  ({item['type']})" if isinstance(item, dict) else f"  {item}", markup=False
                )
        else:
            out.print(Text(f"{key}: ", "cyan") + Text(word(value) if key == "status" else str(value), ""))


@forms.command("add")
def forms_add(
    source: Annotated[
        Path, typer.Argument(exists=True, help="Plik schemat.xsd albo folder z nim.", metavar="PLIK|FOLDER")
    ],
    into: Annotated[Path, typer.Option("--into", file_okay=False, help="Folder wzorów gminy (klucz forms).")],
    code: Annotated[str, typer.Option("--code", help="Kod, np. DN-1.")],
    version: Annotated[str, typer.Option("--version", help="Wersja wzoru.")],
    name_pl: Annotated[str, typer.Option("--name", help="Nazwa po polsku.")],
    name_en: Annotated[str, typer.Option("--name-en", help="Nazwa po angielsku.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Rodzaj sprawy.")] = "general_letter",
    origin: Annotated[str, typer.Option("--source", help="Skąd pochodzi plik.")] = "źródła nie podano",
    reconstructed: Annotated[bool, typer.Option("--reconstructed", help="Plik nie jest urzędowy: odtworzony.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Błędy wzoru odrzucają dokument (deklaracje).")] = False,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Podpis nie jest wymagany.")] = False,
    json_: AsJson = False,
    config: ConfigFolder = None,
) -> None:
    """Dodaj urzędowy schemat.xsd do folderu gminy; importy rozwiązywane są tylko z wykazu i z tego samego folderu."""
    from gateway import forms_admin

    known = load_forms(config)
    details = forms_admin.Details(
        code=code, version=version, name_pl=name_pl, name_en=name_en or name_pl, kind=kind, strict=strict,
        signature="optional" if unsigned else "required", source=origin,
        status="reconstructed" if reconstructed else "official",
    )  # fmt: skip
    try:
        added = forms_admin.add(known, source, into, details, today=date.today())  # noqa: DTZ011 - a local date
    except OSError as error:
        raise _unwritable(error) from error
    if json_:
        show_json(asdict(added))
        return
    out.print(say(f"Dodano {added.namespace}: {added.file}", f"Added {added.namespace}: {added.file}"), markup=False)
    before = known.get(added.namespace)
    if before is not None:
        told = f"{before.info.code} {before.info.version} ({word(before.info.status)})"
        out.print(say(f"Zastępuje wzór {told}.", f"Takes the place of {told}."), markup=False)
    name = f"{code}:{version}"
    out.print(say(f"Dalej: brama forms new {name}", f"Next: brama forms new {name}"), markup=False)


@forms.command("check")
def forms_check(
    name: Annotated[str | None, typer.Argument(help="Jeden wzór; bez tego wszystkie.", metavar="WZÓR")] = None,
    services: Annotated[bool, typer.Option("--services", help="Pokaż e-usługi i jak daleko działają.")] = False,
    json_: AsJson = False,
    config: ConfigFolder = None,
) -> None:
    """Sprawdź wzory: czy schemat się kompiluje, odwzorowanie pasuje do schematu, a przykłady dają oczekiwane sprawy."""
    from gateway import forms_admin

    loaded, mappings = load_forms(config), load_mappings(config)
    if services:
        _services(forms_admin.service_rows(loaded, mappings), json_)
        return
    results = forms_admin.check(loaded, mappings, only=name)
    if json_:
        show_json([{**asdict(result), "fine": result.fine} for result in results])
    else:
        for result in results:
            mark = Text("✓ ", "green") if result.fine else Text("✗ ", "red")
            out.print(mark + Text(f"{result.code} {result.version}  {word(result.status)}  {result.namespace}", ""))
            for problem in result.problems:
                out.print(f"    {_problem(problem)}", markup=False)
    leave(Exit.FINE if all(result.fine for result in results) else Exit.NO)


@forms.command("new")
def forms_new(name: Name, file: Out = None, config: ConfigFolder = None) -> None:
    """Naszkicuj odwzorowanie wzoru: jeden wiersz na każde pole, gotowe do poprawienia."""
    from gateway import forms_admin

    if file is not None and file.exists():  # it may hold an integrator's afternoon
        raise typer.BadParameter(
            say(f"{file} już jest; szkicu nie zapisano na nim", f"{file} exists; the draft does not overwrite it")
        )
    _write(forms_admin.new(load_forms(config), name).encode(), file)


@forms.command("diff")
def forms_diff(before: Name, after: Name, json_: AsJson = False, config: ConfigFolder = None) -> None:
    """Pokaż różnice między dwoma wzorami."""
    from gateway import forms_admin

    found = asdict(forms_admin.diff(load_forms(config), before, after))
    if json_:
        show_json(found)
        return
    for path in found["added"]:
        out.print(f"+ {path}", markup=False)
    for path in found["removed"]:
        out.print(f"- {path}", markup=False)
    for path, old, new in found["changed"]:
        out.print(f"~ {path}: {old} → {new}", markup=False)
    if not any(found.values()):
        out.print(say("Bez różnic.", "No differences."))


@forms.command("sample")
def forms_sample(
    name: Name,
    seed: Annotated[int, typer.Option("--seed", help="To samo ziarno daje ten sam dokument.")] = 1,
    minimal: Annotated[bool, typer.Option("--minimal", help="Tylko pola obowiązkowe.")] = False,
    broken: Annotated[str | None, typer.Option("--broken", help="Kod sprawdzenia, które ma nie przejść.")] = None,
    signed: Annotated[
        Path | None,
        typer.Option(
            "--signed",
            file_okay=False,
            metavar="FOLDER",
            help="Podpisz jak podpisem zaufanym, kluczami próbnymi z folderu (powstają za pierwszym razem).",
        ),
    ] = None,
    file: Out = None,
    config: ConfigFolder = None,
) -> None:
    """Utwórz zmyślony, poprawny dokument wzoru; bez --signed niepodpisany."""
    from gateway import forms_admin

    mappings = load_mappings(config)
    made = forms_admin.sample(load_forms(config), mappings, name, seed=seed, full=not minimal, broken=broken)
    _write(made if signed is None else _signed(made, signed, mappings, seed), file)


def show(
    file: OneFile,
    html: Annotated[Path | None, typer.Option("--html", dir_okay=False, help="Zapisz jako stronę HTML.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", dir_okay=False, help="Zapisz jako dostępny plik PDF.")] = None,
    text: Annotated[Path | None, typer.Option("--text", dir_okay=False, help="Zapisz jako zwykły tekst.")] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", exists=True, dir_okay=False, help="Plik zasad zaufania (trust.toml).")
    ] = None,
    config: ConfigFolder = None,
) -> None:
    """Pokaż dokument tak, jak czyta go człowiek: opisane pola, załączniki, podpisy, ustalenia."""
    page = _page(file.read_bytes(), config, load_trust(trust, config))
    if html is not None:
        _write(page.html.encode(), html)
    if pdf is not None:
        _write(page.pdf(datetime.now(UTC)), pdf)
    if text is not None:
        _write(page.text.encode(), text)
    if html is None and pdf is None and text is None:
        out.print(page.text, markup=False)


def _page(document: bytes, config: Path | None, trust: Any) -> Any:
    """The document as its mapping reads it, or field by field where none does."""
    from gateway import mapper, signatures
    from gateway.render import render, render_raw

    mappings = load_mappings(config)
    with read_once(document):
        verification, validation = signatures.verify(document, trust), findings_of(document, config)
        try:
            case = mapper.apply(document, mappings, mapper.MessageFacts())
        except MappingError as error:
            return render_raw(document, validation, error, verification)
        return render(document, case, validation, mappings, verification)


def _problem(told: str) -> str:
    """`form.sample_differs: dn-1.xml` with the code's text; what is no such pair stands as it is."""
    code, _, what = told.partition(": ")
    entry = all_texts().get(code)
    plain = entry[language()] if entry and "{" not in entry[language()] else None
    return f"{plain} {what} [{code}]".replace("  ", " ") if plain else told


def word(code: str) -> str:
    """A code word of ours (`word.*`) in the language of this run; what has no text stands as it is."""
    entry = all_texts().get(f"word.{code}")
    return entry[language()] if entry else code


def _services(rows: list[Any], json_: bool) -> None:
    if json_:
        show_json([asdict(row) for row in rows])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for pl, en in (("Nr", "No"), ("Usługa", "Service"), ("Skąd wiemy", "Evidence"), ("Rozp.", "Known"), ("XSD", "XSD"),
                   ("Spr.", "Chk"), ("Odwz.", "Map"), ("Widok", "View")):  # fmt: skip
        table.add_column(say(pl, en), overflow="fold")
    for row in rows:
        service = row.service
        schema = ("✓†" if row.schema == "reconstructed" else "✓") if row.validated else "✗"
        marks = ("✓" if mark else "✗" for mark in (row.checked, row.mapped, row.rendered))
        table.add_row(
            service.id, say(service.name_pl, service.name_en) + (" *" if service.note_pl else ""),
            word("documented" if service.documented else "service_reconstructed"),
            "✓" if row.recognised else "✗", schema, *marks,
        )  # fmt: skip
    out.print(table)
    for service in (row.service for row in rows if row.service.note_pl):
        out.print(f"* {service.id}: {say(service.note_pl, service.note_en)}", markup=False)
    _honest((row.schema for row in rows), "† ")


def _honest(statuses: Iterable[str], mark: str = "") -> None:
    """What `reconstructed` means, wherever the word stands in a list."""
    if "reconstructed" in statuses:
        out.print(
            mark
            + say(
                "odtworzony: napisany przez projekt Brama na podstawie znanych faktów; nie jest to plik urzędowy.",
                "reconstructed: written by the Brama project from known facts; not the official file.",
            )
        )


def _signed(document: bytes, folder: Path, mappings: Any, seed: int) -> bytes:
    """Signed by its own taxpayer where the form names one, else by anybody; `folder` holds the test keys."""
    from gateway import mapper
    from gateway.simulate.citizens import person, sign_trusted_profile

    signer, pki = person(seed), _test_keys(folder)
    who = mapper.apply(document, mappings, mapper.MessageFacts()).taxpayer
    if who is not None and who.pesel and who.surname and who.first_name:
        signer = replace(signer, first_name=who.first_name, surname=who.surname, pesel=who.pesel,
                         birth_date=who.birth_date or signer.birth_date)  # fmt: skip
    return sign_trusted_profile(document, signer, pki)


def _test_keys(folder: Path) -> Any:
    """The keys of this folder, made when it is empty; what somebody else put there is never written over."""
    from gateway.simulate.pki import Pki

    if not folder.is_dir() or not any(folder.iterdir()):
        Pki.create().save(folder)
    try:
        return Pki.load(folder)
    except FileNotFoundError as error:
        raise FormError("form.test_keys_incomplete", folder=str(folder)) from error


def _unwritable(error: OSError) -> typer.BadParameter:
    told = f"{error.filename}: {error.strerror}"
    return typer.BadParameter(say(f"nie można zapisać {told}", f"cannot write {told}"))


def _write(content: bytes, file: Path | None) -> None:
    if file is None:
        typer.echo(content.decode("utf-8"), nl=not content.endswith(b"\n"))
    else:
        try:
            file.write_bytes(content)
        except OSError as error:
            raise _unwritable(error) from error
        err.print(say(f"Zapisano: {file}", f"Written: {file}"), markup=False)
