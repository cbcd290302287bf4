"""The online filter: silent until it may speak, honest about what it knows, exact across a checkpoint."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.decisions import FeatureVector, MlClass, Sample, SampleSource
from domain.errors import InvalidInput, InvalidRecord
from domain.orders import Side
from learning.online import OnlineFilter, OnlineSettings, ThresholdMode

START = datetime(2024, 1, 1, tzinfo=UTC)
EAGER = OnlineSettings(minimum_labels=2, minimum_per_class=1)


def features(values: dict[str, float | None], schema: str = "s1") -> FeatureVector:
    return FeatureVector(schema=schema, values=values)


def sample(
    values: dict[str, float | None],
    label: int,
    *,
    index: int = 0,
    weight: float = 1.0,
    schema: str = "s1",
    source: SampleSource = SampleSource.SHADOW,
) -> Sample:
    return Sample(
        decision_id=f"d{index}",
        decided_at=START + timedelta(hours=index),
        resolved_at=START + timedelta(hours=index + 5),
        instrument="BTCUSDT",
        side=Side.BUY,
        strategy="trend",
        features=features(values, schema),
        r_net=3.0 if label else -1.0,
        label=label,
        weight=weight,
        source=source,
    )


def stream(count: int, *, width: int, strength: float, seed: int, base: float = 0.3) -> Iterator[Sample]:
    """Labels whose log-odds are moved by the first five features, on scales far from standard."""
    draw = np.random.default_rng(seed)
    offset = math.log(base / (1 - base))
    for index in range(count):
        row = draw.normal(size=width).tolist()
        odds = offset + strength * sum(row[:5])
        label = int(draw.random() < 1 / (1 + math.exp(-odds)))
        yield sample({f"f{j}": value * 10**j + 50 for j, value in enumerate(row)}, label, index=index)


def learned(samples: Iterator[Sample], rules: OnlineSettings | None = None) -> OnlineFilter:
    model = OnlineFilter(rules, schema="s1")
    for one in samples:
        assert model.learn(one)
    return model


def test_it_says_unknown_without_a_probability_until_it_has_enough_labels() -> None:
    model = OnlineFilter(schema="s1")
    for index in range(12):
        model.learn(sample({"a": float(index)}, index % 2, index=index))
    view = model.predict(features({"a": 1.0}))
    assert view.verdict is MlClass.UNKNOWN
    assert view.probability is None
    assert view.confidence is None
    assert view.why == "12 of 100 labels"
    assert view.seen == 12


def test_enough_labels_of_one_kind_only_are_not_enough() -> None:
    model = OnlineFilter(schema="s1")
    for index in range(150):
        model.learn(sample({"a": float(index % 7)}, int(index < 3), index=index))
    assert model.predict(features({"a": 1.0})).why == "3 of 20 winners"
    assert not model.report().may_speak


def test_it_speaks_from_the_hundredth_label_on() -> None:
    model = OnlineFilter(schema="s1")
    for index in range(100):
        assert model.predict(features({"a": 1.0})).verdict is MlClass.UNKNOWN
        model.learn(sample({"a": float(index % 7)}, index % 2, index=index))
    view = model.predict(features({"a": 1.0}))
    assert view.probability is not None
    assert view.confidence == pytest.approx(2 * abs(view.probability - 0.5), abs=1e-6)
    assert view.model == "online-logistic-100"
    assert model.report().speaking.scored == 0


def test_another_feature_schema_is_neither_predicted_nor_learned() -> None:
    model = learned(stream(120, width=3, strength=0.5, seed=1))
    before = json.loads(model.checkpoint())
    assert model.predict(features({"f0": 1.0}, schema="s2")).why == "feature schema changed"
    assert model.learn(sample({"f0": 1.0}, 1, schema="s2")) is False
    after = json.loads(model.checkpoint())
    assert after.pop("counts") == [*before.pop("counts")[:2], 1, 0]
    assert after == before
    assert model.report().refused_schema == 1


def test_a_planted_signal_beats_the_base_rate() -> None:
    report = learned(stream(1500, width=10, strength=0.5, seed=7), OnlineSettings(learning_rate=0.02)).report()
    overall, speaking = report.overall, report.speaking
    assert overall.scored == 1500
    assert speaking.scored is not None
    assert speaking.scored < 1500
    assert overall.log_loss is not None
    assert overall.base_rate_log_loss is not None
    assert overall.log_loss < overall.base_rate_log_loss - 0.02
    assert overall.brier is not None
    assert overall.base_rate_brier is not None
    assert overall.brier < overall.base_rate_brier
    assert overall.auc is not None
    assert overall.auc > 0.62
    assert {name for name, _ in report.top_weights[:5]} == {f"f{j}" for j in range(5)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_noise_it_stays_at_the_base_rate(seed: int) -> None:
    overall = learned(stream(1500, width=30, strength=0.0, seed=seed)).report().overall
    assert overall.log_loss is not None
    assert overall.base_rate_log_loss is not None
    assert abs(overall.log_loss - overall.base_rate_log_loss) < 0.006
    assert overall.auc is not None
    assert abs(overall.auc - 0.5) < 0.06


def test_shuffled_labels_lose_the_planted_signal() -> None:
    samples = list(stream(1500, width=10, strength=0.5, seed=7))
    labels = [one.label for one in samples]
    np.random.default_rng(3).shuffle(labels)
    model = OnlineFilter(schema="s1")
    for one, label in zip(samples, labels, strict=True):
        model.learn(sample(dict(one.features.values), label))
    auc = model.report().overall.auc
    assert auc is not None
    assert abs(auc - 0.5) < 0.06


def test_what_is_scored_is_what_was_said_before_the_label() -> None:
    model = OnlineFilter(EAGER, schema="s1")
    losses: list[float] = []
    base_losses: list[float] = []
    winners = 0
    for index, one in enumerate(stream(300, width=4, strength=1.0, seed=5)):
        said = model.predict(one.features).probability
        if said is not None:
            base = (winners + 1) / (index + 2)
            losses.append(-math.log(said if one.label else 1 - said))
            base_losses.append(-math.log(base if one.label else 1 - base))
        model.learn(one)
        winners += one.label
    line = model.report().speaking
    assert line.scored == len(losses)
    assert line.log_loss == pytest.approx(sum(losses) / len(losses), rel=1e-12)
    assert line.base_rate_log_loss == pytest.approx(sum(base_losses) / len(base_losses), rel=1e-12)


def test_the_first_label_is_scored_at_one_half() -> None:
    model = OnlineFilter(schema="s1")
    model.learn(sample({"a": 1.0}, 1))
    assert model.report().overall.log_loss == pytest.approx(math.log(2))
    assert model.report().overall.auc is None


def test_the_auc_agrees_with_counting_pairs() -> None:
    model = OnlineFilter(EAGER, schema="s1")
    scores: list[tuple[float, int]] = []
    winners = 0
    for index, one in enumerate(stream(400, width=4, strength=1.0, seed=9)):
        said = model.predict(one.features).probability
        base = (winners + 1) / (index + 2)
        if said is not None:
            scores.append((math.log(said / (1 - said)) - math.log(base / (1 - base)), one.label))
        model.learn(one)
        winners += one.label
    wins = [score for score, label in scores if label]
    losses = [score for score, label in scores if not label]
    exact = sum((w > x) + 0.5 * (w == x) for w in wins for x in losses) / (len(wins) * len(losses))
    assert model.report().speaking.auc == pytest.approx(exact, abs=0.005)


def test_predicting_changes_nothing_even_for_features_never_seen() -> None:
    model = learned(stream(50, width=3, strength=0.5, seed=2), EAGER)
    before = model.checkpoint()
    assert model.predict(features({"f0": 1.0, "never seen": 4.0})).probability is not None
    assert model.checkpoint() == before


def test_missing_features_never_reach_the_scaler() -> None:
    model = OnlineFilter(EAGER, schema="s1")
    for index, one in enumerate(stream(200, width=3, strength=0.5, seed=2)):
        values = dict(one.features.values)
        values["f1"] = None if index % 3 else values["f1"]
        values["always missing"] = None
        model.learn(sample(values, one.label, index=index))
        view = model.predict(features(values))
        assert view.probability is None or 0 < view.probability < 1
    state = json.loads(model.checkpoint())
    assert "always missing" not in state["features"]
    assert all(math.isfinite(number) for number in state["means"] + state["variances"] + state["weights"])


def test_a_feature_that_is_not_a_number_cannot_even_be_made() -> None:
    with pytest.raises(InvalidRecord, match="finite number or missing"):
        features({"a": math.nan})


def test_signals_without_a_usable_feature_are_unknown_and_refused() -> None:
    model = learned(stream(50, width=3, strength=0.5, seed=2), EAGER)
    nothing: dict[str, float | None] = {"f0": None, "f1": 1e30}
    assert model.predict(features(nothing)).why == "no usable feature"
    assert model.learn(sample(nothing, 1)) is False
    assert model.report().refused_empty == 1
    assert model.labels == 50


def test_one_absurd_value_does_not_blind_the_filter() -> None:
    samples = list(stream(800, width=5, strength=0.6, seed=11))
    hurt = OnlineFilter(schema="s1")
    for index, one in enumerate(samples):
        values = dict(one.features.values)
        if index == 200:
            values["f0"] = 9e8
        hurt.learn(sample(values, one.label, index=index))
    clean = learned(iter(samples)).report().overall.auc
    auc = hurt.report().overall.auc
    assert clean is not None
    assert auc is not None
    assert auc > clean - 0.02


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["a", "b", "c", "d"]),
                st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
                max_size=4,
            ),
            st.integers(0, 1),
            st.floats(0.01, 100),
        ),
        max_size=25,
    )
)
def test_whatever_finite_features_come_probabilities_stay_inside(
    rows: list[tuple[dict[str, float | None], int, float]],
) -> None:
    model = OnlineFilter(EAGER, schema="s1")
    for values, label, weight in rows:
        model.learn(sample(values, label, weight=weight))
        view = model.predict(features(values))
        assert (view.probability is None) == (view.verdict is MlClass.UNKNOWN)
        assert (view.why != "") == (view.verdict is MlClass.UNKNOWN)
        if view.probability is not None:
            assert 0.01 <= view.probability <= 0.99


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["a", "b", "c", "d", "e"]),
                st.one_of(st.none(), st.floats(-1e9, 1e9, allow_nan=False)),
                max_size=5,
            ),
            st.integers(0, 1),
            st.floats(0.1, 3),
        ),
        min_size=1,
        max_size=30,
    ),
    cut=st.integers(0, 29),
)
def test_a_restored_filter_continues_bit_for_bit(
    rows: list[tuple[dict[str, float | None], int, float]], cut: int
) -> None:
    whole = OnlineFilter(EAGER, schema="s1")
    broken = OnlineFilter(EAGER, schema="s1")
    for index, (values, label, weight) in enumerate(rows):
        if index == cut:
            broken = OnlineFilter.restore(broken.checkpoint(), EAGER, schema="s1")
        one = sample(values, label, index=index, weight=weight)
        assert whole.learn(one) == broken.learn(one)
        assert whole.predict(one.features) == broken.predict(one.features)
    assert whole.checkpoint() == broken.checkpoint()
    assert whole.report() == broken.report()


def test_a_snapshot_stays_what_it_was_while_the_filter_learns_on() -> None:
    samples = list(stream(60, width=8, strength=0.5, seed=4))
    model = learned(iter(samples[:40]), EAGER)
    then, text = model.snapshot(), model.checkpoint()
    for one in samples[40:]:
        model.learn(one)
    assert then() == text != model.checkpoint()


def test_restoring_gives_the_same_checkpoint_back() -> None:
    text = learned(stream(300, width=8, strength=0.5, seed=4)).checkpoint()
    assert OnlineFilter.restore(text, schema="s1").checkpoint() == text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "other"}, "feature schema other"),
        ({"format": 99}, "format 99"),
        ({"means": [1.0]}, "cannot be read"),
        ({"weights": ["NaN"] * 3}, "cannot be read"),
        ({"overall": [1, 2]}, "cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(change: dict[str, object], said: str) -> None:
    state = json.loads(learned(stream(30, width=3, strength=0.5, seed=4)).checkpoint()) | change
    with pytest.raises(InvalidInput, match=said):
        OnlineFilter.restore(json.dumps(state), schema="s1")


def test_text_that_is_no_checkpoint_is_refused() -> None:
    for text in ("", "[]", "null", "{}", '{"format": 1}'):
        with pytest.raises(InvalidInput, match="cannot be read"):
            OnlineFilter.restore(text, schema="s1")


def test_the_order_of_labels_is_the_order_of_calls() -> None:
    samples = list(stream(60, width=3, strength=0.5, seed=6))
    forward, backward = learned(iter(samples)), learned(iter(samples[::-1]))
    assert forward.checkpoint() == learned(iter(samples)).checkpoint()
    assert forward.checkpoint() != backward.checkpoint()


def test_a_heavier_sample_moves_the_filter_more() -> None:
    start = learned(stream(60, width=3, strength=0.5, seed=6), EAGER).checkpoint()
    said = []
    row: dict[str, float | None] = {"f0": 80.0, "f1": 50.0, "f2": 50.0}
    for weight in (0.1, 1.0, 10.0):
        model = OnlineFilter.restore(start, EAGER, schema="s1")
        model.learn(sample(row, 1, weight=weight))
        probability = model.predict(features(row)).probability
        assert probability is not None
        said.append(probability)
    assert said[0] < said[1] < said[2]


def test_labels_are_counted_by_where_they_came_from() -> None:
    model = OnlineFilter(schema="s1")
    for index in range(5):
        source = SampleSource.REAL if index < 2 else SampleSource.SHADOW
        model.learn(sample({"a": 1.0}, index % 2, index=index, source=source))
    report = model.report()
    assert report.by_source == {"real": 2, "shadow": 3}
    assert report.labels == report.updates == 5


def test_the_threshold_follows_the_mode_or_the_number_given() -> None:
    for rules, threshold in (
        (OnlineSettings(), 0.50),
        (OnlineSettings(threshold_mode=ThresholdMode.CONSERVATIVE), 0.65),
        (OnlineSettings(threshold_mode=ThresholdMode.AGGRESSIVE), 0.35),
        (OnlineSettings(threshold=0.275), 0.275),
    ):
        assert OnlineFilter(rules, schema="s1").predict(features({"a": 1.0})).threshold == threshold


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_labels": 0},
        {"learning_rate": 0.0},
        {"l2": -1.0},
        {"clip_probability": 0.5},
        {"threshold": 1.0},
        {"clip_sigmas": 0.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        OnlineSettings(**wrong)  # type: ignore[arg-type]  # what is wrong is what is tested


def test_the_hand_calculation_of_one_step_matches() -> None:
    rules = OnlineSettings(minimum_labels=2, minimum_per_class=1, l2=0.0, learning_rate=0.1)
    model = OnlineFilter(rules, schema="s1")
    rows = ((1.0, 1), (3.0, 0), (2.5, 1))
    mean, variance, weight, winners, intercept = 0.0, 0.0, 0.0, 0, 0.0
    for count, (value, label) in enumerate(rows, start=1):
        model.learn(sample({"a": value}, label))
        winners += label
        old = mean
        mean += (value - old) / count
        variance += ((value - old) * (value - mean) - variance) / count
        scaled = (value - mean) / math.sqrt(variance) if variance else 0.0
        base = (winners + 1) / (count + 2)
        intercept = math.log(base / (1 - base))
        error = 1 / (1 + math.exp(-(weight * scaled + intercept))) - label
        weight -= 0.1 / math.sqrt(count) * error * scaled
    expected = 1 / (1 + math.exp(-(weight * (4.0 - mean) / math.sqrt(variance) + intercept)))
    said = model.predict(features({"a": 4.0})).probability
    assert said == pytest.approx(expected, rel=1e-5)


def test_importing_the_filter_does_not_yet_import_river() -> None:
    code = "import sys, learning.online, learning.blend, learning.samples; print('river' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
