"""Asking the publisher for what is due.

What is due is claimed for a while, asked for, and moved to its next time: several planners do not ask twice, and what a
planner that dies has claimed is asked for by another.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge

from analytics.domain.ages import PLANNED, next_reading
from analytics.ports import Announcement, Announcer, Models, Plan, Plans
from chassis.health import Heartbeat
from contracts.collecting import CollectAccount, CollectPosts, LivePost, NotMeasured
from contracts.ids import derived_id
from contracts.topics import collect_requests

log = structlog.get_logger()

REQUESTED = Counter("analytics_requests_total", "Readings asked for", ("platform", "kind"))
OVERDUE = Gauge("analytics_oldest_overdue_seconds", "Age of the oldest reading that is due and not asked for yet")

CLAIM = timedelta(seconds=60)
AT_ONCE = 500
POSTS_A_REQUEST = 50
"""Fifty videos go into one call of YouTube, a hundred posts into one of X."""
OVERLAP = timedelta(minutes=5)
"""Platforms show mentions late, so each look begins a little before the last one ended."""
STALE_AFTER = 60.0


class Planner:
    def __init__(
        self,
        *,
        plans: Plans,
        models: Models,
        announcer: Announcer,
        now: Callable[[], datetime],
        ages: Sequence[timedelta] = PLANNED,
        followers_every: timedelta = timedelta(days=1),
        mentions_every: timedelta = timedelta(minutes=15),
        poll: float = 1.0,
    ) -> None:
        self._plans = plans
        self._models = models
        self._announcer = announcer
        self._now = now
        self._ages = ages
        self._every = {"followers": followers_every, "mentions": mentions_every}
        self._poll = poll
        self._planned_at = now()
        self._planning = Heartbeat("planning", stale_after=STALE_AFTER)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._planning.beat()
            try:
                busy = await self.plan_due() == AT_ONCE
            except Exception:
                log.exception("planning failed, will be tried again")
                # What is due cannot be asked for, and maybe not even read.
                OVERDUE.set((self._now() - self._planned_at).total_seconds())
                busy = False
            else:
                self._planned_at = self._now()
            if not busy:
                try:
                    async with asyncio.timeout(self._poll):
                        await stop.wait()
                except TimeoutError:
                    pass

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        return self._planning.missed()

    async def plan_due(self) -> int:
        """Asks for what is due now; how much that was."""
        now = self._now()
        due = await self._plans.due(now, AT_ONCE)
        OVERDUE.set(max(0.0, (now - due[0].due_at).total_seconds()) if due and due[0].due_at else 0.0)
        if not due:
            return 0
        until = now + CLAIM
        won = await asyncio.gather(*(self._plans.move(plan.id, plan.due_at, until) for plan in due))
        claimed = [plan for plan, ours in zip(due, won, strict=True) if ours]
        await self._announcer.announce(await self._requests(claimed, now))
        for plan in claimed:
            REQUESTED.labels(plan.platform, plan.kind).inc()
        await asyncio.gather(*(self._plans.move(plan.id, until, self._next(plan, now)) for plan in claimed))
        return len(due)

    async def not_measured(self, sample: NotMeasured) -> None:
        """Asks again when the publisher says that it may help; never again for what is gone."""
        plan_id = (
            f"{sample.post_id}|{sample.target_id}"
            if sample.subject == "post"
            else f"{sample.account_id}|{sample.subject}"
        )
        if sample.gone:
            await self._plans.end(plan_id)
        elif sample.retry_at is not None:
            await self._plans.hasten(plan_id, sample.retry_at)

    async def _requests(self, plans: Sequence[Plan], now: datetime) -> list[Announcement]:
        posts: dict[str, list[Plan]] = defaultdict(list)
        accounts: dict[str, list[Plan]] = defaultdict(list)
        for plan in plans:
            (posts if plan.kind == "post" else accounts)[plan.account_id].append(plan)
        found = [
            self._request(chunk, _collect_posts(chunk, self._expiry(chunk, now)))
            for of_account in posts.values()
            for chunk in _chunks(of_account)
        ]
        models = await self._models.accounts(list(accounts))
        for account_id, of_account in accounts.items():
            model = models.get(account_id)
            read_to = None if model is None else model.state.mentions_read_to
            found.append(
                self._request(of_account, _collect_account(of_account, read_to, self._expiry(of_account, now)))
            )
        return found

    def _request(self, plans: Sequence[Plan], command: CollectPosts | CollectAccount) -> Announcement:
        due = [f"{plan.id}@{plan.due_at.isoformat() if plan.due_at else ''}" for plan in plans]
        return Announcement(
            topic=collect_requests(command.platform),
            key=command.account_id,
            id=derived_id("req", *due),
            tenant_id=command.tenant_id,
            message=command,
        )

    def _expiry(self, plans: Sequence[Plan], now: datetime) -> datetime:
        """When the next reading takes its place."""
        return min(
            (at for plan in plans if (at := self._next(plan, now)) is not None), default=now + timedelta(hours=1)
        )

    def _next(self, plan: Plan, now: datetime) -> datetime | None:
        every = self._every.get(plan.kind)
        return next_reading(plan.since, now, self._ages) if every is None else now + every


def _collect_posts(plans: Sequence[Plan], expires_at: datetime) -> CollectPosts:
    first = plans[0]
    return CollectPosts(
        tenant_id=first.tenant_id,
        account_id=first.account_id,
        platform=first.platform,
        posts=tuple(_live(plan) for plan in plans),
        expires_at=expires_at,
    )


def _collect_account(plans: Sequence[Plan], read_to: datetime | None, expires_at: datetime) -> CollectAccount:
    first = plans[0]
    since = None
    if any(plan.kind == "mentions" for plan in plans):
        since = first.since if read_to is None else max(first.since, read_to - OVERLAP)
    return CollectAccount(
        tenant_id=first.tenant_id,
        account_id=first.account_id,
        platform=first.platform,
        followers=any(plan.kind == "followers" for plan in plans),
        mentions_since=since,
        expires_at=expires_at,
    )


def _live(plan: Plan) -> LivePost:
    return LivePost(
        post_id=plan.post_id or "",
        target_id=plan.target_id or "",
        platform_post_ids=plan.platform_post_ids,
        published_at=plan.since,
        content_type=plan.content_type or "text",
    )


def _chunks(plans: Sequence[Plan]) -> list[Sequence[Plan]]:
    return [plans[start : start + POSTS_A_REQUEST] for start in range(0, len(plans), POSTS_A_REQUEST)]
