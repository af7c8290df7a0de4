"""The list of cases: every case once, in order, whatever commits meanwhile."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, select

from gateway.operations import exchange
from gateway.store import publishing, submissions
from gateway.store import tables as t
from gateway.store.database import Store
from schemas.api import Caller, ListQuery, Scope
from schemas.errors import ApiRefused
from tests.builders import TERYT, a_signed_document
from tests.gateways import Gateway
from tests.waiting import PATIENCE_S

CALLER = Caller("k", TERYT, "próba", frozenset(Scope))


def a_case(transaction: Connection, **changes: Any) -> UUID:
    """The rows of one case, as `process` would store them, in a transaction the test ends when it likes."""
    new = uuid4()
    values = {"id": new, "tenant": TERYT, "mailbox": f"/{new}", "channel": "push", "sha256": "0" * 64, "size_bytes": 1}
    values |= {"file_name": "a.xml", "is_test": False, "sender": {}, "form_namespace": "urn:x", "state": "processed"}
    transaction.execute(insert(t.submission).values({**values, **changes}))
    submissions.save_case(transaction, new, {"kind": "letter"})
    return new


def read(store: Store, cursor: str | None = None, **query: Any) -> tuple[list[UUID], str]:
    """One page: ids, cursor."""
    page = exchange.cases(store, CALLER, ListQuery(cursor=cursor, **query))
    return [item.id for item in page.items], page.cursor


def test_a_transaction_that_commits_late_is_neither_skipped_nor_repeated(database: Store):
    with database.engine.connect() as slow, database.engine.connect() as fast:
        late = a_case(slow)  # inserted first, committed last
        early = a_case(fast)
        fast.commit()
        first, cursor = read(database)
        slow.commit()
        second, cursor = read(database, cursor)

    assert (first, second) == ([early], [late])
    assert read(database, cursor) == ([], cursor)
    assert read(database)[0] == [early, late]


def test_two_open_transactions_hold_nobody_up(database: Store):
    with database.engine.connect() as one, database.engine.connect() as other:
        a_case(one)
        a_case(other)
        with database.begin() as transaction:
            committed = a_case(transaction)
        assert read(database)[0] == [committed]
        one.rollback()
        other.rollback()
    assert read(database)[0] == [committed]


def test_a_numberer_that_waited_for_another_sees_what_that_one_numbered(database: Store):
    with database.begin() as transaction:
        first = a_case(transaction)
    with database.engine.connect() as holding:
        publishing.number_new(holding, TERYT)
        with database.begin() as transaction:
            second = a_case(transaction)
        found: list[UUID] = []
        reader = threading.Thread(target=lambda: found.extend(read(database)[0]))
        reader.start()
        reader.join(timeout=0.3)
        assert reader.is_alive()  # it waits for the numbers being given
        holding.commit()
        reader.join(PATIENCE_S)
    assert found == [first, second]


def test_readers_at_any_pace_see_every_case_once_under_concurrent_writers(database: Store):
    total, writers = 60, 3
    left = threading.Semaphore(0)

    def write() -> None:
        for number in range(total // writers):
            with database.begin() as transaction:
                a_case(transaction)
                if number % 3 == 0:
                    left.acquire(timeout=0.01)  # some transactions stay open a little

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    seen: list[UUID] = []
    cursor = None
    while len(seen) < total:
        ids, cursor = read(database, cursor, limit=4)
        seen += ids
        if not ids and not any(thread.is_alive() for thread in threads):
            ids, cursor = read(database, cursor)
            seen += ids
            break
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == total
    with database.begin() as transaction:
        numbers = transaction.execute(select(publishing.P.number).order_by(publishing.P.number)).scalars().all()
    assert list(numbers) == list(range(1, total + 1))


def test_a_corrected_case_is_published_again_with_its_new_version(database: Store):
    with database.begin() as transaction:
        case = a_case(transaction)
        other = a_case(transaction)
    _, cursor = read(database)
    with database.begin() as transaction:
        submissions.save_case(transaction, case, {"kind": "letter"}, actor="anna", reason="pomyłka", changes={})

    page = exchange.cases(database, CALLER, ListQuery(cursor=cursor))
    assert [(item.id, item.version) for item in page.items] == [(case, 2)]
    assert read(database)[0] == [case, other, case]


@pytest.mark.parametrize("changes", [{"is_test": True}, {"tenant": None}, {"tenant": "2011083"}])
def test_tests_and_what_is_not_ours_are_not_published_to_us(database: Store, changes: dict[str, Any]):
    with database.begin() as transaction:
        a_case(transaction, **changes)
    assert read(database)[0] == []


def test_since_leaves_out_what_was_received_before(gateway: Gateway):
    gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    middle = gateway.tools.store.ping()
    later = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    assert read(gateway.tools.store, since=middle)[0] == [later.id]


def test_a_cursor_of_a_list_that_was_restored_is_refused(database: Store):
    with pytest.raises(ApiRefused) as refused:
        read(database, "c1")
    assert refused.value.code == "api.cursor_ahead"


def test_a_long_history_is_numbered_in_batches_that_follow_each_other(database: Store):
    with database.begin() as transaction:
        cases = [a_case(transaction) for _ in range(5)]
        for expected in (2, 4, 5, 5):
            publishing.number_new(transaction, TERYT, batch=2)
            assert publishing.last_number(transaction, TERYT) == expected
    assert read(database)[0] == cases
