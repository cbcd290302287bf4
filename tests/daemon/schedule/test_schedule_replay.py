"""A replay is told what is due as bars close, in time order, exactly once, also across a restart."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.schedule import At, Due, Every, Job, ReplaySchedule, standard_job

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


async def _nothing(due: datetime) -> None:
    """A job that does nothing."""


def _job(name: str, trigger: Every | At, *, every_bar: bool = False) -> Job:
    return Job(name=name, trigger=trigger, run=_nothing, deadline=timedelta(minutes=1), every_bar=every_bar)


def _jobs() -> list[Job]:
    return [
        standard_job("scan", _nothing, bar=HOUR),
        standard_job("reconcile", _nothing),
        standard_job("data_quality", _nothing),
        standard_job("evaluation", _nothing),
        standard_job("retraining", _nothing),
    ]


def _told(found: list[Due]) -> list[tuple[str, str]]:
    return [(run.fire_time.strftime("%d %H:%M"), run.job.name) for run in found]


def test_short_jobs_run_once_a_bar_and_long_ones_at_their_own_time() -> None:
    schedule = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    found = [run for hour in range(1, 8) for run in schedule.due(START + hour * HOUR)]
    told = _told(found)
    assert told.count(("01 06:00", "data_quality")) == 1
    assert [name for _, name in told].count("scan") == 7
    assert [name for _, name in told].count("reconcile") == 7
    assert [name for at, name in told if at == "01 06:00"] == ["scan", "reconcile", "data_quality"]
    assert [name for at, name in told if at == "01 01:00"] == ["scan", "reconcile", "evaluation"]


def test_a_gap_in_the_market_fires_long_jobs_each_day_and_short_ones_once() -> None:
    schedule = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    told = _told(list(schedule.due(START + timedelta(days=4, hours=3))))
    assert told == sorted(told, key=lambda run: run[0])
    assert [name for _, name in told].count("data_quality") == 4
    assert [name for _, name in told].count("evaluation") == 5
    assert ("04 02:00", "retraining") in told
    assert [run for run in told if run[1] in ("scan", "reconcile")] == [("05 03:00", "scan"), ("05 03:00", "reconcile")]


def test_asking_again_for_the_same_or_an_earlier_moment_gives_nothing() -> None:
    schedule = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    assert schedule.due(START) == ()
    assert len(schedule.due(START + HOUR)) == 3
    assert schedule.due(START + HOUR) == ()
    assert schedule.due(START + HOUR / 2) == ()


def test_nothing_is_due_before_the_earliest_time_and_the_answer_is_one_shared_empty_tuple() -> None:
    schedule = ReplaySchedule([_job("daily", At(at=time(6, 0)))], start=START, bar=HOUR)
    first, second = schedule.due(START + HOUR), schedule.due(START + 2 * HOUR)
    assert first == ()
    assert first is second
    assert _told(list(schedule.due(START + 6 * HOUR))) == [("01 06:00", "daily")]


def test_a_schedule_without_jobs_has_nothing_due() -> None:
    assert ReplaySchedule([], start=START, bar=HOUR).due(START + 100 * HOUR) == ()


@given(
    cut=st.integers(min_value=1, max_value=199),
    steps=st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=20),
)
def test_a_schedule_restored_from_its_last_runs_continues_as_if_never_stopped(cut: int, steps: list[int]) -> None:
    moments = [START + sum(steps[: index + 1]) * HOUR for index in range(len(steps))]
    whole = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    expected = [list(whole.due(moment)) for moment in moments]
    half = cut % len(moments)
    first = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    told = [list(first.due(moment)) for moment in moments[:half]]
    second = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    second.restore(first.last_runs())
    told += [list(second.due(moment)) for moment in moments[half:]]
    assert told == expected


@given(steps=st.lists(st.integers(min_value=1, max_value=50), min_size=1, max_size=12))
def test_however_a_replay_steps_long_jobs_are_due_at_the_same_times(steps: list[int]) -> None:
    end = START + sum(steps) * HOUR
    jobs = [job for job in _jobs() if job.trigger.period >= timedelta(days=1)]
    stepped = ReplaySchedule(jobs, start=START, bar=HOUR)
    found, moment = [], START
    for step in steps:
        moment += step * HOUR
        found += stepped.due(moment)
    assert found == list(ReplaySchedule(jobs, start=START, bar=HOUR).due(end))


def test_a_run_that_was_handed_out_but_not_done_comes_again_after_a_restart() -> None:
    schedule = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    schedule.due(START + timedelta(days=1))
    done = {name: at for name, at in schedule.last_runs().items() if name != "data_quality"}
    again = ReplaySchedule(_jobs(), start=START, bar=HOUR)
    again.restore({**done, "a_job_of_another_version": START})
    assert _told(list(again.due(START + timedelta(days=1)))) == [("01 06:00", "data_quality")]


@pytest.mark.parametrize("bar", [timedelta(minutes=1), HOUR, timedelta(days=1)])
def test_every_bar_jobs_run_at_each_moment_whatever_the_length_of_the_bar(bar: timedelta) -> None:
    schedule = ReplaySchedule([standard_job("scan", _nothing, bar=bar)], start=START, bar=bar)
    moments = [START + bar, START + 2 * bar - timedelta(seconds=20), START + 5 * bar]
    assert [[run.fire_time for run in schedule.due(moment)] for moment in moments] == [[moment] for moment in moments]
