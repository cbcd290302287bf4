"""An example of a strategy of one's own: three closes in a row in one direction. Copy the file and change it."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, fired, previous, strength


class ThreeInARow(Strategy):
    """Fires on the third rising (or falling) close in a row, not on the fourth: an event, not a state.

    The confidence is 0.5, and up to 0.8 where the volume is high; a source without volumes leaves it at 0.5.
    """

    name: ClassVar[str] = "three_in_a_row"
    long_reason: ClassVar[str] = "three rising closes in a row"
    short_reason: ClassVar[str] = "three falling closes in a row"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        del settings  # this strategy has no parameters among the configured ones
        close = columns["close"]
        first, second, third = previous(previous(close)), previous(close), close
        before = previous(first)
        rising = (first > before) & (second > first) & (third > second)
        falling = (first < before) & (second < first) & (third < second)
        new_rise = rising & ~(before > previous(before))
        new_fall = falling & ~(before < previous(before))
        sure = 0.5 + 0.3 * strength(columns["volume_ratio"], 1.0, 2.5)
        return fired(new_rise, new_fall, sure, sure)
