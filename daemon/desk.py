"""The running daemon as the API shows it: reads from memory, commands under the session's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from daemon.api.desk import Condition, Document, TrainingPort
from daemon.casting import standing_in
from daemon.cycles import Account
from daemon.jobs.training import recast
from daemon.learn.ask import shortage
from daemon.learn.rollback import rollback_of, told
from daemon.logs import scrub
from daemon.wiring import Trading
from domain.clock import Clock
from domain.decisions import ExitCause
from domain.errors import Refused
from domain.holds import Hold
from domain.identity import digest
from domain.records import Command
from journal.batch import Batch
from trading.rebase import rebase
from trading.resuming import resume
from trading.trades import Trade
from trading.valuation import floating_profit

RETRAIN: Final = "retrain_model"


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningDesk:
    """What commands about models work on. `aside` reads the journal on another thread, which a replay has none of."""

    training: TrainingPort
    account: Account
    aside: bool


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
        learning: LearningDesk | None = None,
    ) -> None:
        """`learning` None refuses commands about models: then none are trained here."""
        self._trading = trading
        self._clock = clock
        self._overdue = overdue
        self._ready = ready
        self._mode = mode
        self._learning = learning

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

    async def retrain(self, *, who: str, why: str, force: bool) -> Document:
        learning, session = self._learns(), self._trading.session
        async with session.one_at_a_time:
            if learning.training.under_way is not None:
                raise Refused("a training is under way already; `ratchet learn history` tells what comes of it")
            await session.settle()
            short = "" if force else await self._shortage(learning)
            if short:
                raise Refused(short)
            now, by, cause = self._clock.now(), scrub(who), scrub(why)
            batch = Batch()
            command_id = digest("command", RETRAIN, by, cause, now.isoformat())
            arguments = {"force": str(force).lower()}
            batch.add(Command(command_id=command_id, at=now, name=RETRAIN, who=by, why=cause, arguments=arguments))
            asked = await learning.training.ask(cause, now, by=by)
            await session.execute([], batch)
        return {"asked": asked}

    async def roll_back(self, *, who: str, why: str) -> Document:
        learning, session = self._learns(), self._trading.session
        async with session.one_at_a_time:
            await session.settle()
            now, account = self._clock.now(), learning.account
            standing = standing_in(self._trading.journal.read, account.config)
            self._trading.writer.defer(rollback_of(standing, who=scrub(who), why=scrub(why), at=now))
            await recast(self._trading, account, now, fresh_blend=True)
            await session.settle()
        return told(standing)

    def healthy(self) -> Condition:
        overdue = self._overdue()
        return Condition(not overdue, f"overdue: {', '.join(overdue)}" if overdue else "")

    def ready(self) -> Condition:
        ready = self._ready()
        return Condition(ready, "" if ready else "reconciliation with the venue has not succeeded yet")

    def _learns(self) -> LearningDesk:
        if self._learning is None:
            raise Refused("no models are trained here: training.enabled is false")
        return self._learning

    async def _shortage(self, learning: LearningDesk) -> str:
        """Reading samples may take a while; where there is a thread for it, the loop need not wait."""
        read = self._trading.journal.read
        if not learning.aside:
            return shortage(read, learning.account)
        return await asyncio.to_thread(shortage, read, learning.account)

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
