"""One seed's world: the exchange, the market that moves it, the daemon's lives one after another, and what is known."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from exchange.core import Exchange
from exchange.keys import REVOCABLE_KEY
from exchange.ledger import Order
from exchange.shared_world import Push
from exchange.wire import Reply, Request
from simulation.candles import Candles
from simulation.checks_account import AccountChecks
from simulation.checks_journal import JournalChecks
from simulation.checks_requests import RequestChecks
from simulation.killed import Killed
from simulation.life import Life
from simulation.network import Network
from simulation.plan import Plan
from simulation.run_trace import Trace
from simulation.seeded_loop import LoopClock, SeededLoop, stream
from simulation.setting import RULES, SYMBOLS, config_for, price_steps
from simulation.tape import HOUR_S, START, WARM_UP, Tick, make_tape
from simulation.trouble import Trouble
from simulation.truth import Truth
from simulation.witness import Witness

from daemon.paths import AccountPaths
from domain.bars import Quote
from domain.errors import RatchetError, VenueForbids
from domain.instruments import Timeframe
from market.feed import Moment
from market.resample import resample
from trading.observer import Observer
from trading.reconcile import Finding
from venues.records import MarketKind

WALLET = "10000"
MOST_FAILURES = 5
"""A daemon that failed so often is not started again, as systemd's limit has it."""
STREAM_WORKS = 0.9
"""How many of the exchange's pushes reach a daemon that listens."""
TEMPTED_AGAIN_S = 1800.0
"""A price that stays at a target that could not be taken is looked at again after so long."""
BEFORE_S = 60.0
"""How long before the first bar the daemon is started."""
RESTART_S = (5.0, 40.0)
"""How long after its end a daemon is started again: as systemd does, or somewhat later."""


class World:
    """`seed` and `plan`, which is drawn from the seed too, decide everything in it."""

    def __init__(
        self,
        *,
        seed: int,
        plan: Plan,
        bars: int,
        folder: Path,
        empty_journal: Path,
        loop: SeededLoop,
    ) -> None:
        self.seed, self.plan, self.kind = seed, plan, plan.kind
        self.loop, self.empty_journal = loop, empty_journal
        self.clock = LoopClock(loop, START - timedelta(seconds=BEFORE_S))
        self.trace = Trace(loop.time)
        self.config = config_for(self.kind, lively=plan.lively)
        self.paths = AccountPaths(folder=folder).create()
        self.tape = make_tape(seed, bars=bars, ticks=price_steps(self.kind))
        self.history = {symbol: self.tape.series(symbol) for symbol in SYMBOLS}
        self.candles = Candles(self.history)
        self.higher = {symbol: resample(series, Timeframe.H4) for symbol, series in self.history.items()}
        self.exchange = Exchange(
            clock_ms=self.clock.milliseconds,
            seed=seed,
            funds={"USDT": WALLET},
            wallet=WALLET,
            spot_symbols=RULES[MarketKind.SPOT],
            linear_symbols=RULES[MarketKind.LINEAR],
        )
        self.network = Network(self.exchange, self.random("network"), self.trace)
        self.observer = Observer()
        self.life: Life | None = None
        self.lives = 0
        self.points: Counter[str] = Counter()
        self.thin: dict[str, Decimal] = {}
        """How much in USDT is on offer at each price, where that is little."""
        self._next_tick = 0
        self.violations: list[str] = []
        self.failures: list[BaseException | None] = []
        self.strangers: list[Order] = []
        self.foreign_money = False
        """Whether somebody else's trades moved the account's cash."""
        self.over = False
        self.failing_lives = 0
        self.broken = asyncio.Event()
        """Set where nothing more is to be learned: at the first violation where one is enough, or when the daemon
        fails again and again."""
        self.one_is_enough = False
        self.witness = Witness(self.paths.journal)
        self.truth = Truth(self.exchange, self.kind)
        self.request_checks = RequestChecks(self)
        self.account_checks = AccountChecks(self)
        self.journal_checks = JournalChecks(self)
        self.trouble = Trouble(self)
        self.resolved_s: list[float] = []
        self._unknown_since: dict[str, float] = {}
        self._rings = self.random("rings")
        self._tempted: dict[str, float] = {}
        """When each trade's price was last at its target."""
        self.network.weather.slowest_s = plan.slow_s
        self.network.before_arrival.append(self._arrives)
        self.network.after_reply.append(self._answered)
        loop.disk = self.random("disk")
        self._begin_market()

    def random(self, purpose: str) -> random.Random:
        return stream(self.seed, purpose)

    def _begin_market(self) -> None:
        for symbol in SYMBOLS:
            self.exchange.set_spread(symbol, self.tape.spreads[symbol])
            self.exchange.trade_at(symbol, self.tape.first_price(symbol))
        self.exchange.listen(self._pushed)

    # -- what the market and the exchange do ------------------------------------------------------------------

    async def play_market(self) -> None:
        while self._next_tick < len(self.tape.ticks):
            wait_s = BEFORE_S + self.tape.ticks[self._next_tick].at - self.loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if self._next_tick < len(self.tape.ticks):  # others may have gone by while the machine slept
                self._trade(self.tape.ticks[self._next_tick])

    def _trade(self, tick: Tick) -> None:
        self._next_tick += 1
        offered = self.thin.get(tick.symbol)
        most = None if offered is None else RULES[self.kind][tick.symbol].floor(offered / tick.price)
        self.exchange.trade_at(tick.symbol, tick.price, most=most)
        self._look_for_targets(tick.symbol)
        self.account_checks.step()

    def _look_for_targets(self, symbol: str) -> None:
        """A daemon that watches targets looks every second; here it does when the price is there."""
        if self.kind is not MarketKind.SPOT or self.life is None or not self.life.started or self.life.dead:
            return
        trade = self.life.session.books.trades.get(symbol)
        if trade is None or trade.position is None or not trade.position.is_open:
            return
        bid, _ = self.exchange.quote(symbol)
        looked_at = self._tempted.get(trade.trade_id, -TEMPTED_AGAIN_S)
        if float(bid) >= trade.decision.signal.target_price and self.loop.time() - looked_at >= TEMPTED_AGAIN_S:
            self._tempted[trade.trade_id] = self.loop.time()
            self.life.nudge()

    def quote(self, symbol: str) -> Quote:
        bid, ask = self.exchange.quote(symbol)
        return Quote(symbol=symbol, bid=float(bid), ask=float(ask), at=self.clock.true_now())

    def _pushed(self, push: Push) -> None:
        """The exchange tells of the account: whoever looks every second will see it, and the stream may tell."""
        self.nudge()
        if self.plan.rings and self._rings.random() < STREAM_WORKS and self.life is not None:
            self.loop.call_later(self.network.way_s(), self.life.ring)

    # -- the daemon's lives -----------------------------------------------------------------------------------

    async def keep_alive(self) -> None:
        """What systemd does: start it, and start it again whenever it ended."""
        draw = self.random("restarts")
        while not self.over:
            self.lives += 1
            life = self.life = Life(self, self.lives)
            self.trace.add("life", self.lives, "begins")
            life.spawn("begin", life.begin())
            why = await life.ended
            self.trace.add("life", self.lives, "ended", why)
            if not self.over:
                await asyncio.sleep(draw.uniform(*RESTART_S))

    def reach(self, point: str) -> None:
        """Hears of every crash point that the daemon comes to."""
        if self.life is None or self.life.dead:
            raise Killed
        self.points[point] += 1
        if self.trouble.comes_to("at_point"):
            self.crash(point)
            raise Killed

    def crash(self, where: str) -> None:
        """The daemon's process ends at once."""
        if self.life is not None and not self.life.dead and self.life.journal is not None:
            self.trouble.happened["crash"] += 1
            self.life.kill(f"crashed: {where}")

    def began(self, life: Life) -> None:
        self.trace.add("life", life.number, "trades")
        self.account_checks.disturb(0.0)
        self.account_checks.step()
        self.journal_checks.began(life)

    def unexpected(self, life: Life, task: str, error: BaseException) -> None:
        if isinstance(error, VenueForbids) and self.exchange.keys[REVOCABLE_KEY.key].revoked:
            return  # a daemon does not start with a key that is refused; it is started again
        self.violate("the daemon fails", f"{task}: {type(error).__name__}: {error}")
        self.failures.append(None if isinstance(error, RatchetError) else error)
        self.failing_lives += 1
        if self.failing_lives >= MOST_FAILURES:
            self.broken.set()

    def violate(self, invariant: str, detail: str) -> None:
        self.trace.add("VIOLATION", invariant, detail)
        self.violations.append(f"{invariant}: {detail}")
        if self.one_is_enough:
            self.broken.set()

    def nudge(self) -> None:
        if self.life is not None and self.life.started and not self.life.dead:
            self.life.nudge()

    def measure_clock_soon(self) -> None:
        if self.life is not None and self.life.started and not self.life.dead:
            self.life.measure_clock_soon()

    def leap(self, seconds: float) -> None:
        """The machine sleeps; the market does not."""
        until = self.loop.time() + seconds
        while self._next_tick < len(self.tape.ticks):
            tick = self.tape.ticks[self._next_tick]
            if BEFORE_S + tick.at > until:
                break
            self.loop.leap(max(0.0, BEFORE_S + tick.at - self.loop.time()))
            self._trade(tick)
        self.loop.leap(max(0.0, until - self.loop.time()))

    # -- requests ---------------------------------------------------------------------------------------------

    def _arrives(self, request: Request, left_at: float) -> None:
        if self.trouble.comes_to("leaves"):
            self.crash("a request has left")
        self.trouble.comes_to("while_waiting")
        intent = self.request_checks.arrives(request, left_at)
        if not self.over:
            self.trouble.meet(request, intent)

    def _answered(self, request: Request, reply: Reply) -> None:
        self.request_checks.answered(request, reply)
        if request.method != "GET":
            self.account_checks.step()
        if self.trouble.comes_to("arrived"):
            self.crash("a request was executed")

    def epoch_s(self, loop_s: float) -> float:
        """A time of the loop as the daemon's clock showed it, in seconds since 1970."""
        return self.clock.start.timestamp() + loop_s + self.clock.skew.total_seconds()

    # -- what jobs tell ---------------------------------------------------------------------------------------

    @property
    def next_bar(self) -> int:
        """The index of the bar that closes next."""
        return WARM_UP + max(0, int((self.loop.time() - BEFORE_S) // HOUR_S))

    def scanned(self, moment: Moment) -> None:
        self.trace.add("scanned", moment.at.isoformat())

    def job_ran(self, life: Life, name: str, outcome: str) -> None:
        self.trace.add("job", name, outcome)
        self.account_checks.step()
        self.journal_checks.step()
        self._time_unknowns(life)

    def _time_unknowns(self, life: Life) -> None:
        now = self.loop.time()
        unknown = {order.client_order_id for order in life.session.books.unknown()}
        for name in sorted(self._unknown_since.keys() - unknown):
            self.resolved_s.append(now - self._unknown_since.pop(name))
        for name in unknown:
            self._unknown_since.setdefault(name, now)

    def reconciled(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self.trace.add("found", finding.kind, finding.instrument, finding.ours, finding.theirs)

    def skew_told(self, seconds: float) -> None:
        self.trace.add("skew", f"{seconds:.3f}")
