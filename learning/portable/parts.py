"""What a portable model is made of: each part gives log-odds for rows of features, the same bits for the same rows.

What a part says of a row does not depend on the rows beside it: products are taken row by row, because those of whole
matrices round differently with the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from learning.portable.arrays import finite, frozen, rows_of
from learning.portable.odds import bounded, log_odds_of, probability_of
from learning.portable.preparation import Preparation
from learning.portable.trees import Trees
from learning.table import Floats

__all__ = ["Constant", "Kernel", "Linear", "Mixture", "Network", "Part", "Regimes", "Stack", "Trees", "common_width"]

Activation = Literal["relu", "tanh", "logistic"]
ACTIVATIONS: tuple[Activation, ...] = ("relu", "tanh", "logistic")

_SUMS_TO_ONE = 1e-9
_BLOCK = 262_144
"""Kernel values held at a time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Constant:
    """The same log-odds for every row: the base rate, for instance."""

    log_odds_value: float

    def __post_init__(self) -> None:
        finite(self.log_odds_value, "a constant part")

    @property
    def width(self) -> None:
        """It takes rows of any width."""

    def log_odds(self, X: Floats) -> Floats:
        """(n,) times the value, within the bound of `odds`."""
        return bounded(np.full(len(rows_of(X, None)), self.log_odds_value, dtype=np.float64))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Linear:
    """A logistic regression: prepared rows times `weights` (k,), plus `intercept`."""

    preparation: Preparation
    weights: Floats
    intercept: float

    def __post_init__(self) -> None:
        shape = (self.preparation.width,)
        object.__setattr__(self, "weights", frozen(self.weights, "weights of a linear part", shape=shape))
        finite(self.intercept, "the intercept of a linear part")

    @property
    def width(self) -> int:
        """k."""
        return self.preparation.width

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of n x k rows, within the bound of `odds`; NaN is missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            return bounded(np.vecdot(self.preparation.apply(X), self.weights) + self.intercept)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """A perceptron of any number of layers; `activation` after each but the last, whose one output is the log-odds.

    `weights` of a layer are inputs x outputs, `biases` (outputs,).
    """

    preparation: Preparation
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    activation: Activation

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise InvalidInput(f"activation of a network is {self.activation!r}; allowed are {', '.join(ACTIVATIONS)}")
        if not self.weights or len(self.weights) != len(self.biases):
            raise InvalidInput(f"a network has {len(self.weights)} layers of weights and {len(self.biases)} of biases")
        inputs, weights, biases = self.preparation.width, [], []
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            weights.append(frozen(weight, f"weights of layer {layer} of a network", shape=(inputs, None)))
            inputs = weights[-1].shape[1]
            biases.append(frozen(bias, f"biases of layer {layer} of a network", shape=(inputs,)))
        if inputs != 1:
            raise InvalidInput(f"a network ends with {inputs} outputs; it must be 1")
        object.__setattr__(self, "weights", tuple(weights))
        object.__setattr__(self, "biases", tuple(biases))

    @property
    def width(self) -> int:
        """k."""
        return self.preparation.width

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of n x k rows, within the bound of `odds`; NaN is missing."""
        signal = self.preparation.apply(X)
        with np.errstate(over="ignore", invalid="ignore"):
            for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
                signal = _activated(np.vecmat(signal, weight) + bias, self.activation)
            return bounded(np.vecdot(signal, self.weights[-1][:, 0]) + self.biases[-1][0])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Kernel:
    """A support vector machine with radial kernel: d = sum of c exp(-gamma |x - s|^2) + intercept over its m vectors.

    `support` is m x k in prepared columns, `coefficients` (m,). Its log-odds are -(`slope` d + `offset`): Platt's
    p = 1 / (1 + exp(slope d + offset)) (Platt 1999), where a slope below 0 means that d speaks for a profit.
    """

    preparation: Preparation
    support: Floats
    coefficients: Floats
    intercept: float
    gamma: float
    slope: float
    offset: float

    def __post_init__(self) -> None:
        support = frozen(self.support, "support of a kernel part", shape=(None, self.preparation.width))
        object.__setattr__(self, "support", support)
        coefficients = frozen(self.coefficients, "coefficients of a kernel part", shape=(len(support),))
        object.__setattr__(self, "coefficients", coefficients)
        for name in ("intercept", "gamma", "slope", "offset"):
            finite(getattr(self, name), f"{name} of a kernel part")
        if self.gamma <= 0:
            raise InvalidInput(f"gamma of a kernel part is {self.gamma}; it must be above 0")

    @property
    def width(self) -> int:
        """k."""
        return self.preparation.width

    def decision(self, X: Floats) -> Floats:
        """(n,) d of n x k rows."""
        rows = self.preparation.apply(X)
        lengths = np.vecdot(self.support, self.support)
        decision = np.empty(len(rows))
        step = max(1, _BLOCK // max(1, len(self.support)))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), step):
                block = rows[start : start + step]
                distance = np.matvec(self.support, block)
                distance *= -2.0
                distance += lengths
                distance += np.vecdot(block, block)[:, np.newaxis]
                np.maximum(distance, 0.0, out=distance)  # rounding may bring a distance of 0 below it
                distance *= -self.gamma
                decision[start : start + step] = np.vecdot(np.exp(distance, out=distance), self.coefficients)
            return decision + self.intercept

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of n x k rows, within the bound of `odds`; NaN is missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            return bounded(-(self.slope * self.decision(X) + self.offset))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mixture:
    """The mean of its parts' probabilities by `weights` (parts,), not below 0, of sum 1.

    Voting, blending and Bayesian model averaging all come to this; they differ in where the weights are from.
    """

    parts: tuple[Part, ...]
    weights: Floats

    def __post_init__(self) -> None:
        weights = frozen(self.weights, "weights of a mixture", shape=(len(self.parts),))
        object.__setattr__(self, "weights", weights)
        _check_shares(weights, "weights of a mixture")
        common_width(self.parts)

    @property
    def width(self) -> int | None:
        """The columns that its parts take."""
        return common_width(self.parts)

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of the mean probability of n x k rows."""
        rows = rows_of(X, self.width)
        mean = np.zeros(len(rows))
        for part, weight in zip(self.parts, self.weights, strict=True):
            mean += weight * probability_of(part.log_odds(rows))
        return log_odds_of(mean)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stack:
    """A logistic regression over its parts' log-odds: `coefficients` (parts,) and `intercept` (Wolpert 1992)."""

    parts: tuple[Part, ...]
    coefficients: Floats
    intercept: float

    def __post_init__(self) -> None:
        coefficients = frozen(self.coefficients, "coefficients of a stack", shape=(len(self.parts),))
        object.__setattr__(self, "coefficients", coefficients)
        finite(self.intercept, "the intercept of a stack")
        common_width(self.parts)

    @property
    def width(self) -> int | None:
        """The columns that its parts take."""
        return common_width(self.parts)

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of n x k rows, within the bound of `odds`."""
        rows = rows_of(X, self.width)
        total = np.full(len(rows), self.intercept, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            for part, coefficient in zip(self.parts, self.coefficients, strict=True):
                total += coefficient * part.log_odds(rows)
        return bounded(total)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Regimes:
    """A mixture whose weights depend on the regime that a row was decided in.

    Column `columns`[i] is cut at the ascending `edges`[i] into len(edges[i]) + 1 bins; a value on an edge belongs to
    the bin above it. The bins of all columns together are a cell, the last column counting fastest. One cell more
    stands at the end, for rows in which one of these columns is missing. `weights` are cells x parts; each row of them
    is not below 0 and sums to 1.
    """

    parts: tuple[Part, ...]
    columns: tuple[int, ...]
    edges: tuple[Floats, ...]
    weights: Floats

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) != len(self.edges):
            raise InvalidInput(f"regimes have {len(self.columns)} columns and {len(self.edges)} sets of edges")
        edges = tuple(frozen(each, "edges of regimes", shape=(None,)) for each in self.edges)
        if any(bool((np.diff(each) <= 0).any()) for each in edges):
            raise InvalidInput("edges of regimes do not ascend")
        object.__setattr__(self, "edges", edges)
        weights = frozen(self.weights, "weights of regimes", shape=(_cells(edges), len(self.parts)))
        object.__setattr__(self, "weights", weights)
        _check_shares(weights, "weights of regimes")
        width = common_width(self.parts)
        if min(self.columns) < 0 or (width is not None and max(self.columns) >= width):
            raise InvalidInput(f"columns of regimes are {self.columns}; allowed is 0 to {(width or 0) - 1}")

    @property
    def width(self) -> int | None:
        """The columns that its parts take."""
        return common_width(self.parts)

    def cell(self, X: Floats) -> NDArray[np.intp]:
        """(n,) the cell of each of n x k rows."""
        rows = rows_of(X, self.width)
        if max(self.columns) >= rows.shape[1]:
            raise InvalidInput(f"regimes of columns {self.columns} were given rows of {rows.shape[1]}")
        cell = np.zeros(len(rows), dtype=np.intp)
        missing = np.zeros(len(rows), dtype=np.bool_)
        for column, edges in zip(self.columns, self.edges, strict=True):
            values = rows[:, column]
            cell = cell * (len(edges) + 1) + np.searchsorted(edges, values, side="right")
            missing |= np.isnan(values)
        return np.where(missing, len(self.weights) - 1, cell)

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of the mean probability of n x k rows, each by its cell's weights."""
        rows = rows_of(X, self.width)
        weights = self.weights[self.cell(rows)]
        mean = np.zeros(len(rows))
        for place, part in enumerate(self.parts):
            mean += weights[:, place] * probability_of(part.log_odds(rows))
        return log_odds_of(mean)


Part = Constant | Linear | Trees | Network | Kernel | Mixture | Stack | Regimes


def common_width(parts: Sequence[Part]) -> int | None:
    """The one width that all parts take, None where they take any; raises `InvalidInput` where they differ."""
    widths = {part.width for part in parts} - {None}
    if not parts or len(widths) > 1:
        raise InvalidInput(f"parts take {sorted(filter(None, widths))} columns; there must be one part, and one width")
    return widths.pop() if widths else None


def _cells(edges: Sequence[Floats]) -> int:
    cells = 1
    for each in edges:
        cells *= len(each) + 1
    return cells + 1


def _check_shares(weights: Floats, what: str) -> None:
    if not (bool((weights >= 0).all()) and bool((np.abs(weights.sum(axis=-1) - 1.0) <= _SUMS_TO_ONE).all())):
        raise InvalidInput(f"{what} are not all above or at 0 with a sum of 1")


def _activated(signal: Floats, activation: Activation) -> Floats:
    if activation == "relu":
        return np.maximum(signal, 0.0, out=signal)
    if activation == "tanh":
        return np.tanh(signal, out=signal)
    with np.errstate(over="ignore", invalid="ignore"):
        logistic: Floats = 1.0 / (1.0 + np.exp(-signal))
    return logistic
