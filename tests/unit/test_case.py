"""The normalized case: exact, frozen, published as JSON Schema, with a key that names no taxpayer."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway import mapper
from gateway.mapper import Mappings, MessageFacts
from gateway.simulate import documents, people
from schemas.case import Case, FormRef, case_id, json_schema, openapi, taxpayer_key
from schemas.case_parts import Declared, Party
from schemas.case_terms import TERMS

PUBLISHED = Path(__file__).parents[2] / "schemas" / "published" / "case-1.schema.json"


def a_case(**more) -> Case:
    return Case(id=case_id("/a/b", "0" * 64), kind="general_letter", form=FormRef(namespace="urn:a"), **more)


def test_money_is_exact_and_travels_as_text():
    declared = Declared(total="1234567890123.10")
    assert declared.total == Decimal("1234567890123.10")
    assert a_case(declared=declared).to_json()["declared"]["total"] == "1234567890123.10"
    assert a_case(declared=Declared(total="1E+3")).to_json()["declared"]["total"] == "1000"


@pytest.mark.parametrize("wrong", [0.1, True, "NaN", "inf", "12,50", "abc", None.__class__])
def test_anything_but_an_exact_number_is_refused(wrong):
    with pytest.raises(ValidationError):
        Declared(total=wrong)


def test_a_case_cannot_be_changed_and_takes_no_unknown_keys():
    case = a_case()
    with pytest.raises(ValidationError):
        case.kind = "other"
    with pytest.raises(ValidationError):
        a_case(colour="red")


def test_a_case_survives_json_and_back():
    case = mapper.apply(documents.property_return(), Mappings.load(), MessageFacts())
    assert Case.model_validate(json.loads(json.dumps(case.to_json()))) == case


def test_the_key_is_stable_for_a_taxpayer_and_shows_no_identifier():
    pesel = people.person(1).pesel
    first = taxpayer_key(a_case(taxpayer=Party(pesel=pesel)), b"secret")
    assert first == taxpayer_key(a_case(taxpayer=Party(pesel=pesel, surname="Inne")), b"secret")
    assert first is not None
    assert len(first) == 32
    assert pesel not in first


def test_other_taxpayers_kinds_of_number_and_secrets_have_other_keys():
    keys = {
        taxpayer_key(a_case(taxpayer=party), secret)
        for party in (Party(pesel="1"), Party(pesel="2"), Party(nip="1"), Party(regon="1"))
        for secret in (b"", b"a")
    }
    assert len(keys) == 8


def test_without_a_taxpayer_there_is_no_key():
    assert taxpayer_key(a_case()) is None
    assert taxpayer_key(a_case(taxpayer=Party(full_name="Bez numerów"))) is None


def test_the_published_schema_of_version_1_has_not_changed():
    """A published version never changes: make `case/2` beside it instead."""
    assert json_schema() == json.loads(PUBLISHED.read_text("utf-8"))


def test_the_published_openapi_of_version_1_has_not_changed():
    assert openapi() == json.loads(PUBLISHED.with_name("case-1.openapi.json").read_text("utf-8"))


def test_every_property_says_what_it_is_and_every_term_is_used():
    shapes = {"Case": json_schema(), **json_schema()["$defs"]}
    every = {(name, key) for name, shape in shapes.items() for key in shape.get("properties", {})}
    told = {(name, key) for name, key in every if shapes[name]["properties"][key].get("description")}
    assert every == told
    used = {f"{name}.{key}" if f"{name}.{key}" in TERMS else key for name, key in every}
    assert set(TERMS) - used == set()


def test_what_only_one_form_asks_travels_as_text():
    extra = {"trees": 3, "height": Decimal("1E+1"), "on": date(2026, 3, 1), "wet": True, "tree": [{"girth": 120}]}
    assert a_case(extra=extra).to_json()["extra"] == {
        "trees": "3", "height": "10", "on": "2026-03-01", "wet": "true", "tree": [{"girth": "120"}],
    }  # fmt: skip
    with pytest.raises(ValidationError):
        a_case(extra={"tree": [[1]]})


def test_openapi_refers_only_to_components_it_has():
    text = json.dumps(openapi())
    names = set(openapi()["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= names
    assert "Case" in names
