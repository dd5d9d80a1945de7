"""Figures that are wrong are folded again from the log and put in the place of the live ones."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pymongo import MongoClient

from contracts.analytics import PostMetrics
from contracts.collecting import PostMeasured
from contracts.ids import new_id
from contracts.topics import METRICS_SAMPLES
from contracts.wire import Envelope, pack
from eventlog.kafka import KafkaEventLog
from eventlog.ports import Outgoing
from localstack.stack import Stack

pytestmark = pytest.mark.stack


async def test_rebuilt_figures_take_the_place_of_wrong_ones(stack: Stack, eventually: Any) -> None:
    account_id, post_id, now = new_id("acc"), new_id("post"), datetime.now(UTC)
    key: dict[str, Any] = {"post_id": post_id}
    process = stack.process("analytics")

    def again() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ops", "rebuild", "figures", "--switch-over"],
            env={**os.environ, **process.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    log = await KafkaEventLog(stack.kafka_bootstrap, METRICS_SAMPLES, "test").start()

    async def measure(likes: int) -> None:
        sample = PostMeasured(
            tenant_id="tenant_figures",
            account_id=account_id,
            platform="twitter",
            post_id=post_id,
            target_id=f"twitter:{account_id}",
            published_at=now,
            content_type="text",
            observed_at=datetime.now(UTC),
            counters={"impression_count": 100, "like_count": likes},
        )
        headers, value = pack(sample, Envelope(id=new_id("evt"), source="test", subject=account_id, time=now))
        await log.publish([Outgoing(topic=METRICS_SAMPLES, key=account_id, headers=headers, value=value)])

    try:
        with MongoClient[dict[str, Any]](stack.mongodb_uri) as client:
            database = client[stack.database]
            posts = database["analytics_posts"]
            await measure(3)
            right = eventually(lambda: posts.find_one(key), what="the sample being folded")
            state = msgspec.json.decode(right["state"], type=PostMetrics)
            wrong = msgspec.json.encode(msgspec.structs.replace(state, tenant_id="tenant_wrong"))
            posts.update_one(key, {"$set": {"state": wrong}})

            refused = again()
            assert (refused.returncode, "end all instances of analytics" in refused.stderr) == (2, True), refused
            process.stop()
            eventually(lambda: again().returncode == 0, what="the figures being switched over")
            assert posts.find_one(key, {"changed_at": 0}) == {k: v for k, v in right.items() if k != "changed_at"}
            kept = [name for name in database.list_collection_names() if name.startswith("analytics_posts_until_")]
            assert [database[name].find_one(key)["state"] for name in kept] == [wrong]  # type: ignore[index]
            assert "changed" in posts.index_information()

            await measure(4)
            process.start()
            folded = eventually(
                lambda: found if (found := posts.find_one(key)) and found["position"] > right["position"] else None,
                what="folding going on",
            )
            assert msgspec.json.decode(folded["state"], type=PostMetrics).tenant_id == "tenant_figures"
            for name in database.list_collection_names():
                if "_until_" in name and name.startswith("analytics_"):
                    database.drop_collection(name)
    finally:
        await log.close()
        process.start()
