"""`brama forms` and `brama show`, as an integrator and a clerk meet them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.builders import a_signed_document
from tests.program import FINE, NO, USAGE

SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test:wniosek"
  elementFormDefault="qualified">
  <xs:element name="Dokument"><xs:complexType><xs:sequence>
    <xs:element name="Tytul" type="xs:string"/>{more}
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""


def test_known_forms_are_listed_with_their_honest_status(brama):
    rows = {(row["code"], row["version"]): row for row in brama.json("forms", "list")}

    assert rows["DN-1", "1"]["status"] == "reconstructed"
    assert rows["DN-1", "1"]["schema"]
    assert "DN-1" in brama("forms", "list")


def test_one_form_is_shown_by_code_number_or_namespace_and_an_unknown_one_refused(brama):
    by_code = brama.json("forms", "show", "DN-1")

    assert brama.json("forms", "show", "2020/01/07/8990") == by_code
    assert by_code["leaves"]
    assert "targets:" in brama("forms", "show", "DN-1")
    assert brama.json("forms", "show", "XX-9", expect=USAGE)["error"]["code"] == "form.name_unknown"
    assert brama.json("forms", "show", "PISMO-OGOLNE", expect=USAGE)["error"]["code"] == "form.name_ambiguous"


def test_every_form_proves_itself_and_a_service_table_comes_from_it(brama):
    assert all(row["fine"] for row in brama.json("forms", "check"))
    assert len(brama.json("forms", "check", "--services")) == 27
    assert "DN-1" in brama("forms", "check", "DN-1")
    table = brama("forms", "check", "--services")
    for told in ("udokumentowana", "odtworzona", "† odtworzony: napisany przez projekt Brama", "* A8: Nie ma własnego"):
        assert told in table
    assert "odtworzony: napisany przez projekt Brama" in brama("forms", "list")


def test_an_integrator_adds_a_form_drafts_its_mapping_and_compares_versions(brama, tmp_path):
    (tmp_path / "schemat.xsd").write_text(SCHEMA.format(more=""), "utf-8")
    added = brama.json("forms", "add", tmp_path / "schemat.xsd", "--into", tmp_path / "wzory", "--code", "WN-1",
                       "--version", "1", "--name", "Wniosek próbny")  # fmt: skip
    config = tmp_path / "config"
    (config / "tenants").mkdir(parents=True)
    (config / "gateway.toml").write_text('forms = ["../wzory"]\n', "utf-8")

    draft = tomllib.loads(brama("forms", "new", "WN-1", "--config", config))
    brama("forms", "new", "WN-1", "--config", config, "--out", tmp_path / "draft.toml")
    kept = brama("forms", "new", "WN-1", "--config", config, "--out", tmp_path / "draft.toml", expect=USAGE)

    assert added["namespace"] == "urn:test:wniosek"
    assert draft["form"] == "urn:test:wniosek"
    assert tomllib.loads((tmp_path / "draft.toml").read_text("utf-8")) == draft
    assert "draft.toml" in kept
    missing = SCHEMA.format(more='<xs:element xmlns:x="urn:brak" ref="x:A"/>').replace(
        "<xs:element name=\"Dokument\"", '<xs:import namespace="urn:brak" schemaLocation="http://example.invalid/a.xsd"/>'
        '<xs:element name="Dokument"',
    )  # fmt: skip
    (tmp_path / "zly.xsd").write_text(missing, "utf-8")
    named = ("--code", "X", "--version", "1", "--name", "X")
    refused = brama.json("forms", "add", tmp_path / "zly.xsd", "--into", tmp_path / "w2", *named, expect=USAGE)
    assert refused["error"]["code"].startswith("form.")


def test_the_shape_of_a_case_is_exported_as_it_is_published(brama):
    published = Path(__file__).parents[2] / "schemas" / "published"
    for option, name in (((), "case-1.schema.json"), (("--openapi",), "case-1.openapi.json")):
        assert json.loads(brama("case-schema", *option)) == json.loads((published / name).read_text("utf-8"))


def test_a_generated_sample_is_valid_and_a_broken_one_is_not(brama, tmp_path):
    brama("forms", "sample", "DN-1", "--out", tmp_path / "dn1.xml")
    brama("forms", "sample", "DN-1", "--broken", "check.total", "--out", tmp_path / "zle.xml")

    assert brama.json("validate", tmp_path / "dn1.xml", expect=FINE)["valid"]
    findings = brama.json("validate", tmp_path / "zle.xml", expect=NO)["findings"]
    assert "check.total" in {finding["code"] for finding in findings}


def test_a_wrong_document_is_told_what_becomes_of_it_by_the_rules_of_its_form(brama, tmp_path):
    wrong = {"DN-1": "nie zostanie przyjęty", "PISMO-OGOLNE:1410": "obejrzy go pracownik"}
    for name, said in wrong.items():
        sample = tmp_path / "wrong.xml"
        brama("forms", "sample", name, "--broken", "check.attachment_base64", "--out", sample)
        assert said in " ".join(brama("validate", sample, expect=NO).split())


def test_a_document_is_shown_as_a_person_reads_it(brama, tmp_path):
    (tmp_path / "dn1.xml").write_bytes(a_signed_document())

    assert "Deklaracja na podatek od nieruchomości" in brama("show", tmp_path / "dn1.xml")
    brama("show", tmp_path / "dn1.xml", "--html", tmp_path / "dn1.html")
    page = (tmp_path / "dn1.html").read_text("utf-8")
    assert '<html lang="pl"' in page


def test_a_document_is_shown_with_its_signature_as_page_pdf_and_text(brama, tmp_path):
    file, keys = tmp_path / "dn1.xml", tmp_path / "klucze"
    brama("forms", "sample", "DN-1", "--signed", keys, "--out", file)
    out = {kind: tmp_path / f"dn1.{kind}" for kind in ("html", "pdf", "text")}

    brama("show", file, "--trust", keys / "trust.toml", *(part for kind in out for part in (f"--{kind}", out[kind])))

    assert out["pdf"].read_bytes().startswith(b"%PDF-1.7")
    for page in (out["html"].read_text("utf-8"), out["text"].read_text("utf-8")):
        assert "prawidłowy (TOTAL-PASSED)" in page
        assert "Zdzisław Próbny-Źdźbło" in page
        assert "bez uwag" in page
    assert "(INDETERMINATE)" in brama("show", file)  # nobody said whose seals to believe


@pytest.mark.parametrize("name", ["DN-1", "DT-1", "STAN-ROZLICZEN", "PISMO-OGOLNE:4566"])
def test_a_sample_signed_with_the_test_keys_is_trusted_and_valid(brama, tmp_path, name):
    file, keys = tmp_path / "wniosek.xml", tmp_path / "klucze"
    brama("forms", "sample", name, "--signed", keys, "--out", file)

    verdict = brama.json("verify", "--trust", keys / "trust.toml", file)
    assert verdict["signatures"][0]["signer"]["kind"] == "trusted_profile"
    assert brama.json("validate", file)["valid"]


def test_test_keys_are_used_again_and_never_written_over_somebody_elses(brama, tmp_path):
    keys = tmp_path / "klucze"
    for number in (1, 2):
        brama("forms", "sample", "DN-1", "--signed", keys, "--out", tmp_path / f"{number}.xml")
        brama("verify", "--trust", keys / "trust.toml", tmp_path / f"{number}.xml")
    brama("verify", "--trust", keys / "trust.toml", tmp_path / "1.xml")
    (keys / "root.key").unlink()
    before = {path.name: path.read_bytes() for path in keys.iterdir()}

    refused = brama("forms", "sample", "DN-1", "--signed", keys, expect=USAGE)

    assert "form.test_keys_incomplete" in refused
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_a_place_nobody_can_write_to_is_wrong_use_and_no_traceback(brama, tmp_path):
    (tmp_path / "file").write_text("x", "utf-8")
    said = brama("forms", "sample", "PIES", "--out", tmp_path / "file" / "x.xml", expect=USAGE)
    assert "nie można zapisać" in said
    (tmp_path / "schemat.xsd").write_text(SCHEMA.format(more=""), "utf-8")
    named = ("--code", "X", "--version", "1", "--name", "X")
    said = brama("forms", "add", tmp_path / "schemat.xsd", "--into", tmp_path / "file" / "x", *named, expect=USAGE)
    assert "nie można zapisać" in said


def test_a_document_of_an_unknown_template_is_shown_all_the_same(brama, tmp_path):
    (tmp_path / "x.xml").write_bytes(a_signed_document("unknown"))
    said = brama("show", tmp_path / "x.xml")
    assert "Dokument nieznanego wzoru" in said
    assert "TrescDokumentu / Tytul: Wniosek o wydanie zaświadczenia" in said
