"""What the loop asks of the world. Kafka and MongoDB answer in production, memory in tests and in the simulator."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from chassis import tracing
from contracts.messages import Command
from contracts.wire import Envelope, Headers
from eventlog.chain import Stored

S = TypeVar("S")


class AppendFailedError(Exception):
    """No acknowledgement: the records may be in the log, may come to be there, or not."""


class NewRecord(Struct, frozen=True):
    key: str
    headers: Headers
    value: bytes


class LogRecord(Struct, frozen=True):
    offset: int
    headers: Headers
    value: bytes | None


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message for another topic."""

    topic: str
    key: str | None
    headers: Headers
    value: bytes | None
    partition: int | None = None
    """None: chosen by the key."""


class ReceivedCommand(Struct, frozen=True, kw_only=True):
    """A command as the owner of its partition received it, or gave it itself (`offset` None)."""

    aggregate_id: str
    command: Command
    envelope: Envelope
    appended_at: datetime
    offset: int | None
    cause: str | None = None
    """The trace context of what made the owner give it itself."""
    span: tracing.Span | None = None
    """Of its processing, once that has begun."""


class EventLog(Protocol):
    """The events topic of one aggregate kind."""

    async def end(self, partition: int) -> int:
        """The offset the next record will get."""
        ...

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        """Records from `start` on, below `end`: at least one if there are any, not necessarily all."""
        ...

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        """Durable when it returns. The offset of each record, None where the broker did not say.

        Raises AppendFailedError.
        """
        ...


class Outbox(Protocol):
    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Durable when it returns. Raises AppendFailedError."""
        ...


class Documents(Protocol[S]):
    """The projection of one aggregate kind, and how far it has come."""

    async def load(self, aggregate_ids: Iterable[str]) -> Mapping[str, Stored[S]]: ...

    async def save(self, partition: int, changed: Sequence[Stored[S]]) -> None:
        """Durable when it returns. A document is replaced only by a higher version; safe to repeat."""
        ...

    async def due(self, partition: int, until: datetime, limit: int) -> Sequence[tuple[datetime, str]]:
        """Aggregates due by `until`, earliest first."""
        ...

    async def checkpoint(self, partition: int) -> int:
        """Everything below this offset is in the documents; 0 at first."""
        ...

    async def save_checkpoint(self, partition: int, offset: int) -> None:
        """Never goes back."""
        ...
