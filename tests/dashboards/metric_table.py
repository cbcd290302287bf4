"""The table of metrics in docs/monitoring.md, made from the registry."""

from __future__ import annotations

from pathlib import Path

from exported_metrics import a_daemons_metrics

SUFFIXES = {"counter": "_total"}


def metric_table(folder: Path) -> str:
    """A Markdown table of every family of ours: name as scraped, type, labels, meaning."""
    lines = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    for family in sorted(a_daemons_metrics(folder).registry.collect(), key=lambda family: family.name):
        if not family.name.startswith("ratchet_"):
            continue
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = family.name + SUFFIXES.get(family.type, "")
        lines.append(f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |")
    return "\n".join(lines)
