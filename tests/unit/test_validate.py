"""Validating: which form, which departures from its schema, which figures do not hold together; never an exception."""

from __future__ import annotations

from datetime import date

import pytest
from lxml import etree

from gateway import validate
from gateway.attachments import Rules
from gateway.forms import Forms
from gateway.mapping.tables import Mappings
from gateway.simulate import documents, people
from gateway.simulate.documents import File, Row
from schemas.finding import Severity, Validation
from tests import reference

FORMS = Forms.load()
SAMPLES = [*reference.files("epuap/data/samples/documents/*.xml"), *reference.files("forms/data/samples/*.xml")]


def check(document: bytes, **more) -> Validation:
    return validate.check(document, FORMS, **more)


def codes(document: bytes, **more) -> list[str]:
    return [finding.code for finding in check(document, **more).findings]


def letter(old: str, new: str, **more) -> bytes:
    written = documents.general_letter(**more).decode()
    assert old in written
    return written.replace(old, new, 1).encode()


def tax_return(old: str, new: str, **more) -> bytes:
    written = documents.property_return(**more).decode()
    assert old in written
    return written.replace(old, new, 1).encode()


@pytest.mark.parametrize("teryt", sorted(documents.OFFICES))
def test_generated_documents_of_every_gmina_are_valid(teryt):
    for seed in range(3):
        for document in (
            documents.general_letter(teryt, seed=seed, files=[File("plik.pdf", documents.PDF)]),
            documents.property_return(teryt, seed=seed),
            documents.property_return(teryt, seed=seed, taxpayer=people.person(seed), purpose="2", from_month="5"),
        ):
            assert check(document).to_json()["findings"] == []


def test_a_finding_names_code_line_path_and_both_languages():
    document = documents.property_return(year=None)
    result = check(document)
    (finding,) = result.findings
    assert result.valid is False
    assert result.form is not None
    assert result.form.code == "DN-1"
    assert finding.code == "schema.element_unexpected"
    assert b"CelZlozenia" in document.splitlines()[finding.line - 1]
    assert finding.path == "/wnio:Dokument/wnio:TrescDokumentu/wnio:Wartosc/wnio:Naglowek/wnio:CelZlozenia"
    assert "Rok" in finding.message_pl
    assert "Rok" in finding.message_en


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (letter("<wnio:Tytul>", "<wnio:Tytuł>", title="t").replace(b"</wnio:Tytul>", "</wnio:Tytuł>".encode()),
         "schema.element_unexpected"),
        (letter(' rodzaj="wniosek"', ' inny="wniosek"'), "schema.attribute_unexpected"),
        (letter("<wnio:Informacje>", "<wnio:Informacje>luzem"), "schema.text_unexpected"),
        (letter("wnio:Dokument", "wnio:Inny").replace(b"</wnio:Dokument>", b"</wnio:Inny>"), "schema.root_unexpected"),
        (letter("<meta:Czas>2026-02-05<", "<meta:Czas>2026-2-5<"), "schema.value_invalid"),
        (tax_return("<wnio:CelZlozenia>1<", "<wnio:CelZlozenia>7<"), "schema.value_enumeration"),
        (tax_return("<wnio:Rok>2026<", "<wnio:Rok>2099<"), "schema.value_range"),
        (documents.property_return(nip="12"), "schema.value_pattern"),
        (tax_return("<ed:NrDomu>", "<ed:NrDomu>1234567890"), "schema.value_length"),
        (tax_return("<wnio:LiczbaZDN2>1</wnio:LiczbaZDN2>", ""), "schema.element_missing"),
    ],
)  # fmt: skip
def test_each_departure_from_the_schema_has_its_code(document, code):
    assert codes(document) == [code]


def test_a_required_attribute_that_is_missing_has_its_code(tmp_path):
    (tmp_path / "a.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a"><xs:element name="a">'
        '<xs:complexType><xs:attribute name="b" use="required"/></xs:complexType></xs:element></xs:schema>',
        "utf-8",
    )
    (tmp_path / "catalogue.toml").write_text(
        '[[form]]\nnamespace = "urn:a"\ncode = "A"\nversion = "1"\nname_pl = "A"\nname_en = "A"\nfile = "a.xsd"\n'
        'status = "reconstructed"\nstrict = true\nsignature = "optional"\n',
        "utf-8",
    )
    result = validate.check(b'<a xmlns="urn:a"/>', Forms.load([tmp_path]))
    assert [finding.code for finding in result.findings] == ["schema.attribute_missing"]


def test_no_message_repeats_a_value_of_the_document():
    pesel = people.person(7).pesel
    for broken in (f"{pesel}9", pesel[:10] + "x"):
        result = check(documents.property_return(taxpayer=people.person(7), pesel=broken))
        assert not result.valid
        assert not any(pesel[:10] in str(finding.to_json()) for finding in result.findings)


def test_a_broken_value_is_told_once():
    assert codes(documents.property_return(nip="1234567890123")) == ["schema.value_pattern"]


def test_after_a_hundred_findings_the_rest_is_counted():
    annex = (
        "<wnio:ZalacznikZDN2><wnio:TytulPrawny>x</wnio:TytulPrawny><wnio:OdDnia>x</wnio:OdDnia></wnio:ZalacznikZDN2>\n"
    )
    found = codes(tax_return("<wnio:ZalacznikZDN2>", annex * 150 + "<wnio:ZalacznikZDN2>"))
    assert found.count("schema.more") == 1
    assert len([code for code in found if code.startswith("schema.")]) == 101


@pytest.mark.parametrize(
    ("document", "code", "severity"),
    [
        (documents.general_letter(pesel=people.wrong_check_digit(people.person(1).pesel)), "check.pesel", "warning"),
        (documents.property_return(taxpayer=people.person(2), pesel=people.wrong_check_digit(people.person(2).pesel)),
         "check.pesel", "error"),
        (documents.property_return(nip=people.wrong_check_digit(people.nip(1))), "check.nip", "error"),
        (documents.property_return(regon=people.wrong_check_digit(people.regon(1))), "check.regon", "error"),
        (documents.property_return(total="24630"), "check.total", "error"),
        (documents.property_return(instalments=("24000", "600")), "check.instalments", "warning"),
        (documents.property_return(annexes=2), "check.annexes", "warning"),
        (documents.property_return(rows=(Row("Grunty", "Pozostale", "100", "0.50", "57.00"),)), "check.row_amount",
         "warning"),
        (documents.general_letter(files=[File("a.pdf", b"", encoded="to nie base64")]), "check.attachment_base64",
         "error"),
        (documents.general_letter(files=[File("a.pdf", b"", encoded="")]), "check.attachment_empty", "warning"),
        (letter('kodowanie="base64"', 'kodowanie="hex"', files=[File("a.pdf", b"a")]), "check.attachment_encoding",
         "warning"),
        (letter('kodowanie="base64"', 'kodowanie="URI"', files=[File("a.pdf", b"a" * 4000)]), "check.attachment_uri",
         "error"),
        (tax_return("<wnio:Powierzchnia>2450.00", "<wnio:Powierzchnia>2451.00"), "check.objects_sum", "warning"),
    ],
)  # fmt: skip
def test_each_check_beyond_the_schema_has_its_code_and_weight(document, code, severity):
    found = [finding for finding in check(document).findings if finding.code != "check.unreadable"]
    assert [(finding.code, finding.severity.value) for finding in found] == [(code, severity)]
    assert found[0].line is not None


def test_a_negative_amount_is_an_error_where_the_schema_lets_it_through():
    rows = (Row("Grunty", "Pozostale", "100", "0.50"), Row("Budynki", "Mieszkalne", "0", "1.00", "-1.00"))
    assert "check.negative" in codes(documents.property_return(rows=rows))


def test_an_amount_for_part_of_the_year_is_no_finding():
    rows = (Row("Grunty", "Pozostale", "1200", "0.60", "600.00"),)
    assert codes(documents.property_return(rows=rows, from_month="3")) == []
    assert "check.row_amount" in codes(documents.property_return(rows=rows, from_month="4"))


def test_a_value_that_cannot_be_read_is_told_once_by_the_schema():
    assert codes(letter("<meta:Czas>2026-02-05", "<meta:Czas>niedawno")) == ["schema.value_invalid"]


def test_a_value_the_schema_lets_through_but_nobody_can_read_is_a_warning(tmp_path):
    (tmp_path / "letter.toml").write_text(
        f'form = "{documents.LETTER}"\nkind = "general_letter"\nversion = 2\n'
        '[field."letter.title"]\nxpath = "/w:Dokument/w:TrescDokumentu/w:Tytul"\nread = "date"\n',
        "utf-8",
    )
    assert codes(documents.general_letter(), mappings=Mappings.load([tmp_path])) == ["check.unreadable"]


def test_a_value_without_which_there_is_no_case_is_an_error(tmp_path):
    (tmp_path / "letter.toml").write_text(
        f'form = "{documents.LETTER}"\nkind = "general_letter"\nversion = 2\n'
        '[field."letter.signed_by"]\nxpath = "/w:Dokument/w:TrescDokumentu/w:Podpis"\nrequired = true\n',
        "utf-8",
    )
    assert codes(documents.general_letter(), mappings=Mappings.load([tmp_path])) == ["check.required_missing"]


def test_a_tax_year_out_of_reach_is_a_warning_on_the_day_of_receipt():
    document = documents.property_return(year=2018)
    assert codes(document, on=date(2026, 1, 30)) == ["check.year", "check.filed_late"]
    assert codes(document) == []
    assert codes(documents.property_return(year=2026), on=date(2026, 1, 30)) == []


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (documents.unknown_form(), "form.unknown"),
        (b"<Dokument/>", "form.no_namespace"),
        (b"to nie jest XML", "document.not_well_formed"),
        (b"", "document.empty"),
        (documents.general_letter()[:500], "document.not_well_formed"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document.doctype"),
        (b'<?xml version="1.0" encoding="ebcdic-cp-us"?><a/>', "document.encoding"),
        (b"<a>" * 400 + b"</a>" * 400, "document.too_deep"),
    ],
)
def test_what_is_no_known_form_is_said_and_never_raises(document, code):
    result = check(document)
    assert result.form is None
    assert result.valid is False
    assert [finding.code for finding in result.findings] == [code]
    assert result.findings[0].message_pl
    assert "[" not in result.findings[0].message_pl  # every fact of the text was filled


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1250", "iso-8859-2"])
def test_other_encodings_of_polish_letters_are_read(encoding):
    text = documents.general_letter(paragraphs=("Zażółć gęślą jaźń.",)).decode()
    written = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding)
    assert check(written).valid


def test_a_byte_order_mark_is_no_obstacle():
    assert check(b"\xef\xbb\xbf" + documents.general_letter()).valid


def test_attached_files_are_held_to_a_tenants_rules_where_it_has_some():
    document = documents.general_letter(files=[File("program.pdf", b"MZ" + b"\0" * 60)])
    assert codes(document) == []
    assert codes(document, attachments=Rules()) == ["attachment.type_refused"]


def test_a_signature_as_last_child_is_allowed():
    signature = b'<ds:Signature Id="s"><ds:SignedInfo><x/></ds:SignedInfo></ds:Signature></wnio:Dokument>'
    assert check(documents.property_return().replace(b"</wnio:Dokument>", signature)).valid


def test_another_authoritys_form_is_recognised_and_said_to_be_none_of_ours():
    result = validate.check(b'<Deklaracja xmlns="http://crd.gov.pl/wzor/2015/12/11/2973/"/>', FORMS)
    (found,) = result.findings
    assert (result.form and result.form.code, result.valid, found.code) == ("PCC-3", False, "form.elsewhere")
    assert "urząd skarbowy" in found.message_pl


def test_a_form_without_a_schema_is_recognised_and_says_that_nothing_was_checked(tmp_path):
    (tmp_path / "catalogue.toml").write_text(
        f'[[form]]\nnamespace = "{documents.UNKNOWN}"\ncode = "X"\nversion = "1"\nname_pl = "X"\nname_en = "X"\n'
        'status = "reconstructed"\nstrict = false\nsignature = "optional"\n',
        "utf-8",
    )
    result = validate.check(documents.unknown_form(), Forms.load([tmp_path]))
    assert result.form is not None
    assert [(finding.code, finding.severity) for finding in result.findings] == [("form.no_schema", Severity.WARNING)]


def test_an_unusable_schema_is_our_mistake_and_shown_as_such(tmp_path):
    (tmp_path / "x.xsd").write_text("<a/>", "utf-8")
    (tmp_path / "catalogue.toml").write_text(
        f'[[form]]\nnamespace = "{documents.UNKNOWN}"\ncode = "X"\nversion = "1"\nname_pl = "X"\nname_en = "X"\n'
        'status = "reconstructed"\nstrict = false\nsignature = "optional"\nfile = "x.xsd"\n',
        "utf-8",
    )
    result = validate.check(documents.unknown_form(), Forms.load([tmp_path]))
    assert [finding.code for finding in result.findings] == ["form.schema_unusable"]
    assert not result.valid


def test_the_catalogue_may_give_a_check_another_weight(tmp_path):
    (tmp_path / "catalogue.toml").write_text(
        f'[[form]]\nnamespace = "{documents.PROPERTY_RETURN}"\ncode = "DN-1"\nversion = "1"\nname_pl = "X"\n'
        'name_en = "X"\nstatus = "reconstructed"\nstrict = true\nsignature = "required"\n'
        'checks = { "check.total" = "warning" }\n',
        "utf-8",
    )
    result = validate.check(documents.property_return(total="24630"), Forms.load([tmp_path]))
    assert ("check.total", Severity.WARNING) in [(finding.code, finding.severity) for finding in result.findings]
    assert result.valid


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_reference_documents_are_answered_truthfully(sample):
    result = check(sample.read_bytes())
    namespace = etree.QName(etree.parse(sample).getroot()).namespace
    if FORMS.get(namespace) is None:
        assert result.form is None
        assert [finding.code for finding in result.findings] == ["form.unknown"]
    else:
        assert result.form is not None
        assert result.form.namespace == namespace
