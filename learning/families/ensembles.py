"""Ensembles: what their members said of rows that they were not trained on decides how they are joined.

Weights that depend on a likelihood count effective samples, not rows: overlapping labels repeat each other, and
counting them all would let a few hundred samples' luck pick one member (`effective`, see learning/uniqueness.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from domain.errors import InvalidInput
from learning.families.combiners import Average, ByRegime, Combiner, Line
from learning.families.loss import losses
from learning.portable.odds import NEAREST, log_odds_of
from learning.portable.parts import Part
from learning.table import Floats, Ints

REGIME_COLUMNS = ("f_regime_trend", "f_regime_volatility")
"""Each is -1, 0 or 1: nine cells."""
BLENDING_TAIL = 0.3
CELL_PRIOR = 100.0
"""So many effective samples a regime needs before its own weights count as much as the global ones."""
_REGIME_NEARESTS = (-0.5, 0.5)
_STEPS = 5_000
_NEAR_ENOUGH = 1e-6


class Ensemble(StrEnum):
    VOTING = "voting"
    """Equal weights."""
    BLENDING = "blending"
    """Weights of at least 0 that sum to 1, with the least log-loss on the newest rows."""
    STACKING = "stacking"
    """A penalised logistic regression on the members' log-odds."""
    BAYESIAN = "bayesian"
    """Weights proportional to exp(-effective samples x log-loss)."""
    DYNAMIC = "dynamic"
    """Bayesian weights of each market regime, drawn to the global ones where a regime was rare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One trained model of an ensemble; `label` is what reports call it."""

    label: str
    part: Part


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Out-of-fold probabilities (n x m) with what came of them; weights of mean 1."""

    said: Floats
    y: Ints
    w: Floats
    X: Floats
    names: tuple[str, ...]
    effective: float

    def take(self, rows: Ints) -> _Known:
        """Some rows, with the share of the effective samples that their weight is."""
        share = float(self.w[rows].sum() / self.w.sum())
        w = self.w[rows]
        return _Known(self.said[rows], self.y[rows], w / w.mean(), self.X[rows], self.names, self.effective * share)


def combine(
    kind: Ensemble | str,
    members: Sequence[Member],
    oof: Floats,
    y: Ints,
    w: Floats,
    X: Floats,
    names: Sequence[str],
    *,
    effective: float,
) -> Part:
    """The members joined into one part.

    `oof` is n x m: what each member's recipe said, trained without the row, in the order of `members`; `y`, `w` and
    the features `X` (n x k, columns `names`) are of the same rows, in the order of decisions. `effective` is how many
    independent samples the n rows are worth, in (0, n]. The members themselves are trained on all rows and are asked
    nothing here. Raises `InvalidInput` when shapes do not fit or something is not a number.
    """
    if len(members) != (oof.shape[1] if oof.ndim == 2 else -1):
        raise InvalidInput(f"{len(members)} members, but out-of-fold probabilities of shape {oof.shape}")
    known = _known(oof, y, w, X, names, effective)
    return _fitted(kind, known).over([member.part for member in members])


def combined_out_of_fold(
    kind: Ensemble | str,
    oof: Floats,
    y: Ints,
    w: Floats,
    X: Floats,
    names: Sequence[str],
    folds: Sequence[tuple[Ints, Ints]],
    *,
    effective: float,
) -> Floats:
    """What the ensemble says of each row when its weights were fitted without it: n probabilities.

    The weights alone are cross-fitted: what the members said of the rows to fit on came from models that may have
    learned the rows answered for, as in every stacking; the verdict is left to a window that none of them saw.
    `folds` are pairs of row indices (to fit on, to answer for), ascending. A row answered for more than once gets the
    mean, a row never answered for NaN. Raises `InvalidInput` as `combine` does, and where a fold answers for a row
    that it is fitted on.
    """
    known = _known(oof, y, w, X, names, effective)
    total, times = np.zeros(len(y)), np.zeros(len(y))
    for place, (fit, test) in enumerate(folds):
        if len(np.intersect1d(fit, test)):
            raise InvalidInput(f"fold {place}: an ensemble may not be scored on rows that its weights were fitted on")
        if not len(fit):
            raise InvalidInput(f"fold {place} has no rows to fit an ensemble on")
        total[test] += _fitted(kind, known.take(fit)).probability(known.said[test], known.X[test])
        times[test] += 1
    found: Floats = np.divide(total, times, out=np.full(len(y), np.nan), where=times > 0)
    return found


def fallback_of(kind: Ensemble | str, names: Sequence[str]) -> str:
    """Why an ensemble of this kind would be another one on such features; empty where it would not. For the log."""
    if ensemble_named(kind) is not Ensemble.DYNAMIC:
        return ""
    missing = [name for name in REGIME_COLUMNS if name not in names]
    if not missing:
        return ""
    return f"the samples have no {' and no '.join(missing)}: the dynamic ensemble is the bayesian one"


def ensemble_named(kind: Ensemble | str) -> Ensemble:
    """The ensemble of this name; raises `InvalidInput` with the names there are."""
    try:
        return Ensemble(kind)
    except ValueError as error:
        raise InvalidInput(f"there is no ensemble {kind!r}; there are {', '.join(Ensemble)}") from error


def _known(oof: Floats, y: Ints, w: Floats, X: Floats, names: Sequence[str], effective: float) -> _Known:
    rows = len(y)
    if oof.ndim != 2 or not rows or not oof.shape[1] or len(oof) != rows:
        raise InvalidInput(f"out-of-fold probabilities of shape {oof.shape} for {rows} labels")
    if w.shape != (rows,) or X.shape != (rows, len(names)):
        raise InvalidInput(f"{rows} labels, weights {w.shape}, features {X.shape} and {len(names)} names do not fit")
    if not bool(((oof >= 0) & (oof <= 1)).all()):  # false for NaN too
        raise InvalidInput("an out-of-fold probability is missing or not in [0, 1]")
    if not bool(np.isin(y, (0, 1)).all()) or not bool((np.isfinite(w) & (w > 0)).all()):
        raise InvalidInput("a label is neither 0 nor 1, or a weight is not a finite number above 0")
    if not 0 < effective <= rows:
        raise InvalidInput(
            f"effective is {effective}; the {rows} rows are worth more than 0 and at most {rows} samples"
        )
    held: Floats = np.clip(oof, NEAREST, 1.0 - NEAREST)
    return _Known(held, y, w / w.mean(), X, tuple(names), effective)


def _fitted(kind: Ensemble | str, known: _Known) -> Combiner:
    if known.said.shape[1] == 1:
        return Average(np.ones(1))
    return _FITTERS[ensemble_named(kind)](known)


def _voting(known: _Known) -> Combiner:
    members = known.said.shape[1]
    return Average(np.full(members, 1.0 / members))


def _blending(known: _Known) -> Combiner:
    tail = max(round(len(known.y) * BLENDING_TAIL), 1)
    newest = known.take(np.arange(len(known.y) - tail, len(known.y)))
    return Average(_least_loss_weights(np.exp(-losses(newest.said, newest.y)), newest.w / newest.w.sum()))


def _least_loss_weights(likelihood: Floats, share: Floats) -> Floats:
    """The mixture weights of greatest likelihood, by expectation maximisation (Dempster, Laird and Rubin 1977).

    The likelihood of a label under a mean of probabilities is the mean of its likelihoods (n x m), so this is the
    least log-loss. The problem is convex; the greatest slope towards one member bounds what is still to be gained
    (Lindsay 1983), in nats, and ends the search.
    """
    weights = np.full(likelihood.shape[1], 1.0 / likelihood.shape[1])
    for _ in range(_STEPS):
        slopes = share @ (likelihood / (likelihood @ weights)[:, None])
        if float(slopes.max()) - 1.0 < _NEAR_ENOUGH:
            break
        weights = weights * slopes
        weights /= weights.sum()
    return weights


def _stacking(known: _Known) -> Combiner:
    """A standard normal prior on the weights of standardised log-odds, against a likelihood of effective samples."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import: only training pays

    if len(np.unique(known.y)) < 2:
        raise InvalidInput("stacking needs both winners and losers among the rows that it is fitted on")
    odds = log_odds_of(known.said)
    centre = np.average(odds, axis=0, weights=known.w)
    spread = np.sqrt(np.average((odds - centre) ** 2, axis=0, weights=known.w))
    scale = np.where(spread > 1e-9, spread, 1.0)
    line = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8)
    line.fit((odds - centre) / scale, known.y, sample_weight=known.w / known.w.sum() * known.effective)
    coefficients: Floats = line.coef_[0] / scale
    return Line(coefficients, float(line.intercept_[0] - centre @ coefficients))


def _bayesian(known: _Known) -> Combiner:
    return Average(_posterior(known))


def _posterior(known: _Known) -> Floats:
    """Posterior model weights under equal priors, with out-of-fold log-loss in the place of the evidence.

    That is pseudo-Bayesian model averaging (Geisser and Eddy 1979; Yao et al. 2018), tempered: the sum of log
    likelihoods is taken over effective samples instead of rows.
    """
    loss = np.average(losses(known.said, known.y), axis=0, weights=known.w)
    weights = np.exp(-known.effective * (loss - loss.min()))
    found: Floats = weights / weights.sum()
    return found


def _dynamic(known: _Known) -> Combiner:
    if fallback_of(Ensemble.DYNAMIC, known.names):
        return _bayesian(known)
    edges = np.array(_REGIME_NEARESTS)
    columns = tuple(known.names.index(name) for name in REGIME_COLUMNS)
    everywhere = _posterior(known)
    cells = (len(edges) + 1) ** len(columns) + 1  # and one for rows that miss a regime
    alike = ByRegime(columns, (edges,) * len(columns), np.tile(everywhere, (cells, 1)))
    lies_in, weights = alike.cells(known.X), alike.weights.copy()
    for cell in np.unique(lies_in):
        here = known.take(np.flatnonzero(lies_in == cell))
        own = here.effective / (here.effective + CELL_PRIOR)
        weights[cell] = own * _posterior(here) + (1.0 - own) * everywhere
    return replace(alike, weights=weights)


_FITTERS: Mapping[Ensemble, Callable[[_Known], Combiner]] = {
    Ensemble.VOTING: _voting,
    Ensemble.BLENDING: _blending,
    Ensemble.STACKING: _stacking,
    Ensemble.BAYESIAN: _bayesian,
    Ensemble.DYNAMIC: _dynamic,
}
