"""Reading how posts did and who follows and mentions accounts, and appending it as samples.

Publishing goes first: while publishing work waits, this waits; and what a budget does not allow now is put off.
Reading may be repeated at will, so there is nothing to journal.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog
from msgspec import Struct
from prometheus_client import Counter

from chassis import tracing
from contracts.collecting import (
    CollectAccount,
    CollectPosts,
    FollowersMeasured,
    LivePost,
    Mention,
    MentionsFound,
    NotMeasured,
    PostMeasured,
    Sample,
    Subject,
)
from contracts.content import Failure, Platform
from contracts.ids import derived_id
from contracts.topics import METRICS_SAMPLES
from contracts.wire import Envelope, pack
from eventlog.jobs import Job
from eventlog.ports import Outgoing
from publisher.authors import author_of
from publisher.domain.budgets import Budgets
from publisher.ports import Accounts, Author, Connector, Tokens

log = structlog.get_logger()

T = TypeVar("T")

READINGS = Counter("publisher_readings", "What was read for analytics, by outcome", ("platform", "subject", "outcome"))

LONGEST_WAIT = 30.0
"""Seconds that reading waits for publishing; then it is put off."""
PAUSE = 0.25
PUT_OFF = timedelta(minutes=2)
RETRY_AFTER = timedelta(minutes=10)


class NotReadError(Exception):
    """Something could not be read. `retry_at`: when asking again may help. `gone`: it never will."""

    def __init__(self, failure: Failure, *, retry_at: datetime | None = None, gone: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_at = retry_at
        self.gone = gone


Counters = Mapping[str, int]


class MetricsReader(Protocol):
    """One platform's numbers. Every method may raise NotReadError."""

    platform: Platform
    shares_budgets: bool
    """Whether reading spends what publishing lives on."""

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        """By `key_of`; a post that is not answered for is one that the platform said nothing of."""
        ...

    async def followers(self, author: Author) -> int: ...

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]: ...


class Outbox(Protocol):
    """`eventlog.kafka.KafkaEventLog`."""

    async def publish(self, messages: Sequence[Outgoing]) -> None: ...


class _Measured(Struct, frozen=True):
    id: str
    sample: Sample


class Collector:
    """Handles `collect.requests.*`. `is_publishing` tells whether publishing work is waiting."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        tokens: Tokens,
        readers: Mapping[str, MetricsReader],
        connectors: Mapping[str, Connector],
        outbox: Outbox,
        source: str,
        now: Callable[[], datetime],
        is_publishing: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._readers = readers
        self._connectors = connectors
        self._outbox = outbox
        self._source = source
        self._now = now
        self._is_publishing = is_publishing
        self._sleep = sleep
        self._budgets: dict[str, Budgets] = {platform: Budgets() for platform in readers}

    async def handle(self, job: Job) -> None:
        """Raises when the samples cannot be appended now."""
        request = job.message
        if not isinstance(request, CollectPosts | CollectAccount):
            log.error("not a request for numbers", topic=job.topic, offset=job.offset, type=request.type_name)
            return
        if self._now() >= request.expires_at:
            return
        found = await self._collect(request, job.envelope.id)
        for each in found:
            subject, outcome = _told(each.sample)
            READINGS.labels(request.platform, subject, outcome).inc()
        await self._outbox.publish([self._outgoing(request.account_id, each) for each in found])

    async def _give_way(self) -> None:
        """Raises NotReadError when publishing takes everything."""
        give_up_at = time.monotonic() + LONGEST_WAIT
        while self._is_publishing():
            if time.monotonic() > give_up_at:
                failure = Failure(code="publishing_first", message="There is much to publish, which goes first.")
                raise NotReadError(failure, retry_at=self._now() + PUT_OFF)
            await self._sleep(PAUSE)

    async def _collect(self, request: CollectPosts | CollectAccount, request_id: str) -> list[_Measured]:
        try:
            await self._give_way()
            author = await self._author(request)
        except NotReadError as error:
            return self._none(request, request_id, error)
        if isinstance(request, CollectPosts):
            return await self._posts(request, request_id, author)
        return await self._account(request, request_id, author)

    async def _author(self, request: CollectPosts | CollectAccount) -> Author:
        """Raises NotReadError, also when a budget stands in the way."""
        reader = self._readers.get(request.platform)
        if reader is None:
            raise NotReadError(Failure(code="not_offered", message="Nothing is read from this platform."), gone=True)
        account = await self._accounts.get(request.tenant_id, request.account_id)
        author = await author_of(account, request.platform, self._tokens)
        if not isinstance(author, Author):
            raise NotReadError(author.failure)
        budgets = [self._budgets[request.platform]]
        if reader.shares_budgets:
            budgets.append(self._connectors[request.platform].budgets)
        for budget in budgets:
            postponed = budget.exhausted(request.account_id, self._now())
            if postponed is not None:
                raise NotReadError(postponed.failure, retry_at=postponed.until)
        return author

    async def _posts(self, request: CollectPosts, request_id: str, author: Author) -> list[_Measured]:
        reader = self._readers[request.platform]
        try:
            read = await self._within_limits(request, reader.posts(author, request.posts))
        except NotReadError as error:
            return self._none(request, request_id, error)
        at = self._now()
        return [self._post(request, request_id, post, read.get(key_of(post)), at) for post in request.posts]

    def _post(
        self,
        request: CollectPosts,
        request_id: str,
        post: LivePost,
        read: Counters | NotReadError | None,
        at: datetime,
    ) -> _Measured:
        sample_id = derived_id("smp", request_id, post.post_id, post.target_id)
        if read is None:
            read = NotReadError(Failure(code="not_told", message="The platform says nothing of this post yet."))
        if isinstance(read, NotReadError):
            return _Measured(sample_id, self._failed(request, "post", read, post))
        return _Measured(
            sample_id,
            PostMeasured(
                tenant_id=request.tenant_id,
                account_id=request.account_id,
                platform=request.platform,
                post_id=post.post_id,
                target_id=post.target_id,
                published_at=post.published_at,
                content_type=post.content_type,
                observed_at=at,
                counters=dict(read),
            ),
        )

    async def _account(self, request: CollectAccount, request_id: str, author: Author) -> list[_Measured]:
        reader = self._readers[request.platform]
        found: list[_Measured] = []
        if request.followers:
            try:
                count = await self._within_limits(request, reader.followers(author))
                sample: Sample = FollowersMeasured(
                    tenant_id=request.tenant_id,
                    account_id=request.account_id,
                    platform=request.platform,
                    observed_at=self._now(),
                    followers=count,
                )
            except NotReadError as error:
                sample = self._failed(request, "followers", error, None)
            found.append(_Measured(derived_id("smp", request_id, "followers"), sample))
        if request.mentions_since is not None:
            began = self._now()
            try:
                mentions = await self._within_limits(request, reader.mentions(author, request.mentions_since))
                sample = MentionsFound(
                    tenant_id=request.tenant_id,
                    account_id=request.account_id,
                    platform=request.platform,
                    observed_at=began,
                    mentions=tuple(mentions),
                )
            except NotReadError as error:
                sample = self._failed(request, "mentions", error, None)
            found.append(_Measured(derived_id("smp", request_id, "mentions"), sample))
        return found

    async def _within_limits(self, request: CollectPosts | CollectAccount, reading: Awaitable[T]) -> T:
        """A refusal for want of budget is remembered, so that the next request does not ask in vain."""
        try:
            return await reading
        except NotReadError as error:
            if error.failure.code == "rate_limited" and error.retry_at is not None:
                self._budgets[request.platform].use_up(request.account_id, error.retry_at, error.failure)
            raise

    def _none(self, request: CollectPosts | CollectAccount, request_id: str, error: NotReadError) -> list[_Measured]:
        if isinstance(request, CollectPosts):
            return [
                _Measured(
                    derived_id("smp", request_id, post.post_id, post.target_id),
                    self._failed(request, "post", error, post),
                )
                for post in request.posts
            ]
        subjects: list[Subject] = ["followers"] if request.followers else []
        if request.mentions_since is not None:
            subjects.append("mentions")
        return [
            _Measured(derived_id("smp", request_id, subject), self._failed(request, subject, error, None))
            for subject in subjects
        ]

    def _failed(
        self, request: CollectPosts | CollectAccount, subject: Subject, error: NotReadError, post: LivePost | None
    ) -> NotMeasured:
        now = self._now()
        retry_at = error.retry_at
        if retry_at is None and error.failure.retryable:
            retry_at = now + RETRY_AFTER
        return NotMeasured(
            tenant_id=request.tenant_id,
            account_id=request.account_id,
            platform=request.platform,
            subject=subject,
            post_id=None if post is None else post.post_id,
            target_id=None if post is None else post.target_id,
            at=now,
            reason=error.failure,
            gone=error.gone,
            retry_at=retry_at,
        )

    def _outgoing(self, account_id: str, measured: _Measured) -> Outgoing:
        envelope = Envelope(
            id=measured.id,
            source=self._source,
            subject=account_id,
            time=self._now(),
            tenant_id=measured.sample.tenant_id,
            traceparent=tracing.current(),
        )
        headers, value = pack(measured.sample, envelope)
        return Outgoing(topic=METRICS_SAMPLES, key=account_id, headers=headers, value=value)


def key_of(post: LivePost) -> str:
    """Of one target among the posts of a request."""
    return f"{post.post_id}|{post.target_id}"


def _told(sample: Sample) -> tuple[str, str]:
    match sample:
        case NotMeasured(subject=subject, reason=reason):
            return subject, reason.code
        case FollowersMeasured():
            return "followers", "read"
        case MentionsFound():
            return "mentions", "read"
        case _:
            return "post", "read"
