"""How well probabilities fit what came."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.scores import (
    LOG_CLIP,
    base_rate,
    brier,
    calibration_line,
    classified,
    ece,
    log_loss,
    log_losses,
    reliability,
)


def drawn(seed: int, rows: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 3, rows)
    return p, (rng.random(rows) < p).astype(np.int64), rng.uniform(0.2, 3, rows)


def test_the_scores_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    p, y, w = drawn(1)
    takes = p >= 0.4
    found = classified(p, y, threshold=0.4, w=w)
    assert log_loss(p, y, w) == pytest.approx(metrics.log_loss(y, p, sample_weight=w))
    assert log_losses(p, y).mean() == pytest.approx(metrics.log_loss(y, p))
    assert brier(p, y, w) == pytest.approx(metrics.brier_score_loss(y, p, sample_weight=w))
    assert found.precision == pytest.approx(metrics.precision_score(y, takes, sample_weight=w))
    assert found.recall == pytest.approx(metrics.recall_score(y, takes, sample_weight=w))
    assert found.f1 == pytest.approx(metrics.f1_score(y, takes, sample_weight=w))
    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, takes, sample_weight=w))
    assert found.taken == takes.sum()
    assert found.coverage == pytest.approx(w[takes].sum() / w.sum())
    assert base_rate(y, w) == pytest.approx(np.average(y, weights=w))


def test_a_probability_of_0_or_1_costs_a_bounded_loss() -> None:
    assert log_loss([0.0], [1]) == pytest.approx(-np.log(LOG_CLIP))
    assert log_loss([1.0], [0]) == pytest.approx(-np.log(LOG_CLIP))
    assert log_loss([1.0], [1]) == pytest.approx(0, abs=1e-5)


def test_what_is_not_defined_is_none() -> None:
    nothing = classified([0.1, 0.2], [0, 0], threshold=0.5)
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.accuracy) == (None, None, None, 1.0)
    assert calibration_line([0.1, 0.2], [1, 1]) is None
    assert calibration_line([0.3, 0.3], [0, 1]) is None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.999, 1.0]) | st.floats(0, 1), st.integers(0, 1)),
        min_size=1,
        max_size=80,
    )
)
def test_every_sample_is_in_exactly_one_bin_also_at_0_and_1(rows: list[tuple[float, int]]) -> None:
    p, y = [row[0] for row in rows], [row[1] for row in rows]
    bins = reliability(p, y)
    assert 1 <= len(bins) <= 10
    assert sum(found.samples for found in bins) == len(rows)
    assert sum(found.weight * found.mean_p for found in bins) == pytest.approx(sum(p))
    assert sum(found.weight * found.share_won for found in bins) == pytest.approx(sum(y))
    assert (bins[0].low, bins[-1].high) == (min(p), max(p))
    assert all(lower.high < upper.low for lower, upper in pairwise(bins))


def test_bins_hold_equally_many_and_equal_probabilities_stay_together() -> None:
    p, y, _ = drawn(2, 1_000)
    assert {found.samples for found in reliability(p, y)} == {100}
    tied = np.repeat([0.2, 0.7], [30, 70])
    assert [found.samples for found in reliability(tied, np.zeros(100))] == [30, 70]


def test_the_calibration_error_is_the_mean_gap() -> None:
    p = np.repeat([0.2, 0.7], [50, 50])
    y = np.repeat([1, 0, 1, 0], [20, 30, 25, 25])
    assert ece(p, y) == pytest.approx(0.5 * 0.2 + 0.5 * 0.2)
    calibrated, labels, _ = drawn(3, 20_000)
    assert ece(calibrated, labels) < 0.015
    assert ece(calibrated**2, labels) > 0.1


def test_the_calibration_line_finds_what_was_done_to_calibrated_log_odds() -> None:
    from sklearn.linear_model import LogisticRegression

    p, y, w = drawn(4, 20_000)
    odds = np.log(p / (1 - p))
    right = calibration_line(p, y)
    wrong = calibration_line(1 / (1 + np.exp(-(2 * odds + 1))), y)
    assert right is not None
    assert wrong is not None
    assert (right.slope, right.intercept) == pytest.approx((1, 0), abs=0.06)
    assert (wrong.slope, wrong.intercept) == pytest.approx((0.5, -0.5), abs=0.05)
    weighted = calibration_line(p, y, w)
    known = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, None], y, sample_weight=w)
    assert weighted is not None
    assert (weighted.slope, weighted.intercept) == pytest.approx((known.coef_[0, 0], known.intercept_[0]), abs=1e-5)


def test_labels_that_the_probability_separates_give_a_steep_line_and_no_overflow() -> None:
    found = calibration_line([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert found is not None
    assert 5 < found.slope <= 1e4
    assert np.isfinite(found.intercept)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_outside_0_and_1_is_refused(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        classified([0.5], [1], threshold=threshold)


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="weights"):
        brier([0.5, 0.5], [0, 1], [0, 0])
