"""Bars that cannot be, are not; and a series can be looked at but not written to."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from domain_builders import HOUR, NAIVE, NOW
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bar, BarSeries, Quote
from domain.clock import from_epoch
from domain.errors import InvalidRecord
from domain.instruments import Timeframe

COLUMNS = ("open", "high", "low", "close", "volume", "half_spread")
PRICES = st.floats(min_value=-1.0, max_value=200.0) | st.sampled_from([0.0, math.nan, math.inf, -math.inf])


def a_bar(**changes: Any) -> Bar:
    values: dict[str, Any] = {
        "opened_at": NOW,
        "timeframe": Timeframe.H1,
        "open": 10,
        "high": 12,
        "low": 9,
        "close": 11,
    }
    return Bar(**(values | changes))


def a_series(size: int = 5, **changes: Any) -> BarSeries:
    values: dict[str, Any] = {
        "symbol": "EURUSD",
        "timeframe": Timeframe.H1,
        "source": "test",
        "opened": np.arange(size, dtype=np.int64) * 3600,
        "open": np.arange(size) + 10.0,
        "high": np.arange(size) + 12.0,
        "low": np.arange(size) + 9.0,
        "close": np.arange(size) + 11.0,
        "volume": np.where(np.arange(size) % 2 == 0, np.nan, 5.0),
        "half_spread": np.full(size, 0.01),
    }
    return BarSeries(**(values | changes))


@given(PRICES, PRICES, PRICES, PRICES)
def test_every_bar_that_exists_has_prices_above_nought_inside_its_range(
    open_: float, high: float, low: float, close: float
) -> None:
    valid = all(math.isfinite(price) and price > 0 for price in (open_, high, low, close))
    valid = valid and low <= min(open_, close) and max(open_, close) <= high
    if valid:
        bar = a_bar(open=open_, high=high, low=low, close=close)
        assert bar.low <= bar.open <= bar.high
        return
    with pytest.raises(InvalidRecord, match=r"the bar of 2024-03-01T12:00:00\+00:00"):
        a_bar(open=open_, high=high, low=low, close=close)


@pytest.mark.parametrize("half_spread", [-0.01, math.nan, math.inf])
def test_a_bar_has_a_real_spread(half_spread: float) -> None:
    with pytest.raises(InvalidRecord, match="has a spread of"):
        a_bar(half_spread=half_spread)


def test_a_bar_opens_at_an_aware_time_and_closes_a_bar_later() -> None:
    with pytest.raises(InvalidRecord, match="opened_at"):
        a_bar(opened_at=NAIVE)
    assert a_bar().closed_at == NOW + HOUR


@pytest.mark.parametrize(
    ("bid", "ask"), [(1.2, 1.1), (0.0, 1.0), (-1.0, 1.0), (1.0, math.inf), (math.nan, 1.0), (1.0, math.nan)]
)
def test_a_quote_that_is_crossed_or_not_above_nought_is_refused(bid: float, ask: float) -> None:
    with pytest.raises(InvalidRecord, match="crossed or not above 0"):
        Quote(symbol="EURUSD", at=NOW, bid=bid, ask=ask)


def test_the_middle_of_a_quote_lies_between_bid_and_ask() -> None:
    assert Quote(symbol="EURUSD", at=NOW, bid=1.0, ask=1.5).mid == 1.25
    with pytest.raises(InvalidRecord, match="at"):
        Quote(symbol="EURUSD", at=NAIVE, bid=1.0, ask=1.5)


# -- series -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["opened", *COLUMNS])
def test_nothing_in_a_series_can_be_written_to(name: str) -> None:
    for series in (a_series(), a_series().head(3), a_series().tail(2)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(series, name)[0] = 1
    with pytest.raises(AttributeError):
        setattr(a_series(), name, np.zeros(5))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_as_long_as_the_open_times(name: str) -> None:
    with pytest.raises(InvalidRecord, match=rf"EURUSD: column {name} has shape \(4,\), open times 5"):
        a_series(**{name: np.ones(4)})
    with pytest.raises(InvalidRecord, match="has shape"):
        a_series(**{name: np.ones((5, 1))})


@pytest.mark.parametrize("opened", [[0, 3600, 3600, 7200, 9000], [0, 7200, 3600, 9000, 9600]])
def test_open_times_strictly_increase(opened: list[int]) -> None:
    with pytest.raises(InvalidRecord, match="open times do not strictly increase"):
        a_series(opened=np.array(opened, dtype=np.int64))


@given(st.integers(0, 12), st.integers(0, 15))
def test_head_and_tail_are_views_of_the_first_and_last_bars(size: int, count: int) -> None:
    series = a_series(size)
    head, tail = series.head(count), series.tail(count)
    assert len(head) == len(tail) == min(size, count)
    assert head.opened.tolist() == series.opened.tolist()[:count]
    assert tail.close.tolist() == series.close.tolist()[max(0, size - count) :]
    if len(head):
        assert np.shares_memory(head.close, series.close)
        assert np.shares_memory(tail.close, series.close)
    assert (head.symbol, head.timeframe, head.source) == (series.symbol, series.timeframe, series.source)


def test_a_bar_of_a_series_is_the_record_of_its_row_and_a_missing_volume_is_missing() -> None:
    series = a_series()
    first, second = series.bar(0), series.bar(1)
    assert (first.volume, second.volume) == (None, 5.0)
    assert second.opened_at == from_epoch(3600)
    assert (second.open, second.high, second.low, second.close) == (11.0, 13.0, 10.0, 12.0)
    assert isinstance(second.open, float)
    assert second.half_spread == 0.01


def test_close_times_are_a_bar_after_open_times() -> None:
    assert a_series().closed.tolist() == [3600, 7200, 10800, 14400, 18000]
    assert a_series().bar(2).closed_at - from_epoch(10800) == timedelta(0)


def test_a_series_without_bars_is_one() -> None:
    assert len(a_series(0)) == 0
