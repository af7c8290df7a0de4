"""What an integrator does with forms: list, show, add, check, draft, compare and make samples."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest

from gateway import forms_admin, mapper, resources, validate
from gateway.formdata.breaking import BREAKABLE
from gateway.forms import Forms
from gateway.forms_admin import Details
from gateway.mapper import Mappings, MessageFacts
from gateway.services import services
from gateway.simulate import documents
from schemas.errors import ConfigError, FormError
from schemas.ids import sha256
from tests import reference

FORMS = Forms.load()
MAPPINGS = Mappings.load()
NAMES = [f"{form.info.code}:{form.info.version}" for form in FORMS if form.file is not None]
OFFICIAL = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://crd.gov.pl/wzor/2025/01/15/99901/"
  xmlns:adr="http://crd.gov.pl/xml/schematy/adres/2009/11/09/" elementFormDefault="unqualified"
  targetNamespace="http://crd.gov.pl/wzor/2025/01/15/99901/">
  <xs:import namespace="http://crd.gov.pl/xml/schematy/adres/2009/11/09/"
             schemaLocation="http://crd.gov.pl/xml/schematy/adres/2009/11/09/adres.xsd"/>
  <xs:element name="Dokument" type="DokumentTyp"/>
  <xs:complexType name="DokumentTyp"><xs:sequence><xs:element name="TrescDokumentu"><xs:complexType><xs:sequence>
    <xs:element name="SkładającyDeklarację" type="xs:string"/>
    <xs:element name="Rok" type="xs:gYear" minOccurs="0"/>
    <xs:element name="Pies" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="Imie" type="xs:string"/><xs:element ref="adr:Adres" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>
</xs:schema>"""
NEW = "http://crd.gov.pl/wzor/2025/01/15/99901/"
DETAILS = Details(code="PROBA", version="1", name_pl="Próba", name_en="Trial", source="ePUAP")


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = tmp_path / "99901"
    folder.mkdir()
    (folder / "schemat.xsd").write_text(OFFICIAL, "utf-8")
    (folder / "styl.xsl").write_text("<x/>", "utf-8")
    return folder


def test_every_form_compiles_maps_has_a_valid_sample_and_is_rendered():
    results = forms_admin.check(FORMS, MAPPINGS)
    assert [(result.code, result.problems) for result in results if not result.fine] == []
    assert len(results) >= 28


def test_check_finds_a_sample_that_maps_to_something_else(tmp_path):
    stem = MAPPINGS.file(documents.LETTER).stem
    (tmp_path / f"{stem}.xml").write_bytes(documents.general_letter())
    (tmp_path / f"{stem}.case.json").write_text("{}", "utf-8")
    (result,) = forms_admin.check(FORMS, MAPPINGS, [tmp_path], only="PISMO-OGOLNE:1410")
    assert result.problems == (f"form.sample_differs: {stem}.xml",)


def test_check_finds_an_invalid_sample_and_a_missing_one(tmp_path):
    (result,) = forms_admin.check(FORMS, MAPPINGS, [tmp_path], only="DN-1")
    assert result.problems == ("form.no_sample: dn-1-8990-v1",)
    (tmp_path / "dn-1-8990-v1.xml").write_bytes(documents.property_return(total="1"))
    (result,) = forms_admin.check(FORMS, MAPPINGS, [tmp_path], only="DN-1")
    assert result.problems[0] == "form.sample_invalid: dn-1-8990-v1.xml: check.total"


def test_check_finds_a_row_that_points_nowhere_and_a_form_without_a_mapping(tmp_path):
    (tmp_path / "x.toml").write_text(
        f'form = "{documents.LETTER}"\nkind = "general_letter"\nversion = 2\n'
        '[field."letter.title"]\nxpath = "/w:Dokument/w:Nic"\n',
        "utf-8",
    )
    (result,) = forms_admin.check(FORMS, Mappings.load([tmp_path]), [tmp_path], only="PISMO-OGOLNE:1410")
    assert "form.stray_row: letter.title" in result.problems


def test_the_27_services_are_rows_with_evidence_and_forms_that_work():
    rows = forms_admin.service_rows(FORMS, MAPPINGS)
    assert len(rows) == 27
    assert [row.service.online for row in rows].count("whole") == 18
    assert sum(row.service.documented for row in rows) == 9
    for row in rows:
        assert (row.recognised, row.validated, row.checked, row.mapped, row.rendered) == (True,) * 5, row.service.id
        assert row.schema == "reconstructed"  # no published file was at hand; nobody may believe otherwise
    kinds = {form.kind for form in FORMS}
    codes = {form.info.code for form in FORMS}
    assert all(set(row.service.forms) <= codes and set(row.service.kinds) <= kinds for row in rows)


def test_a_service_row_with_an_unknown_word_is_refused(tmp_path):
    (tmp_path / "services.toml").write_text(
        '[[service]]\nid = "X"\nname_pl = "x"\nname_en = "x"\nonline = "whole"\nevidence = "rumour"\nforms = []\n'
        'kinds = []\nanswer = "receipt"\n',
        "utf-8",
    )
    with pytest.raises(ConfigError, match="rumour"):
        services(tmp_path / "services.toml")


def test_the_list_says_what_is_reconstructed():
    shown = {entry["code"]: entry for entry in forms_admin.list_forms(FORMS, MAPPINGS)}
    assert shown["DN-1"]["status"] == "reconstructed"
    assert shown["ILNR"]["test_host"] is True
    assert shown["DN-1"]["mapping"] is True


def test_show_names_files_leaves_and_targets():
    shown = forms_admin.show(FORMS, MAPPINGS, "DN-1")
    assert any(path.endswith("8990/schemat.xsd") for path in shown["files"])
    leaf = {entry["path"]: entry["type"] for entry in shown["leaves"]}
    assert leaf["/Dokument/TrescDokumentu/Wartosc/Naglowek/CelZlozenia"] == "TCelZlozenia [1|2]"
    assert "objects[].area_m2" in shown["targets"]


@pytest.mark.parametrize("name", ["2020/01/07/8990", documents.PROPERTY_RETURN, "dn-1", "DN-1:1"])
def test_a_form_is_found_by_namespace_number_or_code(name):
    assert forms_admin.find(FORMS, name).namespace == documents.PROPERTY_RETURN


def test_an_unknown_or_ambiguous_name_is_refused():
    with pytest.raises(FormError) as caught:
        forms_admin.find(FORMS, "NIE-MA")
    assert caught.value.code == "form.name_unknown"
    with pytest.raises(FormError) as caught:
        forms_admin.find(FORMS, "PISMO-OGOLNE")
    assert caught.value.code == "form.name_ambiguous"
    assert documents.LETTER in caught.value.facts["namespaces"]


def test_an_official_schema_is_added_byte_for_byte_and_used_at_once(official, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    added = forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    assert added.file.read_bytes() == (official / "schemat.xsd").read_bytes()
    assert {path.name for path in added.files} == {"schemat.xsd", "styl.xsl"}
    entry = tomllib.loads((own / "catalogue.toml").read_text("utf-8"))["form"][0]
    assert (entry["sha256"], entry["status"], entry["source"]) == (added.sha256, "official", "ePUAP (2026-02-01)")
    forms = Forms.load([own])
    document = forms_admin.sample(forms, MAPPINGS, NEW)
    result = validate.check(document, forms)
    assert result.form is not None
    assert (result.form.code, result.findings) == ("PROBA", ())


def test_a_file_changed_after_it_was_added_fails_the_check(official, tmp_path):
    added = forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    (before,) = forms_admin.check(Forms.load([tmp_path / "own"]), MAPPINGS, only=NEW)
    added.file.write_bytes(added.file.read_bytes() + b"\n")
    (after,) = forms_admin.check(Forms.load([tmp_path / "own"]), MAPPINGS, only=NEW)

    found = [problem for problem in after.problems if problem not in before.problems]
    assert found == ["form.digest_differs: schemat.xsd"]


def test_every_file_we_ship_has_its_true_digest_in_the_catalogue():
    folder = resources.folder("xsd")
    shipped = {path for path in folder.rglob("*") if path.is_file() and path.name != "catalogue.toml"}

    assert shipped == set(FORMS.digests)
    wrong = [path.name for path, digest in FORMS.digests.items() if sha256(path.read_bytes()) != digest]
    assert wrong == [], "run docs/make_digests.py, if the change is meant"


def test_a_form_says_since_when_it_is_in_force_or_that_nobody_knows():
    known, unknown = (forms_admin.show(FORMS, MAPPINGS, name) for name in ("DN-1", "DT-1"))
    assert (known["valid_from"], known["valid_to"]) == ("2019-07-01", "unknown")
    assert unknown["valid_from"] == "unknown"


def test_a_second_addition_goes_beside_the_first_and_the_same_one_is_refused(official, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    with pytest.raises(FormError) as caught:
        forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    assert caught.value.code == "form.exists"
    (official / "schemat.xsd").write_text(OFFICIAL.replace("99901", "99902"), "utf-8")
    forms_admin.add(FORMS, official / "schemat.xsd", own, DETAILS, today=date(2026, 2, 1))
    assert len(Forms.load([own])) == len(FORMS) + 2


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (OFFICIAL.replace("adres/2009/11/09/", "adres/1999/01/01/"), "form.import_missing"),
        (OFFICIAL.replace("xs:gYear", "xs:nonsense"), "form.schema_invalid"),
        (OFFICIAL.replace("targetNamespace", "name"), "form.schema_unreadable"),
        ("<xs:schema", "form.schema_unreadable"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_written(official, tmp_path, broken, code):
    (official / "schemat.xsd").write_text(broken, "utf-8")
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(FormError) as caught:
        forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    assert caught.value.code == code
    assert list(own.iterdir()) == []


def test_a_pattern_nobody_can_read_is_told_and_not_guessed(official, tmp_path):
    typed = '<xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="{}"/></xs:restriction></xs:simpleType>'
    own = tmp_path / "own"
    own.mkdir()
    for number, pattern in ((99901, r"\p{Lu}[0-9]{3}"), (99902, "[^abc]")):
        name = '<xs:element name="SkładającyDeklarację"'
        text = OFFICIAL.replace(f'{name} type="xs:string"/>', f"{name}>{typed.format(pattern)}</xs:element>")
        (official / "schemat.xsd").write_text(text.replace("99901", str(number)), "utf-8")
        forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([own])
    assert validate.check(forms_admin.sample(forms, MAPPINGS, NEW), forms).valid
    with pytest.raises(FormError) as caught:
        forms_admin.sample(forms, MAPPINGS, NEW.replace("99901", "99902"))
    assert caught.value.code == "form.pattern_unknown"


@pytest.mark.parametrize("library", reference.files("forms/data/mf-*/StrukturyDanych*.xsd"), ids=lambda path: path.name)
def test_the_ministrys_own_type_library_takes_the_place_of_ours(library, tmp_path):
    for file in library.parent.glob("*.xsd"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    namespace = "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2018/08/24/eD/DefinicjeTypy/"
    (tmp_path / "catalogue.toml").write_text(
        f'[[library]]\nnamespace = "{namespace}"\nfile = "{library.name}"\nstatus = "official"\n', "utf-8"
    )
    forms = Forms.load([tmp_path])
    assert tmp_path / library.name in forms.closure(documents.PROPERTY_RETURN).files
    for code in ("DN-1", "IN-1", "DR-1"):
        document = forms_admin.sample(FORMS, MAPPINGS, code)
        assert validate.check(document, forms).findings == ()
    assert not validate.check(documents.property_return(nip="12"), forms).valid


def test_a_draft_has_one_row_per_leaf_and_reads_as_a_table(official, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    table = tomllib.loads(forms_admin.new(Forms.load([own]), NEW))
    assert table["form"] == NEW
    rows = {row["xpath"]: row for row in table["field"].values()}
    assert rows["/w:Dokument/TrescDokumentu/SkładającyDeklarację"]["label"] == "Składający deklarację"
    assert rows["/w:Dokument/TrescDokumentu/Rok"]["read"] == "year"
    (each,) = table["each"]
    assert each["xpath"] == "/w:Dokument/TrescDokumentu/Pies"
    assert {row["xpath"] for row in each["field"].values()} >= {"Imie", "adre:Adres/adre:Ulica"}
    assert set(table["field"]) == {"extra.skladajacy_deklaracje", "period.year"}
    assert each["target"] == "extra.pies"


def test_a_draft_maps_its_sample_as_it_stands_and_proves_it_from_the_gminas_own_folder(official, tmp_path):
    own, tables = tmp_path / "own", tmp_path / "tables"
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    (tables / "samples").mkdir(parents=True)
    forms = Forms.load([own])
    (tables / "proba-v1.toml").write_text(forms_admin.new(forms, NEW), "utf-8")
    mappings = Mappings.load([tables])
    document = forms_admin.sample(forms, mappings, NEW)
    (tables / "samples" / "proba-v1.xml").write_bytes(document)
    case = mapper.apply(document, mappings, MessageFacts())
    (tables / "samples" / "proba-v1.case.json").write_text(json.dumps(case.to_json()), "utf-8")

    (result,) = forms_admin.check(forms, mappings, only=NEW)

    assert (result.problems, case.unmapped) == ((), ())
    assert isinstance(case.extra["pies"], tuple)


def test_a_draft_takes_the_envelope_and_attachments_from_the_shared_parts_where_they_fit(tmp_path):
    letter = tomllib.loads(forms_admin.new(FORMS, "PISMO-OGOLNE:1410"))
    assert letter["include"] == ["envelope-head", "attachments"]
    assert not any("DaneDokumentu" in row["xpath"] for row in letter["field"].values())


def test_a_draft_of_an_unqualified_form_reads_attachments_by_rows_of_its_own(official, tmp_path):
    str_ = "http://crd.gov.pl/xml/schematy/struktura/2009/11/16/"
    imported = f'<xs:import namespace="{str_}" schemaLocation="{str_}struktura.xsd"/>'
    text = OFFICIAL.replace('<xs:element name="Dokument"', f'{imported}<xs:element name="Dokument"', 1)
    text = text.replace(
        '<xs:element name="Rok"', f'<xs:element xmlns:s="{str_}" ref="s:Zalaczniki"/><xs:element name="Rok"'
    )
    (official / "schemat.xsd").write_text(text, "utf-8")
    forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([tmp_path / "own"])
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "proba.toml").write_text(forms_admin.new(forms, NEW), "utf-8")
    mappings = Mappings.load([tmp_path / "t"])

    case = mapper.apply(forms_admin.sample(forms, mappings, NEW), mappings, MessageFacts())

    assert [item.file_name for item in case.attachments] == ["załącznik.pdf"]
    assert case.attachments[0].sha256 is not None


def test_an_edited_draft_maps_unqualified_and_polish_names(official, tmp_path):
    own, tables = tmp_path / "own", tmp_path / "tables"
    own.mkdir()
    tables.mkdir()
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([own])
    (tables / "proba.toml").write_text(
        f'form = "{NEW}"\nkind = "dog_declaration"\nversion = 1\n'
        '[field."taxpayer.full_name"]\nxpath = "/w:Dokument/TrescDokumentu/SkładającyDeklarację"\n'
        '[field."period.year"]\nxpath = "/w:Dokument/TrescDokumentu/Rok"\nread = "year"\n',
        "utf-8",
    )
    document = (
        f'<d:Dokument xmlns:d="{NEW}"><TrescDokumentu><SkładającyDeklarację>  Łucja\n Próbna </SkładającyDeklarację>'
        "<Rok>2026</Rok><Pies><Imie>Burek</Imie></Pies></TrescDokumentu></d:Dokument>"
    ).encode()
    assert validate.check(document, forms, Mappings.load([tables])).valid
    case = mapper.apply(document, Mappings.load([tables]), MessageFacts())
    assert case.taxpayer is not None
    assert (case.taxpayer.full_name, case.period.year) == ("Łucja Próbna", 2026)
    assert case.unmapped == ("/w:Dokument/TrescDokumentu/Pies/Imie",)


def test_what_changed_between_two_versions_is_told_by_path(official, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    later = OFFICIAL.replace("99901", "99902").replace("xs:gYear", "xs:string").replace('name="Imie"', 'name="Rasa"')
    (official / "schemat.xsd").write_text(later, "utf-8")
    forms_admin.add(FORMS, official, own, DETAILS, today=date(2026, 2, 1))
    found = forms_admin.diff(Forms.load([own]), NEW, NEW.replace("99901", "99902"))
    assert found.added == ("/Dokument/TrescDokumentu/Pies/Rasa",)
    assert found.removed == ("/Dokument/TrescDokumentu/Pies/Imie",)
    assert found.changed == (("/Dokument/TrescDokumentu/Rok", "gYear", "string"),)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("PODPISANY")])
def test_generated_samples_are_valid_and_the_same_for_the_same_seed(name):
    for seed in (1, 2, 3):
        document = forms_admin.sample(FORMS, MAPPINGS, name, seed=seed, full=seed == 1)
        assert document == forms_admin.sample(FORMS, MAPPINGS, name, seed=seed, full=seed == 1)
        assert validate.check(document, FORMS).findings == ()


def sample_or_none(name: str, code: str) -> bytes | None:
    try:
        return forms_admin.sample(FORMS, MAPPINGS, name, broken=code)
    except FormError:
        return None


def test_what_a_form_does_not_have_cannot_be_broken_in_it():
    with pytest.raises(FormError) as caught:
        forms_admin.sample(FORMS, MAPPINGS, "PIES", broken="check.vehicle_count")
    assert caught.value.code == "form.not_breakable"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("PODPISANY")])
def test_a_broken_sample_is_broken_exactly_there(name):
    broken = 0
    for code in BREAKABLE:
        document = sample_or_none(name, code)
        if document is not None:
            broken += 1
            assert {finding.code for finding in validate.check(document, FORMS).findings} == {code}
    assert broken >= 2


def test_a_wrapper_is_judged_and_mapped_by_what_is_inside(tmp_path):
    sample = Path(__file__).parents[2] / "mappings" / "samples" / "podpisany-plik-v1.xml"
    result = validate.check(sample.read_bytes(), FORMS)
    assert result.form is not None
    assert result.form.namespace == documents.LETTER
    case = mapper.apply(sample.read_bytes(), MAPPINGS, MessageFacts())
    assert case.kind == "general_letter"
    assert "podpisanyPlik" in case.document["wrapped_in"]


def test_a_wrapper_of_something_unknown_goes_to_a_clerk_with_its_file_names_decoded():
    document = forms_admin.sample(FORMS, MAPPINGS, "PODPISANY-PLIK")
    result = validate.check(document, FORMS)
    assert [finding.code for finding in result.findings] == ["form.inside_unknown"]
    assert not result.valid
    case = mapper.apply(document, MAPPINGS, MessageFacts())
    assert case.kind == "signed_file"
    assert case.attachments[0].file_name == "dokument.xml"
