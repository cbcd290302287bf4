"""What a strategy is: one small class that says on which bars something happened, for all bars at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.orders import Side
from signals.settings import SignalSettings

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Columns = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Fired:
    """Per bar: +1 where a long event happened, -1 a short one, 0 none; and its confidence in (0, 1] there."""

    sides: NDArray[np.int8]
    confidences: Floats


class Strategy(ABC):
    """One independent opinion.

    `fire` reads whole columns (see `signals.indicators`; missing values are NaN) and may use at bar t only
    values of bars <= t. It names events (a cross, a break), not states: how long an event stays valid is the
    ensemble's affair. `name` is what weights, votes and reports call it; it never changes once traded.
    """

    name: ClassVar[str]
    long_reason: ClassVar[str]
    short_reason: ClassVar[str]

    @abstractmethod
    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        """The strategy's events on all bars."""

    def reason(self, side: Side) -> str:
        """Why it proposes `side`, for the journal."""
        return self.long_reason if side is Side.BUY else self.short_reason

    def barriers(self, side: Side, entry: float, atr: float, settings: SignalSettings) -> tuple[float, float]:
        """Stop and target prices of a position entered at `entry`; `atr` in price units.

        By default the stop is `atr_stop` ATR away and the target `reward_risk` times as far.
        """
        distance = settings.atr_stop * atr
        return entry - side.sign * distance, entry + side.sign * settings.reward_risk * distance


def fired(long: Truths, short: Truths, confidences_long: Floats, confidences_short: Floats) -> Fired:
    """Events from the bars on which either side fires; a bar on which both would is no event."""
    sides = long.astype(np.int8) - short.astype(np.int8)
    confidences = np.where(sides > 0, confidences_long, np.where(sides < 0, confidences_short, np.nan))
    return Fired(sides, confidences)


def crossed_above(values: Floats, level: Floats | float) -> Truths:
    """Bars that end above the level when the bar before ended at or below it; never where either is missing."""
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), values.shape)
    result = np.zeros(values.shape, dtype=np.bool_)
    result[1:] = (values[1:] > levels[1:]) & (values[:-1] <= levels[:-1])
    return result


def crossed_below(values: Floats, level: Floats | float) -> Truths:
    """Bars that end below the level when the bar before ended at or above it; never where either is missing."""
    return crossed_above(-values, -level)


def previous(values: Floats) -> Floats:
    """What the column said one bar earlier; missing for the first bar."""
    result = np.full(values.shape, np.nan)
    result[1:] = values[:-1]
    return result


def strength(values: Floats, low: float, high: float) -> Floats:
    """0 at `low` or less, 1 at `high` or more, straight between; 0 where the value is missing."""
    return np.nan_to_num(np.clip((values - low) / (high - low), 0.0, 1.0), nan=0.0)
