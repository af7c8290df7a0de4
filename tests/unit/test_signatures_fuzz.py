"""Whatever happens to a signed document on its way: no crash, no hang, and never "intact" for other content."""

from __future__ import annotations

import functools
import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.receipt import check_receipt
from gateway.signatures import verify
from gateway.simulate import citizens, pki
from schemas.verification import Indication, Signer
from tests.mutations import mutate
from tests.signing import honest_s, trust

EXAMPLES = int(os.environ.get("BRAMA_FUZZ_EXAMPLES", "400"))
PERSON = citizens.person(6)
LETTER = '<?xml version="1.0"?>\n<?p i?><a xmlns="urn:a" xml:lang="pl"><t Id="t">Zażółć</t><!-- c -->\n</a>\n'.encode()

fuzz = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@functools.cache
def signed() -> tuple[bytes, ...]:
    own = pki.shared()
    once = citizens.sign_trusted_profile(LETTER, PERSON, own)
    return (
        once,
        citizens.sign_trusted_profile(LETTER, PERSON, own, "EPSignature"),
        citizens.sign_qualified(LETTER, PERSON, own),
        citizens.sign_qualified(once, PERSON, own),
    )


def holds(original: bytes, changed: bytes) -> None:
    """If the changed document passes, it says what the original said, and the same people signed it."""
    started = time.thread_time()
    result = verify(changed, trust())
    assert time.thread_time() - started < 20_000 * honest_s()
    if result.indication is Indication.PASSED:
        honest = verify(original, trust())
        assert result.signed_xml == honest.signed_xml
        assert _people(result.signatures) <= _people(honest.signatures)


def _people(verdicts: tuple[object, ...]) -> set[tuple[Signer | None, object]]:
    return {(item.signer, item.signing_time) for item in verdicts}  # type: ignore[attr-defined]


@fuzz
@given(which=st.integers(0, 3), seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=3))
def test_no_change_of_content_passes(which: int, seeds: list[int]) -> None:
    document = signed()[which]
    for seed in seeds:
        document = mutate(document, seed)
    holds(signed()[which], document)


@fuzz
@given(which=st.integers(0, 3), place=st.floats(0, 1), cut=st.integers(0, 40), put=st.binary(max_size=12))
def test_no_splice_of_octets_passes_or_crashes(which: int, place: float, cut: int, put: bytes) -> None:
    document = signed()[which]
    at = int(place * len(document))
    holds(document, document[:at] + put + document[at + cut :])


@fuzz
@given(first=st.floats(0, 1), second=st.floats(0, 1), third=st.floats(0, 1), which=st.integers(0, 3))
def test_no_rearrangement_of_parts_passes(first: float, second: float, third: float, which: int) -> None:
    document = signed()[which]
    a, b, c = sorted(int(at * len(document)) for at in (first, second, third))
    holds(document, document[:a] + document[b:c] + document[a:b] + document[c:])


@settings(fuzz, max_examples=EXAMPLES // 2)
@given(octets=st.binary(max_size=200))
def test_any_octets_are_a_verdict(octets: bytes) -> None:
    assert verify(octets, trust()).indication is Indication.FAILED
    assert check_receipt(octets, octets, trust()).binding == "unresolved"
