"""The real broker and the real store keep what they acknowledged when they are killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from contracts.topics import TopicSpec
from eventlog.provision import ProvisioningError, provision
from localstack.kafka import Broker
from localstack.testing import local_broker, local_store

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = local_broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


def a_topic(name: str, partitions: int = 3, **config: str) -> TopicSpec:
    return TopicSpec(name=name, partitions=partitions, config=config, key="key", description="", messages=())


async def records(broker: Broker, topic: str, partition: int = 0) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        where = TopicPartition(topic, partition)
        consumer.assign([where])
        end = (await consumer.end_offsets([where]))[where]
        found: list[bytes] = []
        while await consumer.position(where) < end:
            found += [record.value for record in (await consumer.getmany(where, timeout_ms=1000)).get(where, [])]
        return found
    finally:
        await consumer.stop()


async def test_kafka_keeps_acknowledged_records_when_killed(broker: Broker) -> None:
    await provision(broker.bootstrap, [a_topic("survives")])
    sent = [f"record {number}".encode() for number in range(500)]
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True, max_batch_size=512_000)
    await producer.start()
    await asyncio.gather(*[await producer.send("survives", value, partition=0) for value in sent])
    await asyncio.to_thread(broker.kill)
    assert not broker.alive
    await asyncio.to_thread(broker.restart)
    await producer.send_and_wait("survives", b"after", partition=0)
    await producer.stop()
    assert await records(broker, "survives") == [*sent, b"after"]


async def test_provisioning_can_be_repeated(broker: Broker) -> None:
    topics = [a_topic("one", 4, **{"retention.ms": "60000"}), a_topic("two", 2)]
    for _ in range(2):
        await provision(broker.bootstrap, topics)
    consumer = AIOKafkaConsumer("one", "two", bootstrap_servers=broker.bootstrap)
    await consumer.start()
    assert consumer.partitions_for_topic("one") == {0, 1, 2, 3}
    assert consumer.partitions_for_topic("two") == {0, 1}
    await consumer.stop()


async def test_another_number_of_partitions_is_refused(broker: Broker) -> None:
    await provision(broker.bootstrap, [a_topic("fixed", 4)])
    with pytest.raises(ProvisioningError, match="fixed has 4 partitions, not 5"):
        await provision(broker.bootstrap, [a_topic("fixed", 5), a_topic("never-made")])
    await provision(broker.bootstrap, [a_topic("never-made", 2)])


async def test_a_setting_that_kafka_does_not_know_is_an_error(broker: Broker) -> None:
    with pytest.raises(ProvisioningError, match="nonsense"):
        await provision(broker.bootstrap, [a_topic("nonsensical", nonsense="1")])


def test_the_store_keeps_journaled_majority_writes_when_killed(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    store.start()
    try:
        with MongoClient[dict[str, int]](store.uri) as client:
            durable = client.test.get_collection(
                "posts", write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
            )
            for number in range(50):
                durable.insert_one({"_id": number})
            store.kill()
            store.restart()
            assert sorted(post["_id"] for post in durable.find()) == list(range(50))
    finally:
        store.stop()
