"""Deliveries and the feed in a real store: numbers without gaps, a queue read by its index, and what is settled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from chassis import store
from chassis.store import Document
from contracts.ids import new_id
from contracts.webhooks import Attempt
from webhooks.adapters.deliveries import MongoDeliveries
from webhooks.adapters.feed import MongoFeed
from webhooks.adapters.numbered import WINDOW, Numbered
from webhooks.domain.delivering import Delivery, Next
from webhooks.ports import NewDelivery, PublicEvent

pytestmark = pytest.mark.stack

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DELIVERED = Next(status="delivered")


class Commands(CommandListener):
    """What is asked of the store."""

    def __init__(self) -> None:
        self.sent: list[Document] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def queries(self) -> list[tuple[str, Document]]:
        """Collection and condition of everything that has to be found."""
        found: list[tuple[str, Document]] = []
        for command in self.sent:
            name = next(iter(command))
            match name:
                case "find":
                    found.append((command[name], command["filter"]))
                case "distinct":
                    found.append((command[name], command["query"]))
                case "update" | "delete":
                    found += [(command[name], each["q"]) for each in command[f"{name}s"]]
                case _:
                    pass
        return found


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def database(mongodb_uri: str, commands: Commands) -> AsyncIterator[AsyncDatabase[Document]]:
    client: AsyncMongoClient[Document] = AsyncMongoClient(mongodb_uri, tz_aware=True, event_listeners=[commands])
    name = new_id("webhooks")
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def deliveries(database: AsyncDatabase[Document]) -> MongoDeliveries:
    made = MongoDeliveries(database)
    await made.prepare()
    return made


def new(number: int, endpoint_id: str = "ep_1", *, at: datetime = START, partition: int = 3) -> NewDelivery:
    return NewDelivery(
        id=f"msg_{endpoint_id}_{number:06}",
        tenant_id="tenant_a",
        endpoint_id=endpoint_id,
        partition=partition,
        event_id=f"evt_{number:06}",
        event_type="social.post_published",
        event_time=at,
        data=b'{"text":"hello"}',
        created_at=at,
    )


def attempt(status: int = 200, *, seconds: float = 1.0) -> Attempt:
    return Attempt(at=START + timedelta(seconds=seconds, microseconds=123), milliseconds=3, status=status)


async def recorded(deliveries: MongoDeliveries, count: int, endpoint_id: str = "ep_1") -> list[Delivery]:
    """One second after the other."""
    made: list[Delivery] = []
    wanted = [new(number, endpoint_id, at=START + timedelta(seconds=number)) for number in range(count)]
    assert await deliveries.add(wanted, made.extend) == count
    return made


async def settle(deliveries: MongoDeliveries, some: Sequence[Delivery], following: Next = DELIVERED) -> None:
    status = 200 if following.status == "delivered" else 500
    assert all(await asyncio.gather(*(deliveries.settle(each, attempt(status), following) for each in some)))


def numbers(found: Collection[Delivery]) -> list[int]:
    return [each.sequence for each in found]


async def test_what_is_handed_over_is_what_is_stored(deliveries: MongoDeliveries) -> None:
    made = await recorded(deliveries, 250)
    assert numbers(made) == list(range(1, 251))
    for each in made[::50]:
        assert await deliveries.get("tenant_a", "ep_1", each.id) == each
        assert await deliveries.get("tenant_b", "ep_1", each.id) is None


async def test_numbers_have_no_gaps_whoever_adds(database: AsyncDatabase[Document]) -> None:
    """Four processes, which know nothing of each other, add parts that overlap; one of them begins late."""
    makers = [MongoDeliveries(database) for _ in range(4)]
    await makers[0].prepare()

    async def add(maker: MongoDeliveries, first: int) -> None:
        for start in range(first, first + 120, 30):
            await maker.add([new(number, f"ep_{number % 2}") for number in range(start, start + 30)])

    await asyncio.gather(*(add(maker, 60 * index) for index, maker in enumerate(makers)))
    late = MongoDeliveries(database)
    assert await late.add([new(number, f"ep_{number % 2}") for number in range(310)]) == 10
    for endpoint_id in ("ep_0", "ep_1"):
        found = await late.newest("tenant_a", endpoint_id, status=None, before=None, limit=1_000)
        assert numbers(found) == list(range(155, 0, -1))
        assert len({each.event_id for each in found}) == 155


async def test_the_queue_gives_the_soonest_and_the_first(deliveries: MongoDeliveries) -> None:
    made = await recorded(deliveries, 30)
    await recorded(deliveries, 3, "ep_2")
    until = START + timedelta(seconds=19)
    due = await deliveries.due(3, "ep_1", until, skip={made[0].id, made[2].id}, limit=10)
    assert numbers(due) == [2, *range(4, 13)]
    assert numbers(await deliveries.due(3, "ep_1", until, skip=(), limit=100)) == list(range(1, 21))
    assert await deliveries.next_due(3, "ep_1", until) == START + timedelta(seconds=20)
    assert numbers(await deliveries.in_order(3, "ep_1", after=None, limit=4)) == [1, 2, 3, 4]
    assert await deliveries.waiting(3) == {"ep_1", "ep_2"}
    assert await deliveries.waiting(4) == set()

    await settle(deliveries, made[:9])
    assert numbers(await deliveries.in_order(3, "ep_1", after=None, limit=2)) == [10, 11]
    assert numbers(await deliveries.in_order(3, "ep_1", after=3, limit=2)) == [10, 11]
    assert numbers(await deliveries.due(3, "ep_1", until, skip=(), limit=1)) == [10]
    await settle(deliveries, made[9:])
    assert await deliveries.in_order(3, "ep_1", after=None, limit=2) == []
    assert await deliveries.next_due(3, "ep_1", START) is None
    assert await deliveries.waiting(3) == {"ep_2"}
    assert await deliveries.reopen([made[4].id], START) == 1
    assert numbers(await deliveries.in_order(3, "ep_1", after=None, limit=2)) == [5]


async def test_settling_together_says_of_each_its_own(deliveries: MongoDeliveries, commands: Commands) -> None:
    made = await recorded(deliveries, 60)
    later = START + timedelta(hours=1)
    following = [
        DELIVERED if index % 3 else Next(status="pending", due_at=later) if index % 2 else Next(status="failed")
        for index in range(60)
    ]
    attempts = [attempt(200 + index, seconds=index) for index in range(60)]
    commands.sent.clear()
    told = await asyncio.gather(*map(deliveries.settle, made, attempts, following))
    assert told == [True] * 60
    assert [next(iter(command)) for command in commands.sent] == ["update"]
    for each, wanted, made_so in zip(made, following, attempts, strict=True):
        found = await deliveries.get("tenant_a", "ep_1", each.id)
        assert found is not None
        assert (found.status, found.due_at, found.attempts) == (wanted.status, wanted.due_at, 1)
        assert [logged.status for logged in found.log] == [made_so.status]
        assert found.body() == each.body()
    failed = await deliveries.newest("tenant_a", "ep_1", status="failed", before=None, limit=100)
    assert numbers(failed) == list(range(55, 0, -6))
    assert numbers(await deliveries.newest("tenant_a", "ep_1", status="failed", before=25, limit=2)) == [19, 13]
    assert len(await deliveries.newest("tenant_a", "ep_1", status="pending", before=None, limit=100)) == 10
    assert await deliveries.newest("tenant_b", "ep_1", status="failed", before=None, limit=100) == []


async def test_settling_again_tells_what_became_of_it(deliveries: MongoDeliveries) -> None:
    """An answer of the store that got lost leaves it open: the same call says so. Somebody else's is refused."""
    first, second, *_ = await recorded(deliveries, 3)
    mine, foreign = attempt(), attempt(seconds=2)
    assert await deliveries.settle(first, mine, DELIVERED)
    assert await deliveries.settle(first, mine, DELIVERED)
    assert not await deliveries.settle(first, foreign, DELIVERED)
    refused = Next(status="pending", due_at=START + timedelta(hours=1))
    assert await deliveries.settle(second, attempt(500), refused)
    assert not await deliveries.settle(second, foreign, DELIVERED), "it is the first attempt no more"
    assert await deliveries.settle(replace(second, attempts=1, log=(attempt(500),)), foreign, DELIVERED)
    found = await deliveries.get("tenant_a", "ep_1", second.id)
    assert found is not None
    assert [logged.status for logged in found.log] == [500, 200]
    assert not await deliveries.settle(replace(first, id="msg_none"), mine, DELIVERED)


async def test_bells_are_heard_for_a_while(deliveries: MongoDeliveries) -> None:
    await deliveries.ring(["ep_1", "ep_2"], START)
    await deliveries.ring(["ep_2"], START + timedelta(seconds=5), anew=True)
    assert set(await deliveries.rung(START - timedelta(seconds=1))) == {"ep_1", "ep_2"}
    rung = await deliveries.rung(START)
    assert {endpoint_id: bell.anew_at for endpoint_id, bell in rung.items()} == {"ep_2": START + timedelta(seconds=5)}
    await deliveries.ring(["ep_2"], START + timedelta(seconds=9))
    bell = (await deliveries.rung(START))["ep_2"]
    assert (bell.at, bell.anew_at) == (START + timedelta(seconds=9), START + timedelta(seconds=5))


async def test_the_old_is_forgotten_and_never_the_newest_number(
    database: AsyncDatabase[Document], deliveries: MongoDeliveries
) -> None:
    count = WINDOW + 40
    made = await recorded(deliveries, count)
    await settle(deliveries, [each for each in made if each.sequence != WINDOW + 20])
    late = START + timedelta(days=90)
    assert await deliveries.prune("ep_1", before=late)
    assert not await deliveries.prune("ep_1", before=late)
    left = await deliveries.newest("tenant_a", "ep_1", status=None, before=None, limit=1_000)
    assert numbers(left) == list(range(count, WINDOW + 19, -1)), "from the one that is still pending on"
    await settle(deliveries, [made[WINDOW + 19]])
    assert not await deliveries.prune("ep_1", before=late)
    assert not await deliveries.prune("ep_1", before=late)
    fresh = MongoDeliveries(database)
    assert numbers(await fresh.newest("tenant_a", "ep_1", status=None, before=None, limit=1_000)) == [count]
    assert await fresh.endpoints() == ["ep_1"]
    heard: list[Delivery] = []
    await fresh.add([new(100_000)], heard.extend)
    assert numbers(heard) == [count + 1]
    await fresh.discard("ep_1")
    assert await fresh.newest("tenant_a", "ep_1", status=None, before=None, limit=1_000) == []
    assert await fresh.endpoints() == []


async def test_the_feed_is_found_by_number_and_by_time(database: AsyncDatabase[Document]) -> None:
    feed = MongoFeed(database)
    await feed.prepare()
    for minute in range(40):
        at = START + timedelta(minutes=minute)
        events = [
            PublicEvent(
                id=f"evt_{minute:02}_{number}",
                type="social.post_failed",
                tenant_id=f"tenant_{number % 2}",
                subject="post_1",
                time=at,
                data=b"{}",
            )
            for number in range(10)
        ]
        await feed.add(events, at)
        await feed.add(events[:3], at + timedelta(hours=9))
    assert sorted(await feed.tenants()) == ["tenant_0", "tenant_1"]
    for minute in (0, 1, 17, 39, 40):
        assert await feed.recorded_before("tenant_1", START + timedelta(minutes=minute)) == 5 * minute
    page = await feed.upwards("tenant_1", 85, 10)
    assert [number for number, _ in page] == list(range(86, 96))
    assert {event.time for _, event in page} == {START + timedelta(minutes=17), START + timedelta(minutes=18)}
    assert not await feed.prune("tenant_1", before=START + timedelta(minutes=20))
    assert [number for number, _ in await feed.upwards("tenant_1", 0, 3)] == [101, 102, 103]
    assert await feed.recorded_before("tenant_1", START + timedelta(minutes=30)) == 150
    assert await feed.upwards("tenant_1", 200, 10) == []


async def test_no_query_reads_more_than_it_needs(
    database: AsyncDatabase[Document], deliveries: MongoDeliveries, commands: Commands
) -> None:
    """Each is answered from the index made for it: what a question costs does not grow with what is stored."""
    made = await recorded(deliveries, 20)
    refused = Next(status="pending", due_at=START + timedelta(hours=1))
    commands.sent.clear()
    await settle(deliveries, made[:10])
    await settle(deliveries, made[10:15], refused)
    await deliveries.due(3, "ep_1", START + timedelta(hours=1), skip=(), limit=5)
    await deliveries.in_order(3, "ep_1", after=None, limit=5)
    await deliveries.in_order(3, "ep_1", after=3, limit=5)
    await deliveries.next_due(3, "ep_1", START)
    await deliveries.waiting(3)
    await deliveries.rung(START)
    await deliveries.get("tenant_a", "ep_1", made[0].id)
    for status in (None, "failed", "delivered", "pending"):
        await deliveries.newest("tenant_a", "ep_1", status=status, before=None, limit=5)
        await deliveries.newest("tenant_a", "ep_1", status=status, before=10, limit=5)
    await deliveries.reopen([made[0].id], START)
    await deliveries.reopen([made[1].id], START, failed_only=True)
    await MongoDeliveries(database).add([new(3), new(21)])
    await deliveries.prune("ep_1", before=START)
    await deliveries.discard("ep_1")
    queries = {json.dumps(query, default=str): (name, query) for name, query in commands.queries()}
    assert len(queries) > 15
    for name, query in queries.values():
        if "_id" in query or name.endswith("_bounds"):
            continue  # by their ids
        plan = await database.command("explain", {"find": name, "filter": query}, verbosity="queryPlanner")
        assert "COLLSCAN" not in str(plan), (name, query)
        keys = next(_values(plan, "keyPattern"))
        bound = list(takewhile(query.__contains__, keys))
        # What else is asked holds for everything in the index: it is one of what is pending.
        assert set(query) <= {*bound, "due_at" if name == "webhook_deliveries" and "partition" in keys else ""}, (
            f"{query} is not answered from {keys}"
        )


def _values(tree: Any, name: str) -> Any:
    if isinstance(tree, dict):
        if name in tree:
            yield tree[name]
        for value in tree.values():
            yield from _values(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, name)


async def test_a_group_can_be_added_to_while_the_bounds_lie_behind(database: AsyncDatabase[Document]) -> None:
    """As after a crash: the bound is never ahead, so the number is looked for above it."""
    collection = database["things"]
    first = Numbered(collection, "group")
    await first.prepare()
    await first.add([{"_id": number, "group": "g", "created_at": START} for number in range(450)])
    bound = await database["things_bounds"].find_one({"_id": "g"})
    assert bound is not None
    assert 0 < bound["head"] <= 450
    for behind in (0, 1, 250):
        await database["things_bounds"].update_one({"_id": "g"}, {"$set": {"head": behind}})
        assert await Numbered(collection, "group").head("g") == 450
