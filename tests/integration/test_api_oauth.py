"""Access tokens beside keys: a real issuer, real requests; what opens, and every way in which one does not."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.http import Http, HttpOptions
from connectors.oauth import ClientCredentials
from connectors.oauth import Tokens as Credentials
from gateway import checkup
from gateway.api_settings import OAuthConfig
from gateway.oauth.issuer import issuer_keys
from schemas.api import Scope
from tests.apis import Client, a_key, code, serving
from tests.builders import OTHER_MAILBOX, OTHER_TERYT, TERYT, a_signed_document
from tests.gateways import GATEWAY_TOML, Gateway, write_config
from tests.issuers import AUDIENCE, EC_KEY, PUBLIC, Issuer, a_key_named, an_issuer, code_of
from tests.waiting import PATIENCE_S, wait_until

STRANGER = a_key_named("k1")  # another key under the name of the issuer's


DEEP = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 9000).decode() + ".b.c"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer(PUBLIC, EC_KEY) as made:
        yield made


def settings_of(issuer: Issuer, **changes: Any) -> OAuthConfig:
    whole = {"issuer": issuer.base, "audience": AUDIENCE, "jwks": f"{issuer.base}/jwks"}
    return OAuthConfig.model_validate(whole | changes)


@pytest.fixture
def client(gateway: Gateway, issuer: Issuer) -> Iterator[Client]:
    """Whose `key` is to be a token."""
    with serving(gateway, oauth=settings_of(issuer)) as base, requests.Session() as session:
        yield Client(base, issuer.token(), session)


def shown(client: Client, token: str) -> tuple[int, str]:
    answer = Client(client.base, token, client.session).get("/cases")
    return (200, "") if answer.status_code == 200 else code(answer)


# ---- what opens ----


def test_a_program_gets_a_token_for_its_credentials_and_reads_its_gminas_cases(
    gateway: Gateway, issuer: Issuer, client: Client
):
    """The whole way, with the client that our own connectors use."""
    submission = gateway.receive(a_signed_document("letter"))
    gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()
    secret = ClientCredentials(token_url=f"{issuer.base}/token", client_id="ezd", client_secret="hasło")
    client.key = Credentials(Http(HttpOptions()), secret.token_url, secret.form).current()

    (page,) = client.pages()

    assert [item["id"] for item in page["items"]] == [str(submission.id)]
    assert client.acknowledge(str(submission.id), "OR.7").status_code == 200


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "k1"), ("PS256", "k1"), ("ES256", "e1")])
def test_every_algorithm_on_the_list_opens(client: Client, issuer: Issuer, algorithm: str, kid: str):
    key = next(key for key in issuer.keys if key.kid == kid)
    assert shown(client, issuer.token(algorithm, key)) == (200, "")


def test_keys_of_ours_still_open(gateway: Gateway, client: Client):
    assert shown(client, a_key(gateway)) == (200, "")
    assert shown(client, "brama_nothing") == (401, "api.key_invalid")


def test_one_fetch_of_the_keys_serves_many_requests(client: Client, issuer: Issuer):
    for _ in range(5):
        assert shown(client, issuer.token()) == (200, "")
    assert issuer.fetches == 1


def test_where_the_audience_is_a_list_ours_must_be_in_it(client: Client, issuer: Issuer):
    assert shown(client, issuer.token(aud=["inny", AUDIENCE])) == (200, "")
    assert shown(client, issuer.token(aud=["inny", "brama2"])) == (401, "api.token_audience")


def test_a_clock_that_differs_a_little_does_no_harm(client: Client, issuer: Issuer):
    now = int(time.time())
    assert shown(client, issuer.token(exp=now - 10)) == (200, "")
    assert shown(client, issuer.token(nbf=now + 10)) == (200, "")
    assert shown(client, issuer.token(exp=now - 60)) == (401, "api.token_expired")
    assert shown(client, issuer.token(nbf=now + 90)) == (401, "api.token_not_yet")


# ---- what does not ----


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"algorithm": "none"}, "api.token_algorithm"),
        ({"algorithm": "HS256"}, "api.token_algorithm"),  # keyed with the public key, which everybody has
        ({"key": STRANGER}, "api.token_signature"),
        ({"header": {"kid": "e1"}}, "api.token_malformed"),  # an RSA signature under the name of an EC key
        ({"header": {"kid": "nieznany"}}, "api.token_key_unknown"),
        ({"header": {"kid": None}}, "api.token_key_unknown"),  # the issuer has several: which one is not guessed
        ({"header": {"typ": "logout+jwt"}}, "api.token_malformed"),
        ({"header": {"crit": ["nowość"], "nowość": 1}}, "api.token_malformed"),
        ({"iss": "https://inny.example"}, "api.token_issuer"),
        ({"iss": None}, "api.token_issuer"),
        ({"aud": "inny"}, "api.token_audience"),
        ({"aud": None}, "api.token_audience"),
        ({"exp": 1}, "api.token_expired"),
        ({"exp": None}, "api.token_malformed"),  # a token for ever
        ({"exp": float("nan")}, "api.token_malformed"),
        ({"exp": "9999999999"}, "api.token_malformed"),
        ({"iat": 9999999999}, "api.token_not_yet"),
    ],
    ids=lambda value: json.dumps(value, default=lambda _: "key") if isinstance(value, dict) else value,
)
def test_one_thing_wrong_is_refused_with_its_code(client: Client, issuer: Issuer, wrong: dict[str, Any], code: str):
    assert shown(client, issuer.token(**wrong)) == (401, code)


@pytest.mark.parametrize("text", ["ala", "a.b.c", "..", "óó.b.c", DEEP, "A" * 20_000, "e30.e30.e30"])
def test_what_is_no_token_is_refused(client: Client, text: str):
    assert shown(client, text) in {(401, "api.token_malformed"), (401, "api.token_algorithm")}


def test_a_payload_that_was_changed_is_refused(client: Client, issuer: Issuer):
    head, _, signature = issuer.token().split(".")
    _, other, _ = issuer.token(brama_tenants=[OTHER_TERYT]).split(".")
    assert shown(client, f"{head}.{other}.{signature}") == (401, "api.token_signature")


def test_refusals_carry_the_challenge_of_rfc_6750(client: Client, issuer: Issuer):
    nothing = requests.get(f"{client.base}/api/v1/cases", timeout=PATIENCE_S)
    assert nothing.headers["WWW-Authenticate"] == 'Bearer realm="brama"'
    wrong = Client(client.base, issuer.token(exp=1)).get("/cases")
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    little = Client(client.base, issuer.token(scope="brama:submit")).get("/cases")
    assert code(little) == (403, "api.scope_missing")
    assert little.headers["WWW-Authenticate"].endswith('error_description="The key or token has not the scope '
                                                       'brama:read.", scope="brama:read"')  # fmt: skip
    assert 'error="insufficient_scope"' in little.headers["WWW-Authenticate"]


def test_guessing_is_slowed_down_even_for_right_tokens(client: Client, issuer: Issuer):
    def stopped() -> bool:  # a guess more is allowed every two seconds: a slow machine may need more than twenty
        shown(client, issuer.token(key=STRANGER))
        return shown(client, issuer.token()) == (429, "api.too_many")

    wait_until(stopped)


def test_without_an_issuer_no_token_opens_anything(gateway: Gateway, issuer: Issuer):
    with serving(gateway) as base:
        assert code(Client(base, issuer.token()).get("/cases")) == (401, "api.key_invalid")


# ---- gminas ----


def test_what_is_another_gminas_looks_like_what_never_was(gateway: Gateway, client: Client, issuer: Issuer):
    theirs = gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()
    owner = Client(client.base, issuer.token(brama_tenants=[OTHER_TERYT]), client.session)
    assert owner.get(f"/cases/{theirs.id}").status_code == 200
    assert code(client.get(f"/cases/{theirs.id}")) == (404, "api.not_found")
    assert code(client.get("/cases", params={"tenant": OTHER_TERYT})) == (404, "api.not_found")
    assert code(client.get("/cases", headers={"Brama-Tenant": OTHER_TERYT})) == (404, "api.not_found")


def test_a_key_does_not_open_another_gmina_by_naming_it(gateway: Gateway, client: Client):
    client.key = a_key(gateway)
    assert client.get("/cases", headers={"Brama-Tenant": TERYT}).status_code == 200
    assert code(client.get("/cases", headers={"Brama-Tenant": OTHER_TERYT})) == (404, "api.not_found")


def test_a_token_for_several_gminas_names_one_with_each_request(gateway: Gateway, client: Client, issuer: Issuer):
    mine = gateway.receive(a_signed_document("letter"))
    theirs = gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()
    client.key = issuer.token(brama_tenants=[TERYT, OTHER_TERYT])

    def listed(**named: Any) -> list[str]:
        return [item["id"] for item in client.get("/cases", **named).json()["items"]]

    assert listed(headers={"Brama-Tenant": OTHER_TERYT}) == [str(theirs.id)]
    assert listed(params={"tenant": TERYT}) == [str(mine.id)]
    assert code(client.get("/cases")) == (400, "api.tenant_needed")
    assert code(client.get(f"/cases/{mine.id}", headers={"Brama-Tenant": OTHER_TERYT})) == (404, "api.not_found")


@pytest.mark.parametrize("tenants", [None, [], ["9999999"], [7], {"a": 1}])
def test_a_token_without_a_gmina_of_ours_opens_nothing(client: Client, issuer: Issuer, tenants: Any):
    assert shown(client, issuer.token(brama_tenants=tenants)) == (403, "api.token_no_tenant")


def test_roles_of_the_issuer_are_mapped_to_gminas_and_rights(gateway: Gateway, issuer: Issuer):
    """As with providers whose claims cannot be chosen: everything from one list of roles, inside another claim."""
    mapped = settings_of(
        issuer,
        scope_claim="realm_access.roles",
        scopes={"read": "sprawy-odczyt"},
        tenant_claim="realm_access.roles",
        tenants={"urzad-krasnopol": [TERYT]},
    )
    with serving(gateway, oauth=mapped) as base:
        token = issuer.token(realm_access={"roles": ["sprawy-odczyt", "urzad-krasnopol", TERYT]})
        client = Client(base, token)
        assert client.get("/cases").status_code == 200
        assert code(client.submit(b"<a/>")) == (403, "api.scope_missing")  # a right without a name cannot be had
        assert code(client.get("/cases", headers={"Brama-Tenant": OTHER_TERYT})) == (404, "api.not_found")


def test_an_issuer_that_is_down_from_the_start_is_503_and_heals(gateway: Gateway, issuer: Issuer):
    issuer.down = True
    with serving(gateway, oauth=settings_of(issuer, refetch_s=1)) as base:
        client = Client(base, issuer.token())
        answer = client.get("/cases")
        assert code(answer) == (503, "api.issuer_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        issuer.down = False
        time.sleep(1.05)
        assert client.get("/cases").status_code == 200


def test_an_issuer_that_answers_with_rubbish_is_unavailable(gateway: Gateway, issuer: Issuer):
    for rubbish in (b"<html/>", b'{"keys": 5}', b'{"keys": []}', b'{"keys":' + b"[" * 100_000, b" " * 300_000):
        issuer.published = rubbish
        with serving(gateway, oauth=settings_of(issuer)) as base:
            assert code(Client(base, issuer.token()).get("/cases")) == (503, "api.issuer_unavailable")


def found(folder: Path, oauth: str, *, live: bool = False) -> list[tuple[str, str]]:
    text = f'\n[api]\nenabled = true\n[api.oauth]\nissuer = "https://idp.example"\naudience = "brama"\n{oauth}\n'
    write_config(folder, gateway=GATEWAY_TOML + text)
    return [(p.where, p.code) for p in checkup.check(folder, live=live).problems if p.where.startswith("api.oauth")]


def test_check_reads_keys_in_a_file_and_knows_the_gminas(tmp_path: Path):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [PUBLIC.jwk]}), "utf-8")
    assert found(tmp_path, 'jwks = "jwks.json"') == []
    assert found(tmp_path, 'jwks = "brak.json"') == [("api.oauth.jwks", "checkup.issuer_keys")]
    strange = found(tmp_path, 'jwks = "jwks.json"\n[api.oauth.tenants]\nezd = ["9999999"]')
    assert strange == [("api.oauth.tenants.ezd", "api.tenant_unknown")]


def test_check_asks_the_issuer_only_when_live(tmp_path: Path, issuer: Issuer):
    address = f'jwks = "{issuer.base}/jwks"'
    assert found(tmp_path, address) == []
    assert issuer.fetches == 0
    assert found(tmp_path, address, live=True) == []
    issuer.down = True
    assert found(tmp_path, address, live=True) == [("api.oauth.jwks", "checkup.issuer_keys")]


def test_keys_in_a_file_open_too_and_a_new_file_is_noticed(issuer: Issuer, tmp_path: Path):
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [PUBLIC.jwk]}), "utf-8")
    keys = issuer_keys(settings_of(issuer, jwks="jwks.json", refetch_s=1), tmp_path)
    assert code_of(keys, "k1") is None
    file.write_text(json.dumps({"keys": [EC_KEY.jwk]}), "utf-8")
    time.sleep(1.05)
    assert code_of(keys, "e1") is None


def test_the_document_says_where_tokens_come_from(gateway: Gateway, issuer: Issuer):
    with serving(gateway, oauth=settings_of(issuer, token_url=f"{issuer.base}/token")) as base:
        said = requests.get(f"{base}/api/v1/openapi.json", timeout=PATIENCE_S).json()
    scheme = said["components"]["securitySchemes"]["token"]
    assert scheme["flows"]["clientCredentials"]["tokenUrl"] == f"{issuer.base}/token"
    assert set(scheme["flows"]["clientCredentials"]["scopes"]) == {f"brama:{scope}" for scope in Scope}
    listing = said["paths"]["/cases"]["get"]
    assert listing["security"] == [{"key": []}, {"token": ["brama:read"]}]
    assert "Brama-Tenant" in [parameter["name"] for parameter in listing["parameters"]]


def test_without_the_tokens_address_the_document_says_bearer(gateway: Gateway, issuer: Issuer, client: Client):
    said = requests.get(f"{client.base}/api/v1/openapi.json", timeout=PATIENCE_S).json()
    assert said["components"]["securitySchemes"]["token"]["bearerFormat"] == "JWT"
