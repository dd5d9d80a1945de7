"""What Prometheus would have scraped, a second for a minute, and which alerts would have fired."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import structlog
import yaml
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ops import cluster

log = structlog.get_logger()

TOLD_IN_MINUTES = frozenset(
    {
        "analytics_oldest_overdue_seconds",
        "analytics_sample_age_seconds",
        "auditor_behind_seconds",
        "media_job_seconds",
    }
)
"""What rules compare with minutes: here, too, a second counts as a minute. All other seconds are told as they are."""


class Lags:
    """How far each consumer group is behind, as the exporter says that Kafka's operator runs beside the brokers."""

    def __init__(self, kafka: str) -> None:
        self.latest: Mapping[str, float] = {}
        self._kafka = kafka
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    async def _watch(self) -> None:
        """Begins anew when something goes wrong: a client that has waited too long may be of no more use."""
        while not self._stop.is_set():
            try:
                async with cluster.administering(self._kafka) as admin, cluster.reading(self._kafka) as reader:
                    while not self._stop.is_set():
                        self.latest = await _lags(admin, reader)
                        await asyncio.sleep(0.5)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("the lag of groups could not be read", reason=repr(error))
                await asyncio.sleep(0.5)


async def _lags(admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, _ in await admin.list_consumer_groups():
        committed = await admin.list_consumer_group_offsets(name)
        ends = await reader.end_offsets(list(committed)) if committed else {}
        for tp, mark in committed.items():
            labels = f'consumergroup="{name}",topic="{tp.topic}",partition="{tp.partition}"'
            found[f"kafka_consumergroup_lag{{{labels}}}"] = max(0, ends[tp] - max(0, mark.offset))
    return found


class Recorder:
    """Scrapes services once a second. Each scrape counts as a minute, so that an hour of rules takes a minute."""

    def __init__(self, urls: Mapping[str, str], kafka: str, promtool: str) -> None:
        self.ticks = 0
        self._promtool = promtool
        self._urls = urls
        self._lags = Lags(kafka)
        self._series: dict[str, dict[int, float]] = {}
        self._stop = threading.Event()
        self._ticked = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._client = httpx.Client(trust_env=False, timeout=0.5)

    def start(self) -> None:
        self._lags.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._lags.stop()

    def wait(self, ticks: int) -> None:
        """Until that many scrapes more are done."""
        with self._ticked:
            until = self.ticks + ticks
            assert self._ticked.wait_for(lambda: self.ticks >= until, timeout=ticks * 5 + 30)

    def latest(self, series: str) -> float:
        """The sum of all series that begin so, at the last scrape; 0 where there was none."""
        tick = self.ticks - 1
        return sum(at.get(tick, 0.0) for name, at in list(self._series.items()) if name.startswith(series))

    def wrong(self, group: Mapping[str, Any], caused: Mapping[str, int], folder: Path) -> str:
        """What promtool finds wrong with this: each of these alerts of the group was firing at some scrape by now, and
        at none before the one at which it was caused. Empty when that is how it was.
        """
        rules, tests = (folder / f"{group['name']}.{kind}.yaml" for kind in ("rules", "tests"))
        rules.write_text(yaml.safe_dump({"groups": [group]}))
        asked = " ".join(rule["expr"] for rule in group["rules"])
        test = {
            "interval": "1m",
            "input_series": [
                {"series": name, "values": self._values(at)}
                for name, at in self._series.items()
                if name.partition("{")[0] in asked
            ],
            "promql_expr_test": [
                {
                    "expr": f"count(count_over_time(ALERTS{{alertname='{alert}',alertstate='firing'}}[1d])) > bool 0",
                    "eval_time": f"{tick}m",
                    "exp_samples": expected,
                }
                for alert, at in caused.items()
                for tick, expected in ((at - 1, []), (self.ticks, [{"labels": "{}", "value": 1}]))
            ],
        }
        tests.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}))
        command = [self._promtool, "test", "rules", str(tests)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def _values(self, at: Mapping[int, float]) -> str:
        return " ".join(repr(at[tick]) if tick in at else "_" for tick in range(self.ticks))

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            for job, url in self._urls.items():
                self._scrape(job, url)
            for series, lag in self._lags.latest.items():
                self._note(series, lag)
            with self._ticked:
                self.ticks += 1
                self._ticked.notify_all()

    def _scrape(self, job: str, url: str) -> None:
        own = f'job="{job}",pod="{job}-1"'
        try:
            text = self._client.get(url).text
        except httpx.HTTPError:
            self._note(f"up{{{own}}}", 0)
            return
        self._note(f"up{{{own}}}", 1)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                told = _in_minutes(family.name, sample) if family.name in TOLD_IN_MINUTES else sample
                labels = ",".join([*(f'{name}="{value}"' for name, value in told.labels.items()), own])
                self._note(f"{told.name}{{{labels}}}", told.value)

    def _note(self, series: str, value: float) -> None:
        if not series.startswith(("python_", "process_")) and "_created{" not in series:
            self._series.setdefault(series, {})[self.ticks] = value


def _in_minutes(family: str, sample: Sample) -> Sample:
    bound = sample.labels.get("le")
    if bound is not None and bound != "+Inf":
        return sample._replace(labels={**sample.labels, "le": repr(float(bound) * 60)})
    return sample._replace(value=sample.value * 60) if sample.name == family else sample
