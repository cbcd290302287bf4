"""What an ensemble has learned about its members, apart from them: it answers from their probabilities alone.

So it can be fitted and tried on out-of-fold probabilities, where there is no single trained model to ask, and put
over the trained models afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from learning.portable.odds import log_odds_of, probability_of
from learning.portable.parts import Constant, Mixture, Part, Regimes, Stack
from learning.table import Floats, Ints


class Combiner(Protocol):
    """Joins n x m member probabilities; `X` is n x k, for those that look at the market too."""

    def probability(self, said: Floats, X: Floats) -> Floats:
        """P(winner), n numbers."""
        ...

    def over(self, parts: Sequence[Part]) -> Part:
        """The same over models, in the order of the columns of `said`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """A mean of probabilities; weights are at least 0 and sum to 1."""

    weights: Floats

    def probability(self, said: Floats, X: Floats) -> Floats:
        del X
        found: Floats = said @ self.weights
        return found

    def over(self, parts: Sequence[Part]) -> Part:
        return Mixture(parts=tuple(parts), weights=self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Log-odds linear in the members' log-odds."""

    coefficients: Floats
    intercept: float

    def probability(self, said: Floats, X: Floats) -> Floats:
        del X
        return probability_of(log_odds_of(said) @ self.coefficients + self.intercept)

    def over(self, parts: Sequence[Part]) -> Part:
        return Stack(parts=tuple(parts), coefficients=self.coefficients, intercept=self.intercept)


@dataclass(frozen=True, slots=True, eq=False)
class ByRegime:
    """A mean whose weights (cells x members) depend on the cell in which the features at `columns` lie.

    `edges` are a column's cuts, ascending. Cells are counted as `learning.portable.parts.Regimes` counts them.
    """

    columns: tuple[int, ...]
    edges: tuple[Floats, ...]
    weights: Floats

    def cells(self, X: Floats) -> Ints:
        """The cell of each row."""
        anything = (Constant(log_odds_value=0.0),) * self.weights.shape[1]
        found: Ints = self._regimes(anything).cell(X).astype(np.int64)
        return found

    def probability(self, said: Floats, X: Floats) -> Floats:
        found: Floats = (said * self.weights[self.cells(X)]).sum(axis=1)
        return found

    def over(self, parts: Sequence[Part]) -> Part:
        return self._regimes(tuple(parts))

    def _regimes(self, parts: tuple[Part, ...]) -> Regimes:
        return Regimes(parts=parts, columns=self.columns, edges=self.edges, weights=self.weights)
