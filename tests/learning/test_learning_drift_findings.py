"""Agreement: two kinds within the window, and nothing less."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.drift.findings import AGREEMENT_WINDOW, DriftFinding, DriftKind, agreement, in_force

NOW = datetime(2024, 6, 1, tzinfo=UTC)
ERRORS, FEATURES, CALIBRATION = DriftKind.ERRORS, DriftKind.FEATURES, DriftKind.CALIBRATION
DAYS = AGREEMENT_WINDOW / timedelta(days=1)


def finding(kind: DriftKind, days_ago: float, *, detector: str = "adwin") -> DriftFinding:
    at = NOW - timedelta(days=days_ago)
    return DriftFinding(
        kind=kind, detector=detector, subject="win", at=at, before=0.5, after=0.4, told="a change was found"
    )


@pytest.mark.parametrize(
    ("findings", "agree"),
    [
        ([], False),
        ([finding(ERRORS, 1)], False),
        ([finding(ERRORS, 1), finding(ERRORS, 2, detector="page_hinkley")], False),
        ([finding(ERRORS, 1), finding(CALIBRATION, 2)], True),
        ([finding(FEATURES, 0), finding(CALIBRATION, DAYS - 0.01)], True),
        ([finding(FEATURES, 0), finding(CALIBRATION, DAYS)], False),
        ([finding(FEATURES, -1), finding(CALIBRATION, 1)], False),
    ],
)
def test_two_kinds_in_force_agree(findings: list[DriftFinding], agree: bool) -> None:
    assert agreement(findings, now=NOW) is agree


def test_the_window_is_configurable() -> None:
    findings = [finding(ERRORS, 0), finding(CALIBRATION, 5)]
    assert agreement(findings, now=NOW, window=timedelta(days=6))
    assert not agreement(findings, now=NOW, window=timedelta(days=5))
    with pytest.raises(InvalidInput):
        agreement(findings, now=NOW, window=timedelta(0))


ANY = st.lists(st.tuples(st.sampled_from(DriftKind), st.integers(-10, 2 * int(DAYS))), max_size=8)


@settings(deadline=None)
@given(rows=ANY, order=st.randoms(use_true_random=False))
def test_order_is_nothing_and_age_only_ends_agreement(rows: list[tuple[DriftKind, int]], order: object) -> None:
    findings = [finding(kind, days) for kind, days in rows]
    shuffled = list(findings)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random
    assert agreement(findings, now=NOW) == agreement(shuffled, now=NOW)
    alive = in_force(findings, now=NOW)
    assert all(timedelta(0) <= NOW - each.at < AGREEMENT_WINDOW for each in alive)
    assert not agreement(findings, now=NOW + 4 * AGREEMENT_WINDOW)


def test_a_finding_that_says_nothing_is_refused() -> None:
    for told, after in (("", 0.4), ("a change", math.nan)):
        with pytest.raises(InvalidInput):
            DriftFinding(kind=ERRORS, detector="adwin", subject="win", at=NOW, before=0.5, after=after, told=told)
