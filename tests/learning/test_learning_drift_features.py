"""Stability of features: nothing is lost in the bins, and features that last raise no alarm by lasting."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from domain.errors import InvalidInput
from learning.drift.dependence import RowBlocks
from learning.drift.features import feature_drift, population_stability
from learning.drift.findings import DriftKind
from learning.table import Floats, SampleTable

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = 3_600_000_000


def table(features: dict[str, Floats], *, instruments: int = 6, schema: str = "s1") -> SampleTable:
    rows = len(next(iter(features.values())))
    at = np.arange(rows, dtype=np.int64) * HOUR
    names = np.array([f"d{row}" for row in range(rows)])
    return SampleTable(
        decision_id=names,
        decided_at=at,
        resolved_at=at + 5 * HOUR,
        instrument=np.array([f"I{row % instruments}" for row in range(rows)]),
        side=np.ones(rows, dtype=np.int64),
        strategy=names,
        r_net=np.ones(rows),
        label=np.ones(rows, dtype=np.int64),
        weight=np.ones(rows),
        source=names,
        features=np.stack(list(features.values()), axis=1),
        names=tuple(features),
        schema=schema,
    )


def lasting(draw: np.random.Generator, rows: int, memory: float) -> Floats:
    steps = draw.normal(size=rows) * math.sqrt(1 - memory * memory)
    found = np.empty(rows)
    value = float(draw.normal())
    for row in range(rows):
        value = memory * value + steps[row]
        found[row] = value
    return found


def test_the_index_matches_the_sum_by_hand() -> None:
    """Shares 3:1 against 1:1 of two levels, half a row added to each of the two bins."""
    reference, recent = np.array([0.0, 0, 0, 1] * 100), np.array([0.0, 1] * 100)
    p, q = np.array([300.5, 100.5]) / 401, np.array([100.5, 100.5]) / 201
    found = population_stability(reference, recent)
    assert found.value == pytest.approx(float(((p - q) * np.log(p / q)).sum()))
    assert (found.bins, found.reference, found.recent) == (2, 400, 200)


def test_the_critical_value_is_the_scaled_chi_square() -> None:
    found = population_stability(np.arange(1000.0), np.arange(500.0), rows_worth_one=2.0)
    assert found.bins == 10
    assert found.critical(0.01) == pytest.approx((1 / 500 + 1 / 250) * chi2.isf(0.01, 9))


def test_equal_samples_have_an_index_of_nothing() -> None:
    values = np.random.default_rng(1).normal(size=1000)
    assert population_stability(values, values).value == 0


def test_the_lower_edge_and_everything_beyond_the_edges_is_counted() -> None:
    """The bins of a reference from 0 to 99 also hold its own 0, and what lies far outside, at either end."""
    reference = np.arange(100.0)
    inside = population_stability(reference, np.zeros(50)).value
    assert inside == population_stability(reference, np.full(50, -1e300)).value
    assert inside == population_stability(reference, np.full(50, -np.inf)).value
    assert inside == pytest.approx(population_stability(reference, np.full(50, np.inf)).value)


def test_where_half_of_the_reference_is_its_lowest_value_the_first_bin_stays_open_below() -> None:
    reference = np.concatenate((np.zeros(500), np.arange(1.0, 501)))
    at_the_edge = population_stability(reference, np.zeros(50))
    assert at_the_edge.value == population_stability(reference, np.full(50, -1.0)).value


def test_missing_values_are_a_bin_of_their_own() -> None:
    draw = np.random.default_rng(2)
    reference, recent = draw.normal(size=1000), draw.normal(size=1000)
    quiet = population_stability(reference, recent)
    recent[:300] = np.nan
    gone = population_stability(reference, recent)
    assert quiet.value < quiet.critical(0.001)
    assert gone.value > 5 * gone.critical(0.001)
    assert gone.bins == quiet.bins + 1
    both = population_stability(np.full(20, np.nan), np.full(30, np.nan))
    assert (both.value, both.bins, both.critical(0.01)) == (0.0, 1, math.inf)


def test_a_code_never_seen_before_falls_into_no_neighbours_bin() -> None:
    codes = np.tile([1.0, 2.0, 3.0, 7.0], 200)
    with_new = codes.copy()
    with_new[::4] = 9.0
    like_neighbour = codes.copy()
    like_neighbour[::4] = 7.0
    assert population_stability(codes, with_new).bins == 5
    assert population_stability(codes, with_new).value > population_stability(codes, like_neighbour).value


def test_a_rare_level_keeps_its_bin() -> None:
    reference = np.concatenate((np.zeros(960), np.ones(40)))
    recent = np.concatenate((np.zeros(760), np.ones(240)))
    found = population_stability(reference, recent)
    assert found.bins == 2
    assert found.value > found.critical(1e-6)


VALUES = st.lists(
    st.floats(-5, 5) | st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, 1e308, -1e308]),
    min_size=1,
    max_size=60,
).map(np.array)


@settings(deadline=None)
@given(reference=VALUES, recent=VALUES, bins=st.integers(2, 12), worth=st.floats(1, 50))
def test_the_index_is_finite_and_never_below_nothing(
    reference: NDArray[np.float64], recent: NDArray[np.float64], bins: int, worth: float
) -> None:
    found = population_stability(reference, recent, bins=bins, rows_worth_one=worth)
    assert math.isfinite(found.value)
    assert found.value >= 0
    assert 1 <= found.bins <= bins + 2


@settings(deadline=None)
@given(reference=VALUES, recent=VALUES, seed=st.integers(0, 99))
def test_the_order_of_rows_is_nothing_to_the_index(
    reference: NDArray[np.float64], recent: NDArray[np.float64], seed: int
) -> None:
    draw = np.random.default_rng(seed)
    shuffled = population_stability(draw.permutation(reference), draw.permutation(recent))
    assert shuffled == population_stability(reference, recent)


def test_independent_rows_are_worth_about_themselves_and_repeated_ones_are_not() -> None:
    draw = np.random.default_rng(3)
    blocks = RowBlocks(np.array([f"I{row % 6}" for row in range(6000)]))
    assert blocks.rows_worth_one(draw.normal(size=6000)) < 4
    assert 20 < blocks.rows_worth_one(np.repeat(draw.normal(size=200), 30)) < 120
    assert blocks.rows_worth_one(np.full(6000, 3.0)) == 1


def test_a_level_that_each_instrument_keeps_is_worth_one_row_an_instrument() -> None:
    """Pooled in time such a feature looks independent: neighbouring rows are of different instruments."""
    blocks = RowBlocks(np.array([f"I{row % 6}" for row in range(3000)]))
    levels = np.tile([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 500)
    assert blocks.rows_worth_one(levels) > 400


def test_a_gap_that_lasts_counts_as_much_as_a_value_that_lasts() -> None:
    draw = np.random.default_rng(4)
    values = draw.normal(size=3000)
    values[1000:2000] = np.nan
    assert RowBlocks(np.full(3000, "I")).rows_worth_one(values) > 100


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("shared", [False, True])
def test_features_that_did_not_change_drift_no_more_often_than_alpha(memory: float, shared: bool) -> None:
    """40 features at 5% in all: by the usual 0.25, and by a chi-square on all rows, the slow ones nearly all drift."""
    draw = np.random.default_rng(5)

    def column(rows: int) -> Floats:
        if shared:
            return np.repeat(lasting(draw, rows // 6 + 1, memory), 6)[:rows]
        return np.stack([lasting(draw, rows // 6 + 1, memory) for _ in range(6)], axis=1).ravel()[:rows]

    columns = {f"f_{place}": column(2500) for place in range(40)}
    reference = table({name: values[:1900] for name, values in columns.items()})
    recent = table({name: values[1900:] for name, values in columns.items()})
    found = feature_drift(reference, recent, alpha=0.05)
    assert not found.drifted
    assert found.finding(NOW) is None
    if memory == 0 and not shared:
        assert found.tested == 40
    if memory >= 0.95:
        naive = [population_stability(values[:1900], values[1900:]) for values in columns.values()]
        assert sum(each.value > each.critical(0.05) for each in naive) > 20


def test_a_shift_of_one_feature_is_found_and_named() -> None:
    draw = np.random.default_rng(6)
    before: dict[str, Floats] = {f"f_{name}": draw.normal(size=2000) for name in "abc"}
    before["f_code"] = draw.integers(0, 8, 2000).astype(np.float64)
    after: dict[str, Floats] = {name: draw.permutation(values)[:600] for name, values in before.items()}
    after["f_b"] = after["f_b"] + 0.6
    found = feature_drift(table(before), table(after))
    assert [feature.name for feature in found.features if feature.drifted] == ["f_b"]
    finding = found.finding(NOW)
    assert finding is not None
    assert (finding.kind, finding.subject, finding.at) == (DriftKind.FEATURES, "f_b", NOW)
    assert finding.after > finding.before
    assert found.tested == 4


def test_a_strategy_that_stops_speaking_is_a_drift_of_its_code() -> None:
    draw = np.random.default_rng(7)
    before, after = draw.integers(0, 8, 2000).astype(float), draw.integers(0, 6, 600).astype(float)
    found = feature_drift(table({"f_strategy_code": before}), table({"f_strategy_code": after}))
    assert found.drifted


def test_more_features_ask_for_more_of_each() -> None:
    draw = np.random.default_rng(8)
    one = {"f_0": draw.normal(size=1000)}
    many = one | {f"f_{place}": draw.normal(size=1000) for place in range(1, 30)}
    alone = feature_drift(table(one), table(one)).features[0].critical
    among = feature_drift(table(many), table(many)).features[0].critical
    assert alone is not None
    assert among is not None
    assert among > alone


def test_a_feature_that_lasts_too_long_is_said_to_be_untested() -> None:
    draw = np.random.default_rng(9)
    columns = {"f_regime": np.repeat(draw.normal(size=4), 250), "f_noise": draw.normal(size=1000)}
    found = feature_drift(table(columns), table(columns))
    assert found.tested == 1
    assert found.features[0].psi is None
    assert "lasts" in found.features[0].why


def test_too_few_rows_test_nothing_and_say_so() -> None:
    columns = {"f_a": np.random.default_rng(10).normal(size=600)}
    short = {"f_a": columns["f_a"][:499] + 9}
    found = feature_drift(table(columns), table(short))
    assert not found.drifted
    assert found.why == "499 rows on one side, 500 are needed"
    assert feature_drift(table(columns), table(short), minimum_rows=499).drifted


def test_tables_of_other_features_and_absurd_arguments_are_refused() -> None:
    one = table({"f_a": np.zeros(5)})
    with pytest.raises(InvalidInput, match="cannot be compared"):
        feature_drift(one, table({"f_a": np.zeros(5)}, schema="s2"))
    with pytest.raises(InvalidInput):
        feature_drift(one, one, alpha=0.0)
    with pytest.raises(InvalidInput):
        feature_drift(one, one, minimum_rows=0)
    with pytest.raises(InvalidInput):
        population_stability(np.zeros(0), np.zeros(3))
    with pytest.raises(InvalidInput):
        population_stability(np.zeros(3), np.zeros(3), bins=1)
    with pytest.raises(InvalidInput):
        population_stability(np.zeros(3), np.zeros(3), rows_worth_one=math.nan)
    with pytest.raises(InvalidInput):
        population_stability(np.zeros(3), np.ones(3)).critical(1.0)
