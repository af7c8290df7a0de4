"""Keys: shown once, stored as digests, refused alike whatever is wrong with them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text

from gateway.cli.api_keys import api_key
from gateway.cli.output import run_safely
from gateway.operations import api_keys
from schemas.api import Scope
from schemas.errors import ApiRefused, OperationRefused
from tests.apis import a_key, secret_of
from tests.builders import TERYT
from tests.gateways import GATEWAY_TOML, Gateway, write_config


def refusal(gateway: Gateway, key: str) -> str:
    with pytest.raises(ApiRefused) as refused:
        api_keys.authenticate(gateway.tools.store, key)
    return refused.value.code


def test_a_key_opens_its_own_gmina_with_its_scopes(gateway: Gateway):
    caller = api_keys.authenticate(gateway.tools.store, a_key(gateway, scopes=(Scope.READ,)))
    assert (caller.tenant, caller.label, caller.scopes) == (TERYT, "próba", {Scope.READ})


def test_the_database_holds_no_key(gateway: Gateway):
    key = a_key(gateway)
    secret = secret_of(key)
    with gateway.tools.store.begin() as transaction:
        rows = str(transaction.execute(text("SELECT k::text FROM api_key k")).scalars().all())
    assert key.split("_")[1] in rows
    assert secret not in rows
    assert key not in repr(api_keys.NewKey(api_keys.keys(gateway.tools.store)[0], key))


def test_expired_revoked_unknown_and_wrong_keys_are_refused_alike(gateway: Gateway):
    store = gateway.tools.store
    good = a_key(gateway)
    expired = a_key(gateway, expires_after=timedelta(seconds=-1))
    revoked = a_key(gateway)
    api_keys.revoke_key(store, revoked.split("_")[1], actor="anna")
    _, key_id, secret = good.split("_", 2)
    for wrong in (expired, revoked, f"brama_{'0' * 16}_{secret}", f"brama_{key_id}_{'A' * 43}", secret, ""):
        assert refusal(gateway, wrong) == "api.key_invalid"
    assert api_keys.authenticate(store, good)


def test_a_key_not_yet_expired_is_valid(gateway: Gateway):
    key = a_key(gateway, expires_after=timedelta(days=1))
    assert api_keys.authenticate(gateway.tools.store, key)


def test_the_last_use_is_known(gateway: Gateway):
    key = a_key(gateway)
    assert api_keys.keys(gateway.tools.store)[0].last_used_at is None
    api_keys.authenticate(gateway.tools.store, key)
    first = api_keys.keys(gateway.tools.store)[0].last_used_at
    api_keys.authenticate(gateway.tools.store, key)
    assert first is not None
    assert api_keys.keys(gateway.tools.store)[0].last_used_at == first  # not written with every request


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tenant": "9999999"}, "api.tenant_unknown"),
        ({"scopes": ()}, "api.no_scope"),
        ({"actor": " "}, "operation.actor_and_reason"),
        ({"label": ""}, "operation.actor_and_reason"),
    ],
)
def test_a_key_for_nothing_is_not_made(gateway: Gateway, changes: dict[str, Any], code: str):
    with pytest.raises(OperationRefused) as refused:
        a_key(gateway, **changes)
    assert refused.value.code == code
    assert api_keys.keys(gateway.tools.store) == []


def test_revoking_twice_keeps_the_first_time_and_an_unknown_key_is_said(gateway: Gateway):
    store = gateway.tools.store
    key_id = a_key(gateway).split("_")[1]
    first = api_keys.revoke_key(store, key_id, actor="anna")
    assert api_keys.revoke_key(store, key_id, actor="jan") == first
    with pytest.raises(OperationRefused):
        api_keys.revoke_key(store, "nothing", actor="anna")


def test_the_command_line_makes_lists_and_revokes(database_url: str, tmp_path: Path, capsys):
    write_config(tmp_path, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}')
    app = typer.Typer()
    app.add_typer(api_key, name="api-key")

    def run(*arguments: str) -> Any:
        code = run_safely(app, ["api-key", *arguments, "--config", str(tmp_path), "--json"])
        return code, json.loads(capsys.readouterr().out)

    code, made = run("new", "--tenant", TERYT, "--label", "EZD", "--scope", "read", "--days", "30")
    assert (code, made["scopes"], made["served"]) == (0, ["read"], False)
    assert made["secret"].startswith(f"brama_{made['id']}_")
    code, listed = run("list")
    assert [(key["id"], key["revoked_at"]) for key in listed] == [(made["id"], None)]
    assert "secret" not in listed[0]
    code, revoked = run("revoke", made["id"], "--actor", "anna")
    assert (code, revoked["revoked_at"] is None) == (0, False)
    assert run("new", "--tenant", "9999999", "--label", "EZD")[0] == 1
