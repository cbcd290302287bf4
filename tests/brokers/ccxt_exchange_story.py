"""A random life of one account on the test exchange, through the real vendor library, with the exchange's faults.

The checker compares what was told with the exchange's own ledger, to the last digit.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ccxt_bench import Bench
from exchange.faults import FaultKind
from exchange.wire import Refusal

sys.path.append(str(Path(__file__).resolve().parent.parent / "contracts"))

from ccxt_harness import SYMBOL, CcxtHarness  # found by the line above

from brokers.ccxt.records import CRASH_POINTS
from brokers.protocol import BrokerEvent, EventKind
from domain.errors import NotAvailable
from domain.identity import ORDER_PREFIX
from domain.orders import Action, Approval, Intent, OrderKind, Side
from venues.records import MarketKind

SENDING = r"/(order|algoOrder)$"
ON_SENDS = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.STATUS_BEFORE,
    FaultKind.STATUS_AFTER,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY_OBJECT,
    FaultKind.HTML,
    FaultKind.REJECT,
    FaultKind.PARTIAL,
)
ON_QUESTIONS = (
    FaultKind.DROP_BEFORE,
    FaultKind.STATUS_BEFORE,
    FaultKind.LIMITED,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY_OBJECT,
    FaultKind.TRADES_REPEATED,
    FaultKind.TRADES_REORDERED,
    FaultKind.TRADES_HIDDEN,
    FaultKind.OPEN_ORDERS_STALE,
    FaultKind.OPEN_ORDERS_HIDDEN,
    FaultKind.ORDER_HIDDEN,
)
LEDGER_NAME = {MarketKind.SPOT: "spot", MarketKind.LINEAR: "linear"}


class Killed(BaseException):
    """The process is gone."""


@dataclass
class ExchangeStory:
    """`seed` decides everything."""

    folder: Path
    market: MarketKind
    seed: int
    intents: dict[str, Intent] = field(default_factory=dict)
    told: list[BrokerEvent] = field(default_factory=list)
    cursor: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    count: int = 0

    async def run(self, steps: int) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311 - a repeatable story, not a secret
        self.harness = await CcxtHarness.begun(self.folder, self.market)
        for _ in range(steps):
            try:
                await self._step()
            except Killed:
                await self._die()
            except NotAvailable:
                continue
        await self._settle()
        self.check()
        await self._check_report()
        await self.harness.broker.close()

    async def _die(self) -> None:
        self.harness.exchange.faults.clear()
        broker = self.harness.broker
        broker._log.close()
        await broker._link.close()
        while True:
            try:
                return await self.harness.reconnect()
            except NotAvailable:
                self.harness.wait(timedelta(seconds=10))  # a ban that was earned before the end runs on

    async def _step(self) -> None:
        acts = [self._send, self._cancel, self._trade, self._wait, self._read, self._find, self._other, self._arm]
        await self.draw.choices(acts, [6, 3, 6, 5, 8, 3, 1, 2])[0]()

    async def _send(self) -> None:
        self.count += 1
        kind = self.draw.choice([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP])
        price = Decimal(self.draw.choice([95, 98, 99, 101, 102, 105]))
        prices = {OrderKind.LIMIT: {"limit_price": price}, OrderKind.STOP: {"stop_price": price}}.get(kind, {})
        intent = self._intent(self.draw.choice(list(Side)), str(self.draw.choice([1, 2, 3])), kind=kind, **prices)
        self.intents[intent.client_order_id] = intent
        self._fault(ON_SENDS, 0.4, path=SENDING, method="POST")
        await self.harness.broker.send(intent)

    async def _cancel(self) -> None:
        if not self.intents:
            return
        self.count += 1
        target = self.draw.choice(list(self.intents.values()))
        undo = self._intent(target.side, "1", action=Action.CANCEL, target_id=target.client_order_id)
        self._fault(ON_SENDS[:7], 0.3, path=SENDING, method="DELETE")
        await self.harness.broker.send(undo)

    def _intent(self, side: Side, quantity: str, **rest: Any) -> Intent:
        now, amount = self.harness.now(), Decimal(quantity)
        approval = Approval(
            instrument=SYMBOL,
            side=side,
            quantity=amount,
            reduce_only=False,
            granted_at=now,
            expires_at=now + timedelta(minutes=1),
            rules=("story",),
            limits_digest="none",
        )
        plain = Bench(self.folder).intent(f"o{self.count}", side, quantity)
        values = {"account": "contract", "instrument": SYMBOL, "created_at": now, "approval": approval}
        return replace(plain, **(values | rest))

    async def _trade(self) -> None:
        most = self.draw.choice([None, None, Decimal(1), Decimal(2)])
        self.harness.exchange.trade_at(SYMBOL, str(self.draw.choice([94, 96, 98, 100, 102, 104, 106])), most=most)

    async def _wait(self) -> None:
        self.harness.wait(timedelta(seconds=self.draw.choice([1, 1, 5, 20])))

    async def _read(self) -> None:
        self._fault(ON_QUESTIONS, 0.3, path=".*", method="GET")
        told = await self.harness.broker.events(self.cursor)
        self.told.extend(told.events)
        self.cursor = told.cursor

    async def _find(self) -> None:
        if self.intents:
            self._fault(ON_QUESTIONS[:5], 0.3, path=".*", method="GET")
            await self.harness.broker.find(self.draw.choice(list(self.intents.values())))

    async def _other(self) -> None:
        side = self.draw.choice(["BUY", "BUY", "SELL"])
        try:
            self.harness.exchange.incidents.inject_order(LEDGER_NAME[self.market], SYMBOL, side, "1")
        except Refusal:
            return  # the account cannot pay for it

    async def _arm(self) -> None:
        """Let the process die where a point is reached, from now on at the n-th time."""
        point, after = self.draw.choice(CRASH_POINTS), self.draw.choice([1, 1, 2])

        def die(reached: str) -> None:
            nonlocal after
            after -= reached == point
            if reached == point and after == 0:
                self.kills[point] += 1
                raise Killed

        broker = self.harness.broker
        broker._reach = broker._log._reach = broker._watch._reach = die

    def _fault(self, kinds: tuple[FaultKind, ...], chance: float, **where: str) -> None:
        faults = self.harness.exchange.faults
        faults.clear()
        if self.draw.random() < chance:
            faults.add(self.draw.choice(kinds), times=self.draw.choice([1, 1, 2]), **where)

    async def _settle(self) -> None:
        self.harness.exchange.faults.clear()
        await self._die()
        for _ in range(30):
            self.harness.wait(timedelta(seconds=10))
            try:
                told = await self.harness.broker.events(self.cursor)
            except NotAvailable:
                continue  # a ban that was earned runs on
            self.told.extend(told.events)
            self.cursor = told.cursor
        for intent in self.intents.values():
            await self.harness.broker.find(intent)

    def check(self) -> None:
        account = self.harness.exchange.ledger()["accounts"]["main"]
        market = LEDGER_NAME[self.market]
        names = {each["order_id"]: each for each in account["orders"] if each["market"] == market}
        stops = {each["algo_id"]: each["client_id"] for each in account["algo_orders"]}
        ledger, heard = Counter(), Counter()
        for trade in account["trades"]:
            order = names[trade["order_id"]] if trade["market"] == market else None
            owner = None if order is None else stops.get(order["algo_id"], order["client_id"])
            if owner is not None and owner.startswith(ORDER_PREFIX):
                amounts = (Decimal(trade["quantity"]), Decimal(trade["price"]))
                ledger[(owner, str(trade["trade_id"]), *amounts, Decimal(trade["fee"]))] += 1
        for event in self.told:
            if event.fill is not None:
                fill = event.fill
                number = fill.trade_id.rpartition("-")[2]
                heard[(fill.client_order_id, number, fill.quantity, fill.price, fill.base_fee or fill.fee)] += 1
        assert heard == ledger
        self._check_orders(account, market, stops)

    def _check_orders(self, account: dict[str, Any], market: str, stops: dict[int, str]) -> None:
        ours = [each for each in account["orders"] if each["market"] == market and each["algo_id"] is None]
        placed = Counter([each["client_id"] for each in ours] + (list(stops.values()) if market == "linear" else []))
        assert [name for name, times in placed.items() if times > 1] == []
        for name in sorted(name for name in placed if name.startswith(ORDER_PREFIX)):
            kinds = [event.kind for event in self.told if event.client_order_id == name]
            kinds = [kind for kind in kinds if kind is not EventKind.CANCEL_REJECTED]
            assert kinds[0] is EventKind.ACCEPTED
            assert kinds.count(EventKind.ACCEPTED) == 1
        strangers = {event.client_order_id for event in self.told if event.cash is None} - self.intents.keys()
        assert strangers == set()

    async def _check_report(self) -> None:
        report = await self.harness.broker.report()
        account = self.harness.exchange.ledger()["accounts"]["main"]
        if self.market is MarketKind.SPOT:
            held = {
                asset: Decimal(each["free"]) + Decimal(each["locked"]) for asset, each in account["balances"].items()
            }
            balance, position = held["USDT"], held.get("SOL", Decimal(0))
        else:
            balance = Decimal(account["wallet"])
            position = Decimal(account["positions"].get(SYMBOL, {}).get("amount", 0))
        assert report.complete
        assert report.balance == balance
        assert report.positions.get(SYMBOL, Decimal(0)) == position
