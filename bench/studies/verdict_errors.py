"""`python -m bench.studies.verdict_errors [--rows N,...] [--histories H]`: how often a verdict errs, and what it sees.

Simulated markets in which no filter knows anything: fat-tailed, correlated walks with clustered volatility, decisions
that overlap, first touch of stop and target net of costs. A filter takes a share of the decisions, in persistent or
regime-like stretches, so that its choices depend on one another as a model's do. Counted is how often the lower bound
of its gain lies above 0, beside the same with each row taken as independent. The last column is the smallest gain that
a verdict finds four times in five.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.signal import lfilter

from learning.judgement.blocks import MINIMUM_BLOCKS, time_blocks
from learning.judgement.bootstrap import paired_gain
from learning.table import Floats, Ints

ALPHAS = (0.05, 0.01, 0.001)
REWARDS = (3.0, 1.0)
COVERAGES = (0.1, 0.4)
INSTRUMENTS = 5
BAR_US = 3_600_000_000
STOP = 4.0
"""In standard deviations of a bar."""
LONGEST = 60
COST = 0.1
TAIL = 3.0
"""Degrees of freedom of the walks' steps."""
LEAST_APART = 16
"""Bars for each decision of an instrument; more where there are few decisions, or no verdict could be taken."""
POWER = NormalDist().inv_cdf(0.8)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Decisions in order of time: when each was taken and ended, its R and its instrument; over `bars` bars."""

    decided: Ints
    resolved: Ints
    r: Floats
    instrument: Ints
    bars: int


def history(rng: np.random.Generator, rows: int, reward: float) -> History:
    """One market in which nothing can be known."""
    each = math.ceil(rows / INSTRUMENTS)
    bars = each * max(LEAST_APART, 8_000 // rows) + LONGEST + 2
    steps = math.sqrt(0.5) * rng.standard_t(TAIL, (bars, 1)) + math.sqrt(0.5) * rng.standard_t(
        TAIL, (bars, INSTRUMENTS)
    )
    steps *= np.exp(0.35 * _lasting(rng, bars, 40))[:, None] / math.sqrt(TAIL / (TAIL - 2))
    paths = np.vstack([np.zeros(INSTRUMENTS), np.cumsum(steps, axis=0)])
    found = [_touches(rng, paths[:, place], bars, each, reward) for place in range(INSTRUMENTS)]
    decided, resolved, r = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.argsort(decided, kind="stable")[:rows]
    names = np.repeat(np.arange(INSTRUMENTS), each)
    return History(decided[order] * BAR_US, resolved[order] * BAR_US, r[order], names[order], bars)


def _touches(rng: np.random.Generator, path: Floats, bars: int, count: int, reward: float) -> tuple[Ints, Ints, Floats]:
    began = np.sort(rng.choice(bars - LONGEST - 1, size=count, replace=False))
    side = np.where(_lasting(rng, bars, 20)[began] > 0, 1.0, -1.0)
    moved = (path[began[:, None] + 1 + np.arange(LONGEST)] - path[began][:, None]) * side[:, None]
    touched = (moved >= reward * STOP) | (moved <= -STOP)
    first = np.where(touched.any(axis=1), touched.argmax(axis=1), LONGEST - 1)
    r = np.minimum(moved[np.arange(count), first], reward * STOP) / STOP - COST
    return began, began + 1 + first, r


def blind_filter(rng: np.random.Generator, story: History, coverage: float, *, regime: bool) -> Floats:
    """1 where a filter that knows nothing takes a decision: in stretches of all instruments at once, or of each."""
    rows, hours = len(story.r), story.decided // BAR_US
    if regime:
        mood = _lasting(rng, story.bars, 120)[hours]
    else:
        moods = np.stack([_lasting(rng, story.bars, 30) for _ in range(INSTRUMENTS)], axis=1)
        mood = moods[hours, story.instrument]
    least = np.sort(mood)[rows - max(30, round(coverage * rows))]
    found: Floats = (mood >= least).astype(np.float64)
    return found


def _lasting(rng: np.random.Generator, bars: int, memory: float) -> Floats:
    kept = math.exp(-1 / memory)
    noise = rng.standard_normal(bars)
    noise[0] /= math.sqrt(1 - kept * kept)
    found: Floats = lfilter([math.sqrt(1 - kept * kept)], [1, -kept], noise)
    return found


def false_promotions(rows: int, reward: float, coverage: float, *, histories: int, seed: int) -> dict[str, Any]:
    """Shares of histories in which a blind filter passes, at each alpha: ours, and with independent rows."""
    rng = np.random.default_rng([seed, rows, int(10 * reward), int(100 * coverage)])
    ours, naive = dict.fromkeys(ALPHAS, 0), dict.fromkeys(ALPHAS, 0)
    judged = 0
    smallest: dict[float, list[float]] = {alpha: [] for alpha in ALPHAS}
    for number in range(histories):
        story = history(rng, rows, reward)
        blocks = time_blocks(story.decided, story.resolved)
        if blocks[-1] + 1 < MINIMUM_BLOCKS:
            continue
        takes = blind_filter(rng, story, coverage, regime=bool(number % 2))
        judged += 1
        for alpha in ALPHAS:
            gain = paired_gain(
                story.r, takes, np.ones(rows), blocks, alpha=alpha, resamples=_resamples(alpha), seed=number
            )
            ours[alpha] += gain.low > 0
            naive[alpha] += _naive_bound(story.r, takes, alpha) > 0
            smallest[alpha].append(gain.point - gain.low + POWER * gain.standard_error)
    return {
        "rows": rows,
        "reward": reward,
        "coverage": coverage,
        "histories": judged,
        "ours": {str(alpha): ours[alpha] / judged for alpha in ALPHAS},
        "independent_rows": {str(alpha): naive[alpha] / judged for alpha in ALPHAS},
        "smallest_gain_seen": {str(alpha): float(np.median(smallest[alpha])) for alpha in ALPHAS},
    }


def _resamples(alpha: float) -> int:
    return max(2_000, math.ceil(10 / alpha))


def _naive_bound(r: Floats, takes: Floats, alpha: float) -> float:
    taken = r[takes > 0]
    own = (takes / takes.sum()) * (r - taken.mean()) - (r - r.mean()) / len(r)
    return float(taken.mean() - r.mean() - NormalDist().inv_cdf(1 - alpha) * np.sqrt(own @ own))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables, and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="200,400,1000")
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    found = list(_all([int(each) for each in given.rows.split(",")], given.histories, given.seed))
    print(json.dumps({"verdict_errors": found}))


def _all(rows: Sequence[int], histories: int, seed: int) -> Iterator[dict[str, Any]]:
    print("rows  reward  coverage  blind filters that pass at 5% / 1% / .1%   independent rows   smallest gain seen, R")
    for count in rows:
        for reward in REWARDS:
            for coverage in COVERAGES:
                cell = false_promotions(count, reward, coverage, histories=histories, seed=seed)
                shares = [" / ".join(f"{100 * share:.2f}" for share in cell[name].values()) for name in _SHARES]
                gains = " / ".join(f"{gain:.2f}" for gain in cell["smallest_gain_seen"].values())
                print(f"{count:>5} {reward:>6} {coverage:>9}  {shares[0]:>30} {shares[1]:>25}   {gains}", flush=True)
                yield cell


_SHARES = ("ours", "independent_rows")

if __name__ == "__main__":
    main()
