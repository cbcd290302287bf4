"""The running daemon as the API shows it: reads from memory, commands under the session's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from daemon.api.desk import Condition, Document
from daemon.logs import scrub
from daemon.wiring import Trading
from domain.clock import Clock
from domain.decisions import ExitCause
from domain.holds import Hold
from journal.batch import Batch
from trading.rebase import rebase
from trading.resuming import resume
from trading.trades import Trade
from trading.valuation import floating_profit


class ServiceDesk:
    """Implements the API's port over one account's trading."""

    def __init__(
        self,
        *,
        trading: Trading,
        clock: Clock,
        overdue: Callable[[], tuple[str, ...]],
        ready: Callable[[], bool],
        mode: str,
    ) -> None:
        self._trading = trading
        self._clock = clock
        self._overdue = overdue
        self._ready = ready
        self._mode = mode

    async def status(self) -> Document:
        session = self._trading.session
        point, scan = session.last_point, session.last_scan
        model = session.aftermath.model.report()
        now = self._clock.now()
        return {
            "account": session.books.account,
            "mode": self._mode,
            "currency": self._trading.currency,
            "now": now.isoformat(),
            "last_scan": None if scan is None else scan.at.isoformat(),
            "equity": None if point is None else str(point.equity),
            "balance": str(session.books.balance),
            "drawdown": None if point is None else point.drawdown,
            "open_positions": len(session.books.open_trades()),
            "open_orders": len(session.books.all_open_orders()),
            "unknown_orders": len(session.books.unknown()),
            "shadows": len(session.shadows),
            "holds": [_hold(hold) for hold in session.holds.in_force(now)],
            "model": {"name": model.model, "labels": model.labels, "may_speak": model.may_speak},
            "journal": self._trading.journal.shown,
            "journal_sequence": self._trading.journal.sequence,
        }

    async def holds(self) -> Sequence[Document]:
        return [_hold(hold) for hold in self._trading.session.holds.in_force(self._clock.now())]

    async def positions(self) -> Sequence[Document]:
        now = self._clock.now()
        return [self._position(trade, now) for trade in self._trading.session.books.open_trades()]

    async def pause(self, *, who: str, why: str) -> Document:
        async with self._trading.session.one_at_a_time:
            batch = Batch()
            hold = self._trading.commands.pause(who=scrub(who), why=scrub(why), batch=batch)
            await self._trading.session.execute([], batch)
        return {"hold": _hold(hold)}

    async def resume(self, *, who: str, why: str) -> Document:
        async with self._trading.session.one_at_a_time:
            session, commands = self._trading.session, self._trading.commands
            cleared = await resume(session, commands, who=scrub(who), why=scrub(why))
        return {"cleared": [_hold(hold) for hold in cleared]}

    async def flatten(self, *, who: str, why: str, instrument: str | None) -> Document:
        async with self._trading.session.one_at_a_time:
            batch = Batch()
            intents = self._trading.commands.flatten(who=scrub(who), why=scrub(why), batch=batch, instrument=instrument)
            await self._trading.session.execute(intents, batch)
        closing = [each.instrument for each in intents if each.reason == ExitCause.COMMAND]
        return {"closing": closing, "intents": [each.client_order_id for each in intents]}

    async def halt(self, *, who: str, why: str) -> Document:
        async with self._trading.session.one_at_a_time:
            batch = Batch()
            hold = self._trading.commands.halt(who=scrub(who), why=scrub(why), batch=batch)
            await self._trading.session.execute([], batch)
        return {"hold": _hold(hold)}

    async def rebase(self, *, who: str, why: str) -> Document:
        async with self._trading.session.one_at_a_time:
            reset = await rebase(self._trading.session, self._trading.commands, who=scrub(who), why=scrub(why))
            await self._trading.session.settle()
        return {"reset": str(reset.amount), "balance": str(self._trading.session.books.balance)}

    def healthy(self) -> Condition:
        overdue = self._overdue()
        return Condition(not overdue, f"overdue: {', '.join(overdue)}" if overdue else "")

    def ready(self) -> Condition:
        ready = self._ready()
        return Condition(ready, "" if ready else "reconciliation with the venue has not succeeded yet")

    def _position(self, trade: Trade, now: datetime) -> dict[str, Any]:
        position = trade.position
        if position is None:
            return {}
        floating, notional = floating_profit(trade, self._trading.session.view, now)
        signal = trade.decision.signal
        return {
            "instrument": position.instrument,
            "side": position.side.value,
            "quantity": str(position.quantity),
            "entry_price": str(position.entry_price),
            "opened_at": position.opened_at.isoformat(),
            "stop": str(trade.stop_price or signal.stop_price),
            "target": str(signal.target_price),
            "floating": str(floating),
            "notional": str(notional),
            "decision": trade.trade_id,
        }


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id,
        "cause": hold.cause.value,
        "effect": hold.effect.label,
        "scope": hold.scope or "all",
        "since": hold.since.isoformat(),
        "until": None if hold.until is None else hold.until.isoformat(),
        "condition": hold.condition,
        "latched": hold.latched,
        "detail": hold.detail,
        "cleared_at": None if hold.cleared_at is None else hold.cleared_at.isoformat(),
    }
