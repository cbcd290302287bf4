"""Calibration: probabilities that mean what they say raise nothing, however their labels overlap."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.drift.calibration import calibration_drift
from learning.drift.findings import DriftKind
from learning.table import Floats, Ints, SampleTable

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = 3_600_000_000


def table(label: Ints, *, life: float = 0.5, instruments: int = 1, apart: float = 1.0) -> SampleTable:
    """Decisions `apart` hours apart, each alive for `life` hours."""
    rows = len(label)
    at = (np.arange(rows) * apart * HOUR).astype(np.int64)
    names = np.array([f"d{row}" for row in range(rows)], dtype=np.str_)
    return SampleTable(
        decision_id=names,
        decided_at=at,
        resolved_at=at + int(life * HOUR),
        instrument=np.array([f"I{row % instruments}" for row in range(rows)], dtype=np.str_),
        side=np.ones(rows, dtype=np.int64),
        strategy=names,
        r_net=np.where(label == 1, 1.0, -1.0),
        label=label,
        weight=np.ones(rows),
        source=names,
        features=np.zeros((rows, 0)),
        names=(),
        schema="s1",
    )


def forecasts(draw: np.random.Generator, rows: int, *, spread: float = 0.8) -> Floats:
    found: Floats = 1 / (1 + np.exp(-spread * draw.normal(size=rows)))
    return found


def labels(draw: np.random.Generator, chances: Floats) -> Ints:
    return (draw.random(len(chances)) < chances).astype(np.int64)


def test_the_figures_match_the_formulas_on_labels_that_do_not_overlap() -> None:
    draw = np.random.default_rng(1)
    p = forecasts(draw, 600)
    y = labels(draw, np.clip(p + 0.1, 0, 1))
    found = calibration_drift(table(y), p)
    spiegelhalter = ((y - p) * (1 - 2 * p)).sum() / math.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    large = (y - p).sum() / math.sqrt((p * (1 - p)).sum())
    assert found.spiegelhalter is not None
    assert found.in_the_large is not None
    # The measured spread may exceed the model's, and then the figure is smaller in size.
    assert 0.6 * abs(spiegelhalter) <= abs(found.spiegelhalter) <= abs(spiegelhalter) + 1e-9
    assert 0.6 * large <= found.in_the_large <= large + 1e-9
    assert found.effective == pytest.approx(600)
    assert found.mean_forecast == pytest.approx(p.mean())
    assert found.win_rate == pytest.approx(y.mean())


def test_calibrated_forecasts_drift_no_more_often_than_alpha() -> None:
    drifted = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        p = forecasts(draw, 500)
        drifted += calibration_drift(table(labels(draw, p)), p, alpha=0.05).drifted
    assert drifted <= 10


@pytest.mark.parametrize("instruments", [1, 6])
def test_copies_of_one_label_count_as_one(instruments: int) -> None:
    """Coins told 60 times by labels alive together: alarms if each copy counts, none by uniqueness and stretches.

    With six instruments the uniqueness within one knows of ten copies only; the spread between stretches knows all.
    """
    drifted = taken_for_independent = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        coins = labels(draw, np.full(40, 0.5))
        y = np.repeat(coins, 60)
        p = np.full(len(y), 0.45)
        drifted += calibration_drift(table(y, life=60, instruments=instruments), p, alpha=0.01).drifted
        taken_for_independent += abs((y - p).sum()) / math.sqrt((p * (1 - p)).sum()) > 2.8
    assert drifted <= 1
    assert taken_for_independent > 5


def test_a_level_that_is_off_is_found_where_spiegelhalter_is_blind() -> None:
    draw = np.random.default_rng(2)
    p = np.full(800, 0.5)
    found = calibration_drift(table(labels(draw, np.full(800, 0.35))), p)
    assert found.spiegelhalter == 0
    assert found.drifted
    finding = found.finding(NOW)
    assert finding is not None
    assert (finding.kind, finding.subject, finding.at) == (DriftKind.CALIBRATION, "in the large", NOW)
    assert finding.before == pytest.approx(0.5)
    assert finding.after == pytest.approx(0.35, abs=0.05)


def test_a_shift_does_not_hide_itself_in_the_spread_between_stretches() -> None:
    """600 wins at 1/2: 300 too many, 12.2 expected either way; spread around 0 it would seem five deviations."""
    found = calibration_drift(table(np.ones(600, dtype=np.int64)), np.full(600, 0.5))
    assert found.in_the_large == pytest.approx(300 / math.sqrt(150))


def test_forecasts_that_are_too_bold_are_found_where_the_level_is_right() -> None:
    draw = np.random.default_rng(3)
    p = forecasts(draw, 1200, spread=1.5)
    found = calibration_drift(table(labels(draw, 0.5 + 0.1 * (p - 0.5))), p)
    assert found.drifted
    assert found.in_the_large is not None
    assert found.critical is not None
    assert abs(found.in_the_large) < found.critical
    finding = found.finding(NOW)
    assert finding is not None
    assert finding.subject == "spiegelhalter"


def test_rows_without_a_forecast_are_left_out() -> None:
    draw = np.random.default_rng(4)
    p = forecasts(draw, 600)
    y = labels(draw, p)
    half = p.copy()
    half[300:] = np.nan
    whole = table(y)
    assert calibration_drift(whole, half) == calibration_drift(whole.take(slice(0, 300)), p[:300])


def test_too_little_evidence_is_no_drift_and_says_why() -> None:
    y = np.zeros(400, dtype=np.int64)
    alive_together = calibration_drift(table(y, life=300), np.full(400, 0.9))
    assert not alive_together.drifted
    assert "independent labels" in alive_together.why
    assert alive_together.finding(NOW) is None
    few_stretches = calibration_drift(table(y, life=100, instruments=50), np.full(400, 0.9))
    assert not few_stretches.drifted
    assert "stretches" in few_stretches.why
    nothing = calibration_drift(table(y[:0]), np.zeros(0))
    assert (nothing.samples, nothing.effective, nothing.drifted) == (0, 0.0, False)


def test_sides_are_alike() -> None:
    """Forecasts and labels turned round give the same figures, the level's with its sign turned."""
    draw = np.random.default_rng(5)
    p = forecasts(draw, 500)
    y = labels(draw, p)
    one, other = calibration_drift(table(y), p), calibration_drift(table(1 - y), 1 - p)
    assert one.spiegelhalter == pytest.approx(other.spiegelhalter)
    assert one.in_the_large is not None
    assert one.in_the_large == pytest.approx(-(other.in_the_large or 0.0))


ROWS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.5, 1.0, math.nan]) | st.floats(0, 1)), max_size=80)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, repeat=st.integers(1, 5), life=st.floats(0, 30), instruments=st.integers(1, 4))
def test_any_forecasts_give_finite_figures(
    rows: list[tuple[int, float]], repeat: int, life: float, instruments: int
) -> None:
    y = np.array([label for label, _ in rows] * repeat, dtype=np.int64)
    p = np.array([forecast for _, forecast in rows] * repeat, dtype=np.float64)
    found = calibration_drift(table(y, life=life, instruments=instruments), p)
    figures = (found.spiegelhalter, found.in_the_large, found.critical, found.mean_forecast, found.win_rate)
    assert all(figure is None or math.isfinite(figure) for figure in figures)
    assert found.why or found.critical is not None
    finding = found.finding(NOW)
    assert (finding is not None) == found.drifted


def test_forecasts_that_fit_no_table_are_refused() -> None:
    some = table(np.zeros(3, dtype=np.int64))
    for p, alpha in ((np.zeros(2), 0.01), (np.full(3, 1.2), 0.01), (np.zeros(3), 0.0)):
        with pytest.raises(InvalidInput):
            calibration_drift(some, p, alpha=alpha)
