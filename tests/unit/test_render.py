"""A document as a person reads it: complete, escaped, accessible, with nothing that runs or loads."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pikepdf
import pytest
from lxml import html as lxml_html

from gateway import forms_admin, mapper, validate
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.render import Rendered, polish_number, render, render_raw, word
from gateway.simulate import documents
from gateway.simulate.documents import File
from schemas.errors import MappingError
from schemas.verification import Crypto, Indication, SignatureVerdict, Signer, Verification
from tests import require
from tests.judges import verapdf

FORMS = Forms.load()
MAPPINGS = Mappings.load()
NOON = datetime(2026, 2, 5, 12, tzinfo=UTC)
NAMES = [f"{form.info.code}:{form.info.version}" for form in FORMS if form.file is not None]


def shown(document: bytes, verification: Verification | None = None) -> Rendered:
    case = mapper.apply(document, MAPPINGS, MessageFacts())
    return render(document, case, validate.check(document, FORMS), MAPPINGS, verification)


def test_a_letter_is_readable_with_its_labels_words_and_attachments():
    page = shown(documents.general_letter(files=[File("umowa ąę.pdf", b"tresc", description="Umowa")]))
    for expected in ("Pismo ogólne do podmiotu publicznego", "Tytuł", "źdźbło, gżegżółka", "umowa ąę.pdf", "Umowa",
                     "bez uwag", "w dokumencie"):  # fmt: skip
        assert expected in page.html
        assert expected in page.text


def test_a_return_shows_its_rows_in_polish_words():
    text = shown(documents.property_return()).text
    assert "Grunty związane z działalnością gospodarczą" in text
    assert "Łączna kwota podatku: 24\xa0629" in text
    row = next(line for line in text.splitlines() if line.startswith("Budynki związane z działalnością"))
    assert row.split("  ")[-1].strip() == "17\xa0531,64"
    assert "Forma władania: właściciel" in text


def test_a_reconstructed_template_is_marked_as_such():
    assert "Wzór odtworzony" in shown(documents.property_return()).html


def test_what_the_sender_wrote_cannot_become_markup():
    page = shown(documents.general_letter(paragraphs=("<script>alert(1)</script> & \"'",)))
    assert "<script" not in page.html
    assert "&lt;script&gt;" in page.html


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_structured_for_a_screen_reader_and_loads_nothing(name):
    page = lxml_html.document_fromstring(shown(forms_admin.sample(FORMS, MAPPINGS, name)).html)
    assert page.get("lang") == "pl"
    assert page.findtext(".//title")
    assert len(page.findall(".//h1")) == 1
    assert len(page.findall(".//main")) == 1
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for section in page.iter("section"):
        assert section.get("aria-labelledby") in ids
    for forbidden in ("script", "img", "link", "iframe", "object", "a", "form"):
        assert page.findall(f".//{forbidden}") == []
    for table in page.iter("table"):
        assert (table.findtext("caption") or "").strip()
        assert {head.get("scope") for head in table.iter("th")} <= {"col", "row"}
        assert table.findall("./thead/tr/th")
        cells = {len(row.findall("./th") + row.findall("./td")) for row in table.iter("tr")}
        assert len(cells) == 1
    levels = [int(element.tag[1]) for element in page.iter() if element.tag in ("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_findings_unread_content_and_signatures_are_shown():
    extra = "<wnio:Dopisek>cokolwiek</wnio:Dopisek></wnio:TrescDokumentu>"
    document = documents.general_letter().decode().replace("</wnio:TrescDokumentu>", extra).encode()
    verdict = SignatureVerdict(
        id="s", indication=Indication.PASSED, sub_indication=None, crypto=Crypto.INTACT, covers_document=True,
        level=None, signing_time=None, signer=Signer(kind="qualified", name="Łucja Próbna"), references=(), reasons=(),
    )  # fmt: skip
    text = shown(document, Verification(Indication.PASSED, (verdict,), "full")).text
    assert "Dopisek” nie może tu wystąpić" in text
    assert "/w:Dokument/w:TrescDokumentu/w:Dopisek" in text
    assert "Wynik: prawidłowy (TOTAL-PASSED)\nPodpisał(a): Łucja Próbna" in text
    assert "Rodzaj podpisu: kwalifikowany podpis elektroniczny" in text
    assert "cokolwiek" in text  # what no row took is shown with what it says
    assert "błąd" in text
    assert "schema.element_unexpected" in text


def test_a_document_nobody_knows_is_shown_field_by_field_and_says_so():
    document = documents.unknown_form()
    with pytest.raises(MappingError) as caught:
        mapper.apply(document, MAPPINGS, MessageFacts())
    page = render_raw(document, validate.check(document, FORMS), caught.value)
    for expected in ("Dokument nieznanego wzoru", "Brama nie ma odwzorowania", "form.unknown", "mapping.none",
                     "TrescDokumentu / Tytul", "źdźbło, gżegżółka"):  # fmt: skip
        assert expected in page.html
        assert expected in page.text
    assert page.pdf(NOON).startswith(b"%PDF-")


def test_a_file_inside_a_document_nobody_knows_is_not_printed_out():
    document = documents.unknown_form().replace("źdźbło".encode(), b"A" * 3000)
    assert "A" * 200 not in render_raw(document, validate.check(document, FORMS)).text


def test_entries_of_a_list_stand_in_one_table_where_that_can_be_read():
    page = lxml_html.document_fromstring(shown(documents.property_return()).html)
    tables = {table.findtext("caption"): table for table in page.iter("table")}
    heads = [head.text for head in tables["Pozycje"].findall("./thead/tr/th")]
    assert heads == ["Pozycja", "Podstawa opodatkowania", "Stawka", "Kwota podatku"]
    assert len(tables["Raty"].findall("./tbody/tr")) == 12


@pytest.mark.parametrize(
    ("written", "told"),
    [("17531.64", "17\xa0531,64"), ("0.3500", "0,3500"), ("-1000", "-1\xa0000"), ("abc", "abc"), ("007", "7")],
)
def test_a_number_is_written_as_in_polish_and_keeps_its_digits(written, told):
    assert polish_number(written) == told


def test_every_code_word_of_the_mappings_has_a_polish_word():
    for namespace in MAPPINGS:
        table = MAPPINGS.get(namespace)
        assert table is not None
        rows = [*table.rows, *(row for each in table.eaches for row in each.rows)]
        for row in rows:
            for value in (row.values or {}).values():
                assert word(value) != value, (namespace, row.target, value)


def test_flags_are_words():
    assert (word(True), word(False), word("12.50")) == ("tak", "nie", "12.50")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sample of every form as PDF."""
    folder = tmp_path_factory.mktemp("pdf")
    made = {name: folder / f"{name.replace(':', '-')}.pdf" for name in NAMES}
    for name, file in made.items():
        file.write_bytes(shown(forms_admin.sample(FORMS, MAPPINGS, name), passed()).pdf(NOON))
    return made


def passed() -> Verification:
    verdict = SignatureVerdict(
        id="s", indication=Indication.PASSED, sub_indication=None, crypto=Crypto.INTACT, covers_document=True,
        level=None, signing_time=None, signer=Signer(kind="qualified", name="Łucja Próbna"), references=(), reasons=(),
    )  # fmt: skip
    return Verification(Indication.PASSED, (verdict,), "full")


def printed(file: Path) -> str:
    command = [require.program("pdftotext"), "-layout", str(file), "-"]
    told = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout.decode()
    return " ".join(told.replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_pdf_of_every_form_keeps_to_pdf_ua_and_pdf_a(files):
    assert verapdf.failures(list(files.values()), "ua1") == []
    assert verapdf.failures(list(files.values()), "2a") == []


@pytest.mark.parametrize("name", NAMES)
def test_the_pdf_is_polish_and_titled_and_says_what_the_page_says(files, name):
    with pikepdf.open(files[name]) as opened:
        assert str(opened.Root.Lang) == "pl-PL"
        assert bool(opened.Root.ViewerPreferences.DisplayDocTitle)
    told = printed(files[name])
    for expected in (
        "Podpisy elektroniczne",
        "prawidłowy (TOTAL-PASSED)",
        "Łucja Próbna",
        "Uwagi ze sprawdzenia",
        "Plik",
    ):
        assert expected in told


def test_the_same_document_gives_the_same_pdf():
    page = shown(documents.general_letter())
    assert page.pdf(NOON) == page.pdf(NOON)


def test_what_was_written_is_printed_and_never_run(tmp_path):
    hostile = '#panic("x") *b* $1$ _u_ @ref'
    (tmp_path / "a.pdf").write_bytes(shown(documents.general_letter(paragraphs=(hostile,))).pdf(NOON))
    assert hostile in printed(tmp_path / "a.pdf")


def test_what_no_font_can_print_stands_as_its_number(tmp_path):
    strange = "漢 😀 א \u202e Ω ž я – „”"
    (tmp_path / "a.pdf").write_bytes(shown(documents.general_letter(paragraphs=(strange,))).pdf(NOON))
    assert "[U+6F22] [U+1F600] [U+05D0] [U+202E] Ω ž я – „”" in printed(tmp_path / "a.pdf")


def test_every_character_counted_as_printable_can_be_printed():
    every = "".join(chr(number) for number in range(32, 0x10000) if not 0xD800 <= number < 0xE000 and number < 0xFFFE)
    page = shown(documents.general_letter())
    content = {**page.content, "sections": [{"title": "X", "rows": [["znaki", every]], "grids": [], "parts": []}]}
    assert Rendered("", "", content).pdf(NOON).startswith(b"%PDF-")


def test_without_the_extra_the_refusal_names_it():
    script = (
        "import sys; sys.modules['typst'] = None\n"
        "from datetime import UTC, datetime\n"
        "from gateway.render import Rendered\nfrom schemas.errors import AnswerError\n"
        "try: Rendered('', '', {}).pdf(datetime.now(UTC))\n"
        "except AnswerError as error: print(error.code)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert ran.stdout.strip() == "answers.pdf_missing", ran.stderr
