"""Topics as the contracts describe them: created where missing, configured where present.

`python -m eventlog.provision` does this for the topics of `contracts.topics`. It reads the settings of Kafka
(`chassis.settings.KafkaSettings`), TOPIC_PARTITIONS (default 8) and TOPIC_REPLICATION (default 1).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.settings import KafkaSettings
from contracts.topics import TopicSpec, all_topics
from eventlog.kafka import Cluster, admin

logger = logging.getLogger(__name__)

_VISIBLE_WITHIN_SECONDS = 30.0


class ProvisioningError(RuntimeError):
    """The cluster cannot be brought to the wanted topics; the message names each topic and why."""


async def provision(kafka: Cluster, topics: Sequence[TopicSpec], *, replication: int = 1) -> None:
    """Create the missing topics, give the others exactly the asked configuration, and wait until all are visible.

    Safe to repeat and to run twice at once. Raises ProvisioningError if the cluster refuses, and before any
    change if an existing topic has another number of partitions: changing that would move aggregates to
    other partitions and break the order of their logs.
    """
    client = admin(kafka)
    await client.start()
    try:
        existing = await _partition_counts(client)
        _refuse_other_counts(topics, existing)
        await _configure([topic for topic in topics if topic.name in existing], client)
        await _create([topic for topic in topics if topic.name not in existing], client, replication)
        await _wait_until_visible(topics, client)
    finally:
        await client.close()


async def _partition_counts(client: AIOKafkaAdminClient) -> Mapping[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}


def _refuse_other_counts(topics: Sequence[TopicSpec], existing: Mapping[str, int]) -> None:
    wrong = [
        f"{topic.name} has {existing[topic.name]} partitions, not {topic.partitions}"
        for topic in topics
        if existing.get(topic.name, topic.partitions) != topic.partitions
    ]
    if wrong:
        raise ProvisioningError("; ".join(wrong))


async def _create(topics: Sequence[TopicSpec], client: AIOKafkaAdminClient, replication: int) -> None:
    if not topics:
        return
    answer = await client.create_topics(
        [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config) for topic in topics]
    )
    _raise_on_refusal(
        (name, code, message)
        for name, code, message in answer.topic_errors
        if for_code(code) is not TopicAlreadyExistsError
    )
    logger.info("created %s", ", ".join(topic.name for topic in topics))


async def _configure(topics: Sequence[TopicSpec], client: AIOKafkaAdminClient) -> None:
    if not topics:
        return
    (answer,) = await client.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.config)) for topic in topics]
    )
    _raise_on_refusal((name, code, message) for code, message, _, name in answer.resources)


def _raise_on_refusal(results: Iterable[tuple[str, int, str | None]]) -> None:
    refusals = [f"{name}: {for_code(code).__name__} ({message})" for name, code, message in results if code]
    if refusals:
        raise ProvisioningError("; ".join(refusals))


async def _wait_until_visible(topics: Sequence[TopicSpec], client: AIOKafkaAdminClient) -> None:
    """The controller acknowledges a topic a moment before the brokers know it."""
    wanted = {topic.name for topic in topics}
    try:
        async with asyncio.timeout(_VISIBLE_WITHIN_SECONDS):
            while not wanted <= (existing := await _partition_counts(client)).keys():  # noqa: ASYNC110 - brokers can only be asked
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ProvisioningError(f"not every topic is visible after {_VISIBLE_WITHIN_SECONDS:g} s") from None
    # Another provisioner may have been quicker, with other wishes.
    _refuse_other_counts(topics, existing)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    topics = all_topics(int(os.environ.get("TOPIC_PARTITIONS", "8")))
    replication = int(os.environ.get("TOPIC_REPLICATION", "1"))
    try:
        settings = KafkaSettings()  # type: ignore[call-arg]  # filled from the environment
        asyncio.run(provision(settings, topics, replication=replication))
    except (KafkaError, ProvisioningError):
        logger.exception("topics are not as they should be")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
