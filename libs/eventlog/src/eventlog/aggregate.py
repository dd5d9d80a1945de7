"""What a service writes to own an aggregate: pure functions, and the names of its topics."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from contracts.messages import Command, Event, Message
from contracts.verdicts import Refusal

S = TypeVar("S")


class FollowUp(Struct, frozen=True, kw_only=True):
    """A message owed to somebody because an event was accepted. Its `id` is derived, so that repeats are recognised."""

    topic: str
    key: str
    id: str
    message: Message
    tenant_id: str | None = None


class NotFound(Struct, frozen=True, kw_only=True):
    """For this sender there is no such aggregate. Nothing is recorded: it may be another tenant's."""

    refusal: Refusal


Decision = Event | Refusal | NotFound | None


class Aggregate(Protocol[S]):
    """The rules of one kind of aggregate. Every method is pure: time and ids arrive with the command.

    One command yields at most one event, so a command is recorded whole or not at all.
    """

    name: str
    """Names the consumer group, the checkpoints and the store's collection."""
    commands_topic: str
    events_topic: str
    state_type: type[S]

    def decide(self, state: S | None, command: Command) -> Decision:
        """What a command means on this state: a fact, a refusal, or nothing to do. `state` is None before creation.

        Must be total: whatever the command, it returns. A refusal on an existing aggregate is recorded, so that a
        redelivered command meets the same answer; whoever waits for a verdict must get an event or a refusal.
        """
        ...

    def evolve(self, state: S | None, event: Event) -> S:
        """The state after the event. Every event ever recorded must still be understood."""
        ...

    def index(self, state: S) -> Mapping[str, Any]:
        """Fields stored beside the state, for queries. Must hold `tenant_id`."""
        ...

    def due_at(self, state: S) -> datetime | None:
        """The next instant at which this aggregate wants `when_due` decided."""
        ...

    def when_due(self, aggregate_id: str, now: datetime) -> Command:
        """The command the owner gives itself when `due_at` has come."""
        ...

    def follow_ups(self, before: S | None, event: Event, event_id: str, after: S) -> Sequence[FollowUp]:
        """What others must be told once the event is accepted."""
        ...
