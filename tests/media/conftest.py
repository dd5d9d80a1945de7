"""Sending files as a client does, and looking at the processes that take them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.ids import new_id
from contracts.topics import MEDIA_EVENTS, partition_for


class Media:
    """The media routes, seen by one user."""

    def __init__(self, client: Any, eventually: Callable[..., Any]) -> None:
        self.client = client
        self._eventually = eventually

    def send(self, data: bytes, name: str = "a.bin", *, key: str | None = None, **fields: str) -> Any:
        files = {"file": (name or "-", data)}
        return self.client.request("POST", "/media/upload", key=key, files=files, data=fields)

    def upload(self, data: bytes, name: str = "a.bin", **fields: str) -> Any:
        """The upload once it is ready."""
        answer = self.send(data, name, **fields)
        assert answer.status_code in (201, 202), answer.text
        return self.settled(answer.json()["media_id"])

    def settled(self, media_id: str) -> Any:
        def done() -> Any:
            answer = self.client.request("GET", f"/media/{media_id}")
            assert answer.status_code == 200, answer.text
            found = answer.json()
            return found if found["status"] != "processing" else None

        return self._eventually(done, what=f"{media_id} being looked into")

    def imported(self, media_id: str) -> Any:
        """What a post named by URL, once it is looked into: it is asked for only after the post was accepted."""
        self._eventually(
            lambda: self.client.request("GET", f"/media/{media_id}").status_code == 200,
            what=f"{media_id} being asked for",
        )
        return self.settled(media_id)

    def variants(self, path: str) -> Any:
        """Those of the upload at this path, once all are made."""

        def made() -> Any:
            found = self.client.get(path)["variants"]
            return found if found and all(each["status"] != "requested" for each in found) else None

        return self._eventually(made, what=f"the variants of {path}")


@pytest.fixture
def media(client: Any, eventually: Callable[..., Any]) -> Media:
    return Media(client, eventually)


@pytest.fixture
def media_of(eventually: Callable[..., Any]) -> Callable[[Any], Media]:
    return lambda client: Media(client, eventually)


@pytest.fixture
def events(stack: Any) -> Callable[[str], list[str]]:
    """The types of what is in the log about an upload, in order."""

    async def read(media_id: str) -> list[str]:
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            tp = TopicPartition(MEDIA_EVENTS, partition_for(media_id, stack.settings.topic_partitions))
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end = (await consumer.end_offsets([tp]))[tp]
            found: list[str] = []
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        if record.key == media_id.encode():
                            found.append(dict(record.headers)["ce_type"].decode())
            return found
        finally:
            await consumer.stop()

    return lambda media_id: asyncio.run(read(media_id))


@pytest.fixture
def tenant() -> str:
    return new_id("tenant")
