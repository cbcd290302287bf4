"""Which rows are believed: every kind of fault is rejected and counted, and a live bar meets the same rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import Bar
from domain.clock import from_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.columns import NO_TIME, RawCandles
from market.quality import Gatekeeper, clean

START = 1_700_006_400


def raw_of(columns) -> RawCandles:
    content = columns()
    return RawCandles(
        opened=content["timestamp"] // 1000,
        open=content["open"].copy(),
        high=content["high"].copy(),
        low=content["low"].copy(),
        close=content["close"].copy(),
        volume=content["volume"].copy(),
        half_spread=np.full(30, np.nan),
    )


@pytest.fixture
def raw(columns) -> RawCandles:
    return raw_of(columns)


def cleaned(raw: RawCandles, now: int | None = None, timeframe: Timeframe = Timeframe.H1):
    return clean(raw, symbol="BTCUSDT", timeframe=timeframe, source="BTCUSDT-1h.csv", now=now)


def rows(raw: RawCandles, order) -> RawCandles:
    return RawCandles(**{name: getattr(raw, name)[order] for name in RawCandles.__slots__})


def test_faultless_rows_pass_unchanged(raw):
    result = cleaned(raw)
    assert len(result.series) == 30
    assert result.rejected == {}
    assert result.notes == ()
    assert result.series.close.tolist() == raw.close.tolist()


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("close", np.nan, "nan"),
        ("open", np.inf, "nan"),
        ("low", 0.0, "not_positive"),
        ("low", -1.0, "not_positive"),
        ("high", 1.0, "high_low"),
        ("low", 900.0, "high_low"),
        ("half_spread", -0.1, "crossed"),
        ("opened", NO_TIME, "time"),
        ("opened", 7_000_000_000, "time"),
    ],
)
def test_a_broken_row_is_left_out_and_counted(raw, column, value, kind):
    getattr(raw, column)[7] = value
    result = cleaned(raw)
    assert result.rejected == {kind: 1}
    assert len(result.series) == 29
    assert START + 7 * 3600 not in result.series.opened.tolist()


def test_a_high_below_its_low_is_left_out(raw):
    raw.high[7], raw.low[7] = raw.low[7], raw.high[7]
    assert cleaned(raw).rejected == {"high_low": 1}


def test_the_same_bar_again_changes_nothing(raw):
    again = rows(raw, [*range(30), 12, 12])
    result = cleaned(again)
    assert result.rejected == {"duplicate": 2}
    assert result.series.close.tolist() == raw.close.tolist()


def test_another_bar_at_the_same_time_is_a_conflict_and_the_first_stands(raw):
    again = rows(raw, [*range(30), 12])
    again.close[30] = again.close[30] * 1.0005
    result = cleaned(again)
    assert result.rejected == {"conflict": 1}
    assert result.series.close.tolist() == raw.close.tolist()


def test_rows_out_of_order_are_sorted_and_said_so(raw):
    order = np.arange(30)
    order[[3, 20]] = order[[20, 3]]
    result = cleaned(rows(raw, order))
    assert result.series.opened.tolist() == raw.opened.tolist()
    assert "went back in time" in result.notes[0]


def test_a_file_with_its_newest_bar_first_is_turned_round(raw):
    result = cleaned(rows(raw, slice(None, None, -1)))
    assert result.series.close.tolist() == raw.close.tolist()
    assert "newest first" in result.notes[0]


def test_a_bar_that_has_not_closed_by_now_is_from_the_future(raw):
    result = cleaned(raw, now=int(raw.opened[27]) + 3600)
    assert result.rejected == {"future": 2}
    assert int(result.series.opened[-1]) == int(raw.opened[27])


def test_a_bar_that_opens_before_the_last_one_closed_is_left_out(raw):
    raw.opened[7] += 1800
    result = cleaned(raw)
    assert result.rejected == {"overlap": 1}
    assert int(raw.opened[8]) not in result.series.opened.tolist()


@pytest.mark.parametrize("factor", [10.5, 1 / 10.5])
def test_a_single_spike_is_left_out(raw, factor):
    for column in (raw.open, raw.high, raw.low, raw.close):
        column[9] *= factor
    result = cleaned(raw)
    assert result.rejected == {"spike": 1}
    assert result.series.high.max() < 200


def test_a_wick_of_ten_times_the_price_is_a_spike_too(raw):
    raw.high[9] *= 11
    assert cleaned(raw).rejected == {"spike": 1}


def test_a_new_level_is_believed_with_its_third_bar(raw):
    for column in (raw.open, raw.high, raw.low, raw.close):
        column[10:] *= 20
    result = cleaned(raw)
    assert result.rejected == {"spike": 2}
    assert len(result.series) == 28
    assert result.series.close[10] > 1000


def test_scattered_spikes_never_make_a_level(raw):
    for index in (5, 9, 13, 17):
        for column in (raw.open, raw.high, raw.low, raw.close):
            column[index] *= 30
    assert cleaned(raw).rejected == {"spike": 4}


def test_a_range_lost_to_rounding_is_widened_to_its_body(raw):
    raw.high[4] = max(raw.open[4], raw.close[4]) * (1 - 1e-12)
    result = cleaned(raw)
    assert result.rejected == {}
    assert result.series.high[4] == max(raw.open[4], raw.close[4])
    assert (result.series.high >= np.maximum(result.series.open, result.series.close)).all()


def test_a_file_without_one_believable_row_is_refused_with_the_counts(raw):
    raw.close[:] = np.nan
    with pytest.raises(InvalidInput, match=r"BTCUSDT-1h.csv holds no bar that can be believed: 30 nan"):
        cleaned(raw)


@pytest.mark.parametrize(("timeframe", "seconds"), [(Timeframe.M5, "3600"), (Timeframe.D1, "3600")])
def test_bars_of_another_length_than_the_name_says_are_refused(raw, timeframe, seconds):
    with pytest.raises(InvalidInput, match=f"is named {timeframe.value} but its bars lie {seconds} s apart"):
        cleaned(raw, timeframe=timeframe)


def test_daily_bars_at_a_local_midnight_are_moved_to_their_date(raw):
    new_york = replace(raw, opened=START + np.arange(30, dtype=np.int64) * 86_400 + 5 * 3600)
    sydney = replace(raw, opened=START + np.arange(30, dtype=np.int64) * 86_400 - 11 * 3600)
    for shifted in (new_york, sydney):
        result = clean(shifted, symbol="A", timeframe=Timeframe.D1, source="A-1d.csv", session_labels=True)
        assert result.series.opened.tolist() == (START + np.arange(30) * 86_400).tolist()


def test_gaps_are_kept_as_gaps(raw):
    result = cleaned(rows(raw, [*range(10), *range(15, 30)]))
    assert len(result.series) == 25
    assert int(np.diff(result.series.opened).max()) == 6 * 3600


def live(opened: int, close: float = 100.0) -> Bar:
    return Bar(
        opened_at=from_epoch(opened),
        timeframe=Timeframe.H1,
        open=close,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=None,
    )


def test_live_bars_meet_the_same_rules():
    gate = Gatekeeper(Timeframe.H1)
    now = START + 100 * 3600
    assert gate.offer(live(START), now) is None
    assert gate.offer(live(START), now) == "duplicate"
    assert gate.offer(live(START, 101), now) == "conflict"
    assert gate.offer(live(START - 3600), now) == "out_of_order"
    assert gate.offer(live(START + 1800), now) == "overlap"
    assert gate.offer(live(START + 3600, 2000), now) == "spike"
    assert gate.offer(live(START + 7200, 101), now) is None
    assert gate.offer(live(now), now) == "future"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([100.0, 101.0, 2000.0, 5.0])), min_size=1, max_size=40))
def test_rows_of_a_file_and_single_bars_are_judged_alike(steps):
    """The shortcut for faultless files must not change what the rules say."""
    ordered = sorted(steps, key=lambda step: step[0])
    opened = np.array([START + hour * 1800 for hour, _ in ordered], dtype=np.int64)
    price = np.array([price for _, price in ordered])
    gate = Gatekeeper(Timeframe.H1)
    kinds = [gate.offer(live(int(at), float(value)), START + 10**6) for at, value in zip(opened, price, strict=True)]
    raw = RawCandles(
        opened=opened,
        open=price.copy(),
        high=price * 1.01,
        low=price * 0.99,
        close=price.copy(),
        volume=np.full(price.shape[0], np.nan),
        half_spread=np.full(price.shape[0], np.nan),
    )
    if np.count_nonzero(np.diff(opened) > 0) >= 20:
        return
    result = cleaned(raw)
    accepted = [int(at) for at, kind in zip(opened, kinds, strict=True) if kind is None]
    assert result.series.opened.tolist() == accepted
    assert result.rejected == {kind: kinds.count(kind) for kind in sorted({kind for kind in kinds if kind})}
