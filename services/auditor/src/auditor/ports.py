"""What the audit asks of the world."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from auditor.domain.comparing import Entry
from auditor.domain.counting import Account
from auditor.domain.findings import Finding
from auditor.domain.totals import Totals


class LogRecord(Struct, frozen=True):
    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None


class Saved(Struct, frozen=True):
    """What was saved last: where reading goes on, and every tenant's sum."""

    positions: Mapping[int, int]
    totals: Mapping[str, Totals]


class AnotherAuditorError(Exception):
    """Another auditor has begun to write the same books."""


class Store(Protocol):
    """The auditor's own books. Nobody else reads or writes them."""

    async def load(self) -> Saved:
        """What was saved last, and the right to save from now on."""
        ...

    async def fetch(self, post_ids: Iterable[str]) -> Mapping[str, Account]:
        """Accounts as they were saved."""
        ...

    async def watched(self, until: datetime) -> Sequence[Account]:
        """Those that are to be watched by then."""
        ...

    async def save(
        self,
        positions: Mapping[int, int],
        accounts: Sequence[Account],
        totals: Mapping[str, Totals],
        findings: Sequence[Finding],
    ) -> None:
        """All of it or nothing, whatever happens meanwhile; a finding that is known already stays as it is.

        Raises AnotherAuditorError.
        """
        ...

    async def forget(self) -> None:
        """Everything but the findings: who loads next begins with the first event."""
        ...

    async def unsettled(self) -> Sequence[Finding]:
        """The findings that nobody has looked into, the oldest first, a thousand at most."""
        ...


class Journal(Protocol):
    """The publisher's journal, read only."""

    async def entries(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]: ...

    async def after(self, entry_id: str, limit: int) -> Sequence[Entry]:
        """The next entries by id; fewer than `limit` at the end."""
        ...

    def all(self) -> AsyncIterator[Entry]: ...


class LogReader(Protocol):
    """The events of posts, from given positions on."""

    async def start(self, positions: Mapping[int, int]) -> None: ...

    async def poll(self) -> Sequence[LogRecord]:
        """The next records; none after a moment in which there were none."""
        ...

    async def ends(self) -> dict[int, int]:
        """By partition, the offset that the next record will get."""
        ...
