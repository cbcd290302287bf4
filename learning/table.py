"""Samples as columns: what training, validation and verdicts work on.

One row a resolved decision, in the order in which decisions were taken. Features are the frozen ones of the decision;
a missing one is NaN. Nothing here is computed from prices: what was not known at the decision cannot come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from domain.clock import EPOCH
from domain.decisions import Sample
from domain.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Names = NDArray[np.str_]
Mask = NDArray[np.bool_]

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleTable:
    """Columns of equal length n, ordered by `decided_at`, then `decision_id`.

    `decided_at` and `resolved_at` are microseconds since 1970 UTC: a label spans the time between them. `side` is 1 for
    a purchase and -1 for a sale. `r_net` is profit net of all costs in multiples of the initial risk; `label` is 1
    where it was above 0, else 0. `weight` is above 0. `features` is n x k, `names` its k column names, all of them
    beginning with `f_`; `schema` identifies them and their meaning.
    """

    decision_id: Names
    decided_at: Ints
    resolved_at: Ints
    instrument: Names
    side: Ints
    strategy: Names
    r_net: Floats
    label: Ints
    weight: Floats
    source: Names
    features: Floats
    names: tuple[str, ...]
    schema: str

    def __post_init__(self) -> None:
        rows = len(self.decision_id)
        for name in _COLUMNS:
            if len(getattr(self, name)) != rows:
                raise InvalidInput(f"column {name} of a sample table has {len(getattr(self, name))} rows, not {rows}")
        if self.features.shape != (rows, len(self.names)):
            raise InvalidInput(f"features are {self.features.shape}, not {rows} x {len(self.names)}")
        if rows and bool((np.diff(self.decided_at) < 0).any()):
            raise InvalidInput("samples are not in the order in which they were decided")
        if bool((self.resolved_at < self.decided_at).any()):
            raise InvalidInput("a sample was resolved before it was decided")
        if not bool(np.isin(self.label, (0, 1)).all()):
            raise InvalidInput("a label is neither 0 nor 1")
        if not (bool(np.isfinite(self.r_net).all()) and bool((self.weight > 0).all())):
            raise InvalidInput("an R is not finite or a weight is not above 0")

    def __len__(self) -> int:
        return len(self.decision_id)

    def take(self, rows: Mask | Ints | slice) -> SampleTable:
        """The rows of a mask, of ascending indices or of a slice."""
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return SampleTable(**columns, names=self.names, schema=self.schema)

    def project(self, names: Sequence[str]) -> Floats:
        """The features of these names, in this order; raises `InvalidInput` when one is not there."""
        places = {name: place for place, name in enumerate(self.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise InvalidInput(f"the samples have no feature {', '.join(missing)}")
        found: Floats = self.features[:, [places[name] for name in names]]
        return found


_COLUMNS = tuple(field.name for field in fields(SampleTable) if field.name not in ("names", "schema"))


def table_of(samples: Sequence[Sample], schema: str) -> SampleTable:
    """The samples that have features of this schema, as columns; the others are left out."""
    known = [sample for sample in samples if sample.features.schema == schema]
    known.sort(key=lambda sample: (sample.decided_at, sample.decision_id))
    names = tuple(sorted(known[0].features.values)) if known else ()
    features = np.full((len(known), len(names)), np.nan)
    for row, sample in enumerate(known):
        values = sample.features.values
        for place, name in enumerate(names):
            value = values[name]
            if value is not None:
                features[row, place] = value
    return SampleTable(
        decision_id=np.array([sample.decision_id for sample in known], dtype=np.str_),
        decided_at=np.array([_micros(sample.decided_at) for sample in known], dtype=np.int64),
        resolved_at=np.array([_micros(sample.resolved_at) for sample in known], dtype=np.int64),
        instrument=np.array([sample.instrument for sample in known], dtype=np.str_),
        side=np.array([sample.side.sign for sample in known], dtype=np.int64),
        strategy=np.array([sample.strategy for sample in known], dtype=np.str_),
        r_net=np.array([sample.r_net for sample in known], dtype=np.float64),
        label=np.array([sample.label for sample in known], dtype=np.int64),
        weight=np.array([sample.weight for sample in known], dtype=np.float64),
        source=np.array([sample.source.value for sample in known], dtype=np.str_),
        features=features,
        names=names,
        schema=schema,
    )


def _micros(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND
