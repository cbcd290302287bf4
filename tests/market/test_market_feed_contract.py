"""What every feed over series must do: moments in order, each bar once, seeking like continuing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarSeries
from domain.clock import from_epoch
from domain.errors import NotAvailable
from domain.instruments import Timeframe
from market.feed import Feed, Moment
from market.recorded import load_folder
from market.simulated import SimulatedFeed
from market.timeline import Timeline

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["recorded crypto", "recorded forex", "recorded asx", "simulated"])
def make_feed(request, market_data, registry) -> Callable[[], Feed]:
    makers: dict[str, Callable[[], Feed]] = {
        "recorded crypto": lambda: load_folder(market_data / "crypto", Timeframe.H1, registry=registry, max_bars=400),
        "recorded forex": lambda: load_folder(market_data / "forex", Timeframe.H1, registry=registry, max_bars=700),
        "recorded asx": lambda: load_folder(market_data / "equity_asx", Timeframe.D1, registry=registry, max_bars=400),
        "simulated": lambda: SimulatedFeed(4, instruments=6, bars=400, start=START),
    }
    return makers[request.param]


def all_moments(feed: Feed | Timeline) -> list[Moment]:
    moments = []
    while (at := feed.next_at()) is not None:
        moment = feed.take()
        assert moment.at == at
        moments.append(moment)
    return moments


def test_moments_strictly_follow_each_other(make_feed):
    moments = all_moments(make_feed())
    assert moments
    assert all(first.at < second.at for first, second in pairwise(moments))


def test_every_bar_opens_once_and_then_closes_once_at_its_own_times(make_feed):
    feed = make_feed()
    opened: dict[tuple[str, int], datetime] = {}
    closed: Counter[tuple[str, int]] = Counter()
    for moment in all_moments(feed):
        for ref in moment.closed:
            assert opened[(ref.symbol, ref.index)] < moment.at
            assert moment.at == from_epoch(int(feed.series(ref.symbol).closed[ref.index]))
            closed[(ref.symbol, ref.index)] += 1
        for ref in moment.opened:
            assert (ref.symbol, ref.index) not in opened
            assert moment.at == from_epoch(int(feed.series(ref.symbol).opened[ref.index]))
            opened[(ref.symbol, ref.index)] = moment.at
    bars = sum(len(feed.series(symbol)) for symbol in feed.instruments)
    assert len(opened) == len(closed) == bars
    assert set(closed.values()) == {1}


def test_within_a_moment_the_order_of_instruments_is_fixed(make_feed):
    feed = make_feed()
    place = {symbol: index for index, symbol in enumerate(feed.instruments)}
    for moment in all_moments(feed):
        for refs in (moment.closed, moment.opened):
            assert [place[ref.symbol] for ref in refs] == sorted(place[ref.symbol] for ref in refs)


def test_seeking_is_like_continuing(make_feed):
    whole = all_moments(make_feed())
    feed = make_feed()
    for cut in (0, 1, len(whole) // 3, len(whole) - 2, len(whole) - 1):
        feed.seek(whole[cut].at)
        assert all_moments(feed) == whole[cut + 1 :]
        feed.seek(whole[cut].at - timedelta(microseconds=1))
        assert all_moments(feed) == whole[cut:]


def test_after_the_end_there_is_nothing(make_feed):
    feed = make_feed()
    all_moments(feed)
    assert feed.next_at() is None
    with pytest.raises(NotAvailable):
        feed.take()


def test_exactly_the_newest_bar_of_each_instrument_is_its_last(make_feed):
    feed = make_feed()
    last = [ref for moment in all_moments(feed) for ref in moment.closed if feed.is_last(ref)]
    assert {ref.symbol: ref.index for ref in last} == {
        symbol: len(feed.series(symbol)) - 1 for symbol in feed.instruments
    }
    assert len(last) == len(feed.instruments)


def test_asking_when_changes_nothing(make_feed):
    feed = make_feed()
    assert feed.next_at() == feed.next_at()
    assert feed.take().at < feed.take().at


def test_only_the_declared_series_are_told(make_feed):
    feed = make_feed()
    assert {ref.symbol for moment in all_moments(feed) for ref in moment.closed} == set(feed.instruments)


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=12), min_size=1, max_size=4))
def test_any_mixture_of_gaps_is_told_in_order(hours):
    series = [_series(f"S{number}", sorted(one)) for number, one in enumerate(hours)]
    moments = all_moments(Timeline(series))
    assert [moment.at for moment in moments] == sorted({moment.at for moment in moments})
    assert sum(len(moment.closed) for moment in moments) == sum(len(one) for one in hours)
    assert sum(len(moment.opened) for moment in moments) == sum(len(one) for one in hours)


def _series(symbol: str, hours: list[int]) -> BarSeries:
    price = np.full(len(hours), 1.0)
    return BarSeries(
        symbol=symbol,
        timeframe=Timeframe.H1,
        source="test",
        opened=np.array(hours, dtype=np.int64) * 3600,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=price,
        half_spread=price,
    )


def test_a_timeline_of_nothing_has_no_moments():
    assert Timeline([]).next_at() is None


def test_a_bar_after_a_gap_opens_at_its_own_time():
    moments = all_moments(Timeline([_series("A", [0, 1, 5])]))
    assert [(moment.at.hour, len(moment.closed), len(moment.opened)) for moment in moments] == [
        (0, 0, 1),
        (1, 1, 1),
        (2, 1, 0),
        (5, 0, 1),
        (6, 1, 0),
    ]
