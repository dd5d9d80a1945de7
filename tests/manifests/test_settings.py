"""What the manifests tell the services is what the services want to be told."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest
from tests.manifests.rendering import SERVICES, Manifests

from chassis.health import Health
from chassis.settings import ServiceSettings
from sandbox.config import Config

PROVIDERS_OWN = {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""Read by the object store's client itself."""


def settings_of(service: str) -> type[ServiceSettings]:
    if service == "posts":
        return ServiceSettings
    found: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    return found


def any_secret(name: str, key: str) -> str:
    return f"{name}/{key}"


def read(service: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", environment)
        from_environment: Callable[[], ServiceSettings] = settings_of(service)
        return from_environment()


@pytest.mark.parametrize("service", SERVICES)
def test_no_variable_is_unknown(manifests: Manifests, service: str) -> None:
    known = {name.upper() for name in settings_of(service).model_fields}
    given = set(manifests.environment(service, any_secret))
    assert given - PROVIDERS_OWN <= known


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_read_its_settings(manifests: Manifests, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def required_only(name: str, key: str) -> str | None:
        return None if name == "platform-apps" else f"{name}/{key}"

    settings = read(service, manifests.environment(service, required_only), monkeypatch)
    assert settings.health_host == "0.0.0.0"


def test_every_app_of_a_platform_can_be_named(production: Manifests) -> None:
    fields = settings_of("publisher").model_fields
    wanted = {name.upper() for name in fields if name.endswith(("_client_id", "_client_secret_file"))}
    assert wanted <= set(production.environment("publisher", any_secret))


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_those_the_service_listens_on(
    manifests: Manifests, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(service, manifests.environment(service, any_secret), monkeypatch)
    (container,) = manifests.pods()[service]["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    listening = {"health": settings.health_port}
    for field in ("gateway_port", f"{service}_internal_port"):
        if (port := getattr(settings, field, None)) is not None:
            listening["http"] = port
    assert ports == listening
    served = {each["port"] for each in manifests.of("Service").get(service, {"spec": {}})["spec"].get("ports", ())}
    assert served == {port for name, port in listening.items() if name == "http"}


async def test_probes_ask_for_paths_that_are_answered(manifests: Manifests) -> None:
    for service in SERVICES:
        (container,) = manifests.pods()[service]["spec"]["containers"]
        for probe, path in (("startupProbe", "/readyz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            asked = container[probe]["httpGet"]
            assert (asked["path"], asked["port"]) == (path, "health")
    for path in ("/livez", "/readyz", "/metrics"):
        assert await status_of(path) == 200


async def status_of(path: str) -> int:
    sent: list[int] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message.get("status", 0))

    async def receive() -> object:
        raise AssertionError("a probe has no body")

    await Health()._app({"type": "http", "path": path}, receive, send)
    return sent[0]


def test_the_gateway_calls_services_that_exist(manifests: Manifests) -> None:
    environment = manifests.environment("gateway", any_secret)
    for name in ("PUBLISHER_INTERNAL_URL", "WEBHOOKS_INTERNAL_URL"):
        where = urlsplit(environment[name])
        assert where.hostname is not None
        (port,) = manifests.of("Service")[where.hostname]["spec"]["ports"]
        assert port["port"] == where.port


@pytest.mark.parametrize("service", SERVICES)
def test_files_are_mounted(manifests: Manifests, service: str) -> None:
    """Every path in a variable lies on a volume; a file from a Secret that an operator brings is one of its keys."""
    pod = manifests.pods()[service]["spec"]
    (container,) = pod["containers"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {PurePosixPath(each["mountPath"]): volumes[each["name"]] for each in container["volumeMounts"]}
    brought = manifests.of("ExternalSecret")
    for name, value in manifests.environment(service, any_secret).items():
        path = PurePosixPath(value.removeprefix("file://"))
        if not path.is_absolute():
            continue
        where = next((mount for mount in mounts if path.is_relative_to(mount)), None)
        assert where is not None, f"{name} of {service} is not on a volume"
        secret = mounts[where].get("secret", {}).get("secretName")
        if secret in brought and "data" in brought[secret]["spec"]:
            assert path.name in {each["secretKey"] for each in brought[secret]["spec"]["data"]}


def test_every_secret_is_brought_by_somebody(production: Manifests) -> None:
    users = production.of("MongoDBCommunity")["social"]["spec"]["users"]
    brought = set(production.of("ExternalSecret")) | {user["connectionStringSecretName"] for user in users}
    for pod in production.pods().values():
        for volume in pod["spec"]["volumes"]:
            assert volume.get("secret", {}).get("secretName") in brought | {None}
        for each in pod["spec"]["containers"][0].get("env", ()):
            assert each.get("valueFrom", {}).get("secretKeyRef", {}).get("name") in brought | {None}


def test_two_services_share_the_same_secrets(production: Manifests) -> None:
    """What one shows to the other is one property of the store."""
    where: dict[str, set[str]] = {}
    for secret in production.of("ExternalSecret").values():
        if secret["spec"]["secretStoreRef"]["kind"] != "ClusterSecretStore":
            continue
        for each in secret["spec"].get("data", ()):
            where.setdefault(each["secretKey"], set()).add(str(each["remoteRef"]))
    assert all(len(places) == 1 for places in where.values())


def test_the_topics_job_is_told_what_it_reads(overlays: dict[str, Manifests]) -> None:
    local = overlays["local"].environment("topics", any_secret)
    assert {"KAFKA_BOOTSTRAP", "TOPIC_PARTITIONS", "TOPIC_REPLICATION"} <= set(local)
    assert "topics" not in overlays["production"].pods()


def test_the_simulated_platforms_listen_where_they_are_asked(overlays: dict[str, Manifests]) -> None:
    local = overlays["local"]
    config = Config.from_environment(local.environment("sandbox", any_secret))
    (port,) = local.of("Service")["sandbox"]["spec"]["ports"]
    assert (config.host, config.port) == ("0.0.0.0", port["port"])
    for name, value in local.environment("publisher", any_secret).items():
        if value.startswith("http://sandbox"):
            assert urlsplit(value).port == config.port, name
