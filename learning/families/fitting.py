"""Training one family on some rows of a table, in the one way that holds for shipped and users' families alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from domain.errors import InvalidInput
from learning.families.family import Family
from learning.families.rows import training_rows
from learning.portable.parts import Part, Stack
from learning.table import Floats, Ints

_LOOKED_AT = 500


def fitted(
    family: Family,
    settings: Mapping[str, object],
    X: Floats,
    y: Ints,
    w: Floats,
    rows: Ints,
    *,
    seed: int,
    balance: bool = True,
) -> Part:
    """The family's model learned from `rows` (ascending indices) of the table; no other row is looked at.

    With `balance` winners and losers weigh the same in training, and the log-odds are moved back by what that
    shifted them (`prior_shift`), so that probabilities lie near the share of winners again; how well they fit is
    for a calibrator to find. Raises `InvalidInput` when nothing can be learned from the rows, when the family
    refuses its parameters, or when its model does not give a finite number for each row.
    """
    if rows.ndim != 1 or not len(rows) or bool((np.diff(rows) <= 0).any()) or rows[0] < 0 or rows[-1] >= len(y):
        raise InvalidInput(f"{family.name}: rows to train on are ascending indices below {len(y)}, at least one")
    seen = training_rows(family.name, X[rows], y[rows], w[rows])
    weights = balanced(seen.y, seen.w) if balance else seen.w
    try:
        part = family.fit(seen.X, seen.y, weights, settings, seed)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InvalidInput(f"{family.name} could not be trained with {dict(settings)}: {error}") from error
    _require_answers(family.name, part, seen.X)
    if not balance:
        return part
    return Stack(parts=(part,), coefficients=np.ones(1), intercept=-prior_shift(seen.y, seen.w))


def balanced(y: Ints, w: Floats) -> Floats:
    """Weights of mean 1 under which winners and losers weigh the same; both must be there."""
    totals = np.array([w[y == 0].sum(), w[y == 1].sum()])
    found: Floats = w / totals[y] * (len(y) / 2.0)
    return found


def prior_shift(y: Ints, w: Floats) -> float:
    """By how much balancing moves log-odds: those of the balanced share, 0, less those of the weighted one.

    Subtracting it is exact for a model that is right (King and Zeng 2001, "prior correction").
    """
    return float(np.log(w[y == 0].sum() / w[y == 1].sum()))


def _require_answers(family: str, part: Part, X: Floats) -> None:
    if not isinstance(part, Part):
        raise InvalidInput(f"{family}: fit() gives a {type(part).__name__}, not a part of learning.portable.parts")
    some = X[-_LOOKED_AT:]
    said = np.asarray(part.log_odds(some))
    if said.shape != (len(some),) or not bool(np.isfinite(said).all()):
        raise InvalidInput(f"{family}: its model gives {said.shape} log-odds for {len(some)} rows, or some not finite")
