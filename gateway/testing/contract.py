"""The contract every connector must keep, as a pytest suite to inherit from. See docs/connectors.md.

    class TestMine(ConnectorContract, LosesAnswers, GoesDown, Refuses):
        @pytest.fixture
        def office(self) -> MyOffice: ...          # a real server of yours, as OfficeUnderTest below

        @pytest.fixture
        def connector(self, office) -> Connector:  # built with connectors.registry.build
            ...

Leave out a mix-in only where the other side cannot do that at all; say so in your docs. A connector whose office comes
for its cases inherits from FetchedContract alone.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import pytest

from connectors.base import Capabilities, Connector
from connectors.registry import read_options
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Outcome, Refused, Repeat, StepInDoubt, Unreachable, Unsettled
from schemas.errors import ConnectorError


class OfficeUnderTest(Protocol):
    """The other side. `keys` is needed always, the rest only for the mix-ins that use it."""

    def keys(self) -> dict[str, int]:
        """How often each delivery key arrived as a new record."""
        ...

    def lose_answer(self, stored: bool) -> None:
        """The next delivery's answer is lost, after storing or before."""
        ...

    def refuse(self) -> None:
        """The next delivery is refused, for a reason of the office's own."""
        ...

    def down(self) -> None:
        """Not reachable, until `up`."""
        ...

    def up(self) -> None:
        """Reachable."""
        ...


def deliver(connector: Connector, key: str, steps: MemorySteps | None = None) -> Outcome:
    """One try with a sample case."""
    return connector.deliver(a_record(key), key, steps or MemorySteps(connector.capabilities.repeat))


class Declarations:
    """What holds for every connector, whoever calls whom."""

    def test_capabilities_are_declared(self, connector: Connector) -> None:
        assert isinstance(connector.capabilities, Capabilities)
        assert connector.capabilities.repeat is not Repeat.FINDABLE or connector.capabilities.look_up

    def test_an_unknown_option_is_refused(self, connector: Connector) -> None:
        with pytest.raises(ConnectorError) as refused:
            read_options(type(connector), "mine", {"no_such_option_at_all": 1})
        assert "no_such_option_at_all" in refused.value.facts["problems"]

    def test_every_option_says_what_it_is_for(self, connector: Connector) -> None:
        fields = connector.options_model.model_fields
        assert [name for name, field in fields.items() if not field.description and field.is_required()] == []

    def test_check_writes_nothing(self, connector: Connector, office: OfficeUnderTest) -> None:
        connector.check()
        assert office.keys() == {}


class FetchedContract(Declarations):
    """What holds where the office comes for its cases (`capabilities.fetched`): nothing is ever sent."""

    def test_it_is_declared(self, connector: Connector) -> None:
        assert connector.capabilities.fetched
        assert not connector.capabilities.look_up

    def test_delivering_sends_nothing_and_never_says_it_did(
        self, connector: Connector, office: OfficeUnderTest
    ) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        for _ in range(2):
            assert isinstance(deliver(connector, "kontrakt-1", steps.next_attempt()), Unreachable)
        assert steps.calls == []
        assert office.keys() == {}

    def test_a_look_up_never_says_no(self, connector: Connector) -> None:
        with pytest.raises(ConnectorError):
            connector.find("kontrakt-1")


class ConnectorContract(Declarations):
    """What holds for every connector that delivers."""

    def test_it_delivers_itself(self, connector: Connector) -> None:
        assert not connector.capabilities.fetched

    def test_a_case_arrives_once_under_its_key(self, connector: Connector, office: OfficeUnderTest) -> None:
        assert isinstance(deliver(connector, "kontrakt-1"), Delivered)
        assert office.keys() == {"kontrakt-1": 1}

    def test_done_steps_are_not_done_again(self, connector: Connector, office: OfficeUnderTest) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        first = deliver(connector, "kontrakt-1", steps)
        second = deliver(connector, "kontrakt-1", steps.next_attempt())
        assert isinstance(first, Delivered)
        assert first == second
        assert office.keys() == {"kontrakt-1": 1}

    def test_a_safe_connector_may_repeat_without_memory(self, connector: Connector, office: OfficeUnderTest) -> None:
        for _ in range(2 if connector.capabilities.repeat is Repeat.SAFE else 1):
            assert isinstance(deliver(connector, "kontrakt-1"), Delivered)
        assert office.keys() == {"kontrakt-1": 1}

    def test_a_forgotten_result_doubles_nothing(self, connector: Connector, office: OfficeUnderTest) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        deliver(connector, "kontrakt-1", steps)
        for name in list(steps.results):
            steps.forget_result_of(name)
            if connector.capabilities.repeat is Repeat.BLIND:
                with pytest.raises(StepInDoubt):
                    deliver(connector, "kontrakt-1", steps.next_attempt())
                break
            assert isinstance(deliver(connector, "kontrakt-1", steps.next_attempt()), Delivered)
        assert office.keys() == {"kontrakt-1": 1}

    def test_find_says_no_for_what_never_came(self, connector: Connector) -> None:
        if connector.capabilities.look_up:
            assert connector.find("nigdy-nie-przyszlo") is None

    def test_find_knows_what_arrived(self, connector: Connector) -> None:
        if connector.capabilities.look_up:
            assert isinstance(deliver(connector, "kontrakt-1"), Delivered)
            assert connector.find("kontrakt-1") is not None
            assert connector.find("KONTRAKT-1") is None  # nor does it take another key for this one

    def test_threads_share_one_instance(self, connector: Connector, office: OfficeUnderTest) -> None:
        keys = [f"kontrakt-{number}" for number in range(6)]
        outcomes: dict[str, Any] = {}

        def work(own: list[str]) -> None:
            for key in own:
                outcomes[key] = deliver(connector, key)

        threads = [threading.Thread(target=work, args=(keys[start::2],)) for start in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(isinstance(outcomes[key], Delivered) for key in keys)
        assert office.keys() == dict.fromkeys(keys, 1)


class LosesAnswers:
    """For every office whose answer can be lost, which is every office on a network."""

    @pytest.mark.parametrize("stored", [True, False])
    def test_a_lost_answer_is_unsettled_and_ends_in_one_case(
        self, connector: Connector, office: OfficeUnderTest, stored: bool
    ) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        connector.check()
        office.lose_answer(stored)
        assert isinstance(deliver(connector, "kontrakt-1", steps), Unsettled)
        assert office.keys() == ({"kontrakt-1": 1} if stored else {})
        if connector.capabilities.repeat is Repeat.BLIND:
            with pytest.raises(StepInDoubt):
                deliver(connector, "kontrakt-1", steps.next_attempt())
            return
        if connector.capabilities.look_up and not stored:
            assert connector.find("kontrakt-1") is None
        assert isinstance(deliver(connector, "kontrakt-1", steps.next_attempt()), Delivered)
        assert office.keys() == {"kontrakt-1": 1}


class GoesDown:
    """For every office that can be unreachable."""

    def test_an_outage_is_surely_not_delivered_and_heals(self, connector: Connector, office: OfficeUnderTest) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        office.down()
        outcome = deliver(connector, "kontrakt-1", steps)
        with pytest.raises(ConnectorError):
            connector.check()
        office.up()
        assert isinstance(outcome, Unreachable)
        assert isinstance(deliver(connector, "kontrakt-1", steps.next_attempt()), Delivered)
        assert office.keys() == {"kontrakt-1": 1}

    def test_a_look_up_in_an_outage_never_says_no(self, connector: Connector, office: OfficeUnderTest) -> None:
        if not connector.capabilities.look_up:
            return
        deliver(connector, "kontrakt-1")
        office.down()
        try:
            with pytest.raises((ConnectorError, OSError)):
                connector.find("kontrakt-1")
        finally:
            office.up()


class Refuses:
    """For every office that can say no."""

    def test_a_refusal_is_refused_and_leaves_nothing(self, connector: Connector, office: OfficeUnderTest) -> None:
        steps = MemorySteps(connector.capabilities.repeat)
        office.refuse()
        assert isinstance(deliver(connector, "kontrakt-1", steps), Refused)
        assert office.keys() == {}
        assert isinstance(deliver(connector, "kontrakt-1", steps.next_attempt()), Delivered)
        assert office.keys() == {"kontrakt-1": 1}
