"""The pull run with few documents: real processes, and books that must balance; its times are for people."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from gateway.bench.pull_answers import Answers
from gateway.bench.pulling import Books

FEW = 60  # of them one is rejected, one quarantined, two sent twice, and six ask for an answer


def test_what_thirteen_boxes_hold_is_pulled_decided_delivered_and_answered_once(brama):
    (figure,) = brama.json("bench", "pull", "--documents", FEW)
    expected = Books(
        placed=FEW + 2, let_go=FEW + 2, kept=FEW, again=2, accepted=FEW - 2, quarantined=1, rejected=1,
        receipts=FEW - 1, delivered=FEW - 2, undelivered=0, lost=0, doubled=0, wrong=0,
        answers=Answers(asked=6, in_boxes=6, receipted=6, too_many=0),
    )  # fmt: skip
    assert figure["books"] == asdict(expected)
    assert figure["books_balanced"]
    assert (figure["name"], figure["unit"]) == (f"pull {FEW}", "doc/s")
    assert figure["value"] > 0 < figure["floor"]


@pytest.mark.parametrize(
    "wrong",
    [{"lost": 1}, {"doubled": 1}, {"wrong": 1}, {"undelivered": 1}, {"let_go": 9}, {"again": 1}, {"receipts": 8},
     {"delivered": 7}, {"kept": 11}, {"answers": Answers(3, 2, 2, 0)}, {"answers": Answers(3, 3, 2, 0)},
     {"answers": Answers(3, 3, 3, 1)}],
    ids=str,
)  # fmt: skip
def test_books_with_one_wrong_sum_do_not_balance(wrong):
    good = Books(
        placed=10, let_go=10, kept=10, again=0, accepted=8, quarantined=1, rejected=1,
        receipts=9, delivered=8, undelivered=0, lost=0, doubled=0, wrong=0, answers=Answers(3, 3, 3, 0),
    )  # fmt: skip
    assert good.balanced
    assert not replace(good, **wrong).balanced
