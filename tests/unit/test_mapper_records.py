"""Case to back-office record: limits are kept before anything is sent, and nothing is cut or replaced."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from gateway import mapper
from gateway.mapper import Mappings, MessageFacts
from gateway.mapping.record import look_up
from gateway.simulate import documents
from schemas.errors import MappingError

MAPPINGS = Mappings.load()
CASE = mapper.apply(documents.property_return(), MAPPINGS, MessageFacts()).to_json()


def record(tmp_path, text: str, case=None):
    (tmp_path / "records").mkdir(exist_ok=True)
    (tmp_path / "records" / "proba.toml").write_text(text, "utf-8")
    return mapper.to_record(CASE if case is None else case, Mappings.load([tmp_path]).record("proba"))


def problems(tmp_path, text: str, case=None) -> list[dict[str, str]]:
    with pytest.raises(MappingError) as caught:
        record(tmp_path, text, case)
    assert caught.value.code == "mapping.record_refused"
    found: list[dict[str, str]] = caught.value.facts["problems"]
    return found


def test_the_staging_record_has_exact_and_typed_values():
    row = mapper.to_record(CASE, MAPPINGS.record("staging"))
    assert row["KWOTA"] == Decimal("24629")
    assert (row["FORMULARZ"], row["ROK"], row["CEL"]) == ("DN-1", 2026, "Z")


def test_the_records_system_gets_the_letters_title_and_sender():
    case = mapper.apply(documents.general_letter(), MAPPINGS, MessageFacts()).to_json()
    row = mapper.to_record(case, MAPPINGS.record("ezd"))
    assert row["tytul"] == "Wniosek o wydanie zaświadczenia o niezaleganiu w podatkach"
    assert row["data_pisma"] == date(2026, 2, 5)
    assert row["nadawca_wg_koperty"] == "Wzorcowa Grażyna"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ('from = "taxpayer.pesel"\nrequired = true', "record.missing"),
        ('from = "taxpayer.full_name"\nmax_length = 3', "record.too_long"),
        ('from = "taxpayer.full_name"\ncharset = "ascii"', "record.charset"),
        ('from = "taxpayer.nip"\npattern = "[0-9]{3}"', "record.pattern"),
        ('from = "taxpayer.full_name"\nas = "decimal"', "record.unreadable"),
        ('from = "taxpayer.full_name"\nas = "date"', "record.unreadable"),
    ],
)
def test_what_the_office_could_not_store_is_refused_with_field_and_reason(tmp_path, rule, code):
    (problem,) = problems(tmp_path, f"[field.POLE]\n{rule}\n")
    assert (problem["field"], problem["code"]) == ("POLE", code)


def test_all_problems_are_told_at_once_and_without_values(tmp_path):
    found = problems(
        tmp_path, '[field.A]\nfrom = "x"\nrequired = true\n[field.B]\nfrom = "taxpayer.full_name"\nmax_length = 1\n'
    )
    assert [problem["field"] for problem in found] == ["A", "B"]
    assert CASE["taxpayer"]["full_name"] not in str(found)


def test_the_first_source_that_says_something_is_taken(tmp_path):
    assert record(tmp_path, '[field.A]\nfrom = ["letter.title", "document.name"]\n') == {
        "A": "Deklaracja na podatek od nieruchomości"
    }


def test_a_template_without_any_value_is_absent_and_gaps_leave_no_double_spaces(tmp_path):
    text = '[field.A]\ntemplate = "{no.one}"\n[field.B]\ntemplate = "{no.one} {period.year} {no.two} r."\n'
    assert record(tmp_path, text) == {"B": "2026 r."}


def test_constants_translations_and_lists(tmp_path):
    text = (
        '[field.A]\nconst = "X"\n[field.B]\nfrom = "purpose"\nvalues = { new = "Z" }\n'
        '[field.C]\nfrom = "letter.body"\njoin = "|"\n'
    )
    case = {**CASE, "letter": {"body": ["a", "b"]}}
    assert record(tmp_path, text, case) == {"A": "X", "B": "Z", "C": "a|b"}


def test_paths_reach_into_lists():
    assert look_up(CASE, "declared.instalments.1.amount") == "2052"
    assert look_up(CASE, "declared.instalments.99.amount") is None
    assert look_up(CASE, "purpose.deeper") is None


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("[field.A\n", "mapping.file_unreadable", 1),
        ('[field.A]\nfrom = "x"\n\n[field.B]\nfrom = "x"\nhue = 1\n', "mapping.key_unknown", 4),
        ("[field.A]\nrequired = true\n", "mapping.key_missing", 1),
        ('[field.A]\nfrom = "x"\nas = "colour"\n', "mapping.transform_unknown", 1),
        ('[field.A]\nfrom = "x"\npattern = "("\n', "mapping.transform_unknown", 1),
        ('[field.A]\nfrom = "x"\ncharset = "klingon"\n', "mapping.transform_unknown", 1),
        ('hue = 1\n[field.A]\nfrom = "x"\n', "mapping.key_unknown", 1),
    ],
)
def test_a_mistake_in_a_record_table_names_file_and_line(tmp_path, text, code, line):
    with pytest.raises(MappingError) as caught:
        record(tmp_path, text)
    assert caught.value.code == code
    assert (caught.value.facts["file"], caught.value.facts["line"]) == ("proba.toml", line)


def test_an_unknown_record_mapping_is_named_with_those_that_exist():
    with pytest.raises(MappingError) as caught:
        MAPPINGS.record("nie-ma")
    assert caught.value.code == "mapping.record_unknown"
    assert "staging" in caught.value.facts["known"]
