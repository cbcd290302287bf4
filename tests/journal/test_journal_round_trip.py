"""Every record comes back from the journal as it went in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import journal_records as records
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_story import START, decision_at, outcome_of_decision, sample_of_decision

from domain.bars import BarSeries
from domain.decisions import Decision, OutcomeKind, SampleSource
from domain.errors import InvalidRecord, JournalError
from domain.instruments import Timeframe
from domain.records import Incident, NewsItem, TextScore
from journal import Batch, Journal, Reader
from journal.codec import decimal_text, free_text, micros, moment
from journal.rows import ENCODERS, Record
from journal.schema import metadata, written_columns

PLAIN: list[tuple[st.SearchStrategy[Any], Callable[[Reader], list[Any]]]] = [
    (records.scans, lambda read: read.scans()),
    (records.decisions(), lambda read: read.decisions()),
    (records.intents(), lambda read: read.intents()),
    (records.fills, lambda read: read.fills()),
    (records.positions, lambda read: read.positions()),
    (records.holds(), lambda read: read.holds()),
    (records.cash_events, lambda read: read.cash()),
    (records.equity_points, lambda read: read.equity()),
    (records.commands, lambda read: read.commands()),
    (records.incidents, lambda read: read.incidents()),
    (records.job_runs, lambda read: read.job_runs()),
    (records.news_items, lambda read: read.news()),
    (records.calendar_events, lambda read: read.calendar()),
]


def kept(*added: Record) -> Reader:
    """A reader of a journal in memory that holds just these records."""
    journal = Journal.open("sqlite://")
    batch = Batch()
    for record in added:
        batch.add(record)
    journal.commit(batch)
    return journal.read


@pytest.mark.parametrize(("strategy", "read"), PLAIN, ids=lambda each: "")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_record_comes_back_equal(
    strategy: st.SearchStrategy[Any], read: Callable[[Reader], list[Any]], data: st.DataObject
) -> None:
    record = data.draw(strategy)
    assert read(kept(record)) == [record]


@settings(max_examples=25, deadline=None)
@given(order=records.orders)
def test_an_order_comes_back_with_its_amended_terms(order: Any) -> None:
    read = kept(order.intent, order)
    assert read.orders() == [order]
    assert read.order(order.client_order_id) == order


@settings(max_examples=25, deadline=None)
@given(decision=records.decisions(), data=st.data())
def test_an_outcome_and_a_sample_come_back_with_the_features_of_the_decision(
    decision: Decision, data: st.DataObject
) -> None:
    outcome = data.draw(records.outcomes(decision.decision_id))
    sample = data.draw(records.samples(decision))
    read = kept(decision, outcome, sample)
    assert read.outcomes() == [outcome]
    assert read.samples() == [sample]
    assert read.decision(decision.decision_id) == decision
    assert list(read.samples()[0].features.values) == list(decision.features.values)


@settings(max_examples=25, deadline=None)
@given(score=records.text_scores())
def test_a_score_comes_back_under_its_text(score: TextScore) -> None:
    journal = Journal.open("sqlite://")
    batch = Batch()
    batch.add_score("news-1", score)
    journal.commit(batch)
    assert journal.read.scores() == {"news-1": [score]}


def test_every_kind_of_record_has_a_table_with_as_many_columns_as_its_row() -> None:
    assert len(ENCODERS) == 21
    assert {table for table, _ in ENCODERS.values()} <= set(metadata.tables)
    _, encode = ENCODERS[Decision]
    assert len(encode(decision_at(START))) == len(written_columns(metadata.tables["decisions"]))


def series(size: int, *, first: int = 0, volume: float = 7.0) -> BarSeries:
    """Hourly bars; every third volume is missing."""
    close = np.linspace(100.0, 101.0, size)
    volumes = np.full(size, volume)
    volumes[::3] = np.nan
    return BarSeries(
        symbol="BTC-USD",
        timeframe=Timeframe.H1,
        source="file",
        opened=np.arange(first, first + size, dtype=np.int64) * 3600,
        open=close.copy(),
        high=close + 1,
        low=close - 1,
        close=close,
        volume=volumes,
        half_spread=np.full(size, 0.05),
    )


def test_bars_come_back_bit_for_bit_and_a_bar_told_twice_stays_as_it_was(journal: Journal) -> None:
    told = series(30)
    batch = Batch()
    batch.add_bars(told, 0, 20)
    journal.commit(batch)
    again = Batch()
    again.add_bars(series(30, volume=9.0), 10, 30)
    journal.commit(again)
    back = journal.read.bars("BTC-USD", Timeframe.H1)
    assert back.source == "file"
    assert np.array_equal(back.opened, told.opened)
    for name in ("open", "high", "low", "close", "half_spread"):
        assert np.array_equal(getattr(back, name), getattr(told, name))
    assert np.array_equal(back.volume[:20], told.volume[:20], equal_nan=True)
    assert np.nanmax(back.volume[20:]) == 9.0
    assert len(journal.read.bars("ETH-USD", Timeframe.H1)) == 0


def test_bars_added_one_at_a_time_make_the_same_rows_as_bars_added_together() -> None:
    told = series(30)
    together, one_by_one = Batch(), Batch()
    together.add_bars(told, 0, 30)
    for index in range(30):
        one_by_one.add_bars(told, index, index + 1)
    assert repr(one_by_one.rows) == repr(together.rows)
    assert len(one_by_one) == len(together) == 30


def test_bars_outside_the_series_are_refused() -> None:
    with pytest.raises(InvalidRecord, match="bars 0 to 4 of a series of 3"):
        Batch().add_bars(series(3), 0, 4)


def test_news_calendar_and_incidents_keep_the_first_of_equal_ids(journal: Journal) -> None:
    first = Incident(incident_id="i-1", at=START, kind="late", instrument=None, detail="first")
    batch = Batch()
    batch.add(first)
    batch.add(replace(first, detail="second"))
    journal.commit(batch)
    again = Batch()
    again.add(replace(first, detail="third"))
    journal.commit(again)
    assert journal.read.incidents() == [first]


def test_a_state_is_the_last_value_that_was_put(journal: Journal) -> None:
    for value in ("1", "2"):
        batch = Batch()
        batch.put_state("cursor", "0")
        batch.put_state("cursor", value)
        assert len(batch) == 1
        journal.commit(batch)
    assert journal.read.state("cursor") == "2"
    assert journal.read.state("other") is None


def test_of_many_states_put_as_functions_only_the_last_is_asked_and_at_the_commit(journal: Journal) -> None:
    asked: list[str] = []

    def told(text: str) -> Callable[[], str]:
        return lambda: asked.append(text) or text

    early, late = Batch(), Batch()
    early.put_state("model", told("1"))
    late.put_state("model", told("2"))
    early.extend(late)
    assert len(early) == 1
    assert asked == []
    journal.commit(early)
    assert asked == ["2"]
    assert journal.read.state("model") == "2"


def test_a_state_that_cannot_be_told_stops_the_journal_and_stores_nothing(journal: Journal) -> None:
    batch = Batch()
    batch.add(Incident(incident_id="i-1", at=START, kind="late", instrument=None, detail="first"))
    batch.put_state("model", lambda: json.dumps(float("nan"), allow_nan=False))
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.commit(batch)
    assert journal.read.incidents() == []
    with pytest.raises(JournalError, match="stopped in the middle of commit"):
        journal.commit(batch)


def test_a_hold_and_a_position_are_read_as_they_are_now(told: Journal) -> None:
    assert [position.quantity for position in told.read.positions()] == [0, 0, 0]
    assert told.read.positions(open_only=True) == []
    assert told.read.counts()["positions"] == 9


def test_orders_are_read_in_their_latest_version(told: Journal) -> None:
    orders = told.read.orders()
    assert [order.state for order in orders] == ["filled"] * 6
    assert orders[1].intent.stop_price == 96
    assert told.read.orders(open_only=True) == []
    assert told.read.orders(limit=1, newest_first=True) == orders[-1:]


def test_unresolved_decisions_have_no_shadow_outcome_yet(journal: Journal) -> None:
    first, second = decision_at(START), decision_at(START + timedelta(hours=3))
    batch = Batch()
    for record in (first, second, outcome_of_decision(first, OutcomeKind.REAL)):
        batch.add(record)
    journal.commit(batch)
    assert journal.read.unresolved_decisions() == [first, second]
    shadow = Batch()
    shadow.add(outcome_of_decision(first, OutcomeKind.SHADOW))
    journal.commit(shadow)
    assert journal.read.unresolved_decisions() == [second]
    assert journal.read.decision_exists(first.decision_id)
    assert not journal.read.decision_exists("nobody")


def test_lists_are_cut_in_the_order_asked_for(told: Journal) -> None:
    ids = [decision.decision_id for decision in told.read.decisions()]
    assert len(ids) == 6
    assert [decision.decision_id for decision in told.read.decisions(limit=2)] == ids[:2]
    newest = told.read.decisions(limit=2, newest_first=True)
    assert [decision.decision_id for decision in newest] == ids[:-3:-1]
    assert told.read.decisions(instrument="ETH-USD") == []
    assert len(told.read.outcomes(OutcomeKind.REAL, limit=2)) == 2


def test_reasons_are_counted(told: Journal) -> None:
    assert told.read.reason_counts() == {"denied:max_positions": 3, "ordered:ordered": 3}
    assert told.read.scan_reason_totals() == {"no_signal": 24, "spread": 6}
    assert told.read.last_scan() == told.read.scans()[-1]


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
def test_a_decimal_is_one_text_whatever_its_exponent_and_loses_nothing(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert decimal_text(Decimal(text)) == text
    assert "E" not in text
    assert decimal_text(Decimal("-0.00")) == "0"


@given(at=records.times)
def test_a_time_is_kept_to_the_microsecond_in_any_zone(at: datetime) -> None:
    assert moment(micros(at)) == at
    assert micros(at.astimezone(timezone(timedelta(hours=5)))) == micros(at)


def test_a_time_without_a_zone_and_an_amount_that_is_none_are_refused() -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(InvalidRecord, match="no zone"):
        micros(naive)
    with pytest.raises(InvalidRecord, match="not an amount"):
        decimal_text(Decimal("NaN"))


def test_what_the_journal_does_not_keep_is_refused_when_it_is_added() -> None:
    with pytest.raises(InvalidRecord, match="keeps no Vote"):
        Batch().add(decision_at(START).signal.votes[0])  # type: ignore[arg-type]  # what is wrong is what is tested
    elsewhere = replace(decision_at(START).signal, instrument="ETH-USD")
    with pytest.raises(InvalidRecord, match="another bar"):
        Batch().add(replace(decision_at(START), signal=elsewhere))


def test_hostile_text_is_stored_in_a_form_that_every_database_takes() -> None:
    hostile = NewsItem(
        news_id="n-1",
        received_at=START,
        published_at=datetime(2024, 1, 1, tzinfo=UTC),
        source="s",
        publisher="p",
        author=None,
        text="up \ud800 and \0 away \N{ROCKET}",
    )
    assert [item.text for item in kept(hostile).news()] == ["up \ufffd and \ufffd away \N{ROCKET}"]
    assert free_text("plain") == "plain"


def test_news_is_read_from_a_time_on(journal: Journal) -> None:
    batch = Batch()
    for day in range(3):
        at = START + timedelta(days=day)
        batch.add(
            NewsItem(
                news_id=f"n-{day}", received_at=at, published_at=at, source="s", publisher="p", author=None, text="t"
            )
        )
    journal.commit(batch)
    assert [item.news_id for item in journal.read.news(since=START + timedelta(days=1))] == ["n-1", "n-2"]


def test_a_sample_reads_the_features_of_its_decision_in_their_order(journal: Journal) -> None:
    decision = decision_at(START)
    batch = Batch()
    batch.add(decision)
    batch.add(sample_of_decision(decision, SampleSource.SHADOW))
    journal.commit(batch)
    (sample,) = journal.read.samples()
    assert list(sample.features.values.items()) == list(decision.features.values.items())


def test_a_path_and_a_url_of_it_are_the_same_journal(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "50% #1?.sqlite"
    with Journal.open(path) as journal:
        batch = Batch()
        batch.put_state("a", "1")
        journal.commit(batch)
    assert path.is_file()
    with Journal.open(f"sqlite:///{path}".replace("%", "%25").replace("?", "%3F").replace("#", "%23")) as journal:
        assert journal.read.state("a") == "1"
