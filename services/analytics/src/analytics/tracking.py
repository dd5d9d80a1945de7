"""Learning what there is to be measured: from what happens to posts and accounts, and from people's wishes.

The logs say that something has happened; what is live by now is read from the read models, which are projected before
anybody is told. A model that is behind the event is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from analytics.domain.ages import PLANNED, next_reading
from analytics.domain.folding import key_of
from analytics.ports import Announcement, Announcer, Plan, Plans
from contracts.accounts import Account, AccountConnected, AccountDisconnected
from contracts.collecting import ContentType, PostTracked, RefreshAnalytics
from contracts.content import Content, Platform
from contracts.ids import derived_id
from contracts.posts import Post, PostDeleted, Published, RemovalRecorded, Target, TargetOutcomeRecorded, TargetResolved
from contracts.topics import METRICS_SAMPLES
from eventlog.jobs import Job
from platforms.measures import MENTIONS

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds a read model is waited for within one attempt."""
PAUSE = 0.05


class NotProjectedYetError(Exception):
    """The read model is behind the log; its owner may be starting again."""


class States(Protocol):
    """The read models of posts and accounts."""

    async def post(self, post_id: str) -> tuple[int, Post] | None:
        """With its version."""
        ...

    async def account(self, account_id: str) -> tuple[int, Account] | None: ...


class Tracker:
    def __init__(
        self,
        *,
        states: States,
        plans: Plans,
        announcer: Announcer,
        platforms: Sequence[Platform],
        now: Callable[[], datetime],
        ages: Sequence[timedelta] = PLANNED,
        mentions: bool = True,
        refresh_every: timedelta = timedelta(minutes=1),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._states = states
        self._plans = plans
        self._announcer = announcer
        self._platforms = platforms
        self._now = now
        self._ages = ages
        self._mentions = mentions
        self._refresh_every = refresh_every
        self._sleep = sleep

    async def handle(self, job: Job) -> None:
        """Raises NotProjectedYetError; the job is to be tried again then."""
        match job.message:
            case TargetOutcomeRecorded(outcome=Published()) | TargetResolved() | RemovalRecorded() | PostDeleted():
                await self._post(job)
            case AccountConnected() | AccountDisconnected():
                await self._account(job)
            case RefreshAnalytics() as wish:
                await self._refresh(wish)
            case _:
                pass

    async def _post(self, job: Job) -> None:
        post = await self._read(job, self._states.post)
        if post is None:
            return
        known = {plan.id: plan for plan in await self._plans.of_post(post.post_id)}
        for target in post.targets:
            plan_id = key_of(post.post_id, target.target_id)
            if plan_id not in known:
                if target.platform in self._platforms and _is_live(target):
                    known[plan_id] = await self._track(post, target, list(known.values()))
            elif post.deleted or not _is_live(target):
                await self._plans.end(plan_id)

    async def _track(self, post: Post, target: Target, others: Sequence[Plan]) -> Plan:
        published_at = target.published_at or post.updated_at
        kind = content_type(post, target)
        plan = Plan(
            id=key_of(post.post_id, target.target_id),
            kind="post",
            tenant_id=post.tenant_id,
            account_id=target.account_id,
            platform=target.platform,
            due_at=None if post.deleted else next_reading(published_at, self._now(), self._ages),
            since=published_at,
            post_id=post.post_id,
            target_id=target.target_id,
            platform_post_ids=_live_ids(target),
            content_type=kind,
        )
        tracked = PostTracked(
            tenant_id=post.tenant_id,
            account_id=target.account_id,
            platform=target.platform,
            post_id=post.post_id,
            target_id=target.target_id,
            published_at=published_at,
            content_type=kind,
            first=not others,
            first_on_platform=all(other.platform != target.platform for other in others),
        )
        await self._announcer.announce(
            [
                Announcement(
                    topic=METRICS_SAMPLES,
                    key=target.account_id,
                    id=derived_id("smp", "tracked", post.post_id, target.target_id),
                    tenant_id=post.tenant_id,
                    message=tracked,
                )
            ]
        )
        await self._plans.add(plan)
        return plan

    async def _account(self, job: Job) -> None:
        account = await self._read(job, self._states.account)
        if account is None or account.platform not in self._platforms:
            return
        if account.status != "connected":
            await self._plans.end_account(account.account_id)
            return
        now = self._now()
        kinds = ("followers", "mentions") if self._mentions and account.platform in MENTIONS else ("followers",)
        for kind in kinds:
            await self._plans.add(
                Plan(
                    id=f"{account.account_id}|{kind}",
                    kind=kind,
                    tenant_id=account.tenant_id,
                    account_id=account.account_id,
                    platform=account.platform,
                    due_at=now,
                    since=account.connected_at,
                )
            )
        await self._plans.revive_account(account.account_id, now)

    async def _refresh(self, wish: RefreshAnalytics) -> None:
        plans = await self._planned(wish)
        now = self._now()
        for plan in plans:
            await self._plans.ask(plan.id, now, now - self._refresh_every)

    async def _planned(self, wish: RefreshAnalytics) -> Sequence[Plan]:
        """What is planned of the tenant's post. What has just gone live is about to be, and waited for."""
        waited = 0.0
        while True:
            found = await self._states.post(wish.post_id)
            if found is None or found[1].tenant_id != wish.tenant_id:
                return ()
            plans = await self._plans.of_post(wish.post_id)
            known = {plan.id for plan in plans}
            if waited >= PATIENCE or known.issuperset(self._measurable(found[1])):
                return plans
            await self._sleep(PAUSE)
            waited += PAUSE

    def _measurable(self, post: Post) -> set[str]:
        """The plans that a post's live targets are to have."""
        return {
            key_of(post.post_id, target.target_id)
            for target in post.targets
            if target.platform in self._platforms and _is_live(target)
        }

    async def _read(self, job: Job, read: Callable[[str], Awaitable[tuple[int, T] | None]]) -> T | None:
        """The state at the event or later. None when there is none, which nobody will mend."""
        version = job.envelope.sequence or 0
        waited = 0.0
        while True:
            found = await read(job.envelope.subject)
            if found is not None and found[0] >= version:
                return found[1]
            if waited >= PATIENCE:
                raise NotProjectedYetError(f"{job.envelope.subject} is not at version {version} yet")
            await self._sleep(PAUSE)
            waited += PAUSE


def content_type(post: Post, target: Target) -> ContentType:
    """What kind of content went out to a target."""
    if post.kind == "thread":
        return "thread"
    content: Content = target.content or post.parts[0]
    if content.media:
        kind = content.media[0].type
        return "image" if kind == "gif" else kind
    return "link" if content.link is not None else "text"


def _is_live(target: Target) -> bool:
    removed = target.removal is not None and target.removal.status == "removed"
    return target.status == "published" and bool(_live_ids(target)) and not removed


def _live_ids(target: Target) -> tuple[str, ...]:
    if target.live_parts:
        return tuple(part.platform_post_id for part in target.live_parts)
    return () if target.platform_post_id is None else (target.platform_post_id,)
