"""Each seed in a process of its own: what one does or suffers is its own, and the others go on."""

from __future__ import annotations

import os
from collections import deque

import pytest
from simulation.candles import HOWS, Candles
from simulation.runner import Result, Task, _in_processes
from simulation.setting import SYMBOLS, price_steps
from simulation.tape import WARM_UP, feed_of, make_tape

from domain.bars import BarSeries
from domain.instruments import Instrument
from market.registry import Registry
from venues.records import MarketKind

LETHAL = 2


def _work(task: Task) -> Result:
    if task.seed == LETHAL:
        os._exit(7)
    return Result(seed=task.seed, lives=os.getpid())


def test_a_seed_whose_process_ends_fails_alone_and_says_how() -> None:
    tasks = deque(Task(seed=seed, bars=1) for seed in range(5))
    results = {result.seed: result for result in _in_processes(_work, tasks, 2)}

    assert sorted(results) == [0, 1, 2, 3, 4]
    assert [seed for seed, result in results.items() if result.violations] == [LETHAL]
    assert "ended with 7" in results[LETHAL].violations[0]
    pids = {result.lives for seed, result in results.items() if seed != LETHAL}
    assert len(pids) == 4
    assert os.getpid() not in pids


@pytest.fixture(scope="module")
def history() -> dict[str, BarSeries]:
    tape = make_tape(1, bars=12, ticks=price_steps(MarketKind.SPOT))
    return {symbol: tape.series(symbol) for symbol in SYMBOLS}


def _instruments() -> dict[str, Instrument]:
    return {symbol: Registry.shipped().resolve(symbol, class_hint="crypto") for symbol in SYMBOLS}


@pytest.mark.parametrize("how", HOWS)
def test_what_is_no_candle_is_not_told_and_not_believed(how: str, history: dict[str, BarSeries]) -> None:
    candles = Candles(history)
    candles.spoil("ETHUSDT", WARM_UP + 1, 2, how)
    feed = feed_of(history, candles, _instruments())
    told = [{ref.symbol for ref in feed.take().closed} for _ in range(5)]

    assert told == [set(SYMBOLS), set(SYMBOLS) - {"ETHUSDT"}, set(SYMBOLS) - {"ETHUSDT"}, set(SYMBOLS), set(SYMBOLS)]
    assert candles.believed == []


def test_some_instrument_always_has_its_bar(history: dict[str, BarSeries]) -> None:
    candles = Candles(history)
    for symbol in SYMBOLS:
        candles.spoil(symbol, WARM_UP, 1, "missing")

    assert feed_of(history, candles, _instruments()).take().closed
