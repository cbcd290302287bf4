"""A challenger lives through the samples in order of time; it and the champion are scored on the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.decisions import FeatureVector, MlClass, MlView, Sample, SampleSource
from domain.errors import Impossible
from domain.orders import Side
from learning.challenger import Challenger, Comparison
from learning.online import OnlineFilter, OnlineSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EAGER = OnlineSettings(minimum_labels=10, minimum_per_class=2, learning_rate=0.1)


def stream(count: int, *, seed: int = 3, labels: Callable[[int], int] | None = None) -> list[Sample]:
    """Decisions hour by hour that overlap: each lives two to eight hours, and they are learned as they end."""
    draw = np.random.default_rng(seed)
    made = []
    for index in range(count):
        row = draw.normal(size=3).tolist()
        label = int(draw.random() < 1 / (1 + math.exp(-row[0]))) if labels is None else labels(index)
        decided_at = START + index * HOUR
        made.append(
            Sample(
                decision_id=f"d{index}",
                decided_at=decided_at,
                resolved_at=decided_at + int(draw.integers(2, 9)) * HOUR,
                instrument="BTCUSDT",
                side=Side.BUY,
                strategy="trend",
                features=FeatureVector(schema="s1", values=dict(zip("abc", row, strict=True))),
                r_net=2.0 if label else -1.0,
                label=label,
                weight=1.0,
                source=SampleSource.SHADOW,
            )
        )
    return sorted(made, key=lambda sample: sample.resolved_at)


def champion_of(samples: Sequence[Sample], rules: OnlineSettings = EAGER) -> dict[str, MlView]:
    """What a filter says at each decision that has learned every label that ended by then, and no other."""
    said = {}
    for sample in samples:
        model = OnlineFilter(rules, schema="s1")
        for earlier in samples:
            if earlier.resolved_at <= sample.decided_at:
                model.learn(earlier)
        said[sample.decision_id] = model.predict(sample.features)
    return said


def compared(
    samples: Sequence[Sample],
    said: dict[str, MlView],
    *,
    rules: OnlineSettings = EAGER,
    steps: int = 1_000_000,
) -> Comparison:
    challenger = Challenger(samples, said.__getitem__, rules, schema="s1")
    while challenger.steps_left:
        challenger.advance(steps)
    return challenger.comparison()


def said_by_nobody(sample: Sample) -> MlView:
    """The opinion of a filter that has learned nothing."""
    return OnlineFilter(EAGER, schema="s1").predict(sample.features)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def ranked(scores: Sequence[tuple[float, int]]) -> float:
    """The share of pairs of a winner and a loser in which the winner has the higher score, ties half."""
    winners = [score for score, label in scores if label]
    losers = [score for score, label in scores if not label]
    return mean([(w > x) + (w == x) / 2 for w in winners for x in losers])


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_the_scores_are_those_worked_out_by_hand_from_what_was_known_at_each_decision() -> None:
    samples = stream(80)
    asked, said = champion_of(samples), champion_of(samples, replace(EAGER, learning_rate=0.01))
    found = compared(samples, said)
    assert (found.samples, found.learned, found.judged) == (80, 80, 80)
    for line, views in ((found.challenger, asked), (found.champion, said)):
        pairs = [(views[sample.decision_id], sample.label) for sample in samples]
        assert line.log_loss == pytest.approx(
            mean([-math.log(view.forecast if label else 1 - view.forecast) for view, label in pairs])
        )
        assert line.base_rate_log_loss == pytest.approx(
            mean([-math.log(view.base_rate if label else 1 - view.base_rate) for view, label in pairs])
        )
        assert line.brier == pytest.approx(mean([(view.forecast - label) ** 2 for view, label in pairs]))
        above = [(log_odds(view.forecast) - log_odds(view.base_rate), label) for view, label in pairs]
        # Scores that share one of the histogram's bins count as ties there.
        assert line.auc == pytest.approx(ranked(above), abs=0.01)
    assert found.challenger.log_loss != found.champion.log_loss


def test_with_the_champions_own_rules_and_samples_the_challenger_is_the_champion_again() -> None:
    samples = stream(80)
    found = compared(samples, champion_of(samples))
    assert found.alike == found.judged == 80
    assert found.challenger == found.champion


def test_a_champion_that_learned_by_other_rules_is_seen_to_differ() -> None:
    samples = stream(80)
    found = compared(samples, champion_of(samples, replace(EAGER, learning_rate=0.01)))
    assert found.alike < found.judged


def test_its_neighbours_labels_are_not_known_before_they_land() -> None:
    """Decisions in tens that share a feature and a fate: asked at its label, a model would all but know it."""
    in_tens = [
        replace(
            sample,
            decided_at=START + (index // 10) * 24 * HOUR,
            resolved_at=START + (index // 10) * 24 * HOUR + 5 * HOUR,
            features=FeatureVector(schema="s1", values={"a": float(np.sin(index // 10 * 7.0))}),
            label=(index // 10 * 5 // 3) % 2,
            r_net=1.0 if (index // 10 * 5 // 3) % 2 else -1.0,
        )
        for index, sample in enumerate(stream(200))
    ]
    at_the_label = OnlineFilter(EAGER, schema="s1")
    for sample in in_tens:
        at_the_label.learn(sample)
    told = compared(in_tens, champion_of(in_tens)).challenger.log_loss
    flattered = at_the_label.report().overall.log_loss
    assert told is not None
    assert flattered is not None
    assert flattered < told - 0.05


@settings(max_examples=15, deadline=None)
@given(known=st.integers(0, 60), seed=st.integers(0, 5))
def test_what_comes_later_changes_nothing_that_was_said_or_scored_before(known: int, seed: int) -> None:
    samples = stream(60, seed=seed)
    said = champion_of(samples)
    early, late = samples[:known], samples[known:]
    other = [*early, *(replace(each, label=1 - each.label, r_net=0.5 - each.label) for each in late)]
    found = []
    for future in ([], late, other):
        challenger = Challenger([*early, *future], said.__getitem__, EAGER, schema="s1")
        challenger.advance(len(early) + len(future) + known)
        found.append((challenger._own.line(), challenger._champions.line()))
    assert found[0] == found[1] == found[2]
    assert found[0][0].scored == known


@pytest.mark.parametrize("steps", [1, 7])
def test_a_stretch_at_a_time_comes_to_the_same_bits(steps: int) -> None:
    samples = stream(40)
    said = champion_of(samples)
    assert compared(samples, said, steps=steps) == compared(samples, said)


def test_without_samples_there_is_nothing_to_judge() -> None:
    found = compared([], {})
    assert (found.samples, found.learned, found.judged, found.alike) == (0, 0, 0, 0)
    assert found.challenger.log_loss is None
    assert found.told == "learned 0 of 0 samples, none of which both gave a forecast on"


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_kind_have_losses_and_no_ranking(label: int) -> None:
    samples = stream(30, labels=lambda _index: label)
    found = compared(samples, champion_of(samples))
    assert found.challenger.auc is None
    assert found.challenger.log_loss is not None
    assert found.challenger.log_loss < math.log(2)
    assert "AUC unknown (unknown)" in found.told


def test_samples_of_other_features_and_silent_champions_are_not_judged() -> None:
    samples = stream(30)
    said = champion_of(samples)
    foreign, silent = samples[5], samples[9]
    samples[5] = replace(foreign, features=FeatureVector(schema="s0", values={"a": 1.0}))
    said[silent.decision_id] = MlView(
        verdict=MlClass.UNKNOWN, probability=None, confidence=None, threshold=0.5, model="m", seen=0, why="no feature"
    )
    found = compared(samples, said)
    assert (found.samples, found.learned, found.judged) == (30, 29, 28)
    assert found.challenger.scored == found.champion.scored == 28


def test_a_label_that_landed_in_the_moment_of_its_decision_was_not_known_to_it() -> None:
    samples = [replace(sample, resolved_at=sample.decided_at) for sample in stream(1)]
    found = compared(samples, {"d0": replace(said_by_nobody(samples[0]), seen=1)})
    assert (found.judged, found.alike) == (1, 1)
    assert found.challenger.base_rate_log_loss == pytest.approx(math.log(2))


def test_it_is_asked_when_it_knows_what_the_champion_knew_whatever_the_samples_times_say() -> None:
    """The first label is dated before the other decisions and was heard of after them, as some labels are."""
    first, second, third = sorted(stream(3), key=lambda sample: sample.decided_at)
    heard_late = replace(first, resolved_at=first.decided_at)
    found = compared(
        [heard_late, second, third], {each.decision_id: said_by_nobody(each) for each in (first, second, third)}
    )
    assert found.alike == found.judged == 3


def test_it_is_not_judged_before_the_end() -> None:
    samples = stream(5)
    challenger = Challenger(samples, champion_of(samples).__getitem__, EAGER, schema="s1")
    challenger.advance(9)
    assert challenger.steps_left == 1
    with pytest.raises(Impossible, match="with 1 steps left"):
        challenger.comparison()
