"""What trading may know of other instruments: only what is of now."""

from __future__ import annotations

from datetime import date

import pytest
from trading_rig import Candle, instrument, series_of

from domain.clock import from_epoch
from domain.decisions import FeatureInputs, Signal, Vote
from domain.instruments import Timeframe
from domain.orders import Side
from market.feed import FeedReport
from market.fx import RateBook
from market.headlines import Headlines
from market.series_feed import SeriesFeed
from market.sessions import Sessions
from signals.settings import SignalSettings
from trading.view import MarketView

BARS = 60
LASTING = 30


def rising(bars: int, step: float) -> list[Candle]:
    """Bars that rise by a fixed share each."""
    closes = [100 * (1 + step) ** number for number in range(bars)]
    return [Candle(close, close * 1.001, close * 0.999, close) for close in closes]


@pytest.fixture
def view() -> MarketView:
    """A coin beside two of its class: one that goes on, and a benchmark that falls silent halfway."""
    symbols = {"OWNUSD": 0.001, "LONGUSD": 0.002, "GONEUSD": 0.01}
    feed = SeriesFeed(
        name="three coins",
        timeframe=Timeframe.H1,
        instruments={symbol: instrument(symbol, benchmark="GONEUSD") for symbol in symbols},
        series={
            symbol: series_of(symbol, rising(LASTING if symbol == "GONEUSD" else BARS, step))
            for symbol, step in symbols.items()
        },
        report=FeedReport(notes=(), rejected={}),
        headlines=Headlines([]),
    )
    return MarketView(
        feed=feed,
        higher=feed.higher,
        settings=SignalSettings(),
        sessions=Sessions(date(2024, 1, 1), date(2024, 12, 31)),
        rates=RateBook(feed.instruments.values()),
        currency="USD",
    )


def inputs_at(view: MarketView, index: int) -> FeatureInputs:
    bars = view.bars("OWNUSD")
    view.observe_until(from_epoch(bars.opened[index] + bars.seconds))
    price = bars.close[index]
    signal = Signal(
        instrument="OWNUSD",
        timeframe=Timeframe.H1,
        bar_opened_at=from_epoch(bars.opened[index]),
        side=Side.BUY,
        technical_score=0.7,
        agreement=1.0,
        votes=(Vote(strategy="trend", side=Side.BUY, confidence=0.7, reason="it rises"),),
        entry_price=price,
        stop_price=price * 0.98,
        target_price=price * 1.06,
        atr=price * 0.01,
        bars_since_signal=0,
    )
    return view.inputs(signal, index, from_epoch(bars.opened[index] + bars.seconds), None, None)


def test_an_instrument_that_fell_silent_is_no_peer_and_no_benchmark_any_more(view: MarketView) -> None:
    momentum = {step: (1 + step) ** 20 - 1 for step in (0.001, 0.002, 0.01)}
    own = momentum[0.001]
    beside_both = own - (momentum[0.002] + momentum[0.01]) / 2
    together = inputs_at(view, LASTING + 1)
    assert together.peer_strength == pytest.approx(beside_both, rel=1e-4), "two bars late still keeps step"
    assert together.benchmark_momentum == pytest.approx(momentum[0.01], rel=1e-4)
    alone = inputs_at(view, LASTING + 2)
    assert alone.peer_strength == pytest.approx(own - momentum[0.002], rel=1e-4)
    assert alone.benchmark_momentum is None
    assert alone.benchmark_volatility is None
