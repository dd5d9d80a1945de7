"""The repository and the idempotency records against a real store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from contracts.accounts import Account
from contracts.content import Schedule
from contracts.messages import encode
from contracts.posts import Post
from eventlog.chain import Memo, Stored
from eventlog.documents import to_document
from gateway import examples
from gateway.answers import Answer
from gateway.idempotency import Idempotency, MongoRecords, Turn
from gateway.problems import ProblemError
from gateway.repository import MongoRepository, PostFilter, cursor_at
from posts.domain.post import PostAggregate

pytestmark = pytest.mark.stack

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
A, B = "tenant_a", "tenant_b"


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[AsyncDatabase[Any]]:
    client = store.connect(mongodb_uri)
    name = f"gateway_{uuid4().hex[:12]}"
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def repository(database: AsyncDatabase[Any]) -> MongoRepository:
    repository = MongoRepository(database)
    await repository.ensure_indexes()
    await repository.ensure_indexes()
    return repository


async def put(database: AsyncDatabase[Any], number: int, *, tenant: str = A, **more: Any) -> Post:
    post = replace(
        examples.SCHEDULED,
        post_id=f"post_{tenant}_{number}",
        tenant_id=tenant,
        created_at=AT + timedelta(seconds=number // 2),
        **more,
    )
    memo = (Memo(command_id=f"cmd_{number}", version=1),)
    stored = Stored(aggregate_id=post.post_id, version=1, event_id="e", state=post, memo=memo, log=(number,))
    await database["posts"].insert_one(to_document(PostAggregate(), 3, stored))
    return post


async def test_a_post_is_found_by_its_tenant_only(database: AsyncDatabase[Any], repository: MongoRepository) -> None:
    post = await put(database, 7)
    found = await repository.post(A, post.post_id)
    assert found is not None
    assert (found.post, found.version, found.partition, found.log) == (post, 1, 3, (7,))
    assert found.remembers("cmd_7") is not None
    assert found.remembers("cmd_8") is None
    assert await repository.post(B, post.post_id) is None
    gone = await put(database, 8, deleted=True)
    assert await repository.post(A, gone.post_id) is None
    assert await repository.post(A, gone.post_id, with_deleted=True) is not None


async def test_pages_hold_each_post_once_newest_first(
    database: AsyncDatabase[Any], repository: MongoRepository
) -> None:
    posts = [await put(database, number) for number in range(7)]
    await put(database, 1, tenant=B)
    await put(database, 99, deleted=True)
    seen: list[str] = []
    after = None
    while page := await repository.posts(A, PostFilter(), after=after, limit=2):
        seen += [post.post_id for post in page]
        after = cursor_at(page[-1].created_at, page[-1].post_id)
        await put(database, 100 + len(seen))
    assert seen == [post.post_id for post in reversed(posts)]


async def test_filters_are_all_of_them(database: AsyncDatabase[Any], repository: MongoRepository) -> None:
    wanted = await put(database, 0, tags=("a", "b"), campaign_id="c", status="draft", platforms=("linkedin",))
    await put(database, 4, tags=("x",), campaign_id="d", platforms=("twitter",))
    due = wanted.schedule.at if wanted.schedule else AT
    for only in (
        PostFilter(tag="b"),
        PostFilter(campaign_id="c"),
        PostFilter(status="draft"),
        PostFilter(platform="linkedin"),
        PostFilter(created_before=AT + timedelta(seconds=2)),
        PostFilter(tag="a", status="draft", scheduled_after=due - timedelta(1), scheduled_before=due + timedelta(1)),
    ):
        assert [post.post_id for post in await repository.posts(A, only, after=None, limit=9)] == [wanted.post_id], only
    for none in (
        PostFilter(tag="b", status="scheduled"),
        PostFilter(created_after=AT + timedelta(seconds=2)),
        PostFilter(scheduled_after=due),
        PostFilter(campaign_id="$ne"),
    ):
        assert await repository.posts(A, none, after=None, limit=9) == [], none


async def test_the_queue_goes_by_time_and_counts_all(database: AsyncDatabase[Any], repository: MongoRepository) -> None:
    for number, minutes in enumerate((3, 1, 1, 2)):
        await put(database, number, schedule=Schedule(at=AT + timedelta(minutes=minutes)))
    await put(database, 9, status="draft")
    await put(database, 1, tenant=B)
    seen: list[int] = []
    after = None
    while True:
        page, total = await repository.queue(A, None, after=after, limit=3)
        assert total == 4
        if not page:
            break
        seen += [int(post.post_id[-1]) for post in page]
        assert page[-1].schedule is not None
        after = cursor_at(page[-1].schedule.at, page[-1].post_id)
    assert seen == [1, 2, 3, 0]
    assert (await repository.queue(A, "tiktok", after=None, limit=3)) == ([], 0)


async def test_accounts_are_the_tenants_own(database: AsyncDatabase[Any], repository: MongoRepository) -> None:
    for account_id, tenant, platform in (("x", A, "twitter"), ("l", A, "linkedin"), ("f", B, "twitter")):
        account = Account(
            account_id=account_id,
            tenant_id=tenant,
            platform=platform,  # type: ignore[arg-type]
            platform_user_id=account_id,
            username=account_id,
            display_name=account_id,
            account_type="personal",
            connected_at=AT,
        )
        await database["accounts"].insert_one(
            {
                "_id": account_id,
                "state": encode(account),
                "tenant_id": tenant,
                "platform": platform,
                "status": account.status,
            }
        )

    async def ids(*query: Any) -> list[str]:
        return [account.account_id for account in await repository.accounts(*query)]

    assert await ids(A) == ["l", "x"]
    assert await ids(A, ["twitter"]) == ["x"]
    assert await ids(A, None, "disconnected") == []
    assert await ids(B) == ["f"]


async def test_idempotency_records_compare_and_set(database: AsyncDatabase[Any]) -> None:
    records = MongoRecords(database)
    await records.ensure_indexes()
    idempotency = Idempotency(records)

    async def begin(seconds: float) -> Turn | Answer:
        return await idempotency.begin(
            tenant_id=A,
            subject="u",
            key="k",
            method="POST",
            path="/x",
            body=b"",
            now=AT + timedelta(seconds=seconds, microseconds=123_456),
        )

    first = await begin(0)
    assert isinstance(first, Turn)
    with pytest.raises(ProblemError):
        await begin(1)
    second = await begin(40)
    assert isinstance(second, Turn)
    assert second.first_at == first.first_at
    answer = Answer(status=201, body=b'{"a": "\xc3\xbc"}', headers={"Location": "/x", "ETag": '"1"'})
    await idempotency.finish(first, Answer(status=500))
    with pytest.raises(ProblemError):
        await begin(41)
    await idempotency.release(second)
    third = await begin(42)
    assert isinstance(third, Turn)
    await idempotency.finish(third, answer)
    assert await begin(43) == answer


async def test_a_store_that_is_away_is_a_problem_that_says_so() -> None:
    client = store.connect("mongodb://127.0.0.1:1")
    try:
        with pytest.raises(ProblemError) as raised:
            await MongoRepository(store.database(client, "x")).post(A, "post_1")
    finally:
        await client.close()
    assert raised.value.code == "store_unavailable"
