"""A service that ends stops the daemon; stopping goes in stages, each within its budget."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from daemon.supervise import Stage, StageEnd, Supervisor, probe_loop_lag
from domain.errors import Impossible, InvalidInput, JournalError

SECOND = timedelta(seconds=1)


class Story:
    """What happened, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, word: str) -> None:
        self.told.append(word)

    def stage(self, name: str, budget: timedelta = SECOND, act: Callable[[], Awaitable[None]] | None = None) -> Stage:
        async def run() -> None:
            self.tell(name)
            if act is not None:
                await act()

        return Stage(name=name, run=run, budget=budget)

    async def forever(self) -> None:
        """A good service: runs until it is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            self.tell("service gone")


def supervisor_of(story: Story, *stages: Stage, **settings: object) -> Supervisor:
    made = Supervisor(stages=stages, stopping=lambda reason: story.tell(f"stopping: {reason}"), **settings)  # type: ignore[arg-type]  # each test names its own settings
    made.add("good", story.forever)
    return made


def errors_of(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """The messages in a group, however deep."""
    found = []
    for error in group.exceptions:
        found += errors_of(error) if isinstance(error, BaseExceptionGroup) else [f"{type(error).__name__}: {error}"]
    return found


async def test_a_wish_to_stop_goes_through_the_stages_in_order_while_services_still_run() -> None:
    story = Story()
    supervisor = supervisor_of(story, story.stage("refuse"), story.stage("settle"), story.stage("flush"))
    asyncio.get_running_loop().call_soon(supervisor.request_stop, "a test asked")
    report = await supervisor.run()
    assert story.told == ["stopping: a test asked", "refuse", "settle", "flush", "service gone"]
    assert report.reason == "a test asked"
    assert [stage.end for stage in report.stages] == [StageEnd.DONE] * 3
    assert report.abandoned == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_stages_and_its_handler_is_gone_afterwards(number: signal.Signals) -> None:
    story = Story()
    supervisor = supervisor_of(story, story.stage("refuse"))
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
    report = await supervisor.run()
    assert report.reason == number.name
    assert story.told[1:] == ["refuse", "service gone"]
    assert not asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("beat", [1, 10])
async def test_a_service_that_fails_stops_the_rest_in_stages_and_is_raised(beat: int) -> None:
    story, beats = Story(), 0
    supervisor = supervisor_of(story, story.stage("refuse"), story.stage("flush"))

    async def failing() -> None:
        nonlocal beats
        while True:
            beats += 1
            if beats == beat:
                raise JournalError("the disk is full")
            await asyncio.sleep(0)

    supervisor.add("failing", failing)
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["JournalError: the disk is full"]
    assert story.told == ["stopping: the service failing ended", "refuse", "flush", "service gone"]


async def test_a_service_that_returns_is_an_error_that_names_it() -> None:
    story = Story()
    supervisor = supervisor_of(story, story.stage("flush"))

    async def short() -> None:
        story.tell("returned")

    supervisor.add("short", short)
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["Impossible: the service short ended although nobody stopped it"]
    assert story.told == ["returned", "stopping: the service short ended", "flush", "service gone"]


async def test_a_service_that_fails_while_stopping_is_raised_and_the_stages_go_on() -> None:
    story, fail = Story(), asyncio.Event()

    async def break_the_other() -> None:
        fail.set()
        await asyncio.sleep(0)

    async def failing() -> None:
        await fail.wait()
        raise JournalError("lost the venue")

    supervisor = supervisor_of(story, story.stage("settle", act=break_the_other), story.stage("flush"))
    supervisor.add("failing", failing)
    asyncio.get_running_loop().call_soon(supervisor.request_stop, "a test asked")
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["JournalError: lost the venue"]
    assert story.told == ["stopping: a test asked", "settle", "flush", "service gone"]


async def test_a_service_that_fails_in_its_clean_up_is_raised() -> None:
    story = Story()
    supervisor = supervisor_of(story)

    async def untidy() -> None:
        supervisor.request_stop("a test asked")
        try:
            await asyncio.Event().wait()
        finally:
            raise JournalError("could not close")

    supervisor.add("untidy", untidy)
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["JournalError: could not close"]


async def test_a_stage_that_hangs_is_cut_off_at_its_budget_and_named() -> None:
    story = Story()
    budget = timedelta(milliseconds=50)
    hanging = story.stage("settle", budget, asyncio.Event().wait)  # type: ignore[arg-type]  # what it returns is never seen
    supervisor = supervisor_of(story, hanging, story.stage("flush"))
    asyncio.get_running_loop().call_soon(supervisor.request_stop, "a test asked")
    began = time.monotonic()
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["TimeoutError: the stage settle of stopping was cut off after 0:00:00.050000"]
    assert story.told == ["stopping: a test asked", "settle", "flush", "service gone"]
    assert 0.05 <= time.monotonic() - began < 2


async def test_a_stage_that_fails_is_raised_and_the_next_ones_still_run() -> None:
    story = Story()

    async def fail() -> None:
        raise JournalError("nothing settles")

    supervisor = supervisor_of(story, story.stage("settle", act=fail), story.stage("flush"))
    asyncio.get_running_loop().call_soon(supervisor.request_stop, "a test asked")
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.run()
    assert errors_of(raised.value) == ["JournalError: nothing settles"]
    assert story.told[-2:] == ["flush", "service gone"]


async def test_a_wish_to_stop_before_the_start_is_not_lost() -> None:
    story = Story()
    supervisor = supervisor_of(story, story.stage("flush"))
    supervisor.request_stop("before the start")
    async with asyncio.timeout(5):
        report = await supervisor.run()
    assert report.reason == "before the start"
    assert story.told[:2] == ["stopping: before the start", "flush"]


async def test_cancelling_the_supervisor_stops_in_stages_too() -> None:
    story = Story()
    supervisor = supervisor_of(story, story.stage("refuse"), story.stage("flush"))
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert story.told == ["stopping: cancelled", "refuse", "flush", "service gone"]


async def test_a_service_that_ignores_cancelling_is_abandoned_by_name_and_the_hard_exit_stays_armed() -> None:
    story, let_go, exited = Story(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    supervisor = supervisor_of(
        story,
        exit_within=timedelta(milliseconds=200),
        cancel_within=timedelta(milliseconds=50),
        hard_exit=lambda status: loop.call_soon_threadsafe(exited.set),
    )

    async def stubborn() -> None:
        supervisor.request_stop("a test asked")
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                story.tell("ignored")

    supervisor.add("stubborn", stubborn)
    report = await supervisor.run()
    assert report.abandoned == ("stubborn",)
    async with asyncio.timeout(5):
        await exited.wait()
    let_go.set()


def test_a_process_that_cannot_stop_is_gone_in_time() -> None:
    program = """
import asyncio, time
from datetime import timedelta
from daemon.supervise import Supervisor

async def blocked():
    supervisor.request_stop("the test asked")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        time.sleep(60)

supervisor = Supervisor(
    stages=(), stopping=print, exit_within=timedelta(seconds=0.5), cancel_within=timedelta(seconds=0.1)
)
supervisor.add("blocked", blocked)
asyncio.run(supervisor.run())
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert b"hard_exit" in ended.stderr
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda story: supervisor_of(story, story.stage("a", 19 * SECOND)), "may take 0:00:21"),
        (lambda story: story.stage("a", timedelta(0)), "no time at all"),
        (lambda story: supervisor_of(story).add("good", story.forever), "two services or stages"),
        (
            lambda story: supervisor_of(story, story.stage("flush")).add("flush", story.forever),
            "two services or stages",
        ),
    ],
)
def test_what_cannot_stop_in_time_or_be_told_apart_is_refused(make: Callable[[Story], object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make(Story())


async def test_the_probe_tells_how_late_the_loop_came_back() -> None:
    clock, lags = [0.0], []
    naps = iter([1.0, 1.25, 0.75])

    async def sleep(wished: float) -> None:
        nap = next(naps, None)
        if nap is None:
            raise Impossible("the story is over")
        clock[0] += nap

    with pytest.raises(Impossible):
        await probe_loop_lag(lags.append, monotonic=lambda: clock[0], sleep=sleep, every_s=1.0)
    assert lags == [0.0, 0.25, 0.0]
