"""Which documents of the SENT store may be a message of ours under another name: what is overlooked is sent twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.transport.post import EpuapPost, may_be_ours
from gateway.transport.send import Portal, StoredDocument
from schemas.errors import ServiceUnsettled
from schemas.ids import sha256
from schemas.outgoing import LookUp, Message, MessageKind, MessageState

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OCTETS = b"<pismo/>"
MESSAGE = Message(
    id=UUID(int=1), submission_id=UUID(int=2), tenant="2009032", kind=MessageKind.SUBMIT, to="/jan/domyslna",
    reply_to="/gmina/domyslna", file_name="BRAMA-1.xml", document_id="1", case_id="2", cid=None, sha256=sha256(OCTETS),
    state=MessageState.UNSETTLED, attempts=1, created_at=NOW, document=OCTETS,
)  # fmt: skip


def stored(number: int, name: str = "dokument.xml", to: str | None = "/jan/domyslna", after_h: float | None = 0.0):
    at = None if after_h is None else NOW + timedelta(hours=after_h)
    return StoredDocument(number, name, None, "/gmina/domyslna", to, at, "SENT")


@dataclass
class Store(Portal):
    """A portal whose store is these documents; all hold the same octets."""

    documents: list[StoredDocument]
    octets: bytes
    read: list[int] = field(default_factory=list)

    def listing(self, store: str) -> list[StoredDocument]:
        return self.documents

    def content(self, document_id: int) -> bytes:
        self.read.append(document_id)
        return self.octets


def post(store: Store) -> EpuapPost:
    return EpuapPost(None, store, now=lambda: NOW, timeout_s=1, settle_s=1, look_up=LookUp.COMPLETE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("document", "may"),
    [
        (stored(1), True),
        (stored(1, to=None), True),
        (stored(1, to="jan/domyslna"), True),
        (stored(1, after_h=None), True),
        (stored(1, after_h=-2.0), True),
        (stored(1, after_h=-4.0), False),
        (stored(1, name="BRAMA-2.xml"), False),
    ],
    ids=["to its box", "box unknown", "box written otherwise", "no time", "zone mistaken", "long before", "another"],
)
def test_nothing_is_ruled_out_but_what_surely_is_another(document, may):
    assert (may_be_ours([document], MESSAGE) == [document]) is may


def test_what_went_to_the_same_box_is_compared_first_and_the_newest_of_it():
    listed = [stored(1), stored(2, to="/inny/domyslna"), stored(3)]
    assert [one.id for one in may_be_ours(listed, MESSAGE)] == [3, 1, 2]


def test_our_name_counts_whatever_the_portal_says_of_the_box():
    found = post(Store([stored(7, name="BRAMA-1.xml", to="ktoś")], b"")).find(MESSAGE)
    assert found is not None
    assert found.document_id == "7"


def test_the_same_octets_under_another_name_are_ours():
    store = Store([stored(7, name="20260302.xml")], OCTETS)
    found = post(store).find(MESSAGE)
    assert (found is not None, store.read) == (True, [7])


def test_absence_is_known_only_if_everything_was_compared():
    few = Store([stored(number) for number in range(20)], b"<inne/>")
    assert post(few).find(MESSAGE) is None
    many = Store([stored(number) for number in range(21)], b"<inne/>")
    with pytest.raises(ServiceUnsettled):
        post(many).find(MESSAGE)
