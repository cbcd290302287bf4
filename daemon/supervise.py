"""One task group for all services, and a stop in stages that each have a budget.

A service runs until it is cancelled. One that fails, or that simply returns, stops the whole daemon: a task
group sees exceptions, not clean returns, so an early end is made one here. Stopping keeps every other service
alive through the stages, because orders in flight settle only while somebody still listens to the venue.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from domain.errors import Impossible, InvalidInput, RatchetError

EXIT_WITHIN: Final = timedelta(seconds=20)
"""From the wish to stop to the end of the process, whatever hangs."""
CANCEL_WITHIN: Final = timedelta(seconds=2)
"""What a cancelled task gets to clean up."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Service = Callable[[], Coroutine[Any, Any, None]]
"""Runs until it is cancelled."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One step of stopping: what is done, and how long it may take before the next step begins regardless."""

    name: str
    run: Callable[[], Awaitable[None]]
    budget: timedelta

    def __post_init__(self) -> None:
        if self.budget <= timedelta(0):
            raise InvalidInput(f"stage {self.name}: a budget of {self.budget} is no time at all")


class StageEnd(StrEnum):
    DONE = "done"
    FAILED = "failed"
    CUT_OFF = "cut_off"
    """Its budget was spent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageReport:
    """How one stage went. `seconds` on the monotonic clock."""

    name: str
    end: StageEnd
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StopReport:
    """Why the daemon stopped, how its stages went, and the names of what did not end when it was cancelled."""

    reason: str
    stages: tuple[StageReport, ...]
    abandoned: tuple[str, ...]


class Supervisor:
    """Runs services until one ends or somebody asks to stop, then stops in stages.

    `stopping` hears the reason before the first stage. When something cannot be cancelled, `hard_exit` is called
    with status 1, from a thread, `exit_within` after the wish to stop: the journal already knows what it cuts off.
    """

    def __init__(
        self,
        *,
        stages: Sequence[Stage],
        stopping: Callable[[str], None],
        exit_within: timedelta = EXIT_WITHIN,
        cancel_within: timedelta = CANCEL_WITHIN,
        signals: Sequence[signal.Signals] = SIGNALS,
        hard_exit: Callable[[int], object] = os._exit,
    ) -> None:
        budgets = sum((stage.budget for stage in stages), cancel_within)
        if budgets > exit_within:
            raise InvalidInput(f"the stages of stopping may take {budgets}, more than the {exit_within} there are")
        self._stages = tuple(stages)
        self._stopping = stopping
        self._exit_within = exit_within
        self._cancel_within = cancel_within
        self._signals = tuple(signals)
        self._hard_exit = hard_exit
        self._services: dict[str, Service] = {}
        self._tasks: dict[str, asyncio.Future[None]] = {}
        self._asked = asyncio.Event()
        self._released = asyncio.Event()
        self._cancelling = False
        self._reason = ""

    def add(self, name: str, service: Service) -> None:
        """Add a service that `run` starts; no other service or stage may have its name."""
        if name in self._services or name in {stage.name for stage in self._stages}:
            raise InvalidInput(f"there are two services or stages named {name}")
        self._services[name] = service

    def request_stop(self, reason: str) -> None:
        """Begin to stop; only the first reason counts."""
        if not self._asked.is_set():
            self._reason = reason
            _log.info("stopping", extra={"reason": reason})
            self._asked.set()

    async def run(self) -> StopReport:
        """Run until stopped. Raises an `ExceptionGroup` of what failed: services as they failed, stages together.

        A stage that was cut off is a `TimeoutError` that names it; a service that returned is `Impossible`.
        Cancelling `run` stops in stages too.
        """
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self.request_stop, number.name)
        try:
            return await self._supervise()
        finally:
            for number in self._signals:
                loop.remove_signal_handler(number)

    async def _supervise(self) -> StopReport:
        reports: list[StageReport] = []
        errors: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            guards = {
                name: group.create_task(self._guard(name, self._begin(name)), name=f"guard-{name}")
                for name in self._services
            }
            try:
                await self._asked.wait()
            finally:
                self.request_stop("cancelled")
                timer = self._begin_hard_exit()
                try:
                    self._stopping(self._reason)
                    reports = [await self._run_stage(stage, errors) for stage in self._stages]
                finally:
                    abandoned = await self._cancel_rest()
                    # A guard that raises cancels this body, so nothing is awaited any more once they may.
                    self._released.set()
                    for name in abandoned & guards.keys():
                        guards[name].cancel()
                    if not abandoned:
                        timer.cancel()
            if errors:
                raise ExceptionGroup("stages of stopping", errors)
        return StopReport(reason=self._reason, stages=tuple(reports), abandoned=tuple(sorted(abandoned)))

    def _begin(self, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._services[name](), name=name)
        self._tasks[name] = task
        return task

    async def _guard(self, name: str, task: asyncio.Task[None]) -> None:
        """Watch one service; an end that nobody asked for stops the daemon and is raised after the stages."""
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if not self._cancelling:
            error = error or Impossible(f"the service {name} ended although nobody stopped it")
            self.request_stop(f"the service {name} ended")
        if error is not None:
            told = None if isinstance(error, RatchetError) else error
            _log.error("service_failed", extra={"service": name, "reason": str(error)}, exc_info=told)
        await self._released.wait()
        if error is not None:
            raise error

    async def _run_stage(self, stage: Stage, errors: list[Exception]) -> StageReport:
        began = time.monotonic()
        task = asyncio.ensure_future(stage.run())
        await asyncio.wait({task}, timeout=stage.budget.total_seconds())
        end = StageEnd.DONE
        if not task.done():
            end = StageEnd.CUT_OFF
            self._tasks[stage.name] = task
            task.cancel()
            errors.append(TimeoutError(f"the stage {stage.name} of stopping was cut off after {stage.budget}"))
            _log.error("stop_stage_cut_off", extra={"stage": stage.name, "budget": str(stage.budget)})
        elif task.cancelled() or task.exception() is not None:
            end = StageEnd.FAILED
            error = None if task.cancelled() else task.exception()
            errors.append(error if isinstance(error, Exception) else Impossible(f"stage {stage.name} was cancelled"))
            told = None if isinstance(error, RatchetError) else error
            _log.error("stop_stage_failed", extra={"stage": stage.name, "reason": str(error)}, exc_info=told)
        seconds = time.monotonic() - began
        _log.info("stop_stage_ended", extra={"stage": stage.name, "end": end.value, "seconds": round(seconds, 3)})
        return StageReport(name=stage.name, end=end, seconds=seconds)

    async def _cancel_rest(self) -> frozenset[str]:
        """Cancel what still runs, services and cut-off stages; gives back the names of what did not end in time."""
        self._cancelling = True
        running = {task: name for name, task in self._tasks.items() if not task.done()}
        for task in running:
            task.cancel()
        if not running:
            return frozenset()
        _, pending = await asyncio.wait(running, timeout=self._cancel_within.total_seconds())
        for task in pending:
            _log.error("would_not_stop", extra={"task": running[task]})
        return frozenset(running[task] for task in pending)

    def _begin_hard_exit(self) -> threading.Timer:
        timer = threading.Timer(self._exit_within.total_seconds(), self._give_up)
        timer.daemon = True
        timer.start()
        return timer

    def _give_up(self) -> None:
        stuck = [name for name, task in self._tasks.items() if not task.done()]
        _log.critical("hard_exit", extra={"after": str(self._exit_within), "stuck": ", ".join(stuck)})
        self._hard_exit(1)


async def probe_loop_lag(
    observe: Callable[[float], None],
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    every_s: float = 1.0,
) -> None:
    """For ever: sleep, and tell `observe` how many seconds later than wished the event loop came back."""
    while True:
        began = monotonic()
        await sleep(every_s)
        observe(max(0.0, monotonic() - began - every_s))
