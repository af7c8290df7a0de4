"""Who is at work on a spool is told by a lock that ends with its process, not by names that two of them may share."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.bigfiles.presence import Presence, holder_in, named

ROOT = Path(__file__).resolve().parents[2]
_OTHER = """
import sys
from pathlib import Path
from gateway.bigfiles.presence import Presence
print(Presence(Path(sys.argv[1])).sign_in(), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(spool: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Signed in on the spool, and its name."""
    command = [sys.executable, "-c", _OTHER, str(spool)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def departed(spool: Path) -> frozenset[str]:
    with Presence(spool).departed() as names:
        return names


def test_a_process_has_one_name_on_a_spool_and_others_have_others(tmp_path):
    mine = Presence(tmp_path).sign_in()
    assert Presence(tmp_path).sign_in() == mine
    with another_process(tmp_path) as (other, _):
        assert other != mine
        assert departed(tmp_path) == frozenset()  # both live


def test_who_was_killed_has_departed_and_is_then_forgotten(tmp_path):
    mine = Presence(tmp_path).sign_in()
    with another_process(tmp_path) as (other, process):
        process.kill()
        process.wait()
        assert departed(tmp_path) == {other}
    assert departed(tmp_path) == frozenset()
    assert Presence(tmp_path).sign_in() == mine


def test_whoever_comes_in_meanwhile_is_not_among_those_who_ended(tmp_path):
    with another_process(tmp_path) as (other, process):
        process.kill()
        process.wait()
    names: list[str] = []
    coming = threading.Thread(target=lambda: names.append(Presence(tmp_path).sign_in()))
    with Presence(tmp_path).departed() as gone:
        coming.start()
        coming.join()
    assert gone == {other}
    assert names[0] not in gone
    assert departed(tmp_path) == frozenset()


def test_a_name_is_known_only_on_the_spool_it_was_given_on(tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    name = Presence(here).sign_in()
    Presence(elsewhere).sign_in()
    assert Presence(here).knows(name)
    assert not Presence(elsewhere).knows(name)
    assert not Presence(tmp_path / "none").knows(name)


def test_a_row_names_its_worker_for_people_and_for_us():
    assert holder_in(named("brama-1:7", "spool.holder")) == "spool.holder"
    assert [holder_in(worker) for worker in ("brama-1:7", None)] == ["", ""]
