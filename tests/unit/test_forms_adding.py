"""Adding a published schema, drafting its mapping, comparing versions: taken byte for byte, or refused whole."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest

from gateway import forms_admin, mapper, validate
from gateway.forms import Forms
from gateway.forms_admin import Details
from gateway.mapper import Mappings, MessageFacts
from schemas.errors import FormError

FORMS = Forms.load()
MAPPINGS = Mappings.load()
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


@pytest.mark.parametrize(("encoding", "declared"), [("cp1250", "windows-1250"), ("utf-16", "UTF-16")])
def test_an_official_schema_in_an_old_encoding_is_taken_as_it_is(official, tmp_path, encoding, declared):
    written = f'<?xml version="1.0" encoding="{declared}"?>\n{OFFICIAL}'.encode(encoding)
    (official / "schemat.xsd").write_bytes(written)
    added = forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    assert added.file.read_bytes() == written
    forms = Forms.load([tmp_path / "own"])
    document = forms_admin.sample(forms, MAPPINGS, NEW)
    assert "SkładającyDeklarację" in document.decode()
    assert validate.check(document, forms).findings == ()


def test_a_redefined_type_is_known_with_what_was_added_to_it(official, tmp_path):
    (official / "typy.xsd").write_text(
        OFFICIAL.replace('<xs:element name="Dokument" type="DokumentTyp"/>', ""), "utf-8"
    )
    (official / "schemat.xsd").write_text(
        f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{NEW}" targetNamespace="{NEW}">
        <xs:redefine schemaLocation="typy.xsd"><xs:complexType name="DokumentTyp"><xs:complexContent>
          <xs:extension base="DokumentTyp"><xs:sequence><xs:element name="Dopisek" type="xs:string"/></xs:sequence>
        </xs:extension></xs:complexContent></xs:complexType></xs:redefine>
        <xs:element name="Dokument" type="DokumentTyp"/></xs:schema>""",
        "utf-8",
    )
    forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([tmp_path / "own"])
    leaves = [leaf["path"] for leaf in forms_admin.show(forms, MAPPINGS, NEW)["leaves"]]
    assert {"/Dokument/TrescDokumentu/Rok", "/Dokument/Dopisek"} <= set(leaves)
    assert validate.check(forms_admin.sample(forms, MAPPINGS, NEW), forms).findings == ()


def test_an_official_library_beside_the_schema_goes_before_a_reconstructed_one(official, tmp_path):
    adr = "http://crd.gov.pl/xml/schematy/adres/2009/11/09/"
    (official / "adres.xsd").write_text(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{adr}">'
        '<xs:element name="Adres" type="xs:string"/></xs:schema>',
        "utf-8",
    )
    forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([tmp_path / "own"])

    assert [path.name for path in forms.closure(NEW).files] == ["schemat.xsd", "adres.xsd"]
    assert forms.closure(NEW).files[1].is_relative_to(tmp_path / "own")
    assert forms.changed(NEW) == ()
    paths = {leaf["path"] for leaf in forms_admin.show(forms, MAPPINGS, NEW)["leaves"]}
    assert "/Dokument/TrescDokumentu/Pies/Adres" in paths


@pytest.mark.parametrize("content", ["<!DOCTYPE a><a/>", "<a/>", '<s:schema xmlns:s="x" targetNamespace="urn:a"/>'])
def test_a_file_beside_the_schema_that_is_not_the_library_is_left_alone(official, tmp_path, content):
    (official / "adres.xsd").write_text(content, "utf-8")
    forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    assert not (Forms.load([tmp_path / "own"]).closure(NEW).files[1]).is_relative_to(tmp_path / "own")


def test_what_a_reconstructed_library_lacks_is_told_with_the_way_out(official, tmp_path):
    text = OFFICIAL.replace('<xs:element ref="adr:Adres" minOccurs="0"/>', '<xs:element ref="adr:Nic"/>')
    (official / "schemat.xsd").write_text(text, "utf-8")
    with pytest.raises(FormError) as caught:
        forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    assert caught.value.code == "form.component_missing"
    assert "Nic" in str(caught.value)


def test_a_schema_that_compiles_for_ever_is_refused_in_time(official, tmp_path):
    many = "".join(f'<xs:element name="E{n}" type="xs:string" minOccurs="0"/>' for n in range(4000))
    (official / "schemat.xsd").write_text(OFFICIAL.replace('<xs:element name="Rok"', f'{many}<xs:element name="Rok"'))
    with pytest.raises(FormError) as caught:
        forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1), compile_s=1.0)
    assert caught.value.code == "form.schema_limit"
    assert not (tmp_path / "own").exists()


def test_a_folder_without_a_schema_is_refused_by_the_name_that_was_looked_for(tmp_path):
    with pytest.raises(FormError) as caught:
        forms_admin.add(FORMS, tmp_path, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    assert (caught.value.code, caught.value.facts["wanted"]) == ("form.entry_missing", "schemat.xsd")


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


def test_a_draft_of_an_unqualified_form_takes_the_envelope_from_the_shared_part_too(official, tmp_path):
    libraries = {
        "s": "http://crd.gov.pl/xml/schematy/struktura/2009/11/16/",
        "m": "http://crd.gov.pl/xml/schematy/meta/2009/11/16/",
    }
    imported = "".join(f'<xs:import namespace="{uri}"/>' for uri in libraries.values())
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in libraries.items())
    head = (
        f"<xs:element name='OpisDokumentu'><xs:complexType><xs:sequence{declared}><xs:element ref='s:CID'/>"
        f"<xs:element ref='m:Data'/></xs:sequence></xs:complexType></xs:element>"
        f"<xs:element name='DaneDokumentu'><xs:complexType><xs:sequence{declared}><xs:element ref='s:Adresaci'/>"
        f"<xs:element ref='s:Nadawcy'/></xs:sequence></xs:complexType></xs:element>"
    )
    text = OFFICIAL.replace('<xs:element name="Dokument"', f'{imported}<xs:element name="Dokument"', 1)
    text = text.replace('<xs:element name="TrescDokumentu"', f'{head}<xs:element name="TrescDokumentu"', 1)
    text = text.replace("Składający", "PESEL", 1).replace("PESELDeklarację", "PESEL")
    (official / "schemat.xsd").write_text(text, "utf-8")
    forms_admin.add(FORMS, official, tmp_path / "own", DETAILS, today=date(2026, 2, 1))
    forms = Forms.load([tmp_path / "own"])
    drafted = forms_admin.new(forms, NEW)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "proba.toml").write_text(drafted, "utf-8")
    mappings = Mappings.load([tmp_path / "t"])

    table = tomllib.loads(drafted)
    case = mapper.apply(forms_admin.sample(forms, mappings, NEW), mappings, MessageFacts())

    assert (table["unqualified"], table["include"]) == (True, ["envelope-head"])
    assert not any("DaneDokumentu" in row["xpath"] for row in table["field"].values())
    assert case.submitter is not None
    assert case.submitter.nip is not None
    assert case.document["addressee"].startswith("Urząd")
    assert (case.form.code, case.taxpayer is not None) == ("PROBA", True)
    assert not any("Nadawcy" in path for path in case.unmapped)


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
