"""The fetching client and the revocation source against live responders on loopback."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from gateway.simulate import authorities, pki
from gateway.simulate.authorities import Revoked, pointers
from gateway.simulate.pki import Identity
from gateway.simulate.responders import Responders
from gateway.trust.cache import EvidenceCache, Kept
from gateway.trust.fetch import FetchClient, FetchPolicy
from gateway.trust.service import TrustService
from gateway.trust.source import RevocationSource, load_bundle
from gateway.trust.verdict import Anchor, RevocationEvidence, Standing, TrustVerdict
from schemas.errors import TrustError
from schemas.verification import Indication, Reason
from tests.trust_pki import DAY, HOUR, MINUTE, T, World, world


@pytest.fixture
def web() -> Iterator[Responders]:
    with Responders() as running:
        yield running


@pytest.fixture
def w() -> World:
    return world()


class Office:
    """A person whose certificate points at the live responders; root and authority publish lists there."""

    def __init__(self, w: World, web: Responders) -> None:
        self.w, self.web = w, web
        root_list = pointers(crl_url=web.url("/root.crl"))
        self.root = w.root
        self.ca = _authority(w.root, root_list)
        self.responder = authorities.ocsp_responder(self.ca, at=T)
        self.person = pki.qualified_person(
            "JAN", "TESTOWY", "80010112340", self.ca, at=T, key=pki.new_key("p256"),
            extensions=pointers(web.url("/ocsp"), web.url("/ca.crl")),
        )  # fmt: skip
        web.serve("/root.crl", authorities.crl(w.root, at=T - HOUR, valid_for=30 * DAY))
        self.lists()
        self.answers()
        self.client = FetchClient(FetchPolicy(frozenset({web.host}), timeout_s=30.0, max_bytes=500_000))
        self.source = RevocationSource(self.client)

    def lists(self, *revoked: Revoked, at: datetime = T - HOUR, **how: object) -> None:
        self.web.serve("/ca.crl", authorities.crl(self.ca, revoked, at=at), **how)

    def answers(
        self, revoked: Revoked | None = None, at: datetime = T, responder: Identity | None = None, **how: object
    ) -> None:
        def answer(body: bytes) -> bytes:
            asked = ocsp.load_der_ocsp_request(body)
            assert asked.serial_number == self.person.certificate.serial_number
            return authorities.ocsp_answer(
                self.person.certificate, self.ca.certificate, responder or self.responder, at=at, revoked=revoked
            )

        self.web.serve("/ocsp", answer, **how)

    def no_ocsp(self) -> None:
        self.web.serve("/ocsp", b"", status=503)

    def ask(self, at: datetime = T, poe: datetime | None = None) -> tuple[TrustVerdict, tuple[Reason, ...]]:
        service = TrustService(lambda _: (Anchor(self.root.certificate),), self.source)
        return service.explain(self.person.certificate, [self.ca.certificate], at=at, poe=poe)


def _authority(root: Identity, extensions: tuple[tuple[x509.ExtensionType, bool], ...]) -> Identity:
    """An authority below `root` whose certificate carries further extensions."""
    key = pki.new_key("p256")
    builder = pki._builder(pki.name("TEST CA w sieci", "TEST"), root.certificate.subject, key, T)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(pki._usage(key_cert_sign=True, crl_sign=True), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return pki._sign(builder, key, root)


@pytest.fixture
def office(w: World, web: Responders) -> Office:
    return Office(w, web)


def problems(found: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in found]


# --- what is fetched decides


def test_a_good_answer_from_the_live_responder_passes(office: Office) -> None:
    verdict, noted = office.ask()
    assert verdict.passed
    assert (verdict.statuses[0].source, verdict.statuses[1].source) == ("ocsp", "crl")
    assert noted == ()
    assert office.web.asked == ["POST /ocsp", "GET /root.crl"]


def test_lists_are_used_where_the_responder_is_down(office: Office) -> None:
    office.no_ocsp()
    verdict, noted = office.ask()
    assert verdict.passed
    assert verdict.statuses[0].source == "crl"
    assert problems(noted) == ["trust.fetch_status"]


def test_revoked_before_the_signature_existed(office: Office) -> None:
    office.answers(Revoked(office.person.certificate, T - DAY))
    verdict, _ = office.ask()
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, "REVOKED_NO_POE")


def test_revoked_after_the_signature_existed(office: Office) -> None:
    office.answers(Revoked(office.person.certificate, T + HOUR), at=T + DAY)
    verdict, _ = office.ask(at=T + DAY, poe=T)
    assert verdict.passed
    assert verdict.statuses[0].standing is Standing.REVOKED_LATER


def test_a_stale_answer_and_a_stale_list_leave_it_open(office: Office) -> None:
    office.answers(at=T - 9 * DAY)
    office.lists(at=T - 9 * DAY)
    verdict, _ = office.ask()
    assert verdict.sub_indication == "TRY_LATER"


def test_a_foreign_responders_answer_is_useless_and_the_list_decides(office: Office, w: World) -> None:
    office.answers(responder=w.responder)
    verdict, noted = office.ask()
    assert problems(noted) == ["trust.fetch_useless"]
    assert verdict.statuses[0].source == "crl"


def test_a_forged_list_is_useless_and_is_not_cached(office: Office, web: Responders) -> None:
    office.no_ocsp()
    web.serve("/ca.crl", authorities.crl(office.ca, at=T, key=pki.new_key("p256")))
    verdict, noted = office.ask()
    assert verdict.sub_indication == "TRY_LATER"
    assert problems(noted) == ["trust.fetch_status", "trust.fetch_useless"]

    office.lists()
    assert office.ask()[0].passed


def test_nothing_reachable_is_try_later_never_an_error(office: Office, web: Responders) -> None:
    for path in ("/ocsp", "/ca.crl", "/root.crl"):
        web.serve(path, b"", status=500)
    verdict, noted = office.ask()
    assert verdict.sub_indication == "TRY_LATER"
    assert set(problems(noted)) == {"trust.fetch_status"}


# --- what is kept


def test_a_second_question_is_answered_from_the_cache(office: Office) -> None:
    office.ask()
    before = office.web.asked
    assert office.ask(at=T + MINUTE, poe=T)[0].passed
    assert office.web.asked == before


def test_a_newer_signature_is_asked_about_again(office: Office) -> None:
    office.ask()
    office.answers(at=T + MINUTE)
    office.ask(at=T + MINUTE, poe=T + MINUTE)
    assert office.web.asked.count("POST /ocsp") == 2
    assert office.web.asked.count("GET /root.crl") == 1


def test_a_cached_answer_still_valid_helps_when_the_responder_fails(office: Office, web: Responders) -> None:
    office.ask()
    for path in ("/ocsp", "/ca.crl", "/root.crl"):
        web.serve(path, b"", status=500)
    verdict, _ = office.ask(at=T + 50 * MINUTE, poe=T)
    assert verdict.passed


def test_a_failing_responder_is_left_alone_for_a_while(office: Office) -> None:
    office.no_ocsp()
    office.ask()
    _, noted = office.ask(at=T + MINUTE / 2)
    assert problems(noted) == ["trust.fetch_failed_lately"]
    assert office.web.asked.count("POST /ocsp") == 1
    office.ask(at=T + 2 * MINUTE)
    assert office.web.asked.count("POST /ocsp") == 2


def test_slow_responders_together_cannot_hold_up_a_judgement(office: Office) -> None:
    office.answers(delay_s=5)
    office.client = FetchClient(FetchPolicy(frozenset({office.web.host}), timeout_s=0.2))
    looks = itertools.chain([0.0, 0.0], itertools.repeat(0.2))  # at the watch: begun, first request, the others
    office.source = RevocationSource(office.client, longest_s=0.1, clock=looks.__next__)
    verdict, noted = office.ask()
    assert verdict.sub_indication == "TRY_LATER"
    assert problems(noted) == ["trust.fetch_too_slow", "trust.fetch_no_time", "trust.fetch_no_time"]
    assert office.web.asked == ["POST /ocsp"]


def test_the_cache_outlives_the_process_in_a_folder(office: Office, tmp_path: Path) -> None:
    office.source = RevocationSource(office.client, EvidenceCache(tmp_path))
    office.ask()
    office.source = RevocationSource(None, EvidenceCache(tmp_path))
    assert office.ask(at=T + MINUTE, poe=T)[0].passed


def test_the_cache_stays_bounded_in_memory_and_on_disk(office: Office, tmp_path: Path) -> None:
    cache = EvidenceCache(tmp_path, max_bytes=5000)
    office.source = RevocationSource(office.client, cache)
    for hour in range(12):
        office.answers(at=T + hour * MINUTE)
        office.ask(at=T + hour * MINUTE)
    for number in range(20):
        cache.put(b"%d" % number, Kept(b"x" * 1000, T, T + HOUR, T + HOUR))
    assert sum(file.stat().st_size for file in tmp_path.glob("*.der")) <= 5000
    assert cache.get(b"19", T) is not None
    assert cache.get(b"0", T) is None
    assert cache.get(b"19", T + 2 * HOUR) is None


# --- bundles


def test_a_bundle_answers_without_any_network(office: Office, tmp_path: Path) -> None:
    (tmp_path / "root.crl").write_bytes(authorities.crl(office.root, at=T - HOUR, valid_for=30 * DAY))
    listed = x509.load_der_x509_crl(authorities.crl(office.ca, at=T - HOUR))
    (tmp_path / "ca.crl").write_bytes(listed.public_bytes(Encoding.PEM))
    (tmp_path / "README.txt").write_text("nie jest dowodem", encoding="utf-8")
    office.source = RevocationSource(None, bundle=load_bundle(tmp_path))
    verdict, noted = office.ask()
    assert verdict.passed
    assert set(problems(noted)) == {"trust.fetch_offline"}
    assert office.web.asked == []


def test_a_bundle_of_hundreds_of_lists_answers_with_the_right_ones(office: Office) -> None:
    others = tuple(
        authorities.crl(pki.authority(pki.name(f"TEST Inne {number}", "TEST"), at=T), at=T) for number in range(100)
    )
    own = (authorities.crl(office.root, at=T, valid_for=30 * DAY), authorities.crl(office.ca, at=T))
    office.source = RevocationSource(None, bundle=RevocationEvidence(crls=(b"rubbish", *others, *own)))
    verdict, _ = office.ask()
    assert verdict.passed
    assert len(verdict.evidence.crls) == 2


def test_an_answer_carried_in_a_bundle_counts(office: Office) -> None:
    answer = authorities.ocsp_answer(office.person.certificate, office.ca.certificate, office.responder, at=T)
    own = authorities.crl(office.root, at=T, valid_for=30 * DAY)
    office.source = RevocationSource(None, bundle=RevocationEvidence(crls=(own,), ocsps=(b"rubbish", answer)))
    assert office.ask()[0].statuses[0].source == "ocsp"


def test_a_missing_or_too_large_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError) as missing:
        load_bundle(tmp_path / "nie-ma")
    assert missing.value.code == "trust.bundle_missing"
    (tmp_path / "a.crl").write_bytes(b"x" * 100)
    with pytest.raises(TrustError) as large:
        load_bundle(tmp_path, max_bytes=99)
    assert large.value.code == "trust.bundle_too_large"
    assert load_bundle(tmp_path) == RevocationEvidence(crls=(b"x" * 100,))
