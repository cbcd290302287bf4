"""Trading hours: holidays, half days, both changes of daylight saving, the FX week, and what is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from domain.clock import from_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.columns import NO_TIME
from market.files import read_candles
from market.sessions import Sessions, earnings_season, find_gaps


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return Sessions(date(2017, 1, 1), date(2018, 12, 31))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("calendar", "moment", "open_"),
    [
        ("24/7", "2017-12-25 03:00", True),
        ("FX", "2017-06-09 20:59", True),  # Friday, summer: New York 17:00 is 21:00 UTC
        ("FX", "2017-06-09 21:00", False),
        ("FX", "2017-06-11 20:59", False),
        ("FX", "2017-06-11 21:00", True),
        ("FX", "2017-12-08 21:59", True),  # winter: 22:00 UTC
        ("FX", "2017-12-08 22:00", False),
        ("FX", "2017-12-10 22:00", True),
        ("FX", "2017-03-12 20:59", False),  # the Sunday on which New York springs forward
        ("FX", "2017-03-12 21:00", True),
        ("FX", "2017-11-05 21:59", False),  # and the one on which it falls back
        ("FX", "2017-11-05 22:00", True),
        ("FX", "2017-12-25 12:00", False),
        ("METALS", "2017-06-07 21:30", False),  # the daily break
        ("METALS", "2017-06-07 22:00", True),
        ("XNYS", "2017-03-10 14:29", False),  # Friday before the change: 09:30 is 14:30 UTC
        ("XNYS", "2017-03-10 14:30", True),
        ("XNYS", "2017-03-13 13:30", True),  # Monday after it: 13:30 UTC
        ("XNYS", "2017-11-03 13:30", True),
        ("XNYS", "2017-11-06 13:30", False),
        ("XNYS", "2017-07-04 15:00", False),
        ("XNYS", "2017-11-24 17:59", True),  # the half day after Thanksgiving
        ("XNYS", "2017-11-24 18:00", False),
        ("XASX", "2017-01-26 01:00", False),  # Australia Day
        ("XASX", "2017-01-25 01:00", True),
        ("XBOM", "2017-08-15 05:00", False),  # Independence Day of India
        ("XBOM", "2017-08-16 05:00", True),
    ],
)
def test_a_market_is_open_when_it_should_be(sessions, calendar, moment, open_):
    assert sessions.is_open(calendar, at(moment)) is open_


def test_a_time_outside_the_covered_dates_is_not_known(sessions):
    assert sessions.is_open("FX", at("2021-06-09 12:00")) is None
    assert sessions.is_open("XNYS", at("2010-06-09 15:00")) is None
    assert sessions.is_session("XNYS", at("2010-06-09 00:00")) is None


def test_the_last_covered_dates_are_wholly_covered(sessions):
    assert sessions.is_open("XNYS", at("2018-12-31 20:59")) is True
    assert sessions.is_open("XNYS", at("2018-12-31 21:30")) is False


def test_an_exchange_whose_holidays_are_not_published_yet_is_not_known():
    far = Sessions(date(2026, 11, 1), date(2028, 1, 1))
    assert far.is_open("XBOM", at("2027-06-09 05:00")) is None
    assert Sessions(date(2030, 1, 1), date(2030, 2, 1)).is_open("XBOM", at("2030-01-07 05:00")) is None


def test_daily_bars_go_by_session_dates(sessions):
    assert sessions.is_session("XNYS", at("2017-07-03 00:00")) is True
    assert sessions.is_session("XNYS", at("2017-07-04 00:00")) is False
    assert sessions.is_session("XNYS", at("2017-07-08 00:00")) is False
    assert sessions.is_session("24/7", at("2017-07-08 00:00")) is True


def test_the_next_close_is_the_end_of_the_open_or_coming_session(sessions):
    assert sessions.next_close("XNYS", at("2017-11-24 15:00")) == at("2017-11-24 18:00")
    assert sessions.next_close("XNYS", at("2017-11-24 18:00")) == at("2017-11-27 21:00")
    assert sessions.next_close("24/7", at("2017-11-24 18:00")) is None


def test_a_weekend_is_seen_coming(sessions):
    friday = at("2017-06-09 19:00")
    assert sessions.weekend_ahead("FX", friday, timedelta(hours=2)) is True
    assert sessions.weekend_ahead("FX", friday, timedelta(hours=1)) is False
    assert sessions.weekend_ahead("FX", friday - timedelta(days=1), timedelta(hours=4)) is False
    assert sessions.weekend_ahead("24/7", friday, timedelta(days=5)) is False
    assert sessions.weekend_ahead("XNYS", at("2017-06-08 20:00"), timedelta(hours=4)) is False
    assert sessions.weekend_ahead("XNYS", at("2017-06-09 00:00"), timedelta(days=1)) is True


def test_an_unknown_calendar_is_refused_with_the_known_ones(sessions):
    with pytest.raises(InvalidInput, match="there is no session calendar XNSE; known are 24/7, FX"):
        sessions.is_open("XNSE", at("2017-06-09 12:00"))


def test_the_last_day_must_not_lie_before_the_first():
    with pytest.raises(InvalidInput, match="must not lie before"):
        Sessions(date(2018, 1, 2), date(2018, 1, 1))


def test_many_times_at_once_are_judged_as_one_by_one(sessions):
    times = np.arange(1_483_315_200, 1_483_315_200 + 20 * 86_400, 1800, dtype=np.int64)
    for calendar in ("FX", "METALS", "XNYS", "24/7"):
        mask = sessions.open_mask(calendar, times, Timeframe.M30)
        one_by_one = [sessions.is_open(calendar, datetime.fromtimestamp(int(at_), UTC)) for at_ in times]
        assert mask.tolist() == one_by_one


def test_times_before_the_table_are_not_open(sessions):
    early = np.array([0, 1_000_000], dtype=np.int64)
    assert not sessions.open_mask("FX", early, Timeframe.H1).any()


@pytest.mark.parametrize(
    ("moment", "season"),
    [("2017-01-10", False), ("2017-01-11", True), ("2017-02-20", True), ("2017-02-21", False), ("2017-03-15", False),
     ("2017-10-15", True), ("2017-12-01", False)],
)  # fmt: skip
def test_companies_report_after_a_quarter_has_ended(moment, season):
    assert earnings_season(at(moment)) is season


def test_real_bars_lie_within_the_hours_of_their_market(market_data):
    files = {
        "forex/GBPUSD-1h.parquet": ("FX", Timeframe.H1),
        "equity_us/AAPL-1d.parquet": ("XNYS", Timeframe.D1),
        "equity_asx/CBA.AX-1d.parquet": ("XASX", Timeframe.D1),
        "equity_in/TCS-1d.parquet": ("XBOM", Timeframe.D1),
    }
    for file, (calendar, timeframe) in files.items():
        opened = read_candles(market_data / file).opened
        assert (opened != NO_TIME).all()
        days = [from_epoch(int(opened[index])).date() for index in (0, -1)]
        mask = Sessions(days[0], days[1]).open_mask(calendar, opened, timeframe)
        assert mask.mean() > 0.99, (file, mask.mean())


def test_a_weekend_is_no_gap_but_a_missing_hour_is(sessions):
    hours = np.arange(1_496_620_800, 1_496_620_800 + 14 * 86_400, 3600, dtype=np.int64)  # from Monday 2017-06-05
    opened = hours[sessions.open_mask("FX", hours, Timeframe.H1)]
    assert find_gaps(opened, Timeframe.H1, sessions, "FX").count == 0
    gap = find_gaps(np.delete(opened, [30, 31, 60]), Timeframe.H1, sessions, "FX")
    assert (gap.count, gap.bars, gap.longest_s) == (2, 3, 7200)
    by_the_clock = find_gaps(opened, Timeframe.H1, None, "FX")
    assert (by_the_clock.count, by_the_clock.longest_s) == (2, 48 * 3600)
