"""What a venue's feed starts with: a first helping, or the kept bars and what is missing of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from memory_market import MemoryMarket, at, instruments, scaled, series_of, story

from domain.clock import SteppedClock
from domain.errors import InvalidInput, NotAvailable, VenueUnavailable
from domain.instruments import Timeframe
from market.robust import RetryPlan
from market.venue_history import load_history

NAMES = ("BTCUSDT", "ETHUSDT")
PLAN = RetryPlan(first_wait_s=0.001, longest_wait_s=0.002)
WHOLE = {name: story(name, 1500) for name in NAMES}


def venue(**bars) -> MemoryMarket:
    return MemoryMarket({**WHOLE, **bars}, SteppedClock(at(0)))


async def load(link, *, until=None, timeframe=Timeframe.M1, names=NAMES, **settings):
    return await load_history(
        link, instruments(*names), timeframe, until=until or at(500, seconds=7), plan=PLAN, **settings
    )


def same(left, right) -> bool:
    columns = ("opened", "open", "high", "low", "close", "volume", "half_spread")
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in columns)


async def down(_symbol: str, _call: int) -> None:
    raise VenueUnavailable("no route")


# -- the first start ------------------------------------------------------------------------------------------------


async def test_at_the_first_start_the_last_bars_are_fetched_with_modelled_spreads():
    found = await load(venue(), bars=400)
    assert list(found) == list(NAMES)
    for name in NAMES:
        assert same(found[name], series_of(name, WHOLE[name][100:500]))
        assert found[name].source == "memory"
        assert (found[name].half_spread > 0).all()


async def test_a_bar_that_is_still_open_is_not_part_of_it():
    found = await load(venue(), bars=10, until=at(500, seconds=-1))
    assert int(found["BTCUSDT"].closed[-1]) == int(at(499).timestamp())


async def test_more_than_one_piece_is_fetched_piece_by_piece():
    link = venue()
    found = await load(link, bars=1400, until=at(1450), names=("BTCUSDT",))
    assert same(found["BTCUSDT"], series_of("BTCUSDT", WHOLE["BTCUSDT"][50:1450]))
    assert link.calls["BTCUSDT"] == 2


async def test_an_instrument_younger_than_the_history_gives_what_it_has():
    found = await load(venue(ETHUSDT=WHOLE["ETHUSDT"][480:]), bars=400)
    assert len(found["ETHUSDT"]) == 20


async def test_an_instrument_without_bars_is_refused_by_name():
    with pytest.raises(InvalidInput, match="memory gave no history of ETHUSDT: memory has no closed bar"):
        await load(venue(ETHUSDT=[]))


async def test_a_venue_that_does_not_answer_is_told_with_the_instruments():
    link = venue()
    link.fault = down
    with pytest.raises(NotAvailable, match="BTCUSDT: no route; ETHUSDT: no route"):
        await load(link)


async def test_the_fallback_gives_history_where_the_venue_does_not():
    link, second = venue(), MemoryMarket(WHOLE, SteppedClock(at(0)), venue="second")
    link.fault = down
    found = await load(link, fallback=second)
    assert {one.source for one in found.values()} == {"second"}


async def test_bars_that_are_none_are_left_out_of_the_first_helping():
    bars = list(WHOLE["BTCUSDT"])
    bars[300] = scaled(bars[300], 20)
    found = await load(venue(BTCUSDT=bars), bars=400)
    assert len(found["BTCUSDT"]) == 399


@pytest.mark.parametrize(("bars", "keep"), [(0, 10), (20, 10)])
async def test_a_history_of_nothing_or_beyond_what_is_kept_is_refused(bars, keep):
    with pytest.raises(InvalidInput, match=f"history of {bars} bars of which {keep}"):
        await load(venue(), bars=bars, keep=keep)


# -- after a restart ------------------------------------------------------------------------------------------------


async def test_kept_bars_stay_what_they_were_and_what_closed_since_is_put_behind_them():
    kept = [scaled(bar, 1.01) for bar in WHOLE["BTCUSDT"][:300]]
    stored = {"BTCUSDT": series_of("BTCUSDT", kept)}
    found = await load(venue(), stored=stored)
    assert same(found["BTCUSDT"], series_of("BTCUSDT", [*kept, *WHOLE["BTCUSDT"][300:500]]))
    assert len(found["ETHUSDT"]) == 400


async def test_bars_missing_between_kept_ones_are_put_in_where_they_can_be_had():
    bars = WHOLE["BTCUSDT"]
    stored = {"BTCUSDT": series_of("BTCUSDT", bars[:100] + bars[103:200] + bars[210:300])}
    found = await load(venue(), stored=stored)
    assert same(found["BTCUSDT"], series_of("BTCUSDT", bars[:500]))


async def test_a_bar_at_another_level_is_not_put_between_kept_ones():
    bars = list(WHOLE["BTCUSDT"])
    stored = {"BTCUSDT": series_of("BTCUSDT", bars[:100] + bars[102:300])}
    bars[100] = scaled(bars[100], 3)
    found = await load(venue(BTCUSDT=bars), stored=stored)
    assert len(found["BTCUSDT"]) == 499


async def test_kept_bars_are_enough_to_start_with_when_nobody_answers():
    link = venue()
    link.fault = down
    bars = WHOLE["BTCUSDT"]
    stored = {"BTCUSDT": series_of("BTCUSDT", bars[:100] + bars[102:300])}
    found = await load(link, stored=stored, names=("BTCUSDT",))
    assert same(found["BTCUSDT"], stored["BTCUSDT"])


async def test_the_oldest_bars_beyond_the_cap_are_dropped_unless_a_decision_needs_them():
    stored = {"BTCUSDT": series_of("BTCUSDT", WHOLE["BTCUSDT"][:490])}
    found = await load(venue(), stored=stored, names=("BTCUSDT",), bars=100, keep=120)
    assert same(found["BTCUSDT"], series_of("BTCUSDT", WHOLE["BTCUSDT"][380:500]))
    found = await load(venue(), stored=stored, names=("BTCUSDT",), bars=100, keep=120, since=at(50))
    assert same(found["BTCUSDT"], series_of("BTCUSDT", WHOLE["BTCUSDT"][50:500]))


async def test_kept_bars_of_something_else_are_refused():
    stored = {"BTCUSDT": series_of("ETHUSDT", WHOLE["ETHUSDT"][:10])}
    with pytest.raises(InvalidInput, match="the kept bars of BTCUSDT are ETHUSDT 1m"):
        await load(venue(), stored=stored)


async def test_loading_twice_gives_the_same():
    stored = {"BTCUSDT": series_of("BTCUSDT", WHOLE["BTCUSDT"][:300])}
    first = await load(venue(), stored=stored)
    again = await load(venue(), stored=first, until=at(500, seconds=9))
    assert all(same(first[name], again[name]) for name in NAMES)


async def test_a_row_off_the_grid_is_not_put_between_kept_ones():
    bars = list(WHOLE["BTCUSDT"])
    stored = {"BTCUSDT": series_of("BTCUSDT", bars[:100] + bars[101:300])}
    bars[100] = replace(bars[100], opened_at=bars[100].opened_at + timedelta(seconds=5))
    found = await load(venue(BTCUSDT=bars), stored=stored)
    assert len(found["BTCUSDT"]) == 499
