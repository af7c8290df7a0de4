"""Commands that answer about a file: verify, validate, map, receipt."""

from __future__ import annotations

import json

from gateway import receipt
from gateway.cli.commands import app
from gateway.cli.output import run_safely
from gateway.simulate import documents
from tests import reference
from tests.builders import a_signed_document, an_envelope, pki
from tests.gateways import write_config
from tests.program import FINE, NO, USAGE, written


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
