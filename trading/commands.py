"""What a person may tell a running account: pause, resume, flatten, halt. Each is recorded with who and why.

Tightening needs no more than asking; loosening (`resume`) is only ever done here, by a recorded command.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from domain.clock import Clock
from domain.decisions import ExitCause
from domain.errors import InvalidInput
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.identity import digest
from domain.orders import Intent
from domain.records import Command
from journal.batch import Batch
from risk.breakers import Resumed
from trading.books import Books
from trading.holds import HoldBook
from trading.protection import Protection
from trading.risk_keeper import RiskKeeper


class Commands:
    """Turns commands into holds, risk events and intents, all within the caller's transaction."""

    def __init__(
        self,
        *,
        clock: Clock,
        holds: HoldBook,
        risk: RiskKeeper,
        books: Books,
        protection: Protection,
        equity: Callable[[], Decimal],
    ) -> None:
        self._clock = clock
        self._holds = holds
        self._risk = risk
        self._books = books
        self._protection = protection
        self._equity = equity
        self._noted: set[str] = set()

    def pause(self, *, who: str, why: str, batch: Batch) -> Hold:
        """No more entries until a person resumes; exits go on."""
        return self._hold("pause", Effect.NO_ENTRIES, who, why, batch)

    def halt(self, *, who: str, why: str, batch: Batch) -> Hold:
        """Nothing more is sent until a person resumes; protective orders stay at the venue."""
        return self._hold("halt", Effect.HALT, who, why, batch)

    def resume(self, *, who: str, why: str, batch: Batch, simulated: bool = False) -> tuple[Hold, ...]:
        """Clear latched, loss and operator holds, and measure drawdown from today's equity on.

        Raises `InvalidInput` without a reason: whoever loosens a limit says why. `InvalidRecord` while equity is not
        above 0, `Impossible` before the first deposit.
        """
        self._demand_reason("resume", why)
        now = self._clock.now()
        self._risk.step(Resumed(at=now, equity=self._equity()), batch)  # first: where it is refused, no hold is cleared
        self._note("resume", who, why, {}, batch, simulated=simulated)
        return self._holds.clear_by_person(now, who, why, batch, simulated=simulated)

    def flatten(self, *, who: str, why: str, batch: Batch, instrument: str | None = None) -> list[Intent]:
        """Close every position (or one) at the market and take resting entries back."""
        now = self._clock.now()
        self._note("flatten", who, why, {"instrument": instrument or "all"}, batch)
        if instrument is not None and instrument not in self._books.trades:
            raise InvalidInput(f"there is no position or entry in {instrument} to flatten")
        intents: list[Intent] = []
        for symbol, trade in self._books.trades.items():
            if instrument in (None, symbol):
                intents.extend(self._protection.close(trade, self._books, now, ExitCause.COMMAND))
                entry = self._books.entry_of(symbol)
                if entry is not None:
                    intents.extend(self._protection.cancel([entry], self._books, now, "flatten"))
        return intents

    def note_rebase(self, *, who: str, why: str, batch: Batch) -> None:
        """Record that a person begins the account anew; see `trading/rebase.py` for what follows."""
        self._demand_reason("account rebase", why)
        self._note("account_rebase", who, why, {}, batch)

    def _hold(self, name: str, effect: Effect, who: str, why: str, batch: Batch) -> Hold:
        self._demand_reason(name, why)
        now = self._clock.now()
        self._note(name, who, why, {}, batch)
        hold = new_hold(HoldCause.OPERATOR, effect, since=now, latched=True, detail=f"{name} by {who}: {why}")
        self._holds.set(hold, batch)
        return hold

    def _demand_reason(self, name: str, why: str) -> None:
        if not why.strip():
            raise InvalidInput(f"{name} needs a reason: it is recorded with who gave it and when")

    def _note(
        self, name: str, who: str, why: str, arguments: dict[str, str], batch: Batch, *, simulated: bool = False
    ) -> None:
        now: datetime = self._clock.now()
        command_id = digest("command", name, who, why, *sorted(arguments.items()), now.isoformat())
        if command_id in self._noted:
            return  # given twice at one moment of simulated time: one command
        self._noted.add(command_id)
        batch.add(
            Command(
                command_id=command_id,
                at=now,
                name=name,
                who=who,
                why=why,
                arguments=arguments,
                simulated=simulated,
            )
        )
