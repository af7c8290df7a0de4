"""What a clerk sends again: a corrected case, one read anew, one that its office has lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import operations
from schemas.delivery import CaseRecord, Delivered, Outcome, Refused, Steps
from schemas.errors import OperationRefused
from tests.builders import a_signed_document
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office

WHO: dict[str, Any] = {"actor": "a.kowalska", "reason": "awaria w urzędzie"}


def test_a_clerks_correction_is_sent_and_the_original_stays(gateway: Gateway) -> None:
    seen: list[Any] = []

    def take(record: CaseRecord, key: str, _steps: Steps) -> Outcome:
        seen.append(record.case["period"]["year"])
        return Refused("answer.refused") if len(seen) == 1 else Delivered(key)

    gateway = with_office(gateway, Scripted(take, take))
    submission = gateway.receive()
    gateway.work_until_quiet()
    store = gateway.tools.store

    result = operations.edit(store, submission.id, {"period.year": 2027}, **WHO)
    gateway.work_until_quiet()

    assert seen == [2026, 2027]
    assert len(result.replayed) == 1
    view = operations.submission(store, submission.id)
    assert [case["stored"]["period"]["year"] for case in view.cases] == [2026, 2027]
    assert view.cases[1]["changes"] == {"period.year": [2026, 2027]}
    edited = next(event for event in view.events if event.word == "case_edited")
    assert edited.facts["paths"] == ["period.year"]
    assert "2027" not in json.dumps(edited.facts)


def test_one_entry_of_a_list_is_corrected_and_a_value_taken_out(gateway: Gateway) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    store = gateway.tools.store
    (first,) = operations.submission(store, submission.id).cases
    objects = first["stored"]["objects"]

    changes = {"objects.1.area_m2": "17.00", "objects.0.kw": None, "objects.2": objects[0]}
    operations.edit(store, submission.id, changes, **WHO)

    _, second = operations.submission(store, submission.id).cases
    now = second["stored"]["objects"]
    assert "kw" not in now[0]
    assert now[1:3] == [{**objects[1], "area_m2": "17.00"}, objects[0]]
    assert (now[3:], len(now)) == (objects[3:], len(objects))
    assert second["changes"] == {
        "objects.0.kw": [objects[0]["kw"], None],
        "objects.1.area_m2": [objects[1].get("area_m2"), "17.00"],
        "objects.2": [objects[2], objects[0]],
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"taxpayer.nothing.here": "x"}, "operation.no_such_field"),
        ({"objects.999.area_m2": "1"}, "operation.no_such_field"),
        ({"objects.-1.area_m2": "1"}, "operation.no_such_field"),
        ({"objects.first.area_m2": "1"}, "operation.no_such_field"),
        ({"objects.0.nothing": None}, "operation.no_such_field"),
        ({"objects.0": "1"}, "operation.value_wrong"),
        ({"period.year": "soon"}, "operation.value_wrong"),
    ],
)
def test_a_correction_that_does_not_fit_changes_nothing(gateway: Gateway, changes: dict[str, Any], code: str) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    with pytest.raises(OperationRefused) as refused:
        operations.edit(gateway.tools.store, submission.id, changes, **WHO)
    assert refused.value.code == code
    assert len(operations.submission(gateway.tools.store, submission.id).cases) == 1


def test_what_is_delivered_already_keeps_the_version_it_got(gateway: Gateway) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    result = operations.edit(gateway.tools.store, submission.id, {"period.year": 2027}, **WHO)
    assert [one.code for one in result.refused] == ["operation.already_delivered"]


def test_a_better_mapping_reads_the_stored_document_again(gateway: Gateway) -> None:
    def worse(document: bytes, facts: Any) -> Any:
        case = gateway.tools.map(document, facts)
        return case.model_copy(update={"reason": "read wrongly"})

    office = Scripted(Refused("answer.refused"))
    clumsy = with_office(gateway, office).with_tools(map=worse)
    submission = clumsy.receive()
    clumsy.work_until_quiet()

    better = with_office(gateway, office)
    operations.map_again(better.tools, submission.id, **WHO)
    better.work_until_quiet()

    cases = operations.submission(gateway.tools.store, submission.id).cases
    assert [case["stored"].get("reason") == "read wrongly" for case in cases] == [True, False]
    assert better.states(submission) == ["delivered"]


def test_there_is_nothing_to_correct_before_there_is_a_case(gateway: Gateway) -> None:
    submission = gateway.receive(a_signed_document("unknown"))
    for act in (
        lambda: operations.edit(gateway.tools.store, submission.id, {"period.year": 2027}, **WHO),
        lambda: operations.map_again(gateway.tools, submission.id, **WHO),
    ):
        with pytest.raises(OperationRefused) as refused:
            act()
        assert refused.value.code == "operation.no_case"


# --- an office that lost what it had ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "sent"), [("RPW/1", 1), (None, 2)])
def test_a_delivered_case_is_sent_again_only_if_the_office_says_it_has_nothing(
    gateway: Gateway, found: str | None, sent: int
) -> None:
    office = Scripted(found=found)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)

    assert operations.look_up(gateway.tools, delivery.id, **WHO) == found
    gateway.work_until_quiet()

    assert len(office.sent) == sent
    assert gateway.states(submission) == ["delivered"]
    assert "looked_up" in gateway.words(submission)


def test_an_office_that_has_a_part_of_a_case_does_not_get_that_part_twice(gateway: Gateway) -> None:
    """A look-up by key cannot see every step; what it does not see is asked about before it is done again."""
    registered: list[str] = []

    def in_two_steps(_record: CaseRecord, key: str, steps: Steps) -> Outcome:
        steps.once("register", lambda: registered.append(key) or {"n": "1"}, lambda: {"n": "1"} if registered else None)
        steps.once("attach", lambda: {}, lambda: None)
        return Delivered("RPW/1")

    gateway = with_office(gateway, Scripted(in_two_steps, in_two_steps))
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)

    assert operations.look_up(gateway.tools, delivery.id, **WHO) is None
    gateway.work_until_quiet()

    assert len(registered) == 1
    assert gateway.states(submission) == ["delivered"]
    assert len(gateway.attempts(submission)) == 2


def test_two_people_who_ask_at_once_send_a_case_again_once(gateway: Gateway) -> None:
    """The second one's question was answered before the first one's new round began."""
    meanwhile: list[None] = []

    def nothing_there() -> None:
        if not meanwhile:
            meanwhile.append(None)
            operations.look_up(gateway.tools, delivery.id, **WHO)
            gateway.work_until_quiet()

    office = Scripted(found=nothing_there)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)
    office.script = [Refused("no")]

    with pytest.raises(OperationRefused) as refused:
        operations.look_up(gateway.tools, delivery.id, **WHO)

    assert refused.value.code == "operation.not_delivered"
    assert gateway.states(submission) == ["refused"]
    assert len(office.sent) == 2


def test_only_a_delivered_case_is_looked_up_and_only_where_the_office_can_be_asked(gateway: Gateway) -> None:
    gateway = with_office(gateway, Scripted(Refused("no"), look_up=False))
    first, second = gateway.receive(), gateway.receive()
    gateway.work_until_quiet()
    for submission, code in ((first, "operation.not_delivered"), (second, "operation.cannot_ask")):
        with pytest.raises(OperationRefused) as refused:
            operations.look_up(gateway.tools, gateway.deliveries(submission)[0].id, **WHO)
        assert refused.value.code == code
