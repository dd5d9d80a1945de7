"""A write with an `Idempotency-Key` happens once, however often it is sent.

The first request of a key leaves a record. The ids of its command and post are made from the key and the time in that
record. So a repeat that has to act again, because the first one died or saw no verdict, sends the very same command,
and the log recognises it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.group_commit import GroupCommit
from gateway.answers import Answer
from gateway.problems import FieldError, ProblemError
from gateway.repository import reading

KEPT_FOR = timedelta(hours=24)
ABANDONED_AFTER = timedelta(seconds=30)
"""A request that has told nothing for so long is taken to have died with its process."""
RELEASED = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
"""The start of a request that has ended without a final answer: the next one may go on at once."""
MAX_KEY = 255


class Record(Struct, frozen=True, kw_only=True):
    id: str
    tenant_id: str
    request: str
    """A hash of method, path and body."""
    first_at: datetime
    started_at: datetime
    """When the request that holds the key now began; proves that it still does."""
    answer: Answer | None = None


class Turn(Struct, frozen=True, kw_only=True):
    """The right to act for a key."""

    record_id: str
    started_at: datetime
    first_at: datetime
    is_first: bool
    """Whether nobody has acted for this key before."""


class Records(Protocol):
    """Compare-and-set over records. Methods raise ProblemError `store_unavailable`."""

    async def insert(self, record: Record) -> bool:
        """False when there is one with this id."""
        ...

    async def get(self, record_id: str) -> Record | None: ...

    async def restart(self, record_id: str, was: datetime, now: datetime) -> bool:
        """Sets `started_at`, if it still is `was` and there is no answer."""
        ...

    async def finish(self, record_id: str, started_at: datetime, answer: Answer) -> None: ...

    async def remove(self, record_id: str, started_at: datetime) -> None: ...


def read_key(value: str | None) -> str | None:
    """Raises ProblemError unless it is 1 to 255 visible ASCII characters."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_KEY or not all("!" <= character <= "~" for character in value):
        raise ProblemError(
            "invalid_parameter",
            f"Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters.",
            errors=(
                FieldError(
                    parameter="Idempotency-Key",
                    rule="idempotency_key",
                    message="Not 1 to 255 visible ASCII characters.",
                    limit=MAX_KEY,
                    actual=len(value),
                ),
            ),
        )
    return value


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class Idempotency:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def begin(
        self, *, tenant_id: str, subject: str, key: str, method: str, path: str, body: bytes, now: datetime
    ) -> Turn | Answer:
        """The stored answer of the first request, or the turn to act. Raises ProblemError when neither may be had."""
        now = now.replace(microsecond=now.microsecond // 1_000 * 1_000)  # what the store keeps of it
        record = Record(
            id=_digest(tenant_id, subject, key),
            tenant_id=tenant_id,
            request=_digest(method, path, body),
            first_at=now,
            started_at=now,
        )
        if await self._records.insert(record):
            return Turn(record_id=record.id, started_at=now, first_at=now, is_first=True)
        found = await self._records.get(record.id)
        if found is None:
            raise _in_flight(1)  # removed between the two looks
        if found.request != record.request:
            raise ProblemError("idempotency_key_reuse", "This Idempotency-Key was used for another request before.")
        if found.answer is not None:
            return found.answer
        waits_until = found.started_at + ABANDONED_AFTER
        if now < waits_until:
            raise _in_flight(max(1, min(30, round((waits_until - now).total_seconds()))))
        if not await self._records.restart(record.id, found.started_at, now):
            raise _in_flight(1)
        return Turn(record_id=record.id, started_at=now, first_at=found.first_at, is_first=False)

    async def finish(self, turn: Turn, answer: Answer) -> None:
        """The answer is final: repeats get it again."""
        await self._records.finish(turn.record_id, turn.started_at, answer)

    async def release(self, turn: Turn) -> None:
        """No final answer: a repeat acts again, with the same ids."""
        await self._records.restart(turn.record_id, turn.started_at, RELEASED)

    async def forget(self, turn: Turn) -> None:
        """Nothing was done at all: the key is as unused."""
        await self._records.remove(turn.record_id, turn.started_at)


def _in_flight(retry_after: int) -> ProblemError:
    return ProblemError(
        "idempotency_in_flight",
        "A request with this Idempotency-Key is in progress.",
        headers={"Retry-After": str(retry_after)},
    )


class MongoRecords:
    """`Records` in the collection `idempotency`; the store removes them after a day."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._records = database["idempotency"]
        self._writes = GroupCommit(self._records)

    async def ensure_indexes(self) -> None:
        """Safe to repeat."""
        await self._records.create_index("first_at", name="ttl", expireAfterSeconds=int(KEPT_FOR.total_seconds()))

    async def insert(self, record: Record) -> bool:
        with reading():
            return await self._writes.insert(
                {
                    "_id": record.id,
                    "tenant_id": record.tenant_id,
                    "request": record.request,
                    "first_at": record.first_at,
                    "started_at": record.started_at,
                    "answer": None,
                }
            )

    async def get(self, record_id: str) -> Record | None:
        with reading():
            found = await self._records.find_one({"_id": record_id})
        if found is None:
            return None
        return Record(
            id=found["_id"],
            tenant_id=found["tenant_id"],
            request=found["request"],
            first_at=found["first_at"],
            started_at=found["started_at"],
            answer=None if found["answer"] is None else _answer(found["answer"]),
        )

    async def restart(self, record_id: str, was: datetime, now: datetime) -> bool:
        with reading():
            return await self._writes.update(record_id, {"started_at": was, "answer": None}, {"started_at": now})

    async def finish(self, record_id: str, started_at: datetime, answer: Answer) -> None:
        stored = {
            "status": answer.status,
            "body": answer.body,
            "media_type": answer.media_type,
            "headers": [list(pair) for pair in answer.headers.items()],
        }
        with reading():
            await self._writes.update(record_id, {"started_at": started_at, "answer": None}, {"answer": stored})

    async def remove(self, record_id: str, started_at: datetime) -> None:
        with reading():
            await self._records.delete_one({"_id": record_id, "started_at": started_at, "answer": None})


def _answer(stored: Mapping[str, Any]) -> Answer:
    return Answer(
        status=stored["status"],
        body=bytes(stored["body"]),
        media_type=stored["media_type"],
        headers=dict(stored["headers"]),
    )
