"""The feature vector: every name, missing stays missing, the schema's hash notices change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals_cases import BITCOIN, scripted

from domain.decisions import FeatureInputs, SentimentView, Signal
from domain.errors import InvalidInput
from domain.numbers import significant
from signals import SignalSettings, combine, features

NO_HIGHER = {"higher_adx": [float("nan")], "higher_side": [float("nan")]}
TABLE = scripted({"trend": (1, 0.8, 0), "breakout": (1, 0.7, 2)}, columns=NO_HIGHER)
FOUND = combine(TABLE, 199, {}, SignalSettings())
assert isinstance(FOUND, Signal)
SIGNAL: Signal = FOUND

BARE = FeatureInputs(
    decided_at=datetime(2024, 5, 17, 13, 0, tzinfo=UTC),
    instrument=replace(BITCOIN, market_cap_class=None),
    signal=SIGNAL,
    row={},
    spread=None,
)

FULL = FeatureInputs(
    decided_at=datetime(2024, 5, 17, 13, 0, tzinfo=UTC),
    instrument=BITCOIN,
    signal=SIGNAL,
    row=TABLE.row(199)
    | {
        "rsi": 25.0,
        "volume_ratio": 1.8,
        "momentum_20": 0.0123456,
        "higher_side": -1.0,
        "higher_adx": 22.0,
        "volatility_20": 0.01,
    },
    spread=0.000123456789,
    sentiment=SentimentView(score=-0.4, confidence=0.5, count=10, age_s=1800.0, social_score=0.1, event_score=0.2),
    minutes_to_event=33.0,
    market_open=True,
    earnings_season=False,
    days_to_earnings=12.0,
    benchmark_correlation=0.5,
    benchmark_momentum=0.02,
    benchmark_volatility=0.001,
    peer_strength=0.3,
    sector_strength=-0.1,
)

ASKED_FOR = {
    "f_confidence", "f_strategy_code", "f_entry_price_normalised", "f_market_volatility", "f_market_momentum",
    "f_bull_market", "f_rsi", "f_macd", "f_adx", "f_volume_ratio", "f_momentum_20", "f_volatility", "f_month",
    "f_quarter", "f_hour", "f_day_of_week", "f_market_hours", "f_earnings_season", "f_confidence_momentum",
    "f_volatility_momentum", "f_rsi_confidence", "f_sentiment_with_confidence", "f_high_confidence",
    "f_positive_momentum", "f_low_volatility_market", "f_high_volume", "f_oversold", "f_overbought",
    "f_days_since_signal", "f_peer_strength", "f_benchmark_correlation", "f_market_cap_class", "f_sentiment",
    "f_sentiment_confidence", "f_news_count", "f_news_volume_class", "f_bar_open", "f_bar_high", "f_bar_low",
    "f_social_sentiment", "f_event_score", "f_minutes_to_event", "f_spread", "f_predicted_volatility", "f_regime",
    "f_days_to_earnings", "f_sector_strength", "f_side",
}  # fmt: skip

ALWAYS_KNOWN = {
    "f_confidence", "f_high_confidence", "f_agreement", "f_strategies_agreeing", "f_strategy_code", "f_side",
    "f_stop_distance", "f_days_since_signal", "f_atr", "f_month", "f_quarter", "f_hour", "f_day_of_week",
}  # fmt: skip


def test_every_named_feature_is_there_and_known_when_everything_is_known() -> None:
    told = features.build(FULL)
    assert set(told.values) >= ASKED_FOR
    assert tuple(told.values) == features.SCHEMA
    assert [name for name, value in told.values.items() if value is None] == []
    assert told.schema == features.SCHEMA_HASH


def test_what_is_missing_stays_missing() -> None:
    told = features.build(BARE)
    assert tuple(told.values) == features.SCHEMA
    assert set(told.present()) == ALWAYS_KNOWN


def test_each_missing_column_leaves_exactly_what_is_made_of_it_missing() -> None:
    made_of = {
        "rsi": {"f_rsi", "f_oversold", "f_overbought", "f_rsi_confidence"},
        "volume_ratio": {"f_volume_ratio", "f_high_volume"},
        "regime_trend": {"f_regime_trend", "f_regime"},
        "ma_50": {"f_entry_price_normalised"},
        "momentum_20": {
            "f_momentum_20", "f_positive_momentum", "f_confidence_momentum", "f_volatility_momentum",
            "f_momentum_with_side",
        },
    }  # fmt: skip
    for column, expected in made_of.items():
        row = {name: value for name, value in FULL.row.items() if name != column}
        told = features.build(replace(FULL, row=row)).values
        assert {name for name, value in told.items() if value is None} == expected


def test_numbers_are_what_they_say() -> None:
    told = features.build(FULL).values
    assert (told["f_month"], told["f_quarter"], told["f_hour"], told["f_day_of_week"]) == (5.0, 2.0, 13.0, 4.0)
    assert (told["f_oversold"], told["f_overbought"], told["f_high_volume"]) == (1.0, 0.0, 1.0)
    assert (told["f_strategy_code"], told["f_side"], told["f_strategies_agreeing"]) == (1.0, 1.0, 2.0)
    assert told["f_days_since_signal"] == significant(2 / 24)
    assert told["f_spread"] == 0.000123457
    assert told["f_sentiment_with_confidence"] == significant(-0.4 * 0.75)
    assert told["f_rsi_confidence"] == 18.75
    assert told["f_volatility_momentum"] == significant(0.01 * 0.0123456)
    assert told["f_higher_side_with_side"] == -1.0
    assert (told["f_market_cap_class"], told["f_bull_market"], told["f_low_volatility_market"]) == (4.0, 1.0, 1.0)
    assert told["f_entry_price_normalised"] == significant((SIGNAL.entry_price - FULL.row["ma_50"]) / SIGNAL.atr)
    assert (told["f_market_hours"], told["f_earnings_season"], told["f_news_age_hours"]) == (1.0, 0.0, 0.5)


def test_the_calm_of_the_market_is_judged_by_the_day() -> None:
    told = features.build(replace(FULL, benchmark_volatility=0.003)).values
    assert told["f_low_volatility_market"] == 0.0


def test_no_view_nothing_ever_heard_no_fresh_news_and_neutral_news_are_different_things() -> None:
    nothing = SentimentView(score=None, confidence=0.0, count=0, age_s=200_000.0)
    silence = SentimentView(score=None, confidence=0.0, count=0, age_s=None)
    neutral = SentimentView(score=0.0, confidence=0.4, count=3, age_s=60.0)
    no_view, no_news, calm = (features.build(replace(FULL, sentiment=view)).values for view in (None, nothing, neutral))
    assert (no_view["f_sentiment"], no_view["f_news_count"], no_view["f_news_volume_class"]) == (None, None, None)
    never_heard = features.build(replace(FULL, sentiment=silence)).values
    assert [never_heard[name] for name in ("f_sentiment", "f_news_count", "f_news_volume_class")] == [None] * 3
    assert (no_news["f_sentiment"], no_news["f_sentiment_confidence"], no_news["f_news_count"]) == (None, None, 0.0)
    assert (calm["f_sentiment"], calm["f_sentiment_confidence"], calm["f_news_count"]) == (0.0, 0.4, 3.0)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, 0), (1, 0), (4, 0), (5, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3), (100, 4), (101, 4), (10**9, 4)],
)
def test_every_news_count_has_a_volume_class(count: int, expected: int) -> None:
    assert features.news_volume_class(count) == expected


def test_a_negative_news_count_is_refused() -> None:
    with pytest.raises(InvalidInput, match="may not be negative"):
        features.news_volume_class(-1)


def test_an_unknown_market_cap_class_is_missing() -> None:
    told = features.build(replace(FULL, instrument=replace(BITCOIN, market_cap_class="gigantic"))).values
    assert told["f_market_cap_class"] is None


def test_external_columns_become_features_and_part_of_the_schema() -> None:
    told = features.build(replace(FULL, external={"pe_ratio": 17.1234567, "insider_flow": float("nan")}))
    assert told.values["f_ext_pe_ratio"] == 17.1235
    assert told.values["f_ext_insider_flow"] is None
    assert list(told.values)[-2:] == ["f_ext_insider_flow", "f_ext_pe_ratio"]
    swapped = features.build(replace(FULL, external={"insider_flow": 1.0, "pe_ratio": 2.0}))
    assert told.schema == swapped.schema != features.SCHEMA_HASH


@pytest.mark.parametrize("name", ["", "PE", "p/e", "p e", "größe"])
def test_an_external_column_whose_name_cannot_be_a_feature_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="external column"):
        features.build(replace(FULL, external={name: 1.0}))


def test_the_schema_hash_changes_with_names_order_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    names = features.SCHEMA
    renamed = ("f_trust", *names[1:])
    hashes = {
        features.schema_hash(names),
        features.schema_hash(renamed),
        features.schema_hash(names[::-1]),
        features.schema_hash(names[:-1]),
        features.schema_hash(names, ["a"]),
        features.schema_hash(names, ["b"]),
    }
    assert len(hashes) == 6
    assert features.schema_hash(names) == features.SCHEMA_HASH
    assert features.schema_hash(names, ["a", "b"]) == features.schema_hash(names, ["b", "a"])
    monkeypatch.setattr(features, "SCHEMA_VERSION", features.SCHEMA_VERSION + 1)
    assert features.schema_hash(names) not in hashes


@given(
    row=st.dictionaries(st.sampled_from(sorted(TABLE.columns)), st.floats(-1e9, 1e9, allow_subnormal=False, width=32)),
    spread=st.sampled_from([None, 0.0, -0.0, 1e-12, 0.00123456789, 1e12, float("nan"), float("inf"), -float("inf")]),
    hours=st.integers(0, 100_000),
)
def test_whatever_is_known_the_vector_is_finite_rounded_and_complete(
    row: dict[str, float], spread: float | None, hours: int
) -> None:
    rounded = {name: significant(value) for name, value in row.items()}
    moment = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    told = features.build(replace(BARE, row=rounded, spread=spread, decided_at=moment))
    assert tuple(told.values) == features.SCHEMA
    for name, value in told.present().items():
        assert name == "f_regime" or significant(value) == value, name
