"""What the daemon exports, and what a query asks for; shared by the tests of boards and alerts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from daemon.metrics import Metrics, VenueCounts, Vocabulary
from venues.budget import BudgetCounts
from venues.stream import StreamCounts

DASHBOARDS = Path(__file__).resolve().parents[2] / "dashboards"
OF_PROMETHEUS = {"up": frozenset({"job", "instance"})}
TARGET_LABELS = frozenset({"job", "instance", "account"})
_KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}
_LABEL_LIST = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")


def a_daemons_metrics(folder: Path) -> Metrics:
    """The metrics of a daemon, every family of them, as the daemon wires them."""
    words = Vocabulary(
        instruments=("BTC/USDT", "EUR_USD"),
        reasons=("approved", "spread"),
        jobs=("scan", "reconcile"),
        sources=("headlines",),
        incidents=("late_appearance",),
        rejections=("gap",),
        candle_rejections=("spike",),
        mismatches=("quantity",),
    )
    metrics = Metrics(currency="USD", words=words)
    metrics.service.built(version="0.1.0", config_digest="abc", sqlite="3.40.1", live=True)
    metrics.service.watch_files(state=folder, journal=folder / "journal.sqlite")
    counts = VenueCounts(
        account=BudgetCounts(), candles=BudgetCounts(), stream=StreamCounts(), rejections=words.candle_rejections
    )
    metrics.venue.watch(counts)
    return metrics


def exported_series(folder: Path) -> dict[str, frozenset[str]]:
    """Label names by series name, Prometheus's own included."""
    found: dict[str, frozenset[str]] = dict(OF_PROMETHEUS)
    for family in a_daemons_metrics(folder).registry.collect():
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | frozenset(sample.labels) | TARGET_LABELS
    return found


def unknown_names(query: str, exported: dict[str, frozenset[str]]) -> list[str]:
    """Metrics and labels that `query` names and nobody exports."""
    bare = re.sub(r'"(\\.|[^"\\])*"', '""', query)
    known_labels = frozenset().union(*exported.values())
    wrong = []
    for _, labels in _LABEL_LIST.findall(bare):
        wrong += [f"label {name}" for name in re.findall(r"\w+", labels) if name not in known_labels]
    for metric, matchers in _SELECTOR.findall(bare):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            if label not in exported.get(metric, frozenset()):
                wrong.append(f"label {label} of {metric}")
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", _LABEL_LIST.sub(" ", bare))
    for name, call in re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\(?)", rest):
        if name not in _KEYWORDS and not call and name not in exported:
            wrong.append(f"metric {name}")
    return wrong


def program(name: str) -> str:
    """The path of a Prometheus program; skips the test when it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus")
    return found


def without_variables(query: str) -> str:
    """A board's query as Grafana would send it."""
    return query.replace("$__rate_interval", "5m").replace("$instance", ".*")
