"""docs/monitoring.md says what is true: its tables list exactly what is exported and what alerts."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from exported_metrics import DASHBOARDS
from metric_table import metric_table

ROOT = DASHBOARDS.parent
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
INSTALL = (ROOT / "docs" / "install.md").read_text()


def test_the_table_of_metrics_is_the_registrys(tmp_path: Path) -> None:
    expected = metric_table(tmp_path)
    assert expected in MONITORING, f"put this table into docs/monitoring.md:\n{expected}"
    listed = re.findall(r"(?m)^\| `(ratchet_[a-z_]+)`", MONITORING)
    assert len(listed) == len(expected.splitlines()) - 2


def test_the_table_of_alerts_is_the_rules() -> None:
    groups = yaml.safe_load((DASHBOARDS / "prometheus" / "rules.yml").read_text())["groups"]
    expected = {(rule["alert"], rule["labels"]["severity"]) for group in groups for rule in group["rules"]}
    assert set(re.findall(r"(?m)^\| `(Ratchet\w+)` \| (\w+) \|", MONITORING)) == expected


def test_every_file_of_this_repository_that_the_guides_name_exists() -> None:
    named = set(re.findall(r"(?<![/\w])((?:systemd|dashboards|docs|requirements)/[\w@./-]+\w)", MONITORING + INSTALL))
    assert len(named) >= 8
    assert {path for path in named if not (ROOT / path).exists()} == set()
