"""`python -m bench.studies.learning_quiet [--years N] [--minutes M]`: promotions where there is nothing to learn.

An account-year is 52 weekly cycles, after a year in which samples came in and nothing was trained. There is no edge:
either prices are random walks ("walk"), or what was earned is dealt out anew among the decisions ("shuffled"). Every
promotion is therefore false. Each cycle is the product's own: samples laid down, quality, purged search, calibration,
threshold, bundle, verdicts with the year's error budget, conclusion in the journal. Champion and challenger are carried
over from week to week. A window of a year and 21 samples a week keep the default search at one logistic regression.

Partial results are written after each account-year with `--out FILE`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.studies.learning_market import START, WEEK, Market, cycle_account, known_at, samples_of, shuffled
from daemon.config import Config
from domain.learning import ModelEventKind

WEEKS_BEFORE, CYCLES = 52, 52
WORLDS = ("walk", "shuffled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Year:
    """What one account-year came to. `aucs` are those of tested verdicts on their unseen signals."""

    world: str
    seed: int
    cycles: int
    trained: int
    tested: int
    spent: float
    promotions: int
    aucs: tuple[float, ...]
    challenged: int
    seconds: float


def config_of_study() -> Config:
    """The defaults but for the window: at 21 samples a week 90 days hold too few to train on at all."""
    training = {"window_days": 365, "retention_days": 730, "small_below": 2_000}
    return Config.model_validate({"training": training})


def account_year(folder: Path, world: str, seed: int, *, cycles: int = CYCLES, market: Market | None = None) -> Year:
    """One account-year; the same seed gives the same promotions."""
    begun = time.monotonic()
    plan = Market(weeks=WEEKS_BEFORE + cycles) if market is None else market
    table = samples_of(plan, seed)
    if world == "shuffled":
        table = shuffled(table, seed)
    trained, challenged, spent, aucs = 0, 0, 0.0, list[float]()
    with cycle_account(folder, config_of_study()) as account:
        for week in range(plan.weeks - cycles, plan.weeks):
            now = START + week * WEEK
            answer = account.cycle(known_at(table, now), now)
            trained += answer["model"] is not None
            challenged += answer["challenge"] is not None
            for verdict in answer["verdicts"]:
                spent += verdict["spent"]
                if verdict["spent"] > 0 and verdict["auc"] is not None:
                    aucs.append(verdict["auc"])
        promotions = sum(each.kind is ModelEventKind.DEPLOYED for each in account.journal.read.model_events())
    return Year(
        world=world,
        seed=seed,
        cycles=cycles,
        trained=trained,
        tested=len(aucs),
        spent=spent,
        promotions=promotions,
        aucs=tuple(aucs),
        challenged=challenged,
        seconds=time.monotonic() - begun,
    )


def _pair(value: object) -> tuple[float, float]:
    low, high = value if isinstance(value, list | tuple) else (float("nan"), float("nan"))
    return float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.learning_quiet", description=__doc__)
    parser.add_argument("--years", type=int, default=100, help="account-years of each kind (default 100)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--minutes", type=float, default=None, help="begin no further account-year after that long")
    parser.add_argument("--out", type=Path, default=None, help="a file for results so far, one JSON line a year")
    options = parser.parse_args(arguments)
    years: list[Year] = []
    for year in _years(options.years, options.first, options.minutes):
        years.append(year)
        if options.out is not None:
            with options.out.open("a") as file:
                file.write(json.dumps(asdict(year)) + "\n")
    for line in told(years):
        print(line)


def _years(count: int, first: int, minutes: float | None) -> Iterator[Year]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ratchet-study-") as folder:
        for seed in range(first, first + count):
            for world in WORLDS:
                if minutes is not None and time.monotonic() - begun > 60 * minutes:
                    return
                yield account_year(Path(folder) / "account", world, seed)


def told(years: Sequence[Year]) -> Iterator[str]:
    """The table, and all of it as one line of JSON."""
    yield (
        "| world | account-years | cycles | trained | tested verdicts | mean AUC (s.e. over years) | promotions "
        "| years with one | rate a year, 95% | s a cycle |"
    )
    yield "|---" * 10 + "|"
    document: dict[str, object] = {}
    for world in (*WORLDS, "both"):
        mine = [year for year in years if world in (year.world, "both")]
        if not mine:
            continue
        figures = figures_of(mine)
        document[world] = figures
        low, high = _pair(figures["rate_ci"])
        yield (
            f"| {world} | {len(mine)} | {figures['cycles']} | {figures['trained']} | {figures['tested']} "
            f"| {figures['mean_auc']:.4f} ({figures['mean_auc_se']:.4f}) | {figures['promotions']} "
            f"| {figures['years_with_promotion']} | {low:.3f} to {high:.3f} | {figures['seconds_a_cycle']:.3f} |"
        )
    yield json.dumps({"study": "learning_quiet", **document})


def figures_of(years: Sequence[Year]) -> dict[str, object]:
    """Counts, rates and their intervals (Clopper and Pearson 1934) over account-years."""
    from scipy.stats import beta

    count, erred = len(years), sum(year.promotions > 0 for year in years)
    low = float(beta.ppf(0.025, erred, count - erred + 1)) if erred else 0.0
    high = float(beta.ppf(0.975, erred + 1, count - erred)) if erred < count else 1.0
    means = np.array([np.mean(year.aucs) for year in years if year.aucs])
    cycles = sum(year.cycles for year in years)
    return {
        "account_years": count,
        "cycles": cycles,
        "trained": sum(year.trained for year in years),
        "tested": sum(year.tested for year in years),
        "challenged": sum(year.challenged for year in years),
        "largest_spent": max(year.spent for year in years),
        "mean_auc": float(means.mean()) if len(means) else None,
        "mean_auc_se": float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan"),
        "promotions": sum(year.promotions for year in years),
        "years_with_promotion": erred,
        "rate_ci": [low, high],
        "seconds_a_cycle": sum(year.seconds for year in years) / cycles,
    }


if __name__ == "__main__":
    main()
