"""`python -m bench profile`: where a replay spends its time, by function and by package, under cProfile.

Profiled code runs about twice as long and small functions look dearer than they are: read it for its order.
"""

from __future__ import annotations

import cProfile
import json
import pstats
from collections import Counter
from pathlib import Path
from typing import Any

from bench.in_process import command
from bench.request import ROOT, Request

TOP = 25


def show(request: Request, *, as_json: bool) -> None:
    """Print the functions with the most time of their own, and each package's share of the whole."""
    profile = cProfile.Profile()
    arguments = request.replay_arguments("profile")
    summary = profile.runcall(command, arguments)
    rows = _rows(profile)
    total = sum(row["own_s"] for row in rows)
    shares = Counter[str]()
    for row in rows:
        shares[row["package"]] += row["own_s"]
    if as_json:
        for row in rows[:TOP]:
            print(json.dumps(row))
        for package, own_s in shares.most_common():
            print(json.dumps({"package": package, "share": round(own_s / total, 4)}))
        return
    print(f"{summary['bars']} bars, {total:.1f} s under the profiler")
    print(f"{'calls':>10} {'own s':>8} {'with callees s':>15}  function")
    for row in rows[:TOP]:
        print(f"{row['calls']:>10} {row['own_s']:>8.3f} {row['cumulative_s']:>15.3f}  {row['function']}")
    print("share of own time by package:")
    for package, own_s in shares.most_common(20):
        print(f"{own_s / total:>10.1%}  {package}")


def _rows(profile: cProfile.Profile) -> list[dict[str, Any]]:
    """Functions by time of their own, the most first."""
    rows = []
    for (file, number, name), (_, calls, own_s, cumulative_s, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]  # typeshed leaves it out
        shown, package = _place(file)
        where = name if file == "~" else f"{shown}:{number}({name})"
        rows.append(
            {"function": where, "package": package, "calls": calls, "own_s": own_s, "cumulative_s": cumulative_s}
        )
    return sorted(rows, key=lambda row: -row["own_s"])


def _place(file: str) -> tuple[str, str]:
    """A path without what is special to this machine, and the package it belongs to."""
    path = Path(file)
    if "site-packages" in path.parts:
        inside = path.parts[path.parts.index("site-packages") + 1 :]
        return "/".join(inside), inside[0].removesuffix(".py")
    if path.is_relative_to(ROOT):
        inside = path.relative_to(ROOT).parts
        return "/".join(inside), inside[0]
    return path.name, "interpreter and standard library"
