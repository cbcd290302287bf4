"""The simulated operator of replays, demos and backtests: resumes after some days, and is counted.

A live run never has one. What it does is journaled as `simulated`, exactly as a person's command would be.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from journal.batch import Batch
from trading.commands import Commands
from trading.holds import HoldBook

NAME = "simulated operator"


class Operator:
    """Clears latched holds that have stood for a declared time."""

    def __init__(self, *, holds: HoldBook, commands: Commands, after: timedelta = timedelta(days=5)) -> None:
        self._holds = holds
        self._commands = commands
        self._after = after
        self.resumed = 0

    def act(self, now: datetime, batch: Batch) -> None:
        """Resume trading when the oldest latched hold is old enough."""
        latched = [hold for hold in self._holds.in_force(now) if hold.latched]
        if latched and now - latched[0].since >= self._after:
            why = f"resumed {self._after.days} days after {latched[0].cause} latched"
            self._commands.resume(who=NAME, why=why, batch=batch, simulated=True)
            self.resumed += 1
