"""The validation report: kept whole, reached again offline, and readable by a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from lxml import html

from gateway.simulate import authorities
from gateway.simulate.authorities import Revoked
from gateway.trust import PathPolicy, RevocationEvidence, TrustVerdict
from gateway.trust.report import SignatureEvidence, StampEvidence, ValidationReport, confirm, make, page
from schemas.verification import (
    Crypto,
    Indication,
    Reason,
    SignatureVerdict,
    Signer,
    Verification,
)
from tests.trust_pki import DAY, HOUR, T, World, ask, world

DOCUMENT = b"<wniosek/>"


@pytest.fixture(scope="module")
def w() -> World:
    return world()


def verification(trust: TrustVerdict | None, name: str = "JAN TESTOWY", count: int = 1) -> Verification:
    indication = trust.indication if trust else Indication.PASSED
    verdict = SignatureVerdict(
        id="id-1",
        indication=indication,
        sub_indication=trust.sub_indication if trust else None,
        crypto=Crypto.INTACT,
        covers_document=True,
        level="XAdES-B-B",
        signing_time=T,
        signer=Signer("qualified", name, "80010112340", "ab" * 32),
        references=(),
        reasons=trust.reasons if trust else (),
    )
    return Verification(indication, (verdict,) * count, "full")


def report(trust: TrustVerdict | None, **how: Any) -> ValidationReport:
    evidence = SignatureEvidence(trust, how.pop("problems", ()), how.pop("time_stamp", None))
    at: datetime = how.pop("at", T)
    policy = how.pop("policy", PathPolicy())
    return make(
        DOCUMENT, verification(trust, **how), (evidence,), at=at, environment="test", policy=policy
    )  # fmt: skip


def stored(made: ValidationReport) -> ValidationReport:
    return ValidationReport.from_json(json.loads(json.dumps(made.to_json())))


def test_a_report_is_kept_whole_and_confirmed_offline(w: World) -> None:
    later = w.crls(T + 5 * DAY, Revoked(w.person.certificate, T + DAY))
    for trust in (
        ask(w),
        ask(w, w.root_list() + w.answer()),
        ask(w, later, at=T + 5 * DAY, poe=T),
        ask(w, w.crls(T, Revoked(w.person.certificate, T - DAY))),
        ask(w, RevocationEvidence()),
        ask(w, chain=()),
    ):
        made = report(trust)
        assert stored(made) == made
        assert confirm(stored(made)) == (True,)


def test_a_report_whose_verdict_was_changed_is_not_confirmed(w: World) -> None:
    revoked = ask(w, w.crls(T, Revoked(w.person.certificate, T - DAY)))
    whitewashed = replace(revoked, indication=Indication.PASSED, sub_indication=None, reasons=())
    assert confirm(stored(report(whitewashed))) == (False,)


def test_a_report_whose_evidence_was_changed_is_not_read(w: World) -> None:
    packed = report(ask(w)).to_json()
    packed["evidence"][0]["trust"]["chain"][0]["sha256"] = "0" * 64
    with pytest.raises(ValueError, match="digest"):
        ValidationReport.from_json(packed)
    with pytest.raises(ValueError, match="format"):
        ValidationReport.from_json({**packed, "format": 2})


def test_a_time_stamps_issuer_is_confirmed_too(w: World) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    stamping = PathPolicy(extended_usage="1.3.6.1.5.5.7.3.8")
    trust = ask(w, certificate=unit.certificate, policy=stamping)
    assert trust.passed
    made = report(ask(w), time_stamp=StampEvidence(b"token", T, trust))
    assert stored(made) == made
    assert confirm(stored(made)) == (True,)
    other = report(ask(w), time_stamp=StampEvidence(b"token", T, ask(w)))  # a person's certificate stamps nothing
    assert confirm(stored(other)) == (False,)


def shown(made: ValidationReport) -> html.HtmlElement:
    return html.document_fromstring(page(made))


def words(made: ValidationReport) -> str:
    return " ".join(" ".join(shown(made).itertext()).split())


def test_the_page_says_in_polish_what_was_found(w: World) -> None:
    said = words(report(ask(w)))
    assert "Wynik dla dokumentu: ważny" in said
    assert "Podpis 1 z 1: ważny" in said
    assert "JAN TESTOWY" in said
    assert "podpis kwalifikowany" in said
    assert "zaufanie testowe" in said
    assert "2026-06-01 14:00:00 (12:00:00 UTC)" in said  # Polish wall time in summer


def test_the_page_gives_reasons_in_words_and_codes(w: World) -> None:
    trust = ask(w, w.crls(T, Revoked(w.person.certificate, T - DAY)))
    said = words(report(trust, problems=(Reason("trust.fetch_failed", {"host": "ocsp.example.pl", "reason": "x"}),)))
    assert "nie można rozstrzygnąć" in said
    assert "INDETERMINATE / REVOKED_NO_POE" in said
    assert "trust.revoked" in said
    assert "Serwer ocsp.example.pl nie odpowiada" in said


def test_the_page_lists_certificates_and_revocation_data(w: World) -> None:
    tree = shown(report(ask(w, w.root_list() + w.answer())))
    certificates, data = tree.findall(".//table")
    assert len(certificates.findall(".//tbody/tr")) == 3
    kinds = [row.find("th").text_content() for row in data.findall(".//tbody/tr")]
    assert any("OCSP" in kind for kind in kinds)
    assert any("CRL" in kind for kind in kinds)


def test_when_to_look_again_is_said(w: World) -> None:
    assert "Sprawdzić ponownie nie trzeba" in words(report(ask(w)))
    assert "Sprawdzić ponownie 2026-06-02 13:00:00" in words(report(ask(w, w.crls(T - HOUR))))


def test_the_page_is_self_contained_and_accessible(w: World) -> None:
    text = page(report(ask(w), count=2))
    tree = html.document_fromstring(text)
    assert tree.get("lang") == "pl"
    assert tree.findall(".//script") == []
    assert "http://" not in text
    assert "https://" not in text
    assert tree.findtext(".//title")
    assert len(tree.findall(".//h1")) == 1
    assert len(tree.findall(".//h2")) == 2
    for table in tree.findall(".//table"):
        assert table.findtext("caption")
        assert all(cell.get("scope") for cell in table.findall(".//th"))
    ids = [item.get("id") for item in tree.iter() if item.get("id")]
    assert len(ids) == len(set(ids))


def test_names_from_certificates_are_text_never_markup(w: World) -> None:
    text = page(report(ask(w), name="<script>alert(1)</script>"))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_signature_without_a_chain_has_no_tables(w: World) -> None:
    tree = shown(report(ask(w, chain=())))
    assert tree.findall(".//table") == []
    assert "trust.chain_not_found" in tree.text_content()


def test_a_pinned_signature_needs_no_evidence() -> None:
    made = make(DOCUMENT, verification(None), (), at=T, environment="production", policy=PathPolicy())
    assert confirm(stored(made)) == (True,)
    assert "zaufanie testowe" not in words(made)
