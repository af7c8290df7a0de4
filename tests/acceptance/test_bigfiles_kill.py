"""SIGKILL around every step of fetching a big file, in a real worker: lost is only what was amid its transfer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import flow
from gateway.store import files, offices, sweeps
from gateway.store.database import Store
from schemas.files import FileState
from tests.bigfiles import CONTENT, a_letter, address_of, configured, fetching, uploaded
from tests.processes import brama

EPUAP = ("--mtom",)


def states(store: Store) -> tuple[str, str]:
    """Of the one file and the one delivery."""
    with store.begin() as transaction:
        query = "SELECT (SELECT state FROM remote_file), (SELECT state FROM delivery)"
        row = transaction.execute(text(query)).one()
    return row[0], row[1]


@contextmanager
def only_fetching(store: Store) -> Iterator[None]:
    """Whoever works meanwhile delivers nothing; what its queue had taken when it died is free again afterwards."""
    with store.begin() as transaction:
        pause = offices.pause(transaction, None, None, None, "test", "only files")
    yield
    with store.begin() as transaction:
        assert offices.resume(transaction, pause, "test")
        transaction.execute(text("DELETE FROM procrastinate_jobs WHERE status = 'doing'"))
        sweeps.unpark(transaction)
        sweeps.forget_lost_wake_ups(transaction, 0)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("before_fetch", ("kept", "delivered")),
        ("in_fetch", ("lost", "due")),
        ("after_fetch", ("kept", "delivered")),
        ("after_file_kept", ("kept", "delivered")),
    ],
)
def test_killed_at_any_point_a_file_is_lost_only_amid_its_one_transfer(office, database, tmp_path, point, expected):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configured(tmp_path, office, url)
    file_id = uploaded(office)
    gateway = fetching(database, folder)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    flow.process(submission.id, gateway.tools)
    with only_fetching(database), brama("work", folder, crash_at=point) as doomed:
        assert doomed.died_of_sigkill()
    gateway.work_until_quiet()
    assert states(database) == expected
    with database.begin() as transaction:
        (file,) = files.of_submission(transaction, submission.id)
        words = list(transaction.execute(text("SELECT word FROM event")).scalars())
        if file.state is FileState.KEPT and file.id is not None:
            content = b"".join(files.pieces(transaction, file.id))
            assert hashlib.sha256(content).digest() == hashlib.sha256(CONTENT).digest()
    assert ("attachment_lost" in words) == (expected[0] == "lost")
    assert len([one for one in office.effects("fetched") if one["identity"] == file_id]) == 1
    assert [one.suffix for one in Path(tmp_path / "spool").iterdir() if one.suffix == ".json"] == []
