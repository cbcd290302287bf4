"""Facts from outside and dated texts: never known before they were."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import from_epoch
from domain.errors import InvalidInput
from market.external import ExternalFeatures, Fact, read_external
from market.headlines import Headlines, read_headlines

NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)


def test_a_value_is_used_from_the_moment_it_was_known(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text(
        "known_at,instrument,name,value\n"
        "2020-03-01T12:00:00Z,AAPL,pe,20.5\n2020-03-02T12:00:00Z,AAPL,pe,21\n2020-03-01T09:00:00Z,*,rate,1.5\n"
    )
    facts = read_external(path)
    assert facts.at("AAPL", NOON - timedelta(seconds=1)) == {"rate": 1.5}
    assert facts.at("AAPL", NOON) == {"rate": 1.5, "pe": 20.5}
    assert facts.at("AAPL", NOON + timedelta(days=2))["pe"] == 21
    assert facts.at("MSFT", NOON) == {"rate": 1.5}


def test_a_bare_date_is_known_at_the_end_of_that_day(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("known_at,instrument,name,value\n2020-03-01,AAPL,pe,20.5\n")
    facts = read_external(path)
    assert facts.at("AAPL", datetime(2020, 3, 1, 23, 59, 59, tzinfo=UTC)) == {}
    assert facts.at("AAPL", datetime(2020, 3, 2, tzinfo=UTC)) == {"pe": 20.5}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_fraction_of_a_second_is_not_known_early(tmp_path, unit):
    factor = {"ms": 1, "us": 10**3, "ns": 10**6}[unit]
    known = pa.array(
        [(1_583_064_000 * 1000 + 400) * factor, 1_583_064_000 * 1000 * factor], pa.timestamp(unit, tz="UTC")
    )
    table = pa.table({"known_at": known, "instrument": ["A", "B"], "name": ["x", "x"], "value": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "facts.parquet")
    facts = read_external(tmp_path / "facts.parquet")
    assert facts.at("A", from_epoch(1_583_064_000)) == {}
    assert facts.at("A", from_epoch(1_583_064_001)) == {"x": 1.0}
    assert facts.at("B", from_epoch(1_583_064_000)) == {"x": 2.0}


facts_lists = st.lists(
    st.builds(Fact, st.integers(0, 100), st.sampled_from("AB*"), st.sampled_from(["x", "y"]), st.floats(-5, 5)),
    max_size=30,
)


@settings(deadline=None)
@given(facts_lists, st.integers(0, 100), facts_lists)
def test_what_comes_later_never_changes_what_is_known_now(facts, now, more):
    later = [Fact(fact.known_at + now + 1, fact.instrument, fact.name, fact.value) for fact in more]
    known = [fact for fact in facts if fact.known_at <= now]
    assert ExternalFeatures(facts + later).at("A", from_epoch(now)) == ExternalFeatures(known).at("A", from_epoch(now))


def test_an_own_value_goes_before_one_for_all():
    facts = ExternalFeatures([Fact(10, "A", "x", 1.0), Fact(20, "*", "x", 2.0)])
    assert facts.at("A", from_epoch(30)) == {"x": 1.0}
    assert facts.at("B", from_epoch(30)) == {"x": 2.0}


def test_of_two_facts_at_one_time_the_later_given_is_the_correction():
    facts = ExternalFeatures([Fact(10, "A", "x", 1.0), Fact(10, "A", "x", 3.0)])
    assert facts.at("A", from_epoch(10)) == {"x": 3.0}


def test_days_to_earnings_count_down_to_the_date_known_then():
    day = 86_400
    facts = ExternalFeatures([Fact(0, "A", "earnings_at", 10.0 * day), Fact(5 * day, "A", "earnings_at", 12.0 * day)])
    assert facts.days_to_earnings("A", from_epoch(4 * day)) == 6
    assert facts.days_to_earnings("A", from_epoch(6 * day)) == 6
    assert facts.days_to_earnings("A", from_epoch(13 * day)) is None
    assert facts.days_to_earnings("B", from_epoch(4 * day)) is None
    assert facts.at("A", from_epoch(6 * day)) == {}


def test_rows_without_time_or_value_are_counted(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text(
        "known_at,instrument,name,value\nsoon,AAPL,pe,1\n2020-03-01,AAPL,pe,\n2020-03-01,AAPL,pe,much\n2020-03-01,AAPL,pe,3\n"
    )
    facts = read_external(path)
    assert facts.rejected == 3
    assert facts.at("AAPL", NOON + timedelta(days=1)) == {"pe": 3.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("known_at,instrument,value\n2020-03-01,A,1\n", "lacks the columns name"),
        ("known_at,instrument,name,value\nsoon,A,x,1\n", "holds no row with a time"),
    ],
)
def test_a_file_of_no_facts_is_refused(tmp_path, text, says):
    path = tmp_path / "facts.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_external(path)


def test_real_texts_are_received_no_earlier_than_they_could_be(market_data):
    path = market_data / "news" / "headlines.jsonl"
    texts, rejected = read_headlines(path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rejected == 0
    assert len(texts) == len({(row["timestamp"], row["headline"], row["publisher"]) for row in rows})
    everything = texts.between(datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    precise = {(row["headline"], row["timestamp"][:10]): row["precision"] for row in rows}
    for text in everything:
        whole_day = precise[(text.text, text.published_at.date().isoformat())] == "day"
        delay = text.received_at - text.published_at
        assert delay == (timedelta(days=1) if whole_day else timedelta(0))


def test_texts_are_told_once_at_the_edges_of_a_window(market_data):
    texts, _ = read_headlines(market_data / "news" / "headlines.jsonl")
    edges = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(0, 220, 7)]
    told = [text for first, last in pairwise(edges) for text in texts.between(first, last)]
    assert len(told) == len(texts)


def test_lines_that_are_no_texts_are_counted(tmp_path):
    path = tmp_path / "headlines.jsonl"
    lines = (
        '{"timestamp": "2020-03-01T10:00:00Z", "headline": "A"}',
        "not json",
        '{"headline": "B"}',
        "[]",
        "",
        '{"timestamp": "2020-03-01", "headline": "C"}',
        '{"timestamp": "2020-03-01", "headline": " "}',
    )
    path.write_text("\n".join(lines))
    texts, rejected = read_headlines(path)
    assert (len(texts), rejected) == (2, 4)
    late = texts.between(NOON, datetime(2020, 3, 2, tzinfo=UTC))
    assert [text.text for text in late] == ["C"]


def test_a_file_without_any_text_is_refused(tmp_path):
    (tmp_path / "headlines.jsonl").write_text("nothing\n")
    with pytest.raises(InvalidInput, match="holds no line of JSON"):
        read_headlines(tmp_path / "headlines.jsonl")


def test_no_texts_are_no_texts():
    assert Headlines(()).between(NOON, NOON + timedelta(days=1)) == ()
