"""A random life of one account: orders, faults and kills in any order, and the checker that asks the venue's ledger."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from ccxt_bench import BASES, Bench
from ccxt_link import Faults

from brokers.ccxt.records import CRASH_POINTS, Standing
from brokers.protocol import BrokerEvent, EventKind
from domain.errors import Denied, NotAvailable, VenueBusy, VenueRejected
from domain.identity import ORDER_PREFIX
from domain.orders import Action, Intent, OrderKind, Side
from venues.records import MarketKind, OrderRequest

LATE = (1, 5, 14, 40)
SURELY_LATE = 40
"""Beyond receive window and gateway: absence may be proven before the order appears."""
SYMBOLS = sorted(BASES)[:2]
ENDS = (EventKind.CANCELLED, EventKind.EXPIRED, EventKind.REJECTED)
SETTLING = 200


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Story:
    """`seed` decides everything. `told` is what a reader with a cursor heard, `absent` what was proven absent."""

    bench: Bench
    seed: int
    intents: dict[str, Intent] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    told: list[BrokerEvent] = field(default_factory=list)
    cursor: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    count: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311 - a repeatable story, not a secret

    async def run(self, steps: int) -> None:
        await self._open()
        for _ in range(steps):
            try:
                await self._step()
            except Killed:
                await self._die()
            except NotAvailable:
                continue
        await self._settle()
        self.check(await self.bench.broker.events(""))
        await self._check_report()
        await self.bench.broker.close()

    async def _open(self) -> None:
        self.bench.reach = None
        await self.bench.open()
        # What waits for the disk is tested elsewhere; here thousands of commits must not take minutes.
        self.bench.broker._log._connection.execute("PRAGMA synchronous = OFF")

    async def _die(self) -> None:
        self.bench.broker._log.close()
        await self._open()

    async def _step(self) -> None:
        act = self.draw.choices(
            [self._send, self._cancel, self._trade, self._wait, self._read, self._find, self._other, self._fault,
             self._arm, self._again],
            [5, 3, 6, 5, 8, 3, 1, 4, 3, 1],
        )[0]  # fmt: skip
        await act()

    async def _send(self) -> None:
        self.count += 1
        name, symbol = f"o{self.count}", self.draw.choice(SYMBOLS)
        kind = self.draw.choice([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP])
        price = Decimal(self.draw.choice([98, 99, 100, 101, 102]))
        intent = self.bench.intent(
            name,
            self.draw.choice(list(Side)),
            str(self.draw.choice([1, 2, 3])),
            instrument=symbol,
            kind=kind,
            **({"limit_price": price} if kind is OrderKind.LIMIT else {}),
            **({"stop_price": price} if kind is OrderKind.STOP else {}),
        )
        self.intents[intent.client_order_id] = intent
        faults = self.bench.faults
        fault = self.draw.choice(["", "", "", "lost", "answer", "late", "reject", "busy"])
        faults.lost_on_the_way = int(fault == "lost")
        faults.answers_lost = int(fault == "answer")
        if fault == "late":
            seconds = self.draw.choice(LATE)
            self.late[intent.client_order_id] = seconds
            faults.late = [timedelta(seconds=seconds)]
        faults.refusal = {"reject": VenueRejected("no"), "busy": VenueBusy("later")}.get(fault)
        try:
            await self.bench.broker.send(intent)
        finally:
            faults.lost_on_the_way = faults.answers_lost = 0
            faults.late, faults.refusal = [], None

    async def _again(self) -> None:
        if self.intents:
            intent = self.draw.choice(list(self.intents.values()))
            if self.bench.clock.now() <= intent.approval.expires_at:
                try:
                    await self.bench.broker.send(intent)
                except Denied:
                    assert intent.client_order_id in self.absent

    async def _cancel(self) -> None:
        if not self.intents:
            return
        self.count += 1
        target = self.draw.choice(list(self.intents.values()))
        undo = self.bench.intent(f"u{self.count}", instrument=target.instrument, action=Action.CANCEL, target="x")
        undo = _aimed(undo, target.client_order_id)
        self.bench.faults.answers_lost = int(self.draw.random() < 0.2)
        try:
            await self.bench.broker.send(undo)
        finally:
            self.bench.faults.answers_lost = 0

    async def _trade(self) -> None:
        most = self.draw.choice([None, None, Decimal(1), Decimal(2)])
        price = str(self.draw.choice([97, 98, 99, 100, 101, 102, 103]))
        self.bench.venue.trade_at(self.draw.choice(SYMBOLS), price, most=most)

    async def _wait(self) -> None:
        self.bench.wait(self.draw.choice([1, 1, 5, 20]))

    async def _read(self) -> None:
        told = await self.bench.broker.events(self.cursor)
        self.told.extend(told.events)
        self.cursor = told.cursor

    async def _find(self) -> None:
        if not self.intents:
            return
        intent = self.draw.choice(list(self.intents.values()))
        if await self.bench.broker.find(intent) is None:
            name = intent.client_order_id
            assert self.bench.venue.by_client_id(intent.instrument, name) is None, "declared absent, but it is there"
            self._note_absent(name)

    async def _other(self) -> None:
        self.count += 1
        request = OrderRequest(
            client_order_id=f"web_{self.count}",
            symbol=self.draw.choice(SYMBOLS),
            side=self.draw.choice(list(Side)),
            kind=OrderKind.MARKET,
            quantity=Decimal(1),
        )
        try:
            self.bench.venue.take(request)
        except VenueRejected:
            return

    async def _fault(self) -> None:
        faults = self.bench.faults
        which = self.draw.choice(["silent", "hidden", "disorder", "stale", "nameless", "healed", "healed"])
        if which == "silent":
            faults.silent = self.draw.choice([1, 2, 3])
        elif which == "hidden":
            faults.trades_hidden = self.draw.choice([1, 2])
        elif which == "disorder":
            faults.disorder = self.draw.randint(1, 9)
        elif which == "stale":
            faults.stale_list = True
        elif which == "nameless":
            faults.nameless = True
        else:
            self._heal()

    async def _arm(self) -> None:
        """Let the process die where a point is reached, from now on at the n-th time."""
        point, after = self.draw.choice(CRASH_POINTS), self.draw.choice([1, 1, 2, 3])

        def die(reached: str) -> None:
            nonlocal after
            after -= reached == point
            if reached == point and after == 0:
                self.kills[point] += 1
                raise Killed

        broker = self.bench.broker
        broker._reach = broker._log._reach = broker._watch._reach = die

    def _heal(self) -> None:
        vars(self.bench.faults).update(vars(Faults()))

    async def _settle(self) -> None:
        self._heal()
        await self._die()
        for _ in range(SETTLING // 5):
            self.bench.wait(5)
            await self._read()
            for intent in self.intents.values():
                try:
                    found = await self.bench.broker.find(intent)
                except NotAvailable:
                    continue
                if found is None:
                    self._note_absent(intent.client_order_id)

    def _note_absent(self, name: str) -> None:
        """Remember what was proven; what never left may still be sent."""
        known = self.bench.broker._log.order(name)
        if known is not None and known.standing is Standing.ABSENT:
            self.absent.add(name)

    def check(self, everything) -> None:
        venue = self.bench.venue
        assert list(everything.events) == self.told, "a reader with a cursor heard another story"
        doubled = [name for name, times in Counter(venue.placed).items() if times > 1]
        assert doubled == []
        taken = {order.client_order_id for order in venue.orders.values()}
        for name in self.absent:
            assert name not in taken or self.late.get(name) == SURELY_LATE, "declared absent too early"
        mine = {order.venue_order_id: order for order in venue.orders.values() if _is_mine(order.client_order_id)}
        fills = [event.fill for event in self.told if event.fill is not None]
        heard = Counter((f.client_order_id, f.quantity, f.price, f.trade_id.rpartition(":")[2]) for f in fills)
        ledger = Counter(
            (mine[t.venue_order_id].client_order_id, t.quantity, t.price, t.trade_id)
            for t in venue.trades
            if t.venue_order_id in mine
        )
        assert heard == ledger
        for order in mine.values():
            self._check_order(order.client_order_id, order.state.terminal, order.filled == order.quantity)
        strangers = {event.client_order_id for event in self.told if event.cash is None} - self.intents.keys()
        assert strangers == set()

    def _check_order(self, name: str, ended: bool, filled: bool) -> None:
        kinds = [event.kind for event in self.told if event.client_order_id == name]
        kinds = [kind for kind in kinds if kind is not EventKind.CANCEL_REJECTED]
        assert kinds.count(EventKind.ACCEPTED) == 1
        assert kinds[0] is EventKind.ACCEPTED
        ends = [number for number, kind in enumerate(kinds) if kind in ENDS]
        if ended and not filled:
            assert ends == [len(kinds) - 1], "an end comes once, after every execution"
        else:
            assert ends == []

    async def _check_report(self) -> None:
        report, venue = await self.bench.broker.report(), self.bench.venue
        assert report.complete
        assert report.balance == venue.totals["USDT"]
        if venue.kind is MarketKind.LINEAR:
            assert report.positions == {symbol: held for symbol, held in venue.positions.items() if held}
        else:
            changed = {symbol: venue.totals.get(base, Decimal(0)) - 50 for symbol, base in BASES.items()}
            assert report.positions == {symbol: held for symbol, held in changed.items() if held}
        resting = {order.client_order_id for order in venue.open()}
        assert {order.client_order_id for order in report.open_orders} == resting


def _is_mine(name: str | None) -> bool:
    return name is not None and name.startswith(ORDER_PREFIX)


def _aimed(undo: Intent, target_id: str) -> Intent:
    return replace(undo, target_id=target_id)


def story(folder: Path, seed: int, kind: MarketKind) -> Story:
    held = {"USDT": "100000"} | dict.fromkeys(BASES.values(), "50")
    bench = Bench(folder, kind=kind, totals=held)
    bench.faults = Faults()
    return Story(bench=bench, seed=seed)
