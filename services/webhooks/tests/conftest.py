"""Delivering in memory and in virtual time: a day of retries takes a moment."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from contracts.endpoints import DisableReason, Endpoint, SigningKey
from contracts.topics import partition_for
from contracts.webhooks import Attempt
from guarded.client import Answer, CallFailedError
from webhooks.delivering import Courier, Limits
from webhooks.domain.delivering import KEPT_ATTEMPTS, Delivery, Next
from webhooks.domain.signing import Signer
from webhooks.ports import Bell, NewDelivery, PublicEvent, Target
from webhooks.recording import Recorder

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TENANT = "tenant_a"
T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Nothing to wait for but timers: those are due at once, and the clock says so."""

    def __init__(self, jump: Callable[[float], None], under_way: float) -> None:
        super().__init__()
        self._jump = jump
        self._under_way = under_way

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0 if timeout is None else min(timeout, self._under_way))
        if not found and timeout is not None and timeout > 0:
            self._jump(timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything can run, and jumps to the next timer when nothing can."""

    def __init__(self, under_way: float) -> None:
        self._virtual = 0.0
        super().__init__(_Selector(self._jump, under_way))

    def _jump(self, seconds: float) -> None:
        self._virtual += seconds

    def time(self) -> float:
        return self._virtual


def run_virtually(main: Coroutine[Any, Any, T], under_way: float = 0.0) -> T:
    loop = VirtualLoop(under_way)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class MemoryDeliveries:
    """`webhooks.ports.Deliveries`, and the queue of the recorder."""

    def __init__(self) -> None:
        self.stored: dict[str, Delivery] = {}
        self._numbered: dict[str, list[str]] = {}
        """Ids by endpoint, in the order of their numbers."""
        self.fails = 0
        """The next so many calls fail."""
        self.slowness = 0.0
        """Seconds that a call takes."""
        self.calls: Counter[str] = Counter()
        self.read = 0
        """Deliveries that queries returned."""
        self.bells: dict[str, Bell] = {}

    async def _check(self, call: str) -> None:
        self.calls[call] += 1
        await asyncio.sleep(self.slowness)
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the store is away")

    async def add(self, new: Sequence[NewDelivery], added: Callable[[Sequence[Delivery]], None] | None = None) -> int:
        await self._check("add")
        made = []
        for each in new:
            if each.id in self.stored:
                continue
            numbered = self._numbered.setdefault(each.endpoint_id, [])
            numbered.append(each.id)
            self.stored[each.id] = Delivery(
                id=each.id,
                tenant_id=each.tenant_id,
                endpoint_id=each.endpoint_id,
                partition=each.partition,
                sequence=len(numbered),
                event_id=each.event_id,
                event_type=each.event_type,
                event_time=each.event_time,
                data=each.data,
                due_at=each.created_at,
                created_at=each.created_at,
                subject=each.subject,
                traceparent=each.traceparent,
            )
            made.append(self.stored[each.id])
        if added is not None and made:
            added(made)
        return len(made)

    def of(self, endpoint_id: str) -> list[Delivery]:
        return [self.stored[each] for each in self._numbered.get(endpoint_id, ())]

    def _pending(self, endpoint_id: str) -> list[Delivery]:
        return [each for each in self.of(endpoint_id) if each.due_at is not None]

    def _found(self, found: Sequence[Delivery]) -> Sequence[Delivery]:
        self.read += len(found)
        return found

    async def due(
        self, partition: int, endpoint_id: str, until: datetime, *, skip: Collection[str], limit: int
    ) -> Sequence[Delivery]:
        await self._check("due")
        found = [
            each
            for each in self._pending(endpoint_id)
            if each.due_at is not None and each.due_at <= until and each.id not in skip
        ]
        return self._found(sorted(found, key=lambda each: (each.due_at, each.sequence))[:limit])

    async def in_order(self, partition: int, endpoint_id: str, *, after: int | None, limit: int) -> Sequence[Delivery]:
        await self._check("in_order")
        return self._found([each for each in self._pending(endpoint_id) if each.sequence > (after or 0)][:limit])

    async def next_due(self, partition: int, endpoint_id: str, after: datetime) -> datetime | None:
        await self._check("next_due")
        return min(
            (each.due_at for each in self._pending(endpoint_id) if each.due_at and each.due_at > after), default=None
        )

    async def waiting(self, partition: int) -> Collection[str]:
        await self._check("waiting")
        return {
            each.endpoint_id for each in self.stored.values() if each.due_at is not None and each.partition == partition
        }

    async def ring(self, endpoint_ids: Collection[str], at: datetime, *, anew: bool = False) -> None:
        await self._check("ring")
        self.bells |= {each: Bell(at=at, anew_at=at if anew else None) for each in endpoint_ids}

    async def rung(self, since: datetime) -> Mapping[str, Bell]:
        await self._check("rung")
        return {each: bell for each, bell in self.bells.items() if bell.at > since}

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        await self._check("settle")
        found = self.stored.get(delivery.id)
        if found is None or found.status != "pending" or found.attempts != delivery.attempts:
            return False
        self.stored[delivery.id] = replace(
            found,
            status=following.status,
            due_at=following.due_at,
            attempts=found.attempts + 1,
            log=(*found.log, attempt)[-KEPT_ATTEMPTS:],
        )
        return True

    async def discard(self, endpoint_id: str) -> None:
        for each in self._numbered.pop(endpoint_id, ()):
            del self.stored[each]

    def reopen(self, delivery_id: str, now: datetime) -> None:
        self.stored[delivery_id] = replace(self.stored[delivery_id], status="pending", due_at=now, attempts=0)


class MemoryTargets:
    """`webhooks.ports.Targets`, and the endpoints of the recorder; disables as the log would."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.known: dict[str, Target] = {}
        self.loads = 0
        self._now = now

    def add(self, endpoint_id: str, **more: Any) -> Endpoint:
        signer = Signer.generate()
        endpoint = Endpoint(
            endpoint_id=endpoint_id,
            tenant_id=more.pop("tenant_id", TENANT),
            url=f"https://{endpoint_id}.example.com/",
            description="",
            event_types=more.pop("event_types", ()),
            fifo=more.pop("fifo", False),
            rate_per_second=more.pop("rate_per_second", None),
            max_in_flight=more.pop("max_in_flight", 8),
            keys=(SigningKey(key_id="key_1", public_key=signer.public_key, created_at=START),),
            enabled_at=START,
            created_by="user",
            created_at=START,
            updated_at=START,
        )
        self.known[endpoint_id] = Target(endpoint=endpoint, signers=(signer,))
        return endpoint

    async def load(self, endpoint_id: str) -> Target | None:
        self.loads += 1
        return self.known.get(endpoint_id)

    async def equip(self, endpoint: Endpoint) -> Target:
        return Target(endpoint=endpoint, signers=self.known[endpoint.endpoint_id].signers)

    async def enabled(self, tenant_ids: Collection[str]) -> Sequence[Endpoint]:
        return [
            target.endpoint
            for target in self.known.values()
            if target.endpoint.tenant_id in tenant_ids and target.endpoint.status == "enabled"
        ]

    def change(self, endpoint_id: str, **changes: Any) -> None:
        target = self.known[endpoint_id]
        changed = replace(target.endpoint, **{"updated_at": self._now(), **changes})
        self.known[endpoint_id] = replace(target, endpoint=changed)

    async def disable(self, endpoint: Endpoint, reason: DisableReason, detail: str, at: datetime) -> None:
        self.change(
            endpoint.endpoint_id, status="disabled", disable_reason=reason, disable_detail=detail, disabled_at=at
        )


class MemoryStandings:
    def __init__(self) -> None:
        self.since: dict[str, datetime | None] = {}

    async def load(self, endpoint_id: str) -> datetime | None:
        return self.since.get(endpoint_id)

    async def save(self, endpoint_id: str, failing_since: datetime | None) -> None:
        self.since[endpoint_id] = failing_since


class MemoryFeed:
    def __init__(self) -> None:
        self.events: dict[str, PublicEvent] = {}

    async def add(self, events: Sequence[PublicEvent], now: datetime) -> None:
        self.events |= {event.id: event for event in events}


Reaction = Callable[[str, str], Awaitable[Answer]]


class Receivers:
    """`webhooks.ports.Sender`: the receivers' side. `react` is asked with the host and the `webhook-id`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.react: Reaction = self._accept
        self.seen: list[tuple[str, datetime, str, bytes, Mapping[str, str]]] = []
        """Endpoint, instant, `webhook-id`, body and headers of each request."""
        self.under_way: dict[str, int] = {}
        self.most_under_way: dict[str, int] = {}

    async def _accept(self, endpoint_id: str, message_id: str) -> Answer:
        await asyncio.sleep(0.01)
        return Answer(status=200, headers={}, body=b"ok")

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        max_bytes: int,
        repeatable: bool = False,
    ) -> Answer:
        endpoint_id = url.removeprefix("https://").partition(".")[0]
        self.seen.append((endpoint_id, self._now(), headers["webhook-id"], body, headers))
        self.under_way[endpoint_id] = self.under_way.get(endpoint_id, 0) + 1
        self.most_under_way[endpoint_id] = max(self.most_under_way.get(endpoint_id, 0), self.under_way[endpoint_id])
        try:
            async with asyncio.timeout(seconds):
                return await self.react(endpoint_id, headers["webhook-id"])
        except TimeoutError as error:
            raise CallFailedError("timeout", "There was no answer in time.") from error
        finally:
            self.under_way[endpoint_id] -= 1

    def ids(self, endpoint_id: str) -> list[str]:
        return [message_id for seen, _, message_id, _, _ in self.seen if seen == endpoint_id]


class World:
    """An engine, and every part around it, in virtual time."""

    def __init__(self, **limits: Any) -> None:
        self.deliveries = MemoryDeliveries()
        self.targets = MemoryTargets(self.now)
        self.standings = MemoryStandings()
        self.feed = MemoryFeed()
        self.receivers = Receivers(self.now)
        self.owned: list[int] = list(range(8))
        self.limits = Limits(**{"look_every": 60.0, **limits})
        self.courier = self.new_courier()
        self.recorder = Recorder(
            endpoints=self.targets,
            queue=self.deliveries,
            feed=self.feed,
            couriers=self,
            partition_of=self.partition_of,
            now=self.now,
        )
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._number = 0
        self.is_recording_elsewhere = False
        """Whether the process that records is not the one that delivers."""

    def new_courier(self) -> Courier:
        return Courier(
            deliveries=self.deliveries,
            targets=self.targets,
            standings=self.standings,
            sender=self.receivers,
            disabler=self.targets,
            owned=lambda: self.owned,
            partition_of=self.partition_of,
            now=self.now,
            limits=self.limits,
        )

    @staticmethod
    def partition_of(endpoint_id: str) -> int:
        return partition_for(endpoint_id, 8)

    def notice(self, endpoint_id: str) -> bool:
        """To the engine of now: there may have been others before."""
        return not self.is_recording_elsewhere and self.courier.notice(endpoint_id)

    def offer(self, endpoint: Endpoint, deliveries: Sequence[Delivery]) -> bool:
        return not self.is_recording_elsewhere and self.courier.offer(endpoint, deliveries)

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def start(self) -> None:
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self.courier.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        if self._running is not None:
            await self._running

    async def crash(self) -> None:
        """The engine is gone from one moment to the next, and a new one begins."""
        for task in [*self.courier._tasks, *([self._running] if self._running else [])]:
            task.cancel()
        for lane in list(self.courier._lanes.values()):
            for task in lane._under_way.values():
                task.cancel()
        await asyncio.sleep(0)
        self.courier = self.new_courier()
        self.start()

    def event(self, kind: str = "social.post_published", tenant_id: str = TENANT) -> PublicEvent:
        self._number += 1
        return PublicEvent(
            id=f"evt_{self._number:06}",
            type=kind,
            tenant_id=tenant_id,
            subject="post_1",
            time=self.now(),
            data=b'{"number":%d}' % self._number,
        )

    async def record(self, count: int = 1, kind: str = "social.post_published") -> list[PublicEvent]:
        events = [self.event(kind) for _ in range(count)]
        await self.recorder.record(events)
        return events


Scenario = Callable[[World], Awaitable[None]]


@pytest.fixture
def under_way() -> float:
    """Seconds, real ones, for which what was sent over a socket may be on its way."""
    return 0.0


@pytest.fixture
def play(under_way: float) -> Callable[..., None]:
    """Plays a scenario in virtual time, from start to a clean stop."""

    def play(scenario: Scenario, **limits: Any) -> None:
        async def main() -> None:
            world = World(**limits)
            world.start()
            try:
                await scenario(world)
            finally:
                await world.stop()

        run_virtually(main(), under_way)

    return play
