"""A strategy for fault runs: long where a bar rose, short where it fell, nothing where the market stood still."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, fired


class AlwaysIn(Strategy):
    name: ClassVar[str] = "always_in"
    long_reason: ClassVar[str] = "the bar rose"
    short_reason: ClassVar[str] = "the bar fell"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        del settings
        opened = columns["open_to_close"]  # the open relative to the close: below 0 where the bar rose
        sure = np.full(len(opened), 0.9)
        return fired(opened < 0, opened > 0, sure, sure)
