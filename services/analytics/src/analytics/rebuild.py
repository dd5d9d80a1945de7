"""The read models again from the first sample, compared with the live ones."""

from collections.abc import Mapping

import pymongo
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from analytics.adapters.models import MongoModels, same
from analytics.adapters.samples import recorded
from analytics.projecting import Projector
from analytics.settings import Settings
from chassis import logs, store
from chassis.store import Document
from contracts.messages import UndecodableError
from contracts.topics import METRICS_SAMPLES
from eventlog.kafka import Cluster, KafkaEventLog, partition_count

MODELS = ("posts", "days", "day_posts", "accounts")
"""What follows from the samples alone, in collections named `analytics_…`."""
SUFFIX = "_rebuilt"
SECONDS_A_CALL = 300
SHOWN = 20


class Comparison(Struct, kw_only=True):
    """Documents by how the live one stands to the rebuilt one."""

    samples: int = 0
    equal: int = 0
    newer: int = 0
    """The live document went on while we were reading."""
    different: list[str] = []

    def add(self, live: Mapping[str, Document], rebuilt: Mapping[str, Document]) -> None:
        for key, document in rebuilt.items():
            other = live.get(key)
            if other is not None and same(other, document):
                self.equal += 1
            elif other is not None and other["position"] > document["position"]:
                self.newer += 1
            else:
                self.different.append(key)


async def rebuild(settings: Settings) -> int:
    """Returns the exit status: 0 when the live read models hold what the samples say.

    The rebuilt ones stay in collections named `…_rebuilt`. No public event is sent.
    """
    logs.configure("analytics-rebuild", settings.log_level)
    client = store.connect(settings.mongodb_uri)
    try:
        comparison = await fold_all(settings, store.database(client, settings.mongodb_database))
    finally:
        await client.close()
    print(
        f"{comparison.samples:,} samples folded; {comparison.equal:,} documents equal, "
        f"{comparison.newer:,} changed meanwhile, {len(comparison.different):,} different"
    )
    if comparison.different:
        print(
            f"different: {', '.join(comparison.different[:SHOWN])}{' …' if len(comparison.different) > SHOWN else ''}"
        )
    return 1 if comparison.different else 0


async def fold_all(kafka: Cluster, database: AsyncDatabase[Document]) -> Comparison:
    """All samples into the collections named `…_rebuilt`, compared with the live ones."""
    rebuilt = MongoModels(database, suffix=SUFFIX)
    comparison = Comparison()
    samples = await KafkaEventLog(kafka, METRICS_SAMPLES, "analytics-rebuild").start()
    try:
        with pymongo.timeout(SECONDS_A_CALL):
            await rebuilt.clear()
            await rebuilt.prepare()
        for partition in range(await partition_count(kafka, METRICS_SAMPLES)):
            comparison.samples += await fold_again(samples, partition, Projector(rebuilt, None))
    finally:
        await samples.close()
    with pymongo.timeout(SECONDS_A_CALL):
        live, again = await MongoModels(database).contents(), await rebuilt.contents()
    for name in MODELS:
        comparison.add(live[name], again[name])
    return comparison


async def fold_again(samples: KafkaEventLog, partition: int, projector: Projector) -> int:
    """Folds one partition from its first sample to its end; how many samples that were."""
    end, position, count = await samples.end(partition), 0, 0
    while position < end:
        records = await samples.read(partition, position, end)
        readable = []
        for record in records:
            try:
                readable.append(recorded(record.offset, record.headers, record.value))
            except UndecodableError:
                continue
        await projector.fold(readable)
        position, count = records[-1].offset + 1, count + len(readable)
    return count
