"""A paper account on a bench: helpers that word intents and tell bars, for the paper broker's own tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.paper.broker import PaperBroker
from brokers.paper.settings import PaperSettings
from brokers.protocol import BrokerEvent, EventKind, OrderReport
from domain.clock import SteppedClock, from_epoch, to_epoch
from domain.instruments import AssetClass, FxRates, Instrument
from domain.orders import Action, Approval, CauseKind, Intent, Leg, OrderKind, Side, TimeInForce

START = datetime.fromisoformat("2024-03-04T00:00:00+00:00")
HOUR = 3600
QUIET = PaperSettings(slippage_bps=0.0, max_participation=1.0)


def instrument(symbol: str = "BTCUSD", **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol,
        "asset_class": AssetClass.CRYPTO,
        "base": symbol[:3],
        "quote": symbol[3:],
        "tick": Decimal("0.01"),
        "lot": Decimal("0.001"),
        "pip": Decimal("0.01"),
        "min_quantity": Decimal("0.001"),
        "min_notional": Decimal(5),
        "calendar": "24/7",
        "spread_bps": Decimal(2),
        "max_spread_pips": Decimal(1000),
        "fee_rate": Decimal("0.001"),
        "max_leverage": Decimal(5),
    }
    return Instrument(**(values | changes))


BTC = instrument()


def intent(
    name: str,
    side: Side = Side.BUY,
    quantity: str = "1",
    *,
    kind: OrderKind = OrderKind.MARKET,
    at: datetime = START,
    symbol: str = "BTCUSD",
    limit: str | None = None,
    stop: str | None = None,
    reduce_only: bool = False,
    group: str | None = None,
    tif: TimeInForce = TimeInForce.GTC,
    expires_at: datetime | None = None,
    action: Action = Action.PLACE,
    target: str | None = None,
    account: str = "test",
    position_id: str = "p1",
) -> Intent:
    """An intent whose approval covers it for a day."""
    amount = Decimal(quantity)
    return Intent(
        client_order_id=name,
        account=account,
        instrument=symbol,
        action=action,
        cause_kind=CauseKind.DECISION,
        cause_id=name,
        leg=Leg.ENTRY,
        attempt=1,
        side=side,
        kind=kind,
        quantity=amount,
        created_at=at,
        approval=Approval(
            instrument=symbol,
            side=side,
            quantity=amount,
            reduce_only=reduce_only,
            granted_at=at,
            expires_at=at + timedelta(days=1),
            rules=("test",),
            limits_digest="none",
        ),
        position_id=position_id,
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
        time_in_force=tif,
        expires_at=expires_at,
        reduce_only=reduce_only,
        oco_group=group,
        target_id=target,
    )


@dataclass
class Bench:
    """A broker, its clock and one-hour bars; `opened` is the open time of the bar that is open now."""

    path: Path | str = ":memory:"
    settings: PaperSettings = QUIET
    instruments: dict[str, Instrument] = field(default_factory=lambda: {"BTCUSD": BTC})
    half_spread: float = 0.0
    currency: str = "USD"
    rates: FxRates = field(default_factory=lambda: FxRates(as_of=START))
    reach: Callable[[str], None] | None = None
    start: datetime = START

    def __post_init__(self) -> None:
        self.clock = SteppedClock(self.start)
        self.opened = to_epoch(self.start)
        self.broker = self.open()

    def open(self) -> PaperBroker:
        return PaperBroker.open(
            self.path,
            account="test",
            currency=self.currency,
            instruments=self.instruments,
            settings=self.settings,
            clock=self.clock,
            durable=False,
            reach=self.reach,
        )

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def opens(self, price: float, symbol: str = "BTCUSD") -> None:
        """The bar that begins now opens at `price`."""
        self.broker.market_opens(self.now, [(symbol, price, self.half_spread)], self.rates)

    def closes(
        self, open_: float, high: float, low: float, close: float, volume: float = math.nan, symbol: str = "BTCUSD"
    ) -> None:
        """The open bar closes an hour after it opened; the clock stands there then."""
        opened, self.opened = self.opened, self.opened + HOUR
        self.clock.move_to(from_epoch(self.opened))
        bar = (symbol, opened, open_, high, low, close, volume, self.half_spread)
        self.broker.market_ranges(self.now, [bar], self.rates)

    def flat(self, price: float = 100.0, volume: float = math.nan) -> None:
        """A whole bar in which nothing moves."""
        self.opens(price)
        self.closes(price, price, price, price, volume)

    def worded(self, name: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> Intent:
        return intent(name, side, quantity, at=self.now, **rest)

    async def send(self, name: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> None:
        await self.broker.send(self.worded(name, side, quantity, **rest))

    async def told(self, kind: EventKind | None = None) -> list[BrokerEvent]:
        """Every event so far, or those of one kind."""
        events = (await self.broker.events("")).events
        return [event for event in events if kind is None or event.kind is kind]

    async def fills(self) -> list[tuple[str, Decimal, Decimal]]:
        """Order, quantity and price of every fill."""
        found = [event.fill for event in await self.told(EventKind.FILLED)]
        return [(fill.client_order_id, fill.quantity, fill.price) for fill in found if fill is not None]

    async def enter(self, quantity: str = "1", price: float = 100.0, side: Side = Side.BUY) -> None:
        """A filled entry named "entry" at `price`; the bar it opened in is still open."""
        self.flat(price)
        await self.send("entry", side, quantity)
        self.opens(price)

    async def protect(self, stop: str, target: str, quantity: str = "1", side: Side = Side.SELL) -> None:
        """A stop and a target in one OCO group."""
        await self.send("stop", side, quantity, kind=OrderKind.STOP, stop=stop, reduce_only=True, group="g")
        await self.send("target", side, quantity, kind=OrderKind.LIMIT, limit=target, reduce_only=True, group="g")

    async def found(self, name: str) -> OrderReport | None:
        """What the broker knows of the order of this name."""
        return await self.broker.find(self.worded(name))

    async def state(self, name: str) -> str:
        report = await self.found(name)
        return "absent" if report is None else report.state.value
