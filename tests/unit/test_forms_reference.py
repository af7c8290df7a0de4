"""Documents other people made, where they lie beside the clone: recognised, and answered with what is true of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import mapper, validate
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.render import render, render_raw
from schemas.errors import MappingError
from tests import reference

FORMS = Forms.load()
MAPPINGS = Mappings.load()
SAMPLES = [*reference.files("epuap/data/samples/documents/*.xml"), *reference.files("forms/data/samples/*.xml")]
# file: (form, valid, findings, kind of case, words a person must see)
TRUE = {
    "fixture_pcc3_5_2973_identifiers_replaced": (
        "PCC-3", False, ["form.elsewhere"], None, ["PozycjeSzczegolowe / P_23", "urząd skarbowy"],
    ),
    "real_304_wniosek_unsigned_uri_attachment": (
        "WNIOSEK", True, ["check.nip", "check.nip"], "general_letter",
        ["ROZPORZADZENIE_12018_1_Rozporzadzenie.1.2018.2018-05-02.zipx", "poza dokumentem"],
    ),
    "synthetic_dt1_6_7206": (
        "DT-1", True, [], "vehicle_return", ["2\xa0100,00", "BXX00002", "D.15 przyczepy i naczepy od 12 t"],
    ),
    "synthetic_pismo_ogolne_1410": (
        "PISMO-OGOLNE", True, [], "general_letter", ["potwierdzenie_opłaty.pdf", "w jednym egzemplarzu"],
    ),
    "synthetic_podpisany_plik": (
        "PODPISANY-PLIK", False, ["form.inside_unknown"], "signed_file", ["oświadczenie.txt"],
    ),
    "pismo-ogolne-4566-real-unsigned-uri-attachments": (
        "PISMO-OGOLNE", False, ["schema.value_invalid", "schema.element_unexpected"], "general_letter",
        ["Uchwała.XLX.99.2021.2021-04-05.zip", "Urząd Gminy Mały Płock"],
    ),
    "pismo-ogolne-599-template-2015": (
        "PISMO-OGOLNE", False, ["schema.text_unexpected"], "general_letter", ["test duże pliki"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_somebody_elses_document_is_answered_with_what_is_true_of_it(sample: Path) -> None:
    code, valid, findings, kind, seen = TRUE[sample.stem]
    document = sample.read_bytes()

    result = validate.check(document, FORMS)

    assert (result.form.code if result.form else None, result.valid) == (code, valid)
    assert [finding.code for finding in result.findings] == findings
    if kind is None:
        with pytest.raises(MappingError, match=r"mapping\.none"):
            mapper.apply(document, MAPPINGS, MessageFacts())
        text = render_raw(document, result).text
    else:
        case = mapper.apply(document, MAPPINGS, MessageFacts())
        assert case.kind == kind
        text = render(document, case, result, MAPPINGS).text
    for words in seen:
        assert words in text
