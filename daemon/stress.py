"""`ratchet stress`: the whole daemon on one market, undisturbed and under each scenario, and what the breakers did."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from daemon.paths import AccountPaths, state_root
from daemon.stress_market import StressOptions, ToldMarket, market_of
from daemon.stress_play import Record, Standing, StressRun, play
from daemon.stress_report import StressReport, report_of
from domain.clock import to_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.stress import Ground, Scenario, unchanged

BASELINE = Scenario(name="undisturbed", models="the market as it was", change=unchanged)
MIDDLE = (1 / 3, 2 / 3)
"""The part of the run in which the moment is looked for: indicators are warm before it, and something follows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StressSummary:
    """All of one stress run: the market, the moment, what was held then as signed shares of equity, and a report each.

    `left_out` says in sentences which scenarios could not be carried out, and why.
    """

    source: str
    timeframe: Timeframe
    instruments: tuple[str, ...]
    bars: int
    currency: str
    seed: int
    moment: datetime
    exposure: Mapping[str, float]
    baseline: StressReport
    reports: tuple[StressReport, ...]
    left_out: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """Every promise that was not kept, behind its scenario's name."""
        return tuple(f"{each.scenario}: {fault}" for each in (self.baseline, *self.reports) for fault in each.faults)

    def to_json(self) -> dict[str, Any]:
        """One document."""
        return {
            "ok": not self.faults,
            "faults": self.faults,
            "source": self.source,
            "timeframe": self.timeframe,
            "instruments": self.instruments,
            "bars": self.bars,
            "currency": self.currency,
            "seed": self.seed,
            "moment": self.moment,
            "exposure": self.exposure,
            "baseline": self.baseline.to_json(),
            "scenarios": [each.to_json() for each in self.reports],
            "left_out": self.left_out,
        }


def run_stress(options: StressOptions, environ: Mapping[str, str] = os.environ) -> StressSummary:
    """Play the market undisturbed, then once under each scenario; the journals lie under stress/ in the state folder,
    where those of the run before are replaced.

    Raises `InvalidInput` in one sentence for a market that cannot be played, or in which nothing is ever held.
    """
    told = market_of(options)
    chosen, left_out = _possible(options.scenarios, told)
    stage = _Stage(told, state_root(environ, options.state) / "stress", options.quiet)
    calm = stage.play(BASELINE, Ground(at=_beginning(told), tradable=told.tradable))
    ground = ground_of(calm, options, told)
    span = told.feed.timeframe.span

    def report(scenario: Scenario, record: Record) -> StressReport:
        return report_of(record, scenario=scenario, at=ground.at, span=span, calm=calm)

    return StressSummary(
        source=told.feed.name,
        timeframe=told.feed.timeframe,
        instruments=told.tradable,
        bars=told.bars,
        currency=told.currency,
        seed=options.seed,
        moment=ground.at,
        exposure={symbol: round(share, 6) for symbol, share in ground.exposure.items()},
        baseline=report(BASELINE, calm),
        reports=tuple(report(scenario, stage.play(scenario, ground)) for scenario in chosen),
        left_out=left_out,
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the runs are played, one after the other, each in a folder of its own."""

    told: ToldMarket
    place: Path
    quiet: bool

    def play(self, scenario: Scenario, ground: Ground) -> Record:
        feed, higher = self.told.under(scenario, ground)
        paths = AccountPaths(folder=self.place / scenario.name)
        if paths.folder.exists():
            shutil.rmtree(paths.folder)
        return play(
            StressRun(
                title=f"stress: {scenario.name}",
                feed=feed,
                higher=higher,
                total=self.told.bars,
                config=self.told.config,
                paths=paths,
                currency=self.told.currency,
                sources=self.told.sources,
                quiet=self.quiet,
            )
        )


def _beginning(told: ToldMarket) -> datetime:
    first = told.again().next_at()
    if first is None:
        raise InvalidInput(f"{told.feed.name} has no bars to play")
    return first


def _possible(scenarios: tuple[Scenario, ...], told: ToldMarket) -> tuple[tuple[Scenario, ...], tuple[str, ...]]:
    """The scenarios that this market is large enough for, and why the others are left out."""
    few = len(told.tradable)
    chosen = tuple(scenario for scenario in scenarios if few >= scenario.instruments)
    left_out = tuple(
        f"{scenario.name} needs {scenario.instruments} instruments, and there is {few}"
        for scenario in scenarios
        if few < scenario.instruments
    )
    if not chosen:
        raise InvalidInput("; ".join(left_out))
    return chosen, left_out


def ground_of(calm: Record, options: StressOptions, told: ToldMarket) -> Ground:
    """The moment asked for, else the one of the middle third after which most is held in markets that are open."""
    standings, tradable = calm.standings, told.tradable
    pairs = list(pairwise(standings))
    if options.at is not None:
        found = next((pair for pair in pairs if pair[1].at >= options.at), None)
        if found is None:
            raise InvalidInput(f"--at {options.at.isoformat()} lies after the last bar, {standings[-1].at.isoformat()}")
        return Ground(at=found[1].at, exposure=_staying(*found), tradable=tradable, seed=options.seed)
    first, last = (int(share * len(pairs)) for share in MIDDLE)
    opens = {symbol: frozenset(told.feed.series(symbol).opened.tolist()) for symbol in tradable}
    best: tuple[float, dict[str, float], datetime] | None = None
    for before, now in pairs[first:last]:
        exposure, at = _staying(before, now), to_epoch(now.at)
        gross = sum(map(abs, exposure.values()))
        if exposure and all(at in opens[symbol] for symbol in exposure) and (best is None or gross > best[0]):
            best = (gross, exposure, now.at)
    if best is None:
        raise InvalidInput(
            "nothing was held in the middle third of the undisturbed run, so there is nothing to stress: "
            "give more --bars, other --instruments, or a moment of your own with --at"
        )
    return Ground(at=best[2], exposure=best[1], tradable=tradable, seed=options.seed)


def _staying(before: Standing, now: Standing) -> dict[str, float]:
    """What is held over the opens of a moment: there before it and after it, so that what opens elsewhere hits it."""
    return {symbol: share for symbol, share in now.shares.items() if before.trades.get(symbol) == now.trades[symbol]}
