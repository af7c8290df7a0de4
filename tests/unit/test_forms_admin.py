"""What an integrator does with forms: list, show, add, check, draft, compare and make samples."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway import forms_admin, mapper, resources, validate
from gateway.formdata.breaking import BREAKABLE, DATED
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.services import services
from gateway.simulate import documents
from schemas.errors import ConfigError, FormError
from schemas.ids import sha256
from schemas.texts import all_texts
from tests import reference

FORMS = Forms.load()
MAPPINGS = Mappings.load()
NAMES = [f"{form.info.code}:{form.info.version}" for form in FORMS if form.file is not None]


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


def test_check_tells_a_sample_without_an_expected_case_from_one_that_differs(tmp_path):
    stem = MAPPINGS.file(documents.LETTER).stem
    (tmp_path / f"{stem}.xml").write_bytes(documents.general_letter())
    (result,) = forms_admin.check(FORMS, MAPPINGS, [tmp_path], only="PISMO-OGOLNE:1410")
    assert result.problems == (f"form.expected_missing: {stem}.case.json",)


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


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("PODPISANY")])
def test_generated_samples_are_valid_and_the_same_for_the_same_seed(name):
    for seed in (1, 2, 3):
        document = forms_admin.sample(FORMS, MAPPINGS, name, seed=seed, full=seed == 1)
        assert document == forms_admin.sample(FORMS, MAPPINGS, name, seed=seed, full=seed == 1)
        assert validate.check(document, FORMS).findings == ()


DAY = date(2026, 2, 10)  # of receipt, for the checks that need one
LATER = {"check.year": {"check.filed_late"}}  # a year long past is past its deadline, too
NEED_MORE = {
    # what a document cannot be broken in by itself: who got it, who signed it, on which day; what its schema refuses
    "check.addressee_unknown", "check.misdirected", "check.sender_not_signer", "check.signer_for_organisation",
    "check.signer_not_taxpayer", "check.filed_late", "check.excise_window", "check.statement_with_amounts",
    "check.total_missing", "check.required_missing", "check.unreadable", "check.share", "check.no_earlier_return",
}  # fmt: skip


def codes_of(document: bytes, on: date | None) -> set[str]:
    return {finding.code for finding in validate.check(document, FORMS, on=on).findings}


def sample_or_none(name: str, code: str) -> bytes | None:
    try:
        return forms_admin.sample(FORMS, MAPPINGS, name, broken=code)
    except FormError:
        return None


def test_what_a_form_does_not_have_cannot_be_broken_in_it():
    with pytest.raises(FormError) as caught:
        forms_admin.sample(FORMS, MAPPINGS, "PIES", broken="check.vehicle_count")
    assert caught.value.code == "form.not_breakable"
    with pytest.raises(FormError) as caught:
        forms_admin.sample(FORMS, MAPPINGS, "PIES", broken="check.nothing")
    assert caught.value.code == "form.check_unknown"
    assert "check.vehicle_count" in caught.value.facts["known"]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("PODPISANY")])
def test_a_broken_sample_is_broken_exactly_there(name):
    whole = forms_admin.sample(FORMS, MAPPINGS, name)
    usual = {on: codes_of(whole, on) for on in (None, DAY)}
    broken = 0
    for code in BREAKABLE:
        document = sample_or_none(name, code)
        if document is not None:
            broken += 1
            on = DAY if code in DATED else None
            assert codes_of(document, on) - usual[on] - LATER.get(code, set()) == {code}, code
    assert broken >= 2


def test_every_check_of_a_documents_own_content_can_be_broken_in_some_form():
    broken = {code for code in BREAKABLE for name in NAMES if sample_or_none(name, code) is not None}
    assert broken == set(BREAKABLE)
    checks = {code for code in all_texts() if code.startswith("check.")}
    assert checks - broken == NEED_MORE


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
