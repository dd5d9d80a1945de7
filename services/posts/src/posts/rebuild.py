"""`make rebuild`: the whole projection again from offset 0, compared with the live one, and repaired on request."""

import pymongo

from chassis import logs, store
from chassis.settings import ServiceSettings
from eventlog.documents import MongoDocuments
from eventlog.kafka import KafkaEventLog, partition_count
from eventlog.rebuild import Comparison, Rebuild
from posts.domain.post import PostAggregate

SHOWN = 20
SECONDS_A_CALL = 300


async def rebuild(settings: ServiceSettings, *, repair: bool) -> int:
    """Returns the exit status: 0 when the live projection equals the log.

    The rebuilt projection stays in the collection `posts_rebuilt`. With `repair`, documents that are missing or behind
    are also written to the live one; a live document that contradicts the log at the same version is left for a person.
    """
    logs.configure("posts-rebuild", settings.log_level)
    aggregate = PostAggregate()
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    live = MongoDocuments(aggregate, database)
    rebuilt = MongoDocuments(aggregate, database, collection="posts_rebuilt")
    event_log = await KafkaEventLog(settings, aggregate.events_topic, "posts-rebuild").start()
    comparison = Comparison()
    try:
        with pymongo.timeout(SECONDS_A_CALL):
            await rebuilt.clear()
        for partition in range(await partition_count(settings, aggregate.events_topic)):
            await Rebuild(aggregate, event_log, live).compare(partition, comparison, rebuilt.fill)
            if repair:
                await Rebuild(aggregate, event_log, live).compare(partition, Comparison(), live.save)
    finally:
        await event_log.close()
        await client.close()
    return _tell(comparison, repair=repair)


def _tell(comparison: Comparison, *, repair: bool) -> int:
    print(
        f"{comparison.events:,} events folded, {comparison.skipped:,} skipped by the acceptance rule; "
        f"{comparison.equal:,} posts equal, {comparison.newer:,} changed meanwhile, "
        f"{len(comparison.different):,} different, {len(comparison.missing):,} missing"
    )
    for title, ids in (("different", comparison.different), ("missing", comparison.missing)):
        if ids:
            print(f"{title}: {', '.join(ids[:SHOWN])}{' …' if len(ids) > SHOWN else ''}")
    if comparison.is_sound:
        return 0
    print(
        "repaired: run again to compare" if repair else "run `make rebuild REPAIR=1` to write what is missing or behind"
    )
    return 1
