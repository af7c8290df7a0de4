"""Mapping: signed XML to a case, every value with its source, nothing dropped, mistakes named by file, line and key."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway import mapper, validate
from gateway.formdata.model import root_of
from gateway.formdata.skeleton import skeleton, strays
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.simulate import documents, people
from gateway.simulate.documents import File
from schemas.case import Case
from schemas.errors import DocumentUnreadable, MappingError
from schemas.submission import SenderBlock
from schemas.verification import Crypto, Indication, SignatureVerdict, Signer, Verification
from schemas.xmldoc import parse, read_once

FORMS = Forms.load()
MAPPINGS = Mappings.load()
SAMPLES = sorted((Path(__file__).parents[2] / "mappings" / "samples").glob("*.xml"))
HEAD = f'form = "{documents.LETTER}"\nkind = "general_letter"\nversion = 2\n'


def mapped(document: bytes, facts: MessageFacts | None = None) -> Case:
    return mapper.apply(document, MAPPINGS, facts or MessageFacts())


@pytest.mark.parametrize("namespace", list(MAPPINGS))
def test_every_xpath_compiles_and_points_at_what_the_schema_can_contain(namespace):
    table = MAPPINGS.get(namespace)
    assert table is not None
    everything = skeleton(root_of(FORMS.closure(namespace)))
    assert strays(table, everything) == []


def test_an_xpath_that_points_nowhere_is_found(tmp_path):
    (tmp_path / "letter.toml").write_text(
        HEAD + '[field."letter.title"]\nxpath = "/w:Dokument/w:TrescDokumentu/w:Tytół"\n', "utf-8"
    )
    table = Mappings.load([tmp_path]).get(documents.LETTER)
    assert table is not None
    found = strays(table, skeleton(root_of(FORMS.closure(documents.LETTER))))
    assert [stray.target for stray in found] == ["letter.title"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_each_sample_maps_to_its_expected_case(sample):
    expected = json.loads(sample.with_suffix(".case.json").read_text("utf-8"))
    assert mapped(sample.read_bytes()).to_json() == expected


def test_every_mapping_has_a_sample():
    assert {path.stem for path in SAMPLES} >= {MAPPINGS.file(namespace).stem for namespace in MAPPINGS}


def test_a_property_return_becomes_a_case_with_exact_figures():
    case = mapped(documents.property_return(purpose="2", from_month="4")).to_json()
    assert (case["schema"], case["kind"], case["purpose"]) == ("case/1", "property_return", "correction")
    assert case["period"] == {"year": 2026, "from_month": 4}
    assert case["declared"]["rows"][1] == {
        "code": "land_under_waters", "base": "0.3500", "unit": "ha", "rate": "6.20", "amount": "2.17",
    }  # fmt: skip
    assert case["declared"]["total"] == "24629"
    assert [item["type"] for item in case["objects"]] == ["land"] * 3 + ["building"] * 2 + ["structure"]
    assert case["objects"][1]["area_ha"] == "0.3500"
    assert case["exemptions"] == [{"legal_title": "art. 7 ust. 1 pkt 10 – grunty", "area_m2": "312.00"}]


def test_every_value_knows_where_it_came_from():
    document = documents.property_return()
    case = mapped(document)
    table = MAPPINGS.get(documents.PROPERTY_RETURN)
    assert table is not None
    root = etree.fromstring(document)
    for target, path in case.sources.items():
        assert root.xpath(path, namespaces=table.ns), target
    assert "taxpayer.nip" in case.sources
    assert "declared.rows[2].base" in case.sources


def test_signed_content_that_no_row_takes_is_listed():
    extra = '<wnio:Dopisek waga="2">nikt mnie nie odwzorował</wnio:Dopisek></wnio:TrescDokumentu>'
    document = documents.general_letter().decode().replace("</wnio:TrescDokumentu>", extra).encode()
    assert mapped(document).unmapped == (
        "/w:Dokument/w:TrescDokumentu/w:Dopisek",
        "/w:Dokument/w:TrescDokumentu/w:Dopisek/@waga",
    )


def test_a_second_value_where_one_is_expected_is_listed_and_not_dropped():
    document = documents.general_letter().decode()
    document = document.replace("<oso:Nazwisko>", "<oso:Nazwisko>Pierwsza</oso:Nazwisko>\n<oso:Nazwisko>", 1)
    case = mapped(document.encode())
    assert case.submitter is not None
    assert case.submitter.surname == "Pierwsza"
    assert case.unmapped == ("/w:Dokument/w:DaneDokumentu/str:Nadawcy/meta:Podmiot/oso:Osoba/oso:Nazwisko[2]",)


def test_text_between_elements_is_listed():
    document = documents.general_letter().decode().replace("</wnio:Informacje>", "luzem</wnio:Informacje>", 1)
    assert mapped(document.encode()).unmapped == ("/w:Dokument/w:TrescDokumentu/w:Informacje",)


def test_a_value_that_cannot_be_read_is_listed_twice_as_unmapped_and_as_a_check():
    document = documents.general_letter().decode().replace("<meta:Czas>2026-02-05<", "<meta:Czas>niedawno<", 1)
    case = mapped(document.encode())
    assert case.unmapped == ("/w:Dokument/w:OpisDokumentu/meta:Data/meta:Czas",)
    assert [check.code for check in case.checks] == ["check.unreadable"]
    assert "described_on" not in case.document


def test_attachments_carry_digest_and_size_but_no_bytes():
    case = mapped(documents.general_letter(files=[File("umowa.pdf", b"tresc", description="Umowa")]))
    (attached,) = case.attachments
    assert (attached.size, attached.file_name, attached.encoding, attached.description) == (
        5, "umowa.pdf", "base64", "Umowa",
    )  # fmt: skip
    assert attached.sha256 == hashlib.sha256(b"tresc").hexdigest()


def test_the_form_is_told_apart_by_namespace_and_not_by_prefix():
    document = documents.general_letter().replace(b"wnio:", b"dok:").replace(b"xmlns:wnio=", b"xmlns:dok=")
    letter = mapped(document).letter
    assert letter is not None
    assert letter.title == "Wniosek o wydanie zaświadczenia o niezaleganiu w podatkach"


def test_the_same_document_in_the_same_mailbox_is_the_same_case():
    document = documents.general_letter()
    assert mapped(document).id == mapped(document).id
    assert mapped(document).id != mapped(documents.general_letter(seed=2)).id


def test_the_arrival_and_the_signature_stand_beside_the_form_and_are_not_merged_into_it():
    signer = Signer(kind="trusted_profile", name="Łucja Próbna", pesel=people.person(5).pesel)
    verdict = SignatureVerdict(
        id="s", indication=Indication.PASSED, sub_indication=None, crypto=Crypto.INTACT, covers_document=True,
        level="XAdES-B", signing_time=None, signer=signer, references=(), reasons=(),
    )  # fmt: skip
    facts = MessageFacts(
        mailbox="/gmina/skrytka", tenant="2009032", received_at=datetime(2026, 2, 5, 10, 0, tzinfo=UTC),
        sender=SenderBlock(identifier="abc", name="Inny"),
        verification=Verification(Indication.PASSED, (verdict,), "full"),
    )  # fmt: skip
    case = mapped(documents.property_return(), facts).to_json()
    assert case["message"]["sender"]["name"] == "Inny"
    assert case["message"]["received_at"] == "2026-02-05T10:00:00Z"
    assert case["signature"]["signer_pesel"] == signer.pesel
    assert case["authority"]["teryt"] == "2009032"
    assert "pesel" not in case["taxpayer"]


def test_a_form_without_a_table_makes_no_case():
    with pytest.raises(MappingError) as caught:
        mapped(documents.unknown_form())
    assert caught.value.code == "mapping.none"


def test_a_missing_required_value_makes_no_case():
    with pytest.raises(MappingError) as caught:
        mapped(documents.property_return(year=None))
    assert caught.value.code == "mapping.required_missing"
    assert caught.value.facts["key"] == "period.year"


def test_unreadable_xml_is_said_by_its_own_code():
    with pytest.raises(DocumentUnreadable):
        mapped(b"<a>")


@pytest.mark.parametrize(
    ("text", "code", "line", "key"),
    [
        (HEAD + '[field."letter.title"\n', "mapping.file_unreadable", 4, "-"),
        (HEAD + '[field."letter.title"]\nxpath = "/w:Dokument["\n', "mapping.xpath_wrong", 4, "letter.title"),
        (HEAD + '[field."a"]\nxpath = "/w:a"\nread = "magic"\n', "mapping.transform_unknown", 4, "a"),
        (HEAD + '\n[field."a"]\nread = "text"\n', "mapping.key_missing", 5, "a"),
        (HEAD + '[field."a"]\nxpath = "/w:a"\ncolour = "red"\n', "mapping.key_unknown", 4, "a"),
        (HEAD + 'colour = "red"\n', "mapping.key_unknown", 4, "colour"),
        (HEAD.replace('kind = "general_letter"\n', ""), "mapping.key_missing", 1, "kind"),
        (HEAD + 'include = ["nowhere"]\n', "mapping.file_unreadable", 0, "-"),
    ],
)
def test_a_mistake_in_a_table_names_file_line_and_key(tmp_path, text, code, line, key):
    (tmp_path / "letter.toml").write_text(text, "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load([tmp_path]).get(documents.LETTER)
    assert caught.value.code == code
    assert caught.value.facts["file"] in ("letter.toml", "nowhere.toml")
    assert (caught.value.facts["line"], caught.value.facts["key"]) == (line, key)


def test_a_file_without_a_form_is_refused_at_once(tmp_path):
    (tmp_path / "a.toml").write_text('kind = "x"\n', "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load([tmp_path])
    assert caught.value.code == "mapping.form_missing"


def test_two_tables_for_one_form_in_one_folder_are_refused(tmp_path):
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(HEAD, "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load([tmp_path])
    assert caught.value.code == "mapping.duplicate"


def test_a_value_that_does_not_fit_the_case_names_its_target_and_not_the_value(tmp_path):
    (tmp_path / "letter.toml").write_text(
        HEAD + '[field."period.year"]\nxpath = "/w:Dokument/w:TrescDokumentu/w:Tytul"\n', "utf-8"
    )
    with pytest.raises(MappingError) as caught:
        mapper.apply(documents.general_letter(), Mappings.load([tmp_path]), MessageFacts())
    assert caught.value.code == "mapping.value_wrong"
    assert caught.value.facts["key"] == "period.year"
    assert "Wniosek" not in str(caught.value)


@pytest.mark.parametrize("document", [documents.property_return(), documents.general_letter()])
def test_validating_and_mapping_in_one_go_leave_the_tree_alone_and_say_what_they_say_apart(document):
    apart = (validate.check(document, FORMS, MAPPINGS), mapper.apply(document, MAPPINGS, MessageFacts()))
    with read_once(document):
        before = etree.tostring(parse(document), method="c14n")
        together = (validate.check(document, FORMS, MAPPINGS), mapper.apply(document, MAPPINGS, MessageFacts()))
        assert etree.tostring(parse(document), method="c14n") == before
    assert together == apart
