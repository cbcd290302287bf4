"""What happens in a plan beside single requests: to the exchange as a whole, strangers, the process, people."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.keys import REVOCABLE_KEY
from exchange.wire import Refusal
from simulation.killed import Killed
from simulation.setting import RULES
from simulation.stack import Stack
from simulation.truth import ZERO, waits_as_stop

from domain.errors import RatchetError
from journal.batch import Batch
from trading.resuming import resume
from venues.records import MarketKind

if TYPE_CHECKING:
    from simulation.world import World

RECOVERY_S = 45.0
"""After a fault that leaves open what happened: a timeout of ten seconds, receive window, arrival, and a round."""
ANSWERED_S = 0.0
"""A definite no leaves nothing open."""


PERSON_S = 60.0
"""How long it takes a person to restart the daemon."""


class Happenings:
    """`acts` are the doings by the names that plans give them; `count` is told of each that really happened."""

    def __init__(self, world: World, count: Callable[[str, float], None]) -> None:
        self.world = world
        self._count = count
        self.acts: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
            "maintenance": self._maintenance,
            "cut": self._cut,
            "slow": self._slow,
            "thin": self._thin,
            "foreign_order": self._foreign_order,
            "foreign_trade": self._foreign_trade,
            "unknown_position": self._unknown_position,
            "vanished_position": self._vanished_position,
            "stop_taken_back": self._stop_taken_back,
            "no_candle": self._no_candle,
            "skewed": self._skewed,
            "revoked": self._revoked,
            "wiped": self._wiped,
            "funded": self._funded,
            "suspended": self._suspended,
            "paused": self._paused,
            "halted": self._halted,
            "flattened": self._flattened,
            "stopped": self._stopped,
            "crash": self._crashed,
        }

    # -- the exchange as a whole ------------------------------------------------------------------------------

    async def _lasting(self, name: str, seconds: float, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._count(name, seconds + RECOVERY_S)
        begin()
        try:
            await asyncio.sleep(seconds)
        finally:
            end()
            self.world.account_checks.disturb(RECOVERY_S)
            self.world.nudge()

    async def _maintenance(self, with_: Mapping[str, Any]) -> None:
        faults = self.world.exchange.faults

        def switch(to: bool) -> None:
            faults.maintenance = to

        await self._lasting("maintenance", with_["seconds"], lambda: switch(True), lambda: switch(False))

    async def _cut(self, with_: Mapping[str, Any]) -> None:
        weather = self.world.network.weather

        def switch(to: bool) -> None:
            weather.cut = to

        await self._lasting("cut", with_["seconds"], lambda: switch(True), lambda: switch(False))

    async def _slow(self, with_: Mapping[str, Any]) -> None:
        weather, usual = self.world.network.weather, self.world.plan.slow_s

        def slowest(seconds: float) -> None:
            weather.slowest_s = seconds

        await self._lasting("slow", with_["seconds"], lambda: slowest(with_["way_s"]), lambda: slowest(usual))

    async def _thin(self, with_: Mapping[str, Any]) -> None:
        """Little is on offer: an order gets a part of what it wants at each price."""
        self._count("thin", ANSWERED_S)
        self.world.thin[with_["symbol"]] = Decimal(with_["usd"])
        await asyncio.sleep(with_["seconds"])
        self.world.thin.pop(with_["symbol"], None)

    async def _no_candle(self, with_: Mapping[str, Any]) -> None:
        """The venue's next candles of an instrument are none that may be believed."""
        self._count(f"candle_{with_['how']}", ANSWERED_S)
        self.world.candles.spoil(with_["symbol"], self.world.next_bar, with_["bars"], with_["how"])

    async def _skewed(self, with_: Mapping[str, Any]) -> None:
        faults, checks = self.world.exchange.faults, self.world.request_checks

        def switch(ms: int) -> None:
            faults.skew_ms = ms
            checks.skewed_since = self.world.loop.time() if abs(ms) > 500 else None
            self.world.measure_clock_soon()

        await self._lasting("skewed", with_["seconds"], lambda: switch(with_["ms"]), lambda: switch(0))

    async def _revoked(self, with_: Mapping[str, Any]) -> None:
        key = self.world.exchange.keys[REVOCABLE_KEY.key]

        def switch(to: bool) -> None:
            key.revoked = to

        await self._lasting("revoked", with_["seconds"], lambda: switch(True), lambda: switch(False))
        self.world.account_checks.disturb(PERSON_S)  # a key that was refused is not tried again before a restart
        await asyncio.sleep(PERSON_S)
        self.world.crash("a person restarts it with a good key")
        self._count("restarted", ANSWERED_S)
        await asyncio.sleep(120)
        await self._resume("the key is good again")

    async def _wiped(self, with_: Mapping[str, Any]) -> None:
        self._count("wiped", RECOVERY_S)
        self.world.exchange.reset_account()
        self.world.nudge()

    # -- strangers --------------------------------------------------------------------------------------------

    async def _foreign_order(self, with_: Mapping[str, Any]) -> None:
        """Rests far from the market: nothing may happen to it."""
        symbol, side = with_["symbol"], with_["side"]
        rules = RULES[self.world.kind][symbol]
        last = self.world.exchange.world.market(symbol).last
        away = Decimal("0.7") if side == "BUY" else Decimal("1.4")
        price = (last * away // rules.tick) * rules.tick
        quantity = rules.floor(Decimal(150) / price) + rules.step
        if self.world.kind is MarketKind.SPOT and side == "SELL":
            return
        self._inject(symbol, side, str(quantity), str(price))

    async def _foreign_trade(self, with_: Mapping[str, Any]) -> None:
        symbol = with_["symbol"]
        rules = RULES[self.world.kind][symbol]
        quantity = rules.floor(Decimal(200) / self.world.exchange.world.market(symbol).last) + rules.step
        self.world.account_checks.tainted.add(symbol)
        self.world.foreign_money = True
        self._inject(symbol, with_["side"], str(quantity), None)

    def _inject(self, symbol: str, side: str, quantity: str, price: str | None) -> None:
        market = "spot" if self.world.kind is MarketKind.SPOT else "linear"
        try:
            order = self.world.exchange.incidents.inject_order(market, symbol, side, quantity, price)
        except Refusal as refusal:
            self.world.trace.add("stranger", "refused", refusal)
            return
        self._count("foreign_order" if price else "foreign_trade", ANSWERED_S)
        self.world.strangers.append(order)

    async def _unknown_position(self, with_: Mapping[str, Any]) -> None:
        if self.world.kind is MarketKind.SPOT:
            return
        self._count("unknown_position", ANSWERED_S)
        self.world.account_checks.tainted.add(with_["symbol"])
        self.world.foreign_money = True
        held = self.world.exchange.world.accounts["main"].position(with_["symbol"]).amount
        step = RULES[self.world.kind][with_["symbol"]].step
        self.world.exchange.incidents.inject_position(with_["symbol"], held + 10 * step)

    async def _vanished_position(self, with_: Mapping[str, Any]) -> None:
        held = self.world.exchange.world.accounts["main"].position(with_["symbol"]).amount
        if self.world.kind is MarketKind.SPOT or not held:
            return
        self._count("vanished_position", ANSWERED_S)
        self.world.account_checks.tainted.add(with_["symbol"])
        self.world.foreign_money = True
        self.world.exchange.incidents.vanish_position(with_["symbol"])

    async def _stop_taken_back(self, with_: Mapping[str, Any]) -> None:
        """Somebody takes one of our stops back, or the exchange lets it expire."""
        market = "spot" if self.world.kind is MarketKind.SPOT else "linear"
        for symbol, net in sorted(self.world.truth.positions.items()):
            stops = [each for each in self.world.truth.resting(symbol) if waits_as_stop(each)]
            if net != ZERO and stops:
                self._count("stop_taken_back", ANSWERED_S)
                self.world.exchange.incidents.end_order(market, symbol, stops[0].client_id, with_["status"])
                self.world.nudge()
                return

    async def _funded(self, with_: Mapping[str, Any]) -> None:
        if self.world.kind is MarketKind.LINEAR:
            self._count("funded", ANSWERED_S)
            for symbol in sorted(RULES[self.world.kind]):
                self.world.exchange.incidents.fund(symbol, with_["rate"])

    # -- the machine and the process --------------------------------------------------------------------------

    async def _suspended(self, with_: Mapping[str, Any]) -> None:
        """The machine sleeps: nothing here runs, and the market goes on without us."""
        self._count("suspended", with_["seconds"] + RECOVERY_S)
        self.world.leap(with_["seconds"])

    async def _stopped(self, with_: Mapping[str, Any]) -> None:
        life = self.world.life
        if life is not None and life.started and not life.dead:
            self._count("stopped", RECOVERY_S)
            await life.stop()

    async def _crashed(self, with_: Mapping[str, Any]) -> None:
        self.world.crash("at some time")

    # -- people -----------------------------------------------------------------------------------------------

    async def _paused(self, with_: Mapping[str, Any]) -> None:
        await self._told(
            "paused", lambda stack, batch: stack.trading.commands.pause(who="a person", why="a test", batch=batch)
        )
        await asyncio.sleep(with_["seconds"])
        await self._resume("the pause is over")

    async def _halted(self, with_: Mapping[str, Any]) -> None:
        await self._told(
            "halted", lambda stack, batch: stack.trading.commands.halt(who="a person", why="a test", batch=batch)
        )
        await asyncio.sleep(with_["seconds"])
        await self._resume("the halt is over")

    async def _resume(self, why: str) -> None:
        async def give(stack: Stack) -> None:
            self.world.journal_checks.resumes += 1
            await resume(stack.trading.session, stack.trading.commands, who="a person", why=why)

        while not await self._given("resumed", give):
            await asyncio.sleep(30)  # nobody was there to be told

    async def _flattened(self, with_: Mapping[str, Any]) -> None:
        await self._told(
            "flattened", lambda stack, batch: stack.trading.commands.flatten(who="a person", why="a test", batch=batch)
        )

    async def _told(self, name: str, say: Callable[[Stack, Batch], object]) -> bool:
        async def give(stack: Stack) -> None:
            batch = Batch()
            said = say(stack, batch)
            await stack.trading.session.execute(said if isinstance(said, list) else [], batch)

        return await self._given(name, give)

    async def _given(self, name: str, give: Callable[[Stack], Awaitable[None]]) -> bool:
        """Whether somebody was there to take the command, and carried it out."""
        life = self.world.life
        if life is None or not life.started or life.dead:
            return False
        self._count(name, ANSWERED_S)
        try:
            done = await life.command(give)
        except (Killed, RatchetError, sqlite3.Error):
            if not life.dead:
                raise
            return False  # the process ended while it was told
        self.world.nudge()
        return done
