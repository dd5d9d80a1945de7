"""The service between a real Kafka and a real store, with a publisher that reads whatever it is told to."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from analytics import tracking
from analytics.adapters.models import MongoModels, same
from analytics.bootstrap import serve
from analytics.projecting import Projector
from analytics.rebuild import fold_again
from analytics.settings import Settings
from chassis import store
from contracts.accounts import Account, AccountConnected
from contracts.analytics import AccountMetrics, PostMetrics
from contracts.collecting import (
    CollectAccount,
    CollectPosts,
    FollowersMeasured,
    Mention,
    MentionsFound,
    NotMeasured,
    PostMeasured,
    RefreshAnalytics,
)
from contracts.content import Content, Failure, Media
from contracts.ids import new_id
from contracts.messages import Message, encode
from contracts.posts import LivePart, Post, Published, Target, TargetOutcomeRecorded
from contracts.public_events import SocialEngagementSpike, SocialMentionReceived
from contracts.topics import (
    ACCOUNTS_EVENTS,
    ANALYTICS_COMMANDS,
    ENGAGEMENT_SPIKE,
    MENTION_RECEIVED,
    METRICS_SAMPLES,
    POSTS_EVENTS,
    all_topics,
    collect_requests,
)
from contracts.wire import Envelope, pack, unpack
from eventlog.documents import read_state
from eventlog.kafka import KafkaEventLog, partition_count
from eventlog.ports import Outgoing
from eventlog.provision import provision
from platforms.rollups import Summary

pytestmark = pytest.mark.stack

TENANT = f"tenant_{uuid.uuid4().hex[:8]}"
AGES = (0.5, 1.5, 3.0, 5.0, 600.0)


async def eventually(probe: Callable[[], Awaitable[Any]], seconds: float = 40.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := await probe()):
        assert time.monotonic() < deadline, f"did not come true; the last answer was {found!r}"
        await asyncio.sleep(0.05)
    return found


class Service:
    def __init__(self, bootstrap: str, mongodb_uri: str) -> None:
        self.settings = Settings(
            kafka_bootstrap=bootstrap,
            mongodb_uri=mongodb_uri,
            mongodb_database=f"analytics_{uuid.uuid4().hex[:8]}",
            log_level="WARNING",
            analytics_ages=AGES,
            analytics_poll=0.1,
            analytics_followers_every=2.0,
            analytics_mentions_every=1.0,
            analytics_refresh_every=0.5,
        )
        self.stop = asyncio.Event()
        self.client = store.connect(mongodb_uri)
        self.database = store.database(self.client, self.settings.mongodb_database)
        self.requests: list[CollectPosts | CollectAccount] = []
        self.mentions: list[Mention] = []
        self.impressions: dict[str, int] = {}
        self.refuses: set[str] = set()

    async def __aenter__(self) -> "Service":
        await provision(self.settings.kafka_bootstrap, all_topics())
        self.log = await KafkaEventLog(self.settings.kafka_bootstrap, METRICS_SAMPLES, "test").start()
        self.consumer = AIOKafkaConsumer(
            collect_requests("twitter"),
            bootstrap_servers=self.settings.kafka_bootstrap,
            group_id=None,
            auto_offset_reset="latest",
        )
        await self.consumer.start()
        await self.consumer.seek_to_end()
        self.running = asyncio.create_task(serve(self.settings, self.stop))
        self.publishing = asyncio.create_task(self._publish())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.running
        self.publishing.cancel()
        await self.consumer.stop()
        await self.log.close()
        await self.client.drop_database(self.settings.mongodb_database)
        await self.client.close()

    @asynccontextmanager
    async def another(self) -> AsyncIterator[None]:
        """A second instance, on the same log and the same store."""
        stop = asyncio.Event()
        running = asyncio.create_task(serve(self.settings, stop))
        try:
            yield
        finally:
            stop.set()
            await running

    async def append(
        self, topic: str, key: str, message: Message, *, sequence: int | None = None, id_: str = ""
    ) -> None:
        envelope = Envelope(
            id=id_ or new_id("evt"), source="test", subject=key, time=datetime.now(UTC), sequence=sequence
        )
        headers, value = pack(message, envelope)
        await self.log.publish([Outgoing(topic=topic, key=key, headers=headers, value=value)])

    async def connect(self) -> str:
        account_id, now = new_id("acc"), datetime.now(UTC)
        facts: dict[str, Any] = {
            "account_id": account_id,
            "tenant_id": TENANT,
            "platform": "twitter",
            "platform_user_id": "7",
            "username": "brand",
            "display_name": "Brand",
            "account_type": "personal",
        }
        state = encode(Account(**facts, connected_at=now))
        await self.database["accounts"].insert_one(
            {"_id": account_id, "version": 1, "tenant_id": TENANT, "state": state}
        )
        event = AccountConnected(
            **facts,
            actor="user",
            at=now,
            profile_image=None,
            followers=None,
            permissions=(),
            is_default=False,
            token_expires_at=None,
        )
        await self.append(ACCOUNTS_EVENTS, account_id, event, sequence=1)
        await eventually(lambda: self.database["analytics_plans"].find_one({"account_id": account_id}))
        return account_id

    async def publish(self, *account_ids: str, projected: bool = True) -> str:
        """A post that has just gone live on these accounts."""
        post_id, now = new_id("post"), datetime.now(UTC)
        targets = tuple(
            Target(
                platform="twitter",
                account_id=account_id,
                status="published",
                platform_post_id=f"x{post_id}",
                published_at=now,
                live_parts=(LivePart(index=0, platform_post_id=f"x{post_id}"),),
            )
            for account_id in account_ids
        )
        media = Media(type="image", url="https://example.com/a.png")
        self.post = Post(
            post_id=post_id,
            kind="post",
            tenant_id=TENANT,
            created_by="user",
            created_at=now,
            updated_at=now,
            title="News",
            parts=(Content(text="News", media=(media,)),),
            platforms=("twitter",),
            targets=targets,
            status="published",
            published_at=now,
        )
        if projected:
            await self.project()
        for number, target in enumerate(targets):
            outcome = Published(parts=target.live_parts, at=now)
            event = TargetOutcomeRecorded(at=now, target_id=target.target_id, attempt=1, outcome=outcome)
            await self.append(POSTS_EVENTS, post_id, event, sequence=number + 1)
        return post_id

    async def project(self) -> None:
        document = {"_id": self.post.post_id, "version": 9, "tenant_id": TENANT, "state": encode(self.post)}
        await self.database["posts"].insert_one(document)

    async def metrics(self, post_id: str) -> list[PostMetrics]:
        found = self.database["analytics_posts"].find({"tenant_id": TENANT, "post_id": post_id})
        return [read_state(document, PostMetrics) async for document in found]

    async def _publish(self) -> None:
        async for record in self.consumer:
            envelope, request = unpack(tuple(record.headers), record.value)
            if not isinstance(request, CollectPosts | CollectAccount) or request.tenant_id != TENANT:
                continue
            self.requests.append(request)
            now = datetime.now(UTC)
            who: dict[str, Any] = {"tenant_id": TENANT, "account_id": request.account_id, "platform": "twitter"}
            if isinstance(request, CollectAccount):
                if request.followers:
                    sample: Message = FollowersMeasured(**who, observed_at=now, followers=1_000)
                    await self.append(METRICS_SAMPLES, request.account_id, sample, id_=f"{envelope.id}f")
                if request.mentions_since is not None:
                    sample = MentionsFound(**who, observed_at=now, mentions=tuple(self.mentions))
                    await self.append(METRICS_SAMPLES, request.account_id, sample, id_=f"{envelope.id}m")
                continue
            for post in request.posts:
                what: dict[str, Any] = {"post_id": post.post_id, "target_id": post.target_id}
                if post.post_id in self.refuses:
                    reason = Failure(code="gone", message="Gone.")
                    sample = NotMeasured(**who, **what, subject="post", at=now, reason=reason, gone=True)
                else:
                    count = self.impressions[post.post_id] = self.impressions.get(post.post_id, 0) + 100
                    sample = PostMeasured(
                        **who,
                        **what,
                        published_at=post.published_at,
                        content_type=post.content_type,
                        observed_at=now,
                        counters={"impression_count": count, "like_count": count // 20},
                    )
                await self.append(METRICS_SAMPLES, request.account_id, sample, id_=f"{envelope.id}{post.target_id}")


@pytest.fixture
async def service(kafka_bootstrap: str, mongodb_uri: str) -> AsyncIterator[Service]:
    async with Service(kafka_bootstrap, mongodb_uri) as service:
        yield service


async def test_from_going_live_to_figures_and_the_same_again_from_the_log(service: Service) -> None:
    first, second = await service.connect(), await service.connect()
    post_id = await service.publish(first, second)

    async def measured() -> list[PostMetrics] | None:
        found = await service.metrics(post_id)
        # Two targets, four early ages each: 800 impressions in all.
        return found if service.impressions.get(post_id) == 800 and len(found) == 2 else None

    found = await eventually(measured)
    assert {each.content_type for each in found} == {"image"}
    posts = [request for request in service.requests if isinstance(request, CollectPosts)]
    assert len(posts) == 8
    assert all(post.platform_post_ids == (f"x{post_id}",) for request in posts for post in request.posts)

    async def rolled_up() -> list[Summary] | None:
        days = [
            msgspec.json.decode(day["summary"], type=Summary)
            async for day in service.database["analytics_days"].find({"tenant_id": TENANT})
        ]
        done = sum(day.impressions for day in days) == sum(
            each.readings[-1].counters["impression_count"] for each in await service.metrics(post_id)
        )
        return days if done and len(days) == 2 else None

    days = await eventually(rolled_up)
    # One post on two accounts of one platform counts once.
    assert sum(day.posts for day in days) == 1
    assert sum(day.platform_posts for day in days) == 1
    assert sum(day.targets for day in days) == 2

    async def followers() -> bool:
        return await service.database["analytics_accounts"].count_documents({"_id": {"$in": [first, second]}}) == 2

    await eventually(followers)
    await asyncio.gather(*(service.log.end(partition) for partition in range(8)))
    await again_from_the_log(service)


async def again_from_the_log(service: Service) -> None:
    """Folds everything twice more, into other collections, and compares: with each other and with the live ones."""
    copies = []
    for suffix in ("_a", "_b"):
        models = MongoModels(service.database, suffix=suffix)
        for partition in range(await partition_count(service.settings.kafka_bootstrap, METRICS_SAMPLES)):
            await fold_again(service.log, partition, Projector(models, None))
            if suffix == "_b":
                # Whatever is delivered twice changes nothing.
                await fold_again(service.log, partition, Projector(models, None))
        copies.append(await models.contents())
    one, two = copies
    assert {name: set(found) for name, found in one.items()} == {name: set(found) for name, found in two.items()}
    ours = [
        (name, key) for name, found in one.items() for key, document in found.items() if document["tenant_id"] == TENANT
    ]
    assert len(ours) >= 6

    async def settled() -> bool:
        live = await MongoModels(service.database).contents()
        # What was measured meanwhile is in the live ones only.
        return all(
            name == "accounts"
            or live[name][key]["position"] > one[name][key]["position"]
            or same(live[name][key], one[name][key])
            for name, key in ours
        )

    assert await settled()
    assert all(
        one[name][key]["position"] != two[name][key]["position"] or same(one[name][key], two[name][key])
        for name, key in ours
    )


async def test_a_read_model_that_is_behind_is_waited_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []

    class Noted(tracking.NotProjectedYetError):
        def __init__(self, message: str) -> None:
            waited.append(message)
            super().__init__(message)

    async def about(post_id: str) -> bool:
        return any(post_id in message for message in waited)

    monkeypatch.setattr(tracking, "NotProjectedYetError", Noted)
    account = await service.connect()
    post_id = await service.publish(account, projected=False)
    await eventually(lambda: about(post_id))
    assert await service.metrics(post_id) == []
    await service.project()
    await eventually(lambda: service.metrics(post_id))


async def test_what_is_gone_is_left_alone(service: Service) -> None:
    account = await service.connect()
    post_id = await service.publish(account)
    service.refuses.add(post_id)

    async def gone() -> bool:
        return any(each.gone for each in await service.metrics(post_id))

    async def not_planned() -> bool:
        plan = await service.database["analytics_plans"].find_one({"post_id": post_id})
        return plan is not None and plan["due_at"] is None

    await eventually(gone)
    await eventually(not_planned)


async def test_somebody_wants_numbers_now(service: Service) -> None:
    account = await service.connect()
    post_id = await service.publish(account)

    async def early_ages_are_over() -> bool:
        return service.impressions.get(post_id) == 400

    await eventually(early_ages_are_over)
    wish = RefreshAnalytics(post_id=post_id, tenant_id=TENANT, actor="user", issued_at=datetime.now(UTC))
    other = RefreshAnalytics(post_id=post_id, tenant_id="tenant_x", actor="user", issued_at=datetime.now(UTC))
    await service.append(ANALYTICS_COMMANDS, post_id, other)
    for _ in range(3):
        await service.append(ANALYTICS_COMMANDS, post_id, wish)

    async def read_again() -> bool:
        return service.impressions[post_id] == 500

    async def back_to_the_plan() -> bool:
        plan = await service.database["analytics_plans"].find_one({"post_id": post_id})
        return plan is not None and plan["due_at"] > datetime.now(UTC) + timedelta(seconds=300)

    await eventually(read_again)
    await eventually(back_to_the_plan)
    assert service.impressions[post_id] == 500


async def test_two_instances_ask_for_nothing_twice(service: Service) -> None:
    async with service.another():
        accounts = [await service.connect() for _ in range(3)]
        ids = [await service.publish(*accounts) for _ in range(4)]

        async def early_ages_are_over() -> bool:
            return [service.impressions.get(post_id) for post_id in ids] == [1_200] * 4

        await eventually(early_ages_are_over)
        asked = [
            (post.post_id, post.target_id)
            for request in service.requests
            if isinstance(request, CollectPosts)
            for post in request.posts
        ]
        assert Counter(asked) == {(post_id, f"twitter:{account}"): 4 for post_id in ids for account in accounts}


async def announced(bootstrap: str, topic: str) -> list[tuple[Envelope, Message]]:
    """All of the public events that are there."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [unpack(tuple(record.headers), record.value) for record in records]
        return found
    finally:
        await consumer.stop()


async def test_a_spike_is_announced_once(service: Service, kafka_bootstrap: str) -> None:
    """Twelve posts like each other, and a thirteenth that gains ten times as much in its second age, over Kafka."""
    account_id = new_id("acc")
    start = datetime.now(UTC) - timedelta(days=20)
    gained = [(20 + number, 30 + number) for number in range(12)] + [(25, 350)]
    ids = []
    for number, (first, second) in enumerate(gained):
        ids.append(new_id("post"))
        published = start + timedelta(days=number)
        for age, count in ((timedelta(minutes=5), first), (timedelta(minutes=15), first + second)):
            sample = PostMeasured(
                tenant_id=TENANT,
                account_id=account_id,
                platform="twitter",
                post_id=ids[-1],
                target_id=f"twitter:{account_id}",
                published_at=published,
                content_type="text",
                observed_at=published + age,
                counters={"impression_count": count * 20, "like_count": count},
            )
            # The last one comes twice, as after a crash.
            for _ in range(2 if number == len(gained) - 1 else 1):
                await service.append(METRICS_SAMPLES, account_id, sample, id_=f"s{ids[-1]}{age}")

    async def told() -> list[tuple[Envelope, SocialEngagementSpike]]:
        events = await announced(kafka_bootstrap, ENGAGEMENT_SPIKE)
        return [
            (envelope, event)
            for envelope, event in events
            if isinstance(event, SocialEngagementSpike) and event.account_id == account_id
        ]

    async def all_folded() -> bool:
        state = await service.database["analytics_accounts"].find_one({"_id": account_id})
        return state is not None and len(read_state(state, AccountMetrics).gains) == len(gained)

    await eventually(told)
    await eventually(all_folded)
    ((envelope, spike),) = await told()
    assert (spike.post_id, spike.value, spike.metric, spike.tenant_id) == (ids[-1], 350.0, "engagements", TENANT)
    # The median of 30 to 41 is 35.5, and (350 + 1) / (35.5 + 1) is 9.62.
    assert (spike.baseline, spike.factor) == (35.5, 9.62)
    assert spike.detected_at == start + timedelta(days=12, minutes=15)
    assert envelope.tenant_id == TENANT


async def test_a_mention_is_announced_once(service: Service, kafka_bootstrap: str) -> None:
    account = await service.connect()
    at = datetime.now(UTC).replace(microsecond=0)
    service.mentions = [
        Mention(mention_id=f"m{n}", kind="mention", author="customer", text="Hi", url=None, mentioned_at=at)
        for n in range(3)
    ]

    async def looked_several_times() -> bool:
        return len([each for each in service.requests if isinstance(each, CollectAccount) and each.mentions_since]) >= 4

    await eventually(looked_several_times)
    ours = [
        (envelope.id, event.mention_id)
        for envelope, event in await announced(kafka_bootstrap, MENTION_RECEIVED)
        if isinstance(event, SocialMentionReceived) and event.account_id == account
    ]
    assert sorted(mention_id for _, mention_id in ours) == ["m0", "m1", "m2"]
    assert len({id_ for id_, _ in ours}) == 3
    looks = [each for each in service.requests if isinstance(each, CollectAccount) and each.account_id == account]
    since = [each.mentions_since for each in looks if each.mentions_since is not None]
    assert since == sorted(since)
