"""Writes what of the manifests follows from the code: `python deploy/k8s/generate.py`; `--check` only compares.

KafkaTopics come from `contracts.topics`. Users of Kafka, and the way of their passwords into the pods, come from GRANTS
below: what each service reads and writes. Users of MongoDB come from COLLECTIONS: what each keeps and looks at there.
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
    | writes(*PUBLISH, topics.MEDIA_COMMANDS, topics.POST_PUBLISHED, topics.POST_FAILED),
    "publisher": owner("accounts", topics.ACCOUNTS_COMMANDS, topics.ACCOUNTS_EVENTS)
    | consumer("publisher", *PUBLISH)
    | consumer("publisher-collecting", *COLLECT)
    | writes(topics.ACCOUNTS_COMMANDS, topics.POSTS_COMMANDS, topics.MEDIA_COMMANDS)
    | writes(topics.METRICS_SAMPLES, topics.ACCOUNT_DISCONNECTED),
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
    "auditor": Grant(reads=frozenset({topics.POSTS_EVENTS})),
}


class Shelf(Struct, frozen=True, kw_only=True):
    """What a service does with collections."""

    keeps: frozenset[str] = frozenset()
    """Writes and reads them, and makes their indexes."""
    asks: frozenset[str] = frozenset()
    """Reads them in its own ways, for which it makes indexes."""
    sees: frozenset[str] = frozenset()
    """Reads them."""
    remakes: frozenset[str] = frozenset()
    """Keeps them, and throws them away whole."""

    def privileges(self) -> Iterable[Mapping[str, object]]:
        see, ask = ["find"], ["find", "listIndexes", "createIndex"]
        keep = [*ask, "insert", "update", "remove"]
        for collections, actions in (
            (self.keeps, keep),
            (self.asks, ask),
            (self.sees, see),
            (self.remakes, [*keep, "dropCollection"]),
        ):
            for name in sorted(collections):
                yield {"resource": {"db": DATABASE, "collection": name}, "actions": sorted(actions)}


def owned(aggregate: str) -> frozenset[str]:
    """What `eventlog.documents` needs."""
    return frozenset({aggregate, "checkpoints"})


DATABASE = "social"
ANALYTICS = frozenset(
    {"analytics_posts", "analytics_days", "analytics_day_posts", "analytics_accounts", "analytics_mentions"}
)
COLLECTIONS: Mapping[str, Shelf] = {
    "gateway": Shelf(
        keeps=frozenset({"idempotency", "media_uploads", "media_undecided"}),
        asks=frozenset({"posts", "accounts", "media"}),
        sees=frozenset({"media_progress", "public_events", "public_events_bounds", "analytics_plans"})
        | ANALYTICS - {"analytics_mentions"},
    ),
    "posts": Shelf(keeps=owned("posts"), remakes=frozenset({"posts_rebuilt"})),
    "publisher": Shelf(
        keeps=owned("accounts") | {"oauth_attempts", "oauth_selections", "publications", "tokens"},
        sees=frozenset({"media"}),
    ),
    "media": Shelf(
        keeps=owned("media") | {"media_progress"}, asks=frozenset({"media_uploads"}), sees=frozenset({"posts"})
    ),
    "analytics": Shelf(
        keeps=ANALYTICS | {"analytics_plans"},
        sees=frozenset({"posts", "accounts"}),
        remakes=frozenset(f"{name}_rebuilt" for name in ANALYTICS),
    ),
    "webhooks": Shelf(
        keeps=owned("endpoints")
        | {"public_events", "public_events_bounds", "webhook_deliveries", "webhook_deliveries_bounds"}
        | {"webhook_bells", "webhook_standings", "webhook_keys"},
    ),
    "auditor": Shelf(
        keeps=frozenset({"audit", "audit_posts", "audit_tenants", "audit_findings"}), sees=frozenset({"publications"})
    ),
}

WORKERS = frozenset({"publisher", "media", "analytics"})
"""StatefulSets: see base/every-worker.yaml."""


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
        "spec": {"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": acls}},
    }


def logs_in(name: str) -> Mapping[str, object]:
    """A patch of the service's pods: who they are, and where their password and the brokers' authority are."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet" if name in WORKERS else "Deployment",
        "metadata": {"name": name, "namespace": "social"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "service",
                            "env": [{"name": "KAFKA_SASL_USERNAME", "value": name}],
                            "volumeMounts": [{"name": "kafka", "mountPath": "/run/kafka", "readOnly": True}],
                        }
                    ],
                    "volumes": [{"name": "kafka", "secret": {"secretName": f"kafka-{name}", "defaultMode": 0o440}}],
                }
            }
        },
    }


def password(name: str) -> Mapping[str, object]:
    """What Strimzi's operator made in its own namespace, in ours."""

    def entry(key: str, secret: str) -> Mapping[str, object]:
        return {"secretKey": key, "remoteRef": {"key": secret, "property": key}}

    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": f"kafka-{name}", "namespace": "social"},
        "spec": {
            "refreshInterval": "5m",
            "secretStoreRef": {"kind": "SecretStore", "name": "kafka"},
            "data": [entry("password", name), entry("ca.crt", "social-cluster-ca-cert")],
        },
    }


def mongodb_users() -> Mapping[str, object]:
    """A patch of the MongoDB operator's resource."""
    roles = [
        {"role": name, "db": "admin", "privileges": list(shelf.privileges()), "roles": []}
        for name, shelf in COLLECTIONS.items()
    ]
    users = [mongodb_user(name, {"name": name, "db": "admin"}) for name in COLLECTIONS]
    operator = [{"name": "readWrite", "db": DATABASE}, {"name": "dbAdmin", "db": DATABASE}]
    return {
        "apiVersion": "mongodbcommunity.mongodb.com/v1",
        "kind": "MongoDBCommunity",
        "metadata": {"name": "social", "namespace": "social-mongodb"},
        "spec": {"security": {"roles": roles}, "users": [*users, mongodb_user("ops", *operator)]},
    }


def mongodb_user(name: str, *roles: Mapping[str, str]) -> Mapping[str, object]:
    return {
        "name": name,
        "db": "admin",
        "passwordSecretRef": {"name": "mongodb-passwords", "key": name},
        "roles": list(roles),
        "scramCredentialsSecretName": name,
        "connectionStringSecretName": f"mongodb-{name}",
        "connectionStringSecretNamespace": "social",
    }


def connects(name: str) -> Mapping[str, object]:
    """A patch of the service's pods: its own connection string."""
    secret = {"name": f"mongodb-{name}", "key": "connectionString.standard"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet" if name in WORKERS else "Deployment",
        "metadata": {"name": name, "namespace": "social"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "service", "env": [{"name": "MONGODB_URI", "valueFrom": {"secretKeyRef": secret}}]}
                    ]
                }
            }
        },
    }


def generated() -> Mapping[Path, str]:
    def documents(values: Iterable[Mapping[str, object]]) -> str:
        return HEADER + yaml.safe_dump_all(values, sort_keys=False, width=120)

    return {
        HERE / "components/strimzi/topics.yaml": documents(map(kafka_topic, topics.all_topics(PARTITIONS))),
        HERE / "components/kafka-users/users.yaml": documents(
            kafka_user(name, grant) for name, grant in GRANTS.items()
        ),
        HERE / "components/kafka-users/pods.yaml": documents(map(logs_in, GRANTS)),
        HERE / "components/kafka-users/passwords.yaml": documents(map(password, [*GRANTS, "ops"])),
        HERE / "components/mongodb/users.yaml": documents([mongodb_users()]),
        HERE / "components/mongodb/pods.yaml": documents(map(connects, COLLECTIONS)),
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
