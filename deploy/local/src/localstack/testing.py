"""Pytest fixtures for tests that need the real thing, each started at most once in a session.

`kafka_bootstrap` and `mongodb_uri` come from the environment (KAFKA_BOOTSTRAP, MONGODB_URI) if set, else from
containers where a Docker engine answers, else from servers on free ports of this machine. `stack` is the whole
system on free ports with data of its own; its processes are local, so that a test can kill them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from localstack import jars, kafka, store
from localstack.process import free_ports, wait_until
from localstack.settings import Settings
from localstack.stack import Stack

KAFKA_IMAGE = "apache/kafka:4.4.0"
MONGODB_IMAGE = "mongo:8"
QUICK_START = "-XX:TieredStopAtLevel=1"
"""Compile quickly rather than well: the broker of a short test starts in half the processor time."""
IMPATIENT = {
    "READS_PER_SECOND": "100000",
    "ANALYTICS_REFRESH_EVERY": "0",
    "WRITES_PER_SECOND": "100000",
    "PUBLISHER_CALL_TIMEOUT": "3",
    "PUBLISHER_FENCE": "2",
    "PUBLISHER_PROBE_DELAYS": "[0.5, 1, 2, 4, 8, 16, 32]",
    "PUBLISHER_UNREACHABLE_DELAYS": "[0.2, 0.5, 1, 2, 4, 8]",
    "X_ABSENCE_GAP": "1",
    "LINKEDIN_ABSENCE_GAP": "1",
    "FACEBOOK_ABSENCE_GAP": "1",
    "INSTAGRAM_ABSENCE_GAP": "1",
    "INSTAGRAM_CONTAINER_DELAYS": "[0.2, 1, 2]",
    "TIKTOK_ABSENCE_GAP": "1",
    "TIKTOK_CALL_TIMEOUT": "5",
    "YOUTUBE_ABSENCE_GAP": "1",
    "YOUTUBE_CALL_TIMEOUT": "5",
}
"""What services inherit in tests: limits that no test reaches by accident, and seconds where production has minutes."""
_CONTAINER_READY_WITHIN_SECONDS = 120.0


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Kafka. It may be shared and hold old topics: use names of your own."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield given
    elif _docker_answers():
        yield from _kafka_container()
    else:
        broker = local_broker(tmp_path_factory.mktemp("kafka"))
        broker.start()
        yield broker.bootstrap
        broker.stop()


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real store. It may be shared: use a database of your own."""
    if given := os.environ.get("MONGODB_URI"):
        yield given
    elif _docker_answers():
        yield from _mongodb_container()
    else:
        server = local_store(tmp_path_factory.mktemp("store"))
        server.start()
        yield server.uri
        server.stop()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, ready. A test that kills a part of it starts that part again before it ends."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in IMPATIENT.items():
            environment.setenv(name, value)
        with Stack(isolated_settings(tmp_path_factory.mktemp("stack")), print) as running:
            yield running


def isolated_settings(folder: Path) -> Settings:
    """A stack of its own: data and logs in `folder`, free ports, a database nobody else uses."""
    (
        gateway,
        gateway_health,
        posts,
        publisher,
        internal,
        sandbox,
        broker,
        controller,
        mongodb,
        analytics,
        media,
        webhooks,
        webhooks_internal,
        auditor,
    ) = free_ports(14)
    return Settings(
        social_state=folder,
        kafka_port=broker,
        kafka_controller_port=controller,
        kafka_java_options=QUICK_START,
        mongodb_port=mongodb,
        mongodb_database=f"social_{uuid.uuid4().hex[:8]}",
        gateway_port=gateway,
        gateway_health_port=gateway_health,
        posts_health_port=posts,
        publisher_health_port=publisher,
        publisher_internal_port=internal,
        media_health_port=media,
        webhooks_health_port=webhooks,
        webhooks_internal_port=webhooks_internal,
        sandbox_port=sandbox,
        analytics_health_port=analytics,
        auditor_health_port=auditor,
    )


def local_broker(folder: Path, *, properties: str = "", format_options: Sequence[str] = ()) -> kafka.Broker:
    """A broker on free ports with its data and log in `folder`, configured as `kafka.Broker` says; not started."""
    port, controller_port = free_ports(2)
    paths = jars.fetch(jars.read_lock(kafka.LOCK), Settings().jars, print)
    return kafka.Broker(
        paths,
        folder / "data",
        folder / "kafka.log",
        port=port,
        controller_port=controller_port,
        java_options=[QUICK_START],
        properties=properties,
        format_options=format_options,
    )


def local_store(folder: Path) -> store.Store:
    """A store on a free port with its data and log in `folder`; not started."""
    (port,) = free_ports(1)
    choice = store.choose(None, Settings().social_cache)
    return store.Store(choice, folder / "data", folder / "store.log", port=port)


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def _kafka_container() -> Iterator[str]:
    """Clients are sent to the advertised address, so the port must be the same inside and outside."""
    (port,) = free_ports(1)
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_bind_ports(port, port)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:29093",
            KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://:29093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://localhost:{port}",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_INTER_BROKER_LISTENER_NAME="PLAINTEXT",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        )
    )
    with container:
        bootstrap = f"localhost:{port}"
        wait_until(lambda: kafka.answers(bootstrap), _CONTAINER_READY_WITHIN_SECONDS, "Kafka's container")
        yield bootstrap


def _mongodb_container() -> Iterator[str]:
    with DockerContainer(MONGODB_IMAGE).with_exposed_ports(27017) as container:
        uri = f"mongodb://{container.get_container_host_ip()}:{container.get_exposed_port(27017)}"
        wait_until(lambda: store.answers(uri), _CONTAINER_READY_WITHIN_SECONDS, "the store's container")
        yield uri
