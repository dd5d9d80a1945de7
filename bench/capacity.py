"""What a number of posts a day needs: instances, partitions, storage, money; and how late posts go out at full hours.

python bench/capacity.py prints the tables of docs/operations/capacity.md, which a test holds to them.

Pure: it reckons with what `volume.py` has measured, with what is assumed below and written on the page, and with a
simulated queue for the worst minutes of the day.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from contracts.topics import all_topics

DAYS = 365
"""After which the storage is looked at."""
_MIB, _GIB = 1 << 20, 1 << 30


class Measured(Struct, frozen=True, kw_only=True):
    """For one post to one account, in the form in which `bench/volume.py` prints it."""

    cpu_ms: Mapping[str, float]
    """Where thousands are due together, and are decided, appended and recorded in batches."""
    few_ms: Mapping[str, float]
    """Where a few come at a time, and each is a batch of its own."""
    log_bytes: Mapping[str, int]
    store_bytes: Mapping[str, int]


MEASURED = Measured(
    cpu_ms={
        "gateway": 1.5,
        "posts": 2.0,
        "publisher": 3.7,
        "analytics": 1.0,
        "webhooks": 0.6,
        "media": 0.1,
        "kafka": 2.0,
        "store": 2.8,
    },
    few_ms={
        "gateway": 3.6,
        "posts": 7.2,
        "publisher": 7.3,
        "analytics": 11.2,
        "webhooks": 2.9,
        "auditor": 1.8,
        "media": 0.0,
        "kafka": 8.9,
        "store": 2.8,
    },
    log_bytes={
        "posts.commands": 1_220,
        "posts.events": 1_219,
        "publish.requests.twitter": 371,
        "social.post_published": 535,
        "metrics.samples": 478,
        "gateway.replies": 501,
    },
    store_bytes={
        "posts": 1_961,
        "publications": 1_289,
        "public_events": 657,
        "analytics_posts": 590,
        "analytics_plans": 408,
        "audit_posts": 392,
        "analytics_day_posts": 349,
    },
)
"""Bytes, and the time of a few: 600 posts on the local stack, 16 at a time, but for the store, which was a stand-in.
Time in a crowd: the publisher's, and the sum for bringing a post out (9), are those of docs/reliability.md; taking it
in (3) follows from its rate of drafts; how the rest is split is estimated.
"""

EXPIRING: Mapping[str, float] = {"idempotency": 1.0, "public_events": 90.0, "webhook_deliveries": 90.0}
"""Days for which a collection keeps its documents; all others keep them for ever."""


class Assumed(Struct, frozen=True, kw_only=True):
    """What nobody has measured here. Prices are round, for a month, in US dollars."""

    busiest_hour: float = 0.12
    """Share of a day's posts that are due within its busiest hour."""
    full_hour: float = 0.5
    """Share of those that are due at the very same second: the full hour."""
    platform_seconds: float = 1.0
    """Mean time a platform takes for a publication's calls; half as long to several times as long."""
    slots: int = 64
    """Publications that one publisher has under way at once: PUBLISHER_CONCURRENCY."""
    readings: int = 34
    """Of each post's numbers, in thirty days."""
    reading_cpu_ms: float = 2.0
    """For each, in all services; posts are read in groups where a platform allows it."""
    reading_log_bytes: int = 470
    """As much as the record with which a post's readings begin."""
    reading_store_bytes: int = 120
    """What is left of each in the read models: most readings replace the one before."""
    utilisation: float = 0.6
    """Of a core, at most, in the mean of the busiest hour."""
    kafka_copies: int = 3
    store_copies: int = 3
    store_ratio: float = 0.6
    """Bytes on the disk, indexes included, for each byte of documents: compression takes more than indexes add."""
    core_price: float = 25.0
    gib_memory_price: float = 3.5
    gib_disk_price: float = 0.1


ASSUMED = Assumed()


# --- how much -----------------------------------------------------------------------------------------


class Storage(Struct, frozen=True, kw_only=True):
    """GiB after `DAYS`, of one copy."""

    log_for_ever: float
    log_kept_a_while: float
    store: float


def storage(posts: float, measured: Measured = MEASURED, assumed: Assumed = ASSUMED) -> Storage:
    for_ever = a_while = 0.0
    kept = {topic.name: int(topic.config["retention.ms"]) / 86_400_000 for topic in all_topics()}
    readings = ("metrics.samples", assumed.readings * assumed.reading_log_bytes)
    for topic, size in (*measured.log_bytes.items(), readings):
        days = kept.get(topic, DAYS)
        if days < 0:
            for_ever += posts * size * DAYS
        else:
            a_while += posts * size * min(days, DAYS)
    documents = sum(
        posts * size * min(EXPIRING.get(name, DAYS), DAYS)
        for name, size in {**measured.store_bytes, "readings": assumed.readings * assumed.reading_store_bytes}.items()
    )
    return Storage(
        log_for_ever=for_ever / _GIB,
        log_kept_a_while=a_while / _GIB,
        store=documents * assumed.store_ratio / _GIB,
    )


# --- how late -----------------------------------------------------------------------------------------


class Lateness(Struct, frozen=True, kw_only=True):
    """Seconds from the due moment to the end of the platform's calls."""

    p50: float
    p999: float
    worst: float


class Fleet(Struct, frozen=True, kw_only=True):
    """Processes, of one core each, that posts pass one after the other."""

    posts: int
    publishers: int


def due_times(posts: float, chance: random.Random, assumed: Assumed = ASSUMED) -> Sequence[float]:
    """Seconds around the busiest full hour, from a minute before until five minutes after it, in order."""
    hour = posts * assumed.busiest_hour
    at_once = round(hour * assumed.full_hour)
    others = (hour - at_once) / 3_600
    times = [0.0] * at_once
    at = -60.0
    while others > 0 and (at := at + chance.expovariate(others)) < 300:
        times.append(at)
    return sorted(times)


def lateness(
    due: Iterable[float],
    fleet: Fleet,
    chance: random.Random,
    *,
    cpu_ms: Mapping[str, float],
    assumed: Assumed = ASSUMED,
) -> Lateness:
    """Two queues in a row, each first come, first served: the owners of partitions, then the publishers.

    Keys spread posts over owners, and accounts over publishers, by chance. A publication waits for a free slot of its
    publisher, then for its core, and then holds the slot while the platform answers.
    """
    owner_free = [-math.inf] * fleet.posts
    decided = []
    for at in due:
        owner = chance.randrange(fleet.posts)
        owner_free[owner] = max(owner_free[owner], at) + cpu_ms["posts"] / 1e3
        decided.append((owner_free[owner], at))
    decided.sort()
    core_free = [-math.inf] * fleet.publishers
    slots = [[-math.inf] * assumed.slots for _ in range(fleet.publishers)]
    late = []
    for ready, at in decided:
        publisher = chance.randrange(fleet.publishers)
        start = max(ready, heapq.heappop(slots[publisher]), core_free[publisher])
        core_free[publisher] = start + cpu_ms["publisher"] / 1e3
        end = core_free[publisher] + assumed.platform_seconds * (0.5 + chance.expovariate(2.0))
        heapq.heappush(slots[publisher], end)
        late.append(end - at)
    late.sort()
    return Lateness(p50=_percentile(late, 50), p999=_percentile(late, 99.9), worst=late[-1])


def _percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# --- how many -----------------------------------------------------------------------------------------


class Plan(Struct, frozen=True, kw_only=True):
    posts_a_day: int
    aim: float
    """Seconds within which 999 of 1,000 posts are to be out, at the full hour."""
    instances: Mapping[str, int]
    partitions: int
    """Of each topic."""
    brokers: int
    kafka_cores: int
    store_cores: int
    lateness: Lateness
    cores: int
    """In all, Kafka's and the store's included."""
    storage: Storage
    cost: float
    """A month, after `DAYS`."""


LEAST = 2
"""Of each service, so that one may end."""
SIMULATED = 60_000
"""Posts of the crowd at most: beyond it a part of them meets the same part of the fleet."""
PARTITIONS_OF_A_BROKER = 4_000


def plan(posts: int, aim: float, measured: Measured = MEASURED, assumed: Assumed = ASSUMED) -> Plan:
    """The smallest fleet that keeps the mean of the busiest hour and the aim at the full hour."""
    cpu_ms, few_ms = measured.cpu_ms, measured.few_ms
    a_second = posts * assumed.busiest_hour / 3_600
    crowd = posts * assumed.busiest_hour * assumed.full_hour

    def for_the_mean(name: str) -> int:
        return max(LEAST, math.ceil(a_second * few_ms[name] / 1e3 / assumed.utilisation))

    def for_the_crowd(name: str) -> int:
        """Within half of the aim: the other half is the publishers'."""
        return math.ceil(crowd * cpu_ms[name] / 1e3 / (aim / 2))

    owners = max(for_the_mean("posts"), for_the_crowd("posts"))
    least = for_the_mean("publisher")
    publishers, found = _publishers(posts, aim, Fleet(posts=owners, publishers=least), cpu_ms, assumed)
    many = {name: for_the_mean(name) for name in ("gateway", "analytics", "media", "webhooks")}
    many |= {"posts": owners, "publisher": publishers}
    kafka, store = (max(3, for_the_mean(name), for_the_crowd(name)) for name in ("kafka", "store"))
    reading = math.ceil(posts * assumed.readings / 86_400 * assumed.reading_cpu_ms / 1e3 / assumed.utilisation)
    cores = sum(many.values()) + reading + kafka + store
    partitions = partitions_for(max(owners, publishers))
    kept = storage(posts, measured, assumed)
    return Plan(
        posts_a_day=posts,
        aim=aim,
        instances=many,
        partitions=partitions,
        brokers=max(3, math.ceil(len(all_topics()) * partitions * assumed.kafka_copies / PARTITIONS_OF_A_BROKER)),
        kafka_cores=kafka,
        store_cores=store,
        lateness=found,
        cores=cores,
        storage=kept,
        cost=_cost(cores, kept, assumed),
    )


def _publishers(
    posts: int, aim: float, least: Fleet, cpu_ms: Mapping[str, float], assumed: Assumed
) -> tuple[int, Lateness]:
    """How many publishers the aim needs beside these owners, found by trying; at least as many as the fleet has."""
    scale = max(1.0, posts * assumed.busiest_hour * assumed.full_hour / SIMULATED)
    due = due_times(posts / scale, random.Random(posts), assumed)

    def tried(publishers: int) -> Lateness:
        fleet = Fleet(posts=max(1, round(least.posts / scale)), publishers=publishers)
        return lateness(due, fleet, random.Random(posts), cpu_ms=cpu_ms, assumed=assumed)

    low = max(1, math.ceil(least.publishers / scale))
    high = low
    while (found := tried(high)).p999 > aim:
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        if (at_middle := tried(middle)).p999 <= aim:
            high, found = middle, at_middle
        else:
            low = middle + 1
    return max(least.publishers, math.ceil(high * scale)), found


def partitions_for(members: int) -> int:
    """A multiple of 24 with room for twice as many members of a group: it can never be changed."""
    return 24 * math.ceil(2 * members / 24)


def _cost(cores: float, kept: Storage, assumed: Assumed) -> float:
    memory = cores * 2  # GiB for each core
    disk = (kept.log_for_ever + kept.log_kept_a_while) * assumed.kafka_copies + kept.store * assumed.store_copies
    return cores * assumed.core_price + memory * assumed.gib_memory_price + disk * assumed.gib_disk_price


# --- the page -----------------------------------------------------------------------------------------


SIZES = (1_000, 100_000, 10_000_000)
OBJECTIVE, PATIENT = 30.0, 300.0
"""Seconds: what is promised for 999 of 1,000 posts, and what would do for posts that need not be out at the second."""


def tables(measured: Measured = MEASURED, assumed: Assumed = ASSUMED) -> Sequence[str]:
    """Of the page, in Markdown."""
    plans = [plan(size, OBJECTIVE, measured, assumed) for size in SIZES]
    wider = msgspec.structs.replace(assumed, slots=256)
    others = {
        "as it comes (64 slots)": plans,
        "with 256 slots": [plan(size, OBJECTIVE, measured, wider) for size in SIZES],
        "with 256 slots, within five minutes": [plan(size, PATIENT, measured, wider) for size in SIZES],
    }
    return (_of_costs(measured), _of_instances(plans), _of_peaks(others), _of_storage(plans))


def _of_costs(measured: Measured) -> str:
    times = {"in a crowd": measured.cpu_ms, "a few at a time": measured.few_ms}
    rows = [
        [f"processor time, ms, {when}", *(f"{name} {ms:.1f}" for name, ms in each.items())]
        for when, each in times.items()
    ]
    for title, sizes in (("on the log, bytes", measured.log_bytes), ("in the store, bytes", measured.store_bytes)):
        rows.append([title, *(f"`{name}` {size:,}" for name, size in sizes.items())])
    return "".join(f"- {row[0]}: {', '.join(row[1:])}; {_sum(row)} in all\n" for row in rows)


def _sum(row: Sequence[str]) -> str:
    values = [float(cell.rpartition(" ")[2].replace(",", "")) for cell in row[1:]]
    return f"{sum(values):,.1f}" if any("." in cell.rpartition(" ")[2] for cell in row[1:]) else f"{sum(values):,.0f}"


def _of_instances(plans: Sequence[Plan]) -> str:
    rows = [[name, *(f"{each.instances[name]:,}" for each in plans)] for name in plans[0].instances]
    rows += [
        ["Kafka, cores", *(f"{each.kafka_cores:,}" for each in plans)],
        ["store, cores", *(f"{each.store_cores:,}" for each in plans)],
        ["cores in all, readings of numbers included", *(f"{each.cores:,}" for each in plans)],
        ["partitions of each topic", *(f"{each.partitions:,}" for each in plans)],
        ["brokers, for so many partitions", *(f"{each.brokers:,}" for each in plans)],
        ["a month, with the storage of a year", *(f"${round(each.cost, -2):,.0f}" for each in plans)],
    ]
    return _table(["posts a day", *(f"{each.posts_a_day:,}" for each in plans)], rows)


def _of_peaks(others: Mapping[str, Sequence[Plan]]) -> str:
    rows = [
        [
            how,
            f"{each.posts_a_day:,}",
            f"{each.instances['publisher']:,}",
            *(f"{seconds:,.1f}" for seconds in (each.lateness.p50, each.lateness.p999, each.lateness.worst)),
            f"${round(each.cost, -2):,.0f}",
        ]
        for how, plans in others.items()
        for each in plans
    ]
    return _table(["", "posts a day", "publishers", "p50, s", "p99.9, s", "worst, s", "a month"], rows)


def _of_storage(plans: Sequence[Plan]) -> str:
    rows = [
        ["log, kept for ever", *(f"{each.storage.log_for_ever:,.1f}" for each in plans)],
        ["log, kept for a while", *(f"{each.storage.log_kept_a_while:,.1f}" for each in plans)],
        ["store", *(f"{each.storage.store:,.1f}" for each in plans)],
    ]
    return _table(["GiB after a year, one copy", *(f"{each.posts_a_day:,} posts a day" for each in plans)], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


if __name__ == "__main__":
    print("\n".join(tables()))
