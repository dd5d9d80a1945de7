"""The acceptance rule: each event of an aggregate names the event it was decided on.

An event counts only if its version is the current one plus one and its `previous_id` is the current event's id.
Whatever else lies in the log (written by an owner that had lost the partition without knowing) is skipped, by every
reader, for ever. The version alone would not do: after a rival's event of version n, a stale owner's n + 1 would
look right although it was decided on the stale owner's own, skipped n.
"""

from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from contracts.messages import Event
from contracts.verdicts import CommandRefused, Refusal
from contracts.wire import Envelope
from eventlog.aggregate import Aggregate

S = TypeVar("S")

MEMO_SIZE = 64
"""Commands an aggregate remembers. A turn never takes more commands of one aggregate than this."""

LOG_SIZE = 1_000
"""Offsets of its newest events that an aggregate remembers, for its history."""


class Memo(Struct, frozen=True, kw_only=True):
    """What became of a command, so that its redelivery gets the same verdict."""

    command_id: str
    version: int
    refusal: Refusal | None = None


class Stored(Struct, Generic[S], frozen=True, kw_only=True):
    """An aggregate's state and its place in the chain."""

    aggregate_id: str
    version: int
    event_id: str
    state: S
    memo: tuple[Memo, ...] = ()
    log: tuple[int, ...] = ()
    """Offsets of its events in the partition, oldest first."""
    traceparent: str | None = None
    """The trace that changed it last."""

    def remembers(self, command_id: str) -> Memo | None:
        for memo in reversed(self.memo):
            if memo.command_id == command_id:
                return memo
        return None


def counts(stored: Stored[S] | None, envelope: Envelope) -> bool:
    """The acceptance rule."""
    if stored is None:
        return envelope.sequence == 1 and envelope.previous_id is None
    return envelope.sequence == stored.version + 1 and envelope.previous_id == stored.event_id


def advance(
    aggregate: Aggregate[S], stored: Stored[S] | None, envelope: Envelope, event: Event, offset: int
) -> Stored[S]:
    """The aggregate after an event that counts."""
    refusal = event.refusal if isinstance(event, CommandRefused) else None
    memo = stored.memo if stored else ()
    version = (stored.version if stored else 0) + 1
    if envelope.command_id is not None:
        memo = (*memo, Memo(command_id=envelope.command_id, version=version, refusal=refusal))[-MEMO_SIZE:]
    if stored is None:
        return Stored(
            aggregate_id=envelope.subject,
            version=version,
            event_id=envelope.id,
            state=aggregate.evolve(None, event),
            memo=memo,
            log=(offset,),
            traceparent=envelope.traceparent,
        )
    return replace(
        stored,
        version=version,
        event_id=envelope.id,
        state=stored.state if refusal else aggregate.evolve(stored.state, event),
        memo=memo,
        log=(*stored.log, offset)[-LOG_SIZE:],
        traceparent=stored.traceparent if refusal else envelope.traceparent,
    )
