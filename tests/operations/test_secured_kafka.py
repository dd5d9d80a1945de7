"""Every service over TLS, under its own name and password, with the rights that the manifests give it and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from tests.conftest import Client, eventually
from tests.media.corpus import png

from chassis.settings import KafkaSettings
from contracts.topics import ACCOUNTS_EVENTS, MEDIA_COMMANDS, all_topics
from eventlog.kafka import KafkaEventLog, admin, member, partition_count
from eventlog.ports import AppendFailedError, Outgoing
from eventlog.provision import provision
from localstack import services
from localstack.keys import Keys
from localstack.process import Process, free_ports
from localstack.settings import Settings
from localstack.stack import Stack
from localstack.testing import IMPATIENT, isolated_settings, local_broker

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
USERS = {
    user["metadata"]["name"]: user["spec"]
    for user in yaml.safe_load_all((ROOT / "deploy/k8s/components/kafka-users/users.yaml").read_text())
}
PARTITIONS = 2

PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},SASL_SSL://127.0.0.1:SCRAM,SSL://127.0.0.1:MUTUAL
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:SCRAM,SSL://127.0.0.1:MUTUAL
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=FOLDER/broker.both
ssl.truststore.type=PEM
ssl.truststore.location=FOLDER/ca.pem
listener.name.ssl.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
"""The plain listener is the test's own, to arrange things."""

# https://kafka.apache.org/protocol.html; org.apache.kafka.common.acl.AclOperation, resource.ResourceType
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}
RESOURCES = {"topic": 2, "group": 3, "cluster": 4}
LITERAL, ALLOW = 3, 3


@dataclass(frozen=True)
class Secured:
    """A broker with a listener for passwords and one for certificates, and the files of its clients."""

    plain: str
    scram: str
    mutual: str
    folder: Path

    def named(self, user: str) -> dict[str, str]:
        """The environment of a client that logs in as this user."""
        return {
            "KAFKA_BOOTSTRAP": self.scram,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD_FILE": str(self.folder / f"{user}.password"),
            "KAFKA_CA_FILE": str(self.folder / "ca.pem"),
        }

    def certified(self, user: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP": self.mutual,
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_CA_FILE": str(self.folder / "ca.pem"),
            "KAFKA_CERT_FILE": str(self.folder / f"{user}.pem"),
            "KAFKA_KEY_FILE": str(self.folder / f"{user}.key"),
        }


def settings(environment: Mapping[str, str]) -> KafkaSettings:
    return KafkaSettings.model_validate({name.lower(): value for name, value in environment.items()})


def issue(authority: trustme.CA, folder: Path, name: str, *identities: str) -> None:
    """`name.pem` and `name.key`, and both in `name.both`; Kafka takes keys as PKCS #8 only."""
    issued = authority.issue_cert(*identities, common_name=name)
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    (folder / f"{name}.pem").write_bytes(chain)
    (folder / f"{name}.key").write_bytes(key_pem)
    (folder / f"{name}.both").write_bytes(key_pem + chain)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = trustme.CA()
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    issue(authority, folder, "broker", "127.0.0.1")
    issue(authority, folder, "media", "media.social")
    scram, mutual = free_ports(2)
    properties = PROPERTIES.replace("SCRAM,", f"{scram},").replace("MUTUAL", str(mutual)).replace("FOLDER", str(folder))
    credentials: list[str] = []
    for user in USERS:
        (folder / f"{user}.password").write_text(f"password-of-{user}\n")
        credentials += ["--add-scram", f"SCRAM-SHA-512=[name={user},password=password-of-{user}]"]
    broker = local_broker(folder, properties=properties, format_options=credentials)
    broker.start()
    asyncio.run(grant(broker.bootstrap))
    yield Secured(broker.bootstrap, f"127.0.0.1:{scram}", f"127.0.0.1:{mutual}", folder)
    broker.stop()


async def grant(bootstrap: str) -> None:
    """The topics, and what the manifests allow whom."""
    await provision(bootstrap, all_topics(PARTITIONS))
    client = admin(bootstrap)
    await client.start()
    try:
        for user, spec in USERS.items():
            for acl in spec["authorization"]["acls"]:
                resource = acl["resource"]
                for operation in acl["operations"]:
                    answer = await client._send_to_controller(
                        CreateAclsRequest(
                            RESOURCES[resource["type"]],
                            resource["name"],
                            LITERAL,
                            f"User:{user}",
                            acl["host"],
                            OPERATIONS[operation],
                            ALLOW,
                        )
                    )
                    assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await client.close()


def message(topic: str, value: bytes = b"{}") -> Outgoing:
    return Outgoing(topic=topic, key=None, partition=0, headers=(), value=value)


@asynccontextmanager
async def event_log(environment: Mapping[str, str], topic: str) -> AsyncIterator[KafkaEventLog]:
    log = await KafkaEventLog(settings(environment), topic, "test").start()
    try:
        yield log
    finally:
        await log.close()


@pytest.mark.parametrize("listener", ["named", "certified"])
async def test_a_client_does_what_it_may(secured: Secured, listener: str) -> None:
    media: dict[str, str] = getattr(secured, listener)("media")
    async with event_log(media, MEDIA_COMMANDS) as log:
        before = await log.end(0)
        await log.publish([message(MEDIA_COMMANDS, b"1"), message(MEDIA_COMMANDS, b"2")])
        assert [record.value for record in await log.read(0, before, before + 2)] == [b"1", b"2"]
        with pytest.raises(AppendFailedError, match="Authorization"):
            await log.publish([message(ACCOUNTS_EVENTS)])
    assert await partition_count(settings(media), MEDIA_COMMANDS) == PARTITIONS
    assert await partition_count(settings(media), ACCOUNTS_EVENTS) == 0, "what it may not know is not there"
    own, foreign = member(settings(media), "media", MEDIA_COMMANDS), member(settings(media), "posts", MEDIA_COMMANDS)
    await own.start()
    assert {each.topic for each in own.assignment()} == {MEDIA_COMMANDS}
    await own.stop()
    with pytest.raises(KafkaError):
        await foreign.start()
    await foreign.stop()


async def test_nobody_else_comes_in(secured: Secured, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guessed")
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    issue(trustme.CA(), tmp_path, "media", "media.social")
    good, certified = secured.named("media"), secured.certified("media")
    forged = {"KAFKA_CERT_FILE": str(tmp_path / "media.pem"), "KAFKA_KEY_FILE": str(tmp_path / "media.key")}
    for refused in (
        {**good, "KAFKA_SASL_PASSWORD_FILE": str(wrong)},
        {**good, "KAFKA_CA_FILE": str(tmp_path / "ca.pem")},
        {**good, "KAFKA_BOOTSTRAP": good["KAFKA_BOOTSTRAP"].replace("127.0.0.1", "localhost")},
        {**certified, **forged},
        {name: value for name, value in certified.items() if name not in forged},
        {"KAFKA_BOOTSTRAP": secured.scram},
    ):
        client: AIOKafkaAdminClient = admin(settings(refused), request_timeout_ms=3_000)
        try:
            with pytest.raises(KafkaError):
                await client.start()
        finally:
            await client.close()


def test_every_service_works_with_the_rights_of_its_manifest(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = services.processes

    def named(stack: Settings, keys: Keys) -> list[Process]:
        processes = made(stack, keys)
        for process in processes:
            if process.name in USERS:
                process.environment |= secured.named(process.name)
        return processes

    monkeypatch.setattr(services, "processes", named)
    for name, value in {**IMPATIENT, "ANALYTICS_AGES": "[1]"}.items():
        monkeypatch.setenv(name, value)
    told = isolated_settings(tmp_path).model_copy(
        update={"kafka_bootstrap": secured.plain, "topic_partitions": PARTITIONS}
    )
    with Stack(told, print) as stack:
        account = stack.connect_account("tenant_1", "twitter")
        client, manager = Client(stack, "tenant_1"), Client(stack, "tenant_1", role="tenant_admin")
        hook = {"url": f"{stack.sandbox_url}/hook", "event_types": ["social.post_published"]}
        webhook_id = manager.post("/webhooks", hook, status=201)["id"]
        upload = client.request("POST", "/media/upload", files={"file": ("dot.png", png(8, 8))})
        picture = {"type": "image", "media_id": upload.json()["media_id"]}
        draft = {
            "content": {"text": "Hello", "media": [picture]},
            "platforms": ["twitter"],
            "accounts": {"twitter": account},
        }
        post_id = client.post("/posts", draft, status=201)["id"]
        client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
        client.settled(post_id, "published")
        eventually(lambda: manager.get(f"/webhooks/{webhook_id}/deliveries")["deliveries"], what="a delivery")
        eventually(lambda: client.get(f"/posts/{post_id}/analytics")["completeness"]["measured"], what="its numbers")
        written = {name: stack.logs(name) for name in USERS}
    assert not [name for name, log in written.items() if "Authorization" in log or "password-of" in log]
