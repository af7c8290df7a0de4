"""Letters as PDF: read by pikepdf, pdftotext and veraPDF, the payment codes read off the printed page by zxing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import zxingcpp
from PIL import Image

from gateway import resources
from gateway.answers import office, pdf, samples
from gateway.answers.compose import Composer, Matter
from gateway.answers.letter import Codes, Letter, Paragraph
from gateway.answers.templates import Templates
from schemas.errors import AnswerError
from tests import require
from tests.judges import verapdf

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = resources.folder("templates") / "answers"
CARD = SHIPPED / "office.example.toml"
NAMES = sorted(file.stem for file in (SHIPPED / "samples").glob("*.txt"))


@pytest.fixture(scope="module")
def letters() -> dict[str, Letter]:
    return samples.letters(Composer(Templates(), office.load(CARD)))


@pytest.fixture(scope="module")
def files(letters: dict[str, Letter], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample letter as a PDF file."""
    folder, templates = tmp_path_factory.mktemp("letters"), Templates()
    made = {name: folder / pdf.file_name(letter) for name, letter in letters.items()}
    for name, file in made.items():
        file.write_bytes(pdf.render(letters[name], templates))
    return made


def text_of(file: Path) -> str:
    command = [require.program("pdftotext"), "-layout", str(file), "-"]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout.decode()
    return " ".join(shown.replace("\N{NO-BREAK SPACE}", " ").split())


def structure(pdf_file: pikepdf.Pdf) -> list[tuple[str, pikepdf.Object]]:
    """Every structure element in reading order, with its type."""

    def below(element: Any) -> list[tuple[str, pikepdf.Object]]:
        if isinstance(element, pikepdf.Array):
            return [item for kid in element for item in below(kid)]
        if not isinstance(element, pikepdf.Dictionary):
            return []
        own = [(str(element["/S"])[1:], element)] if "/S" in element else []
        return own + (below(element["/K"]) if "/K" in element else [])

    return below(pdf_file.Root.StructTreeRoot)


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_is_tagged_polish_and_titled(files, letters, name):
    with pikepdf.open(files[name]) as opened:
        root = opened.Root
        assert str(root.Lang) == "pl-PL"
        assert bool(root.MarkInfo.Marked)
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        title = " ".join(part for part in (letters[name].title, letters[name].subtitle) if part)
        meta = opened.open_metadata()
        assert meta["dc:title"] == title
        assert (meta["pdfuaid:part"], meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("1", "2", "A")
        tags = [tag for tag, _ in structure(opened)]
        assert tags.count("H1") == 1


def test_all_letters_keep_to_pdf_ua_and_pdf_a(files):
    assert verapdf.failures(list(files.values()), "ua1") == []
    assert verapdf.failures(list(files.values()), "2a") == []


def test_the_judge_refuses_a_file_without_its_tags(files, tmp_path):
    stripped = tmp_path / "stripped.pdf"
    with pikepdf.open(files["fee_call"]) as opened:
        del opened.Root["/StructTreeRoot"]
        opened.save(stripped)
    assert verapdf.failures([stripped], "ua1") == ["stripped.pdf"]


def test_every_table_has_its_head_and_every_code_its_words(files):
    with pikepdf.open(files["settlement_statement"]) as opened:
        found = structure(opened)
        tags = [tag for tag, _ in found]
        assert tags.count("Table") == 4
        assert tags.count("TH") == 7 + 5 + 2 + 2
        alternatives = [str(element["/Alt"]) for tag, element in found if tag == "Figure"]
        assert alternatives
        assert all(words.startswith("Kod QR do przelewu. ") for words in alternatives)


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_words_are_those_of_the_letter(files, letters, name):
    shown = text_of(files[name])
    paragraphs = [block.text for block in letters[name].blocks if isinstance(block, Paragraph)]
    opening = paragraphs[0].replace("\N{NO-BREAK SPACE}", " ").split(" ")[:5]
    assert " ".join(opening) in shown
    assert "ul. Łąkowa 119/3" in shown
    assert "Znak sprawy: FN.3120.17.2026" in shown


def test_amounts_are_printed_the_polish_way(files):
    shown = text_of(files["settlement_statement"])
    assert "12 389,50 zł" in shown
    assert "dwanaście tysięcy osiemset jeden złotych pięćdziesiąt groszy" in shown
    assert re.search(r"55 8173 1758 3244 4755 9188 8315", shown)


@pytest.mark.parametrize("name", ["settlement_statement", "fee_call"])
def test_a_phone_reads_the_codes_off_the_page(files, letters, name, tmp_path):
    """Rendered at 150 dots an inch, as an office printer would; what is read is what the letter says."""
    command = [require.program("pdftoppm"), "-r", "150", "-gray", "-png", str(files[name]), str(tmp_path / "page")]
    subprocess.run(command, capture_output=True, check=True, timeout=300)
    pages = sorted(tmp_path.glob("page*.png"))
    read = [code.text for page in pages for code in zxingcpp.read_barcodes(Image.open(page))]
    expected = [code.content for block in letters[name].blocks if isinstance(block, Codes) for code in block.codes]
    assert expected
    assert sorted(read) == sorted(expected)


def test_every_font_is_inside_the_file(files):
    listing = subprocess.run(
        [require.program("pdffonts"), str(files["settlement_statement"])], capture_output=True, check=True, timeout=300
    ).stdout.decode()
    fonts = [line.split() for line in listing.splitlines()[2:]]
    assert fonts
    assert all(font[-5:-3] == ["yes", "yes"] for font in fonts), listing  # embedded, subset


def test_the_same_letter_gives_the_same_octets(letters):
    letter, templates = letters["fee_call"], Templates()
    assert pdf.render(letter, templates) == pdf.render(letter, templates)


def test_what_a_citizen_wrote_is_printed_and_never_run(letters, tmp_path):
    hostile = '#panic("x") *b* <h> $1$ _u_ @ref'
    letter = letters["decision_delivery"]
    party = letter.addressee.model_copy(update={"surname": hostile})
    file = tmp_path / "hostile.pdf"
    file.write_bytes(pdf.render(replace(letter, addressee=party), Templates()))
    assert hostile in text_of(file)


def test_a_letter_no_font_can_print_is_refused_rather_than_printed_with_holes(letters):
    letter = letters["decision_delivery"]
    party = letter.addressee.model_copy(update={"surname": "漢字"})
    with pytest.raises(AnswerError, match=r"answers\.layout_failed"):
        pdf.render(replace(letter, addressee=party), Templates())


def test_a_long_list_of_dues_repeats_its_head_on_every_page(letters, tmp_path):
    made = Composer(Templates(), office.load(CARD))
    rows = [{"kind": "property_tax", "due_on": "2026-09-15", "amount": f"{number}.00"} for number in range(1, 91)]
    facts = {"asked_at": datetime(2026, 11, 23, 11, 0, tzinfo=UTC), "ledger": [{"name": "tax", "row": rows}]}
    matter = Matter(letters["fee_call"].addressee, date(2026, 11, 20))
    letter = made.settlement_statement(matter, samples.dues_of(facts))
    file = tmp_path / "long.pdf"
    file.write_bytes(pdf.render(letter, made.templates))
    with pikepdf.open(file) as opened:
        pages = len(opened.pages)
    command = [require.program("pdftotext"), "-layout", str(file), "-"]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout.decode().split("\f")
    with_rows = [page for page in shown if "15.09.2026" in page]
    assert pages > 2
    assert len(with_rows) > 1
    assert all("Do zapłaty" in page for page in with_rows)
    assert verapdf.failures([file], "ua1") == []


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    def made(**names: str) -> Path:
        (tmp_path / "office.toml").write_text(CARD.read_text("utf-8"), "utf-8")
        for name, content in names.items():
            (tmp_path / name.replace("__", ".")).write_text(content, "utf-8")
        return tmp_path

    return made


def test_a_sound_folder_of_a_gmina_has_no_problems(own):
    assert samples.problems(own()) == []


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"letter__typ": '#image("herb.svg")'}, "answers.layout_failed"),  # neither there nor described
        ({"letter__typ": '#set document(title: [x])\nbez języka #box(image(bytes("<svg/>")))'}, "layout_failed"),
        ({"letter__typ": '#import "@preview/tablex:0.0.9": *\nx'}, "packages are not allowed"),
        ({"fee_call__toml": 'title = "{{ nic }}"\n[[block]]\nkind = "text"\ntext = "x"\n'}, "template_failed"),
        ({"office__toml": 'authority = "x"'}, "appeal_body"),
    ],
    ids=["missing image", "inaccessible", "package", "missing data", "card"],
)
def test_a_gminas_mistake_is_told_before_a_citizen_is_answered(own, names, problem):
    (found,) = samples.problems(own(**names))
    assert problem in found


def test_the_gminas_crest_stands_in_the_letterhead(own, tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="12"><rect width="10" height="12"/></svg>'
    folder = own(herb__svg=svg)
    templates = Templates([folder])
    letter = samples.letters(Composer(templates, office.load(CARD)))["decision_delivery"]
    file = tmp_path / "crest.pdf"
    file.write_bytes(pdf.render(letter, templates))
    with pikepdf.open(file) as opened:
        alternatives = [str(element["/Alt"]) for tag, element in structure(opened) if "/Alt" in element]
    assert alternatives == ["Herb: Wójt Gminy Przykładowo"]


def test_without_the_extra_the_refusal_names_it(own):
    script = (
        "import sys; sys.modules['typst'] = None\n"
        "from pathlib import Path\nfrom gateway.answers import samples\nprint(samples.problems(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(own())]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert ran.stdout.strip() == "['answers.pdf_missing']", ran.stderr
