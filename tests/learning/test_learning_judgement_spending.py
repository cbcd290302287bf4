"""The error of a year of verdicts: never more than the rate within 365 days, and nearly all of it usable."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.spending import ErrorBudget, Spent

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
WEEK = timedelta(days=7)
BUDGET = ErrorBudget()

gaps = st.lists(
    st.sampled_from([timedelta(0), timedelta(seconds=1), DAY, WEEK, 30 * DAY, 364 * DAY, YEAR, 400 * DAY])
    | st.timedeltas(min_value=timedelta(0), max_value=500 * DAY),
    min_size=1,
    max_size=60,
)


def verdicts(apart: list[timedelta], shares: list[float] | None = None) -> list[Spent]:
    """Verdicts at these distances, each spending what is available (or a share of it)."""
    spent: list[Spent] = []
    now = START
    for place, gap in enumerate(apart):
        now += gap
        alpha = BUDGET.available(now, spent, started_at=START) * (1 if shares is None else shares[place % len(shares)])
        if alpha > 0:
            spent.append(Spent(at=now, alpha=alpha))
    return spent


def largest_window(spent: list[Spent]) -> float:
    return max(
        (math.fsum(other.alpha for other in spent if verdict.at <= other.at < verdict.at + YEAR) for verdict in spent),
        default=0.0,
    )


@settings(deadline=None)
@given(gaps)
def test_no_365_days_ever_spend_more_than_the_rate(apart: list[timedelta]) -> None:
    assert largest_window(verdicts(apart)) <= BUDGET.rate * (1 + 1e-12)


@settings(deadline=None)
@given(gaps, st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=5))
def test_spending_less_than_is_available_never_breaks_it(apart: list[timedelta], shares: list[float]) -> None:
    assert largest_window(verdicts(apart, shares)) <= BUDGET.rate * (1 + 1e-12)


def test_accrual_alone_would_spend_nearly_twice_the_rate() -> None:
    """Why what was spent is counted: a verdict after a silent year, then one a week."""
    apart = [YEAR, *[WEEK] * 51]
    by_accrual = math.fsum(BUDGET.rate * (gap / YEAR) for gap in apart)
    assert by_accrual > 1.95 * BUDGET.rate
    assert largest_window(verdicts(apart)) <= BUDGET.rate


@pytest.mark.parametrize(("every", "least"), [(DAY, 0.98), (WEEK, 0.98), (30 * DAY, 0.95), (YEAR, 0.999)])
def test_regular_verdicts_may_use_nearly_all_of_it_and_evenly(every: timedelta, least: float) -> None:
    spent = verdicts([every] * (4 * YEAR // every))
    assert largest_window(spent) > least * BUDGET.rate
    even = BUDGET.rate * (every / YEAR)
    settled = [verdict.alpha for verdict in spent if verdict.at > START + YEAR]
    assert sum(settled) / len(settled) == pytest.approx(even, rel=0.1)
    assert min(settled) > 0.5 * even


def test_a_large_first_verdict_does_not_silence_the_rest_of_the_year() -> None:
    spent = verdicts([200 * DAY, *[WEEK] * 150])
    even = BUDGET.rate * (WEEK / YEAR)
    assert spent[0].alpha == pytest.approx(0.05 * 200 / 365)
    assert len(spent) == 151
    assert min(verdict.alpha for verdict in spent) > 0.4 * even


def test_the_first_verdict_has_what_accrued_since_the_first_sample_and_at_most_a_year_of_it() -> None:
    assert BUDGET.available(START, [], started_at=START) == 0
    assert BUDGET.available(START + 73 * DAY, [], started_at=START) == pytest.approx(0.01)
    assert BUDGET.available(START + 900 * DAY, [], started_at=START) == pytest.approx(0.05)


def test_a_verdict_at_the_moment_of_the_last_has_nothing() -> None:
    spent = [Spent(at=START + WEEK, alpha=0.0009)]
    assert BUDGET.available(START + WEEK, spent, started_at=START) == 0
    assert BUDGET.available(START + WEEK + YEAR, spent, started_at=START) == pytest.approx(0.05)


def test_spending_out_of_order_later_than_now_or_nonsensical_is_refused() -> None:
    late = [Spent(at=START + WEEK, alpha=0.01)]
    with pytest.raises(InvalidInput, match="order of time"):
        BUDGET.available(START, late, started_at=START)
    with pytest.raises(InvalidInput, match="order of time"):
        BUDGET.available(START + YEAR, [*late, Spent(at=START, alpha=0.01)], started_at=START)
    with pytest.raises(InvalidInput, match="order of time"):
        BUDGET.available(START, [], started_at=START + DAY)
    with pytest.raises(InvalidInput):
        Spent(at=START, alpha=0.0)
    with pytest.raises(InvalidInput):
        Spent(at=START.replace(tzinfo=None), alpha=0.1)
    with pytest.raises(InvalidInput):
        ErrorBudget(rate=1.0)
    with pytest.raises(InvalidInput):
        ErrorBudget(window=timedelta(0))
