"""What the fetching client never does: leave the list, wait for ever, read without end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.simulate.responders import Responders
from gateway.trust.fetch import FetchClient, FetchPolicy
from schemas.errors import TrustError
from schemas.texts import all_texts
from tests.trust_pki import world


@pytest.fixture
def web() -> Iterator[Responders]:
    with Responders() as running:
        yield running


def refused(client: FetchClient, url: str) -> str:
    with pytest.raises(TrustError) as error:
        client.get(url)
    assert error.value.code in all_texts()
    return error.value.code


def test_a_host_outside_the_list_is_never_contacted(web: Responders) -> None:
    client = FetchClient(FetchPolicy.of(["crl.example.pl"]))
    assert refused(client, web.serve("/x.crl", b"data")) == "trust.fetch_not_allowed"
    assert web.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ldap://{host}/cn=crl",
        "ftp://{host}/x.crl",
        "http://someone@{host}/x.crl",
        "http://{host}:80/x.crl",
        "http://{host}.example.pl/x.crl",
        "http://{host}/x.crl\r\nHost: other",
        "//{host}/x.crl",
        "http://[::1/x.crl",
        "",
    ],
)
def test_other_schemes_and_disguises_are_refused(web: Responders, url: str) -> None:
    client = FetchClient(FetchPolicy.of([web.host]))
    assert refused(client, url.replace("{host}", web.host)) == "trust.fetch_not_allowed"
    assert web.asked == []


def test_a_name_listed_without_port_means_the_usual_port_only(web: Responders) -> None:
    assert refused(FetchClient(FetchPolicy.of(["127.0.0.1"])), web.serve("/x", b"")) == "trust.fetch_not_allowed"
    assert web.asked == []


def test_a_redirect_within_the_list_is_followed(web: Responders) -> None:
    web.serve("/new.crl", b"list")
    client = FetchClient(FetchPolicy.of([web.host]))
    assert client.get(web.serve("/old.crl", b"", redirect="/new.crl")) == b"list"


def test_a_redirect_to_elsewhere_is_not_followed(web: Responders) -> None:
    with Responders() as elsewhere:
        target = elsewhere.serve("/x.crl", b"list")
        client = FetchClient(FetchPolicy.of([web.host]))
        assert refused(client, web.serve("/old.crl", b"", redirect=target)) == "trust.fetch_not_allowed"
        assert refused(client, web.serve("/file", b"", redirect="file:///etc/passwd")) == "trust.fetch_not_allowed"
        assert elsewhere.asked == []


def test_a_redirect_loop_ends(web: Responders) -> None:
    client = FetchClient(FetchPolicy.of([web.host]))
    assert refused(client, web.serve("/loop", b"", redirect="/loop")) == "trust.fetch_redirects"
    assert len(web.asked) == 4


def test_a_question_is_not_redirected(web: Responders) -> None:
    web.serve("/new", b"answer")
    client = FetchClient(FetchPolicy.of([web.host]))
    with pytest.raises(TrustError, match="fetch_status"):
        client.post(web.serve("/ocsp", b"", redirect="/new"), b"question", "application/ocsp-request")


def test_a_huge_answer_is_cut_off(web: Responders) -> None:
    client = FetchClient(FetchPolicy(frozenset({web.host}), max_bytes=100_000))
    assert refused(client, web.serve("/huge.crl", b"x" * 100_001)) == "trust.fetch_too_large"
    assert client.get(web.serve("/large.crl", b"x" * 100_000)) == b"x" * 100_000


def test_a_slow_answer_is_given_up(web: Responders) -> None:
    client = FetchClient(FetchPolicy(frozenset({web.host}), timeout_s=0.2))
    assert refused(client, web.serve("/slow.crl", b"x", delay_s=5)) == "trust.fetch_too_slow"


def test_an_answer_that_drips_is_given_up_though_every_byte_is_in_time(web: Responders) -> None:
    client = FetchClient(FetchPolicy(frozenset({web.host}), timeout_s=0.3))
    assert refused(client, web.serve("/drip.crl", b"x" * 100, drip_s=0.05)) == "trust.fetch_too_slow"


def test_a_body_shorter_than_declared_is_no_answer(web: Responders) -> None:
    client = FetchClient(FetchPolicy(frozenset({web.host}), timeout_s=0.5))
    assert refused(client, web.serve("/short.crl", b"x" * 10, declared_length=20)) in {
        "trust.fetch_failed",
        "trust.fetch_too_slow",
    }


def test_an_unreachable_host_is_a_failure_with_its_name_only() -> None:
    with Responders() as gone:
        url, host = gone.url("/ocsp/secret?token=1"), gone.host
    with pytest.raises(TrustError) as error:
        FetchClient(FetchPolicy.of([host])).get(url)
    assert error.value.code == "trust.fetch_failed"
    assert "secret" not in str(error.value)


def test_a_proxy_is_asked_instead_of_the_host(web: Responders) -> None:
    web.serve("http://crl.example.pl/x.crl", b"through the proxy")
    client = FetchClient(FetchPolicy(frozenset({"crl.example.pl"}), proxy=f"http://{web.host}"))
    assert client.get("http://crl.example.pl/x.crl") == b"through the proxy"


def test_proxies_of_the_environment_are_ignored(web: Responders, tmp_path: Path) -> None:
    previous = os.environ.get("http_proxy")
    os.environ["http_proxy"] = "http://127.0.0.1:9"
    try:
        assert FetchClient(FetchPolicy.of([web.host])).get(web.serve("/x", b"direct")) == b"direct"
    finally:
        os.environ.pop("http_proxy") if previous is None else os.environ.update(http_proxy=previous)


def test_an_address_with_tls_that_nobody_vouches_for_is_refused() -> None:
    with Responders(tls=world().person) as web:
        web.serve("/x.crl", b"list")
        client = FetchClient(FetchPolicy(frozenset({web.host}), timeout_s=30.0))
        assert refused(client, f"https://{web.host}/x.crl") == "trust.fetch_failed"
        assert web.asked == []
