"""Asking a provider that fails now and then: again after a growing pause, a few at once, and not at all while it is
down.

A question that may be asked twice without harm is asked up to `attempts` times, each within `deadline_s`, with a
pause between them that doubles. The pause is jittered by a hash of the question and the attempt: many symbols spread
out, and a run repeats exactly. What the provider says about when to come back (`VenueBusy.wait_s`) is kept for
every question, not just for the one that was told.

The circuit opens after `failures` failed attempts in a row, of whatever questions: from then on every question is
refused at once, which sends the caller to the fallback, until `rest_s` have passed. Then one question goes through
as a probe; when it is answered the circuit closes, else the rest doubles, up to `longest_rest_s`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import InvalidInput, VenueBusy, VenueForbids, VenueUnavailable
from domain.identity import digest

Answer = TypeVar("Answer")

AT_ONCE = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPlan:
    """How patiently a provider is asked; seconds throughout."""

    attempts: int = 4
    deadline_s: float = 5.0
    first_wait_s: float = 0.25
    longest_wait_s: float = 4.0
    failures: int = 10
    rest_s: float = 15.0
    longest_rest_s: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.failures < 1:
            raise InvalidInput(f"a provider is asked {self.attempts} times, given up after {self.failures}: 1 or more")
        waits = (self.deadline_s, self.first_wait_s, self.longest_wait_s, self.rest_s, self.longest_rest_s)
        if not all(wait > 0 for wait in waits):
            raise InvalidInput(f"the waits of a retry plan are {waits}; each must be above 0 seconds")

    def wait_s(self, question: str, attempt: int) -> float:
        """Seconds to wait after the failed `attempt` (1, 2, ...): half of the doubled pause to all of it."""
        longest = min(self.longest_wait_s, math.ldexp(self.first_wait_s, attempt - 1))
        return longest * (0.5 + 0.5 * spread_of(question, attempt))


def spread_of(question: str, attempt: int) -> float:
    """A number in [0, 1] that is the same whenever it is asked for."""
    return int(digest("jitter", question, attempt, length=8), 16) / 0xFFFF_FFFF


class Circuit:
    """Whether a provider may be asked now; `moment` is a monotonic time in seconds."""

    def __init__(self, plan: RetryPlan) -> None:
        self._plan = plan
        self._failed = 0
        self._rest_s = plan.rest_s
        self._opens_again = 0.0
        self._open = False
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether questions are being refused (a probe may be under way)."""
        return self._open

    def refuses(self, moment: float) -> bool:
        """Whether a question must not be asked at `moment`."""
        return self._open and (self._probing or moment < self._opens_again)

    def begin(self) -> bool:
        """A question is about to be asked; True when it is the probe."""
        if self._open:
            self._probing = True
        return self._probing

    def abandoned(self) -> None:
        """The probe was called off without an answer; another may try."""
        self._probing = False

    def succeeded(self) -> None:
        self._failed, self._open, self._probing, self._rest_s = 0, False, False, self._plan.rest_s

    def failed(self, moment: float, *, at_once: bool = False) -> None:
        """An attempt failed; `at_once` opens the circuit without waiting for more failures."""
        self._failed += 1
        if self._probing:
            self._rest_s = min(2 * self._rest_s, self._plan.longest_rest_s)
            self._probing, self._opens_again = False, moment + self._rest_s
        elif not self._open and (at_once or self._failed >= self._plan.failures):
            self._open, self._opens_again = True, moment + self._rest_s


class Robust:
    """Asks one provider by a plan. `at_once` is the semaphore shared with everything that asks beside it."""

    def __init__(self, venue: str, plan: RetryPlan, at_once: asyncio.Semaphore) -> None:
        self.venue = venue
        self.calls = 0
        """Attempts that reached the provider."""
        self.failures = 0
        """Attempts that it did not answer."""
        self._plan = plan
        self._at_once = at_once
        self._circuit = Circuit(plan)
        self._not_before = 0.0

    @property
    def is_resting(self) -> bool:
        """Whether the provider is down, as far as is known, and only probed."""
        return self._circuit.is_open

    async def call(self, question: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to `ask`, which may safely be asked again; `question` names it for the jitter.

        Raises `VenueUnavailable` when no attempt was answered or the provider rests, `VenueBusy` when it may not be
        asked for longer than the plan waits, and at once whatever else `ask` raises.
        """
        attempt = 1
        while True:
            await self._wait_until_allowed()
            try:
                return await self._attempt(ask)
            except VenueBusy as error:
                if attempt >= self._plan.attempts or error.wait_s > self._plan.longest_wait_s:
                    raise
            except VenueUnavailable:
                if attempt >= self._plan.attempts or self._circuit.is_open:
                    raise
            await asyncio.sleep(self._plan.wait_s(question, attempt))
            attempt += 1

    async def _wait_until_allowed(self) -> None:
        while (left := self._not_before - _moment()) > 0:
            if left > self._plan.longest_wait_s:
                raise VenueBusy(f"{self.venue} may not be asked for {left:.1f} s more", wait_s=left)
            await asyncio.sleep(left)

    async def _attempt(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        async with self._at_once:
            # Only now is it known whether the provider is still thought to be up: the wait for a turn may be long.
            if self._circuit.refuses(_moment()):
                raise VenueUnavailable(f"{self.venue} has failed repeatedly and is left alone for a while")
            probe = self._circuit.begin()
            self.calls += 1
            try:
                answer = await self._in_time(ask)
            except VenueBusy as error:
                self._told_to_wait(error)
                raise
            except VenueUnavailable:
                self._lost()
                raise
            except VenueForbids:
                self._lost(at_once=True)
                raise
            except BaseException:
                # Called off, or a definite no to this question alone: neither says that the provider is down.
                if probe:
                    self._circuit.abandoned()
                raise
            self._circuit.succeeded()
            return answer

    async def _in_time(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(self._plan.deadline_s):
                return await ask()
        except TimeoutError as error:
            raise VenueUnavailable(f"{self.venue} did not answer within {self._plan.deadline_s:g} s") from error

    def _told_to_wait(self, error: VenueBusy) -> None:
        if error.wait_s > 0:
            self._not_before = max(self._not_before, _moment() + error.wait_s)
            self._circuit.abandoned()
        else:
            self._lost()

    def _lost(self, *, at_once: bool = False) -> None:
        self.failures += 1
        self._circuit.failed(_moment(), at_once=at_once)


def _moment() -> float:
    return asyncio.get_running_loop().time()
