"""From what a model says to how often it comes true: calibrators as a few numbers, fitted on unseen predictions.

All of them keep the order of the probabilities they are given (or make ties), and none turns a model upside down: one
whose winners lie below its losers is worth nothing, and what nobody meant must not be traded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.columns import Column, Floats, probabilities_of, scored_columns
from learning.judgement.logistic import LARGEST_SLOPE, fitted_line, logistic
from learning.judgement.scores import log_loss, log_odds

CLIP = 0.01
"""A calibrated probability lies in [CLIP, 1 - CLIP]: no sample supports more than that."""
ENOUGH_FOR_ISOTONIC = 3_000
"""Effective labels; below them its steps follow chance."""
FOLDS = 5


class Calibrator(Protocol):
    """Probabilities to probabilities, monotone, within [CLIP, 1 - CLIP]."""

    def apply(self, p: Column) -> Floats:
        """Calibrated p, in the same order; raises `InvalidInput` for a p outside [0, 1] or missing."""
        ...

    def document(self) -> dict[str, object]:
        """What `calibrator_of` reads back, bit for bit, also through JSON."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Leaves p as it is, within the clip."""

    def apply(self, p: Column) -> Floats:
        return _clipped(probabilities_of(p))

    def document(self) -> dict[str, object]:
        return {"kind": "identity"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Constant:
    """Says the same of every sample: what is left of a model that ranks the wrong way round."""

    probability: float

    def __post_init__(self) -> None:
        if not 0 < self.probability < 1:
            raise InvalidInput(f"a constant probability of {self.probability} does not lie in (0, 1)")

    def apply(self, p: Column) -> Floats:
        return _clipped(np.full(len(probabilities_of(p)), self.probability))

    def document(self) -> dict[str, object]:
        return {"kind": "constant", "probability": self.probability}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sigmoid:
    """Log-odds of p times `slope` plus `intercept`, back to a probability; the slope is above 0."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (0 < self.slope <= LARGEST_SLOPE and math.isfinite(self.intercept)):
            raise InvalidInput(f"a sigmoid of slope {self.slope} and intercept {self.intercept}; the slope is above 0")

    def apply(self, p: Column) -> Floats:
        return _clipped(logistic(self.slope * log_odds(probabilities_of(p)) + self.intercept))

    def document(self) -> dict[str, object]:
        return {"kind": "sigmoid", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, kw_only=True, slots=True)
class Isotonic:
    """Straight lines between points (`at`, `said`), level outside them; both ascend."""

    at: tuple[float, ...]
    said: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.at or len(self.at) != len(self.said):
            raise InvalidInput(f"an isotonic calibrator of {len(self.at)} points and {len(self.said)} values")
        if not bool((np.diff(self.at) > 0).all()) or not bool((np.diff(self.said) >= 0).all()):
            raise InvalidInput("the points of an isotonic calibrator must ascend")
        if not all(0 <= value <= 1 for value in (*self.at, *self.said)):
            raise InvalidInput("the points of an isotonic calibrator must lie in [0, 1]")

    def apply(self, p: Column) -> Floats:
        found: Floats = np.interp(probabilities_of(p), self.at, self.said)
        return _clipped(found)

    def document(self) -> dict[str, object]:
        return {"kind": "isotonic", "at": list(self.at), "said": list(self.said)}


def fit_sigmoid(p: Column, y: Column, w: Column | None = None) -> Sigmoid | Constant:
    """Platt scaling (Platt 1999) of the log-odds of p, with the smoothed targets and Newton steps of Lin, Lin and
    Weng (2007); p must be predictions of samples the model was not trained on.

    Weights count as that many labels. Of the log-odds rather than of p itself, so that a calibrated model comes out
    with slope 1 and intercept 0. When the slope is not above 0, or cannot be told because there is one class or one
    value of p, the answer is the constant share of winners, drawn towards one half by one label of each class.
    Raises `InvalidInput` for unfit columns.
    """
    scores, labels, weights = scored_columns(p, y, w)
    won, lost = float(weights @ labels), float(weights @ (1 - labels))
    share = Constant(probability=(won + 1) / (won + lost + 2))
    odds = log_odds(scores)
    if not (won and lost) or odds.min() == odds.max():
        return share
    targets = np.where(labels == 1, (won + 1) / (won + 2), 1 / (lost + 2))
    slope, intercept = fitted_line(odds, targets, weights)
    return Sigmoid(slope=slope, intercept=intercept) if slope > 0 else share


def fit_isotonic(p: Column, y: Column, w: Column | None = None) -> Isotonic:
    """Isotonic regression (Zadrozny and Elkan 2002) of labels on p; overfits below about a thousand labels.

    p must be predictions of samples the model was not trained on. Raises `InvalidInput` for unfit columns.
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - a second to import, only training needs it

    scores, labels, weights = scored_columns(p, y, w)
    used = weights > 0
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True, out_of_bounds="clip")
    fitted.fit(scores[used], labels[used], sample_weight=weights[used])
    return Isotonic(
        at=tuple(float(value) for value in fitted.X_thresholds_),
        said=tuple(float(value) for value in fitted.y_thresholds_),
    )


def choose_calibrator(p: Column, y: Column, w: Column | None = None, *, effective: float) -> Calibrator:
    """The calibrator for unseen predictions p, in order of decision, worth `effective` independent labels.

    A sigmoid where it has a lower log-loss than leaving p alone, in five contiguous folds each of which is said by
    what the other four fitted (no label is shuffled into its neighbours' fold); else the identity. Isotonic only from
    `ENOUGH_FOR_ISOTONIC` effective labels on, and only where its log-loss is lower still. A model whose slope is not
    above 0 gets the constant of `fit_sigmoid`, whatever the rest says. Raises `InvalidInput` for unfit columns or an
    `effective` that is not above 0.
    """
    scores, labels, weights = scored_columns(p, y, w)
    if not (effective > 0 and math.isfinite(effective)):
        raise InvalidInput(f"predictions worth {effective} labels; it must be a number above 0")
    counted = weights > 0
    scores, labels, weights = scores[counted], labels[counted], weights[counted]
    sigmoid = fit_sigmoid(scores, labels, weights)
    if isinstance(sigmoid, Constant):
        return sigmoid
    if len(scores) < 2 * FOLDS:
        return Identity()
    chosen: Calibrator = Identity()
    least = log_loss(Identity().apply(scores), labels, weights)
    crossed = _cross_fitted(fit_sigmoid, scores, labels, weights)
    if crossed < least:
        chosen, least = sigmoid, crossed
    if effective >= ENOUGH_FOR_ISOTONIC and _cross_fitted(fit_isotonic, scores, labels, weights) < min(crossed, least):
        chosen = fit_isotonic(scores, labels, weights)
    return chosen


def _cross_fitted(
    fit: Callable[[Floats, Floats, Floats], Calibrator], scores: Floats, labels: Floats, weights: Floats
) -> float:
    """The log-loss over all rows, each said by the calibrator that the other folds fitted."""
    said = np.empty(len(scores))
    for fold in np.array_split(np.arange(len(scores)), FOLDS):
        others = np.ones(len(scores), dtype=np.bool_)
        others[fold] = False
        said[fold] = fit(scores[others], labels[others], weights[others]).apply(scores[fold])
    return log_loss(said, labels, weights)


def calibrator_of(document: Mapping[str, object]) -> Calibrator:
    """The calibrator a document was made from; raises `InvalidInput` when it is none."""
    kind = document.get("kind")
    try:
        if kind == "identity":
            return Identity()
        if kind == "constant":
            return Constant(probability=_number(document["probability"]))
        if kind == "sigmoid":
            return Sigmoid(slope=_number(document["slope"]), intercept=_number(document["intercept"]))
        if kind == "isotonic":
            return Isotonic(at=_numbers(document["at"]), said=_numbers(document["said"]))
    except KeyError as error:
        raise InvalidInput(f"the document of a calibrator of kind {kind} lacks {error}") from error
    raise InvalidInput(f"no calibrator is of kind {kind!r}; known: identity, constant, sigmoid, isotonic")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{value!r} in a calibrator's document is not a finite number")
    return float(value)


def _numbers(value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(f"{value!r} in a calibrator's document is not a list of numbers")
    return tuple(_number(item) for item in value)


def _clipped(p: Floats) -> Floats:
    found: Floats = np.clip(p, CLIP, 1 - CLIP)
    return found
