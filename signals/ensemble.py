"""From votes to one proposal: agreement, weights, the higher timeframe, stop and target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from domain.clock import from_epoch
from domain.decisions import Signal
from domain.numbers import significant
from domain.orders import Side
from signals.settings import SignalSettings, minimum_bars
from signals.table import SignalTable

WARMUP = "warmup"
SILENT = "silent"
FEW_VOTES = "few_votes"
DISAGREEMENT = "disagreement"
LOW_CONFIDENCE = "low_confidence"
FLAT_VOLATILITY = "flat_volatility"
WILD_VOLATILITY = "wild_volatility"
"""The ATR is so wide that a stop or a target would lie at or below 0."""

REASONS = (WARMUP, SILENT, FEW_VOTES, DISAGREEMENT, LOW_CONFIDENCE, FLAT_VOLATILITY, WILD_VOLATILITY)
"""Every reason why nothing is proposed."""

NARROWEST_STOP = 1e-6
"""A stop nearer than this fraction of the price is no stop."""
FULL_TREND_ADX = 50.0


@dataclass(frozen=True, slots=True)
class _Tally:
    """The winning side and what stands behind it; `leader` and `voters` are positions in the strategies."""

    side: Side
    agreement: float
    confidence: float
    leader: int
    voters: tuple[int, ...]


def combine(table: SignalTable, index: int, weights: Mapping[str, float], settings: SignalSettings) -> Signal | str:
    """The proposal on the closed bar `index`, or the reason code (one of `REASONS`) why there is none.

    `weights` by strategy name, not negative; a strategy without one weighs 1. Agreement is the winning side's
    share of the weight that speaks. The technical score is the weighted mean confidence of that side, joined by the
    higher timeframe (see `technical_score`). Everything compared here has six significant digits.
    """
    if index + 1 < minimum_bars(settings):
        return WARMUP
    tally = _tally(table, index, weights)
    if isinstance(tally, str):
        return tally
    if len(tally.voters) < settings.min_votes:
        return FEW_VOTES
    if tally.agreement < settings.agreement:
        return DISAGREEMENT
    score = technical_score(table, index, tally.side, tally.confidence, settings)
    if score < settings.min_confidence:
        return LOW_CONFIDENCE
    return _proposal(table, index, tally, score, settings)


def _tally(table: SignalTable, index: int, weights: Mapping[str, float]) -> _Tally | str:
    """Weights of both sides counted; a tie has no winner."""
    weight_of, confidence_of = {1: 0.0, -1: 0.0}, {1: 0.0, -1: 0.0}
    voters: dict[int, list[int]] = {1: [], -1: []}
    confidences = table.confidences[:, index].tolist()
    for position, side in enumerate(table.sides[:, index].tolist()):
        weight = weights.get(table.strategies[position].name, 1.0) if side else 0.0
        if weight > 0:
            weight_of[side] += weight
            confidence_of[side] += weight * confidences[position]
            voters[side].append(position)
    total = weight_of[1] + weight_of[-1]
    if total <= 0:
        return SILENT
    agreement = significant(max(weight_of.values()) / total)
    if agreement <= 0.5:
        return DISAGREEMENT
    sign = 1 if weight_of[1] > weight_of[-1] else -1
    leader = min(voters[sign], key=lambda position: (-confidences[position], table.strategies[position].name))
    confidence = confidence_of[sign] / weight_of[sign]
    return _Tally(Side.BUY if sign > 0 else Side.SELL, agreement, confidence, leader, tuple(voters[sign]))


def technical_score(table: SignalTable, index: int, side: Side, confidence: float, settings: SignalSettings) -> float:
    """The score in [0, 1]: a mean of the votes' confidence and the higher timeframe's, weighted by ADX.

    score = (1 - w) x confidence + w x higher, w = min(ADX_higher / (ADX + ADX_higher), `higher_weight_limit`), and
    higher = (1 + alignment x min(ADX_higher / 50, 1)) / 2 with alignment +1, 0 or -1 as its trend supports,
    ignores or opposes the side. Without a higher timeframe, or without ADX, the score is the confidence.
    """
    columns = table.columns
    higher_adx, higher_side = columns["higher_adx"].item(index), columns["higher_side"].item(index)
    adx = columns["adx"].item(index)
    if not (math.isfinite(higher_adx) and math.isfinite(higher_side) and adx + higher_adx > 0):
        return significant(min(confidence, 1.0))
    weight = min(higher_adx / (adx + higher_adx), settings.higher_weight_limit)
    higher = (1 + side.sign * higher_side * min(higher_adx / FULL_TREND_ADX, 1.0)) / 2
    return significant(min((1 - weight) * confidence + weight * higher, 1.0))


def _proposal(table: SignalTable, index: int, tally: _Tally, score: float, settings: SignalSettings) -> Signal | str:
    series = table.series
    entry = series.close.item(index)
    atr = table.columns["atr"].item(index)
    if not atr * settings.atr_stop > NARROWEST_STOP * entry:
        return FLAT_VOLATILITY
    stop, target = table.strategies[tally.leader].barriers(tally.side, entry, atr, settings)
    if stop <= 0 or target <= 0:
        return WILD_VOLATILITY
    ages = table.ages[:, index].tolist()
    return Signal(
        instrument=table.symbol,
        timeframe=series.timeframe,
        bar_opened_at=from_epoch(series.opened.item(index)),
        side=tally.side,
        technical_score=score,
        agreement=tally.agreement,
        votes=table.votes(index),
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        atr=atr,
        bars_since_signal=max(ages[position] for position in tally.voters),
    )
