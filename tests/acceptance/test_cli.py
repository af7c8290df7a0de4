"""The command line as a clerk or a script meets it: the real program, its output and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import a_signed_document
from tests.gateways import GATEWAY_TOML
from tests.program import NO, UNREACHABLE, USAGE, written


def test_the_installed_program_keeps_its_exit_codes_and_shows_no_traceback(tmp_path):
    wrong = written(tmp_path / "x.xml", b"nie xml")
    for arguments, code in (
        (["verify", wrong, "--json"], NO),
        (["check", "--config", tmp_path], USAGE),
        (["x"], USAGE),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments)], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "--json" not in arguments or json.loads(done.stdout)["indication"] == "TOTAL-FAILED"


def test_help_and_version_need_nothing_and_every_command_has_a_help_text(brama):
    listed = brama("--help")
    for command in ("demo", "serve", "work", "check", "verify", "validate", "map", "receipt", "submissions",
                    "deliveries", "replay", "connector"):  # fmt: skip
        assert f"  {command} " in listed
        assert "--help" in brama(command, "--help")
    assert brama("--version").startswith("brama ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["verify"],
        ["verify", "no-such-file.xml"],
        ["verify", __file__, "--at", "wczoraj"],
        ["verify", __file__, "--detached", "bez-pliku"],
        ["work", "--config", "no-such-folder"],
        ["submissions", "list"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(brama, arguments):
    assert brama(*arguments, expect=USAGE)


def test_check_is_green_for_a_good_folder_and_names_every_problem_of_a_bad_one(brama, folder):
    assert brama.json("check", "--config", folder)["ok"] is True
    assert brama.json("check", "--config", folder, "--live")["ok"] is True

    (folder / "tenants" / "2009032.toml").write_text(
        'teryt = "2009032"\nname = "X"\nmailboxes = ["/x/y"]\n[connector.a]\nkind = "foldr"\n'
        '[[route]]\nform = "2001/01/01/1"\nconnector = "a"\nrecord = "nie-ma"\n', "utf-8",
    )  # fmt: skip
    problems = {problem["code"] for problem in brama.json("check", "--config", folder, expect=USAGE)["problems"]}
    assert {"connector.unknown", "checkup.form_unknown"} <= problems
    (folder / "gateway.toml").write_text("[htpp]\n", "utf-8")
    assert "http" in brama("check", "--config", folder, expect=USAGE)


def test_check_refuses_trial_settings_in_production(brama, folder, monkeypatch):
    (folder / "gateway.toml").write_text(GATEWAY_TOML.replace('"test"', '"production"', 1), "utf-8")

    monkeypatch.setenv("BRAMA_CRASH_AT", "after_keep")

    codes = {problem["code"] for problem in brama.json("check", "--config", folder, expect=USAGE)["problems"]}

    assert {"checkup.embedded_in_production", "checkup.crashpoint_in_production"} <= codes


def test_check_misses_a_seal_and_a_route(brama, folder):
    (folder / "gateway.toml").write_text('trust = "pki/trust.toml"\n', "utf-8")
    (folder / "tenants" / "2009032.toml").write_text('teryt = "2009032"\nname = "X"\nmailboxes = ["/x/y"]\n', "utf-8")

    codes = {problem["code"] for problem in brama.json("check", "--config", folder, expect=USAGE)["problems"]}

    assert {"checkup.no_seal", "checkup.no_route"} <= codes


def test_a_database_that_is_away_is_exit_code_3(brama, folder):
    (folder / "address").write_text("postgresql://127.0.0.1:1/brama", "utf-8")

    assert brama.json("submissions", "list", "--config", folder, expect=UNREACHABLE)["error"]["code"].startswith(
        "store."
    )


def test_work_until_quiet_does_what_is_due_and_ends(brama, folder, gateway):
    submission = gateway.receive(a_signed_document())

    brama("work", "--config", folder, "--until-quiet")

    assert gateway.states(submission) == ["delivered"]


def test_connectors_are_listed_with_their_options(brama):
    described = {item["name"]: item for item in brama.json("connector", "list")}

    assert {"folder", "rehearsal", "soap", "sql"} <= set(described)
    assert "root" in described["folder"]["options"]["properties"]


def test_a_connector_package_is_written_and_a_bad_name_refused(brama, tmp_path):
    assert brama.json("connector", "new", "moje", "--into", tmp_path)["files"]
    refusal = brama.json("connector", "new", "folder", "--into", tmp_path, expect=USAGE)
    assert refusal["error"]["code"] == "connector.name_taken"


def test_trusted_lists_are_none_until_one_is_imported_and_an_unsigned_one_is_refused(brama, folder, tmp_path):
    listed = written(tmp_path / "tsl.xml", b"<TrustServiceStatusList/>")

    assert brama.json("trust", "list", "--config", folder) == []
    assert "Nie zaimportowano" in brama("trust", "list", "--config", folder)
    refusal = brama.json("trust", "import", listed, "--config", folder, expect=USAGE)
    assert refusal["error"]["code"] == "trust.no_signers"


def test_migrate_brings_the_schema_and_api_keys_are_made_listed_and_revoked(brama, folder):
    assert brama.json("migrate", "--config", folder) == {"migrated": True}
    made = brama.json("api-key", "new", "--config", folder, "--tenant", "2009032", "--label", "EZD")
    (listed,) = brama.json("api-key", "list", "--config", folder)

    assert listed["id"] == made["id"]
    assert made["secret"] not in json.dumps(listed)
    brama("api-key", "revoke", listed["id"], "--config", folder)
