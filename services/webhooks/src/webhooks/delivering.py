"""The delivery engine: one lane for each endpoint that has something due, so that none waits for another.

What this process records goes from hand to hand; the store is asked for what was there before, for what is to be tried
again, and for what does not fit into memory. What another process records, or changes, is told by a bell.

Whoever owns the partition of an endpoint delivers for it. After a crash, and when a partition changes hands, a request
that was made and not recorded is made again: at least once, with the same `webhook-id`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Gauge, Histogram

from chassis import faultpoints, tracing
from chassis.sealing import SealingError
from contracts.endpoints import DisableReason, Endpoint
from contracts.webhooks import Attempt
from eventlog import messaging
from guarded.client import CallFailedError
from guarded.urls import ForbiddenUrlError
from webhooks.domain.delivering import Delivery, Next, after, is_success, read_retry_after, standing
from webhooks.domain.signing import signed_headers
from webhooks.ports import Bell, Deliveries, Disabler, Sender, Standings, Target, Targets

log = structlog.get_logger()

PAGE = 100
"""Deliveries of one endpoint that are read at once, or wait to be settled."""
HELD = 200
"""Deliveries of one endpoint that wait in memory; what comes beyond is read when there is room."""
SHOWN_BYTES = 1_024
FRESH_SECONDS = 1.0
"""For which an endpoint is taken to be what it was."""
IDLE_SECONDS = 60.0
"""After which a lane without work is put away."""
LOOK_BACK = timedelta(seconds=10)
"""By how much the clocks of instances may differ, and how long a bell may take to be heard."""
RESCAN_EVERY = 600.0
"""Seconds between looks at everything that waits, in case that something was passed over."""
DRAIN_SECONDS = 20.0
_STORE_PAUSE = 0.5
_LONGEST_STORE_PAUSE = 5.0
_SHORTEST_STRIDE = timedelta(milliseconds=250)
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
_AGE = Histogram(
    "webhooks_delivery_age_seconds",
    "From an event to when its receiver had it, retries included",
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 36_000, 86_400, 300_000),
)
_SETTLED = Counter("webhooks_settled_total", "Deliveries that came to an end", ["status"])
_DISABLED = Counter("webhooks_endpoints_disabled_total", "Endpoints disabled for what their receivers did", ["reason"])
for _reason in ("failing", "gone"):
    # From zero on, so that an increase is seen also when the first ones come together.
    _DISABLED.labels(_reason)
_LANES = Gauge("webhooks_lanes", "Endpoints that are being delivered to")


class Limits(Struct, frozen=True, kw_only=True):
    attempt_seconds: float = 15.0
    most_open: int = 2_000
    """Requests under way at once, to all endpoints together."""
    patience: timedelta = timedelta(days=5)
    """For which an endpoint may accept nothing before it is disabled."""
    look_every: float = 0.25
    """Seconds between looks at the bells that other instances ring."""


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
        self._scanned: dict[int, float] = {}
        """When it was looked for everything that waits in a partition."""
        self._heard: Mapping[str, Bell] = {}

    def offer(self, endpoint: Endpoint, deliveries: Sequence[Delivery]) -> bool:
        """These have just been recorded, the endpoint being so. False when another process delivers to it."""
        lane = self._lane(endpoint.endpoint_id)
        if lane is not None:
            lane.offer(endpoint, deliveries)
        return lane is not None

    def notice(self, endpoint_id: str, *, anew: bool = False) -> bool:
        """There may be something for this endpoint. With `anew` its order may have changed, or the endpoint itself.
        False when another process delivers to it.
        """
        lane = self._lane(endpoint_id)
        if lane is not None:
            lane.notice(anew=anew)
        return lane is not None

    def owns(self, partition: int) -> bool:
        return partition in self._owned()

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop`, then lets the requests under way end."""
        pause = self.limits.look_every
        while not stop.is_set():
            try:
                await self._scan()
                await self._listen()
            except Exception as error:  # the store will come back
                log.warning("what is due cannot be read", reason=type(error).__name__)
                pause = min(2 * max(pause, _STORE_PAUSE), _LONGEST_STORE_PAUSE)
            else:
                pause = self.limits.look_every
            await _wait(stop, pause)
        self.draining = True
        for lane in list(self._lanes.values()):
            lane.changed.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()

    async def _scan(self) -> None:
        """Finds everything that waits in partitions that have become ours."""
        owned = set(self._owned())
        self._scanned = {partition: at for partition, at in self._scanned.items() if partition in owned}
        now = asyncio.get_running_loop().time()
        for partition in sorted(owned):
            if now - self._scanned.get(partition, float("-inf")) >= RESCAN_EVERY:
                self._scanned[partition] = now
                try:
                    found = await self.deliveries.waiting(partition)
                except BaseException:
                    self._scanned.pop(partition, None)
                    raise
                for endpoint_id in found:
                    self.notice(endpoint_id)

    async def _listen(self) -> None:
        since = self.now() - LOOK_BACK
        rung = await self.deliveries.rung(since)
        for endpoint_id, bell in rung.items():
            heard = self._heard.get(endpoint_id)
            if bell != heard:
                is_anew = bell.anew_at is not None and bell.anew_at > since
                self.notice(endpoint_id, anew=is_anew and (heard is None or heard.anew_at != bell.anew_at))
        self._heard = rung

    def _lane(self, endpoint_id: str) -> "_Lane | None":
        partition = self._partition_of(endpoint_id)
        if self.draining or not self.owns(partition):
            return None
        lane = self._lanes.get(endpoint_id)
        if lane is None:
            lane = self._lanes[endpoint_id] = _Lane(self, endpoint_id, partition)
            task = asyncio.create_task(self._keep(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return lane

    async def _keep(self, lane: "_Lane") -> None:
        _LANES.inc()
        try:
            await lane.run()
        finally:
            _LANES.dec()
            if self._lanes.get(lane.endpoint_id) is lane:
                del self._lanes[lane.endpoint_id]
            if not self.owns(lane.partition):
                # It may come back before anybody sees that it was gone.
                self._scanned.pop(lane.partition, None)
            elif lane.noticed:
                self.notice(lane.endpoint_id, anew=True)


class _Lane:
    """What is due for one endpoint, within its limits."""

    def __init__(self, courier: Courier, endpoint_id: str, partition: int) -> None:
        self.endpoint_id = endpoint_id
        self.partition = partition
        self.changed = asyncio.Event()
        self.noticed = False
        """Something was said since the last turn."""
        self._courier = courier
        self._ready: deque[Delivery] = deque()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        """By id, until it is recorded how they went."""
        self._busy = 0
        """Requests that are not answered yet: what the receiver feels of us."""
        self._look = True
        """Whether there may be more in the store than is held here."""
        self._reading = False
        self._position: int | None = None
        """FIFO: the number up to which everything has been taken up. None: not known."""
        self._stride = _SHORTEST_STRIDE
        self._horizon: datetime | None = None
        """Until when is read, where a backlog is. None: until now."""
        self._next_due: datetime | None = None
        self._next_due_known = False
        self._target: Target | None = None
        self._target_read = float("-inf")
        self._must_read = False
        self._offered: Endpoint | None = None
        self._failing_since: datetime | None = None
        self._standing_read = False
        self._paused_until: datetime | None = None
        self._tokens = 0.0
        self._tokens_at: float | None = None

    def notice(self, *, anew: bool) -> None:
        self._look = True
        self._next_due_known = False
        if anew:
            self._begin_anew()
            self._must_read = True
        self._wake()

    def offer(self, endpoint: Endpoint, deliveries: Sequence[Delivery]) -> None:
        self._offered = endpoint
        held = self._under_way.keys() | {delivery.id for delivery in self._ready}
        new = [delivery for delivery in deliveries if delivery.id not in held]
        is_next = not endpoint.fifo or (self._position is not None and deliveries[0].sequence == self._position + 1)
        if self._look or self._reading or not is_next or len(self._ready) + len(new) > HELD:
            self._look = True
        else:
            self._ready.extend(new)
            self._position = deliveries[-1].sequence if endpoint.fifo else None
        self._wake()

    def _begin_anew(self) -> None:
        self._ready.clear()
        self._look = True
        self._position = None
        self._horizon = None
        self._stride = _SHORTEST_STRIDE
        self._next_due_known = False

    def _wake(self) -> None:
        self.noticed = True
        self.changed.set()

    async def run(self) -> None:
        """Until there is nothing to do for a while, or the partition is not ours any more."""
        loop = asyncio.get_running_loop()
        worked_at = loop.time()
        pause = _STORE_PAUSE
        while self._is_ours():
            self.changed.clear()
            self.noticed = False
            try:
                wait = await self._turn()
                pause = _STORE_PAUSE
            except Exception as error:  # the store will come back; until then the other lanes go on
                reason = str(error) if isinstance(error, SealingError) else type(error).__name__
                log.warning("an endpoint cannot be delivered to now", endpoint_id=self.endpoint_id, reason=reason)
                # Whatever is said meanwhile, the store is left alone for a while.
                await asyncio.sleep(pause * (1 + random.random()))
                pause = min(2 * pause, _LONGEST_STORE_PAUSE)
                continue
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
        return not self._courier.draining and self._courier.owns(self.partition)

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
        is_stale = loop.time() - self._target_read >= FRESH_SECONDS
        offered, self._offered = self._offered, None
        if offered is not None and (self._target is None or offered.updated_at >= self._target.endpoint.updated_at):
            is_stale = False
        else:
            offered = None
        if self._must_read or is_stale:
            self._target_read, self._must_read = loop.time(), False
            try:
                self._target = await self._courier.targets.load(self.endpoint_id)
            except BaseException:
                self._must_read = True
                raise
        elif offered is not None:
            self._target_read = loop.time()
            self._target = await self._courier.targets.equip(offered)
        return self._target

    async def _fill(self, endpoint: Endpoint) -> None:
        now = self._courier.now()
        if self._next_due_known and self._next_due is not None and self._next_due <= now:
            self._look = True
        if not self._look or self._ready:
            return
        self._look = False
        self._reading = True
        self._next_due_known = False
        try:
            await (self._read_in_order() if endpoint.fifo else self._read_due(now))
        except BaseException:
            self._look = True
            raise
        finally:
            self._reading = False

    async def _read_in_order(self) -> None:
        skip = set(self._under_way)
        found = await self._courier.deliveries.in_order(
            self.partition, self.endpoint_id, after=self._position, limit=PAGE + len(skip)
        )
        if found:
            self._look = True
            self._position = found[-1].sequence
        # What has been settled while we read is not to be begun again.
        self._ready.extend(delivery for delivery in found if delivery.id not in skip)

    async def _read_due(self, now: datetime) -> None:
        """The soonest ones. In a backlog it is not looked far beyond them: what is not needed costs as much to find."""
        until = now if self._horizon is None else min(now, self._horizon)
        skip = set(self._under_way)
        found = await self._courier.deliveries.due(self.partition, self.endpoint_id, until, skip=skip, limit=PAGE)
        due = [delivery.due_at for delivery in found if delivery.due_at is not None]
        if len(due) >= PAGE:
            self._stride = max(due[-1] - due[0], _SHORTEST_STRIDE)
            self._horizon = due[-1] + self._stride
        elif until < now:
            self._stride *= 2
            self._horizon = until + self._stride
        else:
            self._horizon = None
        if self._horizon is not None:
            self._look = True
        self._ready.extend(found)

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
            self._next_due = await self._courier.deliveries.next_due(
                self.partition, self.endpoint_id, self._courier.now()
            )
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
        span = tracing.start(f"deliver {delivery.event_type}", parent=delivery.traceparent)
        about: dict[str, tracing.Value] = {
            **messaging.about_subject(delivery.subject or ""),
            "tenant_id": delivery.tenant_id,
            "endpoint_id": delivery.endpoint_id,
            "delivery_id": delivery.id,
            "attempt": delivery.attempts + 1,
        }
        with tracing.within(span, **about):
            await self._deliver_now(delivery, target)

    async def _deliver_now(self, delivery: Delivery, target: Target) -> None:
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
            self._begin_anew()
            return
        await faultpoints.reached("webhooks.answer_recorded")
        if following.status != "pending":
            _SETTLED.labels(following.status).inc()
            if following.status == "delivered":
                _AGE.observe(max(0.0, (self._courier.now() - delivery.event_time).total_seconds()))
        elif endpoint.fifo and following.due_at is not None:
            # Nothing overtakes it.
            again = replace(
                delivery, attempts=delivery.attempts + 1, due_at=following.due_at, log=(*delivery.log, attempt)
            )
            self._ready.appendleft(again)
        elif following.due_at is not None and self._next_due_known:
            self._next_due = min(self._next_due or following.due_at, following.due_at)
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
        pause = _STORE_PAUSE
        while True:
            try:
                return await self._courier.deliveries.settle(delivery, attempt, following)
            except Exception as error:  # the request was made: forgetting it would repeat it
                log.warning("an attempt cannot be recorded now", delivery_id=delivery.id, reason=type(error).__name__)
                if not self._is_ours():
                    return False
                await asyncio.sleep(pause * (1 + random.random()))
                pause = min(2 * pause, _LONGEST_STORE_PAUSE)

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
        self._must_read = True


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """For the event, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
