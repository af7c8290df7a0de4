"""Trust as configured in a file: authorities, lists, live responders; time-stamps and token keys on receipts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway import signatures
from gateway.receipt import SealKey, UppFacts, check_receipt, issue_upp
from gateway.simulate import authorities, pki
from gateway.simulate.pki import Identity
from gateway.simulate.responders import Responders
from gateway.simulate.trust_list import Listed, scheme_operator, trust_list
from gateway.timestamps import read_token, verify
from gateway.trust.admin import describe, import_file, known_lists
from gateway.trust.settings import TrustSettings, load_settings
from gateway.trusted import Trusted, list_verifier, load_trusted, time_stamper
from schemas.errors import ConfigError, ReceiptError, TrustError
from schemas.receipt import Receipt, ReceiptParty
from schemas.texts import all_texts
from schemas.verification import Indication
from schemas.xmldoc import DS, XADES, parse, qname
from tests.softhsm import soft_hsm
from tests.trust_pki import DAY, HOUR, T, World, world

DOCUMENT = b"<wniosek>tresc</wniosek>"


class StandingClock:
    """Stands at T."""

    def now(self) -> datetime:
        return T


@pytest.fixture
def w() -> World:
    return world()


@pytest.fixture
def web() -> Iterator[Responders]:
    with Responders() as running:
        yield running


verify_list = list_verifier(T)


def pem(folder: Path, name: str, certificate: x509.Certificate) -> str:
    (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    return name


def configured(folder: Path, text: str, *anchors: x509.Certificate) -> Trusted:
    (folder / "trust.toml").write_text(text, encoding="utf-8")
    return load_trusted(folder / "trust.toml", anchors)


# --- whom signatures are judged by


def test_without_a_revocation_table_nothing_is_asked(tmp_path: Path, w: World) -> None:
    found = configured(tmp_path, 'environment = "test"\n', w.root.certificate)
    assert found.paths is None
    assert found.stamper is None


def test_a_pinned_authority_and_live_lists_judge_a_person(tmp_path: Path, w: World, web: Responders) -> None:
    person = w.qualified(extensions=authorities.pointers(crl_url=web.url("/ca.crl")))
    web.serve("/ca.crl", authorities.crl(w.ca, at=T))
    (tmp_path / "carried").mkdir()
    (tmp_path / "carried" / "root.crl").write_bytes(authorities.crl(w.root, at=T, valid_for=30 * DAY))
    text = f'[revocation]\nhosts = ["{web.host}"]\nbundle = "carried"\ncache = "cache"\n'
    paths = configured(tmp_path, text, w.root.certificate).paths
    assert paths is not None

    assert paths.judge(person.certificate, w.chain(), at=T).passed
    assert web.asked == ["GET /ca.crl"]
    assert list((tmp_path / "cache").iterdir())


def test_no_hosts_means_no_network(tmp_path: Path, w: World, web: Responders) -> None:
    person = w.qualified(extensions=authorities.pointers(crl_url=web.url("/ca.crl")))
    paths = configured(tmp_path, "[revocation]\n", w.root.certificate).paths
    assert paths is not None
    verdict, problems = paths.explain(person.certificate, w.chain(), at=T)
    assert verdict.sub_indication == "TRY_LATER"
    assert [reason.code for reason in problems] == ["trust.fetch_offline"]
    assert web.asked == []


def test_an_imported_list_brings_its_authorities(tmp_path: Path, w: World) -> None:
    operator = scheme_operator(T)
    signer = pem(tmp_path, "operator.pem", operator.certificate)
    text = f'[revocation]\nbundle = "carried"\n[lists]\nsigners = ["{signer}"]\n'
    (tmp_path / "trust.toml").write_text(text)
    (tmp_path / "carried").mkdir()
    (tmp_path / "carried" / "ca.crl").write_bytes(authorities.crl(w.ca, at=T))
    settings = load_settings(tmp_path / "trust.toml")
    xml = listed(w, operator)

    imported = import_file(settings, xml, verify_list, now=T)

    assert (imported.previous, imported.changed) == (None, True)
    paths = load_trusted(tmp_path / "trust.toml").paths
    assert paths is not None
    verdict = paths.judge(w.person.certificate, (), at=T)
    assert verdict.passed
    assert verdict.anchor is not None
    assert verdict.anchor.source.startswith("PL 1")


def listed(w: World, operator: Identity, sequence: int = 1, **how: object) -> bytes:
    service = Listed(w.ca.certificate, (("granted", T - 400 * DAY),))
    return trust_list((service,), operator, pki.shared(), issued_at=T - DAY, sequence=sequence, **how)  # type: ignore[arg-type]


# --- importing lists


def settings_with(folder: Path, operator: Identity) -> TrustSettings:
    signer = pem(folder, "operator.pem", operator.certificate)
    (folder / "trust.toml").write_text(f'[lists]\nsigners = ["{signer}"]\n')
    return load_settings(folder / "trust.toml")


def test_an_import_is_kept_described_and_never_goes_back(tmp_path: Path, w: World) -> None:
    operator = scheme_operator(T)
    settings = settings_with(tmp_path, operator)
    xml = listed(w, operator, 7)
    assert import_file(settings, xml, verify_list, now=T).changed
    assert not import_file(settings, xml, verify_list, now=T).changed

    with pytest.raises(TrustError, match="list_rollback"):
        import_file(settings, listed(w, operator, 6), verify_list, now=T)

    (kept,) = known_lists(settings)
    shown = describe(kept, T)
    assert (shown["sequence"], shown["expired"]) == (7, False)
    assert shown["services"][0]["status"] == "granted"
    assert import_file(settings, listed(w, operator, 8), verify_list, now=T).to_json(T)["previous"] == 7


def test_two_countries_lists_stand_beside_each_other(tmp_path: Path, w: World) -> None:
    operator = scheme_operator(T)
    settings = settings_with(tmp_path, operator)
    import_file(settings, listed(w, operator, 7), verify_list, now=T)
    import_file(settings, listed(w, operator, 3, territory="CZ"), verify_list, now=T)
    assert {item.territory: item.sequence for item in known_lists(settings)} == {"PL": 7, "CZ": 3}


def test_the_list_of_lists_says_who_may_sign(tmp_path: Path, w: World) -> None:
    operator, union = scheme_operator(T), scheme_operator(T)
    signer = pem(tmp_path, "union.pem", union.certificate)
    (tmp_path / "trust.toml").write_text(f'[lists]\nunion_signers = ["{signer}"]\n')
    settings = load_settings(tmp_path / "trust.toml")
    pointers = [("PL", "https://tsl.example.pl/tsl.xml", operator.certificate)]
    above = trust_list(
        (), union, pki.shared(), issued_at=T - DAY, kind="EUlistofthelists", territory="EU", pointers=pointers
    )

    assert import_file(settings, listed(w, operator), verify_list, now=T, list_of_lists=above).changed
    stranger = listed(w, scheme_operator(T), 2)
    with pytest.raises(TrustError, match="list_signature"):
        import_file(settings, stranger, verify_list, now=T, list_of_lists=above)


def test_nobody_named_means_no_import(tmp_path: Path, w: World) -> None:
    operator = scheme_operator(T)
    (tmp_path / "trust.toml").write_text("")
    settings = load_settings(tmp_path / "trust.toml")
    for above in (None, listed(w, operator, kind="EUlistofthelists")):
        with pytest.raises(TrustError) as error:
            import_file(settings, listed(w, operator), verify_list, now=T, list_of_lists=above)
        assert error.value.code == "trust.no_signers"
        assert error.value.code in all_texts()


# --- the file


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[revocation]\nhost = []\n", "revocation.host"),
        ('[revocation]\nfreshness = "sometimes"\n', "revocation.freshness"),
        ("[revocation]\ntimeout_s = 0\n", "revocation.timeout_s"),
        ("[time_stamp]\nurl = 1\n", "time_stamp.url"),
        ("[lists\n", "trust.toml"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "trust.toml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_settings(tmp_path / "trust.toml")


def test_a_certificate_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nie-ma\.pem"):
        configured(tmp_path, '[time_stamp]\nurls = ["http://127.0.0.1:9/"]\nanchors = ["nie-ma.pem"]\n')


# --- our own receipts


def issue(key: SealKey, stamper: object = None) -> Receipt:
    facts = UppFacts(
        receipt_id="TEST-1",
        addressee=ReceiptParty("TEST Urząd", "TestUrzad"),
        sender=None,
        document_id="DOK1",
        submission_id="1",
        file_name="wniosek.xml",
        received_at=T,
    )
    return issue_upp(facts, DOCUMENT, key, T, stamper)  # type: ignore[arg-type]


def stamped(tmp_path: Path, web: Responders, anchor: Identity, unit: Identity) -> Trusted:
    url = web.serve("/tsa", lambda request: authorities.time_stamp(request, unit, at=T))
    name = pem(tmp_path, "tsa.pem", anchor.certificate)
    return configured(tmp_path, f'[time_stamp]\nurls = ["{url}"]\nanchors = ["{name}"]\n')


@pytest.mark.parametrize("pinned", ["authority", "unit itself"])
def test_a_receipt_carries_a_time_stamp_over_its_signature(
    tmp_path: Path, w: World, web: Responders, pinned: str
) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    found = stamped(tmp_path, web, w.ca if pinned == "authority" else unit, unit)
    assert found.stamper is not None
    seal = pki.issue(pki.name("TEST Pieczęć", "TEST"), w.root, at=T, key=pki.new_key("p256"))

    receipt = issue(SealKey.of(seal.key, seal.certificate), time_stamper(found.stamper, StandingClock()))

    root = parse(receipt.xml).getroot()
    token = root.findtext(f".//{qname(XADES, 'SignatureTimeStamp')}/{qname(XADES, 'EncapsulatedTimeStamp')}")
    value = root.find(f".//{qname(DS, 'SignatureValue')}")
    assert token is not None
    assert value is not None
    over = etree.tostring(value, method="c14n", exclusive=True, with_tail=False)
    verdict = verify(read_token(base64.b64decode(token)), over, found.stamper.judge, at=T)
    assert (verdict.indication, verdict.time) == (Indication.PASSED, T)


def test_without_an_authority_that_answers_the_receipt_says_so(tmp_path: Path, w: World, web: Responders) -> None:
    unit = authorities.time_stamper(w.ca, at=T - HOUR)
    found = stamped(tmp_path, web, w.root, unit)
    web.serve("/tsa", b"", status=503)
    assert found.stamper is not None
    with pytest.raises(ReceiptError) as error:
        time_stamper(found.stamper, StandingClock())(b"octets")
    assert error.value.code == "receipt.time_stamp_unavailable"
    assert error.value.facts["reason"] == "trust.fetch_status"


@pytest.mark.parametrize("label", ["rsa", "p256"])
def test_a_receipt_is_sealed_with_a_key_on_a_token(w: World, label: str) -> None:
    key = soft_hsm().key(label)
    seal = pki.issue(pki.name("TEST Pieczęć", "TEST"), w.root, at=T, key=key)  # type: ignore[arg-type]

    receipt = issue(SealKey.of(key, seal.certificate))

    trust = signatures.TrustPolicy(seals=(seal.certificate,))
    assert check_receipt(receipt.xml, DOCUMENT, trust, at=T).binding == "is_for"
