"""Writes what of the manifests follows from the code: `python deploy/k8s/generate.py`; `--check` only compares.

KafkaTopics come from `contracts.topics`. KafkaUsers come from GRANTS below: what each service reads and writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from msgspec import Struct

from contracts import topics
from contracts.content import PLATFORMS

HERE = Path(__file__).parent
PARTITIONS = 24
REPLICAS = 3
NAMESPACE = "social-kafka"
HEADER = "# Written by deploy/k8s/generate.py; do not edit.\n"

PUBLISH = tuple(topics.publish_requests(platform) for platform in PLATFORMS)
COLLECT = tuple(topics.collect_requests(platform) for platform in PLATFORMS)


class Grant(Struct, frozen=True, kw_only=True):
    groups: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def __or__(self, other: Grant) -> Grant:
        return Grant(
            groups=self.groups | other.groups, reads=self.reads | other.reads, writes=self.writes | other.writes
        )


def owner(aggregate: str, commands: str, events: str) -> Grant:
    """What `eventlog.owner` needs: it reads its own log, appends to it, answers, and buries what nobody can read."""
    return Grant(
        groups=frozenset({aggregate}),
        reads=frozenset({commands, events}),
        writes=frozenset({events, topics.GATEWAY_REPLIES, topics.dead_letters(commands)}),
    )


def consumer(group: str, *sources: str) -> Grant:
    """What `eventlog.jobs` needs."""
    return Grant(
        groups=frozenset({group}), reads=frozenset(sources), writes=frozenset(map(topics.dead_letters, sources))
    )


def asks() -> Grant:
    """Waits for verdicts."""
    return Grant(reads=frozenset({topics.GATEWAY_REPLIES}))


def writes(*names: str) -> Grant:
    return Grant(writes=frozenset(names))


GRANTS: Mapping[str, Grant] = {
    "gateway": asks()
    | Grant(reads=frozenset({topics.POSTS_EVENTS}))
    | writes(topics.POSTS_COMMANDS, topics.MEDIA_COMMANDS, topics.ANALYTICS_COMMANDS),
    "posts": owner("posts", topics.POSTS_COMMANDS, topics.POSTS_EVENTS)
    | writes(*PUBLISH, topics.POST_PUBLISHED, topics.POST_FAILED),
    "publisher": owner("accounts", topics.ACCOUNTS_COMMANDS, topics.ACCOUNTS_EVENTS)
    | consumer("publisher", *PUBLISH)
    | consumer("publisher-collecting", *COLLECT)
    | writes(topics.ACCOUNTS_COMMANDS, topics.POSTS_COMMANDS, topics.METRICS_SAMPLES, topics.ACCOUNT_DISCONNECTED),
    "media": owner("media", topics.MEDIA_COMMANDS, topics.MEDIA_EVENTS)
    | consumer("media-jobs", topics.MEDIA_JOBS)
    | writes(topics.MEDIA_COMMANDS, topics.MEDIA_JOBS),
    "analytics": consumer("analytics", topics.POSTS_EVENTS, topics.ACCOUNTS_EVENTS, topics.ANALYTICS_COMMANDS)
    | consumer("analytics-samples", topics.METRICS_SAMPLES)
    | writes(*COLLECT, topics.METRICS_SAMPLES, topics.ENGAGEMENT_SPIKE, topics.MENTION_RECEIVED),
    "webhooks": owner("endpoints", topics.ENDPOINTS_COMMANDS, topics.ENDPOINTS_EVENTS)
    | asks()
    | Grant(groups=frozenset({"webhooks"}), reads=frozenset(topics.PUBLIC_TOPICS))
    | writes(topics.ENDPOINTS_COMMANDS, topics.UNREADABLE_EVENTS),
}


def kafka_topic(topic: topics.TopicSpec) -> Mapping[str, object]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {
            "name": re.sub(r"[^a-z0-9.-]", "-", topic.name),
            "namespace": NAMESPACE,
            "labels": {"strimzi.io/cluster": "social"},
        },
        "spec": {
            "topicName": topic.name,
            "partitions": topic.partitions,
            "replicas": REPLICAS,
            "config": dict(topic.config),
        },
    }


def kafka_user(name: str, grant: Grant) -> Mapping[str, object]:
    def acl(kind: str, resource: str, *operations: str) -> Mapping[str, object]:
        return {
            "resource": {"type": kind, "name": resource, "patternType": "literal"},
            "operations": list(operations),
            "host": "*",
        }

    acls = [acl("group", group, "Read") for group in sorted(grant.groups)]
    for topic in sorted(grant.reads | grant.writes):
        operations = [
            operation for operation, granted in (("Read", grant.reads), ("Write", grant.writes)) if topic in granted
        ]
        acls.append(acl("topic", topic, "Describe", *operations))
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"strimzi.io/cluster": "social"}},
        "spec": {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": acls}},
    }


def generated() -> Mapping[Path, str]:
    def documents(values: Iterable[Mapping[str, object]]) -> str:
        return HEADER + yaml.safe_dump_all(values, sort_keys=False, width=120)

    return {
        HERE / "components/strimzi/topics.yaml": documents(map(kafka_topic, topics.all_topics(PARTITIONS))),
        HERE / "components/kafka-users/users.yaml": documents(
            kafka_user(name, grant) for name, grant in GRANTS.items()
        ),
    }


def main() -> int:
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(files[path])
        return 0
    for path in stale:
        print(f"{path.relative_to(HERE)} is not what the code says", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
