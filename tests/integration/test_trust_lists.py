"""Trusted lists: generated, really signed, verified by our own signature engine, imported, and judged as of a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway import signatures
from gateway.simulate import authorities, citizens, pki
from gateway.simulate.people import person
from gateway.simulate.pki import Identity
from gateway.simulate.trust_list import Listed, scheme_operator, trust_list
from gateway.trust import judge
from gateway.trust.lists import import_list, import_pointers
from gateway.trust.services import CA_QC, TSA_QTST, ServiceStatusHistory, load, save
from gateway.trust.verdict import Anchor, RevocationEvidence
from schemas.errors import TrustError
from schemas.texts import all_texts
from schemas.verification import Verification
from tests.trust_pki import DAY, HOUR, T, World, world

OLD = datetime(2015, 1, 1, tzinfo=UTC)
CHANGE = datetime(2016, 7, 1, tzinfo=UTC)


def verify_at(xml: bytes, pinned: Sequence[x509.Certificate]) -> Verification:
    return signatures.verify(xml, signatures.TrustPolicy(seals=tuple(pinned)), at=T)


@pytest.fixture(scope="module")
def operator() -> Identity:
    return scheme_operator(T)


@pytest.fixture(scope="module")
def w() -> World:
    return world()


def listed(w: World, **changed: object) -> Listed:
    return replace(Listed(w.ca.certificate, (("granted", T - 400 * DAY),)), **changed)  # type: ignore[arg-type]


def make(w: World, operator: Identity, *services: Listed, **how: object) -> bytes:
    how.setdefault("issued_at", T - DAY)
    return trust_list(services or (listed(w),), operator, pki.shared(), **how)  # type: ignore[arg-type]


def read(xml: bytes, operator: Identity, previous: ServiceStatusHistory | None = None) -> ServiceStatusHistory:
    return import_list(xml, [operator.certificate], verify_at, now=T, previous=previous)


def refused(xml: bytes, operator: Identity, previous: ServiceStatusHistory | None = None) -> str:
    with pytest.raises(TrustError) as error:
        read(xml, operator, previous)
    assert error.value.code in all_texts()
    return error.value.code


# --- what a list says


def test_qualified_services_are_taken_out_with_their_status(w: World, operator: Identity) -> None:
    unit = authorities.time_stamper(w.ca, at=T)
    stamping = Listed(unit.certificate, (("granted", T - 100 * DAY),), kind="TSA/QTST", name="TEST znacznik")
    other = Listed(w.root.certificate, (("granted", T),), kind="Certstatus/OCSP/QC")
    history = read(make(w, operator, listed(w, uses=("ForeSignatures",)), stamping, other), operator)

    assert (history.territory, history.sequence, history.issued_at) == ("PL", 1, T - DAY)
    assert [(item.kind, item.provider) for item in history.services] == [
        (CA_QC, "TEST dostawca"),
        (TSA_QTST, "TEST dostawca"),
    ]
    assert [anchor.certificate for anchor in history.anchors(TSA_QTST, T)] == [unit.certificate]
    assert history.services[0].uses == {"ForeSignatures"}
    assert history.skipped == ()


def test_a_persons_certificate_is_judged_by_the_list(w: World, operator: Identity) -> None:
    history = read(make(w, operator), operator)
    lists = RevocationEvidence(crls=(authorities.crl(w.ca, at=T),))
    verdict = judge(w.person.certificate, [], history.anchors(CA_QC, T), at=T, evidence=lists)
    assert verdict.passed
    assert verdict.anchor is not None
    assert verdict.anchor.source == "PL 1: TEST dostawca"


def test_status_is_judged_as_of_the_signature(w: World, operator: Identity) -> None:
    withdrawn = listed(w, history=(("withdrawn", T - 10 * DAY), ("granted", T - 400 * DAY)))
    history = read(make(w, operator, withdrawn), operator)
    lists = RevocationEvidence(crls=(authorities.crl(w.ca, at=T),))

    def ask(poe: datetime) -> tuple[bool, list[str]]:
        verdict = judge(w.person.certificate, [], history.anchors(CA_QC, poe), at=T, poe=poe, evidence=lists)
        return verdict.passed, [reason.code for reason in verdict.reasons]

    assert ask(T - 11 * DAY) == (True, [])
    assert ask(T - 9 * DAY) == (False, ["trust.anchor_not_trusted_then"])


def test_what_was_issued_while_not_granted_does_not_count(w: World, operator: Identity) -> None:
    late = read(make(w, operator, listed(w, history=(("granted", T - DAY),))), operator)
    lists = RevocationEvidence(crls=(authorities.crl(w.ca, at=T),))
    anchors = late.anchors(CA_QC, T)
    verdict = judge(w.person.certificate, [], anchors, at=T, evidence=lists)
    assert [reason.code for reason in verdict.reasons] == ["trust.anchor_not_trusted_then"]
    pinned = [Anchor(anchor.certificate) for anchor in anchors]
    assert judge(w.person.certificate, [], pinned, at=T, evidence=lists).passed


def test_the_words_used_before_2016_count_and_follow_on(w: World, operator: Identity) -> None:
    history = (
        ("granted", CHANGE),
        ("accredited", OLD),
        ("undersupervision", OLD - DAY),
        ("setbynationallaw", OLD - 9 * DAY),
    )
    (service,) = read(make(w, operator, listed(w, history=history)), operator).services
    assert list(service.spans()) == [(OLD - DAY, None)]


def test_a_gap_in_the_history_is_a_gap_in_trust(w: World, operator: Identity) -> None:
    history = (("granted", T - DAY), ("withdrawn", T - 5 * DAY), ("granted", T - 300 * DAY))
    (service,) = read(make(w, operator, listed(w, history=history)), operator).services
    assert list(service.spans()) == [(T - DAY, None), (T - 300 * DAY, T - 5 * DAY)]


def test_a_service_with_a_critical_extension_nobody_knows_is_skipped_and_said(w: World, operator: Identity) -> None:
    strange = listed(w, extension='<x:Nowe xmlns:x="urn:test"/>')
    history = read(make(w, operator, strange, listed(w)), operator)
    assert len(history.services) == 1
    assert history.skipped == ("TEST dostawca: unknown critical extension",)


def test_a_service_taken_over_is_understood(w: World, operator: Identity) -> None:
    taken = listed(w, extension="<tslx:TakenOverBy/>")
    assert len(read(make(w, operator, taken), operator).services) == 1


# --- whose list it is


def test_a_list_signed_by_another_is_refused(w: World, operator: Identity) -> None:
    assert refused(make(w, scheme_operator(T)), operator) == "trust.list_signature"


def test_a_list_changed_after_signing_is_refused(w: World, operator: Identity) -> None:
    changed = make(w, operator).replace(b"Svcstatus/granted", b"Svcstatus/withdrawn")
    assert refused(changed, operator) == "trust.list_signature"


def test_an_unsigned_list_is_refused(w: World, operator: Identity) -> None:
    xml = make(w, operator)
    start = xml.index(b"<ds:Signature ")
    unsigned = xml[:start] + b"</TrustServiceStatusList>"
    assert refused(unsigned, operator) == "trust.list_signature"


def test_another_signed_document_is_no_list(w: World, operator: Identity) -> None:
    signed = citizens.sign_qualified(b"<a/>", person(0), pki.shared(), T, identity=operator)
    assert refused(signed, operator) == "trust.list_unreadable"


def test_a_list_of_lists_is_no_national_list(w: World, operator: Identity) -> None:
    assert refused(make(w, operator, kind="EUlistofthelists"), operator) == "trust.list_kind"


def test_an_expired_list_and_one_from_the_future_are_refused(w: World, operator: Identity) -> None:
    assert refused(make(w, operator, valid_for=HOUR), operator) == "trust.list_expired"
    assert refused(make(w, operator, issued_at=T + DAY), operator) == "trust.list_from_future"
    closed = read(make(w, operator, valid_for=None), operator)
    assert not closed.expired(T + 5000 * DAY)


@pytest.mark.parametrize("part", [b"<TSLSequenceNumber>1", b"<StatusStartingTime>", b"<X509Certificate>"])
def test_a_signed_list_with_an_unreadable_part_is_refused(w: World, operator: Identity, part: bytes) -> None:
    # the operator's own mistake: signed as it is
    xml = make(w, operator)
    bare = xml[: xml.index(b"<ds:Signature ")] + b"</TrustServiceStatusList>"
    broken = citizens.sign_qualified(bare.replace(part, part + b"!"), person(0), pki.shared(), T, identity=operator)
    assert refused(broken, operator) == "trust.list_unreadable"


# --- never back


def test_a_newer_list_follows_and_the_same_list_may_come_again(w: World, operator: Identity) -> None:
    xml = make(w, operator, sequence=5)
    first = read(xml, operator)
    assert read(xml, operator, first) == first
    assert read(make(w, operator, sequence=6, issued_at=T), operator, first).sequence == 6


def test_an_older_number_an_older_date_or_a_substitute_is_refused(w: World, operator: Identity) -> None:
    first = read(make(w, operator, sequence=5), operator)
    assert refused(make(w, operator, sequence=4, issued_at=T), operator, first) == "trust.list_rollback"
    assert refused(make(w, operator, sequence=6, issued_at=T - 2 * DAY), operator, first) == "trust.list_rollback"
    assert refused(make(w, operator, sequence=5, issued_at=T), operator, first) == "trust.list_rollback"


def test_another_countrys_list_does_not_replace_ours(w: World, operator: Identity) -> None:
    first = read(make(w, operator), operator)
    other = make(w, operator, sequence=9, issued_at=T, territory="CZ")
    assert refused(other, operator, first) == "trust.list_other_territory"


# --- the list of lists, and keeping


def test_the_list_of_lists_names_the_signers_of_the_national_list(w: World, operator: Identity) -> None:
    union = scheme_operator(T)
    named = [
        ("PL", "https://tsl.example.pl/tsl.xml", operator.certificate),
        ("PL", "https://tsl.example.pl/tsl.pdf", operator.certificate),
        ("CZ", "https://tsl.example.cz/tsl.xml", union.certificate),
    ]
    xml = trust_list(
        (), union, pki.shared(), issued_at=T - DAY, kind="EUlistofthelists", territory="EU", pointers=named
    )
    polish, czech = import_pointers(xml, [union.certificate], verify_at, now=T)
    assert (polish.territory, polish.location) == ("PL", "https://tsl.example.pl/tsl.xml")
    assert czech.territory == "CZ"
    assert read(make(w, operator), replace(operator, certificate=polish.signers[0])).territory == "PL"

    with pytest.raises(TrustError, match="list_signature"):
        import_pointers(xml, [operator.certificate], verify_at, now=T)


def test_what_was_imported_is_kept_and_read_back(w: World, operator: Identity, tmp_path: Path) -> None:
    history = read(make(w, operator, listed(w, uses=("ForeSeals",))), operator)
    store = tmp_path / "trust-lists.json"
    save([history], store)
    assert load(store) == (history,)
    assert load(tmp_path / "nie-ma.json") == ()
    assert [file.name for file in tmp_path.iterdir()] == ["trust-lists.json"]


def test_a_damaged_store_is_refused_not_guessed(w: World, operator: Identity, tmp_path: Path) -> None:
    store = tmp_path / "trust-lists.json"
    save([read(make(w, operator), operator)], store)
    for content in (store.read_text()[:-20], '{"format":99,"lists":[]}', "[]"):
        store.write_text(content)
        with pytest.raises(TrustError, match="store_unreadable"):
            load(store)


def test_a_use_narrows_the_services(w: World, operator: Identity) -> None:
    history = read(make(w, operator, listed(w, uses=("ForWebSiteAuthentication",))), operator)
    assert history.anchors(CA_QC, T, use="ForeSignatures") == ()
    assert len(history.anchors(CA_QC, T)) == 1
    assert history.expired(T + timedelta(days=200))
