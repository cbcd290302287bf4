"""Windows around scheduled news: who is held, from when to when, and what a stale calendar means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.holds import Effect, Hold, HoldCause
from domain.instruments import Instrument
from domain.records import CalendarEvent, Impact
from sentiment.blackout import STALE_CONDITION, Blackout, BlackoutSettings
from sentiment.calendar import load_calendar

NOON = datetime(2023, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def event(
    minutes: float = 0.0,
    *,
    currency: str = "USD",
    impact: Impact = Impact.HIGH,
    precise: bool = True,
    name: str = "Payrolls",
    actual: float | None = None,
) -> CalendarEvent:
    return CalendarEvent(
        event_id=f"{currency}{name}{minutes}",
        at=NOON + minutes * MINUTE,
        precise=precise,
        currency=currency,
        impact=impact,
        name=name,
        actual=actual,
        forecast=None,
        previous=None,
    )


def around(*events: CalendarEvent) -> list[CalendarEvent]:
    """The events within a calendar that is otherwise quiet but covers two weeks."""
    quiet = [event(1440.0 * day, currency="CHF", impact=Impact.LOW, name="quiet") for day in range(-7, 8)]
    return [*quiet, *events]


def held(blackout: Blackout, instrument: Instrument, minutes: float) -> Hold | None:
    return blackout.hold_for(instrument, NOON + minutes * MINUTE)


def test_nothing_is_entered_from_fifteen_minutes_before_to_an_hour_after(instruments: dict[str, Instrument]) -> None:
    blackout = Blackout(around(event()))
    pair = instruments["EURUSD"]
    assert held(blackout, pair, -15.01) is None
    for minutes in (-15, 0, 59.9):
        hold = held(blackout, pair, minutes)
        assert hold is not None
        assert hold.cause is HoldCause.NEWS
        assert hold.effect is Effect.NO_ENTRIES
        assert hold.until == NOON + 60 * MINUTE
        assert "USD Payrolls" in hold.detail
    assert held(blackout, pair, 60) is None


def test_either_currency_of_the_pair_holds_and_no_other(instruments: dict[str, Instrument]) -> None:
    blackout = Blackout(around(event(currency="EUR")))
    assert {symbol for symbol, one in instruments.items() if held(blackout, one, 0)} == {
        "EURUSD",
        "USDEUR",
        "EURGBP",
        "GBPEUR",
    }


def test_events_of_all_currencies_hold_everything_and_dollar_news_hold_dollar_tokens(
    instruments: dict[str, Instrument],
) -> None:
    everything = Blackout(around(event(currency="ALL")))
    assert len(everything.holds(instruments.values(), NOON)) == len(instruments)
    dollar = Blackout(around(event(currency="USD")))
    assert held(dollar, instruments["BTCUSDT"], 0) is not None
    assert held(dollar, instruments["AAPL"], 0) is not None
    assert held(dollar, instruments["CBA.AX"], 0) is None


def test_medium_impact_holds_less_and_low_impact_and_undated_events_nothing(
    instruments: dict[str, Instrument],
) -> None:
    pair = instruments["EURUSD"]
    medium = Blackout(around(event(impact=Impact.MEDIUM)))
    assert [held(medium, pair, minutes) is not None for minutes in (-6, -5, 0, 14.9, 15)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    for quiet in (event(impact=Impact.LOW), event(impact=Impact.HOLIDAY), event(precise=False)):
        assert held(Blackout(around(quiet)), pair, 0) is None


def test_good_and_bad_figures_hold_alike(instruments: dict[str, Instrument]) -> None:
    holds = [held(Blackout(around(event(actual=actual))), instruments["EURUSD"], 10) for actual in (None, 5.0, -5.0)]
    assert holds[0] is not None
    assert holds[0] == holds[1] == holds[2]


def test_overlapping_windows_are_one_hold_with_one_name_throughout(instruments: dict[str, Instrument]) -> None:
    blackout = Blackout(around(event(0), event(45, currency="EUR", name="Rates"), event(0, name="Wages")))
    pair = instruments["EURUSD"]
    found = [held(blackout, pair, minutes) for minutes in (-15, 10, 31, 70, 104.9)]
    assert len({hold.hold_id for hold in found if hold is not None}) == 1
    assert all(hold is not None and hold.until == NOON + 105 * MINUTE for hold in found)
    assert found[0] is not None
    assert all(name in found[0].detail for name in ("Payrolls", "Wages", "Rates"))
    assert held(blackout, pair, 105) is None
    assert held(Blackout(around(event(0), event(45, currency="JPY"))), pair, 70) is None


def test_a_hold_is_the_same_however_it_is_asked_for(instruments: dict[str, Instrument]) -> None:
    first, second = Blackout(around(event())), Blackout(reversed(around(event())))
    assert held(first, instruments["EURUSD"], 3) == held(second, instruments["EURUSD"], 50)
    scopes = [hold.scope for hold in first.holds(instruments.values(), NOON)]
    assert scopes == [symbol for symbol, one in instruments.items() if "USD" in symbol or one.quote == "USD"]
    assert len({hold.hold_id for hold in first.holds(instruments.values(), NOON)}) == len(scopes)


@given(
    st.lists(st.tuples(st.integers(-3000, 3000), st.sampled_from(["USD", "EUR", "JPY"]), st.booleans()), max_size=15),
    st.lists(st.integers(-3100, 3100), min_size=1, max_size=30),
)
def test_merged_windows_answer_like_asking_every_event(
    instruments: dict[str, Instrument], drawn: list[tuple[int, str, bool]], moments: list[int]
) -> None:
    events = [
        event(minutes, currency=currency, impact=Impact.HIGH if high else Impact.MEDIUM)
        for minutes, currency, high in drawn
    ]
    rules = BlackoutSettings()
    blackout = Blackout(around(*events), rules)
    for minutes in moments:
        now = NOON + minutes * MINUTE
        expected = False
        for one in events:
            window = rules.window(one)
            assert window is not None
            expected |= one.currency in ("USD", "EUR") and window[0] <= now < window[1]
        hold = blackout.hold_for(instruments["EURUSD"], now)
        assert (hold is not None) == expected
        if hold is not None:
            assert hold.since <= now
            assert hold.in_force(now)


def test_a_calendar_that_has_ended_holds_until_it_covers_the_present(instruments: dict[str, Instrument]) -> None:
    blackout = Blackout([event()])
    pair = instruments["EURUSD"]
    assert held(blackout, pair, 95 * 60) is None
    hold = held(blackout, pair, 97 * 60)
    assert hold is not None
    assert hold.condition == STALE_CONDITION
    assert hold.until is None
    assert hold.since == NOON + timedelta(hours=96)
    assert "ends at 2023-03-01 12:00 UTC" in hold.detail
    assert held(Blackout([event()], BlackoutSettings(hold_when_stale=False)), pair, 97 * 60) is None


def test_a_calendar_that_has_not_begun_or_has_a_hole_holds_too(instruments: dict[str, Instrument]) -> None:
    pair = instruments["EURUSD"]
    before = held(Blackout([event()]), pair, -20)
    assert before is not None
    assert "begins only at" in before.detail
    holed = Blackout([event(0), event(60 * 24 * 30)])
    inside = held(holed, pair, 60 * 24 * 10)
    assert inside is not None
    assert "no event between" in inside.detail
    due = held(holed, pair, 60 * 24 * 30)
    assert due is not None
    assert due.condition is None


def test_an_empty_calendar_covers_nothing(instruments: dict[str, Instrument]) -> None:
    hold = held(Blackout([]), instruments["EURUSD"], 0)
    assert hold is not None
    assert hold.detail == "the calendar holds no event"


def test_a_weekend_without_events_is_no_hole_in_the_real_calendar(
    market_data: Path, instruments: dict[str, Instrument]
) -> None:
    path = market_data / "calendar" / "forexfactory_2022.jsonl"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the market data")
    blackout = Blackout(load_calendar(path))
    saturday = datetime(2022, 9, 3, 12, tzinfo=UTC)
    assert blackout.holds(instruments.values(), saturday) == ()
    payrolls = blackout.hold_for(instruments["EURUSD"], datetime(2022, 9, 2, 12, 20, tzinfo=UTC))
    assert payrolls is not None
    assert "Non-Farm Employment Change" in payrolls.detail
    assert payrolls.until == datetime(2022, 9, 2, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize("wrong", [{"before_min": -1}, {"after_min": 9999}, {"stale_after_h": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        BlackoutSettings(**wrong)  # type: ignore[arg-type]  # what is wrong is what is tested
