"""What a trained model costs to ask: portable parts in NumPy beside the libraries they were trained with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import per_call
from learning.portable.export import exported
from learning.portable.model import PortableModel
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints

COLUMNS = 44
TRAINING_ROWS = 2_000
ROWS = 200
MISSING = 0.05
FARTHEST_APART = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trained:
    """An estimator of a library, what its rows go through first, and what it is, in words."""

    estimator: Any
    preparation: Preparation | None
    what: str

    def said_by_library(self, rows: Floats) -> Floats:
        """Its own probabilities of the rows."""
        prepared = rows if self.preparation is None else self.preparation.apply(rows)
        said: Floats = self.estimator.predict_proba(prepared)[:, 1]
        return said


def run(request: Request) -> Iterator[Figure]:
    """Probabilities of 200 rows of 44 features, a twentieth of them missing, and of one row."""
    rng = np.random.default_rng(0)
    X, y = _rows(TRAINING_ROWS, rng)
    rows, _ = _rows(ROWS, rng)
    names = tuple(f"f_{place}" for place in range(COLUMNS))

    for name, trained in _trained(X, y).items():
        model = PortableModel(names=names, part=exported(trained.estimator, trained.preparation))
        yield from _asked(name, trained, model, rows, request.repeat)


def _asked(name: str, trained: Trained, model: PortableModel, rows: Floats, repeat: int) -> Iterator[Figure]:
    """The model and its library on the same rows, after a look whether they agree."""
    difference = float(np.abs(model.probability(rows) - trained.said_by_library(rows)).max())
    if difference > FARTHEST_APART:
        raise RuntimeError(f"the portable {name} is {difference} away from its library")

    def us(which: str, what: str, work: Callable[[], object]) -> Figure:
        values = in_unit(per_call(work, repeat), "us")
        return Figure(name=f"scoring.{name}.{which}", what=f"{trained.what}: {what}", unit="us", values=values)

    one = rows[:1]
    yield us("rows", f"{len(rows)} rows", lambda: model.probability(rows))
    yield us("row", "one row", lambda: model.probability(one))
    yield us("library", f"{len(rows)} rows by its library", lambda: trained.said_by_library(rows))
    document, arrays = model.document()
    yield us("read", "the model checked and built from its arrays", lambda: PortableModel.read(document, arrays))


def _rows(count: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    X = rng.normal(size=(count, COLUMNS))
    y = (X[:, 0] + X[:, 1] * X[:, 2] + 2 * rng.normal(size=count) > 0).astype(np.int64)
    X[rng.random(X.shape) < MISSING] = np.nan
    return X, y


def _trained(X: Floats, y: Ints) -> dict[str, Trained]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    preparation = Preparation.fit(X, np.ones(len(X)))
    prepared = preparation.apply(X)
    boosting = HistGradientBoostingClassifier(max_iter=100, max_depth=6, early_stopping=False, random_state=0)
    forest = RandomForestClassifier(200, max_depth=8, n_jobs=1, random_state=0)
    network = MLPClassifier((100, 50), batch_size=len(X), random_state=0)
    for _ in range(5):
        network.partial_fit(prepared, y, classes=np.array((0, 1)))
    return {
        "linear": Trained(
            estimator=LogisticRegression().fit(prepared, y), preparation=preparation, what="logistic regression"
        ),
        "boosting": Trained(estimator=boosting.fit(X, y), preparation=None, what="100 boosted trees of depth 6"),
        "forest": Trained(estimator=forest.fit(X, y), preparation=None, what="200 trees of depth 8"),
        "network": Trained(estimator=network, preparation=preparation, what="a network of 100 and 50 units"),
    }
