"""Intervals of shares, stability and degradation: do they hold the truth as often as they say?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from sample_cases import HOUR

from domain.errors import InvalidInput
from learning.judgement.blocks import time_blocks
from learning.judgement.columns import Floats, Ints
from learning.judgement.interval import Interval
from learning.report.measured import Measured, degradation, share, stability

DAY = 24 * HOUR


def daily(rows: int) -> Ints:
    decided = np.arange(rows, dtype=np.int64) * DAY
    return time_blocks(decided, decided + HOUR)


def inside(measured: Measured, truth: float) -> bool:
    assert measured.interval is not None
    return measured.interval.low <= truth <= measured.interval.high


def test_the_interval_of_a_share_holds_the_truth_though_neighbours_share_their_fate() -> None:
    """Each pair of days ends alike, and half of the pairs are cut apart by a block's edge."""
    draw, held = np.random.default_rng(1), 0
    decided = np.arange(300, dtype=np.int64) * DAY
    blocks = time_blocks(decided, decided + 31 * HOUR)
    for seed in range(60):
        hits = np.repeat((draw.random(150) < 0.55).astype(np.float64), 2)
        held += inside(share(hits, np.ones(300), blocks, seed=seed), 0.55)
    assert held >= 51  # of 60: a true coverage of 95% falls below that in less than one case of a thousand


def test_a_share_of_few_blocks_has_a_wide_interval() -> None:
    rows = 300
    whole = np.zeros(rows)
    whole[[3, 4, 5, 150, 151, 290]] = 1
    part = whole.copy()
    part[3] = 0
    narrow = share((np.arange(rows) % 6 > 0).astype(np.float64), np.ones(rows), daily(rows), seed=0)
    wide = share(part, whole, daily(rows), seed=0)
    assert narrow.value == pytest.approx(5 / 6)
    assert wide.value == pytest.approx(5 / 6)
    assert narrow.interval is not None
    assert wide.interval is not None
    assert wide.interval.high - wide.interval.low > 3 * (narrow.interval.high - narrow.interval.low)
    assert 0 <= wide.interval.low <= wide.interval.high <= 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_all_or_none_has_no_interval(value: float) -> None:
    assert share(np.full(40, value), np.ones(40), daily(40), seed=0) == Measured(value=value)


def test_a_share_of_nothing_is_not_defined() -> None:
    assert share(np.zeros(40), np.zeros(40), daily(40), seed=0) == Measured(value=None)


def test_a_part_above_its_whole_is_refused() -> None:
    with pytest.raises(InvalidInput, match="between 0 and its whole"):
        share(np.ones(40), np.zeros(40), daily(40), seed=0)
    with pytest.raises(InvalidInput, match="the same samples"):
        share(np.ones(40), np.ones(39), daily(40), seed=0)


def test_the_interval_of_stability_holds_what_lies_beyond_chance() -> None:
    draw, even, uneven = np.random.default_rng(2), 0, 0
    truth = np.repeat([0.75, 0.35, 0.75, 0.35, 0.55], 100)
    spread = 1 - float(np.std([0.75, 0.35, 0.75, 0.35, 0.55], ddof=1)) / 0.55
    for _ in range(200):
        even += inside(stability((draw.random(500) < 0.55).astype(np.float64), daily(500)), 1.0)
        uneven += inside(stability((draw.random(500) < truth).astype(np.float64), daily(500)), spread)
    assert even >= 180
    assert uneven >= 180


def test_an_accuracy_that_broke_down_is_not_stable() -> None:
    hits = np.tile([1.0, 0.0], 200)
    broken = np.where(np.arange(400) < 200, hits, 0.0)
    assert stability(hits, daily(400)).value == pytest.approx(1.0)
    found = stability(broken, daily(400))
    assert found.value is not None
    assert found.value < 0.3
    assert found.interval is not None
    assert found.interval.high < 0.5


@pytest.mark.parametrize("hits", [np.ones(4), np.zeros(50), np.empty(0)])
def test_stability_of_nothing_is_not_defined(hits: Floats) -> None:
    blocks = daily(len(hits)) if len(hits) else np.empty(0, dtype=np.int64)
    assert stability(hits, blocks) == Measured(value=None)


def test_a_change_of_thousands_of_rows_is_told_apart_without_trouble() -> None:
    rate = np.repeat([1.0, 1.0, 1.0, 1.0, 0.0], 5_000)
    found = stability(rate * np.tile([1.0, 1.0, 0.0, 1.0, 1.0], 5_000), daily(25_000))
    assert found.value is not None
    assert inside(found, found.value)


def test_degradation_is_the_share_that_was_lost() -> None:
    then = Measured(value=0.6, interval=Interval(low=0.55, high=0.65, level=0.95))
    now = Measured(value=0.54, interval=Interval(low=0.50, high=0.58, level=0.95))
    found = degradation(now, then)
    assert found.value == pytest.approx(0.1)
    assert found.interval is not None
    gone = math.log(0.54 / 0.6)
    fell = math.hypot(math.log(0.54 / 0.50), math.log(0.65 / 0.6))
    rose = math.hypot(math.log(0.58 / 0.54), math.log(0.6 / 0.55))
    assert found.interval.low == pytest.approx(1 - math.exp(gone + rose))
    assert found.interval.high == pytest.approx(1 - math.exp(gone - fell))
    grown = degradation(then, now).value
    assert grown is not None
    assert grown < 0


def test_degradation_from_something_unknown_is_not_defined() -> None:
    known = Measured(value=0.6)
    assert degradation(known, Measured(value=None)) == Measured(value=None)
    assert degradation(Measured(value=None), known) == Measured(value=None)
    assert degradation(known, Measured(value=0.0)) == Measured(value=None)
    assert degradation(known, known) == Measured(value=0.0)
