"""Is a letter effectively lodged through this channel? The policy, its order, and a clerk's own ruling."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.effectiveness import judge, ruled
from schemas.effectiveness import Effect, Effectiveness, LodgingPolicy, Rule
from schemas.errors import OperationRefused
from schemas.submission import Channel

FORM = "http://crd.gov.pl/wzor/2020/01/07/8990/"
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def rule(**changed: Any) -> Rule:
    whole: dict[str, Any] = {
        "effect": "effective",
        "since": date(2026, 1, 1),
        "ruled_by": "Wójt",
        "ruled_on": date(2025, 12, 15),
    }
    whole["basis"] = "zarządzenie 1/2026"
    return Rule.model_validate({**whole, **changed})


def effect(*rules: Rule, form: str | None = FORM, channel: Channel = Channel.PULL, at: datetime = NOW) -> Effect:
    return judge(rules, form=form, channel=channel, lodged_at=at).effect


def test_without_a_rule_a_clerk_decides_since_2026():
    made = judge([], form=FORM, channel=Channel.PUSH, lodged_at=NOW)
    assert (made.effect, made.reason) == (Effect.CLERK_DECIDES, "effectiveness.no_ruling")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2025, 12, 31, 22, 59, tzinfo=UTC), Effect.EFFECTIVE),
        (datetime(2025, 12, 31, 23, 0, tzinfo=UTC), Effect.CLERK_DECIDES),  # 2026 in Poland
    ],
)
def test_equal_standing_ended_with_2025_by_polish_time(at, expected):
    made = judge([], form=FORM, channel=Channel.PUSH, lodged_at=at)
    assert made.effect is expected
    assert (made.reason == "effectiveness.equal_standing") is (expected is Effect.EFFECTIVE)


def test_a_ruling_says_who_ruled_since_when_and_on_what_basis():
    made = judge([rule(notice="Prosimy …")], form=FORM, channel=Channel.PULL, lodged_at=NOW)
    assert made.to_json() == {
        "effect": "effective",
        "reason": "effectiveness.rule",
        "ruled_by": "Wójt",
        "since": "2026-01-01",
        "basis": "zarządzenie 1/2026",
        "notice": "Prosimy …",
        "form": "*",
        "ruled_on": "2025-12-15",
    }
    assert Effectiveness.from_json(made.to_json()) == made


def test_the_forms_own_rule_goes_before_the_general_one():
    assert effect(rule(effect="ineffective", since=date(2026, 2, 1)), rule(form=FORM)) is Effect.EFFECTIVE


def test_a_rule_for_the_channel_goes_before_one_for_all():
    rules = rule(effect="ineffective", since=date(2026, 2, 1)), rule(channels=("rest",))
    assert effect(*rules, channel=Channel.REST) is Effect.EFFECTIVE
    assert effect(*rules, channel=Channel.PULL) is Effect.INEFFECTIVE


def test_the_later_rule_replaces_the_earlier():
    assert effect(rule(), rule(effect="ineffective", since=date(2026, 3, 1))) is Effect.INEFFECTIVE
    assert effect(rule(), rule(effect="ineffective", since=date(2026, 3, 3))) is Effect.EFFECTIVE


def test_a_rule_holds_from_its_first_day():
    assert effect(rule(since=date(2026, 3, 2))) is Effect.EFFECTIVE
    assert effect(rule(since=date(2026, 3, 3))) is Effect.CLERK_DECIDES


def test_a_rule_holds_to_the_end_of_its_last_day():
    until = rule(until=date(2026, 3, 2))
    assert effect(until, at=datetime(2026, 3, 2, 22, 59, tzinfo=UTC)) is Effect.EFFECTIVE
    assert effect(until, at=datetime(2026, 3, 2, 23, 0, tzinfo=UTC)) is Effect.CLERK_DECIDES


def test_a_forms_short_number_stands_for_its_namespace():
    assert effect(rule(form="2020/01/07/8990")) is Effect.EFFECTIVE


def test_a_rule_of_another_form_does_not_hold():
    assert effect(rule(form="urn:other")) is Effect.CLERK_DECIDES
    assert effect(rule(form=FORM), form=None) is Effect.CLERK_DECIDES


@pytest.mark.parametrize(
    "broken", [{"ruled_by": ""}, {"basis": ""}, {"until": date(2025, 1, 1)}, {"effect": "maybe"}, {"who": "x"}]
)
def test_a_rule_without_an_author_or_basis_is_refused(broken):
    with pytest.raises(ValidationError):
        rule(**broken)


def test_a_clerk_rules_where_the_policy_left_it_open():
    open_ = judge([], form=FORM, channel=Channel.PULL, lodged_at=NOW)
    made = ruled(open_, effect=Effect.INEFFECTIVE, actor="urzednik", at=NOW, basis="art. 144b")
    assert (made.effect, made.reason, made.ruled_by, made.since) == (
        Effect.INEFFECTIVE, "effectiveness.clerk", "urzednik", NOW,
    )  # fmt: skip


def test_a_clerk_may_rule_otherwise_on_one_letter_but_not_the_same_again():
    before = judge([rule()], form=FORM, channel=Channel.PULL, lodged_at=NOW)
    made = ruled(before, effect=Effect.INEFFECTIVE, actor="urzednik", at=NOW, basis="podpis osoby trzeciej")
    assert made.effect is Effect.INEFFECTIVE
    assert Effectiveness.from_json(made.to_json()) == made
    with pytest.raises(OperationRefused, match=r"effectiveness\.already_ruled"):
        ruled(before, effect=Effect.EFFECTIVE, actor="urzednik", at=NOW, basis="x")


@pytest.mark.parametrize(
    ("other", "rivals"),
    [
        ({}, True),
        ({"effect": "ineffective"}, True),
        ({"form": FORM}, False),
        ({"since": date(2026, 1, 2)}, False),
        ({"channels": ("pull",)}, False),
    ],
    ids=["the same", "another effect", "another form", "a later day", "only one channel"],
)
def test_two_rules_of_one_rank_are_refused(other, rivals):
    rules = {"rule": [rule().model_dump(), rule(**other).model_dump()]}
    if rivals:
        with pytest.raises(ValidationError, match=r"rule\.0, rule\.1"):
            LodgingPolicy.model_validate(rules)
    else:
        assert len(LodgingPolicy.model_validate(rules).rule) == 2


def test_two_rules_for_different_channels_do_not_rival():
    rules = [rule(channels=("pull",)).model_dump(), rule(channels=("push",)).model_dump()]
    assert LodgingPolicy.model_validate({"rule": rules})
    with pytest.raises(ValidationError):
        LodgingPolicy.model_validate({"rule": [*rules, rule(channels=("rest", "pull")).model_dump()]})


@pytest.mark.parametrize("effect", list(Effect))
def test_by_default_every_letter_is_handed_over_and_a_gmina_may_hold_what_does_not_count(effect):
    assert not LodgingPolicy().holds(effect)
    holding = LodgingPolicy(ineffective="hold", undecided="hold")
    assert holding.holds(effect) is (effect is not Effect.EFFECTIVE)


@pytest.mark.parametrize(
    "empty", [{"actor": " "}, {"basis": ""}, {"effect": Effect.CLERK_DECIDES}], ids=["actor", "basis", "decision"]
)
def test_a_ruling_needs_an_actor_a_basis_and_a_decision(empty):
    whole = {"effect": Effect.EFFECTIVE, "actor": "urzednik", "at": NOW, "basis": "x"}
    with pytest.raises(OperationRefused, match=r"effectiveness\.ruling_empty"):
        ruled(judge([], form=FORM, channel=Channel.PULL, lodged_at=NOW), **{**whole, **empty})
