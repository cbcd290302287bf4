"""The feature vector: what was known when a decision was taken, as named numbers, versioned and hashed.

A missing value stays missing (None); nothing is filled with 0 or 50. Numbers have six significant digits. Flags are
1 or 0. Names never change their meaning: a changed meaning is a new name, or a new `SCHEMA_VERSION`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from domain.decisions import FeatureInputs, FeatureVector
from domain.errors import InvalidInput
from domain.identity import digest
from domain.numbers import significant
from signals.strategies import strategy_code

SCHEMA_VERSION = 1
EXTERNAL_PREFIX = "f_ext_"

NEWS_VOLUME_EDGES = (0, 5, 10, 20, 100)
"""Class k holds counts from edge k up to the next edge; the last class is open-ended and 0 belongs to the first."""

MARKET_CAP_CODES: Mapping[str, float] = {"micro": 1.0, "small": 2.0, "mid": 3.0, "large": 4.0, "mega": 5.0}
HIGH_CONFIDENCE = 0.7
HIGH_VOLUME = 1.5
"""Times the mean volume of the last 20 bars."""
LOW_MARKET_VOLATILITY = 0.01
"""Of a day: the benchmark's volatility per bar times the root of bars a day."""

_SECONDS_A_DAY = 86_400.0

Values = dict[str, float | None]

_OF_ROW: tuple[tuple[str, str], ...] = (
    ("f_rsi", "rsi"),
    ("f_adx", "adx"),
    ("f_plus_di", "plus_di"),
    ("f_minus_di", "minus_di"),
    ("f_volume_ratio", "volume_ratio"),
    ("f_momentum_20", "momentum_20"),
    ("f_volatility", "volatility_20"),
    ("f_volatility_ratio", "volatility_ratio"),
    ("f_predicted_volatility", "volatility_forecast"),
    ("f_bollinger_percent", "bollinger_percent"),
    ("f_bollinger_width", "bollinger_width"),
    ("f_donchian_position", "donchian_position"),
    ("f_supertrend_direction", "supertrend_direction"),
    ("f_ichimoku_position", "ichimoku_position"),
    ("f_higher_adx", "higher_adx"),
    ("f_regime_trend", "regime_trend"),
    ("f_regime_volatility", "regime_volatility"),
    ("f_bar_open", "open_to_close"),
    ("f_bar_high", "high_to_close"),
    ("f_bar_low", "low_to_close"),
)
"""Features that are a column of the signal table, already rounded there."""


def _signal_part(inputs: FeatureInputs) -> Values:
    """The proposal itself. `f_entry_price_normalised` is the entry's distance from its 50-bar average in ATR."""
    signal = inputs.signal
    sign = float(signal.side.sign)
    average = inputs.row.get("ma_50")
    return {
        "f_confidence": signal.technical_score,
        "f_high_confidence": _flag(signal.technical_score >= HIGH_CONFIDENCE),
        "f_agreement": signal.agreement,
        "f_strategies_agreeing": float(sum(vote.side is signal.side for vote in signal.votes)),
        "f_strategy_code": float(strategy_code(signal.strategies[0])) if signal.strategies else None,
        "f_side": sign,
        "f_entry_price_normalised": None if average is None else _ratio(signal.entry_price - average, signal.atr),
        "f_stop_distance": _ratio(signal.risk_per_unit, signal.entry_price),
        "f_days_since_signal": _rounded(signal.bars_since_signal * signal.timeframe.seconds / _SECONDS_A_DAY),
    }


def _indicator_part(inputs: FeatureInputs) -> Values:
    """Columns of the table and what is made of them. MACD is in ATR; `f_regime` counts 0..8, trend before
    volatility."""
    row, atr = inputs.row, inputs.signal.atr
    values: Values = {name: row.get(column) for name, column in _OF_ROW}
    for name in ("macd", "macd_signal", "macd_histogram"):
        column = row.get(name)
        values["f_" + name] = None if column is None else _ratio(column, atr)
    rsi, volume, momentum = values["f_rsi"], values["f_volume_ratio"], values["f_momentum_20"]
    trend, volatility = values["f_regime_trend"], values["f_regime_volatility"]
    confidence = inputs.signal.technical_score
    values["f_atr"] = _ratio(atr, inputs.signal.entry_price)
    values["f_regime"] = None if trend is None or volatility is None else 3 * (trend + 1) + volatility + 1
    values["f_oversold"] = None if rsi is None else _flag(rsi < 30)
    values["f_overbought"] = None if rsi is None else _flag(rsi > 70)
    values["f_high_volume"] = None if volume is None else _flag(volume > HIGH_VOLUME)
    values["f_positive_momentum"] = None if momentum is None else _flag(momentum > 0)
    values["f_confidence_momentum"] = _product(confidence, momentum)
    values["f_volatility_momentum"] = _product(values["f_volatility"], momentum)
    values["f_rsi_confidence"] = _product(rsi, confidence)
    sign = float(inputs.signal.side.sign)
    values["f_momentum_with_side"] = _product(momentum, sign)
    values["f_higher_side_with_side"] = _product(row.get("higher_side"), sign)
    return values


def _time_part(inputs: FeatureInputs) -> Values:
    """UTC calendar of the decision; `f_day_of_week` counts from Monday 0."""
    moment: datetime = inputs.decided_at
    return {
        "f_month": float(moment.month),
        "f_quarter": float((moment.month + 2) // 3),
        "f_hour": float(moment.hour),
        "f_day_of_week": float(moment.weekday()),
        "f_market_hours": _truth(inputs.market_open),
        "f_earnings_season": _truth(inputs.earnings_season),
        "f_days_to_earnings": _rounded(inputs.days_to_earnings),
        "f_minutes_to_event": _rounded(inputs.minutes_to_event),
    }


def _market_part(inputs: FeatureInputs) -> Values:
    """The benchmark, peers and the instrument. A bull market is a benchmark that rose over the window."""
    momentum, volatility = inputs.benchmark_momentum, inputs.benchmark_volatility
    bars_a_day = max(1.0, _SECONDS_A_DAY / inputs.signal.timeframe.seconds)
    calm = None if volatility is None else _flag(volatility * math.sqrt(bars_a_day) < LOW_MARKET_VOLATILITY)
    cap = inputs.instrument.market_cap_class
    return {
        "f_market_momentum": _rounded(momentum),
        "f_market_volatility": _rounded(volatility),
        "f_bull_market": None if momentum is None else _flag(momentum > 0),
        "f_low_volatility_market": calm,
        "f_benchmark_correlation": _rounded(inputs.benchmark_correlation),
        "f_peer_strength": _rounded(inputs.peer_strength),
        "f_sector_strength": _rounded(inputs.sector_strength),
        "f_market_cap_class": None if cap is None else MARKET_CAP_CODES.get(cap.lower()),
        "f_spread": _rounded(inputs.spread),
    }


def _sentiment_part(inputs: FeatureInputs) -> Values:
    """Sentiment as aggregated. No view at all leaves everything missing; a view without fresh news has a count of 0
    and no score. Where no text was ever heard (a calendar without a news source) even the count is missing."""
    view = inputs.sentiment
    if view is None:
        return dict.fromkeys(_SENTIMENT_NAMES)
    score = _rounded(view.score)
    return {
        "f_sentiment": score,
        "f_sentiment_confidence": None if score is None else _rounded(view.confidence),
        "f_sentiment_with_confidence": _product(score, inputs.signal.technical_score),
        "f_sentiment_with_side": _product(score, float(inputs.signal.side.sign)),
        "f_news_count": None if view.age_s is None else float(view.count),
        "f_news_volume_class": None if view.age_s is None else float(news_volume_class(view.count)),
        "f_news_age_hours": None if view.age_s is None else _rounded(view.age_s / 3600),
        "f_social_sentiment": _rounded(view.social_score),
        "f_event_score": _rounded(view.event_score),
    }


_SENTIMENT_NAMES = (
    "f_sentiment",
    "f_sentiment_confidence",
    "f_sentiment_with_confidence",
    "f_sentiment_with_side",
    "f_news_count",
    "f_news_volume_class",
    "f_news_age_hours",
    "f_social_sentiment",
    "f_event_score",
)

SCHEMA: tuple[str, ...] = (
    "f_confidence",
    "f_high_confidence",
    "f_agreement",
    "f_strategies_agreeing",
    "f_strategy_code",
    "f_side",
    "f_entry_price_normalised",
    "f_stop_distance",
    "f_days_since_signal",
    *(name for name, _ in _OF_ROW),
    "f_macd",
    "f_macd_signal",
    "f_macd_histogram",
    "f_atr",
    "f_regime",
    "f_oversold",
    "f_overbought",
    "f_high_volume",
    "f_positive_momentum",
    "f_confidence_momentum",
    "f_volatility_momentum",
    "f_rsi_confidence",
    "f_momentum_with_side",
    "f_higher_side_with_side",
    "f_month",
    "f_quarter",
    "f_hour",
    "f_day_of_week",
    "f_market_hours",
    "f_earnings_season",
    "f_days_to_earnings",
    "f_minutes_to_event",
    "f_market_momentum",
    "f_market_volatility",
    "f_bull_market",
    "f_low_volatility_market",
    "f_benchmark_correlation",
    "f_peer_strength",
    "f_sector_strength",
    "f_market_cap_class",
    "f_spread",
    *_SENTIMENT_NAMES,
)
"""Names of the built-in features, in order. External columns follow, sorted, as `f_ext_<name>`."""

_PARTS: tuple[Callable[[FeatureInputs], Values], ...] = (
    _signal_part,
    _indicator_part,
    _time_part,
    _market_part,
    _sentiment_part,
)


def build(inputs: FeatureInputs) -> FeatureVector:
    """The feature vector of one decision, in the order of `SCHEMA`."""
    values: Values = {}
    for part in _PARTS:
        values |= part(inputs)
    if not inputs.external:
        return FeatureVector(schema=SCHEMA_HASH, values=values)
    external = sorted(inputs.external)
    for name in external:
        values[_external_feature(name)] = _rounded(inputs.external[name])
    return FeatureVector(schema=_external_hash(tuple(external)), values=values)


def schema_hash(names: Iterable[str], external: Iterable[str] = ()) -> str:
    """The hash of a schema: its version, its names in order and the sorted names of external columns."""
    return digest("features", SCHEMA_VERSION, *names, "external", *sorted(external))


SCHEMA_HASH = schema_hash(SCHEMA)
"""The schema without external columns."""


def news_volume_class(count: int) -> int:
    """0 for 0 to 4 texts, then 5 to 9, 10 to 19, 20 to 99, and 4 for 100 and more; `InvalidInput` below 0."""
    if count < NEWS_VOLUME_EDGES[0]:
        raise InvalidInput(f"a news count of {count}; it may not be negative")
    return bisect_right(NEWS_VOLUME_EDGES, count) - 1


@lru_cache(maxsize=64)
def _external_hash(external: tuple[str, ...]) -> str:
    return schema_hash(SCHEMA, external)


@lru_cache(maxsize=1024)
def _external_feature(name: str) -> str:
    if not name.replace("_", "").isalnum() or name != name.lower() or not name.isascii():
        raise InvalidInput(f"external column {name!r}: a feature's name has small letters, digits and underscores only")
    return EXTERNAL_PREFIX + name


def _flag(truth: bool) -> float:
    return 1.0 if truth else 0.0


def _truth(value: bool | None) -> float | None:
    return None if value is None else _flag(value)


def _rounded(value: float | None) -> float | None:
    """Six significant digits; a number that is not finite is missing."""
    return None if value is None or not math.isfinite(value) else significant(value)


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else significant(first * second)


def _ratio(numerator: float, denominator: float) -> float | None:
    return significant(numerator / denominator) if denominator > 0 else None
