"""The logistic learner's arithmetic against river's own classes, to the last bit."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from domain.decisions import FeatureVector, Sample, SampleSource
from domain.orders import Side
from learning.online import OnlineFilter, OnlineSettings

AT = datetime(2024, 1, 1, tzinfo=UTC)
Row = tuple[dict[str, float | None], int, float]


class OfRiver:
    """River's scaler and regression, with the filter's three departures written around them as plainly as can be."""

    def __init__(self, rules: OnlineSettings) -> None:
        self.rules = rules
        self.scaler: Any = preprocessing.StandardScaler()
        step = optim.SGD(optim.schedulers.InverseScaling(rules.learning_rate, power=0.5))
        self.model: Any = linear_model.LogisticRegression(
            optimizer=step, l2=rules.l2, intercept_lr=0.0, clip_gradient=10.0
        )
        self.total, self.winners = 0.0, 0.0

    def usable(self, values: dict[str, float | None]) -> dict[str, float]:
        limit = self.rules.largest_input
        return {name: value for name, value in values.items() if value is not None and abs(value) <= limit}

    def drawn_in(self, row: dict[str, float]) -> dict[str, float]:
        drawn, sigmas = {}, self.rules.winsorise_sigmas
        for name, value in row.items():
            mean, variance = self.scaler.means.get(name, 0.0), self.scaler.vars.get(name, 0.0)
            far = (value - mean) * (value - mean) > sigmas * sigmas * variance
            if self.scaler.counts.get(name, 0) >= 30 and variance > 0 and far:
                drawn[name] = mean + math.copysign(sigmas * math.sqrt(variance), value - mean)
            else:
                drawn[name] = value
        return drawn

    def standardised(self, row: dict[str, float]) -> dict[str, float]:
        limit = self.rules.clip_sigmas
        known = {name: value for name, value in row.items() if name in self.scaler.counts}
        return {name: min(max(value, -limit), limit) for name, value in self.scaler.transform_one(known).items()}

    def predict(self, values: dict[str, float | None]) -> float:
        return float(self.model.predict_proba_one(self.standardised(self.usable(values)))[True])

    def learn(self, values: dict[str, float | None], label: int, weight: float) -> None:
        row = self.usable(values)
        if not row:
            return
        self.total += weight
        self.winners += weight * label
        self.scaler.learn_one(self.drawn_in(row))
        base = (self.winners + 1.0) / (self.total + 2.0)
        self.model.intercept = math.log(base / (1.0 - base))
        self.model.learn_one(self.standardised(row), bool(label), w=weight)


def sample(values: dict[str, float | None], label: int, weight: float) -> Sample:
    return Sample(
        decision_id="d",
        decided_at=AT,
        resolved_at=AT,
        instrument="BTCUSDT",
        side=Side.BUY,
        strategy="trend",
        features=FeatureVector(schema="s1", values=values),
        r_net=1.0 if label else -1.0,
        label=label,
        weight=weight,
        source=SampleSource.SHADOW,
    )


def assert_same_bits(rows: list[Row], rules: OnlineSettings) -> None:
    model, river = OnlineFilter(rules, schema="s1"), OfRiver(rules)
    for values, label, weight in rows:
        shown = river.usable(values)
        if shown:
            assert model._learner.predict_one(shown) == river.predict(values)  # type: ignore[arg-type]  # river is untyped
        model.learn(sample(values, label, weight))
        river.learn(values, label, weight)
    state = json.loads(model.checkpoint())
    names = state["features"]
    assert names == list(river.scaler.counts)
    assert state["seen"] == list(river.scaler.counts.values())
    assert [*map(repr, state["means"])] == [repr(float(river.scaler.means[name])) for name in names]
    assert [*map(repr, state["variances"])] == [repr(float(river.scaler.vars[name])) for name in names]
    weights = dict(zip(state["weight_names"] or names, map(repr, state["weights"]), strict=True))
    expected = {name: repr(float(weight)) for name, weight in river.model.weights.items()}
    assert list(weights.items()) == list(expected.items())
    assert state["steps"] == river.model.optimizer.n_iterations


VALUES = st.one_of(
    st.none(), st.sampled_from([0.0, -0.0, 1.0, 7]), st.floats(-1e12, 1e12, allow_nan=False), st.floats(-3, 3)
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=6),
            st.integers(0, 1),
            st.sampled_from([1.0, 0.25, 40.0]),
        ),
        max_size=45,
    ),
    rate=st.sampled_from([0.005, 0.1, 1.0]),
    l2=st.sampled_from([0.0, 0.05, 1.0]),
)
def test_whatever_rows_come_every_statistic_and_weight_has_rivers_bits(rows: list[Row], rate: float, l2: float) -> None:
    assert_same_bits(rows, OnlineSettings(learning_rate=rate, l2=l2))


def test_a_feature_that_moves_for_the_first_time_has_rivers_bits() -> None:
    rows: list[Row] = [
        ({"a": 5.0 if index < 40 else 5.0 + index, "b": float(index)}, index % 2, 1.0) for index in range(60)
    ]
    assert_same_bits(rows, OnlineSettings())


@pytest.mark.parametrize(("seed", "clip"), [(1, 2.0), (2, 3.0), (3, 0.5)])
def test_hundreds_of_rows_of_seventy_features_have_rivers_bits(seed: int, clip: float) -> None:
    draw = np.random.default_rng(seed)
    rows: list[Row] = []
    for index in range(400):
        row: dict[str, float | None] = {}
        for place in draw.permutation(69).tolist():
            value = float(draw.standard_t(2)) * 10.0 ** (place % 7)
            missing = draw.random() < 0.05 or (place == 3 and index < 200)
            row[f"f{place}"] = None if missing else value
        rows.append((row, int(draw.random() < 0.3), float(draw.choice([1.0, 0.3]))))
    assert_same_bits(rows, OnlineSettings(learning_rate=0.05, clip_sigmas=clip, winsorise_sigmas=3.0))
