"""An office that fetches: nothing is sent and nothing pretended."""

from __future__ import annotations

import pytest

from connectors import registry
from connectors.base import LookUpFailed
from connectors.fetch import FetchConnector
from gateway.testing.steps import MemorySteps
from schemas.delivery import CaseRecord, Unreachable

RECORD = CaseRecord("k", "2009032", "letter", {})


def test_it_says_that_its_office_comes_for_the_cases():
    made = registry.build("fetch", {})
    assert made.capabilities.fetched
    made.check()
    described = next(item for item in registry.describe() if item["name"] == "fetch")
    assert described["capabilities"]["fetched"] is True


def test_nothing_is_sent_even_if_somebody_asks():
    outcome = registry.build("fetch", {}).deliver(RECORD, "k", MemorySteps(FetchConnector.capabilities.repeat))
    assert isinstance(outcome, Unreachable)
    assert outcome.code == "fetch.nothing_sent"


def test_whether_the_office_has_a_case_is_not_pretended_to_be_known():
    with pytest.raises(LookUpFailed):
        registry.build("fetch", {}).find("k")
