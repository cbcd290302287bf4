"""What every online learner keeps to: silent, honest, deterministic, whole after a restart."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.decisions import FeatureVector, MlClass, MlView, Sample, SampleSource
from domain.errors import Impossible, InvalidInput
from domain.orders import Side
from learning.learners.calibration import Calibration
from learning.learners.contract import SaidBefore
from learning.learners.inputs import usable
from learning.learners.neural import NeuralLearner
from learning.learners.settings import LEARNERS
from learning.online import OnlineFilter, OnlineSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
OTHERS = tuple(name for name in LEARNERS if name != "logistic")
WHOLE = tuple(name for name in LEARNERS if name != "forest")

Values = dict[str, float | None]


def rules(learner: str, *, seed: int = 1) -> OnlineSettings:
    return OnlineSettings(learner=learner, seed=seed, minimum_labels=2, minimum_per_class=1)


def sample(values: Values, label: int, *, index: int = 0, weight: float = 1.0, schema: str = "s1") -> Sample:
    return Sample(
        decision_id=f"d{index}",
        decided_at=START + timedelta(hours=index),
        resolved_at=START + timedelta(hours=index + 5),
        instrument="BTCUSDT",
        side=Side.BUY,
        strategy="trend",
        features=FeatureVector(schema=schema, values=values),
        r_net=3.0 if label else -1.0,
        label=label,
        weight=weight,
        source=SampleSource.SHADOW,
    )


def stream(count: int, *, width: int = 6, strength: float = 0.0, seed: int = 1, gaps: float = 0.0) -> Iterator[Sample]:
    """Labels whose log-odds are moved by the first three features, on scales far from standard."""
    draw = np.random.default_rng(seed)
    for index in range(count):
        row = draw.normal(size=width).tolist()
        odds = math.log(0.3 / 0.7) + strength * sum(row[:3])
        label = int(draw.random() < 1 / (1 + math.exp(-odds)))
        values: Values = {f"f{j}": value * 10**j + 50 for j, value in enumerate(row)}
        yield sample(
            {name: None if draw.random() < gaps else value for name, value in values.items()}, label, index=index
        )


def learned(learner: str, samples: Sequence[Sample], *, seed: int = 1) -> OnlineFilter:
    model = OnlineFilter(rules(learner, seed=seed), schema="s1")
    assert model.learn_batch(samples) == len(samples)
    return model


def restored(model: OnlineFilter, learner: str, samples: Sequence[Sample]) -> OnlineFilter:
    """As the daemon does it after a restart."""
    back = OnlineFilter.restore(model.checkpoint(), rules(learner), schema="s1")
    back.refold(samples)
    return back


def forecast(model: OnlineFilter, one: Sample) -> float:
    found = model.predict(one.features).forecast
    assert found is not None
    return found


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_learner_that_has_learned_nothing_says_one_half(learner: str) -> None:
    view = OnlineFilter(OnlineSettings(learner=learner), schema="s1").predict(sample({"a": 1.0}, 1).features)
    assert view.verdict is MlClass.UNKNOWN
    assert (view.forecast, view.base_rate) == (0.5, 0.5)
    assert view.model == f"online-{learner.replace('_', '-')}-0"


@pytest.mark.parametrize("learner", LEARNERS)
def test_rows_that_do_not_differ_leave_every_learner_at_the_base_rate(learner: str) -> None:
    same: Values = {"a": 3.0, "b": -2.0}
    model = learned(learner, [sample(same, int(index % 4 == 0), index=index) for index in range(40)])
    assert model.base_rate == pytest.approx(11 / 42)
    # The net's offsets and the votes of trees may move a little around it.
    near = 0.01 if learner in {"neural", "forest"} else 1e-6
    assert forecast(model, sample(same, 1)) == pytest.approx(model.base_rate, abs=near)


@pytest.mark.parametrize(("learner", "least"), [("logistic", 0.003), ("passive_aggressive", 0.02), ("neural", 0.002)])
def test_a_planted_signal_beats_the_base_rate(learner: str, least: float) -> None:
    line = learned(learner, list(stream(800, strength=0.8, seed=7))).report().overall
    assert line.log_loss is not None
    assert line.base_rate_log_loss is not None
    assert line.log_loss < line.base_rate_log_loss - least
    assert line.auc is not None
    assert line.auc > 0.65


def test_the_forest_finds_a_planted_signal() -> None:
    line = learned("forest", list(stream(500, width=3, strength=2.0, seed=7))).report().overall
    assert line.log_loss is not None
    assert line.base_rate_log_loss is not None
    assert line.log_loss < line.base_rate_log_loss - 0.005
    assert line.auc is not None
    assert line.auc > 0.6


@pytest.mark.parametrize("learner", OTHERS)
def test_on_noise_a_learner_stays_near_the_base_rate(learner: str) -> None:
    width, count = (3, 250) if learner == "forest" else (30, 1000)
    for seed in (1, 2):
        line = learned(learner, list(stream(count, width=width, seed=seed))).report().overall
        assert line.log_loss is not None
        assert line.base_rate_log_loss is not None
        assert line.log_loss - line.base_rate_log_loss < 0.006


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_same_labels_give_the_same_bits_and_their_order_matters(learner: str) -> None:
    samples = list(stream(60, strength=0.5, gaps=0.1))
    first, again, backward = (learned(learner, each) for each in (samples, samples, samples[::-1]))
    assert first.checkpoint() == again.checkpoint() != backward.checkpoint()
    assert [forecast(first, one) for one in samples] == [forecast(again, one) for one in samples]


@pytest.mark.parametrize("learner", ["neural", "forest"])
def test_another_seed_gives_another_model(learner: str) -> None:
    samples = list(stream(60, strength=0.5))
    one, other = learned(learner, samples, seed=1), learned(learner, samples, seed=2)
    assert [forecast(one, each) for each in samples] != [forecast(other, each) for each in samples]


@pytest.mark.parametrize("learner", LEARNERS)
def test_asking_changes_nothing(learner: str) -> None:
    samples = list(stream(60, strength=0.5, gaps=0.1))
    quiet, asked = OnlineFilter(rules(learner), schema="s1"), OnlineFilter(rules(learner), schema="s1")
    for one in samples:
        for other in (samples[3], sample({"never seen": 4.0, "f1": 1.0}, 1)):
            asked.predict(other.features)
        quiet.learn(one)
        asked.learn(one)
    assert asked.checkpoint() == quiet.checkpoint()
    assert [forecast(asked, one) for one in samples] == [forecast(quiet, one) for one in samples]


ROWS = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(["a", "b", "c", "d"]),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.floats(-3, 3)),
            max_size=4,
        ),
        st.integers(0, 1),
        st.floats(0.01, 100),
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize("learner", OTHERS)
@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_whatever_finite_features_come_forecasts_stay_inside(
    learner: str, rows: list[tuple[Values, int, float]]
) -> None:
    model = OnlineFilter(rules(learner), schema="s1")
    for values, label, weight in rows:
        model.learn(sample(values, label, weight=weight))
        view = model.predict(sample(values, label).features)
        assert view.forecast is None or 0.01 <= view.forecast <= 0.99
        assert view.why in {"", "no usable feature"} or "of" in view.why
    json.loads(model.checkpoint())


@pytest.mark.parametrize("learner", LEARNERS)
@settings(max_examples=15, deadline=None)
@given(rows=ROWS, cut=st.integers(0, 19))
def test_a_restored_learner_continues_bit_for_bit(
    learner: str, rows: list[tuple[Values, int, float]], cut: int
) -> None:
    samples = [sample(values, label, index=i, weight=w) for i, (values, label, w) in enumerate(rows)]
    whole, broken = (OnlineFilter(rules(learner), schema="s1") for _ in range(2))
    for index, one in enumerate(samples):
        if index == cut % len(samples):
            text = broken.checkpoint()
            broken = restored(broken, learner, samples[:index])
            assert broken.checkpoint() == text
        assert whole.learn(one) == broken.learn(one)
        assert whole.predict(one.features) == broken.predict(one.features)
    assert whole.checkpoint() == broken.checkpoint()
    assert whole.report() == broken.report()


@pytest.mark.parametrize("learner", LEARNERS)
@settings(max_examples=15, deadline=None)
@given(rows=ROWS, size=st.integers(1, 20), with_opinions=st.booleans())
def test_a_batch_is_the_same_as_its_samples_one_by_one(
    learner: str, rows: list[tuple[Values, int, float]], size: int, with_opinions: bool
) -> None:
    samples = [
        sample(values, label, index=i, weight=w, schema="s2" if i % 7 == 6 else "s1")
        for i, (values, label, w) in enumerate(rows)
    ]
    single, batched = (OnlineFilter(rules(learner), schema="s1") for _ in range(2))
    for begin in range(0, len(samples), size):
        batch = samples[begin : begin + size]
        said = [batched.predict(one.features) for one in batch]
        views: list[MlView | None] = [*said] if with_opinions else [None] * len(batch)
        taken = sum(single.learn(one, view) for one, view in zip(batch, views, strict=True))
        assert batched.learn_batch(batch, said if with_opinions else None) == taken
    assert single.checkpoint() == batched.checkpoint()
    assert all(single.predict(one.features) == batched.predict(one.features) for one in samples)


def test_a_batch_with_too_few_opinions_is_refused_whole() -> None:
    model = OnlineFilter(schema="s1")
    with pytest.raises(InvalidInput, match="2 samples came with 1 opinions"):
        model.learn_batch(list(stream(2)), [None])
    assert model.labels == 0


@pytest.mark.parametrize("learner", OTHERS)
def test_a_snapshot_stays_what_it_was_while_the_learner_learns_on(learner: str) -> None:
    samples = list(stream(40, strength=0.5))
    model = learned(learner, samples[:20])
    then, text = model.snapshot(), model.checkpoint()
    model.learn_batch(samples[20:])
    assert then() == text != model.checkpoint()


@pytest.mark.parametrize(("first", "second"), list(pairwise((*LEARNERS, "logistic"))))
def test_a_checkpoint_of_another_learner_is_refused(first: str, second: str) -> None:
    text = learned(first, list(stream(5))).checkpoint()
    with pytest.raises(InvalidInput, match=f"online-{first.replace('_', '-')} format 1 is not online-"):
        OnlineFilter.restore(text, rules(second), schema="s1")


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("key", ["weight_sums", "features", "means", "variances", "seen"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(learner: str, key: str) -> None:
    state = json.loads(learned(learner, list(stream(5))).checkpoint())
    for damage in (None, ["NaN"], [1.0, 2.0, 3.0]):
        with pytest.raises(InvalidInput, match="cannot be read"):
            OnlineFilter.restore(json.dumps(state | {key: damage}), rules(learner), schema="s1")


def test_weights_of_other_features_than_the_means_are_refused() -> None:
    state = json.loads(learned("logistic", list(stream(5, width=2))).checkpoint())
    with pytest.raises(InvalidInput, match="other features"):
        OnlineFilter.restore(json.dumps(state | {"weight_names": ["f0", "f9"]}), schema="s1")


# -- the forest, which has no state of its own --------------------------------------------------------------------


def test_a_forest_is_silent_and_refuses_to_learn_until_its_samples_are_folded_again() -> None:
    samples = list(stream(30, strength=0.5))
    model = learned("forest", samples)
    back = OnlineFilter.restore(model.checkpoint(), rules("forest"), schema="s1")
    assert back.needs_refold
    view = back.predict(samples[0].features)
    assert (view.verdict, view.forecast) == (MlClass.UNKNOWN, None)
    assert "not folded again" in view.why
    with pytest.raises(Impossible, match="folded again"):
        back.learn(samples[0])
    assert back.checkpoint() == model.checkpoint()
    back.refold(samples)
    assert not back.needs_refold
    assert back.predict(samples[0].features) == model.predict(samples[0].features)


def test_folding_passes_over_what_was_refused() -> None:
    samples = list(stream(30, strength=0.5))
    refused = [sample({"f0": None}, 1, index=90), sample({"f0": 1.0}, 1, index=91, schema="s2")]
    mixed = [*samples[:10], *refused, *samples[10:]]
    model = OnlineFilter(rules("forest"), schema="s1")
    assert model.learn_batch(mixed) == 30
    assert restored(model, "forest", mixed).checkpoint() == model.checkpoint()


@pytest.mark.parametrize("change", ["one missing", "one more", "swapped", "other value", "other label"])
def test_other_samples_than_those_learned_are_refused(change: str) -> None:
    samples = list(stream(30, strength=0.5))
    other = {
        "one missing": samples[:-1],
        "one more": [*samples, sample({"f0": 1.0}, 1)],
        "swapped": [samples[1], samples[0], *samples[2:]],
        "other value": [*samples[:-1], sample({**samples[-1].features.values, "f0": 51.5}, samples[-1].label)],
        "other label": [*samples[:-1], sample(dict(samples[-1].features.values), 1 - samples[-1].label)],
    }[change]
    back = OnlineFilter.restore(learned("forest", samples).checkpoint(), rules("forest"), schema="s1")
    with pytest.raises(InvalidInput, match="the forest learned 30 rows"):
        back.refold(other)
    assert back.needs_refold
    back.refold(samples)
    assert not back.needs_refold


@pytest.mark.parametrize("learner", WHOLE)
def test_what_comes_back_whole_needs_no_folding(learner: str) -> None:
    samples = list(stream(30, strength=0.5))
    back = OnlineFilter.restore(learned(learner, samples).checkpoint(), rules(learner), schema="s1")
    assert not back.needs_refold
    before = back.checkpoint()
    back.refold(samples)
    assert back.checkpoint() == before


def test_a_forest_that_learned_nothing_needs_no_folding() -> None:
    empty = OnlineFilter(rules("forest"), schema="s1").checkpoint()
    assert not OnlineFilter.restore(empty, rules("forest"), schema="s1").needs_refold


def test_a_restored_forest_keeps_what_was_said_in_its_calibration() -> None:
    """Folding has no opinions to calibrate by: the calibration must come from the checkpoint alone."""
    samples = list(stream(60, strength=2.0))
    model = OnlineFilter(rules("forest"), schema="s1")
    for one in samples:
        bold = replace(model.predict(one.features), forecast=0.8 if one.label else 0.1, base_rate=0.3)
        model.learn(one, bold)
    assert restored(model, "forest", samples).checkpoint() == model.checkpoint()


CHECK = """
import sys; sys.path.insert(0, "tests/learning")
from test_learning_online_learners import LEARNERS, learned, stream
samples = list(stream(60, width=9, strength=1.0, gaps=0.1))
for name in LEARNERS:
    model = learned(name, samples)
    print(model.checkpoint(), [model.predict(one.features).forecast for one in samples])
"""


def test_other_processes_with_other_hashes_give_the_same_bits() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CHECK], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first == second


# -- the net ------------------------------------------------------------------------------------------------------


def test_a_step_of_the_net_goes_down_the_slope_of_its_log_loss() -> None:
    net = NeuralLearner(OnlineSettings(learner="neural", l2=0.0, learning_rate=0.1))
    rows = list(stream(30, width=3, strength=1.0))
    for one in rows[:-1]:
        net.learn_one(usable(one.features, 1e9), one.label, 1.0)
    shown, label, weight = usable(rows[-1].features, 1e9), rows[-1].label, 0.7
    before = net.state()
    net.learn_one(shown, label, weight)
    after, step = net.state(), 0.1 / math.sqrt(30)
    for layer in ("hidden", "offsets", "output"):
        for place, number in enumerate(before[layer]):
            losses = []
            for moved in (number + 1e-5, number - 1e-5):
                # The scale and the base rate know the row when its loss is taken, as in the step itself.
                numbers = {name: list(before[name]) for name in ("hidden", "offsets", "output")}
                numbers[layer][place] = moved
                probe = NeuralLearner(OnlineSettings(learner="neural"))
                probe.take({**after, **numbers})
                said = probe.predict_one(shown)
                assert said is not None
                losses.append(-weight * math.log(said if label else 1 - said))
            slope = (losses[0] - losses[1]) / 2e-5
            assert after[layer][place] == pytest.approx(number - step * slope, abs=1e-8)


# -- calibration --------------------------------------------------------------------------------------------------


def test_a_gain_grows_where_forecasts_were_too_timid_and_shrinks_where_they_were_wrong() -> None:
    timid, wrong = Calibration(), Calibration()
    for _ in range(200):
        timid.learn(SaidBefore(0.55, 0.5), 1, 1.0)
        wrong.learn(SaidBefore(0.55, 0.5), 0, 1.0)
    assert wrong.gain < 0.1 < timid.gain


def test_a_gain_settles_where_forecasts_come_true() -> None:
    draw = np.random.default_rng(4)
    calibration = Calibration()
    for score in draw.normal(size=2000).tolist():
        calibration.met(score)
    for score in draw.normal(size=6000).tolist():
        odds = calibration.above(score)
        label = int(draw.random() < 1 / (1 + math.exp(-0.6 * score)))
        calibration.learn(SaidBefore(1 / (1 + math.exp(-odds)), 0.5), label, 1.0)
    assert calibration.gain == pytest.approx(0.6, abs=0.12)


def test_without_an_opinion_nothing_is_calibrated() -> None:
    samples = list(stream(50, strength=2.0))
    model = OnlineFilter(rules("passive_aggressive"), schema="s1")
    for one in samples:
        model.learn(one, replace(model.predict(one.features), forecast=None, base_rate=None))
    assert json.loads(model.checkpoint())["calibration"][2:] == [math.log(0.1), 0.0]
    assert model.report().overall.scored == 0


def test_what_an_online_model_of_another_family_said_is_not_scored() -> None:
    one = next(stream(1))
    model = OnlineFilter(rules("passive_aggressive"), schema="s1")
    foreign = OnlineFilter(schema="s1").predict(one.features)
    model.learn(one, foreign)
    assert model.report().overall.scored == 0
    model.learn(one, replace(foreign, model="batch-7"))
    assert model.report().overall.scored == 1


def test_the_largest_weights_of_a_planted_signal_are_reported_where_there_are_weights() -> None:
    samples = list(stream(400, strength=1.0))
    for learner in ("logistic", "passive_aggressive"):
        assert {name for name, _ in learned(learner, samples).report().top_weights[:3]} == {"f0", "f1", "f2"}
    for learner in ("neural",):
        assert learned(learner, samples).report().top_weights == ()


@pytest.mark.parametrize("wrong", [{"learner": "oracle"}, {"learner": ""}, {"seed": -1}])
def test_a_learner_or_seed_that_there_is_not_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        OnlineSettings(**wrong)  # type: ignore[arg-type]  # what is wrong is what is tested


def test_the_default_learner_needs_no_river() -> None:
    code = (
        "import sys; from learning.online import OnlineFilter; OnlineFilter(schema='s'); "
        "print(any(name.startswith('river') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
