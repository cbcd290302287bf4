"""`python -m bench.studies.sizing_stack DIR [DIR ...]`: what each part of the sizing stack is worth, net of all costs.

Every folder of candles is replayed by the whole daemon once with everything and once without each part. Nothing is
fitted on what it is judged on: weights, correlations and drawdowns are those known at each moment of the replay.
Differences are of the daily returns of equity; their bands come from a paired block bootstrap, in which both runs
keep the same days.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.processes import ratchet

Floats = NDArray[np.float64]

WHOLE = "everything"
PARTS: Mapping[str, tuple[str, ...]] = {
    WHOLE: (),
    "without portfolio weights": ("portfolio.method=equal",),
    "without the correlation cap": ("risk.max_correlation=1",),
    "without the drawdown scale": ("risk.drawdown_floor=1",),
    "without all three": ("portfolio.method=equal", "risk.max_correlation=1", "risk.drawdown_floor=1"),
}
COLUMNS = (
    *("run", "trades", "resumed", "return %", "volatility % a year", "max drawdown %"),
    *("change of volatility", "change of drawdown", "change of mean return, % a year"),
)
RESAMPLES = 2_000
LEVEL = 0.95
BLOCK_DAYS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One replay: equity at the end of each UTC day, and how often it traded."""

    equity: dict[str, float]
    trades: int
    resumed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A figure and the interval that holds `LEVEL` of its resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        clear = "" if self.low <= 0 <= self.high else " *"
        return f"{100 * self.value:+.2f} [{100 * self.low:+.2f}, {100 * self.high:+.2f}]{clear}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.sizing_stack", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a folder of candles")
    parser.add_argument("--method", help="portfolio.method of the whole stack; default: the configuration's")
    parser.add_argument("--timeframe", default=None, help="as for ratchet run --replay; default: 1h, daily files 1d")
    asked = parser.parse_args(arguments)
    for folder in asked.folders:
        for line in _study(folder, asked.method, asked.timeframe):
            print(line, flush=True)


def _study(folder: Path, method: str | None, timeframe: str | None) -> Iterator[str]:
    chosen = () if method is None else (f"portfolio.method={method}",)
    timeframe = timeframe or ("1d" if any(folder.glob("*-1d.*")) else "1h")
    runs = {name: _replay(folder, timeframe, (*chosen, *settings)) for name, settings in PARTS.items()}
    whole = runs[WHOLE]
    yield f"\n### {folder.name}, {timeframe}, {len(whole.equity)} days\n"
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for name, run in runs.items():
        returns = _returns(run, whole)
        days = _days_a_year(whole)
        cells = [
            name,
            str(run.trades),
            str(run.resumed),
            f"{100 * (math.prod(1 + returns) - 1):.2f}",
            f"{100 * _volatility(returns, days):.2f}",
            f"{100 * _drawdown(returns):.2f}",
        ]
        if name == WHOLE:
            cells += ["", "", ""]
        else:
            cells += [str(band) for band in _compared(returns, _returns(whole, whole), days)]
        yield f"| {' | '.join(cells)} |"


def _replay(folder: Path, timeframe: str, settings: Sequence[str]) -> Result:
    with tempfile.TemporaryDirectory(prefix="ratchet-study-") as state:
        given = [part for setting in settings for part in ("--set", setting)]
        run = ["run", "--replay", str(folder), "--timeframe", timeframe, "--speed", "max", "--operator", "simulated"]
        done = ratchet([*run, "--json", "--state", state, *given])
        summary = json.loads(done.output)
        points = json.loads(ratchet(["equity", "--json", "--limit", "1000000", "--journal", summary["journal"]]).output)
    by_day = {point["at"][:10]: float(point["equity"]) for point in reversed(points["equity"])}
    return Result(equity=by_day, trades=summary["trades_closed"], resumed=summary["resumed_by_simulated_operator"])


def _returns(run: Result, whole: Result) -> Floats:
    """Daily returns on the days of the whole stack's run, the same days for every run."""
    equity = np.array([run.equity[day] for day in sorted(whole.equity) if day in run.equity])
    returns: Floats = equity[1:] / equity[:-1] - 1
    return returns


def _days_a_year(run: Result) -> float:
    days = sorted(run.equity)
    span = (np.datetime64(days[-1]) - np.datetime64(days[0])).astype(int)
    return 365.25 * (len(days) - 1) / float(span)


def _compared(run: Floats, whole: Floats, days: float) -> Iterator[Band]:
    """What leaving the part out changed: volatility a year, maximum drawdown, mean return a year."""
    draw = np.random.default_rng(0)
    count = len(whole)
    starts = draw.integers(0, count, size=(RESAMPLES, math.ceil(count / BLOCK_DAYS)))
    places = (starts[:, :, None] + np.arange(BLOCK_DAYS)).reshape(RESAMPLES, -1)[:, :count] % count
    figures = (
        lambda returns: _volatility(returns, days),
        _drawdown,
        lambda returns: float(returns.mean()) * days,
    )
    for figure in figures:
        resampled = np.array([figure(run[place]) - figure(whole[place]) for place in places])
        low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        yield Band(value=figure(run) - figure(whole), low=float(low), high=float(high))


def _volatility(returns: Floats, days: float) -> float:
    return float(returns.std(ddof=1)) * math.sqrt(days)


def _drawdown(returns: Floats) -> float:
    worth = np.concatenate([[1.0], np.cumprod(1 + returns)])
    return float((1 - worth / np.maximum.accumulate(worth)).max())


if __name__ == "__main__":
    main()
