"""Every pod is within Pod Security's `restricted`, and every service is one that can be operated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import kubernetes_validate
import pytest
import yaml
from tests.manifests.rendering import ROOT, SERVICES, Document, Manifests

from chassis.process import CLOSE_SECONDS, DRAIN_SECONDS, LAST_SPANS_SECONDS
from localstack.services import END_WITHIN
from media.settings import Settings as MediaSettings
from publisher.settings import Settings as PublisherSettings

KUBERNETES = "1.34"
OPERATORS = {
    "external-secrets.io/v1",
    "gateway.networking.k8s.io/v1",
    "kafka.strimzi.io/v1",
    "keda.sh/v1alpha1",
    "mongodbcommunity.mongodb.com/v1",
    "monitoring.coreos.com/v1",
}
"""Whose kinds Kubernetes itself does not know."""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
ALONE = "auditor"
"""Of which there is never more than one."""
COMPONENTS = ("otel-collector",)
ENDS_WITHIN = DRAIN_SECONDS + CLOSE_SECONDS + LAST_SPANS_SECONDS
MARGIN = 5.0


def violations(pod: Document) -> Iterator[str]:
    """Against https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    spec = pod["spec"]
    for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        if spec.get(field):
            yield field
    for volume in spec.get("volumes", ()):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    outer = spec.get("securityContext", {})
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        inner = container.get("securityContext", {})
        said = {**outer, **inner}
        if inner.get("privileged") or inner.get("allowPrivilegeEscalation") is not False:
            yield f"{container['name']} may become root"
        if said.get("runAsNonRoot") is not True or said.get("runAsUser", 0) == 0:
            yield f"{container['name']} is root"
        if said.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{container['name']} has no seccomp profile"
        capabilities = inner.get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
            yield f"{container['name']} has capabilities"
        if said.get("procMount", "Default") != "Default" or any(
            "hostPort" in port for port in container.get("ports", ())
        ):
            yield f"{container['name']} reaches into the host"


def test_pods_are_restricted(manifests: Manifests) -> None:
    assert [each for pod in manifests.pods().values() for each in violations(pod)] == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_of_other_components_are_restricted(component: str, with_component: Callable[[str], Manifests]) -> None:
    for pod in with_component(component).pods().values():
        assert list(violations(pod)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hostNetwork",), True),
        (("securityContext", "runAsNonRoot"), False),
        (("securityContext", "runAsUser"), 0),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True),
        (("containers", 0, "securityContext", "capabilities"), {"add": ["NET_ADMIN"], "drop": ["ALL"]}),
        (("volumes", 0), {"name": "tmp", "hostPath": {"path": "/"}}),
    ],
)
def test_the_check_sees_what_is_not_restricted(
    path: tuple[str | int, ...], value: object, with_component: Callable[[str], Manifests]
) -> None:
    pod = deepcopy(with_component("otel-collector").pods()["posts"])
    inner = pod["spec"]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert list(violations(pod))


def test_manifests_are_what_kubernetes_takes(manifests: Manifests) -> None:
    seen = 0
    for each in manifests.documents:
        if each["apiVersion"] not in OPERATORS:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("component", COMPONENTS)
def test_other_components_are_what_kubernetes_takes(component: str, with_component: Callable[[str], Manifests]) -> None:
    for each in with_component(component).documents:
        if each["apiVersion"] not in OPERATORS:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_namespaces_enforce_it(manifests: Manifests) -> None:
    for namespace in manifests.of("Namespace").values():
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"].get("namespace", "social") for each in manifests.documents} <= {
        *manifests.of("Namespace"),
        "monitoring",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_be_operated(manifests: Manifests, service: str) -> None:
    workload = manifests.workload(service)
    spec = workload["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    if service == ALONE:
        assert workload["spec"]["strategy"] == {"type": "Recreate"}
    elif workload["kind"] == "Deployment":
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    else:
        assert workload["spec"]["updateStrategy"] == {"type": "RollingUpdate"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {each["mountPath"] for each in container["volumeMounts"]} >= {"/tmp"}
    assert spec["serviceAccountName"] == service
    assert spec["automountServiceAccountToken"] is False
    assert manifests.of("ServiceAccount")[service]["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False, "Kubernetes would set variables that are settings of ours"
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert "cpu" in container["resources"]["requests"]
    assert {each["topologyKey"] for each in spec["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    budget = manifests.of("PodDisruptionBudget")[service]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == workload["spec"]["selector"]


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_time_to_catch_up(production: Manifests, service: str) -> None:
    probe = production.pods()[service]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3_600


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_time_to_drain(production: Manifests, service: str) -> None:
    spec = production.pods()[service]["spec"]
    before_stop = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert before_stop + ENDS_WITHIN + MARGIN <= spec["terminationGracePeriodSeconds"]


def test_there_is_time_to_drain_on_one_machine() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for patience in (END_WITHIN, int(compose["x-service"]["stop_grace_period"].removesuffix("s"))):
        assert patience >= ENDS_WITHIN + MARGIN


@pytest.mark.parametrize("service", SERVICES)
def test_production_outlives_a_machine(production: Manifests, service: str) -> None:
    scalers = {each["spec"]["scaleTargetRef"]["name"]: each for each in production.of("ScaledObject").values()}
    if service == ALONE:
        assert service not in scalers
    elif service == "gateway":
        scaler = production.of("HorizontalPodAutoscaler")[service]["spec"]
        assert scaler["minReplicas"] >= 2
        assert [each["resource"]["name"] for each in scaler["metrics"]] == ["cpu"]
    else:
        assert scalers[service]["spec"]["minReplicaCount"] >= 2
    assert "replicas" not in production.workload(service)["spec"], "two would decide how many there are"


def test_images_are_ours_and_pinned(manifests: Manifests) -> None:
    built = {path.parent.name for path in ROOT.glob("services/*/requirements.lock")}
    built |= {path.parent.name for path in ROOT.glob("deploy/*/Dockerfile")}
    for pod in manifests.pods().values():
        for container in pod["spec"]["containers"]:
            name, _, tag = container["image"].rpartition(":")
            assert name, f"{container['image']} has no tag"
            assert tag != "latest"
            if "social/" in name:
                assert name.rpartition("/")[2] in built


def test_the_image_runs_as_the_user_of_the_manifests(manifests: Manifests) -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    for service in SERVICES:
        context = manifests.pods()[service]["spec"]["securityContext"]
        assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile


@pytest.mark.parametrize("service", SERVICES)
def test_members_that_stay_have_names_that_stay(manifests: Manifests, service: str) -> None:
    """Pods of a StatefulSet keep their names; under one that changes nobody would ever come back for its partitions."""
    named = "KAFKA_GROUP_INSTANCE_ID" in manifests.environment(service, lambda name, key: f"{name}/{key}")
    assert named == (manifests.workload(service)["kind"] == "StatefulSet")
    scalers = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in manifests.of("ScaledObject").values()}
    if service in scalers:
        kind = scalers[service]["scaleTargetRef"].get("kind", "Deployment")
        assert kind == manifests.workload(service)["kind"]


def test_there_is_room_for_what_a_publisher_sends_at_once(manifests: Manifests) -> None:
    settings = PublisherSettings.model_fields["publisher_concurrency"].default
    largest = MediaSettings.model_fields["media_max_video_bytes"].default
    volume = next(each for each in manifests.pods()["publisher"]["spec"]["volumes"] if each["name"] == "tmp")
    if "emptyDir" in volume:
        room = volume["emptyDir"]["sizeLimit"]
    else:
        room = volume["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    assert room.endswith("Gi")
    assert int(room.removesuffix("Gi")) << 30 >= settings * largest
