"""Coarser bars: what they are made of, and that they never know more than the fine ones had told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarSeries
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.files import read_candles
from market.quality import clean
from market.resample import closed_by, resample


@st.composite
def fine_series(draw) -> BarSeries:
    """Hourly bars with gaps, starting anywhere in a day."""
    hours = sorted(draw(st.sets(st.integers(0, 80), min_size=1, max_size=60)))
    size = len(hours)
    price = st.floats(1.0, 100.0, allow_nan=False)
    open_ = np.array(draw(st.lists(price, min_size=size, max_size=size)))
    close = np.array(draw(st.lists(price, min_size=size, max_size=size)))
    volume = np.array(draw(st.lists(st.one_of(st.just(np.nan), st.floats(0, 50)), min_size=size, max_size=size)))
    return BarSeries(
        symbol="A",
        timeframe=Timeframe.H1,
        source="test",
        opened=np.array(hours, dtype=np.int64) * 3600,
        open=open_,
        high=np.maximum(open_, close) + 1,
        low=np.minimum(open_, close) - 0.5,
        close=close,
        volume=volume,
        half_spread=np.full(size, 0.01),
    )


@settings(deadline=None)
@given(fine_series())
def test_a_coarse_bar_is_made_of_its_fine_bars(series):
    coarse = resample(series, Timeframe.H4)
    for index in range(len(coarse)):
        start = int(coarse.opened[index])
        assert start % 14400 == 0
        inside = (series.opened >= start) & (series.opened < start + 14400)
        assert inside.any()
        assert coarse.open[index] == series.open[inside][0]
        assert coarse.close[index] == series.close[inside][-1]
        assert coarse.high[index] == series.high[inside].max()
        assert coarse.low[index] == series.low[inside].min()
        total = series.volume[inside].sum()
        assert coarse.volume[index] == pytest.approx(total, nan_ok=True)
        assert coarse.half_spread[index] == pytest.approx(0.01)


@settings(deadline=None)
@given(fine_series(), st.integers(0, 60))
def test_a_truncated_history_gives_the_beginning_of_the_whole(series, count):
    whole = resample(series, Timeframe.H4)
    part = resample(series.head(count), Timeframe.H4)
    assert part.opened.tolist() == whole.opened[: len(part)].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[: len(part)], equal_nan=True)


@settings(deadline=None)
@given(fine_series())
def test_nothing_is_known_before_its_end(series):
    coarse = resample(series, Timeframe.H4)
    if len(coarse):
        assert coarse.closed[-1] <= series.closed[-1]
    visible = closed_by(coarse, series)
    for index in range(len(series)):
        assert int(np.count_nonzero(coarse.closed <= series.closed[index])) == visible[index]


@settings(deadline=None)
@given(fine_series())
def test_two_steps_up_are_one(series):
    once, twice = resample(series, Timeframe.D1), resample(resample(series, Timeframe.H4), Timeframe.D1)
    shared = min(len(once), len(twice))
    assert once.opened[:shared].tolist() == twice.opened[:shared].tolist()
    assert once.close[:shared].tolist() == twice.close[:shared].tolist()


def test_bars_off_the_grid_never_look_past_the_end_of_their_bucket(market_data):
    """The four-hour export is anchored at 21:00 or 22:00 UTC, so one bar a day straddles midnight."""
    raw = read_candles(market_data / "forex" / "EURUSD-4h.parquet")
    fine = clean(raw, symbol="EURUSD", timeframe=Timeframe.H4, source="test").series
    coarse = resample(fine, Timeframe.D1)
    assert np.any(fine.opened % 14400)
    for index in range(0, len(coarse), 37):
        inside = (fine.closed > coarse.opened[index]) & (fine.closed <= coarse.closed[index])
        assert coarse.close[index] == fine.close[inside][-1]
        assert coarse.high[index] == fine.high[inside].max()


def test_the_five_minute_candles_make_the_hourly_ones(market_data):
    fine_raw = read_candles(market_data / "crypto" / "BTCUSDT-5m.parquet")
    hourly_raw = read_candles(market_data / "crypto" / "BTCUSDT-1h.parquet")
    made = resample(clean(fine_raw, symbol="B", timeframe=Timeframe.M5, source="5m").series, Timeframe.H1)
    given_ = clean(hourly_raw, symbol="B", timeframe=Timeframe.H1, source="1h").series
    assert made.opened.tolist() == given_.opened.tolist()
    assert made.high.tolist() == given_.high.tolist()
    assert np.allclose(made.volume, given_.volume)


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1])
def test_only_a_longer_multiple_can_be_made(series, timeframe):
    with pytest.raises(InvalidInput, match="only a longer multiple"):
        resample(series(), timeframe)
