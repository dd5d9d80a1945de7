"""The words of given/when/then must be able to fail."""

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.messages import Command, Event
from eventlog.aggregate import Decision
from eventlog.spec import Spec


@pytest.fixture
def spec(aggregate: Any) -> Spec[Any]:
    return Spec(aggregate)


@pytest.fixture
def added(toy: Any) -> Any:
    return lambda amount: toy.Added(amount=amount, tenant_id="tenant_1", label="")


def test_the_past_decides(spec: Spec[Any], toy: Any, added: Any) -> None:
    after = spec.given(added(3)).when(toy.Add(amount=-2)).then(added(-2))

    assert after.total == 1


def test_a_shared_past_is_not_changed_by_what_follows(spec: Spec[Any], added: Any) -> None:
    past = spec.given(added(3))
    past.given(added(4))

    assert past.state.total == 3


def test_nothing_given_has_no_state(spec: Spec[Any]) -> None:
    with pytest.raises(AssertionError, match="nothing was given"):
        _ = spec.state


def test_another_fact_than_expected_fails(spec: Spec[Any], toy: Any, added: Any) -> None:
    with pytest.raises(AssertionError, match="expected"):
        spec.when(toy.Add(amount=2)).then(added(3))


def test_the_kind_of_fact_is_checked(spec: Spec[Any], toy: Any) -> None:
    assert spec.when(toy.Add(amount=2)).then_event(toy.Added).total == 2
    with pytest.raises(AssertionError, match="expected a Rang"):
        spec.when(toy.Add(amount=2)).then_event(toy.Rang)


def test_a_refusal_is_told_by_its_code(spec: Spec[Any], toy: Any) -> None:
    outcome = spec.when(toy.Add(amount=-1))

    assert outcome.then_refused("below_zero").message == "A tally never goes below zero."
    with pytest.raises(AssertionError, match="expected other"):
        outcome.then_refused("other")
    with pytest.raises(AssertionError, match="expected a refusal"):
        spec.when(toy.Add(amount=1)).then_refused("below_zero")


def test_not_found_and_nothing_are_told_apart(spec: Spec[Any], toy: Any, added: Any) -> None:
    stranger = spec.given(added(3)).when(toy.Add(amount=1, tenant_id="tenant_2"))
    idle = spec.when(toy.SetAlarm(at=None))

    stranger.then_not_found()
    idle.then_nothing()
    with pytest.raises(AssertionError, match="expected nothing"):
        stranger.then_nothing()
    with pytest.raises(AssertionError, match="expected not found"):
        idle.then_not_found()


def test_what_others_are_told_is_shown(spec: Spec[Any], toy: Any, added: Any) -> None:
    assert spec.given(added(3)).when(toy.Add(amount=2)).follow_ups() == [toy.News(total=5)]


def test_a_decision_that_changes_between_two_askings_is_found(aggregate: Any, toy: Any) -> None:
    class Moody(type(aggregate)):  # type: ignore[misc]
        asked = 0

        def decide(self, state: object, command: Command) -> Decision:
            self.asked += 1
            return toy.Added(amount=self.asked, tenant_id="tenant_1", label="")  # type: ignore[no-any-return]

        def index(self, state: object) -> Mapping[str, Any]:
            return {}

        def evolve(self, state: object, event: Event) -> object:
            return state

    with pytest.raises(AssertionError, match="not pure"):
        Spec(Moody()).when(toy.Add(amount=1))
