"""Small bundles to lay down, load and break."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from learning.judgement.calibration import Sigmoid
from learning.portable.model import PortableModel, save_arrays
from learning.portable.parts import Constant, Linear, Mixture, Part
from learning.portable.preparation import Preparation
from learning.registry.bundle import ARRAYS, FILES, MANIFEST, MODEL, BundleContent
from learning.registry.folders import sha256_of
from learning.registry.manifest import Manifest
from learning.table import SampleTable

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = "schema-1"
NAMES = ("f_atr", "f_rsi", "f_spread")


def part(*, intercept: float = 0.25) -> Part:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, len(NAMES)))
    linear = Linear(
        preparation=Preparation.fit(rows, np.ones(40)), weights=np.array([0.5, -1.0, 2.0]), intercept=intercept
    )
    return Mixture(parts=(linear, Constant(log_odds_value=-0.4)), weights=np.array([0.75, 0.25]))


def content(**changes: Any) -> BundleContent:
    lawful = BundleContent(
        family="voting",
        created_by="ratchet 0.1",
        schema=SCHEMA,
        model=PortableModel(names=NAMES, part=part()),
        calibrator=Sigmoid(slope=0.8, intercept=-0.1),
        threshold=0.55,
        trained_from=FIRST,
        trained_until=FIRST + timedelta(days=90),
        known_until=FIRST + timedelta(days=95),
        samples=640,
        seed=7,
        versions={"numpy": "2.0", "scikit-learn": "1.6"},
        settings={"balanced": True, "splits": 5, "window_days": None},
        scores={"log_loss": 0.69, "auc": [0.49, 0.53, 0.57]},
        importances={"f_atr": 0.1, "f_rsi": 0.6, "f_spread": 0.3},
    )
    return replace(lawful, **changes)


def trained_on_day(day: int, **changes: Any) -> BundleContent:
    return content(trained_until=FIRST + timedelta(days=day), **changes)


def lay(folder: Path, manifest: Manifest, document: dict[str, Any], arrays: dict[str, Any]) -> tuple[str, str]:
    """A bundle of just these files, whatever they say; gives its name and its hash."""
    path = folder / manifest.model_id
    path.mkdir(parents=True)
    (path / MANIFEST).write_text(manifest.text())
    (path / MODEL).write_text(json.dumps(document))
    save_arrays(arrays, path / ARRAYS)
    return manifest.model_id, pinned(path)


def pinned(path: Path) -> str:
    """The hash that the files have now."""
    return sha256_of({name: (path / name).read_bytes() for name in FILES})


def table(rows: int, names: tuple[str, ...] = NAMES, *, missing: float = 0.2) -> SampleTable:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(rows, len(names)))
    features[rng.random(features.shape) < missing] = np.nan
    r_net = rng.normal(size=rows)
    decided = np.arange(rows, dtype=np.int64) * 3_600_000_000
    return SampleTable(
        decision_id=np.array([f"d-{row:04}" for row in range(rows)], dtype=np.str_),
        decided_at=decided,
        resolved_at=decided + 1,
        instrument=np.full(rows, "BTC-USD"),
        side=np.ones(rows, dtype=np.int64),
        strategy=np.full(rows, "trend"),
        r_net=r_net,
        label=(r_net > 0).astype(np.int64),
        weight=np.ones(rows),
        source=np.full(rows, "real"),
        features=features,
        names=names,
        schema=SCHEMA,
    )
