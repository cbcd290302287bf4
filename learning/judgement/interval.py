"""A confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Two-sided, both ends in the unit of what it is for; `level` is its coverage in (0, 1).

    An end is infinite where the samples set no bound there.
    """

    low: float
    high: float
    level: float

    def __post_init__(self) -> None:
        if not self.low <= self.high or not 0 < self.level < 1:
            raise InvalidInput(f"an interval from {self.low} to {self.high} at a level of {self.level}")
