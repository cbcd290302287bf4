"""The rows and parameters that a family is trained with, checked before anything is learned from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from learning.families.family import Setting
from learning.table import Floats, Ints

LARGEST = 1e30
"""A feature beyond this is no measurement; scikit-learn's trees compare in single precision, which ends at 3e38."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n x k features, labels and weights whose mean is 1, so that a penalty means the same for every sample."""

    X: Floats
    y: Ints
    w: Floats

    def take(self, rows: Ints | slice) -> Rows:
        """Some of the rows; their weights are left as they are."""
        return Rows(self.X[rows], self.y[rows], self.w[rows])


def training_rows(family: str, X: Floats, y: Ints, w: Floats) -> Rows:
    """The rows as a family trains on them; raises `InvalidInput`, naming the family, when nothing can be learned.

    A column that is missing throughout becomes 0: it teaches as little, and scikit-learn cannot bin one without values.
    """
    if X.ndim != 2 or y.shape != (len(X),) or w.shape != (len(X),):
        raise InvalidInput(
            f"{family}: features {X.shape}, labels {y.shape} and weights {w.shape} are not of one length"
        )
    if not len(X) or not X.shape[1]:
        raise InvalidInput(f"{family}: {len(X)} rows of {X.shape[1]} features; at least one of each is needed")
    if bool((np.abs(X) > LARGEST).any()):  # a comparison with NaN is false: a missing value passes
        raise InvalidInput(f"{family}: a feature is infinite or beyond {LARGEST:g}; a missing value is NaN")
    if not bool(np.isin(y, (0, 1)).all()):
        raise InvalidInput(f"{family}: a label is neither 0 nor 1")
    if not bool((np.isfinite(w) & (w > 0)).all()):
        raise InvalidInput(f"{family}: a weight is not a finite number above 0")
    winners = int(np.count_nonzero(y))
    if winners in (0, len(y)):
        raise InvalidInput(
            f"{family}: all {len(y)} labels are {int(y[0])}; a model needs both winners and losers to learn from"
        )
    scaled: Floats = w / w.mean()
    features = np.where(np.isnan(X).all(axis=0), 0.0, X)
    return Rows(np.ascontiguousarray(features, dtype=np.float64), y.astype(np.int64), scaled)


def settled(family: str, defaults: Mapping[str, Setting], settings: Mapping[str, object]) -> dict[str, Any]:
    """The defaults with `settings` over them; an unknown name or another kind of value raises `InvalidInput`."""
    unknown = sorted(set(settings) - set(defaults))
    if unknown:
        raise InvalidInput(f"{family}: there is no setting {', '.join(unknown)}; it has {', '.join(sorted(defaults))}")
    for name, value in settings.items():
        default = defaults[name]
        wanted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidInput(f"{family}: {name} is {value!r}; it must be a value like {default!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{family}: {name} is {value!r}; it must be finite")
    return {**defaults, **settings}


def varied(
    defaults: Mapping[str, Setting],
    choices: Mapping[str, Sequence[Setting]],
    budget: int,
    rng: np.random.Generator,
) -> tuple[Mapping[str, Setting], ...]:
    """The defaults, then others of the grid `choices` in a drawn order, `budget` at most and none twice.

    A greater budget drawn from the same seed begins with the same sets.
    """
    if budget < 1:
        raise InvalidInput(f"a budget of {budget} parameter sets; at least 1 is needed")
    grid = [{**defaults, **dict(zip(choices, values, strict=True))} for values in product(*choices.values())]
    others = [each for each in grid if each != dict(defaults)]
    drawn = [others[place] for place in rng.permutation(len(others))]
    return (dict(defaults), *drawn)[:budget]


def library(family: str, module: str, how: str) -> ModuleType:
    """An optional library; raises `InvalidInput` with how to get it when it is not installed."""
    require_library(family, module, how)
    return import_module(module)


def require_library(family: str, module: str, how: str) -> None:
    """Raises `InvalidInput` when an optional library is not installed; imports nothing."""
    if find_spec(module) is None:
        raise InvalidInput(f"the family {family} needs {module}, which is not installed: {how}")


@contextmanager
def one_thread() -> Iterator[None]:
    """Numeric libraries that are loaded already use one thread inside: the order of sums, and so the bits, is fixed.

    It also leaves the other cores to the daemon, which trades while a model is trained.
    """
    with import_module("threadpoolctl").threadpool_limits(limits=1):
        yield
