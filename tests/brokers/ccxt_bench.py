"""A venue's account on a bench: a broker over the account in memory, and words to send, pass time and read facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ccxt_link import Account, Faults, MemoryLink

from brokers.ccxt.broker import CcxtBroker
from brokers.protocol import BrokerEvent, EventKind
from domain.clock import SteppedClock
from domain.identity import client_order_id
from domain.instruments import AssetClass, Instrument
from domain.orders import Action, Approval, CauseKind, Fill, Intent, Leg, OrderKind, Side, TimeInForce
from venues.records import MarketKind

START = datetime.fromisoformat("2024-03-04T00:00:00+00:00")
SECOND = timedelta(seconds=1)
LEAVE = timedelta(minutes=1)
BASES = {"BTCUSDT": "BTC", "ETHUSDT": "ETH", "BNBUSDT": "BNB"}


def instrument(symbol: str, **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol,
        "asset_class": AssetClass.CRYPTO,
        "base": BASES[symbol],
        "quote": "USDT",
        "tick": Decimal("0.01"),
        "lot": Decimal("0.001"),
        "pip": Decimal("0.01"),
        "min_quantity": Decimal("0.001"),
        "min_notional": Decimal(5),
        "calendar": "24/7",
        "spread_bps": Decimal(2),
        "max_spread_pips": Decimal(1000),
        "fee_rate": Decimal("0.001"),
    }
    return Instrument(**(values | changes))


def name_of(name: str) -> str:
    """The client order id that a name in a test stands for."""
    return client_order_id("demo", CauseKind.COMMAND, name, Leg.ENTRY, attempt=1)


class Bench:
    """`names` are short; the ids sent are computed from them. Market prices begin at 100."""

    def __init__(
        self, folder: Path, *, kind: MarketKind = MarketKind.LINEAR, totals: dict[str, str] | None = None
    ) -> None:
        self.path = folder / "venue.db"
        self.clock = SteppedClock(START)
        held = {"USDT": "10000"} if totals is None else totals
        self.venue = Account(
            clock=self.clock,
            kind=kind,
            totals={asset: Decimal(amount) for asset, amount in held.items()},
            bases=BASES,
            price=dict.fromkeys(BASES, Decimal(100)),
        )
        self.faults = Faults()
        self.instruments = {symbol: instrument(symbol) for symbol in BASES}
        self.durable = True
        self.reach: Callable[[str], None] | None = None
        self.link = MemoryLink(self.venue, self.faults)

    async def open(self) -> Bench:
        self.link = MemoryLink(self.venue, self.faults)
        self.broker = await CcxtBroker.open(
            self.path,
            account="demo",
            currency="USDT",
            instruments=self.instruments,
            link=self.link,
            clock=self.clock,
            durable=self.durable,
            reach=self.reach,
        )
        return self

    async def reopen(self) -> None:
        await self.broker.close()
        await self.open()

    async def lose_log(self) -> None:
        await self.broker.close()
        for file in self.path.parent.glob("venue.db*"):
            file.unlink()
        await self.open()

    def wait(self, seconds: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))

    def intent(self, name: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> Intent:
        amount, now = Decimal(quantity), self.clock.now()
        for key in ("limit_price", "stop_price"):
            if key in rest:
                rest[key] = Decimal(rest[key])
        if "target" in rest:
            rest["target_id"] = name_of(rest.pop("target"))
        symbol = rest.setdefault("instrument", "BTCUSDT")
        values: dict[str, Any] = {
            "client_order_id": name_of(name),
            "account": "demo",
            "action": Action.PLACE,
            "cause_kind": CauseKind.COMMAND,
            "cause_id": name,
            "leg": Leg.ENTRY,
            "attempt": 1,
            "side": side,
            "kind": OrderKind.MARKET,
            "quantity": amount,
            "created_at": now,
            "approval": Approval(
                instrument=symbol,
                side=side,
                quantity=amount,
                reduce_only=False,
                granted_at=now,
                expires_at=now + LEAVE,
                rules=("bench",),
                limits_digest="none",
            ),
            "position_id": "p1",
        }
        return Intent(**(values | rest))

    async def market(self, name: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> Intent:
        return await self._sent(self.intent(name, side, quantity, **rest))

    async def limit(self, name: str, price: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> Intent:
        return await self._sent(self.intent(name, side, quantity, kind=OrderKind.LIMIT, limit_price=price, **rest))

    async def stop(self, name: str, price: str, side: Side = Side.SELL, quantity: str = "1", **rest: Any) -> Intent:
        return await self._sent(self.intent(name, side, quantity, kind=OrderKind.STOP, stop_price=price, **rest))

    async def cancel(self, name: str, target: str, **rest: Any) -> Intent:
        return await self._sent(self.intent(name, action=Action.CANCEL, target=target, reason="enough", **rest))

    async def _sent(self, intent: Intent) -> Intent:
        await self.broker.send(intent)
        return intent

    async def told(self, name: str | None = None) -> list[BrokerEvent]:
        wanted = None if name is None else name_of(name)
        events = (await self.broker.events("")).events
        return [event for event in events if wanted in (None, event.client_order_id)]

    async def kinds(self, name: str) -> list[EventKind]:
        return [event.kind for event in await self.told(name)]

    async def fills(self, name: str | None = None) -> list[Fill]:
        return [event.fill for event in await self.told(name) if event.fill is not None]

    async def cash(self) -> list[tuple[str, Decimal]]:
        return [(event.cash.kind.value, event.cash.amount) for event in await self.told() if event.cash is not None]

    async def held(self, symbol: str = "BTCUSDT") -> Decimal:
        return (await self.broker.report()).positions.get(symbol, Decimal(0))


GTD = TimeInForce.GTD
