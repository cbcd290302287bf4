"""What each strategy's own calls came to, as weights for the ensemble.

A strategy's weight is 1 + shrunk mean net R + the same over the last 24 hours at half strength, held in
[0.5, 1.5]. Means are shrunk to 0 by a number of imaginary trades that earned nothing, so that a strategy with few
results keeps a weight near 1. R is cut at 3 either way: one lucky trade shall not carry a strategy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.clock import EPOCH, require_utc
from domain.decisions import Outcome
from domain.errors import InvalidInput
from domain.numbers import significant

FORMAT = 1
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyRecordSettings:
    """`shrink_trades` and `recent_shrink_trades` are the imaginary trades; times in seconds.

    A decision's real and shadow outcome may end `remember_s` apart; an outcome of a decision that was counted
    within that time is not counted again.
    """

    shrink_trades: float = 30.0
    recent_shrink_trades: float = 10.0
    recent_s: int = 24 * 3600
    recent_strength: float = 0.5
    largest_r: float = 3.0
    lowest_weight: float = 0.5
    highest_weight: float = 1.5
    remember_s: int = 31 * 24 * 3600

    def __post_init__(self) -> None:
        if not (self.shrink_trades > 0 and self.recent_shrink_trades > 0 and self.largest_r > 0):
            raise InvalidInput("a strategy's record needs shrink_trades, recent_shrink_trades and largest_r above 0")
        if not 0 < self.lowest_weight <= 1 <= self.highest_weight:
            raise InvalidInput("weights need 0 < lowest_weight <= 1 <= highest_weight")
        if self.recent_s < 0 or self.remember_s < 0 or self.recent_strength < 0:
            raise InvalidInput("recent_s, remember_s and recent_strength may not be negative")


@dataclass(slots=True)
class _Tally:
    count: int
    total_r: float


class StrategyRecord:
    """Resolved outcomes per strategy, each decision counted once (by whichever of its outcomes lands first)."""

    def __init__(self, settings: StrategyRecordSettings | None = None) -> None:
        self._settings = StrategyRecordSettings() if settings is None else settings
        self._tallies: dict[str, _Tally] = {}
        self._recent: list[tuple[int, float, tuple[str, ...]]] = []
        self._counted: dict[str, int] = {}
        self._newest = 0

    def update(self, outcome: Outcome) -> bool:
        """Count one outcome for every strategy that agreed with it; False when its decision was counted before."""
        if outcome.decision_id in self._counted:
            return False
        closed = (outcome.closed_at - EPOCH) // _SECOND
        largest = self._settings.largest_r
        earned = min(max(outcome.r_net, -largest), largest)
        for strategy in outcome.strategies:
            tally = self._tallies.setdefault(strategy, _Tally(0, 0.0))
            tally.count += 1
            tally.total_r += earned
        self._counted[outcome.decision_id] = closed
        self._recent.append((closed, earned, outcome.strategies))
        if closed > self._newest:
            self._newest = closed
            self._forget()
        return True

    def weights(self, now: datetime) -> Mapping[str, float]:
        """Weight per strategy that has results, by name; a strategy that is not there weighs 1."""
        settings = self._settings
        until = (require_utc(now, "now") - EPOCH) // _SECOND
        recent: dict[str, _Tally] = {}
        for closed, earned, strategies in self._recent:
            if until - settings.recent_s < closed <= until:
                for strategy in strategies:
                    tally = recent.setdefault(strategy, _Tally(0, 0.0))
                    tally.count += 1
                    tally.total_r += earned
        weights = {}
        for strategy in sorted(self._tallies):
            tally = self._tallies[strategy]
            weight = 1.0 + tally.total_r / (tally.count + settings.shrink_trades)
            late = recent.get(strategy)
            if late is not None:
                weight += settings.recent_strength * late.total_r / (late.count + settings.recent_shrink_trades)
            weights[strategy] = significant(min(max(weight, settings.lowest_weight), settings.highest_weight))
        return weights

    def counts(self) -> Mapping[str, int]:
        """How many outcomes each strategy's record holds, by name."""
        return {strategy: self._tallies[strategy].count for strategy in sorted(self._tallies)}

    def checkpoint(self) -> str:
        """The whole state as one line of JSON that reads back bit for bit."""
        return self.snapshot()()

    def snapshot(self) -> Callable[[], str]:
        """The state of now, taken apart from the record; called, it gives the checkpoint, which takes longer."""
        state = {
            "format": FORMAT,
            "strategies": {name: [tally.count, tally.total_r] for name, tally in self._tallies.items()},
            "recent": list(self._recent),
            "counted": dict(self._counted),
            "newest": self._newest,
        }
        return lambda: _COMPACT.encode(state)

    @classmethod
    def restore(cls, text: str, settings: StrategyRecordSettings | None = None) -> StrategyRecord:
        """The record `checkpoint` was taken from; raises `InvalidInput` when the text is none."""
        record = cls(settings)
        try:
            state: Mapping[str, Any] = json.loads(text)
            if state["format"] != FORMAT:
                raise InvalidInput(f"a strategy record of format {state['format']} is not of format {FORMAT}")
            record._tallies = {
                str(name): _Tally(int(count), _finite(total)) for name, (count, total) in state["strategies"].items()
            }
            record._recent = [
                (int(closed), _finite(earned), tuple(map(str, strategies)))
                for closed, earned, strategies in state["recent"]
            ]
            record._counted = {str(name): int(closed) for name, closed in state["counted"].items()}
            record._newest = int(state["newest"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"a strategy record's checkpoint cannot be read: {error!r}") from error
        return record

    @classmethod
    def from_outcomes(
        cls, outcomes: Iterable[Outcome], settings: StrategyRecordSettings | None = None
    ) -> StrategyRecord:
        """The record of stored outcomes, in the order given."""
        record = cls(settings)
        for outcome in outcomes:
            record.update(outcome)
        return record

    def _forget(self) -> None:
        """Drop what can no longer matter: results older than a day, decisions whose other outcome has long ended."""
        oldest = self._newest - self._settings.recent_s
        if self._recent[0][0] <= oldest:
            self._recent = [entry for entry in self._recent if entry[0] > oldest]
        remembered = self._newest - self._settings.remember_s
        # Counted in order of arrival, so the oldest stand first but for late arrivals, which leave a little later.
        while self._counted:
            decision_id, closed = next(iter(self._counted.items()))
            if closed > remembered:
                break
            del self._counted[decision_id]


_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _finite(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number
