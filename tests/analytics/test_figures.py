"""From a platform's counters to the answers of the API, through every process; figures worked out by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from contracts.ids import new_id
from contracts.topics import METRICS_SAMPLES
from contracts.wire import unpack
from localstack.stack import Stack

pytestmark = pytest.mark.stack


class Tenant:
    """A tenant with an account on X and a page on LinkedIn, and a hand on what the platforms count."""

    def __init__(self, stack: Stack, connect: Callable[..., Any], client_class: Any) -> None:
        self.id = new_id("tenant")
        self.client = client_class(stack, self.id)
        self.twitter = connect(self.id, "twitter", followers=15_420)
        self.linkedin = connect(self.id, "linkedin", followers=8_500)
        self.sandbox = httpx.Client(base_url=f"{stack.sandbox_url}/_sandbox", trust_env=False, timeout=30)

    def publish(self, text: str, title: str | None = None) -> str:
        draft = {
            "title": title,
            "content": {"text": text},
            "platforms": ["twitter", "linkedin"],
            "accounts": {"twitter": self.twitter.id, "linkedin": self.linkedin.id},
        }
        post_id: str = self.client.post("/posts", draft, status=201)["id"]
        self.client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
        self.client.settled(post_id, "published")
        return post_id

    def count(self, post_id: str, platform: str, **counts: int) -> None:
        """What the platform tells from now on."""
        post = self.client.get(f"/posts/{post_id}")
        (live,) = [each["post_id"] for each in post["platform_posts"] if each["platform"] == platform]
        answer = self.sandbox.post(f"/ledger/{httpx.URL('/' + live).raw_path.decode()[1:]}/metrics", json=counts)
        assert answer.status_code == 200, answer.text

    def refresh(self, post_id: str, eventually: Callable[..., Any]) -> Any:
        """The analytics once they are newer than now."""
        return refreshed(self.client, post_id, eventually)


def refreshed(client: Any, post_id: str, eventually: Callable[..., Any]) -> Any:
    """The analytics once they are newer than now. A post may be asked about at once after it has gone live."""
    asked_at = datetime.now(UTC)
    client.post(f"/posts/{post_id}/analytics/refresh", status=202)

    def fresh() -> Any:
        found = client.get(f"/posts/{post_id}/analytics")
        told = [each["as_of"] for each in found["by_platform"]]
        return found if all(at and datetime.fromisoformat(at) > asked_at for at in told) else None

    return eventually(fresh, what="fresh numbers")


def streamed(stack: Stack, client: Any, post_id: str, since: datetime, enough: Callable[[Any], bool]) -> Any:
    """The first of the fresh numbers of a post, from that moment on, that will do."""
    with httpx.stream(
        "GET",
        f"{stack.gateway_url}/api/v1/creator/social/analytics/stream",
        params={"post_id": post_id},
        headers={"Authorization": f"Bearer {client.token}", "Last-Event-ID": str(int(since.timestamp() * 1_000))},
        timeout=60,
        trust_env=False,
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                assert data["post_id"] == post_id
                if enough(data):
                    return data
    raise AssertionError("the stream has ended")


@pytest.fixture
def tenant(stack: Stack, sandbox: Any, connect: Callable[..., Any], client: Any) -> Tenant:
    return Tenant(stack, connect, type(client))


def test_from_counters_to_answers(tenant: Tenant, stranger: Any, eventually: Callable[..., Any]) -> None:
    post_id = tenant.publish("Big news", "Launch")
    tenant.count(post_id, "twitter", impressions=15_000, reposts=35, likes=180, replies=22, quotes=13, bookmarks=30)
    tenant.count(post_id, "linkedin", impressions=10_000, unique_impressions=8_200, likes=120, replies=25, reposts=25)
    analytics = tenant.refresh(post_id, eventually)
    assert analytics["total"] == {
        "impressions": 25_000,
        "reach": 8_200,
        "engagements": 450,
        "engagement_rate": 1.8,
        "clicks": 0,
        "shares": 73,
        "comments": 47,
        "likes": 300,
    }
    twitter, linkedin = analytics["by_platform"]
    assert (twitter["retweets"], twitter["replies"], twitter["engagement_rate"]) == (35, 22, 1.87)
    assert (linkedin["reactions"], linkedin["comments"], linkedin["engagement_rate"]) == (120, 25, 1.7)
    assert sum(point["impressions"] for point in analytics["timeseries"]) == 25_000
    assert analytics["completeness"] == {"complete": True, "expected": 2, "measured": 2}
    block = tenant.client.get(f"/posts/{post_id}")["analytics"]
    assert (block["total_impressions"], block["total_engagements"], block["engagement_rate"]) == (25_000, 450, 1.8)

    # A platform takes something back: what it says now is right.
    tenant.count(post_id, "twitter", impressions=14_000)
    again = tenant.refresh(post_id, eventually)
    assert again["total"]["impressions"] == 24_000
    assert sum(point["impressions"] for point in again["timeseries"]) == 24_000

    quiet = tenant.publish("Small news", "Aside")
    tenant.count(quiet, "twitter", impressions=1_000, likes=5)
    tenant.refresh(quiet, eventually)
    today = datetime.now(UTC).date().isoformat()

    def everything_is_in() -> Any:
        found = tenant.client.get("/distribution/metrics", start_date=today, end_date=today)
        return found if found["summary"]["total_impressions"] == 25_000 else None

    found = eventually(everything_is_in, what="both posts in the roll-ups")
    assert found["summary"] == {
        "total_posts": 2,
        "total_impressions": 25_000,
        "total_engagements": 455,
        "avg_engagement_rate": 1.82,
        "followers_gained": None,
    }
    by_platform = {each["platform"]: each for each in found["by_platform"]}
    assert by_platform["twitter"]["posts"] == by_platform["linkedin"]["posts"] == 2
    assert by_platform["twitter"]["best_performing_post"] == post_id
    assert [(top["id"], top["title"], top["engagements"]) for top in found["top_posts"]] == [
        (post_id, "Launch", 450),
        (quiet, "Aside", 5),
    ]
    of_platform = tenant.client.get("/distribution/metrics", start_date=today, end_date=today, platform="linkedin")
    assert of_platform["summary"]["total_impressions"] == 10_000
    times = tenant.client.get("/scheduling/optimal-times", platform="twitter", timezone="Europe/Paris")
    assert times["basis"] == "prior"

    assert stranger.get("/distribution/metrics")["summary"]["total_posts"] == 0
    stranger.refused(404, "post_not_found", "GET", f"/posts/{post_id}/analytics")


def test_every_platform_tells_in_its_own_words(
    stack: Stack, everywhere: Any, sandbox: Any, eventually: Callable[..., Any]
) -> None:
    """One video on the four platforms that the other test leaves out; read on demand, and streamed."""
    client = everywhere.client
    began = datetime.now(UTC)
    video = {"type": "video", "url": sandbox.media("video.mp4", w=720, h=1280, seconds=5)}
    options: dict[str, Any] = {
        "instagram": {},
        "youtube": {"title": "A short", "post_type": "short"},
        "tiktok": {"privacy_level": "public_to_everyone"},
        "facebook": {"post_type": "reel"},
    }
    body = {
        "content": {"text": f"Four at once {new_id('n')}", "media": [video]},
        "platforms": [
            {"platform": platform, "account_id": everywhere.accounts[platform].id, "options": chosen}
            for platform, chosen in options.items()
        ],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    post = client.settled(post_id, "published", "failed", seconds=120)
    assert post["status"] == "published", post["failure_reasons"]
    counts = {
        "impressions": 900,
        "views": 900,
        "unique_impressions": 700,
        "likes": 40,
        "replies": 5,
        "comments": 5,
        "reposts": 2,
        "shares": 3,
        "saves": 8,
    }
    with httpx.Client(base_url=f"{stack.sandbox_url}/_sandbox", trust_env=False, timeout=30) as control:
        for each in post["platform_posts"]:
            control.post(f"/ledger/{each['post_id']}/metrics", json=counts).raise_for_status()
    found = refreshed(client, post_id, eventually)
    told = {each.pop("platform"): each for each in found["by_platform"]}
    shown = {
        platform: {name: value for name, value in each.items() if isinstance(value, int | float)}
        for platform, each in told.items()
    }
    assert shown == {
        "instagram": {
            "impressions": 900,
            "engagements": 58,
            "engagement_rate": 6.44,
            "views": 900,
            "reach": 700,
            "likes": 40,
            "comments": 5,
            "saves": 8,
            "shares": 3,
            "reposts": 2,
        },
        # What only reports tell comes days later.
        "youtube": {
            "impressions": 900,
            "engagements": 45,
            "engagement_rate": 5.0,
            "views": 900,
            "likes": 40,
            "comments": 5,
        },
        "tiktok": {
            "impressions": 900,
            "engagements": 47,
            "engagement_rate": 5.22,
            "views": 900,
            "likes": 40,
            "comments": 5,
            "shares": 2,
        },
        "facebook": {
            "impressions": 900,
            "engagements": 47,
            "engagement_rate": 5.22,
            "reach": 700,
            "reactions": 40,
            "comments": 5,
            "shares": 2,
        },
    }
    # 58 + 45 + 47 + 47 of 3,600.
    assert (found["total"]["engagements"], found["total"]["engagement_rate"]) == (197, 5.47)
    fresh = streamed(stack, client, post_id, began, lambda data: data["total"] == found["total"])
    assert {each["platform"]: each["engagements"] for each in fresh["by_platform"]} == {
        platform: each["engagements"] for platform, each in shown.items()
    }
    assert fresh["as_of"] == found["as_of"]


def test_samples_on_the_log_hold_no_secret(stack: Stack, tenant: Tenant, eventually: Callable[..., Any]) -> None:
    post_id = tenant.publish("Some news")
    tenant.refresh(post_id, eventually)
    values = asyncio.run(_everything(stack.kafka_bootstrap))
    ours = [value for value in values if tenant.id.encode() in value]
    assert len(ours) >= 4
    assert not [value for value in ours if b"token" in value.lower() or b"bearer" in value.lower()]


async def _everything(bootstrap: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        METRICS_SAMPLES, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: list[bytes] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    unpack(tuple(record.headers), record.value)
                    found.append(record.value)
        return found
    finally:
        await consumer.stop()
