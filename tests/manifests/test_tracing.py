"""With the collector's component, every service sends its spans to it, and nobody else can."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import yaml
from tests.manifests.rendering import SERVICES, Manifests
from tests.manifests.test_network import Place, pod, reaches

from chassis.settings import ServiceSettings


def test_spans_go_to_the_collector(with_component: Callable[[str], Manifests]) -> None:
    manifests = with_component("otel-collector")
    collector = pod(manifests, "otel-collector")
    (listening,) = [
        each
        for each in manifests.pods()["otel-collector"]["spec"]["containers"][0]["ports"]
        if each["name"] == manifests.of("Service")["otel-collector"]["spec"]["ports"][0]["targetPort"]
    ]
    for service in SERVICES:
        told = manifests.environment(service, lambda name, key: f"{name}/{key}")
        where = urlsplit(told["OTEL_EXPORTER_OTLP_ENDPOINT"])
        assert (where.hostname, where.port) == ("otel-collector", 4318)
        assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "TRACES_SAMPLE_RATIO"} <= {
            name.upper() for name in ServiceSettings.model_fields
        }
        assert 0 < float(told["TRACES_SAMPLE_RATIO"]) <= 1
        assert reaches(manifests, pod(manifests, service), collector, listening["containerPort"])
    assert not reaches(manifests, Place({}, namespace="monitoring"), collector, listening["containerPort"])
    assert not reaches(manifests, collector, pod(manifests, "gateway"), 8000)


def test_the_collector_listens_where_spans_are_sent(with_component: Callable[[str], Manifests]) -> None:
    (config,) = [
        yaml.safe_load(each["data"]["config.yaml"])
        for name, each in with_component("otel-collector").of("ConfigMap").items()
        if name.startswith("otel-collector")
    ]
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= set(config["receivers"])
        assert set(pipeline["processors"]) <= set(config["processors"])
        assert set(pipeline["exporters"]) <= set(config["exporters"])


def test_without_it_nothing_is_recorded(production: Manifests) -> None:
    for service in SERVICES:
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in production.environment(service, lambda name, key: f"{name}/{key}")
