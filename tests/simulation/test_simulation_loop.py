"""The seeded loop: virtual time, order, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from simulation.seeded_loop import NothingWillHappen, SeededLoop, stream


@pytest.fixture
def loop() -> Iterator[SeededLoop]:
    made = SeededLoop()
    yield made
    made.close()


def test_a_year_of_waiting_passes_at_once(loop: SeededLoop) -> None:
    loop.run_until_complete(asyncio.sleep(365 * 86_400))

    assert loop.time() == pytest.approx(365 * 86_400)


def test_timers_fire_in_the_order_of_their_times(loop: SeededLoop) -> None:
    fired: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        fired.append(f"{name} at {loop.time():g}")

    async def all_of_them() -> None:
        await asyncio.gather(after(3, "third"), after(1, "first"), after(2, "second"))

    loop.run_until_complete(all_of_them())

    assert fired == ["first at 1", "second at 2", "third at 3"]


def test_whoever_waits_for_what_no_timer_brings_is_told(loop: SeededLoop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    task = loop.create_task(wait())
    with pytest.raises(NothingWillHappen):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_a_timeout_is_virtual_too(loop: SeededLoop) -> None:
    async def impatient() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        loop.run_until_complete(impatient())

    assert loop.time() == pytest.approx(5)


def test_what_a_thread_would_do_is_done_a_little_later(loop: SeededLoop) -> None:
    assert loop.run_until_complete(loop.run_in_executor(None, lambda: 7)) == 7
    assert 0 < loop.time() < 0.01


def test_time_that_the_machine_sleeps_runs_nothing(loop: SeededLoop) -> None:
    woken: list[float] = []

    async def sleeper() -> None:
        await asyncio.sleep(1)
        woken.append(loop.time())

    async def story() -> None:
        task = loop.create_task(sleeper())
        await asyncio.sleep(0)
        loop.leap(600)
        await task

    loop.run_until_complete(story())

    assert woken == [pytest.approx(600)]


def test_streams_differ_by_seed_and_by_purpose_and_repeat() -> None:
    assert stream(1, "market").random() == stream(1, "market").random()
    assert stream(1, "market").random() != stream(2, "market").random()
    assert stream(1, "market").random() != stream(1, "faults").random()
