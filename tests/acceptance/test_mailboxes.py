"""`brama mailboxes list`: an operator is told which polled box stands still, and why."""

from __future__ import annotations

from pathlib import Path

from gateway.store import polls
from gateway.store.database import Store
from tests.builders import MAILBOX, SECOND_MAILBOX, TERYT
from tests.gateways import GATEWAY_TOML, write_config
from tests.program import NO, Program


def configured(folder: Path, database_url: str) -> Path:
    """Two mailboxes are polled."""
    write_config(folder, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}')
    tenant = folder / "tenants" / f"{TERYT}.toml"
    tenant.write_text(f'pull = ["{MAILBOX}", "{SECOND_MAILBOX}"]\n' + tenant.read_text("utf-8"), "utf-8")
    return folder


def note(store: Store, mailbox: str, trouble: tuple[str, str] | None = None) -> None:
    with store.begin() as transaction:
        if trouble:
            polls.went_wrong(transaction, mailbox, *trouble)
        else:
            polls.went_well(transaction, mailbox, took=True)


def test_an_operator_is_told_which_box_stands_still(database: Store, database_url: str, tmp_path, brama: Program):
    folder = configured(tmp_path, database_url)
    note(database, MAILBOX)
    listed = brama.json("mailboxes", "list", "--config", folder, expect=NO)
    assert [(one["mailbox"], one["state"], one["code"]) for one in listed] == [
        (MAILBOX, "fine", None),
        (SECOND_MAILBOX, "never", "mailbox.never"),
    ]
    note(database, SECOND_MAILBOX, ("service.refused", "-17 Brak uprawnień"))
    said = " ".join(brama("mailboxes", "list", "--config", folder, expect=NO).split())
    assert "service.refused" in said
    assert "-17 Brak uprawnień" in said
    note(database, SECOND_MAILBOX)
    listed = brama.json("mailboxes", "list", "--config", folder)
    assert {one["state"] for one in listed} == {"fine"}
    assert all(one["taken_at"] for one in listed)


def test_where_nothing_is_polled_nothing_stands_still(database_url: str, tmp_path, brama: Program):
    write_config(tmp_path, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}')
    assert brama.json("mailboxes", "list", "--config", tmp_path) == []
