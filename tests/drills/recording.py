"""What Prometheus would have scraped, a second for a minute, and which alerts would have fired."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families


class Recorder:
    """Scrapes services once a second. Each scrape counts as a minute, so that an hour of rules takes a minute."""

    def __init__(self, urls: Mapping[str, str], promtool: str) -> None:
        self.ticks = 0
        self._promtool = promtool
        self._urls = urls
        self._series: dict[str, dict[int, float]] = {}
        self._stop = threading.Event()
        self._ticked = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._client = httpx.Client(trust_env=False, timeout=0.5)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, ticks: int) -> None:
        """Until that many scrapes more are done."""
        with self._ticked:
            until = self.ticks + ticks
            self._ticked.wait_for(lambda: self.ticks >= until, timeout=ticks * 5 + 30)

    def fired(self, alert: str, group: Mapping[str, Any], folder: Path, *, until: int | None = None) -> bool:
        """Whether this alert of a group of rules was firing at any scrape, up to that one."""
        rules, tests = folder / "rules.yaml", folder / "tests.yaml"
        rules.write_text(yaml.safe_dump({"groups": [group]}))
        asked = " ".join(rule["expr"] for rule in group["rules"])
        firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
        test = {
            "interval": "1m",
            "input_series": [
                {"series": name, "values": self._values(at)}
                for name, at in self._series.items()
                if name.partition("{")[0] in asked
            ],
            "promql_expr_test": [
                {
                    "expr": f"count(count by (alertname) (last_over_time({firing}[1d])))",
                    "eval_time": f"{self.ticks if until is None else until}m",
                    "exp_samples": [{"labels": "{}", "value": 1}],
                }
            ],
        }
        tests.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}))
        return subprocess.run([self._promtool, "test", "rules", str(tests)], check=False).returncode == 0

    def _values(self, at: Mapping[int, float]) -> str:
        return " ".join(repr(at[tick]) if tick in at else "_" for tick in range(self.ticks))

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            for job, url in self._urls.items():
                self._scrape(job, url)
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
                labels = ",".join([*(f'{name}="{value}"' for name, value in sample.labels.items()), own])
                self._note(f"{sample.name}{{{labels}}}", sample.value)

    def _note(self, series: str, value: float) -> None:
        if not series.startswith(("python_", "process_")) and "_created{" not in series:
            self._series.setdefault(series, {})[self.ticks] = value
