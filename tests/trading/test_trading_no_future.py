"""Nothing decided at a moment depends on a bar, a text or an event that comes after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from trading_story import START, InterruptedFeed, journal_of, lively_config, play, simulated

from domain.bars import BarSeries
from market.feed import BarRef

HOUR = timedelta(hours=1)
BARS = 300


class OtherFuture(InterruptedFeed):
    """The same market until `turn`; from there on every price and volume is another."""

    def turn_at(self, turn: int) -> None:
        self._series = {symbol: _turned(series, turn) for symbol, series in self._series.items()}
        self._higher = {}


def _turned(series: BarSeries, turn: int) -> BarSeries:
    later = series.opened >= turn
    factor = np.where(later, np.linspace(1.0, 2.5, len(series)), 1.0)
    columns = {name: getattr(series, name) * factor for name in ("open", "high", "low", "close", "volume")}
    columns["high"] = np.where(later, columns["high"] * 1.05, columns["high"])
    return replace(series, opened=series.opened.copy(), half_spread=series.half_spread * factor, **columns)


def story_until(folder, until) -> dict[str, list]:
    """Everything the journal holds of the time up to a moment, by kind, without what depends on later commits."""
    with journal_of(folder) as journal:
        read = journal.read
        return {
            "decisions": [each for each in read.decisions() if each.decided_at <= until],
            "intents": [each for each in read.intents() if each.created_at <= until],
            "fills": [each for each in read.fills() if each.at <= until],
            # What ends at this very time may end at the price the next bar opens with.
            "outcomes": [each for each in read.outcomes() if each.closed_at < until],
            "samples": [each for each in read.samples() if each.resolved_at < until],
            "equity": [each for each in read.equity() if each.at <= until],
            "scans": [each for each in read.scans() if each.at <= until],
            "holds": [(each.hold_id, each.since, each.until) for each in read.holds() if each.since <= until],
            "cash": [each for each in read.cash() if each.at <= until],
        }


@pytest.mark.parametrize("turn", [175, 210, 255])
def test_another_future_leaves_everything_before_it_as_it_was(tmp_path, turn):
    at = START + turn * HOUR
    config = lively_config()
    known = simulated(bars=BARS)
    assert play(known, config, tmp_path / "known")
    other = OtherFuture(7, instruments=2, bars=BARS, start=START, edge=0.5)
    other.turn_at(int(at.timestamp()))
    assert play(other, config, tmp_path / "other")
    before, same = story_until(tmp_path / "known", at), story_until(tmp_path / "other", at)
    assert len(before["decisions"]) >= 30
    assert len(before["fills"]) >= 5
    for kind, records in before.items():
        assert same[kind] == records, kind
    after = START + BARS * HOUR
    assert story_until(tmp_path / "known", after) != story_until(tmp_path / "other", after)


class Watchful(InterruptedFeed):
    """Remembers the last bar of each instrument that was told as closed."""

    def __init__(self, *args, **rest) -> None:
        super().__init__(*args, **rest)
        self.closed: dict[str, int] = {}
        self.heard = lambda moment: self.closed.update({ref.symbol: ref.index for ref in moment.closed})


def test_the_view_answers_for_the_last_closed_bar_of_each_instrument(tmp_path, monkeypatch):
    from trading.view import MarketView

    feed = Watchful(7, instruments=2, bars=160, start=START, edge=0.5)
    asked = []
    inputs = MarketView.inputs

    def look(view, signal, index, now, *rest):
        asked.append((signal.instrument, index))
        assert index == feed.closed[signal.instrument]
        assert view.closed == feed.closed
        bar = feed.series(signal.instrument).bar(index)
        assert bar.closed_at == now
        assert signal.bar_opened_at == bar.opened_at
        assert signal.entry_price == pytest.approx(bar.close, rel=1e-5)
        return inputs(view, signal, index, now, *rest)

    monkeypatch.setattr(MarketView, "inputs", look)
    play(feed, lively_config(), tmp_path)
    assert len(asked) >= 20
    assert not feed.is_last(BarRef(asked[-1][0], asked[-1][1]))
