"""The whole system on this machine: Kafka, the store, the topics, the services and the sandbox."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, Unpack

from contracts.content import Platform
from contracts.topics import all_topics
from eventlog.provision import provision
from localstack import jars, kafka, services, store
from localstack.accounts import AccountOptions, create_and_connect
from localstack.keys import Keys
from localstack.process import Process, ProcessFailedError
from localstack.record import Record
from localstack.settings import Settings
from localstack.supervisor import Supervisor


class NotRunHereError(RuntimeError):
    """The asked part belongs to somebody else, and was not started by this stack."""


class Stack:
    """Starts when entered as a context and is drained on leaving. Restarts nothing unless its supervisor watches."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.keys = Keys.in_folder(settings.social_state / "keys")
        self.supervisor = Supervisor(Record(settings.record), say)
        self._say = say
        self._broker: kafka.Broker | None = None
        self._store: store.Store | None = None
        self._platform_user_ids: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Everything, until every service is ready. Raises ProcessFailedError, HashMismatchError, ProvisioningError."""
        _set_old_logs_aside(self.settings.logs)
        self.keys.ensure()
        self.supervisor.start(self._infrastructure())
        self._check_external()
        asyncio.run(provision(self.kafka_bootstrap, all_topics(self.settings.topic_partitions)))
        self._say("topics are there")
        self.supervisor.start(services.processes(self.settings, self.keys))

    def stop(self) -> None:
        self.supervisor.drain()

    @property
    def gateway_url(self) -> str:
        return self.settings.gateway_url

    @property
    def sandbox_url(self) -> str:
        return self.settings.sandbox_url

    @property
    def kafka_bootstrap(self) -> str:
        return self.settings.bootstrap

    @property
    def mongodb_uri(self) -> str:
        return self.settings.store_uri

    @property
    def database(self) -> str:
        return self.settings.mongodb_database

    @property
    def broker(self) -> kafka.Broker:
        """Raises NotRunHereError when Kafka comes from KAFKA_BOOTSTRAP."""
        if self._broker is None:
            raise NotRunHereError(f"Kafka at {self.kafka_bootstrap} was not started by this stack")
        return self._broker

    @property
    def store(self) -> store.Store:
        """Raises NotRunHereError when the store comes from MONGODB_URI."""
        if self._store is None:
            raise NotRunHereError("the store was not started by this stack")
        return self._store

    def process(self, name: str) -> Process:
        """A program of this stack by name: a service, `kafka` or `store`."""
        for process in self.supervisor.processes:
            if process.name == name:
                return process
        raise NotRunHereError(f"{name} was not started by this stack")

    def logs(self, name: str) -> str:
        """What the program has written so far."""
        return self.process(name).log.read_text(errors="replace")

    def token(
        self, *, role: str | Sequence[str] = "content_manager", tenant: str = "demo", sub: str = "user_001"
    ) -> str:
        """An access token for the gateway."""
        return self.keys.token(
            issuer=self.settings.jwt_issuer,
            audience=self.settings.jwt_audience,
            tenant=tenant,
            sub=sub,
            roles=[role] if isinstance(role, str) else role,
        )

    def connect_account(
        self, tenant: str, platform: Platform, *, account_id: str | None = None, **options: Unpack[AccountOptions]
    ) -> str:
        """A new sandbox account, connected for `tenant`; returns its id. Raises AccountNotConnectedError."""
        account = create_and_connect(self.settings, self.keys, tenant, platform, account_id=account_id, **options)
        self._platform_user_ids[account.account_id] = account.platform_user_id
        return account.account_id

    def platform_user_id(self, account_id: str) -> str:
        """The platform's own id of an account connected here: what the sandbox's ledger knows it by."""
        return self._platform_user_ids[account_id]

    def _infrastructure(self) -> list[Process]:
        started: list[Process] = []
        choice = store.choose(self.settings.mongodb_uri, self.settings.social_cache)
        self._say(f"store: {choice.kind}")
        if choice.kind != "external":
            self._store = store.Store(
                choice, self.settings.data / "store", self.settings.logs / "store.log", port=self.settings.mongodb_port
            )
            started.append(self._store)
        if self.settings.kafka_bootstrap is None:
            paths = jars.fetch(jars.read_lock(kafka.LOCK), self.settings.jars, self._say)
            self._broker = kafka.Broker(
                paths,
                self.settings.data / "kafka",
                self.settings.logs / "kafka.log",
                port=self.settings.kafka_port,
                controller_port=self.settings.kafka_controller_port,
                java_options=shlex.split(self.settings.kafka_java_options),
            )
            started.append(self._broker)
        return started

    def _check_external(self) -> None:
        if self._broker is None and not kafka.answers(self.kafka_bootstrap):
            raise ProcessFailedError(f"no Kafka answers at KAFKA_BOOTSTRAP={self.kafka_bootstrap}")
        if self._store is None and not store.answers(self.mongodb_uri):
            raise ProcessFailedError("no store answers at MONGODB_URI")


def _set_old_logs_aside(folder: Path) -> None:
    for log in folder.glob("*.log"):
        log.replace(log.with_suffix(".log.previous"))
