"""Letters made from templates: the samples' expected texts, a gmina's own folder, hostile names, the XML document."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import resources
from gateway.answers import document, office, samples
from gateway.answers.certificate import Fee, Outcome, Request, Ruling, Wanted
from gateway.answers.compose import Composer, Matter
from gateway.answers.drafting import draft_certificate, draft_statement
from gateway.answers.events import Document, Drafted, Held
from gateway.answers.letter import Letter, plain_text
from gateway.answers.templates import Templates
from gateway.forms import Forms
from gateway.operations import answering
from gateway.simulate.people import nip, nrb
from gateway.validate import check
from schemas.answers import Arrears, DueItem, Dues, Source
from schemas.case_parts import Address, Party
from schemas.errors import AnswerError, ConfigError, OperationRefused
from schemas.ids import FormId, sha256
from schemas.octets import Octets
from schemas.xmldoc import parse

SHIPPED = resources.folder("templates") / "answers"
CARD = SHIPPED / "office.example.toml"
TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
HOSTILE = """<b>&amp;</b> #emph[x] {{ 7 * 7 }} $x^2$ "ć" \\ `#`"""
SILENT = Held("answers.ledger_silent")
PAID = Request(Wanted.NO_ARREARS, Fee(Decimal(21), Decimal(21), ("1",)))


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(Templates(), office.load(CARD))


@pytest.fixture(scope="module")
def letters(composer: Composer) -> dict[str, Letter]:
    return samples.letters(composer)


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    """A gmina's folder: the example card, and files by name."""

    def made(**files: str) -> Path:
        (tmp_path / "office.toml").write_text(CARD.read_text("utf-8"), "utf-8")
        for name, content in files.items():
            (tmp_path / name.replace("_toml", ".toml").replace("_typ", ".typ")).write_text(content, "utf-8")
        return tmp_path

    return made


def dues(*items: DueItem, missing: tuple[str, ...] = ()) -> Dues:
    sources = tuple(
        Source(name=name, code="answers.ledger_not_reached") if name in missing else Source(name=name, asked_at=NOON)
        for name in ("tax", "waste")
    )
    return Dues(party_key="0" * 32, as_of=NOON, items=items, sources=sources)


def due(**changed: Any) -> DueItem:
    whole = {"kind": "forest_tax", "year": 2026, "due_on": date(2026, 12, 15), "amount": "38.00", "account": nrb(1)}
    return DueItem.model_validate({**whole, **changed})


def matter(**changed: Any) -> Matter:
    home = Address(street="ul. Polna", building="1", post_code="16-999", place="Przykładowo")
    party = Party(first_name="Adam", surname="Próbny", pesel="92061915506", address=home)
    return Matter(**{"party": party, "received_on": date(2026, 11, 20), **changed})


@pytest.mark.parametrize("name", sorted(document_.value for document_ in Document))
def test_every_template_gives_the_expected_text(letters, name):
    expected = (samples.folder() / f"{name}.txt").read_text("utf-8")
    assert plain_text(letters[name]) == expected


def test_every_template_has_a_sample(letters):
    assert set(letters) == set(Templates().names)


def test_equal_letters_have_equal_digests_and_one_word_changes_it(letters):
    one = letters["certificate_no_arrears"]
    assert replace(one).digest == one.digest
    assert replace(one, case_number="FN.1").digest != one.digest
    assert replace(one, addressee=one.addressee.model_copy(update={"surname": "Inna"})).digest != one.digest


def test_a_statement_without_dues_says_so(composer):
    text = plain_text(composer.settlement_statement(matter(), dues()))
    assert "W ewidencjach nie ma należności do zapłaty." in text
    assert "Kody płatności" not in text


def test_a_statement_names_the_ledgers_that_did_not_answer_and_does_not_say_nothing_is_owed(composer):
    text = plain_text(composer.settlement_statement(matter(), dues(missing=("waste",))))
    assert "Informacja jest niepełna" in text
    assert "ewidencja opłat za gospodarowanie odpadami komunalnymi" in text
    assert "nie ma należności" not in text


def test_a_kind_of_due_without_a_name_shows_itself(composer):
    text = plain_text(composer.settlement_statement(matter(), dues(due(kind="moon_tax"))))
    assert "moon_tax 2026" in text


def test_a_statement_offers_every_transfer_once(composer):
    made = composer.statement(dues(due(), due(amount="10.00", due_on=date(2026, 9, 15)), due(account=None)))
    assert sorted(str(order.amount) for order in made.payments) == ["10.00", "38.00", "48.00"]


def test_what_a_citizen_wrote_stays_text(composer):
    party = Party(first_name="Adam", surname=HOSTILE, address=Address(place=HOSTILE, building="1"))
    made = composer.settlement_statement(matter(party=party), dues())
    assert HOSTILE.replace("  ", " ") in plain_text(made)
    tree = parse(document.write(made))
    (name,) = tree.getroot().findall(".//{*}Adresaci//{*}Nazwisko")
    assert name.text == HOSTILE


def test_a_refusal_tells_how_to_complain(letters):
    text = plain_text(letters["certificate_refusal"])
    assert "w terminie 7 dni od dnia doręczenia postanowienia" in text
    assert "Samorządowego Kolegium Odwoławczego w Białymstoku" in text
    assert "za pośrednictwem Wójta Gminy Przykładowo" in text


@pytest.mark.parametrize("outcome", [Outcome.CLERK, Outcome.CALL_FOR_FEE])
def test_no_certificate_is_composed_where_the_ruling_gives_none(composer, outcome):
    with pytest.raises(AnswerError, match=r"answers\.nothing_to_certify"):
        composer.certificate(matter(), PAID, Ruling(outcome, (), Arrears(day=TODAY)))


def test_a_fee_that_is_paid_is_not_called_for(composer):
    with pytest.raises(AnswerError, match=r"answers\.fee_not_missing"):
        composer.fee_call(matter(), PAID, TODAY)


def test_an_exemption_stands_on_the_certificate(composer):
    request = Request(Wanted.NO_ARREARS, Fee(Decimal(21), exemption="pomoc społeczna"))
    made = composer.certificate(matter(), request, Ruling(Outcome.CERTIFY_NONE, (), Arrears(day=TODAY)))
    assert "Nie podlega opłacie skarbowej: pomoc społeczna." in plain_text(made)
    assert "uiszczono" not in plain_text(made)


# --- drafting


def test_a_complete_answer_is_drafted_with_the_digest_of_its_octets(composer):
    draft = draft_statement(composer, matter(), dues(due()), document.write)
    assert draft.letter is not None
    assert draft.octets == document.write(draft.letter)
    assert draft.event == Drafted(Document.SETTLEMENT_STATEMENT, sha256(draft.octets), TODAY)


def test_a_partial_statement_goes_out_or_is_held_as_the_office_wants(composer):
    assert isinstance(draft_statement(composer, matter(), dues(missing=("waste",)), document.write).event, Drafted)
    strict = Composer(composer.templates, composer.office.model_copy(update={"partial_statements": "hold"}))
    assert draft_statement(strict, matter(), dues(missing=("waste",)), document.write).event == Held(
        "answers.ledger_silent"
    )


def test_a_clerk_who_has_seen_the_silence_lets_a_partial_statement_go(composer):
    strict = Composer(composer.templates, composer.office.model_copy(update={"partial_statements": "hold"}))
    seen = ["answers.ledger_silent"]
    assert isinstance(
        draft_statement(strict, matter(), dues(missing=("waste",)), document.write, cleared=seen).event, Drafted
    )
    nothing = dues(missing=("tax", "waste"))
    assert draft_statement(strict, matter(), nothing, document.write, cleared=seen).event == Held(
        "answers.ledger_silent"
    )


def test_a_statement_no_ledger_answered_for_is_always_held(composer):
    assert draft_statement(composer, matter(), dues(missing=("tax", "waste")), document.write).event == Held(
        "answers.ledger_silent"
    )


@pytest.mark.parametrize(
    ("items", "request_", "expected"),
    [
        ((), PAID, Document.CERTIFICATE_NONE),
        ((due(due_on=date(2026, 9, 15)),), PAID, Document.REFUSAL),
        ((due(due_on=date(2026, 9, 15)),), replace(PAID, wanted=Wanted.STATE), Document.CERTIFICATE_ARREARS),
        ((), Request(Wanted.STATE, Fee(Decimal(21))), Document.FEE_CALL),
    ],
)
def test_an_application_leads_to_the_document_the_law_asks_for(composer, items, request_, expected):
    draft = draft_certificate(composer, matter(), request_, dues(*items), document.write, today=TODAY)
    assert isinstance(draft.event, Drafted)
    assert draft.event.document is expected


def test_a_doubtful_application_is_held_with_its_reason(composer):
    draft = draft_certificate(composer, matter(), PAID, dues(missing=("waste",)), document.write, today=TODAY)
    assert (draft.event, draft.letter, draft.octets) == (SILENT, None, b"")


# --- a gmina's own folder


def test_a_gminas_own_template_and_words_replace_single_files(own):
    folder = own(
        decision_delivery_toml='title = "Pismo przewodnie"\n[[block]]\nkind = "text"\ntext = "{{ party.name }}"\n',
        words_toml='[kinds]\nforest_tax = "Podatek od lasu"\n',
    )
    made = Composer(Templates([folder]), office.load(folder / "office.toml"))
    letters = samples.letters(made)
    assert letters["decision_delivery"].title == "Pismo przewodnie"
    assert letters["fee_call"].title == "Wezwanie"
    assert "Podatek od lasu za 2026 r." in plain_text(made.settlement_statement(matter(), dues(due())))
    assert "Podatek rolny 2026" in plain_text(made.settlement_statement(matter(), dues(due(kind="agricultural_tax"))))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('title = "x"\n', "block"),
        ('title = "x"\n[[block]]\nkind = "poem"\ntext = "x"\n', "kind"),
        ('title = "{{ x"\n[[block]]\nkind = "text"\ntext = "x"\n', "end of print statement"),
        ('title = "x"\n[[block]]\nkind = "text"\ntext = "x"\nwhen = "a b"\n', "chunk after expression"),
        ('title = "x"\nfooter = "y"\n[[block]]\nkind = "text"\ntext = "x"\n', "footer"),
        ("title =", "Invalid value"),
    ],
)
def test_a_wrong_template_is_refused_with_its_file_and_place(own, content, problem):
    folder = own(fee_call_toml=content)
    with pytest.raises(AnswerError, match=r"answers\.template_wrong") as caught:
        Templates([folder])
    assert str(folder / "fee_call.toml") in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["{{ pesel_of_the_neighbour }}", "{{ party.salary }}", "{{ party.__class__.__mro__ }}", "{{ dated | money }}"],
)
def test_a_template_cannot_reach_beyond_its_data(own, text):
    folder = own(decision_delivery_toml=f'title = "x"\n[[block]]\nkind = "text"\ntext = "{text}"\n')
    made = Composer(Templates([folder]), office.load(folder / "office.toml"))
    with pytest.raises(AnswerError, match=r"answers\.template_failed") as caught:
        samples.letters(made)
    assert "Żółtopróbna" not in str(caught.value)


def test_an_unknown_template_is_refused_by_name(composer):
    with pytest.raises(AnswerError, match=r"answers\.template_unknown.*poem"):
        composer.templates.source("poem")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('nickname = "x"', "nickname"),
        (f'stamp_duty_account = "{nrb(1)[::-1]}"', "stamp_duty_account"),
        ("ledgers = []", "ledgers"),
        ('appeal_body = ""', "appeal_body"),
    ],
)
def test_a_wrong_office_card_names_the_key(tmp_path, line, problem):
    key = line.partition(" ")[0]
    kept = [one for one in CARD.read_text("utf-8").splitlines() if not one.startswith(key)]
    (tmp_path / "office.toml").write_text("\n".join([*kept, line]), "utf-8")
    with pytest.raises(ConfigError, match=problem):
        office.load(tmp_path / "office.toml")


def test_a_missing_office_card_is_named(tmp_path):
    with pytest.raises(ConfigError, match="brak pliku"):
        office.load(tmp_path / "office.toml")


@pytest.mark.parametrize(
    ("authority", "genitive"),
    [("Burmistrz Przykładowa", "Burmistrza Przykładowa"), ("Wójt Gminy X", "Wójta Gminy X")],
)
def test_the_authority_is_inflected(composer, authority, genitive):
    plain = composer.office.model_copy(update={"authority": authority, "authority_genitive": ""})
    assert plain.of_authority == genitive


# --- the XML document


@pytest.mark.parametrize("number", ["2017/10/24/4566", "2013/12/12/1410"])
def test_the_document_follows_the_general_letters_schema(letters, number):
    forms = Forms.load()
    for letter in letters.values():
        written = document.write(letter, namespace=FormId.crd(number).namespace)
        made = check(written, forms)
        assert made.form is not None
        assert [finding.to_json() for finding in made.findings if finding.code.startswith("schema.")] == []


def test_the_document_says_all_the_letter_says(letters):
    letter = letters["settlement_statement"]
    tree = parse(document.write(letter))
    said = " ".join(str(one.text) for one in tree.getroot().findall(".//{*}Informacja"))
    assert "12 801,50 zł" in said.replace("\N{NO-BREAK SPACE}", " ")
    assert "Znak sprawy: FN.3120.17.2026" in said
    assert tree.getroot().findtext(".//{*}Adresaci//{*}PESEL") == "92061915506"
    assert tree.getroot().findtext(".//{*}Nadawcy//{*}NazwaInstytucji") == "Wójt Gminy Przykładowo"
    assert tree.getroot().findtext(".//{*}Podpis/{*}Nazwisko") == "Próbna"


def test_a_letters_pdf_that_lies_elsewhere_cannot_be_taken_out_of_it(letters):
    outside = document.File("pismo.pdf", "application/pdf", "Pismo", Octets.of(b""), address="https://epuap.invalid/1")
    with pytest.raises(OperationRefused) as caught:
        answering.pdf_in(document.write(letters["decision_delivery"], [outside]))
    assert (caught.value.code, caught.value.facts["address"]) == ("answers.pdf_elsewhere", "https://epuap.invalid/1")


def test_attachments_come_back_octet_for_octet(letters):
    octets = bytes(range(256))
    file = document.File("decyzja.pdf", "application/pdf", "Decyzja", Octets.of(octets))
    tree = parse(document.write(letters["decision_delivery"], [file]))
    attached = tree.getroot().find(".//{*}Zalacznik")
    assert attached is not None
    assert attached.get("nazwaPliku") == "decyzja.pdf"
    assert base64.b64decode(attached.findtext("{*}DaneZalacznika") or "", validate=True) == octets


def test_a_company_is_addressed_as_an_institution(composer):
    company = Party(full_name="Zakład Próbny „Źdźbło”", nip=nip(1), address=Address(place="Przykładowo", building="2"))
    made = composer.settlement_statement(matter(party=company), dues())
    tree = parse(document.write(made))
    assert tree.getroot().findtext(".//{*}Adresaci//{*}Instytucja//{*}NIP") == nip(1)
    assert "Zakład Próbny „Źdźbło”" in plain_text(made)


def test_the_same_letter_is_written_the_same(letters):
    letter = letters["fee_call"]
    assert document.write(letter) == document.write(letter)
