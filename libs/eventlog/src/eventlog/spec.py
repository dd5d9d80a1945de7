"""Given / when / then for any aggregate: the past, a wish, what comes of it."""

from collections.abc import Sequence
from typing import Generic, Self, TypeVar

from contracts.messages import Command, Event
from contracts.verdicts import Refusal
from eventlog.aggregate import Aggregate, Decision, NotFound

S = TypeVar("S")


class Spec(Generic[S]):
    """`Spec(aggregate).given(*events).when(command).then(expected)`."""

    def __init__(self, aggregate: Aggregate[S], state: S | None = None) -> None:
        self._aggregate = aggregate
        self._state = state

    def given(self, *events: Event) -> Self:
        """Continues from these facts; a new Spec, so that a common past can be shared."""
        state = self._state
        for event in events:
            state = self._aggregate.evolve(state, event)
        return type(self)(self._aggregate, state)

    @property
    def state(self) -> S:
        assert self._state is not None, "nothing was given"
        return self._state

    def when(self, command: Command) -> "Outcome[S]":
        decision = self._aggregate.decide(self._state, command)
        # Deciding is a calculation: the same question on the same state has the same answer.
        assert self._aggregate.decide(self._state, command) == decision, "decide is not pure"
        return Outcome(self._aggregate, self._state, decision)


class Outcome(Generic[S]):
    def __init__(self, aggregate: Aggregate[S], before: S | None, decision: Decision) -> None:
        self._aggregate = aggregate
        self._before = before
        self.decision = decision

    def then(self, expected: Event) -> S:
        """Exactly this fact; returns the state after it."""
        assert self.decision == expected, f"expected {expected!r}, got {self.decision!r}"
        return self._aggregate.evolve(self._before, expected)

    def then_event(self, kind: type[Event]) -> S:
        """A fact of this kind; returns the state after it."""
        assert isinstance(self.decision, kind), f"expected a {kind.__name__}, got {self.decision!r}"
        return self._aggregate.evolve(self._before, self.decision)

    def then_refused(self, code: str) -> Refusal:
        assert isinstance(self.decision, Refusal), f"expected a refusal, got {self.decision!r}"
        assert self.decision.code == code, f"expected {code}, got {self.decision!r}"
        return self.decision

    def then_not_found(self) -> None:
        assert isinstance(self.decision, NotFound), f"expected not found, got {self.decision!r}"

    def then_nothing(self) -> None:
        assert self.decision is None, f"expected nothing, got {self.decision!r}"

    def follow_ups(self) -> Sequence[object]:
        """What is owed to others because of the fact."""
        assert isinstance(self.decision, Event)
        after = self._aggregate.evolve(self._before, self.decision)
        return [item.message for item in self._aggregate.follow_ups(self._before, self.decision, "evt_1", after)]
