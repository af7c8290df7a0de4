"""Any document a schema allows: mapped so that every signed leaf is accounted for, never an exception for bad input."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import forms_admin, mapper, validate
from gateway.formdata.model import ElementModel, root_of
from gateway.formdata.patterns import matching
from gateway.formdata.sample import sample
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.mapping.reader import read, unmapped
from gateway.simulate import documents
from schemas.errors import BramaError
from schemas.xmldoc import XSI

FORMS = Forms.load()
MAPPINGS = Mappings.load()
NAMESPACES = sorted(form.namespace for form in FORMS if form.file is not None and not form.wrapper)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def model(namespace: str) -> ElementModel:
    return root_of(FORMS.closure(namespace))


def places(root: etree._Element) -> set[tuple[etree._Element, str]]:
    """Every text and attribute that says something: (element, "" or the attribute's name)."""
    found = set()
    for element in root.iter(etree.Element):
        texts = [element.text, *(child.tail for child in element)]
        if any(text and text.strip() for text in texts):
            found.add((element, ""))
        found |= {(element, str(name)) for name in element.attrib if not str(name).startswith(f"{{{XSI}}}")}
    return found


def told(root: etree._Element, path: str, namespaces: dict[str, str]) -> set[tuple[etree._Element, str]]:
    found = root.xpath(path, namespaces=namespaces)
    if not isinstance(found, list):
        return set()
    return {(node, "") if isinstance(node, etree._Element) else (node.getparent(), node.attrname) for node in found}


@QUICK
@given(st.sampled_from(NAMESPACES), st.integers(0, 10**6))
def test_every_signed_leaf_is_mapped_listed_or_named_as_envelope(namespace, seed):
    table = MAPPINGS.get(namespace)
    assert table is not None
    document = sample(model(namespace), seed=seed, full=False, table=table)
    root = etree.fromstring(document)
    case = mapper.apply(document, MAPPINGS, MessageFacts())
    accounted: set[tuple[etree._Element, str]] = set()
    for path in (*case.sources.values(), *case.unmapped, *(item.xpath for item in table.ignored if item.xpath)):
        accounted |= told(root, path, table.ns)
    left = {place for place in places(root) if place not in accounted and place[1] not in table.ignored_attributes}
    assert {(root.getroottree().getpath(element), name) for element, name in left} == set()


@QUICK
@given(st.sampled_from(NAMESPACES), st.integers(0, 10**6))
def test_what_a_table_has_no_row_for_is_listed(namespace, seed):
    """With the rows that checks look at alone, most of a document is nobody's, and every leaf of it is listed."""
    whole = MAPPINGS.get(namespace)
    assert whole is not None
    table = whole.for_checks
    assert table is not None
    root = etree.fromstring(sample(model(namespace), seed=seed, full=False, table=whole))
    reading = read(root, table)
    listed = unmapped(root, table, reading.taken)
    accounted: set[tuple[etree._Element, str]] = set()
    for path in (*reading.sources.values(), *listed):
        accounted |= told(root, path, table.ns)
    assert {place for place in places(root) if place[1] not in table.ignored_attributes} <= accounted
    assert listed
    assert reading.values == read(root, table, tracked=False).values


@QUICK
@given(st.sampled_from(NAMESPACES), st.integers(0, 10**6))
def test_every_generated_document_is_valid(namespace, seed):
    document = sample(model(namespace), seed=seed, full=False, table=MAPPINGS.get(namespace))
    assert [finding.code for finding in validate.check(document, FORMS).findings] == []


BASE = {
    "letter": documents.general_letter(files=[documents.File("a.pdf", documents.PDF)]),
    "return": documents.property_return(),
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BASE)), st.integers(0, 9000), st.integers(0, 200), st.binary(max_size=30))
@example("return", 0, 10**6, b"")
def test_a_damaged_document_is_answered_and_never_raises(which, start, length, filling):
    whole = BASE[which]
    damaged = whole[:start] + filling + whole[start + length :]
    result = validate.check(damaged, FORMS)
    assert result.valid or result.findings
    code = error_of(damaged)
    assert code is None or code.startswith(("document.", "mapping."))


def error_of(document: bytes) -> str | None:
    try:
        mapper.apply(document, MAPPINGS, MessageFacts())
    except BramaError as error:
        return error.code
    return None


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["Tytul", "Rok", "KwotaPodatku", "Czas", "PESEL", "NIP", "DaneZalacznika", "CelZlozenia"]),
    st.text(),
)
def test_any_text_in_a_leaf_is_answered_and_its_value_is_not_repeated(name, text):
    root = etree.fromstring(BASE["return"] if name in ("Rok", "KwotaPodatku", "NIP", "CelZlozenia") else BASE["letter"])
    element = next(root.iter(f"{{*}}{name}"))
    try:
        element.text = text
    except ValueError:
        return  # not a text XML can hold
    result = validate.check(etree.tostring(root), FORMS)
    if len(text) > 6:
        assert not any(text in f"{finding.message_pl}{finding.message_en}" for finding in result.findings)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([r"\d{2}-\d{3}", "[A-Z]{2}[0-9]{1,4}", "(a|bc)+", r"\d{9}|\d{14}", "x?y*z"])
)
def test_a_made_text_matches_its_pattern(seed, pattern):
    import random
    import re

    assert re.fullmatch(pattern, matching(pattern, random.Random(seed)))


def test_every_named_form_can_be_sampled_by_an_integrator():
    for form in FORMS:
        if form.file is not None:
            assert forms_admin.sample(FORMS, MAPPINGS, form.namespace).startswith(b"<?xml")
