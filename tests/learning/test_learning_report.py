"""Reports: grades at their edges, targets beside intervals, figures as they are defined, words where there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_cases import HOUR, START, samples

from domain.decisions import ExitCause, Outcome, OutcomeKind
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from domain.learning import require_json
from domain.orders import Side
from learning.judgement.interval import Interval
from learning.judgement.scores import classified
from learning.report.grades import FORMULA, Combined, Grade, combined_score, grade_of
from learning.report.groups import REGIMES, UNKNOWN, attributed, regimes
from learning.report.measured import Measured
from learning.report.plain import plain
from learning.report.report import AtDeployment, Importances, Report, Said, report_of
from learning.report.targets import TARGETS, Kind, Reached, targets
from learning.table import SampleTable

DAY = 24 * HOUR


def days(rows: int, *, seed: int = 1, **columns: Any) -> SampleTable:
    """Decisions a day apart, so that each is nearly a block of its own."""
    return samples(rows, seed=seed, names=("f_a", "f_regime"), decided_at=START + np.arange(rows) * DAY, **columns)


def said_of(table: SampleTable, *, skill: float = 0.5, threshold: float = 0.5, seed: int = 0) -> Said:
    noise = np.random.default_rng(seed).normal(size=len(table))
    p = 1 / (1 + np.exp(-(skill * table.r_net + noise)))
    return Said(model="m-1", p=p, threshold=np.full(len(table), threshold))


def reported(rows: int = 200, **how: Any) -> tuple[SampleTable, Said, Report]:
    table = days(rows)
    said = said_of(table, **how)
    return table, said, report_of(table, said)


# -- grades ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "grade"),
    [
        (1.0, Grade.EXCELLENT),
        (np.nextafter(0.8, 1), Grade.EXCELLENT),
        (0.8, Grade.GOOD),
        (0.7, Grade.GOOD),
        (np.nextafter(0.7, 0), Grade.FAIR),
        (0.6, Grade.FAIR),
        (np.nextafter(0.6, 0), Grade.NEEDS_IMPROVEMENT),
        (0.0, Grade.NEEDS_IMPROVEMENT),
    ],
)
def test_a_grade_at_its_edges(share: float, grade: Grade) -> None:
    assert grade_of(share) is grade


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_what_is_no_share_has_no_grade(share: float) -> None:
    with pytest.raises(InvalidInput, match=r"must lie in \[0, 1\]"):
        grade_of(share)


def scored(**changes: Any) -> Combined:
    lawful = {"accuracy": 0.9, "success": 0.8, "auc": 0.75, "ece": 0.05, "stability": 0.6, "beats_base_rate": True}
    return combined_score(**{**lawful, **changes})


def test_the_combined_score_is_the_formula_that_it_states() -> None:
    found = scored()
    by_hand = 0.20 * 0.9 + 0.20 * 0.8 + 0.30 * (2 * 0.75 - 1) + 0.15 * (1 - 0.05 / 0.25) + 0.15 * 0.6
    assert found.score == pytest.approx(by_hand)
    assert found.grade is Grade.GOOD
    assert found.formula == FORMULA
    for each in found.components:
        assert f"{each.weight:.2f}" in FORMULA
    assert sum(each.weight for each in found.components) == pytest.approx(1)


def test_full_marks_are_one_and_no_marks_are_nought() -> None:
    assert scored(accuracy=1.0, success=1.0, auc=1.0, ece=0.0, stability=1.0).score == 1
    assert scored(accuracy=0.0, success=0.0, auc=0.3, ece=0.4, stability=0.0).score == 0


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("accuracy", "accuracy"),
        ("success", "success"),
        ("auc", "ranking"),
        ("ece", "calibration"),
        ("stability", "stability"),
        ("beats_base_rate", "log-loss"),
    ],
)
def test_a_component_that_is_missing_is_named_and_not_counted_as_nought(lacking: str, named: str) -> None:
    found = scored(**{lacking: None})
    assert (found.score, found.grade) == (None, None)
    assert found.why == f"no combined score: {named} cannot be told"


def test_taking_all_where_most_win_is_not_graded_as_knowledge() -> None:
    naive: dict[str, Any] = {"accuracy": 0.95, "success": 0.95, "auc": 0.5, "ece": 0.0, "stability": 1.0}
    found = scored(**naive, beats_base_rate=False)
    assert found.score == pytest.approx(0.68)
    assert found.grade is Grade.NEEDS_IMPROVEMENT
    assert "would be fair" in found.why
    assert scored(**naive, beats_base_rate=True).grade is Grade.FAIR


# -- targets --------------------------------------------------------------------------------------------------


def within(low: float, high: float) -> Measured:
    return Measured(value=(low + high) / 2, interval=Interval(low=low, high=high, level=0.95))


@pytest.mark.parametrize(
    ("measured", "reached"),
    [
        (within(0.75, 0.9), Reached.MET),
        (within(0.74, 0.9), Reached.CANNOT_BE_TOLD),
        (within(0.5, 0.75), Reached.CANNOT_BE_TOLD),
        (within(0.5, 0.74), Reached.NOT_MET),
        (Measured(value=0.99), Reached.CANNOT_BE_TOLD),
        (Measured(value=None), Reached.CANNOT_BE_TOLD),
    ],
)
def test_a_target_is_met_by_the_whole_interval(measured: Measured, reached: Reached) -> None:
    line = targets({"accuracy": measured})[0]
    assert (line.name, line.asked, line.reached) == ("accuracy", 0.75, reached)
    assert (line.value, line.interval) == (measured.value, measured.interval)


@pytest.mark.parametrize(
    ("measured", "reached"),
    [
        (within(-0.1, 0.049), Reached.MET),
        (within(-0.1, 0.05), Reached.CANNOT_BE_TOLD),
        (within(0.05, 0.2), Reached.NOT_MET),
    ],
)
def test_degradation_is_to_be_below_its_target(measured: Measured, reached: Reached) -> None:
    line = next(each for each in targets({"degradation": measured}) if each.name == "degradation")
    assert line.reached is reached


def test_every_named_target_is_there() -> None:
    asked = {(each.name, each.kind, each.asked) for each in TARGETS}
    assert asked == {
        ("accuracy", Kind.TARGET, 0.75),
        ("success rate", Kind.TARGET, 0.65),
        ("AUC", Kind.TARGET, 0.80),
        ("stability", Kind.TARGET, 0.80),
        ("degradation", Kind.TARGET, 0.05),
        ("precision", Kind.FLOOR, 0.60),
        ("recall", Kind.FLOOR, 0.40),
        ("F1", Kind.FLOOR, 0.50),
        ("AUC", Kind.FLOOR, 0.65),
    }


def test_a_figure_that_no_target_asks_for_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no target asks for luck"):
        targets({"luck": within(0, 1)})


# -- the report -----------------------------------------------------------------------------------------------


def test_figures_are_those_of_the_cut_off() -> None:
    table, said, report = reported()
    expected = classified(said.p, table.label, threshold=0.5)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert report.figures[name].value == pytest.approx(getattr(expected, name)), name
        interval = report.figures[name].interval
        assert interval is not None
        assert interval.low < report.figures[name].value < interval.high
    takes = said.p >= 0.5
    assert report.value is not None
    assert report.value.filtered.value == pytest.approx(table.r_net[takes].mean())
    assert report.value.unfiltered.value == pytest.approx(table.r_net.mean())
    assert report.value.gain.value == pytest.approx(table.r_net[takes].mean() - table.r_net.mean())


def test_each_row_passes_by_the_threshold_of_its_own_time() -> None:
    table = days(40)
    said = Said(model="m", p=np.full(40, 0.5), threshold=np.repeat([0.4, 0.6], 20))
    report = report_of(table, said)
    assert report.taken == 20
    assert report.figures["precision"].value == pytest.approx(table.label[:20].mean())


def test_a_document_is_strict_json() -> None:
    table, said, report = reported()
    document = report.document()
    require_json(document, "a report")
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert report_of(table, said).document() == document


def test_without_a_sample_there_are_words_and_no_noughts() -> None:
    empty = days(1).take(np.zeros(1, dtype=np.bool_))
    report = report_of(empty, Said(model="m", p=np.empty(0), threshold=np.empty(0)))
    assert report.why == "no forecast has met its label yet: there is nothing to judge"
    assert {each.value for each in report.figures.values()} == {None}
    assert (report.base_rate, report.coverage, report.threshold, report.majority) == (None, None, None, None)
    assert (report.probabilities, report.value, report.combined.score, report.combined.grade) == (None,) * 4
    assert (report.curve, report.grades, report.groups) == ((), {}, {})
    assert {each.reached for each in report.targets} == {Reached.CANNOT_BE_TOLD}
    require_json(report.document(), "a report")


def test_where_nothing_passes_there_is_no_success_rate() -> None:
    _, _, report = reported(threshold=1.0)
    assert report.taken == 0
    assert report.figures["precision"] == Measured(value=None)
    assert report.value is not None
    assert (report.value.filtered.value, report.value.gain.value) == (None, None)
    assert "nothing passed the threshold" in report.why
    assert report.combined.score is None
    assert "success" in report.combined.why
    require_json(report.document(), "a report")


def test_a_few_days_give_figures_without_intervals() -> None:
    _, _, report = reported(15)
    assert report.why == "15 independent stretches of 20: no interval can be given"
    assert report.figures["accuracy"].value is not None
    assert {each.interval for each in report.figures.values()} == {None}


def test_one_class_alone_has_no_auc() -> None:
    report = report_of(*_all_won())
    assert report.figures["auc"].value is None
    assert report.combined.why == "no combined score: ranking cannot be told"
    require_json(report.document(), "a report")


def _all_won() -> tuple[SampleTable, Said]:
    table = days(40, r_net=np.ones(40), label=np.ones(40, dtype=np.int64))
    return table, said_of(table)


def test_forecasts_of_other_rows_are_refused() -> None:
    with pytest.raises(InvalidInput, match="39 forecasts of 40 samples"):
        report_of(days(40), said_of(days(39)))


@settings(deadline=None, max_examples=60)
@given(
    p=st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
def test_no_bin_and_no_curve_loses_a_sample_also_at_0_and_1(p: list[float], seed: int) -> None:
    table = days(len(p), seed=seed)
    report = report_of(table, Said(model="m", p=np.array(p), threshold=np.full(len(p), 0.5)))
    assert report.probabilities is not None
    assert sum(each.samples for each in report.probabilities.reliability) == len(p)
    assert report.curve[0].threshold == 0
    assert report.curve[0].taken == len(p)
    assert report.curve[0].ev_per_signal == pytest.approx(table.r_net.mean())
    assert all(one.taken >= other.taken for one, other in pairwise(report.curve))
    for lines in report.groups.values():
        assert sum(line.samples for line in lines) == len(p)
        assert sum(line.taken for line in lines) == report.taken
    require_json(report.document(), "a report")


def test_what_is_said_at_exactly_the_threshold_passes() -> None:
    table = days(3)
    report = report_of(table, Said(model="m", p=np.array([0.0, 0.5, 1.0]), threshold=np.full(3, 0.5)))
    assert report.taken == 2


def test_figures_at_deployment_are_beside_those_of_now() -> None:
    table = days(200)
    then = AtDeployment(auc=within(0.70, 0.80), ev_filtered=0.2, brier=0.2, log_loss=0.6, resolved=300)
    report = report_of(table, said_of(table, skill=0.0), deployment=then)
    auc = report.figures["auc"].value
    assert auc is not None
    assert report.figures["degradation"].value == pytest.approx(1 - auc / 0.75)
    line = next(each for each in report.targets if each.name == "degradation")
    assert line.reached is Reached.NOT_MET
    assert report.document()["deployment"] is not None


def test_importances_and_their_steadiness_are_kept() -> None:
    table = days(30)
    report = report_of(table, said_of(table), importances=Importances(features={"f_a": 0.1}, across_folds=0.4))
    document = report.document()["importances"]
    assert document == {"features": {"f_a": 0.1}, "across_folds": 0.4, "across_trainings": None}


# -- groups ---------------------------------------------------------------------------------------------------


def test_regimes_have_the_names_of_their_numbers() -> None:
    values = np.array([0.0, 4.0, 8.0, np.nan, 9.0, -1.0, 2.5])
    named = ["falling, calm", "sideways, usual", "rising, wild", UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    assert regimes(values).tolist() == named
    assert len(set(REGIMES.values())) == 9


def test_groups_are_of_their_own_rows() -> None:
    table = days(60)
    said = said_of(table)
    lines = {line.group: line for line in report_of(table, said).groups["side"]}
    sold = table.side < 0
    passed = sold & (said.p >= 0.5)
    assert lines["sell"].samples == sold.sum()
    assert lines["sell"].win_rate == pytest.approx((table.r_net[sold] > 0).mean())
    assert lines["sell"].mean_r == pytest.approx(table.r_net[sold].mean())
    assert lines["sell"].ev_filtered == pytest.approx(table.r_net[passed].mean())


def test_a_group_of_which_nothing_passes_has_no_filtered_value() -> None:
    table = days(20, side=np.repeat([1, -1], 10))
    said = Said(model="m", p=np.repeat([0.9, 0.1], 10), threshold=np.full(20, 0.5))
    lines = {line.group: line for line in report_of(table, said).groups["side"]}
    assert (lines["buy"].taken, lines["sell"].taken, lines["sell"].ev_filtered) == (10, 0, None)


def outcome(decision: str, kind: OutcomeKind, r: float, **changes: Any) -> Outcome:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    lawful: dict[str, Any] = {
        "outcome_id": f"{decision}-{kind}",
        "decision_id": decision,
        "kind": kind,
        "instrument": "BTC-USD",
        "timeframe": Timeframe.H1,
        "side": Side.BUY,
        "opened_at": at,
        "closed_at": at + timedelta(hours=2),
        "entry_price": 100.0,
        "exit_price": 101.0,
        "quantity": Decimal(1),
        "r_net": r,
        "return_net": r / 100,
        "mfe_r": 1.0,
        "mae_r": -1.0,
        "bars_held": 2,
        "exit_cause": ExitCause.STOP,
        "costs_r": 0.1,
        "profit": Decimal("2.5") if kind is OutcomeKind.REAL else None,
        "strategies": ("trend",),
        "sentiment_state": "",
        "model": "m-1",
    }
    return Outcome(**{**lawful, **changes})


def test_an_outcome_is_attributed_once_a_decision_and_the_real_one_counts() -> None:
    shadow, real = outcome("d1", OutcomeKind.SHADOW, 1.0), outcome("d1", OutcomeKind.REAL, -1.0)
    other = outcome("d2", OutcomeKind.SHADOW, 0.5, strategies=("trend", "breakout"), exit_cause=ExitCause.TARGET)
    for order in ([shadow, real, other], [real, shadow, other]):
        found = attributed(order)
        trend, breakout = found["strategy"]
        assert (trend.tag, trend.outcomes, trend.win_rate, trend.mean_r) == ("trend", 2, 0.5, -0.25)
        assert (trend.real, trend.profit) == (1, Decimal("2.5"))
        assert (breakout.tag, breakout.outcomes, breakout.real, breakout.profit) == ("breakout", 1, 0, None)
        assert [line.tag for line in found["exit_cause"]] == ["stop", "target"]
        assert [line.tag for line in found["timeframe"]] == ["1h"]
        assert [line.tag for line in found["sentiment_state"]] == [UNKNOWN]
        assert [line.tag for line in found["model"]] == ["m-1"]
    require_json(plain(attributed([shadow, real, other])), "an attribution")


def test_without_an_outcome_nothing_is_attributed() -> None:
    assert set(attributed([]).values()) == {()}


def test_what_has_no_form_in_json_is_refused() -> None:
    assert plain(Interval(low=-np.inf, high=1.0, level=0.95)) == [None, 1.0]
    with pytest.raises(InvalidInput, match="cannot hold a set"):
        plain({1, 2})
