"""The gate before training: enough samples, enough of each class, not too lopsided, not too full of holes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_cases import samples

from domain.errors import InvalidInput
from learning.quality import Quality, QualitySettings, quality_of
from learning.table import SampleTable


def table_with(winners: int, losers: int, columns: dict[str, Any] | None = None) -> SampleTable:
    """Samples of which the first `winners` won, with these feature columns, by default one without holes."""
    rows = winners + losers
    given = {"f_a": np.arange(rows)} if columns is None else columns
    r_net = np.where(np.arange(rows) < winners, 2.0, -1.0)
    features = np.column_stack([np.asarray(values, dtype=np.float64) for values in given.values()])
    label = (r_net > 0).astype(np.int64)
    return samples(rows, names=tuple(given), features=features, r_net=r_net, label=label)


def judged(table: SampleTable, *, minimum_samples: int = 1, **rules: Any) -> Quality:
    return quality_of(table, QualitySettings(**rules), minimum_samples=minimum_samples)


def test_good_samples_have_no_fault() -> None:
    found = judged(table_with(60, 140), minimum_samples=200)
    assert (found.samples, found.winners, found.losers) == (200, 60, 140)
    assert found.imbalance == pytest.approx(140 / 60)
    assert found.missing == 0
    assert found.features_used == ("f_a",)
    assert found.features_dropped == ()
    assert found.faults == ()
    assert found.ok


def test_the_larger_of_the_two_minimums_is_demanded() -> None:
    table = table_with(75, 75)
    assert judged(table, minimum_samples=150).ok
    assert judged(table, minimum_samples=151).faults == ("there are 150 samples; 151 are needed",)
    assert quality_of(table, QualitySettings(minimum_samples=200), minimum_samples=1).faults == (
        "there are 150 samples; 200 are needed",
    )


@pytest.mark.parametrize(("winners", "losers", "short"), [(49, 100, "49 winners"), (100, 49, "49 losers")])
def test_each_class_needs_its_number(winners: int, losers: int, short: str) -> None:
    assert judged(table_with(winners, losers)).faults == (f"there are {short}; 50 are needed",)
    assert judged(table_with(50, 100)).ok
    assert judged(table_with(100, 50)).ok


def test_a_lopsided_table_is_refused_beyond_the_limit_and_not_at_it() -> None:
    assert judged(table_with(100, 300)).ok
    assert judged(table_with(300, 100)).ok
    for table in (table_with(100, 301), table_with(301, 100)):
        (fault,) = judged(table).faults
        assert "an imbalance of 3.01; 3 is allowed" in fault


def test_a_break_even_filter_at_reward_three_to_one_passes_the_default() -> None:
    assert judged(table_with(270, 730)).ok


def test_one_class_alone_is_told_once() -> None:
    found = judged(table_with(0, 200))
    assert found.imbalance == float("inf")
    assert found.faults == ("there are 0 winners; 50 are needed",)


def column(rows: int, missing: int) -> list[float]:
    return [float("nan")] * missing + [float(value) for value in range(rows - missing)]


def test_holes_count_among_the_features_in_use_and_not_among_those_that_are_off() -> None:
    off = {"f_news": [float("nan")] * 200, "f_sparse": column(200, 101)}
    found = judged(table_with(100, 100, {"f_a": column(200, 40), "f_b": column(200, 0), **off}))
    assert found.missing == pytest.approx(0.10)
    assert found.features_dropped == ("f_news", "f_sparse")
    assert found.features_used == ("f_a", "f_b")
    assert found.ok
    worse = judged(table_with(100, 100, {"f_a": column(200, 42), "f_b": column(200, 0), **off}))
    assert worse.faults == ("10.5% of the values of the features in use are missing; 10.0% is allowed",)


def test_a_feature_missing_in_half_of_the_rows_is_used_and_in_more_is_not() -> None:
    found = judged(
        table_with(100, 100, {"f_a": column(200, 0), "f_half": column(200, 100), "f_more": column(200, 101)})
    )
    assert found.features_dropped == ("f_more",)


def test_a_feature_that_never_changes_is_dropped_also_when_it_has_holes() -> None:
    still = [7.0] * 150 + [float("nan")] * 50
    found = judged(table_with(100, 100, {"f_still": still, "f_zero": [0.0] * 200, "f_a": column(200, 0)}))
    assert found.features_dropped == ("f_still", "f_zero")
    assert found.ok


def test_without_a_usable_feature_there_is_nothing_to_train_on() -> None:
    found = judged(table_with(100, 100, {"f_a": [1.0] * 200, "f_b": [float("nan")] * 200}))
    (fault,) = found.faults
    assert fault.startswith("none of the 2 features can be used")
    assert not found.ok


def test_an_empty_table_is_judged_and_not_a_crash() -> None:
    found = judged(samples(0), minimum_samples=100)
    assert found.samples == 0
    assert found.missing == 0
    assert found.features_dropped == ("f_a", "f_b")
    assert len(found.faults) == 4


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"minimum_per_class": 0}, "must be 1 or more"),
        ({"minimum_samples": 0}, "must be 1 or more"),
        ({"largest_imbalance": 0.9}, "largest_imbalance is 0.9"),
        ({"largest_imbalance": float("nan")}, "largest_imbalance is nan"),
        ({"largest_missing": 1.1}, r"largest_missing is 1.1; it must lie in \[0, 1\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        QualitySettings(**rules)
