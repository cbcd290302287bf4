"""The report on a stressed run: every promise is judged anew from the record, and a broken one is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.config import load
from daemon.paths import AccountPaths
from daemon.stress import ground_of
from daemon.stress_market import StressOptions, market_of
from daemon.stress_play import Record, Standing, StressRun, play
from daemon.stress_report import StressReport, report_of
from domain.decisions import DecisionStatus
from domain.holds import Effect, HoldCause, new_hold
from journal.verify import Check, Verification
from market.stress import SCENARIOS, Ground, Scenario, unchanged

NAMED = {scenario.name: scenario for scenario in SCENARIOS}
CALM = Scenario(name="undisturbed", models="the market as it was", change=unchanged)
SPAN = timedelta(hours=1)


class Stage:
    """One small simulated market, played as it was and with a tenth of equity lost at a moment."""

    def __init__(self, folder: Path) -> None:
        options = StressOptions(
            scenarios=SCENARIOS,
            config=load([], environ={}).config,
            instruments=("SIMBRAUSD", "SIMCOLUSD"),
            bars=420,
            quiet=True,
        )
        self._told, self._folder = market_of(options), folder
        feed = self._told.feed
        beginning = feed.next_at()
        assert beginning is not None
        self.calm = self._play(CALM, Ground(at=beginning))
        self.ground = ground_of(self.calm, options, self._told)
        self.scenario = NAMED["equity_minus_10"]
        self.struck = self._play(self.scenario, self.ground)

    def _play(self, scenario: Scenario, ground: Ground) -> Record:
        feed, higher = self._told.under(scenario, ground)
        return play(
            StressRun(
                title=scenario.name,
                feed=feed,
                higher=higher,
                total=self._told.bars,
                config=self._told.config,
                paths=AccountPaths(folder=self._folder / scenario.name),
                currency=self._told.currency,
                sources=self._told.sources,
                quiet=True,
            )
        )

    def report(self, record: Record, scenario: Scenario | None = None) -> StressReport:
        return report_of(record, scenario=scenario or self.scenario, at=self.ground.at, span=SPAN, calm=self.calm)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


def test_a_run_in_which_every_promise_was_kept_has_no_faults(stage: Stage) -> None:
    report = stage.report(stage.struck)
    assert report.faults == ()
    assert stage.report(stage.calm, CALM).faults == ()
    assert {each.cause for each in report.fired} >= {"drawdown", "daily_loss"}


def test_the_worst_loss_is_from_the_moment_to_the_lowest_mark_after_it(stage: Stage) -> None:
    report = stage.report(stage.struck)
    start = next(point.equity for point in stage.struck.points if point.at == stage.ground.at)
    after = [point for point in stage.struck.points if point.at > stage.ground.at]
    lowest = min(point.equity for point in after)
    assert report.worst_loss == pytest.approx(float(1 - lowest / start), abs=1e-6)
    assert report.worst_loss_amount == (start - lowest).quantize(Decimal("0.01"))
    assert next(point.equity for point in after if point.at == report.worst_at) == lowest
    assert report.max_drawdown >= report.worst_loss


def test_holds_that_come_anyway_are_told_apart_from_those_the_scenario_brought(stage: Stage) -> None:
    calm = stage.report(stage.calm, CALM)
    assert all(each.count == each.undisturbed for each in calm.fired)
    drawdown = next(each for each in stage.report(stage.struck).fired if each.cause == "drawdown")
    assert (drawdown.count, drawdown.undisturbed, drawdown.after_bars, drawdown.latched) == (1, 0, 1, True)


def without_stops(record: Record) -> Record:
    last = record.standings[-1]
    return replace(record, standings=(*record.standings, Standing(at=last.at, shares={}, trades={}, bare=2)))


def without(*causes: HoldCause) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        return replace(record, holds=tuple(hold for hold in record.holds if hold.cause not in causes))

    return change


def released_early(record: Record) -> Record:
    """The drawdown's latch opened by itself an hour later."""
    return replace(
        record,
        holds=tuple(
            hold.cleared(hold.since + SPAN, "time", "as if by itself") if hold.cause is HoldCause.DRAWDOWN else hold
            for hold in record.holds
        ),
    )


def held_at_an_entry(record: Record) -> Record:
    """A hold that was in force when an entry was ordered."""
    entry = next(each for each in record.decisions if each.status is DecisionStatus.ORDERED)
    hold = new_hold(
        HoldCause.STALE_DATA,
        Effect.NO_ENTRIES,
        since=entry.decided_at - SPAN,
        until=entry.decided_at + SPAN,
        scope=entry.instrument,
        detail="forged",
    )
    return replace(record, holds=(*record.holds, hold))


def not_verified(record: Record) -> Record:
    return replace(record, verification=Verification(checks=(Check("fills have an intent", False, "one"),), digest={}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_stops, "1 moments ended with a position without enough of a stop"),
        (without(HoldCause.DRAWDOWN), "no drawdown hold was set, and this scenario must bring one"),
        (without(HoldCause.DAILY_LOSS), "no daily_loss hold was in force"),
        (without(HoldCause.WEEKLY_LOSS), "no weekly_loss hold was in force"),
        (released_early, "no drawdown hold was in force"),
        (held_at_an_entry, "under a stale_data hold"),
        (not_verified, "verify: fills have an intent: one"),
    ],
)
def test_a_broken_promise_is_told(stage: Stage, change: Callable[[Record], Record], told: str) -> None:
    faults = stage.report(change(stage.struck)).faults
    assert any(told in fault for fault in faults), faults


def test_a_latch_that_nobody_opened_is_why_trading_did_not_resume(stage: Stage) -> None:
    resumed = stage.report(stage.struck).resumed
    assert (resumed.at, resumed.why) == (None, "only a person clears what latched, and nobody did")
    assert "drawdown" in resumed.held_at_end


def test_when_a_hold_ended_the_next_entry_names_it(stage: Stage) -> None:
    """The undisturbed run, had its account been held for three hours after the moment."""
    since = stage.ground.at + SPAN
    hold = new_hold(HoldCause.DAILY_LOSS, Effect.NO_ENTRIES, since=since, until=since + 3 * SPAN, detail="forged")
    ended = hold.cleared(since + 3 * SPAN, "time", "its time was over")
    report = stage.report(replace(stage.calm, holds=(*stage.calm.holds, ended)), CALM)
    entries = [each.decided_at for each in stage.calm.decisions if each.status is DecisionStatus.ORDERED]
    assert report.resumed.at == min(at for at in entries if at > since)
    assert report.resumed.why == "daily_loss: its time was over"
