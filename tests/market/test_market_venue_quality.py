"""What a venue gives is judged before it is believed: holes, corrections, spikes, bars of the future or the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from memory_market import MemoryMarket, at, instruments, scaled, series_of, story

from domain.clock import SteppedClock
from domain.errors import InvalidRecord, VenueBusy, VenueUnavailable
from domain.instruments import Timeframe
from market.robust import RetryPlan
from market.venue_feed import REJECTIONS, Gathered, VenueFeed

NAME = "BTCUSDT"
PLAN = RetryPlan(first_wait_s=0.001, longest_wait_s=0.002, failures=100)
HAD = 5


class Venue:
    """One instrument followed from its fifth bar on, with or without a second provider."""

    def __init__(self, *, fallback=False, bars=40, story_bars=None):
        self.story = story(NAME, bars)
        self.clock = SteppedClock(at(HAD))
        self.market = MemoryMarket({NAME: story_bars or self.story}, self.clock)
        self.second = MemoryMarket({NAME: self.story}, self.clock, venue="second")
        self.feed = VenueFeed(
            name="venue",
            timeframe=Timeframe.M1,
            instruments=instruments(NAME),
            history={NAME: series_of(NAME, self.story[:HAD])},
            link=self.market,
            clock=self.clock,
            patience=timedelta(seconds=10),
            fallback=self.second if fallback else None,
            plan=PLAN,
        )

    async def gather(self, bars: float, seconds: float = 1.0) -> Gathered:
        self.clock.move_to(at(bars, seconds=seconds))
        gathered = await self.feed.gather(self.clock.now())
        assert {name for name, _ in gathered.rejected_of} <= {NAME}
        assert gathered.rejected.keys() <= set(REJECTIONS)
        return gathered

    def give(self, *bars) -> None:
        """From now on the venue gives exactly these bars, in this order."""
        self.market.bars_of[NAME] = list(bars)

    def hide(self, *numbers: int) -> None:
        self.market.hidden |= {(NAME, self.story[number].opened_at) for number in numbers}

    @property
    def numbers(self) -> list[int]:
        """Which bars of the story are at hand behind those it began with."""
        opened = self.feed.series(NAME).opened
        return ((opened - opened[0]) // 60).tolist()[HAD:]


async def test_a_bar_given_twice_changes_nothing():
    venue = Venue()
    venue.give(*venue.story[:6], venue.story[5], venue.story[5])
    gathered = await venue.gather(6)
    assert (gathered.bars, gathered.rejected) == (1, {})
    assert (await venue.gather(6, 5)).rejected == {}


async def test_a_correction_of_a_bar_at_hand_is_counted_once_and_ignored():
    venue = Venue()
    await venue.gather(6)
    before = venue.feed.series(NAME).bar(5)
    venue.give(*venue.story[:5], scaled(venue.story[5], 1.01), *venue.story[6:])
    assert (await venue.gather(7)).rejected == {"conflict": 1}
    assert venue.feed.series(NAME).bar(5) == before
    assert (await venue.gather(8)).rejected == {}
    assert venue.feed.report.rejected == {"conflict": 1}


async def test_two_different_bars_of_one_time_in_one_answer_are_a_conflict_and_the_first_stands():
    venue = Venue()
    venue.give(venue.story[5], scaled(venue.story[5], 1.01))
    assert (await venue.gather(6)).rejected == {"conflict": 1}
    assert venue.feed.series(NAME).bar(5).close == venue.story[5].close


async def test_rows_out_of_order_are_rejected_and_asked_for_again():
    venue = Venue()

    async def order(_symbol: str, call: int) -> None:
        venue.give(*((venue.story[6], venue.story[5]) if call == 1 else venue.story[5:7]))

    venue.market.fault = order
    gathered = await venue.gather(7)
    assert gathered.rejected == {"out_of_order": 1}
    assert venue.numbers == [5, 6]


async def test_a_bar_of_the_future_is_rejected(monkeypatch):
    venue = Venue()

    async def everything(symbol, timeframe, since, *, until):
        return venue.story[4:8]

    monkeypatch.setattr(venue.market, "bars", everything)
    gathered = await venue.gather(6)
    assert gathered.rejected == {"future": 2}
    assert venue.numbers == [5]


async def test_a_bar_off_the_grid_is_rejected():
    venue = Venue()
    venue.give(venue.story[5], replace(venue.story[6], opened_at=venue.story[6].opened_at + timedelta(seconds=7)))
    gathered = await venue.gather(8)
    assert gathered.rejected == {"time": 1}
    assert venue.numbers == [5]


async def test_an_answer_with_a_row_that_is_no_bar_is_counted_and_asked_for_again():
    venue = Venue()

    async def broken(_symbol: str, call: int) -> None:
        if call == 1:
            raise InvalidRecord("a candle of nan")

    venue.market.fault = broken
    gathered = await venue.gather(6)
    assert gathered.rejected == {"unreadable": 1}
    assert venue.numbers == [5]


# -- holes ----------------------------------------------------------------------------------------------------------


async def test_a_hole_is_asked_for_again_at_once():
    venue = Venue()
    venue.hide(6)

    async def shown(_symbol: str, call: int) -> None:
        if call == 2:
            venue.market.hidden.clear()

    venue.market.fault = shown
    gathered = await venue.gather(9)
    assert venue.numbers == [5, 6, 7, 8]
    assert gathered.rejected == {}
    assert venue.market.asked[1][1:] == (at(6), at(7))


async def test_the_bar_behind_a_hole_waits_until_patience_is_over_and_then_the_hole_stays():
    venue = Venue()
    await venue.gather(6)
    venue.hide(6)
    gathered = await venue.gather(8, 2)
    assert venue.numbers == [5]
    assert "1 bars before" in gathered.silent[NAME]
    gathered = await venue.gather(8, 10)
    assert venue.numbers == [5, 7]
    assert gathered.rejected == {"missing": 1}
    venue.market.hidden.clear()
    await venue.gather(9)
    assert venue.numbers == [5, 7, 8]
    assert venue.feed.report.rejected == {"missing": 1}


async def test_a_hole_that_the_venue_does_not_fill_is_asked_of_the_fallback_and_once():
    venue = Venue(fallback=True)
    venue.hide(6)
    gathered = await venue.gather(9)
    assert venue.numbers == [5, 6, 7, 8]
    assert gathered.by_source == {"memory": 3, "second": 1}
    assert venue.second.asked == [(NAME, at(6), at(7))]


async def test_a_silence_of_the_newest_bar_is_asked_of_the_fallback_after_half_the_patience_and_once():
    venue = Venue(fallback=True)
    venue.hide(5)
    venue.second.hidden = set(venue.market.hidden)
    await venue.gather(6, 4)
    assert not venue.second.asked
    await venue.gather(6, 5)
    await venue.gather(6, 7)
    await venue.gather(6, 9)
    assert venue.second.asked == [(NAME, at(5), at(6))]
    venue.second.hidden.clear()
    assert (await venue.gather(7, 5)).by_source == {"memory": 1, "second": 1}


async def test_a_silence_longer_than_one_piece_is_passed_over():
    bars = story(NAME, 2600)
    venue = Venue(bars=2600, story_bars=bars[:6] + bars[2590:])
    gathered = await venue.gather(2600, 30)
    assert venue.numbers == [5, *range(2590, 2600)]
    assert gathered.rejected == {"missing": 2584}


async def test_a_long_absence_is_made_up_for_piece_by_piece_and_what_came_is_kept():
    venue = Venue(bars=2600)

    async def breaks(_symbol: str, call: int) -> None:
        if call > 1:
            raise VenueUnavailable("no route")

    venue.market.fault = breaks
    gathered = await venue.gather(2600, 30)
    assert gathered.bars == 999
    assert gathered.silent == {NAME: "no route"}
    venue.market.fault = None
    calls = venue.market.calls[NAME]
    assert (await venue.gather(2600, 40)).bars == 1596
    assert venue.market.calls[NAME] == calls + 3  # pieces of 125 and of 1000 bars, and the rest
    assert np.array_equal(venue.feed.series(NAME).close, [bar.close for bar in venue.story])


@pytest.mark.parametrize("bars", [8, 1500])
async def test_a_candle_that_no_answer_can_be_read_with_is_left_out_in_the_end(bars):
    venue = Venue(bars=1500)

    async def broken(_symbol: str, _call: int) -> None:
        _, since, until = venue.market.asked[-1]
        if since <= venue.story[6].opened_at < until:
            raise VenueUnavailable("a candle lacks a price")

    venue.market.fault = broken
    for seconds in (1, 11, 20, 30, 40, 50):
        await venue.gather(bars, seconds)
    left = [number for number in range(5, bars) if number not in venue.numbers]
    assert left == [6]
    assert venue.feed.report.rejected == {"missing": 1}


# -- spikes ---------------------------------------------------------------------------------------------------------


async def test_a_spike_alone_is_left_out_and_counted_once():
    venue = Venue()
    venue.give(*venue.story[:6], scaled(venue.story[6], 12), *venue.story[7:])
    assert (await venue.gather(7)).rejected == {"spike": 1}
    assert (await venue.gather(7, 5)).rejected == {}
    await venue.gather(9)
    assert venue.numbers == [5, 7, 8]
    assert venue.feed.report.rejected == {"spike": 1}


async def test_the_third_bar_at_a_new_level_is_believed_without_a_second_provider():
    venue = Venue()
    venue.give(*venue.story[:6], *(scaled(bar, 12) for bar in venue.story[6:]))
    for bars in (7, 8, 9, 10):
        await venue.gather(bars)
    assert venue.numbers == [5, 8, 9]
    assert venue.feed.report.rejected == {"spike": 2}


async def test_a_spike_that_the_fallback_gives_too_is_believed_at_once():
    venue = Venue(fallback=True)
    spiked = [*venue.story[:6], *(scaled(bar, 12) for bar in venue.story[6:])]
    venue.give(*spiked)
    venue.second.bars_of[NAME] = [scaled(bar, 1.02) for bar in spiked]
    for bars in (7, 8):
        assert (await venue.gather(bars)).rejected == {}
    assert venue.numbers == [5, 6, 7]
    assert venue.feed.sources(NAME) == {"memory": 8}
    assert len(venue.second.asked) == 1


async def test_after_a_confirmed_spike_the_next_bar_is_judged_by_the_new_level():
    venue = Venue(fallback=True)
    venue.give(*venue.story[:6], scaled(venue.story[6], 12), *venue.story[7:])
    venue.second.bars_of[NAME] = [*venue.story[:6], *(scaled(bar, 12) for bar in venue.story[6:])]
    await venue.gather(7)
    assert (await venue.gather(8)).rejected == {"spike": 1}
    assert venue.numbers == [5, 6]


async def test_a_spike_that_the_fallback_does_not_give_is_left_out_and_asked_about_once():
    venue = Venue(fallback=True)
    venue.give(*venue.story[:6], scaled(venue.story[6], 12), *venue.story[7:])
    await venue.gather(7)
    await venue.gather(7, 8)
    assert venue.numbers == [5]
    assert venue.feed.report.rejected == {"spike": 1}
    assert len(venue.second.asked) == 1


async def test_a_spike_is_not_believed_while_the_fallback_does_not_answer():
    venue = Venue(fallback=True)
    venue.give(*venue.story[:6], scaled(venue.story[6], 12), *venue.story[7:])

    async def busy(_symbol: str, _call: int) -> None:
        raise VenueBusy("the day is spent", wait_s=3600)

    venue.second.fault = busy
    gathered = await venue.gather(7)
    assert gathered.rejected == {"spike": 1}
    assert "could not be confirmed" in gathered.silent[NAME]


async def test_a_fallback_that_follows_another_market_is_not_believed():
    venue = Venue(fallback=True)
    venue.second.bars_of[NAME] = [scaled(bar, 1.5) for bar in venue.story]
    venue.hide(*range(5, 40))
    gathered = await venue.gather(6, 8)
    assert gathered.rejected == {"other_level": 1}
    assert venue.numbers == []


async def test_what_the_fallback_gave_is_no_conflict_with_what_the_venue_gives_later():
    venue = Venue(fallback=True)
    venue.second.bars_of[NAME] = [scaled(bar, 1.001) for bar in venue.story]
    venue.hide(5)
    assert (await venue.gather(6, 8)).by_source == {"second": 1}
    venue.market.hidden.clear()
    gathered = await venue.gather(7)
    assert gathered.rejected == {}
    assert venue.feed.sources(NAME) == {"memory": 6, "second": 1}
