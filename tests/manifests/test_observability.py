"""Rules, dashboards and runbooks speak of metrics that are there, and of each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import promql_parser as promql
import pytest
import yaml
from msgspec import Struct
from prometheus_client import REGISTRY
from prometheus_client.metrics import Gauge, Histogram, MetricWrapperBase
from tests.manifests.rendering import ROOT, SERVICES, Document, Manifests

from gateway.settings import Settings as GatewaySettings

OBSERVABILITY = ROOT / "deploy/observability"
RUNBOOKS = ROOT / "docs/operations/runbooks"
SCRAPED = {"job", "instance", "pod", "namespace"}
"""Labels that Prometheus gives to everything."""
FEW = {"aggregate", "call", "how", "kind", "le", "method", "outcome", "partition", "platform", "reason", "route"}
FEW |= {"state", "status", "subject", "task", "topic", "type"}
"""Labels whose values are fixed by the code, by the contract or by the topics."""
PROMISES = {
    "oldest overdue": "eventlog_oldest_overdue_seconds",
    "lateness": "publish_lateness_seconds_bucket",
    "targets by state": "auditor_targets",
    "age of what is unknown": "auditor_oldest_unknown_seconds",
    "duplicates by the publisher": "publisher_duplicates_total",
    "duplicates by the auditor": "auditor_duplicates_total",
    "time to a verdict": "gateway_verdict_seconds_bucket",
    "lag": "kafka_consumergroup_lag",
    "renewals that fail": "publisher_token_renewals_total",
    "age of deliveries": "webhooks_delivery_age_seconds_bucket",
}
DECLARES = re.compile(r"^from prometheus_client import .*\b(Counter|Gauge|Histogram)\b", re.MULTILINE)


class Metric(Struct, frozen=True):
    labels: frozenset[str]
    buckets: frozenset[str] = frozenset()


FOREIGN = {
    "up": Metric(frozenset()),
    # https://github.com/danielqsj/kafka_exporter, which Strimzi runs.
    "kafka_consumergroup_lag": Metric(frozenset({"consumergroup", "topic", "partition"})),
}


def series_of(metric: MetricWrapperBase) -> Iterator[tuple[str, Metric]]:
    labels = frozenset(metric._labelnames)
    if isinstance(metric, Histogram):
        bounds = frozenset("+Inf" if bound == float("inf") else str(bound) for bound in metric._upper_bounds)
        yield f"{metric._name}_bucket", Metric(labels | {"le"}, bounds)
        yield f"{metric._name}_count", Metric(labels)
        yield f"{metric._name}_sum", Metric(labels)
    else:
        yield metric._name if isinstance(metric, Gauge) else f"{metric._name}_total", Metric(labels)


@pytest.fixture(scope="module")
def metrics() -> Mapping[str, Metric]:
    """Of all services, by the names under which they are scraped."""
    for path in sorted(ROOT.glob("*/*/src/**/*.py")):
        if DECLARES.search(path.read_text()):
            parts = path.relative_to(ROOT).with_suffix("").parts
            import_module(".".join(parts[parts.index("src") + 1 :]))
    ours = {
        name: metric
        for collector in set(REGISTRY._names_to_collectors.values())
        if isinstance(collector, MetricWrapperBase)
        for name, metric in series_of(collector)
    }
    assert len(ours) > 30
    return {**FOREIGN, **ours}


def rules() -> Iterator[Document]:
    for path in sorted((OBSERVABILITY / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


RULES = list(rules())
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((OBSERVABILITY / "dashboards").glob("*.json"))}
QUERIES = [
    *((rule.get("alert", rule.get("record")), rule["expr"]) for rule in RULES),
    *(
        (f"{name}: {panel['title']}", target["expr"])
        for name, board in DASHBOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
    ),
]


def check(expression: promql.Expr, metrics: Mapping[str, Metric]) -> frozenset[str]:
    """The labels that are left of what it selects. Fails for anything that no service has."""
    match expression:
        case promql.VectorSelector():
            metric = metrics.get(expression.name or "")
            assert metric is not None, f"there is no metric {expression.name}"
            for matcher in expression.matchers.matchers:
                assert matcher.name in metric.labels | SCRAPED, f"{expression.name} has no label {matcher.name}"
                if matcher.name == "le":
                    assert matcher.value in metric.buckets, f"{expression.name} has no bucket {matcher.value}"
            return metric.labels | SCRAPED
        case promql.MatrixSelector():
            return check(expression.vector_selector, metrics)
        case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
            return check(expression.expr, metrics)
        case promql.AggregateExpr():
            inner = check(expression.expr, metrics)
            kept = frozenset(expression.modifier.labels) if expression.modifier else frozenset[str]()
            assert kept <= inner, f"there are no labels {sorted(kept - inner)} in {expression.expr}"
            return inner if str(expression.op) == "topk" else kept
        case promql.BinaryExpr():
            return check(expression.lhs, metrics) | check(expression.rhs, metrics)
        case promql.Call():
            checked = [check(argument, metrics) for argument in expression.args]
            return frozenset().union(*checked)
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
        case _:
            raise AssertionError(f"unknown expression {expression}")


@pytest.fixture(scope="module")
def known(metrics: Mapping[str, Metric]) -> Mapping[str, Metric]:
    recorded = {rule["record"]: Metric(frozenset()) for rule in RULES if "record" in rule}
    return {**metrics, **recorded}


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_queries_ask_for_what_is_there(where: str, query: str, known: Mapping[str, Metric]) -> None:
    assert where
    check(promql.parse(query), known)


@pytest.mark.parametrize(
    "query",
    [
        "rate(posts_published_total[5m])",
        'publisher_attempts_total{plattform="twitter"}',
        'publish_lateness_seconds_bucket{le="30"}',
        "sum by (tenant) (gateway_requests_total)",
    ],
)
def test_the_check_sees_what_is_not_there(query: str, known: Mapping[str, Metric]) -> None:
    with pytest.raises(AssertionError):
        check(promql.parse(query), known)


def test_generated_files_are_current() -> None:
    subprocess.run([sys.executable, str(OBSERVABILITY / "generate.py"), "--check"], check=True)


def test_scaling_asks_for_what_is_there(production: Manifests, known: Mapping[str, Metric]) -> None:
    asked = [
        trigger["metadata"]["query"]
        for scaled in production.of("ScaledObject").values()
        for trigger in scaled["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    assert asked
    for query in asked:
        check(promql.parse(query), known)


def test_labels_have_few_values(metrics: Mapping[str, Metric]) -> None:
    """One that names a tenant, a post or an account would be a series for each, for ever."""
    ours = {name: metric for name, metric in metrics.items() if name not in FOREIGN}
    assert {label for metric in ours.values() for label in metric.labels} <= FEW


def test_what_publishing_promises_is_measured(metrics: Mapping[str, Metric]) -> None:
    assert set(PROMISES.values()) <= metrics.keys()


def test_every_metric_of_ours_is_on_a_dashboard(metrics: Mapping[str, Metric]) -> None:
    shown = " ".join(query for _, query in QUERIES)
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name, metric in metrics.items() if name not in FOREIGN}
    assert {name for name in families if not re.search(rf"\b{name}(_bucket|_count)?\b", shown)} == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_loaded(name: str) -> None:
    board = DASHBOARDS[name]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert board["uid"] == f"social-{name}"
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_dashboards_are_delivered(production: Manifests) -> None:
    assert set(production.of("ConfigMap")["social-dashboards"]["data"]) == {f"{name}.json" for name in DASHBOARDS}


def test_services_are_scraped_where_they_answer(production: Manifests) -> None:
    (endpoint,) = production.of("PodMonitor")["social"]["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == "/metrics"
    for service in SERVICES:
        pod = production.pods()[service]
        assert endpoint["port"] in {each["name"] for each in pod["spec"]["containers"][0]["ports"]}
        selector = production.of("PodMonitor")["social"]["spec"]["selector"]["matchLabels"]
        assert selector.items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("service", SERVICES)
def test_the_absence_of_a_service_is_noticed(service: str) -> None:
    watched = {rule["labels"]["job"] for rule in ALERTS if rule["alert"] == "ServiceDown"}
    assert service in watched


@pytest.mark.parametrize("alert", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_an_alert_says_what_to_do(alert: Document) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]
    runbook = ROOT / alert["annotations"]["runbook"]
    assert runbook.parent == RUNBOOKS
    text = runbook.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Cause", "## Look", "## Act"]


def test_a_full_gateway_is_noticed_before_it_refuses(production: Manifests) -> None:
    (rule,) = (rule for rule in ALERTS if rule["alert"] == "GatewayFull")
    bound: int = GatewaySettings.model_fields["max_in_flight"].default
    assert "MAX_IN_FLIGHT" not in production.environment("gateway", lambda *_: "x")
    assert float(rule["expr"].rpartition(">")[2]) == 0.8 * bound


def test_there_is_no_runbook_without_an_alert() -> None:
    used = {Path(rule["annotations"]["runbook"]).name for rule in ALERTS}
    assert {path.name for path in RUNBOOKS.glob("*.md")} == used
    index = (RUNBOOKS.parent / "README.md").read_text()
    assert set(re.findall(r"\(runbooks/([a-z-]+\.md)\)", index)) == used


def test_operators_are_sent_to_things_that_exist(known: Mapping[str, Metric], production: Manifests) -> None:
    """Metrics, collections, targets of make and workloads that the operations' pages name."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    ours = re.compile(r"\b((?:auditor|eventlog|gateway|publisher|publish|media|analytics|sealing|webhooks)_[a-z_]+)\b")
    words = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in known}
    words |= {name.lower() for service in SERVICES for name in production.environment(service, lambda *_: "x")}
    roles = production.of("MongoDBCommunity")["social"]["spec"]["security"]["roles"]
    words |= {privilege["resource"]["collection"] for role in roles for privilege in role["privileges"]}
    labels = set().union(*(metric.labels for metric in known.values()))
    for page in RUNBOOKS.parent.rglob("*.md"):
        text = page.read_text()
        for name in ours.findall(text):
            assert re.sub(r"_(bucket|count|sum|total)$", "", name) in words | labels, f"{page.name}: {name}"
        for target in re.findall(r"`make ([a-z-]+)", text):
            assert target in targets, f"{page.name}: make {target}"
        for kind, workload in re.findall(r"(?:exec|undo|restart|port-forward) (deploy|sts)/([a-z-]+)", text):
            there = production.of({"deploy": "Deployment", "sts": "StatefulSet"}[kind])
            assert workload in there, f"{page.name}: {workload}"
