"""The simulated market: the same on every run, believable bars, and an edge that is there only when planted."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from domain.errors import InvalidInput
from domain.instruments import AssetClass, Timeframe
from domain.records import Impact
from market.simulated import MOST_INSTRUMENTS, SimulatedFeed

START = datetime(2024, 1, 1, tzinfo=UTC)


def fingerprint(feed: SimulatedFeed) -> str:
    summary = hashlib.blake2b(digest_size=16)
    for symbol in feed.instruments:
        series = feed.series(symbol)
        for name in ("opened", "open", "high", "low", "close", "volume", "half_spread"):
            summary.update(np.ascontiguousarray(getattr(series, name)).tobytes())
    for text in feed.planted_texts:
        summary.update(f"{text.item.received_at} {text.item.text}".encode())
    for event in feed.calendar:
        summary.update(f"{event}".encode())
    return summary.hexdigest()


def test_the_same_seed_gives_the_same_market_and_another_seed_another():
    one, two, other = (fingerprint(SimulatedFeed(seed, bars=600, start=START)) for seed in (7, 7, 8))
    assert one == two
    assert one != other


def test_a_longer_horizon_continues_a_shorter_one():
    short = SimulatedFeed(7, instruments=4, bars=500, start=START)
    long = SimulatedFeed(7, instruments=4, bars=900, start=START)
    for symbol in short.instruments:
        part, whole = short.series(symbol), long.series(symbol)
        assert np.array_equal(part.close, whole.close[: len(part)])
        assert np.array_equal(part.volume, whole.volume[: len(part)])
    end = START + timedelta(hours=500) - timedelta(hours=6)
    assert [text.item for text in short.planted_texts if text.item.received_at < end] == [
        text.item for text in long.planted_texts if text.item.received_at < end
    ]
    assert short.calendar == long.calendar[: len(short.calendar)]


def test_fewer_instruments_are_a_part_of_more():
    few, many = (SimulatedFeed(7, instruments=count, bars=300, start=START) for count in (3, 12))
    for symbol in few.instruments:
        assert np.array_equal(few.series(symbol).close, many.series(symbol).close)


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1, Timeframe.D1])
def test_bars_are_believable(timeframe):
    feed = SimulatedFeed(3, instruments=12, bars=700, timeframe=timeframe, start=START, edge=1.0)
    for symbol, instrument in feed.instruments.items():
        series = feed.series(symbol)
        assert (series.low > 0).all()
        assert (series.high >= np.maximum(series.open, series.close)).all()
        assert (series.low <= np.minimum(series.open, series.close)).all()
        assert (series.half_spread > 0).all()
        assert (series.volume > 0).all()
        ticks = series.close / float(instrument.tick)
        assert np.allclose(ticks, np.rint(ticks), atol=1e-4)
        widest = 2 * float(series.half_spread.max()) / float(instrument.pip)
        assert widest < float(instrument.max_spread_pips)
        assert series.bar(0).opened_at >= START


def test_every_name_is_clearly_invented_and_quoted_in_dollars():
    feed = SimulatedFeed(3, instruments=MOST_INSTRUMENTS, bars=10, start=START)
    assert all(symbol.startswith("SIM") for symbol in feed.instruments)
    assert {one.quote for one in feed.instruments.values()} == {"USD"}
    classes = [one.asset_class for one in feed.instruments.values()]
    assert {kind: classes.count(kind) for kind in set(classes)} == {
        AssetClass.CRYPTO: 4,
        AssetClass.FOREX: 4,
        AssetClass.EQUITY: 4,
    }


def test_no_simulated_symbol_is_a_real_one(registry):
    for symbol in SimulatedFeed(3, instruments=MOST_INSTRUMENTS, bars=10, start=START).instruments:
        assert registry.classes_of(symbol) == ()


def test_currencies_rest_at_weekends_and_the_others_do_not():
    feed = SimulatedFeed(3, instruments=3, bars=24 * 28, start=START)
    for symbol, instrument in feed.instruments.items():
        saturdays = ((feed.series(symbol).opened // 86_400 + 3) % 7 == 5).sum()
        assert bool(saturdays == 0) is (instrument.asset_class is AssetClass.FOREX)


def test_returns_of_one_class_move_together_more_than_across():
    feed = SimulatedFeed(3, instruments=12, bars=4000, start=START, edge=0.0)

    def returns(symbol):
        return np.diff(np.log(feed.series(symbol).close))

    same = np.corrcoef(returns("SIMBRAUSD"), returns("SIMCOLUSD"))[0, 1]
    across = np.corrcoef(returns("SIMBRAUSD"), returns("SIMORCHARD"))[0, 1]
    assert 0.5 < same < 0.8
    assert 0.15 < across < 0.5


def test_volatility_clusters():
    returns = np.diff(np.log(SimulatedFeed(3, bars=8000, instruments=1, start=START).series("SIMBRAUSD").close))
    size = np.abs(returns)
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.1


def foretold(edge: float, seed: int) -> tuple[float, int]:
    """How far texts with a direction foretell the next 24 bars: the t value of direction x return, and their count."""
    feed = SimulatedFeed(seed, instruments=12, bars=15_000, start=START, edge=edge)
    products = []
    for text in feed.planted_texts:
        series = feed.series(text.symbol)
        place = int(np.searchsorted(series.opened, text.item.received_at.timestamp()))
        if text.direction and place + 24 < len(series):
            scale = np.std(np.diff(np.log(series.close))) * 24**0.5
            products.append(text.direction * np.log(series.close[place + 24] / series.open[place]) / scale)
    values = np.array(products)
    return float(values.mean() / values.std() * values.size**0.5), values.size


def test_without_an_edge_texts_foretell_nothing():
    without = [foretold(0.0, seed) for seed in range(1, 9)]
    assert all(count > 1000 for _, count in without)
    assert abs(sum(t_value for t_value, _ in without)) / len(without) ** 0.5 < 2.5


def test_with_an_edge_texts_foretell_and_more_so_with_more_of_it():
    some, _ = foretold(0.5, 1)
    full, _ = foretold(1.0, 1)
    assert full > some > 6


def trend(edge: float, seed: int) -> float:
    """The t value of (return of the last 24 bars) x (return of the next 24), summed over the instruments that share
    every bar: they move together, so each time counts once."""
    feed = SimulatedFeed(seed, instruments=12, bars=15_000, start=START, edge=edge)
    products = []
    for symbol, instrument in feed.instruments.items():
        if instrument.asset_class is not AssetClass.FOREX:
            step = np.diff(np.log(feed.series(symbol).close)[::24])
            products.append(step[1:] * step[:-1] / step.var())
    values = np.sum(products, axis=0)
    return float(values.mean() / values.std() * values.size**0.5)


def test_without_an_edge_prices_do_not_trend_and_with_one_they_do():
    without = [trend(0.0, seed) for seed in range(1, 9)]
    assert abs(sum(without)) / len(without) ** 0.5 < 2.5
    assert trend(1.0, 1) > 6


def test_no_text_is_received_before_it_is_asked_for():
    feed = SimulatedFeed(3, bars=500, start=START)
    middle = START + timedelta(hours=200)
    before = feed.headlines(START - timedelta(days=1), middle)
    after = feed.headlines(middle, START + timedelta(hours=500))
    assert before
    assert max(text.received_at for text in before) <= middle < min(text.received_at for text in after)
    assert len(before) + len(after) == len(feed.planted_texts)
    assert len({text.news_id for text in (*before, *after)}) == len(feed.planted_texts)


def test_texts_name_their_instrument_and_use_words_of_their_direction():
    feed = SimulatedFeed(3, bars=2000, start=START)
    for text in feed.planted_texts:
        assert text.symbol in text.item.text
        assert text.symbol in feed.aliases[text.symbol]
    words = {
        direction: " ".join(t.item.text for t in feed.planted_texts if t.direction == direction)
        for direction in (-1, 1)
    }
    assert "surges" in words[1]
    assert "surges" not in words[-1]
    assert "plunges" in words[-1]


def test_events_are_few_high_and_for_the_dollar():
    events = SimulatedFeed(3, bars=2000, start=START).calendar
    assert 5 <= len(events) <= 12
    assert all(event.impact is Impact.HIGH and event.currency == "USD" and event.precise for event in events)
    assert all(later.at - earlier.at > timedelta(days=7) for earlier, later in pairwise(events))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"instruments": 0}, "there may be 1 to 12"),
        ({"instruments": 13}, "there may be 1 to 12"),
        ({"bars": 0}, "at least 1"),
        ({"edge": 1.5}, r"must lie in \[0, 1\]"),
        ({"start": START + timedelta(minutes=5)}, "is not the beginning of a 1h bar"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        SimulatedFeed(3, **({"start": START} | arguments))
