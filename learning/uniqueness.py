"""What a sample is worth where labels overlap: average uniqueness (López de Prado 2018, chapter 4).

Labels that live through the same stretch of market tell the same story. Where c labels are alive at a moment, each is
given 1/c of it; a label's uniqueness is the mean of that over its span. Two figures are kept apart. Within instruments,
labels overlap only with labels of their own instrument: what to weigh samples with. Pooled, with all labels, as if all
instruments moved as one: the strict figure for how much evidence there is, since instruments do move together. The
truth lies between the two: at the first where returns are independent, at the second where they are the same.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from domain.errors import InvalidInput
from learning.table import Floats, Ints, SampleTable

_TICK = 1
_MICROSECOND = timedelta(microseconds=1)
_FAINTEST = 1e-12
"""Least share of its weight that age leaves a sample: none becomes 0, which no weight may be."""


def average_uniqueness(table: SampleTable, *, pooled: bool = False) -> Floats:
    """The uniqueness of each label, in (0, 1], shape (n,); 1 where no other is alive at the same time.

    u_i = 1 / (t1 - t0) x integral from t0 to t1 of dt / c(t), with c(t) the number of labels alive at t. A label lives
    from `decided_at` up to but not including `resolved_at`; one of no length lives for a microsecond. Time is clock
    time: the hours in which a market is closed count like others. O(n log n).
    """
    began = table.decided_at
    ended = np.maximum(table.resolved_at, began + _TICK)
    found = np.empty(len(table))
    if pooled:
        found[:] = _uniqueness(began, ended)
        return found
    _, codes = np.unique(table.instrument, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        found[rows] = _uniqueness(began[rows], ended[rows])
    return found


def training_weights(table: SampleTable, *, half_life: timedelta | None) -> Floats:
    """What each sample weighs in training, shape (n,), mean 1: weight x uniqueness within instruments x decay.

    The decay halves every `half_life` before the newest decision; None is none. Raises `InvalidInput` for a half-life
    that is not above 0.
    """
    if half_life is not None and half_life <= timedelta(0):
        raise InvalidInput(f"half_life is {half_life}; it must be above 0, or None for no decay")
    if not len(table):
        return np.empty(0)
    weights = table.weight * average_uniqueness(table)
    if half_life is not None:
        age = (table.decided_at[-1] - table.decided_at) / (half_life / _MICROSECOND)
        weights = weights * np.maximum(np.exp2(-age), _FAINTEST)
    found: Floats = weights / weights.mean()
    return found


def effective_samples(table: SampleTable, *, pooled: bool = False) -> float:
    """How many labels without overlap these are worth: the sum of their uniqueness, between 0 and n.

    Within instruments by default; `pooled` gives the strict figure over all instruments, never the larger of the two.
    """
    return float(average_uniqueness(table, pooled=pooled).sum())


def _uniqueness(began: Ints, ended: Ints) -> Floats:
    """Uniqueness among these spans; each is longer than 0."""
    moments, places = np.unique(np.concatenate((began, ended)), return_inverse=True)
    first, last = places[: len(began)], places[len(began) :]
    change = np.bincount(first, minlength=len(moments)) - np.bincount(last, minlength=len(moments))
    alive = np.maximum(np.cumsum(change)[:-1], 1)  # where none is alive, no span asks
    # A running sum of dt / c over years of microseconds would drown a short span in rounding. Its whole microseconds
    # are summed exactly, and only what is left of each division as a float.
    whole, left = np.divmod(np.diff(moments), alive)
    wholes = np.concatenate(([0], np.cumsum(whole)))
    shares = np.concatenate(([0.0], np.cumsum(left / alive)))
    lived = (wholes[last] - wholes[first]) + (shares[last] - shares[first])
    found: Floats = np.minimum(lived / (ended - began), 1.0)
    return found
