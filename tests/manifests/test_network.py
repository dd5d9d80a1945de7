"""Who may speak to whom: exactly the flows that there are, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from itertools import product

import pytest
from tests.manifests.rendering import SERVICES, Document, Manifests

FLOWS = {("gateway", "publisher", 8004), ("gateway", "webhooks", 8031)}
PORTS = (8000, 8004, 8031, 8081)
TO_THE_INTERNET = {"publisher", "media", "webhooks"}
TO_THE_OBJECTS = {"gateway", "publisher", "media"}


def selects(selector: Document, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "this reader knows only labels"
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


class Place:
    """A pod, or an address outside."""

    def __init__(self, labels: Mapping[str, str] | None = None, namespace: str = "social", address: str = "") -> None:
        self.labels, self.namespace, self.address = labels, namespace, address

    def is_peer(self, peer: Document, home: str) -> bool:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            if not self.address or ip_address(self.address) not in ip_network(block["cidr"]):
                return False
            return not any(ip_address(self.address) in ip_network(each) for each in block.get("except", ()))
        if self.labels is None:
            return False
        if "namespaceSelector" not in peer:
            in_namespace = self.namespace == home
        else:
            in_namespace = selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": self.namespace})
        return in_namespace and selects(peer.get("podSelector", {}), self.labels)


def permits(manifests: Manifests, direction: str, here: Place, there: Place, port: int) -> bool:
    """As Kubernetes decides: what no policy selects is free, else one rule of one policy has to permit it."""
    if here.labels is None:
        return True
    policies = [
        each["spec"]
        for each in manifests.of("NetworkPolicy", here.namespace).values()
        if direction in each["spec"]["policyTypes"] and selects(each["spec"]["podSelector"], here.labels)
    ]
    if not policies:
        return True
    rules, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        (side not in rule or any(there.is_peer(peer, here.namespace) for peer in rule[side]))
        and ("ports" not in rule or port in {each["port"] for each in rule["ports"]})
        for policy in policies
        for rule in policy.get(rules, ())
    )


def reaches(manifests: Manifests, source: Place, target: Place, port: int) -> bool:
    return permits(manifests, "Egress", source, target, port) and permits(manifests, "Ingress", target, source, port)


def pod(manifests: Manifests, name: str) -> Place:
    return Place(manifests.pods()[name]["metadata"]["labels"])


def test_services_reach_each_other_only_as_they_do(manifests: Manifests) -> None:
    found = {
        (source, target, port)
        for source, target, port in product(SERVICES, SERVICES, PORTS)
        if reaches(manifests, pod(manifests, source), pod(manifests, target), port)
    }
    assert found == FLOWS


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_only_those_who_call_strangers_reach_the_internet(manifests: Manifests, address: str) -> None:
    found = {name for name in SERVICES if reaches(manifests, pod(manifests, name), Place(address=address), 443)}
    assert found == TO_THE_INTERNET


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.1.2.3", "172.20.0.1", "192.168.1.1", "127.0.0.1", "100.64.0.1", "fd00::1", "::1"]
)
def test_nobody_reaches_private_networks(manifests: Manifests, address: str) -> None:
    assert not [name for name in SERVICES if reaches(manifests, pod(manifests, name), Place(address=address), 443)]


def test_nobody_reaches_other_ports_of_the_internet(manifests: Manifests) -> None:
    for name, port in product(SERVICES, (22, 25, 6379, 9092)):
        assert not reaches(manifests, pod(manifests, name), Place(address="8.8.8.8"), port)


def test_the_bucket_is_reached_by_its_endpoint(production: Manifests) -> None:
    policy = production.of("NetworkPolicy", "social")["objects"]["spec"]
    endpoint = str(ip_network(policy["egress"][0]["to"][0]["ipBlock"]["cidr"])[10])
    found = {name for name in SERVICES if reaches(production, pod(production, name), Place(address=endpoint), 443)}
    assert found == TO_THE_OBJECTS


def test_all_reach_the_log_and_the_store(overlays: Mapping[str, Manifests]) -> None:
    production, local = overlays["production"], overlays["local"]
    broker = Place({"strimzi.io/cluster": "social"}, namespace="social-kafka")
    store = Place({"app": "social-svc"}, namespace="social-mongodb")
    for name in SERVICES:
        assert reaches(production, pod(production, name), broker, 9093)
        assert not reaches(production, pod(production, name), broker, 9092)
        assert reaches(production, pod(production, name), store, 27017)
        assert reaches(local, pod(local, name), pod(local, "kafka"), 9092)
        assert reaches(local, pod(local, name), pod(local, "mongodb"), 27017)
    assert reaches(local, pod(local, "topics"), pod(local, "kafka"), 9092)
    assert not reaches(local, pod(local, "topics"), pod(local, "mongodb"), 27017)
    assert not reaches(local, pod(local, "sandbox"), pod(local, "mongodb"), 27017)


def test_strangers_come_in_only_by_the_entrance(manifests: Manifests) -> None:
    entrance, other = Place({}, namespace="ingress"), Place({}, namespace="somewhere-else")
    for name, port in product(SERVICES, PORTS):
        expected = (name, port) == ("gateway", 8000)
        assert reaches(manifests, entrance, pod(manifests, name), port) is expected
        assert not reaches(manifests, other, pod(manifests, name), port)


def test_metrics_are_read_from_monitoring_alone(manifests: Manifests) -> None:
    for name in SERVICES:
        assert reaches(manifests, Place({}, namespace="monitoring"), pod(manifests, name), 8081)


def test_names_are_resolved(manifests: Manifests) -> None:
    names = Place({"k8s-app": "kube-dns"}, namespace="kube-system")
    for name in SERVICES:
        assert reaches(manifests, pod(manifests, name), names, 53)


def test_simulated_platforms_see_what_platforms_see(overlays: Mapping[str, Manifests]) -> None:
    local = overlays["local"]
    found = {name for name in SERVICES if reaches(local, pod(local, name), pod(local, "sandbox"), 8090)}
    assert found == TO_THE_INTERNET
    assert reaches(local, pod(local, "sandbox"), pod(local, "gateway"), 8000)
