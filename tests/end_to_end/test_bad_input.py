"""Whatever is sent: the right 4xx with pointer and rule, never a 500, and nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.ids import new_id
from contracts.topics import ACCOUNTS_COMMANDS, POSTS_COMMANDS

pytestmark = pytest.mark.stack

BASE = "/api/v1/creator/social"
JSON = {"Content-Type": "application/json"}


async def _ends(bootstrap: str, count: int) -> dict[TopicPartition, int]:
    """How far the topics of commands reach, which have `count` partitions each."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, number) for topic in (POSTS_COMMANDS, ACCOUNTS_COMMANDS) for number in range(count)
        ]
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


@pytest.fixture
def nothing_is_written(stack: Any) -> Iterator[None]:
    before = asyncio.run(_ends(stack.kafka_bootstrap, stack.settings.topic_partitions))
    yield
    assert asyncio.run(_ends(stack.kafka_bootstrap, stack.settings.topic_partitions)) == before


@pytest.fixture
def raw(stack: Any, client: Any) -> Any:
    def send(method: str, path: str, content: bytes, **headers: str) -> httpx.Response:
        return httpx.request(
            method,
            f"{stack.gateway_url}{BASE}{path}",
            content=content,
            headers={"Authorization": f"Bearer {client.token}", "Idempotency-Key": new_id("key"), **JSON, **headers},
            trust_env=False,
            timeout=30,
        )

    return send


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"null", ""),
        (b'"text"', ""),
        (b"{\xff}", ""),
        (b'{"content": {"text": "\xff\xfe"}, "platforms": [{"platform": "twitter"}]}', None),
        (b'{"content": {"text": "\\ud800"}, "platforms": [{"platform": "twitter"}]}', None),
        (b'{"platforms": [{"platform": "twitter"}]}', "/content"),
        (b'{"content": {"text": 7}, "platforms": [{"platform": "twitter"}]}', "/content/text"),
        (b'{"content": {"text": "x"}, "platforms": "twitter"}', "/platforms"),
        (b'{"content": {"text": "x"}, "platforms": []}', "/platforms"),
        (b'{"content": {"text": "x"}, "platforms": [{"platform": "myspace"}]}', "/platforms/0/platform"),
        (b'{"content": {"text": "x", "txet": "y"}, "platforms": [{"platform": "twitter"}]}', "/content/txet"),
        (b'{"content": {"text": "x"}, "platforms": [{"platform": "twitter", "options": {"colour": 1}}]}', None),
        (b'{"content": {"text": "x"}, "platforms": [{"platform": "twitter"}, {"platform": "twitter"}]}', None),
        (b'{"content": {"text": "x", "media": [{"type": "image"}]}, "platforms": [{"platform": "twitter"}]}', None),
        (
            b"""{"content": {"text": "x", "media": [{"type": "image", "url": "file:///etc/passwd"}]},
            "platforms": [{"platform": "twitter"}]}""",
            None,
        ),
        (b'{"content": {"text": "x"}, "platforms": [{"platform": "twitter"}], "publish_at": "soon"}', "/publish_at"),
        (
            b'{"content": {"text": "x"}, "platforms": [{"platform": "twitter"}], "publish_at": "2020-01-01T00:00:00Z"}',
            "/publish_at",
        ),
        (b'{"content": {"text": ""}, "platforms": [{"platform": "twitter"}]}', "/content/text"),
        (b'{"content": {"text": "' + b"x" * 300 + b'"}, "platforms": [{"platform": "twitter"}]}', "/content/text"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, None),
    ],
    ids=[
        "empty",
        "cut off",
        "list",
        "null",
        "string",
        "not UTF-8",
        "not UTF-8 in text",
        "lone surrogate",
        "no content",
        "wrong type",
        "wrong container",
        "no platform",
        "unknown platform",
        "unknown field",
        "unknown option",
        "same account twice",
        "media without address",
        "media of ours",
        "not a time",
        "past",
        "nothing to say",
        "too long",
        "deeply nested",
    ],
)
@pytest.mark.usefixtures("nothing_is_written")
def test_a_body_that_cannot_be_published(raw: Any, content: bytes, pointer: str | None) -> None:
    answer = raw("POST", "/publish", content)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] in {"invalid_content", "media_unsupported"}
    assert problem["errors"]
    assert all(error["rule"] and error["message"] for error in problem["errors"])
    if pointer is not None:
        assert pointer in [error.get("pointer") for error in problem["errors"]], problem


@pytest.mark.usefixtures("nothing_is_written")
def test_sizes_have_limits(raw: Any) -> None:
    big = raw("POST", "/publish", b'{"content": {"text": "' + b"x" * 2_000_000 + b'"}}')
    assert (big.status_code, big.json()["code"]) == (413, "body_too_large")
    headers = raw("POST", "/publish", b"{}", **{"X-Large": "x" * 1_000_000})
    assert (headers.status_code, headers.json()["code"]) == (431, "headers_too_large")


@pytest.mark.usefixtures("nothing_is_written")
def test_other_kinds_of_bodies(raw: Any) -> None:
    answer = raw("POST", "/publish", b"a=b", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    [
        "/posts/%00",
        "/posts/" + "x" * 3000,
        "/posts/..%2f..%2fetc",
        "/posts/{$ne: null}",
        "/posts/post_%F0%9F%98%80",
        "/publish/nonsense",
        "/threads/nonsense",
        "/posts/nonsense/history",
    ],
)
def test_ids_that_nobody_gave(client: Any, path: str) -> None:
    answer = client.request("GET", path)
    assert answer.status_code in {400, 404}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"status": "lost"},
        {"platform": "myspace"},
        {"cursor": "bm90IGEgY3Vyc29y"},
        {"created_after": "yesterday"},
        {"unknown": "1"},
    ],
)
def test_queries_that_make_no_sense(client: Any, query: Any) -> None:
    problem = client.refused(400, "invalid_parameter", "GET", "/posts", params=query)
    assert problem["errors"][0]["parameter"] == next(iter(query))


@pytest.mark.parametrize("key", ["", "k" * 256, "käse", "a b\tc"])
@pytest.mark.usefixtures("nothing_is_written")
def test_idempotency_keys_that_are_none(raw: Any, key: str) -> None:
    answer = raw("POST", "/publish", b"{}", **{"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 400, answer.text


def test_methods_and_paths_that_do_not_exist(client: Any) -> None:
    answer = client.request("PATCH", "/posts")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]
    client.refused(404, "route_not_found", "GET", "/nowhere")
