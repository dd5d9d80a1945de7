"""What is asked of the publisher, and when: with several planners, planners that die, and wishes that come early."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from analytics.domain.ages import next_reading
from analytics.planning import CLAIM, OVERDUE, Planner
from analytics.ports import Announcement, FoldedAccount, Plan
from analytics.tracking import Tracker
from contracts.accounts import Account
from contracts.collecting import CollectAccount, CollectPosts, NotMeasured, PostTracked, RefreshAnalytics
from contracts.content import Content, Failure, LivePart
from contracts.messages import Message
from contracts.posts import Post, Published, Target, TargetOutcomeRecorded
from contracts.wire import Envelope
from eventlog.jobs import Job

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class MemoryPlans:
    """`analytics.ports.Plans`. Every call lets others go first, as a store does."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}

    async def add(self, plan: Plan) -> None:
        await asyncio.sleep(0)
        self.plans.setdefault(plan.id, plan)

    async def of_post(self, post_id: str) -> Sequence[Plan]:
        await asyncio.sleep(0)
        return [plan for plan in self.plans.values() if plan.post_id == post_id]

    async def due(self, until: datetime, limit: int) -> Sequence[Plan]:
        await asyncio.sleep(0)
        found = [plan for plan in self.plans.values() if plan.due_at is not None and plan.due_at <= until]
        return sorted(found, key=lambda plan: plan.due_at or until)[:limit]

    async def move(self, plan_id: str, from_: datetime | None, to: datetime | None) -> bool:
        await asyncio.sleep(0)
        if self.plans[plan_id].due_at != from_:
            return False
        self._set(plan_id, due_at=to)
        return True

    async def hasten(self, plan_id: str, to: datetime) -> None:
        due_at = self.plans[plan_id].due_at
        if due_at is not None and due_at > to:
            self._set(plan_id, due_at=to)

    async def ask(self, plan_id: str, now: datetime, before: datetime) -> bool:
        plan = self.plans[plan_id]
        if plan.due_at is None or (plan.requested_at is not None and plan.requested_at > before):
            return False
        self._set(plan_id, due_at=now, requested_at=now)
        return True

    async def end(self, plan_id: str) -> None:
        self._set(plan_id, due_at=None)

    async def end_account(self, account_id: str) -> None:
        for plan in [plan for plan in self.plans.values() if plan.account_id == account_id]:
            self._set(plan.id, due_at=None)

    async def revive_account(self, account_id: str, now: datetime) -> None:
        for plan in [plan for plan in self.plans.values() if plan.account_id == account_id]:
            if plan.kind != "post" and plan.due_at is None:
                self._set(plan.id, due_at=now)

    def _set(self, plan_id: str, **changes: Any) -> None:
        self.plans[plan_id] = replace(self.plans[plan_id], **changes)


class Accounts:
    """What planning needs of `analytics.ports.Models`: nothing has been read of any account."""

    async def accounts(self, account_ids: Collection[str]) -> Mapping[str, FoldedAccount]:
        return {}


class Announced:
    """`analytics.ports.Announcer`. `dies`: what it is given never arrives."""

    def __init__(self) -> None:
        self.told: list[Announcement] = []
        self.dies = False

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        await asyncio.sleep(0)
        if self.dies:
            raise ConnectionError
        self.told += announcements

    def readings(self) -> list[str]:
        """Post by post, as often as it was asked for."""
        requests = [each.message for each in self.told if isinstance(each.message, CollectPosts)]
        return [post.post_id for request in requests for post in request.posts]


class World:
    def __init__(self) -> None:
        self.now = START
        self.plans = MemoryPlans()
        self.announced = Announced()
        self.posts: dict[str, tuple[int, Post]] = {}
        self.meanwhile: list[Any] = []

    def planner(self) -> Planner:
        return Planner(
            plans=self.plans,
            models=Accounts(),  # type: ignore[arg-type]  # a part of it
            announcer=self.announced,
            now=lambda: self.now,
        )

    def tracker(self) -> Tracker:
        return Tracker(
            states=self,
            plans=self.plans,
            announcer=self.announced,
            platforms=("twitter", "linkedin"),
            now=lambda: self.now,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        if self.meanwhile:
            await self.meanwhile.pop(0)

    async def post(self, post_id: str) -> tuple[int, Post] | None:
        return self.posts.get(post_id)

    async def account(self, account_id: str) -> tuple[int, Account] | None:
        return None

    def plan(self, post_id: str, *, account_id: str = "acc", age: timedelta = timedelta()) -> None:
        since = self.now - age
        plan = Plan(
            id=f"{post_id}|twitter:{account_id}",
            kind="post",
            tenant_id="t",
            account_id=account_id,
            platform="twitter",
            due_at=next_reading(since, self.now),
            since=since,
            post_id=post_id,
            target_id=f"twitter:{account_id}",
            platform_post_ids=("1",),
            content_type="text",
        )
        self.plans.plans[plan.id] = plan

    def goes_live(self, post_id: str, *platforms: Any) -> Job:
        part = LivePart(index=0, platform_post_id="1")
        targets = tuple(
            Target(
                platform=platform,
                account_id="acc",
                status="published",
                platform_post_id="1",
                published_at=self.now,
                live_parts=(part,),
            )
            for platform in platforms
        )
        post = Post(
            post_id=post_id,
            kind="post",
            tenant_id="t",
            created_by="user",
            created_at=self.now,
            updated_at=self.now,
            title=None,
            parts=(Content(text="News"),),
            platforms=platforms,
            targets=targets,
            status="published",
            published_at=self.now,
        )
        self.posts[post_id] = 1, post
        return job(
            post_id,
            TargetOutcomeRecorded(
                at=self.now, target_id=targets[0].target_id, attempt=1, outcome=Published(parts=(part,), at=self.now)
            ),
        )


def job(subject: str, message: Message) -> Job:
    envelope = Envelope(id="evt", source="t", subject=subject, time=START, sequence=1)
    return Job(topic="t", partition=0, offset=0, key=subject, envelope=envelope, message=message)


async def test_planners_do_not_ask_twice() -> None:
    world = World()
    for number in range(120):
        world.plan(f"post_{number:03}", account_id=f"acc_{number % 3}")
    planners = [world.planner(), world.planner(), world.planner()]
    for minutes in (5, 15, 60):
        world.announced.told.clear()
        world.now = START + timedelta(minutes=minutes)
        await asyncio.gather(*(planner.plan_due() for planner in planners for _ in range(2)))
        assert sorted(world.announced.readings()) == [f"post_{number:03}" for number in range(120)]
        sizes = [len(each.message.posts) for each in world.announced.told if isinstance(each.message, CollectPosts)]
        assert max(sizes) <= 50


async def test_what_a_dead_planner_has_claimed_is_asked_for_by_another() -> None:
    world = World()
    world.plan("post_1")
    world.now = due = START + timedelta(minutes=5)
    world.announced.dies = True
    (failed,) = await asyncio.gather(world.planner().plan_due(), return_exceptions=True)
    assert isinstance(failed, ConnectionError)
    world.announced.dies = False
    assert await world.planner().plan_due() == 0
    world.now = due + CLAIM
    await world.planner().plan_due()
    assert world.announced.readings() == ["post_1"]
    await world.planner().plan_due()
    assert world.announced.readings() == ["post_1"]


async def test_what_cannot_be_asked_for_gets_older() -> None:
    world, stop = World(), asyncio.Event()
    world.plan("post_1")
    planner = world.planner()
    world.now = START + timedelta(minutes=20)
    world.announced.dies = True
    running = asyncio.create_task(planner.run(stop))
    (plan_id,) = world.plans.plans
    while world.plans.plans[plan_id].due_at != world.now + CLAIM:  # noqa: ASYNC110  # it is the planner that has to go on
        await asyncio.sleep(0)
    stop.set()
    await running
    assert next(iter(OVERDUE.collect())).samples[0].value == 20 * 60


async def test_a_request_is_void_when_the_next_reading_takes_its_place() -> None:
    world = World()
    world.plan("post_1", age=timedelta(minutes=4))
    world.now = START + timedelta(minutes=2)
    await world.planner().plan_due()
    (request,) = [each.message for each in world.announced.told]
    assert isinstance(request, CollectPosts)
    assert request.expires_at == START - timedelta(minutes=4) + timedelta(minutes=15)


async def test_what_could_not_be_read_is_asked_for_again_and_what_is_gone_is_not() -> None:
    world = World()
    world.plan("post_1")
    world.plan("post_2")
    world.now = START + timedelta(minutes=6)
    planner = world.planner()
    await planner.plan_due()

    def failed(post_id: str, **more: Any) -> NotMeasured:
        return NotMeasured(
            tenant_id="t",
            account_id="acc",
            platform="twitter",
            subject="post",
            post_id=post_id,
            target_id="twitter:acc",
            at=world.now,
            reason=Failure(code="x", message="X."),
            **more,
        )

    await planner.not_measured(failed("post_1", retry_at=world.now + timedelta(minutes=1)))
    await planner.not_measured(failed("post_2", gone=True))
    world.announced.told.clear()
    world.now += timedelta(minutes=1)
    await planner.plan_due()
    assert world.announced.readings() == ["post_1"]
    world.now += timedelta(days=3)
    await planner.plan_due()
    assert world.announced.readings() == ["post_1", "post_1"]


async def test_followers_and_mentions_go_together_and_mentions_overlap() -> None:
    world = World()
    for kind in ("followers", "mentions"):
        plan = Plan(
            id=f"acc|{kind}",
            kind=kind,
            tenant_id="t",
            account_id="acc",
            platform="twitter",
            due_at=START,
            since=START - timedelta(days=1),
        )
        world.plans.plans[plan.id] = plan
    await world.planner().plan_due()
    (request,) = [each.message for each in world.announced.told]
    assert isinstance(request, CollectAccount)
    assert request.followers
    assert request.mentions_since == START - timedelta(days=1)
    assert world.plans.plans["acc|followers"].due_at == START + timedelta(days=1)
    assert world.plans.plans["acc|mentions"].due_at == START + timedelta(minutes=15)


async def test_a_wish_waits_for_what_has_just_gone_live() -> None:
    """The wish and the news come by two topics, and may come in either order."""
    world = World()
    tracker = world.tracker()
    news = world.goes_live("post_1", "twitter", "linkedin", "youtube")
    world.meanwhile = [asyncio.sleep(0), tracker.handle(news)]
    wish = RefreshAnalytics(post_id="post_1", tenant_id="t", actor="user", issued_at=world.now)
    await tracker.handle(job("post_1", wish))
    assert {plan.target_id: plan.due_at for plan in world.plans.plans.values()} == {
        "twitter:acc": world.now,
        "linkedin:acc": world.now,
    }
    tracked = [each.message for each in world.announced.told if isinstance(each.message, PostTracked)]
    assert [each.first for each in tracked] == [True, False]
    await world.planner().plan_due()
    assert world.announced.readings() == ["post_1", "post_1"]


async def test_nobody_refreshes_posts_of_others() -> None:
    world = World()
    tracker = world.tracker()
    await tracker.handle(world.goes_live("post_1", "twitter"))
    (before,) = world.plans.plans.values()
    for tenant_id, post_id in (("other", "post_1"), ("t", "post_2")):
        wish = RefreshAnalytics(post_id=post_id, tenant_id=tenant_id, actor="user", issued_at=world.now)
        await tracker.handle(job(post_id, wish))
    assert list(world.plans.plans.values()) == [before]
