"""Holds the current risk state, feeds it events, and puts the holds it returns in force."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.errors import Impossible
from journal.batch import Batch
from risk.breakers import Event, step
from risk.limits import Limits
from risk.state import RiskState
from trading.holds import HoldBook

RISK_KEY = "risk_state"


class RiskKeeper:
    """The one place where the risk state changes; every change is durable with what caused it."""

    def __init__(self, limits: Limits, holds: HoldBook) -> None:
        self.limits = limits
        self._holds = holds
        self._state: RiskState | None = None

    @property
    def started(self) -> bool:
        return self._state is not None

    @property
    def state(self) -> RiskState:
        """The current state; raises `Impossible` before the account's first deposit is known."""
        if self._state is None:
            raise Impossible("the account has no deposit yet, so there is no equity to measure risk by")
        return self._state

    def start(self, equity: Decimal, at: datetime, batch: Batch) -> None:
        """Begin with the account's first deposit."""
        self._state = RiskState.starting(equity, at)
        batch.put_state(RISK_KEY, self._state.to_json())

    def restore(self, text: str) -> None:
        """Take the state over from the journal."""
        self._state = RiskState.from_json(text)

    def step(self, event: Event, batch: Batch) -> None:
        """One event: the new state is durable with the batch, the holds it brings are in force at once."""
        before = self.state
        after, holds = step(before, event, self.limits)
        for hold in holds:
            self._holds.set(hold, batch)
        if after is not before:
            self._state = after
            batch.put_state(RISK_KEY, after.to_json)
