"""Every alert, evaluated by Prometheus itself: it fires on what it is for, and not on what looks like it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.drills.alerts import DRILLS
from tests.manifests.rendering import ROOT
from tests.manifests.seeded import Case, cases

RULES = ROOT / "deploy/observability/rules"
TOLD = ROOT / "docs/operations/README.md"
CASES = list(cases())
GROUPS: list[dict[str, Any]] = [
    group for path in sorted(RULES.glob("*.yaml")) for group in yaml.safe_load(path.read_text())["groups"]
]


def promtool() -> str:
    found = os.environ.get("PROMTOOL") or shutil.which("promtool") or str(ROOT / ".local/promtool/promtool")
    if not Path(found).exists():
        pytest.skip("needs promtool: `make promtool` builds it, with Go")
    return found


def alerts() -> set[tuple[str, str]]:
    """Name and the label that tells rules of one name apart."""
    return {
        (rule["alert"], rule["labels"].get("burn") or rule["labels"].get("job", ""))
        for group in GROUPS
        for rule in group["rules"]
        if "alert" in rule
    }


def names(group: dict[str, Any]) -> set[str]:
    return {rule["alert"] for rule in group["rules"] if "alert" in rule}


def test_every_alert_is_tried() -> None:
    fired = {(case.alert, case.labels.partition('"')[2].rstrip('"')) for case in CASES if case.fires}
    assert fired == alerts()
    kept_quiet = {case.alert for case in CASES if case.quiet}
    assert kept_quiet == {alert for alert, _ in alerts()}


def test_every_alert_is_drilled_and_its_drill_is_told() -> None:
    drilled = [alert for each in DRILLS.values() for alert in each]
    assert sorted(drilled) == sorted({alert for alert, _ in alerts()})
    told = TOLD.read_text().partition("## Tried")[2]
    rows = {
        row[1].strip(" []").partition("]")[0]: row[3].strip() for row in map(cells, told.splitlines()) if len(row) > 4
    }
    assert {alert: drill for drill, each in DRILLS.items() for alert in each}.items() <= rows.items()


def cells(line: str) -> list[str]:
    return line.split("|")


def seeded(case: Case) -> Iterator[dict[str, Any]]:
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing",{case.labels}}})'
    for series, expected in ((case.fires, [{"labels": "{}", "value": 1}]), (case.quiet, [])):
        if series:
            yield {
                "name": f"{case.alert} {case.labels} {case.says}: {'fires' if expected else 'is quiet'}",
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series],
                "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": expected}],
            }


def run(folder: Path, tests: Iterable[Case]) -> subprocess.CompletedProcess[str]:
    """Each group of rules by itself: evaluating all of them for each case takes minutes."""
    files = []
    for group in GROUPS:
        wanted = [test for case in tests if case.alert in names(group) for test in seeded(case)]
        if wanted:
            rules = folder / f"{group['name']}.rules.yaml"
            rules.write_text(yaml.safe_dump({"groups": [group]}))
            files.append(folder / f"{group['name']}.yaml")
            files[-1].write_text(
                yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": wanted})
            )
    return subprocess.run([promtool(), "test", "rules", *files], capture_output=True, text=True, check=False)


def test_alerts_fire_and_keep_quiet(tmp_path: Path) -> None:
    done = run(tmp_path, CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_sees_what_is_wrong(tmp_path: Path) -> None:
    wrong = Case(alert="AuditorBehind", at="25m", fires=[("auditor_behind_seconds", "0x30")], quiet=[])
    assert run(tmp_path, [wrong]).returncode == 1
