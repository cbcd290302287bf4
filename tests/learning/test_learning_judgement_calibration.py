"""Calibrators: fitted as published, monotone, never upside down, the same after JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.calibration import (
    CLIP,
    Calibrator,
    Constant,
    Identity,
    Isotonic,
    Sigmoid,
    calibrator_of,
    choose_calibrator,
    fit_isotonic,
    fit_sigmoid,
)
from learning.judgement.ranking import auc
from learning.judgement.scores import ece, log_loss

CALIBRATORS: tuple[Calibrator, ...] = (
    Identity(),
    Constant(probability=1 / 3),
    Sigmoid(slope=0.1 + 0.2, intercept=-1 / 7),
    Sigmoid(slope=1e4, intercept=3.0),
    Isotonic(at=(0.1, 0.1 + 0.2, 0.7), said=(0.0, 1 / 3, 1.0)),
)


def world(seed: int, rows: int, *, bend: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a true chance, and what a model says whose log-odds are off by `bend` and `shift`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-0.5, 0.8, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return 1 / (1 + np.exp(-(bend * odds + shift))), y


def test_the_sigmoid_is_that_of_scikit_learn() -> None:
    from sklearn.calibration import _sigmoid_calibration

    p, y = world(1, 800, bend=3)
    w = np.random.default_rng(2).uniform(0.2, 2, 800)
    known_slope, known_intercept = _sigmoid_calibration(np.log(p / (1 - p)), y, sample_weight=w)
    found = fit_sigmoid(p, y, w)
    assert isinstance(found, Sigmoid)
    assert (found.slope, found.intercept) == pytest.approx((-known_slope, -known_intercept), rel=1e-3)


def test_the_sigmoid_undoes_overconfidence_and_balanced_training() -> None:
    p, y = world(3, 20_000, bend=3, shift=1)
    found = fit_sigmoid(p, y)
    assert isinstance(found, Sigmoid)
    assert (found.slope, found.intercept) == pytest.approx((1 / 3, -1 / 3), abs=0.04)
    assert ece(found.apply(p), y) < 0.02 < ece(p, y)


def test_few_labels_that_are_separated_do_not_become_certainties() -> None:
    """Smoothed targets: without them the slope would run away."""
    found = fit_sigmoid([0.3, 0.4, 0.6, 0.7], [0, 0, 1, 1])
    assert isinstance(found, Sigmoid)
    said = found.apply([0.0, 0.3, 0.7])
    assert 0.1 < said[1] < 0.4
    assert 0.6 < said[2] < 0.9
    assert fit_sigmoid([0.3, 0.4], [1, 1]) == Constant(probability=3 / 4)


@pytest.mark.parametrize("effective", [100.0, 1_500.0, 5_000.0])
def test_a_model_that_ranks_the_wrong_way_round_is_silenced_and_not_turned_round(effective: float) -> None:
    p, y = world(4, 4_000, bend=-1)
    found = choose_calibrator(p, y, effective=effective)
    assert found == Constant(probability=(y.sum() + 1) / (len(y) + 2))
    assert auc(found.apply(p), y) == 0.5


def test_a_model_that_says_one_thing_only_becomes_the_share_of_winners() -> None:
    found = choose_calibrator(np.full(60, 0.5), [1] * 20 + [0] * 40, effective=60)
    assert found == Constant(probability=21 / 62)


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda calibrator: str(calibrator.document()["kind"]))
def test_a_document_brings_the_same_calibrator_back_bit_for_bit(calibrator: Calibrator) -> None:
    again = calibrator_of(json.loads(json.dumps(calibrator.document())))
    assert again == calibrator
    p = np.random.default_rng(1).random(200)
    assert again.apply(p).tobytes() == calibrator.apply(p).tobytes()


@settings(deadline=None)
@given(st.sampled_from(CALIBRATORS), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_what_is_said_ascends_with_p_and_stays_within_the_clip(calibrator: Calibrator, drawn: list[float]) -> None:
    said = calibrator.apply(sorted(drawn))
    assert (np.diff(said) >= 0).all()
    assert said.min() >= CLIP
    assert said.max() <= 1 - CLIP


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1), st.floats(0.01, 10)), min_size=1, max_size=40))
def test_whatever_is_fitted_is_a_calibrator(rows: list[tuple[float, int, float]]) -> None:
    p, y, w = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    for found in (fit_sigmoid(p, y, w), fit_isotonic(p, y, w), choose_calibrator(p, y, w, effective=5_000)):
        said = found.apply(np.linspace(0, 1, 50))
        assert (np.diff(said) >= 0).all()
        assert calibrator_of(json.loads(json.dumps(found.document()))) == found


def test_isotonic_is_that_of_scikit_learn_within_the_clip() -> None:
    from sklearn.isotonic import IsotonicRegression

    p, y = world(5, 3_000)
    known = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    asked = np.linspace(0, 1, 500)
    assert fit_isotonic(p, y).apply(asked) == pytest.approx(np.clip(known.predict(asked), CLIP, 1 - CLIP))


def stepped(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A chance that jumps in the middle, which no sigmoid can follow."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, rows)
    return p, (rng.random(rows) < np.where(p > 0.5, 0.6, 0.3)).astype(np.int64)


def test_isotonic_needs_three_thousand_effective_labels_and_must_win() -> None:
    p, y = stepped(6, 6_000)
    assert isinstance(choose_calibrator(p, y, effective=2_999), Sigmoid)
    assert isinstance(choose_calibrator(p, y, effective=3_000), Isotonic)
    straight, labels = world(7, 6_000, bend=2, shift=0.5)
    assert isinstance(choose_calibrator(straight, labels, effective=6_000), Sigmoid)


def test_calibrated_probabilities_are_mostly_left_alone_and_bad_ones_are_not() -> None:
    left = sum(isinstance(choose_calibrator(*world(seed, 400), effective=400), Identity) for seed in range(20))
    mended = sum(isinstance(choose_calibrator(*world(seed, 400, bend=4), effective=400), Sigmoid) for seed in range(20))
    assert left >= 12
    assert mended == 20


def test_what_was_chosen_is_better_on_new_samples() -> None:
    p, y = world(8, 2_000, bend=3, shift=1)
    fresh, labels = world(9, 2_000, bend=3, shift=1)
    chosen = choose_calibrator(p, y, effective=2_000)
    assert log_loss(chosen.apply(fresh), labels) < log_loss(fresh, labels) - 0.1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "spline"},
        {"kind": "sigmoid", "slope": 1.0},
        {"kind": "sigmoid", "slope": -1.0, "intercept": 0.0},
        {"kind": "sigmoid", "slope": "1", "intercept": 0.0},
        {"kind": "sigmoid", "slope": 1.0, "intercept": float("nan")},
        {"kind": "constant", "probability": 1.0},
        {"kind": "isotonic", "at": [0.2, 0.1], "said": [0.1, 0.2]},
        {"kind": "isotonic", "at": [0.1, 0.2], "said": [0.2, 0.1]},
        {"kind": "isotonic", "at": [], "said": []},
        {"kind": "isotonic", "at": 3, "said": [0.1]},
        {"kind": "isotonic", "at": [0.1, 0.2], "said": [0.1]},
    ],
)
def test_a_document_of_something_else_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        calibrator_of(document)


def test_probabilities_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="outside"):
        Identity().apply([1.5])
    with pytest.raises(InvalidInput, match="missing"):
        Sigmoid(slope=1, intercept=0).apply([float("nan")])
    with pytest.raises(InvalidInput, match="worth 0 labels"):
        choose_calibrator([0.5, 0.4], [0, 1], effective=0)
