"""Sample tables that the tests of sample files, quality, uniqueness and accumulation share."""

from __future__ import annotations

from typing import Any

import numpy as np

from learning.table import SampleTable

HOUR = 3_600_000_000
START = 1_700_000_000_000_000


def samples(rows: int = 40, *, seed: int = 1, names: tuple[str, ...] = ("f_a", "f_b"), **columns: Any) -> SampleTable:
    """Decisions an hour apart that live one to nine hours, with a hole here and there; columns as given."""
    draw = np.random.default_rng(seed)
    decided_at = columns.pop("decided_at", START + np.arange(rows) * HOUR)
    r_net = draw.normal(size=rows)
    features = draw.normal(size=(rows, len(names)))
    features[draw.random(features.shape) < 0.1] = np.nan
    made = {
        "decision_id": np.array([f"d{seed}-{row:05d}" for row in range(rows)], dtype=np.str_),
        "decided_at": np.asarray(decided_at, dtype=np.int64),
        "resolved_at": np.asarray(decided_at, dtype=np.int64) + draw.integers(1, 10, rows) * HOUR,
        "instrument": draw.choice(np.array(["BTC/USDT", "EUR/USD", "BHP.AX"]), rows),
        "side": draw.choice([1, -1], rows),
        "strategy": draw.choice(np.array(["trend", "breakout", ""]), rows),
        "r_net": r_net,
        "label": (r_net > 0).astype(np.int64),
        "weight": draw.uniform(0.5, 2.0, rows),
        "source": np.full(rows, "backtest"),
        "features": features,
        "schema": "schema-1",
    }
    return SampleTable(**{**made, **columns}, names=names)


def spans(*pairs: tuple[int, int], instrument: str | tuple[str, ...] = "X", unit: int = HOUR) -> SampleTable:
    """Samples that live from and until these times."""
    rows = len(pairs)
    return samples(
        rows,
        decided_at=np.array([first * unit for first, _ in pairs], dtype=np.int64),
        resolved_at=np.array([last * unit for _, last in pairs], dtype=np.int64),
        instrument=np.array([instrument] * rows if isinstance(instrument, str) else instrument, dtype=np.str_),
        weight=np.ones(rows),
    )


def assert_same(one: SampleTable, other: SampleTable) -> None:
    """All columns are equal, a missing feature being equal to a missing one."""
    assert (one.names, one.schema) == (other.names, other.schema)
    for name in SampleTable.__dataclass_fields__:
        if name not in ("names", "schema"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
