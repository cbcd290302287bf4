"""Figures say what was measured, and the clocks of the benchmarks time what they claim to time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench.figures import Figure, in_unit, line, rates
from bench.in_process import timed_calls
from bench.timing import once_each, per_call


class Worker:
    def double(self, number: int) -> int:
        return 2 * number

    async def triple(self, number: int) -> int:
        await asyncio.sleep(0)
        return 3 * number


def test_a_figure_tells_median_least_and_greatest_at_five_digits() -> None:
    figure = Figure(name="a.b", what="something", unit="us", values=(3.0, 1.0, 2.123456))
    told = figure.document()
    assert told == {"name": "a.b", "what": "something", "median": 2.1235, "min": 1, "max": 3, "unit": "us", "n": 3}
    assert line(told).split()[:3] == ["a.b", "2.123", "us"]


def test_what_was_never_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="was not measured once"):
        Figure(name="a", what="", unit="s", values=())


def test_seconds_become_units_and_rates() -> None:
    assert in_unit([0.5, 2], "ms") == (500, 2000)
    assert rates(100, [0.5, 2]) == (200, 50)


def test_a_call_is_warmed_up_and_measured_as_often_as_asked() -> None:
    calls = []
    assert len(once_each(lambda: calls.append(1), 3)) == 3
    assert len(calls) == 4
    assert all(each > 0 for each in per_call(lambda: sum(range(10_000)), 2))


async def test_calls_are_timed_by_label_while_watched_and_left_alone_after() -> None:
    def by_parity(given: tuple[Any, ...], told: int) -> str | None:
        return None if given[1] == 0 else "even" if told % 2 == 0 else "odd"

    plain, worker = Worker.double, Worker()
    with timed_calls(Worker, "double", by_parity) as doubled, timed_calls(Worker, "triple", by_parity) as tripled:
        assert [worker.double(number) for number in (0, 1, 2)] == [0, 2, 4]
        assert [await worker.triple(number) for number in (1, 2, 3)] == [3, 6, 9]
    assert {label: len(seconds) for label, seconds in doubled.items()} == {"even": 2}
    assert {label: len(seconds) for label, seconds in tripled.items()} == {"odd": 2, "even": 1}
    assert Worker.double is plain
