"""The gateway with everything around it in memory. The decider is the real one: posts' own rules, obeyed at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from msgspec import Raw
from msgspec.structs import replace

from contracts.accounts import Account, AccountStatus
from contracts.analytics import DayEntry, Outcome, PostMetrics
from contracts.collecting import RefreshAnalytics
from contracts.content import Platform
from contracts.messages import Command, Event, Message, encode
from contracts.posts import Post
from contracts.verdicts import CommandRefused, Refusal, Verdict
from contracts.wire import Envelope
from eventlog.aggregate import NotFound
from eventlog.chain import Stored, advance
from eventlog.history import HistoryUnavailableError
from eventlog.sending import AppendUnknownError, NotAppendedError
from gateway.answers import Answer
from gateway.app import create_app
from gateway.auth import TokenVerifier
from gateway.calls import Gateway
from gateway.connections import Redirects
from gateway.dispatch import Dispatcher
from gateway.feed import FedEvent, FeedPage, Streams
from gateway.idempotency import Idempotency, Record
from gateway.insights import AccountFacts, Change, DayPosts, PlannedReading
from gateway.posting_weeks import PostingWeeks
from gateway.problems import ProblemError
from gateway.repository import Cursor, PostFilter, StoredPost
from gateway.settings import Settings
from platforms import rollups
from platforms.rollups import DayRollup
from posts.domain.post import PostAggregate

ISSUER = "https://issuer.example"
AUDIENCE = "social-publishing-api"
TENANT = "tenant_a"
SUBJECT = "user_001"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Log:
    """Commands in, verdicts and events out: a sender, a waiting room and a history at once."""

    partition = 0

    def __init__(self) -> None:
        self.aggregate = PostAggregate()
        self.stored: dict[str, Stored[Post]] = {}
        self.events: list[tuple[Envelope, Message]] = []
        self.sent: list[Command] = []
        self.mood = "prompt"
        """`prompt`, `silent` (decides, tells nobody), `lost` (never acknowledged), `down`, `unreadable`."""
        self.before_deciding: list[Callable[[], None]] = []
        """Taken one by one before each decision: what others do meanwhile."""
        self._expected: dict[str, asyncio.Future[Verdict]] = {}

    def reachable(self) -> bool:
        return self.mood != "down"

    def alive(self) -> bool:
        return True

    def expect(self, command_id: str) -> asyncio.Future[Verdict]:
        return self._expected.setdefault(command_id, asyncio.get_running_loop().create_future())

    def forget(self, command_id: str) -> None:
        self._expected.pop(command_id, None)

    async def send(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str | None,
        reply_partition: int | None = None,
        deadline: datetime | None = None,
        traceparent: str | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109
    ) -> None:
        assert deadline is not None or isinstance(command, RefreshAnalytics)
        if self.mood == "refusing":
            raise NotAppendedError("no broker")
        self.sent.append(command)
        if isinstance(command, RefreshAnalytics):
            return
        if self.mood == "lost":
            raise AppendUnknownError("no acknowledgement")
        if self.before_deciding:
            self.before_deciding.pop(0)()
        verdict = self.obey(key, command, command_id)
        if self.mood == "prompt":
            self._expected[command_id].set_result(verdict)

    def tell_waiting(self, key: str) -> None:
        """The verdicts that a silent decider has kept back: all accepted."""
        for command_id, waiting in self._expected.items():
            waiting.set_result(self._verdict(key, command_id, None))

    def obey(self, key: str, command: Command, command_id: str) -> Verdict:
        before = self.stored.get(key)
        memo = before.remembers(command_id) if before else None
        if memo is not None:
            return self._verdict(key, command_id, memo.refusal)
        decision = self.aggregate.decide(before.state if before else None, command)
        if isinstance(decision, NotFound):
            return self._verdict(key, command_id, decision.refusal)
        if isinstance(decision, Refusal):
            if before is not None:
                self.record(key, CommandRefused(command_type=command.type_name, refusal=decision), command_id)
            return self._verdict(key, command_id, decision)
        if decision is not None:
            self.record(key, decision, command_id)
        return self._verdict(key, command_id, None)

    def record(self, key: str, event: Event, command_id: str | None = None) -> None:
        before = self.stored.get(key)
        version = (before.version if before else 0) + 1
        envelope = Envelope(
            id=f"evt_{len(self.events)}",
            source="test",
            subject=key,
            time=NOW,
            sequence=version,
            previous_id=before.event_id if before else None,
            command_id=command_id,
        )
        self.stored[key] = advance(self.aggregate, before, envelope, event, len(self.events))
        self.events.append((envelope, event))

    def _verdict(self, key: str, command_id: str, refusal: Refusal | None) -> Verdict:
        stored = self.stored.get(key)
        return Verdict(
            command_id=command_id,
            aggregate_id=key,
            version=stored.version if stored else 0,
            refusal=refusal,
            state=Raw(encode(stored.state if stored and refusal is None else None)),
        )

    async def read(self, topic: str, partition: int, offsets: Sequence[int]) -> list[tuple[Envelope, Message]]:
        if self.mood == "unreadable":
            raise HistoryUnavailableError("no broker")
        return [self.events[offset] for offset in offsets]


class MemoryRepository:
    def __init__(self, log: Log) -> None:
        self._log = log
        self.known_accounts: list[Account] = []
        self.is_down = False

    def _check(self) -> None:
        if self.is_down:
            raise ProblemError("store_unavailable", "down")

    async def post(self, tenant_id: str, post_id: str, *, with_deleted: bool = False) -> StoredPost | None:
        self._check()
        stored = self._log.stored.get(post_id)
        if stored is None or stored.state.tenant_id != tenant_id or (stored.state.deleted and not with_deleted):
            return None
        return StoredPost(post=stored.state, version=stored.version, partition=0, log=stored.log, memo=stored.memo)

    def _own(self, tenant_id: str) -> list[Post]:
        self._check()
        states = [stored.state for stored in self._log.stored.values()]
        return [post for post in states if post.tenant_id == tenant_id and not post.deleted]

    async def posts(self, tenant_id: str, only: PostFilter, *, after: Cursor | None, limit: int) -> Sequence[Post]:
        def fits(post: Post) -> bool:
            at = post.schedule.at if post.schedule else None
            return (
                (only.status is None or post.status == only.status)
                and (only.platform is None or only.platform in post.platforms)
                and (only.campaign_id is None or post.campaign_id == only.campaign_id)
                and (only.tag is None or only.tag in post.tags)
                and (only.created_after is None or post.created_at > only.created_after)
                and (only.created_before is None or post.created_at < only.created_before)
                and (only.scheduled_after is None or (at is not None and at > only.scheduled_after))
                and (only.scheduled_before is None or (at is not None and at < only.scheduled_before))
                and (after is None or (post.created_at, post.post_id) < (after.at, after.id))
            )

        found = [post for post in self._own(tenant_id) if fits(post)]
        return sorted(found, key=lambda post: (post.created_at, post.post_id), reverse=True)[:limit]

    async def queue(
        self, tenant_id: str, platform: Platform | None, *, after: Cursor | None, limit: int
    ) -> tuple[Sequence[Post], int]:
        def key(post: Post) -> tuple[datetime, str]:
            assert post.schedule is not None
            return post.schedule.at, post.post_id

        waiting = [
            post
            for post in self._own(tenant_id)
            if post.status == "scheduled" and (platform is None or platform in post.platforms)
        ]
        page = [post for post in sorted(waiting, key=key) if after is None or key(post) > (after.at, after.id)]
        return page[:limit], len(waiting)

    async def accounts(
        self, tenant_id: str, platforms: Sequence[Platform] | None = None, status: AccountStatus | None = None
    ) -> Sequence[Account]:
        self._check()
        return [
            account
            for account in self.known_accounts
            if account.tenant_id == tenant_id
            and (platforms is None or account.platform in platforms)
            and (status is None or account.status == status)
        ]


class MemoryInsights:
    """`gateway.insights.Insights`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.metrics: list[PostMetrics] = []
        self.entries: list[tuple[str, str, Platform, DayEntry]] = []
        """Tenant, account, platform."""
        self.facts: list[tuple[str, AccountFacts]] = []
        self.learned: dict[tuple[str, str], list[Outcome]] = {}
        """By tenant and account."""
        self.plans: dict[tuple[str, str], list[PlannedReading]] = {}
        """By tenant and post."""
        self.changes: list[tuple[str, Change]] = []

    async def posts(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, Sequence[PostMetrics]]:
        own = [each for each in self.metrics if each.tenant_id == tenant_id]
        return {post_id: [each for each in own if each.post_id == post_id] for post_id in post_ids}

    def _by_day(self, tenant_id: str, platform: Platform | None) -> dict[tuple[str, str], DayPosts]:
        found: dict[tuple[str, str], DayPosts] = {}
        for tenant, account_id, on, entry in self.entries:
            if tenant == tenant_id and platform in (None, on):
                key = account_id, entry.published_at.date().isoformat()
                before = found[key].entries if key in found else ()
                found[key] = DayPosts(account_id=account_id, platform=on, entries=(*before, entry))
        return found

    async def days(self, tenant_id: str, platform: Platform | None, first: str, last: str) -> Sequence[DayRollup]:
        return [
            DayRollup(account_id=day.account_id, platform=day.platform, summary=rollups.summary(day.entries))
            for (_, date), day in self._by_day(tenant_id, platform).items()
            if first <= date <= last
        ]

    async def day_posts(self, tenant_id: str, platform: Platform | None, dates: Collection[str]) -> Sequence[DayPosts]:
        return [day for (_, date), day in self._by_day(tenant_id, platform).items() if date in dates]

    async def accounts(self, tenant_id: str, platform: Platform | None) -> Sequence[AccountFacts]:
        return [facts for tenant, facts in self.facts if tenant == tenant_id and platform in (None, facts.platform)]

    async def outcomes(self, tenant_id: str, account_ids: Collection[str]) -> Mapping[str, Sequence[Outcome]]:
        return {
            account_id: tuple(outcomes)
            for (tenant, account_id), outcomes in self.learned.items()
            if tenant == tenant_id and account_id in account_ids
        }

    async def titles(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, str | None]:
        return {
            post_id: stored.state.title
            for post_id in post_ids
            if (stored := self._log.stored.get(post_id)) is not None and stored.state.tenant_id == tenant_id
        }

    async def planned(self, tenant_id: str, post_id: str) -> Sequence[PlannedReading]:
        return self.plans.get((tenant_id, post_id), [])

    async def changed(self, tenant_id: str, since: datetime, limit: int) -> Sequence[Change]:
        own = [change for tenant, change in self.changes if tenant == tenant_id and change.at >= since]
        return sorted(own, key=lambda change: change.at)[:limit]


class MemoryFeed:
    """`gateway.feed.Feed`."""

    def __init__(self) -> None:
        self.events: dict[str, list[FedEvent]] = {}

    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> FeedPage:
        later = [event for event in self.events.get(tenant_id, []) if event.number > number]
        wanted = [event for event in later if not types or event.type in types]
        page, more = tuple(wanted[:limit]), len(wanted) > limit
        position = page[-1].number if more else later[-1].number if later else number
        return FeedPage(events=page, position=position, more=more)

    async def head(self, tenant_id: str) -> int:
        return len(self.events.get(tenant_id, []))


class FakePublisher:
    """The publisher's internal interface: says what it is told to say."""

    def __init__(self, unavailable: str = "connecting_unavailable") -> None:
        self._unavailable = unavailable
        self.asked: list[tuple[str, msgspec.Struct]] = []
        self.answers: dict[str, msgspec.Struct | ProblemError] = {}

    async def call(self, path: str, request: msgspec.Struct, answer: type[Any]) -> Any:
        self.asked.append((path, request))
        told = self.answers.get(path) or ProblemError(self._unavailable, "down")
        if isinstance(told, ProblemError):
            raise told
        assert isinstance(told, answer)
        return told


class MemoryRecords:
    """`gateway.idempotency.Records`."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}

    async def insert(self, record: Record) -> bool:
        if record.id in self.records:
            return False
        self.records[record.id] = record
        return True

    async def get(self, record_id: str) -> Record | None:
        return self.records.get(record_id)

    def _held(self, record_id: str, started_at: datetime) -> Record | None:
        found = self.records.get(record_id)
        return found if found and found.started_at == started_at and found.answer is None else None

    async def restart(self, record_id: str, was: datetime, now: datetime) -> bool:
        if (held := self._held(record_id, was)) is None:
            return False
        self.records[record_id] = replace(held, started_at=now)
        return True

    async def finish(self, record_id: str, started_at: datetime, answer: Answer) -> None:
        if (held := self._held(record_id, started_at)) is not None:
            self.records[record_id] = replace(held, answer=answer)

    async def remove(self, record_id: str, started_at: datetime) -> None:
        if self._held(record_id, started_at) is not None:
            del self.records[record_id]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Issuer:
    """Makes tokens with one known key, and whatever else somebody asks for."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})

    async def load(self) -> bytes:
        return msgspec.json.encode({"keys": [self.key.as_dict(private=False)]})

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A claim set to None is left out."""
        now = int(time.time())
        body = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + 3_600,
            "tenant_id": TENANT,
            "roles": ["creator"],
            **claims,
        }
        return jwt.encode(
            {"alg": "ES256", "typ": "at+jwt", "kid": "k1", **(header or {})},
            {name: value for name, value in body.items() if value is not None},
            self.key,
        )


class World:
    """A gateway, and every part around it."""

    def __init__(self, **settings: Any) -> None:
        self.log = Log()
        self.repository = MemoryRepository(self.log)
        self.insights = MemoryInsights(self.log)
        self.records = MemoryRecords()
        self.clock = Clock()
        self.issuer = Issuer()
        self.settings = Settings(
            kafka_bootstrap="-",
            mongodb_uri="-",
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
            jwt_keys_file=Path("-"),
            **{"verdict_timeout": 0.02, "reads_per_second": 10_000, "writes_per_second": 10_000, **settings},
        )
        self.publisher = FakePublisher()
        self.webhooks = FakePublisher("webhooks_unavailable")
        self.feed = MemoryFeed()
        self.verifier = TokenVerifier(self.issuer, issuer=ISSUER, audience=AUDIENCE)
        self.gateway = Gateway(
            dispatcher=Dispatcher(
                self.log,
                self.log,
                verdict_timeout=self.settings.verdict_timeout,
                max_in_flight=self.settings.max_in_flight,
                now=self.clock,
            ),
            repository=self.repository,
            idempotency=Idempotency(self.records),
            history=self.log,
            publisher=self.publisher,
            redirects=Redirects(self.settings.connect_redirect_uris, self.settings.public_url),
            insights=self.insights,
            weeks=PostingWeeks(self.insights),
            refresh_every=timedelta(minutes=1),
            webhooks=self.webhooks,
            feed=self.feed,
            streams=Streams(most=4, most_of_tenant=2, seconds=0.1, poll=0.01),
            now=self.clock,
        )
        self.app = create_app(self.gateway, verifier=self.verifier, settings=self.settings)
        self.connect("acc_x", "twitter", "mycompany", followers=15_420)
        self.connect("acc_in", "linkedin", "my-company", followers=8_500, account_type="organization")

    def connect(self, account_id: str, platform: Platform, username: str, **more: Any) -> None:
        facts: dict[str, Any] = {
            "tenant_id": TENANT,
            "platform_user_id": f"{platform}-{account_id}",
            "display_name": username.title(),
            "account_type": "personal",
            "connected_at": NOW - timedelta(days=30),
            **more,
        }
        self.repository.known_accounts.append(
            Account(account_id=account_id, platform=platform, username=username, **facts)
        )

    def disconnect(self, account_id: str) -> None:
        self.repository.known_accounts = [
            replace(account, status="disconnected") if account.account_id == account_id else account
            for account in self.repository.known_accounts
        ]

    def client(self, **claims: Any) -> httpx.AsyncClient:
        """As a user with these claims in the token."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),  # type: ignore[arg-type]
            base_url="http://gateway/api/v1/creator/social",
            headers={"Authorization": f"Bearer {self.issuer.token(**claims)}"},
        )


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()
