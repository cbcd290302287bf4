"""Alert rules: accepted and tested by promtool, about metrics that exist, each with a case that stays quiet."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from exported_metrics import DASHBOARDS, exported_series, program, unknown_names

FOLDER = DASHBOARDS / "prometheus"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str) -> str:
    answer = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=120, cwd=FOLDER
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_promtool_accepts_the_rules_and_the_example_configuration() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "rules.yml")
    assert "valid prometheus config" in promtool("check", "config", "prometheus.yml")


def test_promtools_unit_tests_of_the_rules_pass() -> None:
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


def test_every_alert_has_a_case_that_fires_and_one_that_stays_quiet() -> None:
    cases: dict[str, set[bool]] = defaultdict(set)
    for case in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]:
        for expected in case["alert_rule_test"]:
            cases[expected["alertname"]].add(bool(expected["exp_alerts"]))
    assert set(cases) == {rule["alert"] for rule in rules()}
    lacking = {name for name, seen in cases.items() if seen != {True, False}}
    assert lacking == {"RatchetWatchdog"}, "only the watchdog fires always"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any], tmp_path: Path) -> None:
    assert unknown_names(rule["expr"], exported_series(tmp_path)) == []
    assert rule["labels"]["severity"] in {"page", "warn", "none"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["action"]


def test_the_alerts_that_the_design_names_are_there() -> None:
    assert {rule["alert"] for rule in rules()} >= {
        "RatchetDown",
        "RatchetAbsent",
        "RatchetScanStale",
        "RatchetUnprotectedPosition",
        "RatchetUnknownOrder",
        "RatchetReconcileMismatch",
        "RatchetRejections",
        "RatchetVenueBan",
        "RatchetScanSlow",
        "RatchetHoldLatched",
        "RatchetRestarts",
        "RatchetClockSkew",
        "RatchetDiskFilling",
        "RatchetJournalSlow",
        "RatchetWatchdog",
    }


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("ratchet_fills_total > 0", []),
        ("ratchet_fils_total > 0", ["metric ratchet_fils_total"]),
        ('rate(ratchet_orders_total{outcom="x"}[5m])', ["label outcom of ratchet_orders_total"]),
        ("sum by (outcome, colour) (ratchet_orders_total)", ["label colour"]),
        ('sum(up{job="ratchet"}) and on (job) vector(1)', []),
    ],
)
def test_a_query_for_what_nobody_exports_would_be_noticed(query: str, wrong: list[str], tmp_path: Path) -> None:
    assert unknown_names(query, exported_series(tmp_path)) == wrong
