"""A downstream system on Kafka: reads the public topics, drops repetitions.

    pip install aiokafka
    KAFKA_BOOTSTRAP=127.0.0.1:19092 python docs/examples/kafka_consumer.py

Events are CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers, data as JSON. Those of one post or
account have one key and come in order; each comes at least once, with the same `ce_id`.
"""

import asyncio
import json
import os
from contextlib import suppress

from aiokafka import AIOKafkaConsumer

TOPICS = (
    "social.post_published",
    "social.post_failed",
    "social.engagement_spike",
    "social.account_disconnected",
    "social.mention_received",
)


async def main() -> None:
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092"),
        group_id=os.environ.get("KAFKA_GROUP", "example"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    seen: set[str] = set()
    await consumer.start()
    try:
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            if headers["ce_id"] not in seen:
                seen.add(headers["ce_id"])
                print(headers["ce_type"], headers["ce_subject"], json.loads(record.value), flush=True)
            await consumer.commit()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
