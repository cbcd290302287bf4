"""The benchmark of trained models: every kind on the same rows as its library, and no figure for one that differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import scoring
from bench.request import Request
from learning.portable.model import PortableModel
from learning.portable.parts import Constant


def request_in(folder: Path) -> Request:
    return Request(candles=folder, work=folder, repeat=1)


def test_every_model_is_measured_on_many_rows_on_one_by_its_library_and_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.timing.BATCH_S", 1e-6)
    monkeypatch.setattr(scoring, "TRAINING_ROWS", 300)
    names = [figure.name for figure in scoring.run(request_in(tmp_path))]
    models, figures = ("linear", "boosting", "forest", "network"), ("rows", "row", "library", "read")
    assert names == [f"scoring.{model}.{figure}" for model in models for figure in figures]


def test_a_model_that_differs_from_its_library_gives_no_figure() -> None:
    X, y = scoring._rows(60, np.random.default_rng(0))
    trained = scoring._trained(X, y)["linear"]
    names = tuple(f"f_{place}" for place in range(scoring.COLUMNS))
    other = PortableModel(names=names, part=Constant(log_odds_value=0.3))
    with pytest.raises(RuntimeError, match="away from its library"):
        next(scoring._asked("linear", trained, other, X, 1))
