"""Topics and rights on Kafka are those that the code needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import PurePath

import pytest
import yaml
from tests.manifests.rendering import KUSTOMIZE, ROOT, SERVICES, Document, Manifests

from chassis.settings import KafkaSettings
from contracts import topics
from contracts.content import PLATFORMS

NAMES = {
    name: value
    for name, value in vars(topics).items()
    if name.isupper() and isinstance(value, str) and not name.startswith("_")
}
FAMILIES: dict[str, tuple[str, ...]] = {
    "publish_requests": tuple(map(topics.publish_requests, PLATFORMS)),
    "collect_requests": tuple(map(topics.collect_requests, PLATFORMS)),
    "PUBLIC_TOPICS": topics.PUBLIC_TOPICS,
}
ONLY_AS_WORDS = {"gateway": set(topics.PUBLIC_TOPICS)}
"""The gateway knows types of events by these names, and reads none of them."""

RUNTIME = {topics.GATEWAY_REPLIES, topics.UNREADABLE_EVENTS}
"""Written and read by the libraries on a service's behalf."""


@pytest.fixture(scope="module")
def users() -> dict[str, Document]:
    loaded = yaml.safe_load_all((KUSTOMIZE / "components/kafka-users/users.yaml").read_text())
    return {each["metadata"]["name"]: each for each in loaded}


def granted(user: Document, kind: str, operation: str | None = None) -> set[str]:
    return {
        each["resource"]["name"]
        for each in user["spec"]["authorization"]["acls"]
        if each["resource"]["type"] == kind and (operation is None or operation in each["operations"])
    }


def named_in(service: str) -> set[str]:
    """The topics whose names the code of a service uses."""
    found: set[str] = set()
    for path in ROOT.glob(f"services/{service}/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module="contracts.topics", names=names):
                    words = [each.name for each in names]
                case ast.Attribute(value=ast.Name(id="topics"), attr=word):
                    words = [word]
                case _:
                    continue
            for word in words:
                found |= {NAMES[word]} if word in NAMES else set(FAMILIES.get(word, ()))
    return found


def test_generated_files_are_what_the_code_says() -> None:
    subprocess.run([sys.executable, str(KUSTOMIZE / "generate.py"), "--check"], check=True)


def test_every_topic_is_declared(production: Manifests) -> None:
    declared = {each["spec"]["topicName"]: each["spec"] for each in production.of("KafkaTopic").values()}
    partitions = {each["partitions"] for each in declared.values()}
    assert len(partitions) == 1
    expected = {each.name: each for each in topics.all_topics(partitions.pop())}
    assert {name: each["config"] for name, each in declared.items()} == {
        name: dict(each.config) for name, each in expected.items()
    }
    assert {each["replicas"] for each in declared.values()} == {3}


def test_the_job_makes_as_many_partitions(overlays: dict[str, Manifests]) -> None:
    base = (KUSTOMIZE / "base/settings/topics.env").read_text()
    declared = {each["spec"]["partitions"] for each in overlays["production"].of("KafkaTopic").values()}
    assert f"TOPIC_PARTITIONS={declared.pop()}\n" in base


def test_an_acknowledged_record_is_on_two_brokers(production: Manifests) -> None:
    config = production.of("Kafka")["social"]["spec"]["kafka"]["config"]
    assert (config["min.insync.replicas"], config["default.replication.factor"]) == (2, 3)
    assert config["unclean.leader.election.enable"] is False
    assert config["auto.create.topics.enable"] is False


@pytest.mark.parametrize("service", SERVICES)
def test_rights_are_on_the_topics_that_the_code_names(service: str, users: dict[str, Document]) -> None:
    dead = {topics.dead_letters(each.name) for each in topics.all_topics()}
    assert granted(users[service], "topic") - dead - RUNTIME == named_in(service) - RUNTIME - ONLY_AS_WORDS.get(
        service, set()
    )


@pytest.mark.parametrize("service", SERVICES)
def test_dead_letters_are_of_what_is_read_and_never_read(service: str, users: dict[str, Document]) -> None:
    reads, writes = granted(users[service], "topic", "Read"), granted(users[service], "topic", "Write")
    dead = {topics.dead_letters(each): each for each in reads}
    assert {dead[each] for each in writes if each in dead} <= reads
    assert not [each for each in reads if each.endswith(".dead")]


def test_only_owners_append_to_a_log(users: dict[str, Document]) -> None:
    owners = {
        topics.POSTS_EVENTS: "posts",
        topics.ACCOUNTS_EVENTS: "publisher",
        topics.MEDIA_EVENTS: "media",
        topics.ENDPOINTS_EVENTS: "webhooks",
    }
    for log, owner in owners.items():
        assert [name for name, user in users.items() if log in granted(user, "topic", "Write")] == [owner]


def test_rights_are_literal_and_no_more_than_to_read_and_write(users: dict[str, Document]) -> None:
    assert set(users) == set(SERVICES)
    for user in users.values():
        for each in user["spec"]["authorization"]["acls"]:
            assert each["resource"]["patternType"] == "literal"
            assert set(each["operations"]) <= {"Describe", "Read", "Write"}


def test_everybody_says_who_they_are_and_nothing_is_in_the_clear(
    production: Manifests, users: dict[str, Document]
) -> None:
    kafka = production.of("Kafka")["social"]["spec"]["kafka"]
    (listener,) = kafka["listeners"]
    assert listener["tls"] is True
    assert listener["authentication"] == {"type": "scram-sha-512"}
    assert kafka["authorization"] == {"type": "simple"}
    copied = production.of("ExternalSecret")
    for service in SERVICES:
        told = production.environment(service, lambda name, key: f"{name}/{key}")
        settings = KafkaSettings.model_validate({name.lower(): value for name, value in told.items()})
        assert settings.kafka_bootstrap.endswith(f":{listener['port']}")
        assert settings.kafka_security_protocol == "SASL_SSL"
        assert settings.kafka_sasl_mechanism.lower() == users[service]["spec"]["authentication"]["type"]
        assert settings.kafka_sasl_username == service
        (source,) = [
            each["remoteRef"]
            for each in copied[f"kafka-{service}"]["spec"]["data"]
            if each["secretKey"] == PurePath(settings.kafka_sasl_password_file or "").name
        ]
        assert source == {"key": service, "property": "password"}


def test_secrets_are_copied_of_users_and_of_nothing_else(production: Manifests) -> None:
    (rule,) = production.of("Role", "social-kafka")["kafka-secrets"]["rules"]
    assert rule["verbs"] == ["get"]
    assert set(rule["resourceNames"]) == {"social-cluster-ca-cert", *production.of("KafkaUser")}
    copied = {
        each["remoteRef"]["key"]
        for secret in production.of("ExternalSecret").values()
        if secret["spec"]["secretStoreRef"] == {"kind": "SecretStore", "name": "kafka"}
        for each in secret["spec"]["data"]
    }
    assert copied == set(rule["resourceNames"])


def test_scaling_looks_at_groups_that_read_those_topics(production: Manifests, users: dict[str, Document]) -> None:
    partitions = {each["spec"]["partitions"] for each in production.of("KafkaTopic").values()}.pop()
    for service, scaled in production.of("ScaledObject").items():
        assert scaled["spec"]["maxReplicaCount"] <= partitions
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "kafka":
                asked = trigger["metadata"]
                assert asked["consumerGroup"] in granted(users[service], "group")
                assert asked["topic"] in granted(users[service], "topic", "Read")
                bootstrap = production.environment(service, lambda name, key: f"{name}/{key}")["KAFKA_BOOTSTRAP"]
                assert asked["bootstrapServers"] == bootstrap
                assert trigger["authenticationRef"]["name"] in production.of("TriggerAuthentication")
