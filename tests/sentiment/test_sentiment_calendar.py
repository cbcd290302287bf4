"""The calendar: reading it, measuring surprises by the past alone, and knowing what is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.records import CalendarEvent, Impact
from sentiment.calendar import EventCalendar, EventSettings, load_calendar, parse_figure, polarity, surprises

START = datetime(2022, 1, 7, 13, 30, tzinfo=UTC)
MISSES = (0.1, -0.2, 0.3, 0.0, -0.1, 0.2, -0.3, 0.1, 0.4)


def event(
    index: int,
    actual: float | None,
    forecast: float | None = 0.0,
    *,
    name: str = "Retail Sales m/m",
    currency: str = "USD",
    impact: Impact = Impact.HIGH,
    precise: bool = True,
) -> CalendarEvent:
    at = START + timedelta(days=28 * index)
    return CalendarEvent(
        event_id=f"{currency}{name}{index}",
        at=at,
        precise=precise,
        currency=currency,
        impact=impact,
        name=name,
        actual=actual,
        forecast=forecast,
        previous=None,
    )


def releases(misses: tuple[float, ...] = MISSES, **more: object) -> list[CalendarEvent]:
    return [event(index, missed, **more) for index, missed in enumerate(misses)]  # type: ignore[arg-type]  # what is wrong is what is tested


def test_a_surprise_is_measured_by_eight_earlier_releases() -> None:
    found = surprises(releases(), EventSettings())
    assert len(found) == 1
    assert found[0].at == START + timedelta(days=28 * 8)
    assert found[0].z == pytest.approx(0.4 / stdev(MISSES[:8]))


def test_bad_surprises_of_bad_things_are_good() -> None:
    up = surprises(releases(), EventSettings())[0].z
    down = surprises(releases(name="Unemployment Rate"), EventSettings())[0].z
    assert down == -up


def test_a_surprise_is_cut_at_four() -> None:
    assert surprises(releases((*MISSES[:8], 99.0)), EventSettings())[0].z == 4.0


def test_later_releases_never_change_an_earlier_surprise() -> None:
    short = surprises(releases(), EventSettings())
    long = surprises([*releases(), event(9, 5.0), event(10, -7.0)], EventSettings())
    assert long[: len(short)] == short


def test_releases_without_a_forecast_or_a_time_are_not_measured() -> None:
    unmeasured = [event(index, missed, None) for index, missed in enumerate(MISSES)]
    assert surprises(unmeasured, EventSettings()) == ()
    assert surprises(releases(precise=False), EventSettings()) == ()


def test_a_series_that_never_surprised_has_no_yardstick() -> None:
    assert surprises(releases((0.0,) * 8 + (0.5,)), EventSettings()) == ()


def test_the_actual_figure_is_used_from_its_time_on_and_fades() -> None:
    calendar = EventCalendar(releases())
    at = START + timedelta(days=28 * 8)
    assert calendar.event_score(("USD",), at - timedelta(seconds=1)) is None
    fresh = calendar.event_score(("USD",), at)
    later = calendar.event_score(("USD",), at + timedelta(hours=4))
    assert fresh is not None
    assert later is not None
    assert 0 < later < fresh <= 1
    assert calendar.event_score(("USD",), at + timedelta(hours=25)) is None


def test_a_pair_takes_base_less_quote() -> None:
    calendar = EventCalendar(releases())
    at = START + timedelta(days=28 * 8)
    base = calendar.event_score(("USD", "JPY"), at)
    quote = calendar.event_score(("EUR", "USD"), at)
    assert base is not None
    assert quote == -base
    assert calendar.event_score(("EUR", "JPY"), at) is None


def test_a_dollar_token_has_the_dollar_s_calendar() -> None:
    calendar = EventCalendar(releases())
    at = START + timedelta(days=28 * 8)
    assert calendar.event_score(("BTC", "USDT"), at) == calendar.event_score(("BTC", "USD"), at)
    assert calendar.minutes_to_next(("BTC", "USDT"), at) == 0


@given(hours=st.floats(0, 30), other=st.floats(-2, 2))
def test_event_scores_mirror_and_stay_inside_one(hours: float, other: float) -> None:
    both = [*releases(), *releases((*MISSES[:8], other), currency="EUR")]
    calendar = EventCalendar(both)
    now = START + timedelta(days=28 * 8, hours=hours)
    one, mirror = calendar.event_score(("EUR", "USD"), now), calendar.event_score(("USD", "EUR"), now)
    assert (one is None) == (mirror is None)
    if one is not None and mirror is not None:
        assert one == -mirror
        assert -1 <= one <= 1


def test_minutes_to_the_next_high_impact_event_of_either_currency_or_of_all() -> None:
    events = [
        event(1, None, currency="USD"),
        event(0, None, currency="EUR", impact=Impact.MEDIUM),
        event(2, None, currency="ALL"),
        event(0, None, currency="GBP", precise=False),
    ]
    calendar = EventCalendar(events)
    due = START + timedelta(days=28)
    assert calendar.minutes_to_next(("EUR", "USD"), due - timedelta(minutes=90)) == 90
    assert calendar.minutes_to_next(("EUR", "USD"), due) == 0
    assert calendar.minutes_to_next(("EUR", "USD"), due + timedelta(minutes=1)) == 28 * 1440 - 1
    assert calendar.minutes_to_next(("EUR", "USD"), due + timedelta(days=40)) is None
    assert calendar.minutes_to_next(("GBP", "EUR"), START) == 56 * 1440


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Non-Farm Employment Change", 1),
        ("Unemployment Rate", -1),
        ("Unemployment Claims", -1),
        ("CPI y/y", 1),
        ("Claimant Count Change", -1),
        ("Crude Oil Inventories", 0),
        ("Public Sector Net Borrowing", -1),
    ],
)
def test_polarity_of_well_known_releases(name: str, expected: int) -> None:
    assert polarity(name) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3%", 0.3),
        ("-0.2%", -0.2),
        ("254K", 254_000.0),
        ("1.05T", 1.05e12),
        ("-68.0B", -68e9),
        ("<0.10%", 0.10),
        ("1,234.5", 1234.5),
        ("", None),
        (None, None),
        ("7-1-1", None),
        ("Pass", None),
    ],
)
def test_printed_figures_are_parsed(text: str | None, value: float | None) -> None:
    assert parse_figure(text) == (None if value is None else pytest.approx(value))


def test_csv_and_json_lines_give_the_same_events(tmp_path: Path) -> None:
    row = {
        "timestamp": "2022-02-04T13:30:00Z",
        "currency": "USD",
        "impact": "High",
        "event": "Non-Farm Employment Change",
        "actual": "467K",
        "forecast": "110K",
        "previous": "510K",
    }
    lines = tmp_path / "a.jsonl"
    lines.write_text(json.dumps(row) + "\n\n" + json.dumps(row) + "\n")
    table = tmp_path / "a.csv"
    table.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    assert load_calendar(lines) == load_calendar(table)
    only = load_calendar(lines)
    assert len(only) == 1
    assert only[0].actual == 467_000
    assert only[0].impact is Impact.HIGH


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "{", r"a\.jsonl line 1 is not JSON"),
        ("a.jsonl", "[]\n", "line 1 is not an object"),
        ("a.jsonl", "", "holds no event"),
        ("a.txt", "x", r"\.jsonl or a \.csv"),
        ("a.jsonl", '{"timestamp": "soon", "currency": "USD", "impact": "High", "event": "x"}', "timestamp is 'soon'"),
        (
            "a.jsonl",
            '{"timestamp": "2022-01-01T00:00:00Z", "currency": "USD", "impact": "Huge", "event": "x"}',
            "impact is 'huge'",
        ),
        ("a.jsonl", '\n{"timestamp": "2022-01-01T00:00:00Z", "impact": "High", "event": "x"}', "line 2: currency"),
        ("a.csv", "timestamp,currency\n2022-01-01,USD\n", "line 2: event"),
    ],
)
def test_a_broken_calendar_is_refused_in_one_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InvalidInput, match=said):
        load_calendar(path)


def test_a_missing_calendar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.jsonl cannot be read"):
        load_calendar(tmp_path / "none.jsonl")


def test_the_real_calendar_reads_in_order_and_finds_surprises(market_data: Path) -> None:
    path = market_data / "calendar" / "forexfactory_2022.jsonl"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the market data")
    events = load_calendar(path)
    assert len(events) > 3000
    assert [one.at for one in events] == sorted(one.at for one in events)
    calendar = EventCalendar(events)
    assert len(calendar.surprises) > 300
    payrolls = datetime(2022, 9, 2, 12, 30, tzinfo=UTC)
    assert calendar.minutes_to_next(("EUR", "USD"), payrolls - timedelta(minutes=20)) == 20
