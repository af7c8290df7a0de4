"""What access tokens rest on, without a server: the issuer's keys over time, claims, settings that are not taken."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.api_settings import OAuthConfig
from gateway.oauth.issuer import IssuerKeys, keys_of
from gateway.oauth.rights import client_of, values_of
from tests.issuers import EC_KEY, PUBLIC, SigningKey, code_of
from tests.waiting import PATIENCE_S


def test_claims_are_read_by_their_whole_name_first():
    claims = {"https://x.pl/gminy": ["1"], "a": {"b": "2 3"}, "a.b": "4"}
    assert values_of(claims, "https://x.pl/gminy") == {"1"}
    assert values_of(claims, "a.b") == {"4"}
    assert values_of({"a": {"b": "2 3"}}, "a.b") == {"2", "3"}
    assert values_of({"a": 5}, "a.b") == frozenset()


def test_a_person_behind_a_token_is_not_named():
    assert client_of({"azp": "portal\n", "sub": "jan"}) == "portal?"
    assert "jan" not in client_of({"sub": "jan"})


# ---- the issuer's keys ----


@dataclass
class Hands:
    """A clock and a set of keys to be turned by hand."""

    keys: list[SigningKey] = field(default_factory=lambda: [PUBLIC])
    now: float = 0.0
    fetches: int = 0
    down: bool = False

    def read(self) -> bytes:
        self.fetches += 1
        if self.down:
            raise ConnectionError
        return json.dumps({"keys": [key.jwk for key in self.keys]}).encode()

    def issuer(self) -> IssuerKeys:
        settings = OAuthConfig(issuer="i", audience="a", jwks="file", refresh_s=3600, refetch_s=30, stale_s=7200)
        return IssuerKeys(settings, self.read, lambda: self.now)


def test_a_new_key_is_fetched_when_first_named_but_no_sooner_than_allowed():
    hands = Hands()
    keys = hands.issuer()
    assert code_of(keys, "k1") is None
    hands.keys.append(EC_KEY)
    assert code_of(keys, "e1") == "api.token_key_unknown"  # fetched a moment ago
    hands.now = 31
    assert code_of(keys, "e1") is None
    for guess in range(1000):  # a storm of made-up names costs the issuer nothing
        assert code_of(keys, f"zmyślony-{guess}") == "api.token_key_unknown"
    assert hands.fetches == 2


def test_a_key_that_the_issuer_took_back_stops_opening_with_the_next_refresh():
    hands = Hands([PUBLIC, EC_KEY])
    keys = hands.issuer()
    assert code_of(keys, "e1") is None
    hands.keys.remove(EC_KEY)
    hands.now = 3601
    assert code_of(keys, "e1") == "api.token_key_unknown"


def test_while_the_issuer_is_away_known_keys_hold_for_a_while_and_unknown_ones_cannot_be_told():
    hands = Hands()
    keys = hands.issuer()
    assert code_of(keys, "k1") is None
    hands.down, hands.now = True, 3601
    assert code_of(keys, "k1") is None
    assert code_of(keys, "e1") == "api.issuer_unavailable"
    hands.now = 3600 + 7200 + 1
    assert code_of(keys, "k1") == "api.issuer_unavailable"
    hands.down, hands.now = False, hands.now + 31
    assert code_of(keys, "k1") is None


def test_whoever_shows_a_known_key_does_not_wait_for_a_slow_fetch():
    hands = Hands()
    held, going = threading.Event(), threading.Event()

    def read() -> bytes:
        if hands.fetches:
            going.set()
            held.wait(PATIENCE_S)
        return hands.read()

    keys = IssuerKeys(OAuthConfig(issuer="i", audience="a", jwks="file"), read, lambda: hands.now)
    keys.find("k1")
    hands.now = 4000
    slow = threading.Thread(target=keys.find, args=("k1",))
    slow.start()
    assert going.wait(PATIENCE_S)
    assert keys.find("k1").kid == "k1"
    held.set()
    slow.join(PATIENCE_S)
    assert hands.fetches == 2


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"kty": "oct", "k": "c2VrcmV0"}, {"d": "AQAB"}, {"n": "!"}, {"kty": 5}],
    ids=str,
)
def test_keys_that_must_not_verify_are_passed_over(change: dict[str, Any]):
    raw = json.dumps({"keys": [PUBLIC.jwk | change, EC_KEY.jwk]}).encode()
    assert [key.kid for key in keys_of(raw)] == ["e1"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": 5}', b'{"keys": [5]}', b"<html/>"])
def test_what_is_no_key_set_is_not_taken(raw: bytes):
    with pytest.raises(ValueError, match=r"key|Expecting"):
        keys_of(raw)


# ---- settings, check, description ----


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience": ""},
        {"jwks": ""},
        {"jwks": "http://idp.example.pl/certs"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"leeway_s": 86400},
        {"scopes": {"read": 'a "b"'}},
        {"tenants": {"a": ["12"]}},
    ],
    ids=str,
)
def test_settings_that_would_open_too_much_are_not_taken(wrong: dict[str, Any]):
    whole = {"issuer": "https://idp.example.pl", "audience": "brama", "jwks": "https://idp.example.pl/certs"}
    assert OAuthConfig.model_validate(whole).enabled
    with pytest.raises(ValueError, match="validation error"):
        OAuthConfig.model_validate(whole | wrong)
