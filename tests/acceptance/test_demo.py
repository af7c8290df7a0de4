"""The main job, end to end, as a newcomer sees it: `brama demo` in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from gateway.cli.demo import show_result
from gateway.demo.scenes import SCENES
from gateway.receipt import read_receipt


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder and the JSON of one run; its PostgreSQL under /tmp itself, because pytest's folders are closed."""
    folder, home = tmp_path_factory.mktemp("demo") / "out", tempfile.mkdtemp(prefix="brama-d-")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--json", "--out", str(folder)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "BRAMA_HOME": home,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        check=False,
        timeout=600,
    )
    shutil.rmtree(home, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads(done.stdout), done.stderr


def test_every_document_has_the_outcome_it_must_have_and_the_books_balance(demo):
    _, result, _ = demo

    assert result["balanced"] is True
    assert result["problems"] == []
    assert [one["outcome"] for one in result["submissions"]] == [scene.outcome for scene in SCENES]


def test_it_shows_what_it_promises(demo):
    _, result, _ = demo
    outcomes = Counter(one["outcome"] for one in result["submissions"])

    assert len(result["submissions"]) >= 12
    assert len({one["tenant"] for one in result["submissions"]}) >= 3
    assert set(outcomes) == {"delivered", "duplicate", "rejected", "quarantined", "test", "refused"}
    attempts = {one["what"]: [d["attempts"] for d in one["deliveries"]] for one in result["submissions"]}
    assert attempts["Urząd zapisał i zerwał połączenie"] == [["unsettled", "delivered"]]
    assert attempts["Urząd odmawia, pracownik ponawia po poprawce"] == [["refused", "delivered"]]


def test_it_leaves_receipts_and_cases_a_person_can_open(demo):
    folder, result, _ = demo

    receipts = sorted((folder / "upo").glob("*.xml"))
    cases = sorted((folder / "sprawy").glob("*.json"))

    assert len(receipts) == sum(one["receipt"] is not None for one in result["submissions"])
    assert all(read_receipt(path.read_bytes()).kind == "UPP" for path in receipts)
    assert {json.loads(path.read_text("utf-8"))["schema"] for path in cases} == {"case/1"}


@pytest.mark.parametrize(("language", "fine", "wrong"), [("pl", "się zgadzają", "NIE"), ("en", "books balance", "NOT")])
def test_a_person_reads_the_same_of_every_document_and_whether_the_books_balance(
    demo, capsys, monkeypatch, language, fine, wrong
):
    _, result, _ = demo
    monkeypatch.setenv("BRAMA_LANG", language)

    show_result(result)
    said = capsys.readouterr().out
    show_result({**result, "balanced": False, "problems": ["jedna sprawa podwójnie"]})
    unbalanced = capsys.readouterr().out

    words = said.split()
    assert all(set(one["what"].split()) <= set(words) for one in result["submissions"])
    assert words.count("✓") == sum(one["receipt"] is not None for one in result["submissions"])
    assert str(result["books"]["submissions"]) in said
    assert fine in said
    assert wrong not in said
    assert wrong in unbalanced
    assert "jedna sprawa podwójnie" in unbalanced


def test_nothing_complains_when_it_ends(demo):
    *_, said = demo

    assert "Traceback" not in said


def test_two_services_go_from_the_citizens_request_to_the_answer_in_the_citizens_box(demo):
    _, result, _ = demo
    trips = {trip["service"]: (trip["answered"], trip["document"], trip["receipts"]) for trip in result["round_trips"]}
    assert trips == {
        "settlement_query": (True, "settlement_statement", ["UPP", "UPD"]),
        "arrears_certificate_application": (True, "certificate_no_arrears", ["UPP", "UPD"]),
    }
