"""Damaged evidence and tokens: never an exception, never a better verdict than the undamaged ones give."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from gateway.simulate import authorities
from gateway.simulate.authorities import Revoked
from gateway.timestamps import TIME_STAMPING, read_response, read_token, verify
from gateway.trust import Anchor, PathPolicy, RevocationEvidence
from gateway.trust.rules import run
from gateway.trust.service import TrustService
from gateway.trust.source import RevocationSource
from gateway.trust.verdict import certificate_of, der
from schemas.errors import TrustError
from schemas.verification import Indication
from tests.trust_pki import DAY, HOUR, T, ask, world

# damaged certificates make cryptography warn of oddities that no honest one has
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

W = world()
REVOKED = Revoked(W.person.certificate, T - DAY)
LIST = authorities.crl(W.ca, [REVOKED], at=T)
GOOD_LIST = authorities.crl(W.ca, at=T)
ANSWER = W.answer(T, REVOKED).ocsps[0]
UNIT = authorities.time_stamper(W.ca, at=T)
MESSAGE = b"<ds:SignatureValue>MTIz</ds:SignatureValue>"
REQUEST = TimestampRequestBuilder().data(MESSAGE).hash_algorithm(HashAlgorithm.SHA256).build()
TOKEN = read_response(authorities.time_stamp(REQUEST.as_bytes(), UNIT, at=T)).token

fuzzed = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def damaged(original: bytes) -> st.SearchStrategy[bytes]:
    """One to three bytes changed, or the end cut off, or bytes added."""
    place = st.integers(0, len(original) - 1)
    changes = st.lists(st.tuples(place, st.integers(1, 255)), min_size=1, max_size=3)
    return st.one_of(
        changes.map(lambda pairs: _changed(original, pairs)),
        place.map(lambda end: original[:end]),
        st.binary(min_size=1, max_size=8).map(lambda more: original + more),
    ).filter(lambda data: data != original)  # two changes in one place may undo each other


def _changed(original: bytes, pairs: list[tuple[int, int]]) -> bytes:
    data = bytearray(original)
    for place, change in pairs:
        data[place] ^= change
    return bytes(data)


@fuzzed
@given(damaged(LIST))
def test_a_damaged_list_never_hides_a_revocation(data: bytes) -> None:
    verdict = ask(W, W.root_list() + RevocationEvidence(crls=(data,)))
    assert verdict.indication is Indication.INDETERMINATE


@fuzzed
@given(damaged(ANSWER))
def test_a_damaged_answer_never_hides_a_revocation(data: bytes) -> None:
    verdict = ask(W, W.root_list() + RevocationEvidence(ocsps=(data,)))
    assert verdict.indication is Indication.INDETERMINATE


@fuzzed
@given(damaged(LIST))
def test_a_damaged_list_beside_a_good_one_does_no_harm(data: bytes) -> None:
    verdict = ask(W, W.root_list() + RevocationEvidence(crls=(GOOD_LIST, data)))
    assert verdict.passed or verdict.sub_indication == "REVOKED_NO_POE"  # where the damage left the revocation whole


@fuzzed
@given(damaged(TOKEN))
def test_a_damaged_time_stamp_never_proves_another_time(data: bytes) -> None:
    lists = RevocationEvidence(crls=(GOOD_LIST,))
    anchors = (Anchor(W.ca.certificate),)
    judge = TrustService(lambda _: anchors, RevocationSource(bundle=lists), PathPolicy(extended_usage=TIME_STAMPING))
    try:
        stamp = read_token(data)
    except TrustError:
        return
    verdict = verify(stamp, MESSAGE, judge, at=T)
    if verdict.indication is Indication.PASSED:  # damage outside what is signed, e.g. in a certificate not needed
        assert (stamp.time, stamp.imprint) == (T, read_token(TOKEN).imprint)


@fuzzed
@given(damaged(der(W.person.certificate)))
def test_a_damaged_certificate_is_never_believed(data: bytes) -> None:
    try:
        certificate = certificate_of(data)
    except ValueError:
        return
    assert not ask(W, certificate=certificate).passed


@fuzzed
@given(damaged(der(W.ca.certificate)))
def test_a_damaged_authority_beside_the_good_one_does_no_harm(data: bytes) -> None:
    try:
        certificate = certificate_of(data)
    except ValueError:
        return
    assert ask(W, chain=(certificate, W.ca.certificate)).passed
    assert ask(W, chain=(certificate,)).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


@pytest.mark.parametrize("later", [HOUR, 30 * DAY, 3000 * DAY])
def test_time_alone_never_turns_a_revocation_into_a_pass(later: object) -> None:
    evidence = W.crls(T, REVOKED)
    assert not ask(W, evidence, at=T + later).passed  # type: ignore[operator]


async def _waits_for_something() -> datetime:
    await _Never()
    return datetime.now(UTC)


class _Never:
    def __await__(self):  # type: ignore[no-untyped-def]
        yield "the network"


async def _ready() -> int:
    return 7


def test_library_code_that_would_wait_is_stopped() -> None:
    # with nothing to fetch it never waits; if a release began to, it must not reach the network unseen
    with pytest.raises(RuntimeError, match="outside"):
        run(_waits_for_something())
    assert run(_ready()) == 7
