"""`python -m bench weights`: every way of weighting walked over recorded markets, beside equal weights, net of costs.

`python -m bench.portfolio_walk DIR ...` takes several folders. A folder holds candles, or folders of candles.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtest.portfolio_walk import Comparison, Difference, Market, Plan, Walk, compare, pooled, walk
from bench.request import REAL_CANDLES, Request
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.recorded import load_folder
from market.registry import Registry
from risk.portfolio import Method

BAND = 0.03
VARIANTS = (("as it is", False, 0.0), ("told the cost", True, 0.0), (f"band {BAND:.0%}", False, BAND))
OF_A_SHORT_RECORDING = {"crypto": (720, 168)}
"""Window and step in bars where they differ from the timeframe's: a short recording cannot be walked by months."""
PERIODS = {Timeframe.H1: (3_000, 500), Timeframe.D1: (252, 21)}
"""Window and step in bars: half a year refitted monthly on hours, a year refitted monthly on days."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One method in one variant on one market, or on all of them."""

    market: str
    method: str
    variant: str
    walk: Walk | None
    figures: Comparison | None
    differences: tuple[Difference, Difference, Difference]


def show(request: Request, *, as_json: bool) -> None:
    """Print the tables for a folder; unless one is given, for all recorded markets."""
    folder = REAL_CANDLES.parent if request.candles == REAL_CANDLES else request.candles
    tell([folder], as_json=as_json)


def tell(folders: Sequence[Path], *, as_json: bool) -> None:
    """Print one table a market and one over all of them."""
    rows = list(_rows(_markets(folders)))
    if as_json:
        for row in rows:
            print(json.dumps(_document(row)))
        return
    for name in dict.fromkeys(row.market for row in rows):
        print(
            f"\n{name}\n\n| method | variant | Sharpe | volatility | drawdown | turnover a year | fell back "
            "| Sharpe less 1/N's | volatility over 1/N's | drawdown less 1/N's |"
        )
        print("|" + "---|" * 10)
        for row in rows:
            if row.market == name:
                print(_line(row))


def _markets(folders: Sequence[Path]) -> Iterator[tuple[Market, int, int]]:
    """The markets with their windows and steps. What holds no candles of either timeframe is left out aloud."""
    registry = Registry.shipped()
    for folder in folders:
        inner = (
            [folder] if any(folder.glob("*-1[hd].*")) else sorted(each for each in folder.iterdir() if each.is_dir())
        )
        for each in inner:
            timeframe = next((frame for frame in PERIODS if any(each.glob(f"*-{frame.value}.*"))), None)
            if timeframe is None:
                continue
            try:
                market = Market.of(load_folder(each, timeframe, registry=registry))
            except InvalidInput as unusable:
                print(f"left out {each.name}: {unusable}", file=sys.stderr)
                continue
            left = f", left out {', '.join(market.left_out)}" if market.left_out else ""
            print(
                f"{market.name}: {market.returns.shape[0]} bars of {', '.join(market.instruments)}{left}",
                file=sys.stderr,
            )
            yield (market, *OF_A_SHORT_RECORDING.get(market.name, PERIODS[timeframe]))


def _rows(markets: Iterator[tuple[Market, int, int]]) -> Iterator[Row]:
    together: dict[tuple[str, str], list[Comparison]] = {}
    for number, (market, window, step) in enumerate(markets):
        try:
            benchmark = walk(market, Plan(method=Method.EQUAL, window=window, step=step))
        except InvalidInput as too_short:
            print(f"left out {market.name}: {too_short}", file=sys.stderr)
            continue
        plans = [
            (variant, Plan(method=method, window=window, step=step, costs_known=known, no_trade_band=band))
            for method in Method
            for variant, known, band in VARIANTS
        ]
        walks = [walk(market, plan) for _, plan in plans]
        for (variant, plan), walked, found in zip(plans, walks, compare(walks, benchmark, seed=number), strict=True):
            together.setdefault((plan.method.value, variant), []).append(found)
            yield Row(
                market=f"{market.name}, {walked.refits} refits, {walked.daily.size} days",
                method=plan.method.value,
                variant=variant,
                walk=walked,
                figures=found,
                differences=(found.sharpe, found.volatility, found.drawdown),
            )
    for (method, variant), found_in in together.items():
        if len(found_in) > 1:
            yield Row(
                market=f"mean of {len(found_in)} markets",
                method=method,
                variant=variant,
                walk=None,
                figures=None,
                differences=pooled(found_in),
            )


def _line(row: Row) -> str:
    cells = ["", "", "", "", ""]
    if row.walk is not None and row.figures is not None:
        own = row.figures.figures
        cells = [f"{own.sharpe:.2f}", f"{own.volatility:.1%}", f"{own.drawdown:.1%}", f"{row.walk.turnover:.2f}"]
        cells.append(f"{row.walk.fallbacks}")
    sharpe, volatility, drawdown = row.differences
    ratio = Difference(
        value=math.expm1(volatility.value), low=math.expm1(volatility.low), high=math.expm1(volatility.high)
    )
    cells += [_shown(sharpe, "+.2f"), _shown(ratio, "+.1%"), _shown(drawdown, "+.1%")]
    return f"| {row.method} | {row.variant} | " + " | ".join(cells) + " |"


def _shown(difference: Difference, form: str) -> str:
    """The difference and its band; an asterisk where the band leaves 0 out."""
    told = f"{difference.value:{form}} [{difference.low:{form}}, {difference.high:{form}}]"
    return told + "*" if difference.certain else told


def _document(row: Row) -> dict[str, Any]:
    names = ("sharpe", "log_volatility", "drawdown")
    document: dict[str, Any] = {"market": row.market, "method": row.method, "variant": row.variant}
    document |= {name: [each.value, each.low, each.high] for name, each in zip(names, row.differences, strict=True)}
    if row.walk is not None:
        document |= {"turnover": row.walk.turnover, "fallbacks": row.walk.fallbacks, "refits": row.walk.refits}
    return document


def main() -> None:
    """Walk over the folders that are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.portfolio_walk", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="candles, or folders of candles")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asked = parser.parse_args()
    tell(asked.folders, as_json=asked.json)


if __name__ == "__main__":
    main()
