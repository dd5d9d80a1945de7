"""The delivery engine: one lane for each endpoint that has something due, so that none waits for another.

Whoever owns the partition of an endpoint delivers for it. After a crash, and when a partition changes hands, a request
that was made and not recorded is made again: at least once, with the same `webhook-id`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Gauge, Histogram

from chassis import faultpoints
from chassis.sealing import SealingError
from contracts.endpoints import DisableReason, Endpoint
from contracts.webhooks import Attempt
from guarded.client import CallFailedError
from guarded.urls import ForbiddenUrlError
from webhooks.domain.delivering import Delivery, Next, after, is_success, read_retry_after, standing
from webhooks.domain.signing import signed_headers
from webhooks.ports import Deliveries, Disabler, Sender, Standings, Target, Targets

log = structlog.get_logger()

PAGE = 100
"""Deliveries of one endpoint held in memory at once."""
SHOWN_BYTES = 1_024
FRESH_SECONDS = 1.0
"""For which an endpoint is taken to be what it was."""
IDLE_SECONDS = 60.0
"""After which a lane without work is put away."""
LOOK_BACK = timedelta(seconds=10)
"""By how much the clocks of instances may differ."""
RESCAN_EVERY = 60.0
"""Seconds between looks at everything that waits, in case that something was passed over."""
DRAIN_SECONDS = 20.0
_STORE_PAUSE = 0.5
_LONGEST_WAIT = 30.0
_ROUNDING = 1e-6

_ATTEMPTS = Counter("webhooks_attempts_total", "Requests to receivers", ["outcome"])
_SECONDS = Histogram(
    "webhooks_attempt_seconds",
    "How long receivers take",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
_LATENCY = Histogram(
    "webhooks_first_attempt_delay_seconds",
    "From an event to the first request about it",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
_SETTLED = Counter("webhooks_settled_total", "Deliveries that came to an end", ["status"])
_DISABLED = Counter("webhooks_endpoints_disabled_total", "Endpoints disabled for what their receivers did", ["reason"])
_LANES = Gauge("webhooks_lanes", "Endpoints that are being delivered to")


class Limits(Struct, frozen=True, kw_only=True):
    attempt_seconds: float = 15.0
    most_open: int = 2_000
    """Requests under way at once, to all endpoints together."""
    patience: timedelta = timedelta(days=5)
    """For which an endpoint may accept nothing before it is disabled."""
    look_every: float = 0.25
    """Seconds between looks at what other instances have recorded for our endpoints."""


class Courier:
    """Keeps the lanes of the endpoints whose partitions are owned here."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        targets: Targets,
        standings: Standings,
        sender: Sender,
        disabler: Disabler,
        owned: Callable[[], Sequence[int]],
        partition_of: Callable[[str], int],
        now: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        self.deliveries = deliveries
        self.targets = targets
        self.standings = standings
        self.sender = sender
        self.disabler = disabler
        self.now = now
        self.limits = limits
        self.open = asyncio.Semaphore(limits.most_open)
        self.draining = False
        self._owned = owned
        self._partition_of = partition_of
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def notice(self, endpoint_id: str, *, anew: bool = False) -> None:
        """There may be something for this endpoint. With `anew` its order may have changed, or the endpoint itself."""
        partition = self._partition_of(endpoint_id)
        if self.draining or not self.owns(partition):
            return
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            lane = self._lanes[endpoint_id] = _Lane(self, endpoint_id, partition)
            task = asyncio.create_task(self._keep(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        lane.notice(anew=anew)

    def owns(self, partition: int) -> bool:
        return partition in self._owned()

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop`, then lets the requests under way end."""
        scanned: dict[int, float] = {}
        looked = self.now()
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            owned = set(self._owned())
            scanned = {partition: at for partition, at in scanned.items() if partition in owned}
            unseen = {p for p in owned if loop.time() - scanned.get(p, float("-inf")) >= RESCAN_EVERY}
            try:
                if unseen:
                    self._notice_all(await self.deliveries.waiting(unseen))
                    scanned |= dict.fromkeys(unseen, loop.time())
                if owned:
                    now = self.now()
                    self._notice_all(await self.deliveries.arrived(owned, looked - LOOK_BACK, now))
                    looked = now
            except Exception as error:  # the store will come back
                log.warning("what is due cannot be read", reason=type(error).__name__)
                await asyncio.sleep(_STORE_PAUSE)
            await _wait(stop, self.limits.look_every)
        self.draining = True
        for lane in list(self._lanes.values()):
            lane.changed.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()

    def _notice_all(self, found: Iterable[str]) -> None:
        for endpoint_id in found:
            self.notice(endpoint_id)

    async def _keep(self, lane: "_Lane") -> None:
        _LANES.inc()
        try:
            await lane.run()
        finally:
            _LANES.dec()
            if self._lanes.get(lane.endpoint_id) is lane:
                del self._lanes[lane.endpoint_id]


class _Lane:
    """What is due for one endpoint, within its limits."""

    def __init__(self, courier: Courier, endpoint_id: str, partition: int) -> None:
        self.endpoint_id = endpoint_id
        self.changed = asyncio.Event()
        self._courier = courier
        self._partition = partition
        self._ready: deque[Delivery] = deque()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        """By id, until it is recorded how they went."""
        self._busy = 0
        """Requests that are not answered yet: what the receiver feels of us."""
        self._look = True
        """Whether there may be more in the store than is held here."""
        self._next_due: datetime | None = None
        self._next_due_known = False
        self._target: Target | None = None
        self._target_read = float("-inf")
        self._failing_since: datetime | None = None
        self._standing_read = False
        self._paused_until: datetime | None = None
        self._tokens = 0.0
        self._tokens_at: float | None = None

    def notice(self, *, anew: bool) -> None:
        self._look = True
        self._next_due_known = False
        if anew:
            self._ready.clear()
            self._target_read = float("-inf")
        self.changed.set()

    async def run(self) -> None:
        """Until there is nothing to do for a while, or the partition is not ours any more."""
        loop = asyncio.get_running_loop()
        worked_at = loop.time()
        while self._is_ours():
            self.changed.clear()
            try:
                wait = await self._turn()
            except Exception as error:  # the store will come back; until then the other lanes go on
                reason = str(error) if isinstance(error, SealingError) else type(error).__name__
                log.warning("an endpoint cannot be delivered to now", endpoint_id=self.endpoint_id, reason=reason)
                wait = _STORE_PAUSE
            if wait is None:
                break
            if self._under_way or self._ready:
                worked_at = loop.time()
            elif wait == float("inf") and loop.time() - worked_at >= IDLE_SECONDS:
                break
            await _wait(self.changed, min(wait, _LONGEST_WAIT))
        if self._under_way:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _is_ours(self) -> bool:
        return not self._courier.draining and self._courier.owns(self._partition)

    async def _turn(self) -> float | None:
        """Begins what may begin. Seconds until there may be more; None when the endpoint wants nothing."""
        target = await self._current()
        if target is None or target.endpoint.status != "enabled":
            if target is not None and target.endpoint.status == "deleted":
                await self._courier.deliveries.discard(self.endpoint_id)
            return None
        await self._fill(target.endpoint)
        return await self._begin(target)

    async def _current(self) -> Target | None:
        loop = asyncio.get_running_loop()
        if not self._standing_read:
            self._failing_since = await self._courier.standings.load(self.endpoint_id)
            self._standing_read = True
        if loop.time() - self._target_read >= FRESH_SECONDS:
            read = loop.time()
            self._target = await self._courier.targets.load(self.endpoint_id)
            self._target_read = read
        return self._target

    async def _fill(self, endpoint: Endpoint) -> None:
        now = self._courier.now()
        if self._next_due_known and self._next_due is not None and self._next_due <= now:
            self._look = True
        if not self._look or self._ready:
            return
        self._look = False
        skip = set(self._under_way)
        if endpoint.fifo:
            found = await self._courier.deliveries.in_order(self.endpoint_id, limit=PAGE + len(skip))
        else:
            found = await self._courier.deliveries.due(self.endpoint_id, now, skip=skip, limit=PAGE)
        if len(found) >= PAGE:
            self._look = True
        # What has been settled while we read is not to be begun again.
        self._ready.extend(delivery for delivery in found if delivery.id not in skip)
        self._next_due_known = False

    async def _begin(self, target: Target) -> float:
        endpoint = target.endpoint
        window = 1 if endpoint.fifo or self._failing_since is not None else endpoint.max_in_flight
        while self._ready and self._has_room(window):
            now = self._courier.now()
            first = self._ready[0]
            wait = self._pause(first, now) or self._shortage(endpoint.rate_per_second)
            if wait > 0:
                return wait
            self._ready.popleft()
            task = asyncio.create_task(self._deliver(first, target))
            self._under_way[first.id] = task
            self._busy += 1
            task.add_done_callback(partial(self._ended, first.id))
        if self._ready or self._look or self._under_way:
            return 0.0 if self._look and not self._ready and self._has_room(window) else _LONGEST_WAIT
        if not self._next_due_known:
            self._next_due = await self._courier.deliveries.next_due(self.endpoint_id, self._courier.now())
            self._next_due_known = not self._look
        if self._next_due is None:
            return float("inf")
        return max(0.0, (self._next_due - self._courier.now()).total_seconds())

    def _has_room(self, window: int) -> bool:
        return self._busy < window and len(self._under_way) < PAGE

    def _answered(self) -> None:
        self._busy -= 1
        self.changed.set()

    def _ended(self, delivery_id: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(delivery_id, None)
        self.changed.set()

    def _pause(self, first: Delivery, now: datetime) -> float:
        until = max(first.due_at or now, self._paused_until or now)
        return max(0.0, (until - now).total_seconds())

    def _shortage(self, rate: int | None) -> float:
        """Seconds until one more may be sent; takes it when that is now."""
        if rate is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        if self._tokens_at is None:
            self._tokens = float(rate)
        else:
            self._tokens = min(float(rate), self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1 - _ROUNDING:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return 0.0

    # --- one delivery ---------------------------------------------------------------------------------

    async def _deliver(self, delivery: Delivery, target: Target) -> None:
        is_answered = False
        try:
            async with self._courier.open:
                attempt, retry_after = await self._attempt(delivery, target)
            following = after(
                delivery.attempts + 1, attempt, retry_after, now=self._courier.now(), luck=random.random()
            )
            await faultpoints.reached("webhooks.after_call")
            if following.status == "delivered":
                # The receiver is free for the next one, while this is being recorded. After a failure the next one
                # waits for what is decided here: it may have to be the same.
                is_answered = True
                self._answered()
            await self._conclude(delivery, target.endpoint, attempt, following)
        finally:
            if not is_answered:
                self._answered()

    async def _conclude(self, delivery: Delivery, endpoint: Endpoint, attempt: Attempt, following: Next) -> None:
        if not await self._settle(delivery, attempt, following):
            return
        await faultpoints.reached("webhooks.answer_recorded")
        if following.status != "pending":
            _SETTLED.labels(following.status).inc()
        elif endpoint.fifo and following.due_at is not None:
            # Nothing overtakes it.
            again = replace(
                delivery, attempts=delivery.attempts + 1, due_at=following.due_at, log=(*delivery.log, attempt)
            )
            self._ready.appendleft(again)
        self._next_due_known = False
        await self._judge(endpoint, attempt, following)

    async def _attempt(self, delivery: Delivery, target: Target) -> tuple[Attempt, float | None]:
        """What came back, and for how long the receiver wants to be left alone."""
        at = self._courier.now()
        if delivery.attempts == 0 and not delivery.log:
            _LATENCY.observe(max(0.0, (at - delivery.event_time).total_seconds()))
        body = delivery.body()
        headers = {"Content-Type": "application/json", **signed_headers(delivery.id, at, body, target.signers)}
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await faultpoints.reached("webhooks.before_call")
        try:
            answer = await self._courier.sender.post(
                target.endpoint.url,
                body=body,
                headers=headers,
                seconds=self._courier.limits.attempt_seconds,
                max_bytes=SHOWN_BYTES,
                repeatable=True,
            )
        except (CallFailedError, ForbiddenUrlError) as error:
            cause = error.cause if isinstance(error, CallFailedError) else "forbidden"
            _ATTEMPTS.labels(cause).inc()
            return Attempt(at=at, milliseconds=round((loop.time() - begun) * 1_000), error=str(error)), None
        seconds = loop.time() - begun
        _ATTEMPTS.labels(f"{answer.status // 100}xx").inc()
        _SECONDS.observe(seconds)
        attempt = Attempt(
            at=at,
            milliseconds=round(seconds * 1_000),
            status=answer.status,
            response=answer.body.decode(errors="replace"),
        )
        return attempt, read_retry_after(answer.headers.get("retry-after"), self._courier.now())

    async def _settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        """Tried until it is recorded, or somebody else delivers for this endpoint."""
        while True:
            try:
                return await self._courier.deliveries.settle(delivery, attempt, following)
            except Exception as error:  # the request was made: forgetting it would repeat it
                log.warning("an attempt cannot be recorded now", delivery_id=delivery.id, reason=type(error).__name__)
                if not self._is_ours():
                    return False
                await asyncio.sleep(_STORE_PAUSE)

    async def _judge(self, endpoint: Endpoint, attempt: Attempt, following: Next) -> None:
        """What the attempt says about the endpoint."""
        if following.pause_until is not None:
            self._paused_until = max(self._paused_until or following.pause_until, following.pause_until)
        if is_success(attempt):
            if self._failing_since is not None:
                self._failing_since = None
                await self._save_standing()
            return
        if self._failing_since is None or self._failing_since < endpoint.enabled_at:
            self._failing_since = attempt.at
            await self._save_standing()
        if following.gone:
            await self._disable(endpoint, "gone", "The receiver answered 410: it wants nothing any more.", attempt.at)
        elif standing(self._failing_since, self._courier.now(), self._courier.limits.patience) == "lost":
            latest = attempt.error or f"status {attempt.status}"
            since = self._failing_since.isoformat(timespec="seconds")
            detail = f"Nothing was accepted since {since}; the latest attempt: {latest}"
            await self._disable(endpoint, "failing", detail, attempt.at)

    async def _save_standing(self) -> None:
        try:
            await self._courier.standings.save(self.endpoint_id, self._failing_since)
        except Exception as error:  # it only counts days
            log.warning("an endpoint's standing cannot be kept", reason=type(error).__name__)

    async def _disable(self, endpoint: Endpoint, reason: DisableReason, detail: str, at: datetime) -> None:
        try:
            await self._courier.disabler.disable(endpoint, reason, detail, at)
        except Exception as error:  # the next attempt will say the same
            log.warning("an endpoint cannot be disabled now", endpoint_id=self.endpoint_id, reason=type(error).__name__)
            return
        _DISABLED.labels(reason).inc()
        log.warning("endpoint disabled", endpoint_id=self.endpoint_id, tenant_id=endpoint.tenant_id, reason=reason)
        self._target_read = float("-inf")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """For the event, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
