"""Writes rules and dashboards: `python deploy/observability/generate.py`; `--check` only compares.

- rules/objectives.yaml: for each objective below its share of bad events over five windows, and the alerts on how fast
  the budget burns (Google, The Site Reliability Workbook, chapter 5: pages at 14.4 and 6 times, a ticket at 1).
- prometheus-rules.yaml: all of rules/*.yaml for Prometheus' operator.
- dashboards/*.json: for Grafana.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from msgspec import Struct

HERE = Path(__file__).parent
HEADER = "# Written by deploy/observability/generate.py; do not edit.\n"

WINDOWS = ("5m", "30m", "1h", "6h", "3d")
BURNS = (("page", 14.4, "1h", "5m", "2m"), ("page", 6.0, "6h", "30m", "5m"), ("ticket", 1.0, "3d", "6h", "1h"))
"""Severity, multiple of the budget of thirty days, long and short window, and how long it must last."""
FEWEST_BAD = 5
"""Within the long window, before anybody is woken: one late post on a quiet night is none of it."""


class Objective(Struct, frozen=True, kw_only=True):
    """`good` and `total` are selectors of counters. Of a thousand events `1000 * share` have to be good."""

    name: str
    alert: str
    runbook: str
    share: float
    says: str
    good: str
    total: str


OBJECTIVES = (
    Objective(
        name="publishing_on_time",
        alert="PublishingLate",
        runbook="publishing-late",
        share=0.999,
        says="Posts that were sent within 30 s of when they were due",
        good='publish_lateness_seconds_bucket{le="30.0"}',
        total="publish_lateness_seconds_count",
    ),
    Objective(
        name="api_available",
        alert="ApiErrors",
        runbook="api-errors",
        share=0.9995,
        says="Requests that were not answered with a 5xx",
        good='gateway_requests_total{status!="5xx"}',
        total="gateway_requests_total",
    ),
    Objective(
        name="api_fast",
        alert="ApiSlow",
        runbook="api-slow",
        share=0.99,
        says="Requests answered within half a second; without files and streams, whose pace is their client's",
        good='gateway_request_seconds_bucket{le="0.5",route!~".*/(media|events/stream|analytics/stream).*"}',
        total='gateway_request_seconds_count{route!~".*/(media|events/stream|analytics/stream).*"}',
    ),
    Objective(
        name="webhooks_prompt",
        alert="WebhooksLate",
        runbook="webhooks-late",
        share=0.999,
        says="Events whose receivers were first called within 5 s",
        good='webhooks_first_attempt_delay_seconds_bucket{le="5.0"}',
        total="webhooks_first_attempt_delay_seconds_count",
    ),
)


def recorded(objective: Objective, window: str) -> str:
    return f"social:{objective.name}:bad_ratio_{window}"


def good(function: str, objective: Objective, window: str) -> str:
    """None while there is no series of good events yet, which must not hide that all are bad."""
    return f"(sum({function}({objective.good}[{window}])) or vector(0))"


def objective_groups() -> Mapping[str, object]:
    groups = []
    for objective in OBJECTIVES:
        budget = 1 - objective.share
        rules: list[Mapping[str, object]] = [
            {
                "record": recorded(objective, window),
                "expr": f"1 - {good('rate', objective, window)} / sum(rate({objective.total}[{window}]))",
            }
            for window in WINDOWS
        ]
        for severity, multiple, long, short, lasting in BURNS:
            bad = f"sum(increase({objective.total}[{long}])) - {good('increase', objective, long)}"
            rules.append(
                {
                    "alert": objective.alert,
                    "expr": f"{recorded(objective, long)} > {multiple * budget:.6g} "
                    f"and {recorded(objective, short)} > {multiple * budget:.6g} "
                    f"and {bad} >= {FEWEST_BAD}",
                    "for": lasting,
                    "labels": {"severity": severity, "burn": f"{multiple:g}"},
                    "annotations": {
                        "summary": f"{objective.says}: {{{{ $value | humanizePercentage }}}} were not, "
                        f"over {long}; {budget:.2%} may be.",
                        "runbook": f"docs/operations/runbooks/{objective.runbook}.md",
                    },
                }
            )
        groups.append({"name": f"objective-{objective.name.replace('_', '-')}", "interval": "30s", "rules": rules})
    return {"groups": groups}


class Panel(Struct, frozen=True, kw_only=True):
    """One graph. Queries by their legend."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    wide: bool = False
    stat: bool = False
    says: str = ""


def ratio(objective: Objective) -> Panel:
    return Panel(
        title=f"{objective.says}: budget left over three days",
        queries={"left": f"1 - {recorded(objective, '3d')} / {1 - objective.share:.6g}"},
        unit="percentunit",
        stat=True,
        says=f"{objective.share * 100:g} % are promised. Below zero the promise is broken.",
    )


def quantiles(metric: str, selector: str = "", by: str = "", window: str = "5m") -> Mapping[str, str]:
    grouped = f"{by}, le" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return {
        f"{legend}p{percent}": f"histogram_quantile({percent / 100:g}, "
        f"sum by ({grouped}) (rate({metric}_bucket{selector}[{window}])))"
        for percent in ((95,) if by else (50, 95, 99))
    }


def per_second(metric: str, *by: str, selector: str = "") -> Mapping[str, str]:
    legend = " ".join(f"{{{{{label}}}}}" for label in by) or "all"
    grouped = f" by ({', '.join(by)})" if by else ""
    return {legend: f"sum{grouped} (rate({metric}{selector}[5m]))"}


DASHBOARDS: Mapping[str, tuple[str, Sequence[Panel]]] = {
    "audit": (
        "Is anything lost, or live twice?",
        (
            Panel(title="Findings that stand", queries={"findings": "sum(auditor_imbalance)"}, stat=True),
            Panel(
                title="Targets found to be live twice",
                queries={
                    "by the auditor": "sum(increase(auditor_duplicates_total[7d]))",
                    "by the publisher": "sum(increase(publisher_duplicates_total[7d]))",
                },
                stat=True,
            ),
            Panel(
                title="Sealed secrets that did not open",
                queries={"{{job}}": "sum by (job) (increase(sealing_refused_total[7d]))"},
                stat=True,
            ),
            Panel(
                title="Longest that nobody has known",
                queries={"oldest": "max(auditor_oldest_unknown_seconds)"},
                unit="s",
                stat=True,
            ),
            Panel(title="Findings by kind", queries={"{{kind}}": "max by (kind) (auditor_imbalance)"}),
            Panel(
                title="Behind the log",
                queries={"behind": "max(auditor_behind_seconds)"},
                unit="s",
                says="What is wrong later than that is not seen yet.",
            ),
            Panel(
                title="Targets not at their end",
                queries={
                    "{{state}}": "max by (state) (sum by (state, pod) "
                    '(auditor_targets{state=~"scheduled|publishing|deferred|unknown|held"}))'
                },
            ),
            Panel(
                title="Targets at their end",
                queries={
                    "{{state}}": "max by (state) (sum by (state, pod) "
                    '(auditor_targets{state=~"published|failed|cancelled|withdrawn|deleted"}))'
                },
            ),
            Panel(
                title="Held, by platform",
                queries={"{{platform}}": 'max by (platform) (auditor_targets{state="held"})'},
                says="Each waits for a person.",
            ),
            Panel(title="Events counted", queries=per_second("auditor_events_total"), unit="ops"),
            Panel(
                title="Journal entries held against the log",
                queries=per_second("auditor_journal_entries_total"),
                unit="ops",
            ),
        ),
    ),
    "publishing": (
        "Is publishing healthy?",
        (
            ratio(OBJECTIVES[0]),
            Panel(
                title="Oldest overdue post",
                queries={"oldest": 'max(eventlog_oldest_overdue_seconds{aggregate="posts"})'},
                unit="s",
                stat=True,
            ),
            Panel(
                title="Accounts whose tokens cannot be renewed",
                queries={"{{platform}}": "max by (platform) (publisher_token_renewals_failing)"},
                stat=True,
            ),
            Panel(
                title="Accounts to be connected anew within seven days",
                queries={"{{platform}}": "max by (platform) (publisher_authorizations_ending)"},
                stat=True,
            ),
            Panel(title="Lateness", queries=quantiles("publish_lateness_seconds"), unit="s"),
            Panel(title="Lateness by platform", queries=quantiles("publish_lateness_seconds", by="platform"), unit="s"),
            Panel(
                title="Attempts by outcome",
                queries=per_second("publisher_attempts_total", "outcome"),
                unit="ops",
            ),
            Panel(
                title="Attempts that did not publish",
                queries=per_second(
                    "publisher_attempts_total", "platform", "outcome", selector='{outcome!="published"}'
                ),
                unit="ops",
            ),
            Panel(
                title="Sends whose fate was not known",
                queries=per_second("publisher_unknown_total", "platform"),
                unit="ops",
                says="Each is looked up on the platform before anything is sent again.",
            ),
            Panel(
                title="Put off for want of budget",
                queries=per_second("publisher_budget_deferrals_total", "platform"),
                unit="ops",
            ),
            Panel(
                title="Calls to platforms",
                queries=quantiles("publisher_platform_call_seconds", by="platform"),
                unit="s",
            ),
            Panel(
                title="Token renewals",
                queries=per_second("publisher_token_renewals_total", "platform", "outcome"),
                unit="ops",
            ),
            Panel(
                title="Targets waiting for the publisher",
                queries={
                    "{{consumergroup}}": "sum by (consumergroup) "
                    '(kafka_consumergroup_lag{consumergroup=~"publisher.*|accounts"})'
                },
            ),
        ),
    ),
    "api": (
        "Is the API healthy?",
        (
            ratio(OBJECTIVES[1]),
            ratio(OBJECTIVES[2]),
            Panel(
                title="Commands waiting for their verdict",
                queries={"{{pod}}": "max by (pod) (gateway_commands_in_flight)"},
                says="At 2,000 an instance refuses writes.",
            ),
            Panel(title="Time to a verdict", queries=quantiles("gateway_verdict_seconds", by="topic"), unit="s"),
            Panel(title="Requests by status", queries=per_second("gateway_requests_total", "status"), unit="reqps"),
            Panel(
                title="Time to answer",
                queries=quantiles("gateway_request_seconds", '{route!~".*/(media|events/stream|analytics/stream).*"}'),
                unit="s",
            ),
            Panel(
                title="Requests by route", queries=per_second("gateway_requests_total", "method", "route"), unit="reqps"
            ),
            Panel(
                title="Errors by route",
                queries=per_second("gateway_requests_total", "method", "route", selector='{status="5xx"}'),
                unit="reqps",
            ),
            Panel(
                title="Slowest routes",
                queries={
                    "{{method}} {{route}}": "topk(5, histogram_quantile(0.95, sum by (method, route, le) "
                    "(rate(gateway_request_seconds_bucket[5m]))))"
                },
                unit="s",
            ),
        ),
    ),
    "log": (
        "Is the event log healthy?",
        (
            Panel(
                title="Oldest due entry",
                queries={"{{aggregate}}": "max by (aggregate) (eventlog_oldest_overdue_seconds)"},
                unit="s",
            ),
            Panel(
                title="Messages nobody could read",
                queries={"{{topic}}": "sum by (topic) (eventlog_dead_letters_total)"},
            ),
            Panel(title="Commands decided", queries=per_second("eventlog_commands_total", "aggregate"), unit="ops"),
            Panel(title="Events settled", queries=per_second("eventlog_events_total", "aggregate"), unit="ops"),
            Panel(
                title="Commands recognised as already decided",
                queries=per_second("eventlog_redeliveries_total", "aggregate"),
                unit="ops",
                says="Some after each restart. Always: somebody repeats, or offsets are not committed.",
            ),
            Panel(
                title="Appends that found another writer",
                queries=per_second("eventlog_gaps_total", "aggregate"),
                unit="ops",
            ),
            Panel(
                title="Partitions taken over", queries=per_second("eventlog_takeovers_total", "aggregate"), unit="ops"
            ),
            Panel(
                title="Lag",
                queries={"{{consumergroup}}": "sum by (consumergroup) (kafka_consumergroup_lag)"},
                says="For scaling and for people; readiness does not look at it.",
            ),
            Panel(title="Instances that answer", queries={"{{job}}": 'sum by (job) (up{job!=""})'}),
            Panel(
                title="Spans of traces that were dropped",
                queries=per_second("spans_dropped_total", "reason"),
                unit="ops",
            ),
        ),
    ),
    "media": (
        "Is media healthy?",
        (
            Panel(title="Uploads looked into", queries=per_second("media_looked_total", "outcome"), unit="ops"),
            Panel(title="By type", queries=per_second("media_looked_total", "type"), unit="ops"),
            Panel(title="Time of a job", queries=quantiles("media_job_seconds", by="task", window="15m"), unit="s"),
            Panel(
                title="Decoders by how they ended", queries=per_second("media_decoders_ended_total", "how"), unit="ops"
            ),
            Panel(
                title="Objects thrown away",
                queries=per_second("media_objects_collected_total"),
                unit="ops",
            ),
            Panel(
                title="Files waiting",
                queries={
                    "{{consumergroup}}": 'sum by (consumergroup) (kafka_consumergroup_lag{consumergroup=~"media.*"})'
                },
            ),
        ),
    ),
    "analytics": (
        "Are the numbers fresh?",
        (
            Panel(
                title="Oldest reading that is due",
                queries={"oldest": "max(analytics_oldest_overdue_seconds)"},
                unit="s",
            ),
            Panel(title="Readings asked for", queries=per_second("analytics_requests_total", "platform"), unit="ops"),
            Panel(
                title="What was read",
                queries=per_second("publisher_readings_total", "platform", "outcome"),
                unit="ops",
            ),
            Panel(title="Samples folded", queries=per_second("analytics_samples_total", "type"), unit="ops"),
            Panel(
                title="From a sample to its being seen",
                queries=quantiles("analytics_sample_age_seconds"),
                unit="s",
            ),
            Panel(
                title="Waiting",
                queries={
                    "{{consumergroup}}": "sum by (consumergroup) "
                    '(kafka_consumergroup_lag{consumergroup=~"analytics.*|publisher-collecting"})'
                },
            ),
        ),
    ),
    "webhooks": (
        "Are receivers told in time?",
        (
            ratio(OBJECTIVES[3]),
            Panel(
                title="From an event to the first call",
                queries=quantiles("webhooks_first_attempt_delay_seconds"),
                unit="s",
            ),
            Panel(
                title="From an event to when its receiver had it",
                queries=quantiles("webhooks_delivery_age_seconds"),
                unit="s",
            ),
            Panel(title="Calls by outcome", queries=per_second("webhooks_attempts_total", "outcome"), unit="ops"),
            Panel(title="Time receivers take", queries=quantiles("webhooks_attempt_seconds"), unit="s"),
            Panel(title="Deliveries at their end", queries=per_second("webhooks_settled_total", "status"), unit="ops"),
            Panel(
                title="Endpoints disabled",
                queries={"{{reason}}": "sum by (reason) (increase(webhooks_endpoints_disabled_total[1h]))"},
            ),
            Panel(title="Endpoints being delivered to", queries={"{{pod}}": "max by (pod) (webhooks_lanes)"}),
            Panel(
                title="Events waiting",
                queries={
                    "{{consumergroup}}": "sum by (consumergroup) "
                    '(kafka_consumergroup_lag{consumergroup=~"webhooks|endpoints"})'
                },
            ),
        ),
    ),
}

SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> Mapping[str, object]:
    placed: list[Mapping[str, object]] = []
    x = y = tallest = 0
    for number, panel in enumerate(panels, start=1):
        width, height = (6, 4) if panel.stat else (24 if panel.wide else 12, 8)
        if x + width > 24:
            x, y, tallest = 0, y + tallest, 0
        placed.append(
            {
                "id": number,
                "type": "stat" if panel.stat else "timeseries",
                "title": panel.title,
                "description": panel.says,
                "datasource": SOURCE,
                "gridPos": {"x": x, "y": y, "w": width, "h": height},
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
                    for index, (legend, query) in enumerate(panel.queries.items())
                ],
            }
        )
        x, tallest = x + width, max(tallest, height)
    return {
        "uid": f"social-{uid}",
        "title": title,
        "tags": ["social"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": placed,
    }


def generated() -> Mapping[Path, str]:
    objectives = objective_groups()
    alerts = yaml.safe_load((HERE / "rules/alerts.yaml").read_text())
    operator = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "social", "namespace": "social"},
        "spec": {"groups": [*objectives["groups"], *alerts["groups"]]},  # type: ignore[misc]
    }

    def document(value: object) -> str:
        return HEADER + yaml.dump(value, Dumper=_NoAliases, sort_keys=False, width=120, allow_unicode=True)

    return {
        HERE / "rules/objectives.yaml": document(objectives),
        HERE / "prometheus-rules.yaml": document(operator),
        **{
            HERE / f"dashboards/{uid}.json": json.dumps(dashboard(uid, title, panels), indent=2) + "\n"
            for uid, (title, panels) in DASHBOARDS.items()
        },
    }


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # whatever it is, it is written out
        return True


def main() -> int:
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(files[path])
        return 0
    for path in stale:
        print(f"{path.relative_to(HERE)} is not what it should be", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
