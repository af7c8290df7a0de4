"""The command line as a clerk or a script meets it: the real program, its output and its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from connectors.rehearsal import Behaviour
from gateway import operations, receipt
from gateway.cli.commands import app
from gateway.cli.output import run_safely
from gateway.simulate import documents
from gateway.store import tables as t
from schemas.submission import Submission
from tests import reference
from tests.builders import a_signed_document, an_envelope, pki
from tests.gateways import GATEWAY_TOML, Gateway, a_gateway, write_config
from tests.program import FINE, NO, UNREACHABLE, USAGE


@pytest.fixture
def folder(gateway: Gateway, tmp_path: Path) -> Path:
    """A configuration folder like the gateway's own, with the address of its database in it."""
    write_config(tmp_path)
    (tmp_path / "address").write_text(gateway.tools.store.dsn, "utf-8")
    (tmp_path / "gateway.toml").write_text('database_url = "file:address"\n' + GATEWAY_TOML, "utf-8")
    return tmp_path


@pytest.fixture
def refused(gateway: Gateway) -> Submission:
    """A submission whose office said no."""
    gateway.office.behave(Behaviour.REFUSE, times=1)
    submission = gateway.receive(a_signed_document())
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["refused"]
    return submission


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


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


def test_verify_tells_signers_apart_from_strangers_and_tampering(brama, tmp_path, monkeypatch):
    trust = pki().save(tmp_path / "pki")
    good = written(tmp_path / "good.xml", a_signed_document())
    bad = written(tmp_path / "bad.xml", a_signed_document(broken="content"))

    passed = brama.json("verify", good, "--trust", trust)
    assert (passed["indication"], passed["scope"]) == ("TOTAL-PASSED", "full")
    assert passed["signatures"][0]["signer"]["kind"] == "trusted_profile"
    assert brama.json("verify", good, expect=NO)["indication"] == "INDETERMINATE"
    assert brama.json("verify", "--crypto-only", good)["indication"] == "TOTAL-PASSED"
    both = brama.json("verify", "--crypto-only", good, bad, expect=NO)
    assert [one["indication"] for one in both] == ["TOTAL-PASSED", "TOTAL-FAILED"]
    assert "NIEWAŻNY" in brama("verify", bad, expect=NO)
    monkeypatch.setenv("BRAMA_LANG", "en")
    assert "NOT VALID" in brama("verify", bad, expect=NO)


def test_validate_names_code_line_path_and_a_polish_message(brama, tmp_path):
    wrong = written(tmp_path / "dn1.xml", a_signed_document(year=None))

    result = brama.json("validate", wrong, expect=NO)

    assert result["form"]["code"] == "DN-1"
    assert result["valid"] is False
    schema = next(finding for finding in result["findings"] if finding["code"].startswith("schema."))
    assert schema["line"] > 0
    assert schema["path"]
    assert schema["message_pl"]
    assert "NIEPOPRAWNY" in brama("validate", wrong, expect=NO)
    assert brama.json("validate", written(tmp_path / "ok.xml", a_signed_document()))["valid"] is True
    assert brama.json("validate", written(tmp_path / "no.xml", b"nie xml"), expect=NO)["form"] is None


def test_validate_for_a_gmina_follows_its_rules_and_the_day_of_receipt(brama, tmp_path):
    write_config(tmp_path)
    tenants = sorted((tmp_path / "tenants").glob("*.toml"))
    teryt = tenants[0].stem
    with tenants[0].open("a", encoding="utf-8") as file:
        file.write("\n[attachments]\nsize_bytes = 2\n")
    letter = written(tmp_path / "letter.xml", documents.general_letter(files=[documents.File("a.pdf", documents.PDF)]))
    annual = written(tmp_path / "dn1.xml", documents.property_return())

    def codes(*arguments: object, expect: int = FINE) -> list[str]:
        found = brama.json("validate", *arguments, "--config", tmp_path, expect=expect)["findings"]
        return [finding["code"] for finding in found]

    assert codes(letter) == []
    assert codes(letter, "--tenant", teryt, expect=NO) == ["attachment.size"]
    assert codes(annual) == []
    assert codes(annual, "--at", "2026-02-03") == ["check.filed_late"]
    case = brama.json("map", annual, "--tenant", teryt, "--at", "2026-02-03", "--config", tmp_path)
    assert case["authority"]["teryt"] == teryt
    assert [check["code"] for check in case["checks"]] == ["check.filed_late"]
    for wrong in (["--tenant", "0000000"], ["--at", "wczoraj"]):
        for command in ("validate", "map"):
            brama(command, annual, *wrong, "--config", tmp_path, expect=USAGE)
    brama("validate", annual, "--tenant", teryt, expect=USAGE)


def test_map_shows_the_case_or_says_why_there_is_none(brama, tmp_path):
    case = brama.json("map", written(tmp_path / "dn1.xml", a_signed_document()))
    refusal = brama.json("map", written(tmp_path / "x.xml", a_signed_document("unknown")), expect=NO)

    assert (case["schema"], case["kind"]) == ("case/1", "property_return")
    assert refusal["error"]["code"] == "mapping.none"
    assert "kind: property_return" in brama("map", tmp_path / "dn1.xml")


def test_receipts_are_shown_and_bound_to_their_document_only(brama, gateway, tmp_path):
    document = a_signed_document()
    upo = written(tmp_path / "upo.xml", gateway.answer(an_envelope(document)).receipt or b"")
    trust = gateway.tools.config.path(gateway.tools.config.gateway.trust)
    own, other = written(tmp_path / "own.xml", document), written(tmp_path / "other.xml", a_signed_document())

    assert brama.json("receipt", "show", upo)["kind"] == "UPP"
    bound = brama.json("receipt", "verify", upo, "--document", own, "--trust", trust)
    assert (bound["binding"], bound["verification"]["indication"]) == ("is_for", "TOTAL-PASSED")
    assert (bound["intact"], bound["issuer_trusted"]) == (True, True)
    assert brama.json("receipt", "verify", upo, "--document", other, expect=NO)["binding"] == "is_not"
    assert brama.json("receipt", "show", own, expect=NO)["error"]["code"].startswith("receipt.")
    assert receipt.read_receipt(upo.read_bytes()).addressee.name == "Gmina Próbna"


def test_whoever_issued_a_receipt_is_told_apart_from_what_it_is_for(brama, gateway, tmp_path):
    document = a_signed_document()
    upo = written(tmp_path / "upo.xml", gateway.answer(an_envelope(document)).receipt or b"")
    trust = gateway.tools.config.path(gateway.tools.config.gateway.trust)
    own, other = written(tmp_path / "own.xml", document), written(tmp_path / "other.xml", a_signed_document())
    damaged = written(tmp_path / "damaged.xml", upo.read_bytes().replace("Próbna".encode(), "Próbka".encode(), 1))

    stranger = brama.json("receipt", "verify", upo, "--document", own)
    assert (stranger["binding"], stranger["intact"], stranger["issuer_trusted"]) == ("is_for", True, False)
    assert "NIE jest zaufany" in brama("receipt", "verify", upo, "--document", own)
    assert "Wystawca jest zaufany" in brama("receipt", "verify", upo, "--document", own, "--trust", trust)
    another = brama.json("receipt", "verify", upo, "--document", other, "--trust", trust, expect=NO)
    assert (another["binding"], another["intact"], another["issuer_trusted"]) == ("is_not", True, True)
    broken = brama.json("receipt", "verify", damaged, "--document", own, "--trust", trust, expect=NO)
    assert (broken["binding"], broken["intact"], broken["issuer_trusted"]) == ("unresolved", False, None)


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


def test_an_operator_finds_a_refused_case_understands_it_and_replays_it(brama, folder, gateway, refused):
    (listed,) = brama.json("deliveries", "list", "--config", folder, "--state", "refused")["items"]
    shown = brama("submissions", "show", str(refused.id)[:8], "--config", folder)
    assert "refused" in shown
    assert "Oś czasu" in shown

    assert "Ponowić" in brama("replay", "--config", folder, "--reason", "poprawione", expect=NO)  # nobody said yes
    counted = brama.json("replay", "--config", folder, "--reason", "poprawione", "--dry-run")
    assert counted["replayed"] == [listed["id"]]
    done = brama.json("replay", listed["id"], "--config", folder, "--reason", "poprawione", "--actor", "Anna", "--yes")
    assert done["replayed"] == [listed["id"]]
    gateway.work_until_quiet()

    now = brama.json("deliveries", "show", listed["id"], "--config", folder)
    assert now["state"] == "delivered"
    assert [attempt["outcome"] for attempt in now["attempts"]] == ["refused", "delivered"]
    assert now["key"] == listed["key"]
    again = brama.json("replay", listed["id"], "--config", folder, "--reason", "x", "--yes", expect=NO)
    assert again["refused"][0]["code"] == "operation.already_delivered"


def test_a_replay_without_a_reason_is_wrong_usage(brama, folder):
    brama("replay", "--config", folder, "--yes", expect=USAGE)
    refused = brama.json("replay", "--config", folder, "--reason", " ", "--yes", expect=NO)
    assert refused["error"]["code"] == "operation.actor_and_reason"


def test_a_refused_delivery_can_be_set_aside_or_settled_by_a_person(brama, folder, refused):
    (one,) = brama.json("deliveries", "list", "--config", folder)["items"]

    brama("deliveries", "settle", one["id"], "--config", folder, "--reason", "jest w rejestrze", "--delivered",
          "--reference", "RPW/7/2026")  # fmt: skip
    settled = brama.json("deliveries", "show", one["id"], "--config", folder)

    assert (settled["state"], settled["reference"]) == ("delivered", "RPW/7/2026")
    refusal = brama.json("deliveries", "set-aside", one["id"], "--config", folder, "--reason", "x", expect=NO)
    assert refusal["error"]["code"] == "operation.already_delivered"


def test_a_quarantined_submission_is_released_or_closed_and_its_receipt_written(brama, folder, gateway, tmp_path):
    letter = gateway.receive(a_signed_document("letter", title=None))
    unknown = gateway.receive(a_signed_document("unknown"))

    brama("submissions", "release", letter.id, "--config", folder, "--reason", "treść zrozumiała")
    gateway.work_until_quiet()
    brama("submissions", "close", unknown.id, "--config", folder, "--reason", "nie do nas")
    brama("submissions", "receipt", letter.id, "--config", folder, "--out", tmp_path / "upo.xml")

    states = {item["id"]: item["state"] for item in brama.json("submissions", "list", "--config", folder)["items"]}
    assert states == {str(letter.id): "processed", str(unknown.id): "closed"}
    assert receipt.read_receipt((tmp_path / "upo.xml").read_bytes()).kind == "UPP"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("12", "operation.id_too_short"),
        ("00000000", "operation.not_found"),
        ("00000000-0000-4000-8000-000000000000", "operation.not_found"),
    ],
)
def test_an_id_that_names_nothing_is_said_so(brama, folder, given, code):
    assert brama.json("submissions", "show", given, "--config", folder, expect=NO)["error"]["code"] == code
    assert brama.json("deliveries", "show", given, "--config", folder, expect=NO)["error"]["code"] == code


def test_an_id_that_fits_several_is_said_so(brama, folder, gateway):
    with gateway.tools.store.begin() as transaction:
        for number in (1, 2):
            transaction.execute(
                insert(t.submission).values(
                    id=UUID(f"abcdef01-0000-4000-8000-00000000000{number}"), mailbox="/a/b", channel="push",
                    sha256=f"{number}", size_bytes=1, file_name="a.xml", is_test=False, sender={},
                )
            )  # fmt: skip

    refusal = brama.json("submissions", "show", "abcdef01", "--config", folder, expect=NO)

    assert refusal["error"]["code"] == "operation.id_ambiguous"


def test_a_page_never_parts_the_deliveries_of_one_submission(database, tmp_path):
    second = '[connector.second]\nkind = "rehearsal"\n', '[[route]]\nform = "*"\nconnector = "second"\n'
    gateway = a_gateway(database, tmp_path, more=second[0], routes=second[1])
    for _ in range(2):
        gateway.receive(a_signed_document())
    gateway.work_until_quiet()

    first = operations.deliveries(database, operations.DeliveryFilter(limit=1))
    rest = operations.deliveries(database, operations.DeliveryFilter(limit=1, cursor=first.next_cursor))

    assert [len(first.items), len(rest.items)] == [2, 2]
    assert len({item.id for item in (*first.items, *rest.items)}) == 4
    assert rest.next_cursor is None


def test_an_empty_list_says_so_and_a_page_names_the_next(brama, folder, gateway):
    assert "Nic nie pasuje" in brama("submissions", "list", "--config", folder)
    for _ in range(2):
        gateway.receive(a_signed_document())
    first = brama.json("submissions", "list", "--config", folder, "--limit", 1)
    rest = brama.json("submissions", "list", "--config", folder, "--limit", 1, "--cursor", first["next_cursor"])
    assert first["items"][0]["id"] != rest["items"][0]["id"]
    assert rest["next_cursor"] is None


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


def test_every_command_that_reads_a_file_answers_on_the_reference_samples(capsys):
    for sample in (*reference.files("epuap/data/samples/*/*.xml"), *reference.files("forms/data/samples/*.xml")):
        for command in (["verify"], ["verify", "--crypto-only"], ["validate"], ["map"], ["receipt", "show"]):
            assert run_safely(app, [*command, str(sample), "--json"]) in (FINE, NO), (command, sample)
            json.loads(capsys.readouterr().out)


def test_the_real_receipt_of_the_reference_is_intact_but_for_the_file_nobody_published(capsys):
    for sample in reference.files("epuap/data/samples/upp/epuap-int-*.xml"):
        run_safely(app, ["verify", "--crypto-only", "--json", str(sample)])
        shown = json.loads(capsys.readouterr().out)
        (signature,) = shown["signatures"]
        assert (shown["indication"], signature["sub_indication"]) == ("INDETERMINATE", "SIGNED_DATA_NOT_FOUND")
        assert signature["crypto"] == "intact"
        assert [one["intact"] for one in signature["references"]] == [True, None, True]


def test_an_operator_corrects_a_value_and_the_case_goes_again(brama, folder, gateway, refused):
    changed = brama.json("submissions", "edit", refused.id, "--config", folder, "--reason", "literówka",
                         "--set", "taxpayer.surname=Poprawna")  # fmt: skip
    gateway.work_until_quiet()
    shown = brama.json("submissions", "show", refused.id, "--config", folder)

    assert len(changed["replayed"]) == 1
    assert shown["cases"][-1]["changes"]["taxpayer.surname"][1] == "Poprawna"
    assert [one["state"] for one in shown["deliveries"]] == ["delivered"]
    brama("submissions", "edit", refused.id, "--config", folder, "--reason", "x", "--set", "bez-wartosci", expect=USAGE)


def test_a_correction_is_shown_with_what_was_there_before(brama, folder, refused):
    said = brama("submissions", "edit", refused.id, "--config", folder, "--reason", "literówka", "--actor", "Anna",
                 "--set", "taxpayer.surname=Poprawna")  # fmt: skip
    shown = brama("submissions", "show", refused.id, "--config", folder)

    for screen in (said, shown):
        assert "Sprawa, wersja 2 — Anna: literówka" in screen
        assert re.search(r"taxpayer\.surname: \S+ → Poprawna", screen)
    assert "Ponowiono: 1 z 1" in said
    assert "wersja 1" not in shown  # the gateway's own reading is nobody's change


def test_an_office_that_lost_a_delivered_case_gets_it_again(brama, folder, gateway, refused):
    (one,) = brama.json("deliveries", "list", "--config", folder)["items"]
    early = brama.json("deliveries", "look-up", one["id"], "--config", folder, "--reason", "x", expect=NO)
    assert early["error"]["code"] == "operation.not_delivered"
    brama.json("replay", one["id"], "--config", folder, "--reason", "x", "--yes")
    gateway.work_until_quiet()

    asked = brama.json("deliveries", "look-up", one["id"], "--config", folder, "--reason", "po awarii dysku")

    assert asked == {"id": one["id"], "found": False, "reference": None}  # what the command builds has an empty memory
    assert gateway.states(refused) == ["due"]
    gateway.work_until_quiet()
    assert gateway.states(refused) == ["delivered"]


def test_an_operator_has_a_case_read_anew(brama, folder, gateway, refused):
    again = brama.json("submissions", "map-again", refused.id, "--config", folder, "--reason", "nowe odwzorowanie")

    assert len(again["replayed"]) == 1
    gateway.work_until_quiet()
    assert gateway.states(refused) == ["delivered"]


def test_an_office_is_paused_seen_and_resumed(brama, folder, gateway):
    made = brama.json("offices", "pause", "--config", folder, "--tenant", "2009032", "--reason", "prace serwisowe")
    submission = gateway.receive(a_signed_document())
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["due"]
    assert "prace serwisowe" in brama("offices", "list", "--config", folder)

    assert brama.json("offices", "resume", made["id"], "--config", folder, "--reason", "gotowe")["deliveries"] == 1
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]
    assert brama.json("offices", "list", "--config", folder)["offices"][0]["delivered"] == 1
    refusal = brama.json("offices", "pause", "--config", folder, "--reason", "wszystko", expect=NO)
    assert refusal["error"]["code"] == "operation.pause_what"


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


def test_a_validation_report_is_written_and_judged_again_from_its_own_evidence(brama, folder, gateway, tmp_path):
    submission = gateway.receive(a_signed_document())

    shown = brama.json("submissions", "report", submission.id, "--config", folder, "--out", tmp_path / "raport.html")

    assert shown["confirmed"] == [True]
    assert '<html lang="pl"' in (tmp_path / "raport.html").read_text("utf-8")
    unsigned = gateway.receive(b"<a xmlns='urn:x'/>")
    refusal = brama.json("submissions", "report", unsigned.id, "--config", folder, expect=NO)
    assert refusal["error"]["code"] == "operation.no_report"


def test_migrate_brings_the_schema_and_api_keys_are_made_listed_and_revoked(brama, folder):
    assert brama.json("migrate", "--config", folder) == {"migrated": True}
    made = brama.json("api-key", "new", "--config", folder, "--tenant", "2009032", "--label", "EZD")
    (listed,) = brama.json("api-key", "list", "--config", folder)

    assert listed["id"] == made["id"]
    assert made["secret"] not in json.dumps(listed)
    brama("api-key", "revoke", listed["id"], "--config", folder)
