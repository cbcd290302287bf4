"""What many seeds came to, as one table for people and one object for the documentation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from simulation.runner import Result


def summed_up(results: Sequence[Result]) -> Mapping[str, Any]:
    """Every figure by its name; times in seconds."""
    faults: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
        points.update(result.points)
    unknown = sorted(each for result in results for each in result.unknown_s)
    traces = "".join(result.digest for result in sorted(results, key=lambda each: each.seed))
    return {
        "digest": hashlib.blake2b(traces.encode(), digest_size=16).hexdigest(),
        "seeds": len(results),
        "spot_seeds": sum(result.kind == "spot" for result in results),
        "linear_seeds": sum(result.kind == "linear" for result in results),
        "days": round(sum(result.days for result in results), 1),
        "requests": sum(result.requests for result in results),
        "orders": sum(result.orders for result in results),
        "trades": sum(result.trades for result in results),
        "fills": sum(result.fills for result in results),
        "crashes": faults.pop("crash", 0),
        "lives": sum(result.lives for result in results),
        "faults": dict(sorted(faults.items())),
        "faults_in_all": sum(faults.values()),
        "crash_points": dict(sorted(points.items())),
        "unknown_orders_resolved": len(unknown),
        "unknown_p50_s": quantile(unknown, 0.5),
        "unknown_p99_s": quantile(unknown, 0.99),
        "unprotected_position_s": round(sum(result.unprotected_s for result in results), 1),
        "unprotected_position_s_while_reachable": round(sum(result.unprotected_calm_s for result in results), 1),
        "longest_unprotected_s_while_reachable": max((result.longest_calm_s for result in results), default=0.0),
        "peak_memory_of_a_seed_mb": max((result.peak_mb for result in results), default=0),
        "cpu_s_a_seed": round(sum(result.cpu_s for result in results) / max(1, len(results)), 2),
        "seeds_with_violations": sum(bool(result.violations) for result in results),
        "violations": sum(len(result.violations) for result in results),
    }


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the sorted values lie; None without any."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """The figures as lines of a table."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines.append(f"  {name.replace('_', ' ')}")
            lines += [f"    {each:<34} {count:>12,}" for each, count in value.items()]
        else:
            shown = "-" if value is None else value if isinstance(value, str) else f"{value:,}"
            lines.append(f"  {name.replace('_', ' '):<40} {shown:>12}")
    return lines
