"""Triggers say when, in UTC; what makes no sense is refused in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.schedule import STANDARD, At, Every, Job, standard_job
from daemon.schedule.declarations import following, unique
from domain.clock import EPOCH
from domain.errors import InvalidInput

THURSDAY = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


async def _nothing(due: datetime) -> None:
    """A job that does nothing."""


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Every(period=timedelta(hours=1)), datetime(2026, 1, 1, 13, 0, tzinfo=UTC)),
        (Every(period=timedelta(hours=1), offset=timedelta(seconds=2)), datetime(2026, 1, 1, 12, 0, 2, tzinfo=UTC)),
        (Every(period=timedelta(hours=4)), datetime(2026, 1, 1, 16, 0, tzinfo=UTC)),
        (At(at=time(6, 0)), datetime(2026, 1, 2, 6, 0, tzinfo=UTC)),
        (At(at=time(12, 0)), datetime(2026, 1, 2, 12, 0, tzinfo=UTC)),
        (At(at=time(2, 0), weekday="sun"), datetime(2026, 1, 4, 2, 0, tzinfo=UTC)),
        (At(at=time(2, 0), weekday="mon"), datetime(2026, 1, 5, 2, 0, tzinfo=UTC)),
        (At(at=time(3, 0), day=1), datetime(2026, 2, 1, 3, 0, tzinfo=UTC)),
    ],
)
def test_a_trigger_names_its_next_time_strictly_after(trigger: Every | At, expected: datetime) -> None:
    assert following(trigger.build(), THURSDAY) == expected


@given(
    seconds=st.sampled_from([1, 10, 60, 300, 900, 3600, 14400, 86400]),
    after=st.integers(min_value=0, max_value=2_000_000_000),
    micro=st.integers(min_value=0, max_value=999_999),
)
def test_every_period_fires_on_the_grid_strictly_later_and_within_one_period(
    seconds: int, after: int, micro: int
) -> None:
    period = timedelta(seconds=seconds)
    moment = EPOCH + timedelta(seconds=after, microseconds=micro)
    found = following(Every(period=period).build(), moment)
    assert moment < found <= moment + period
    assert (found - EPOCH) % period == timedelta(0)


def test_a_year_of_daily_times_has_one_each_day_also_when_clocks_change_somewhere() -> None:
    fires = At(at=time(1, 30)).build()
    moment, found = datetime(2026, 1, 1, tzinfo=UTC), []
    while (moment := following(fires, moment)) < datetime(2027, 1, 1, tzinfo=UTC):
        found.append(moment)
    assert [one.date().toordinal() for one in found] == list(range(found[0].toordinal(), found[0].toordinal() + 365))
    assert {one.time() for one in found} == {time(1, 30)}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Every(period=timedelta(0)), "cannot be due every"),
        (lambda: Every(period=timedelta(hours=1), offset=timedelta(hours=1)), "does not lie within"),
        (lambda: At(at=time(2, 0), weekday="0"), "no weekday"),
        (lambda: At(at=time(2, 0), day=31), "does not exist in every month"),
        (lambda: At(at=time(2, 0), day=1, weekday="sun"), "not on both"),
        (lambda: At(at=time(2, 0, tzinfo=timezone(timedelta(hours=5)))), "UTC"),
        (lambda: Job(name="Scan it", trigger=At(at=time()), run=_nothing, deadline=timedelta(1)), "cannot name a job"),
        (lambda: Job(name="scan", trigger=At(at=time()), run=_nothing, deadline=timedelta(0)), "no time at all"),
        (lambda: standard_job("scam", _nothing), "there are scan, watch, venue_clock, reconcile"),
        (lambda: standard_job("scan", _nothing), "needs the bar's length"),
        (lambda: unique([standard_job("drift", _nothing)] * 2), "several jobs are named drift"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput, match=words):
        make()


def test_the_standard_jobs_run_at_the_times_the_specification_names() -> None:
    jobs = {name: standard_job(name, _nothing, bar=timedelta(hours=1)) for name in STANDARD}
    times = {name: following(job.trigger.build(), THURSDAY) for name, job in jobs.items()}
    assert times["scan"] == THURSDAY + timedelta(seconds=2)
    assert times["data_quality"] == datetime(2026, 1, 2, 6, 0, tzinfo=UTC)
    assert times["retraining"] == datetime(2026, 1, 4, 2, 0, tzinfo=UTC)
    assert times["policy"].weekday() == 5
    assert times["comprehensive"] == datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
    assert {name for name, job in jobs.items() if job.vital} == {"scan", "watch"}
    assert {name for name, job in jobs.items() if job.every_bar} == {"scan"}


def test_a_standard_job_takes_a_time_and_a_deadline_of_its_own() -> None:
    job = standard_job("evaluation", _nothing, trigger=At(at=time(5, 5)), deadline=timedelta(seconds=7))
    assert following(job.trigger.build(), THURSDAY) == datetime(2026, 1, 2, 5, 5, tzinfo=UTC)
    assert job.deadline == timedelta(seconds=7)
