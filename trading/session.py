"""One account's trading, moment by moment: fills, shadows, exits, valuation, scan, orders, next opens.

The same session runs live, in a replay and in the demo; only the clock, the feed and the broker it was given
differ. Everything a moment decides commits in one transaction before anything of it is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from brokers.protocol import Broker
from domain.bars import Quote
from domain.clock import Clock
from domain.decisions import ExitCause
from domain.errors import VenueBusy, VenueForbids, VenueUnavailable
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.orders import Intent, Leg
from domain.records import EquityPoint, Scan
from journal.batch import Batch
from journal.writer import Writer
from market.feed import BarRef, Feed, Moment
from risk.breakers import EquityMarked
from trading.aftermath import Aftermath
from trading.books import Books
from trading.data_watch import DataWatch
from trading.emergency import flattening
from trading.exits import Exits
from trading.guardian import Guardian
from trading.holds import HoldBook
from trading.judging import Account
from trading.news import News
from trading.observer import Observer
from trading.operator import Operator
from trading.orders import OrderDesk, stamp
from trading.protection import Protection
from trading.reconciler import Reconciler
from trading.risk_keeper import RiskKeeper
from trading.scan import Scanned, Scanner
from trading.shadows import ShadowBook
from trading.targets import reached_by_bars
from trading.valuation import point_of, worth
from trading.venue import Open, SimulatedVenue
from trading.view import MarketView

OPENING = timedelta(milliseconds=1)
"""Bars open this much after the bars before them closed, so that what was decided on a close precedes it."""

PROTECTED = "every position rests behind a stop"


class Session:
    """The parts of one account's trading, put together by the daemon's wiring."""

    last_scan: Scan | None = None
    last_point: EquityPoint | None = None

    def __init__(
        self,
        *,
        clock: Clock,
        feed: Feed,
        view: MarketView,
        broker: Broker,
        venue: SimulatedVenue | None,
        writer: Writer,
        books: Books,
        desk: OrderDesk,
        protection: Protection,
        holds: HoldBook,
        risk: RiskKeeper,
        news: News,
        shadows: ShadowBook,
        aftermath: Aftermath,
        exits: Exits,
        scanner: Scanner,
        watch: DataWatch,
        reconciler: Reconciler,
        guardian: Guardian,
        operator: Operator | None,
        observer: Observer,
    ) -> None:
        self.clock = clock
        self.feed = feed
        self.view = view
        self.broker = broker
        self.venue = venue
        self.writer = writer
        self.books = books
        self.desk = desk
        self.protection = protection
        self.holds = holds
        self.risk = risk
        self.news = news
        self.shadows = shadows
        self.aftermath = aftermath
        self.exits = exits
        self.scanner = scanner
        self.watch = watch
        self.reconciler = reconciler
        self.guardian = guardian
        self.operator = operator
        self.observer = observer
        self.heard_until: datetime | None = None
        self.weights: Mapping[str, float] = {}
        self.one_at_a_time = asyncio.Lock()

    def retell(self) -> None:
        """Before anything is sent after a restart: show a simulated venue the last bars once more.

        Its ledger keeps no prices that changed nothing, and without a price or a rate it takes no order.
        """
        if self.last_scan is not None:
            refs = tuple(BarRef(symbol, index) for symbol, index in self.view.closed.items())
            self._play_ranges(Moment(at=self.last_scan.at, closed=refs, opened=()))

    async def on_closes(self, moment: Moment) -> None:
        """Bars closed: take in what they filled, then decide. The clock stands at `moment.at`, or later live."""
        began = time.monotonic()
        self.view.observe(moment)
        self._play_ranges(moment)
        await self.desk.pump()
        if self.last_scan is not None and moment.at <= self.last_scan.at:
            return  # decided before a restart; only the rest of the moment is done again
        batch = Batch()
        self._listen(moment, batch)
        if self.operator is not None:
            self.operator.act(moment.at, batch)
        self._update_holds(moment, batch)
        self._end_shadows(moment, batch)
        point = self._mark(moment.at, batch)
        self._mark_margin(moment.at, point, batch)
        intents: list[Intent] = []
        if self.clock.now() - moment.at >= self.view.timeframe.span:
            # The next close has come already: what this one filled is taken in, but to decide on it is too late.
            scanned = self._missed(moment)
        else:
            now = self.clock.now()
            intents = self._manage(moment, now)
            scanned = self._scan(moment, now, point)
        self._record(moment, scanned, point, batch)
        intents.extend(scanned.entries)
        if intents:
            await self.desk.submit(intents, batch)
        else:
            stamp(batch, self.clock)
            self.writer.defer(batch)
        self.observer.scanned(scanned.scan, time.monotonic() - began)

    async def on_opens(self, moment: Moment) -> None:
        """The next bars open, a moment after the closes: entries fill here, stops and targets follow at once."""
        if self.venue is None:
            return
        opens = self._last_prices(moment)
        for ref in moment.opened:
            if ref.symbol in self.view.tradable:
                bars = self.view.bars_with(ref.symbol, ref.index)
                opens.append((ref.symbol, bars.open[ref.index], bars.half_spread[ref.index]))
        if not opens:
            return
        self.venue.market_opens(moment.at + OPENING, opens, self.view.rates(moment.at))
        await self.desk.pump()

    def _last_prices(self, moment: Moment) -> list[Open]:
        """Instruments that trade no more are closed at their last price, as if one more auction were held at it."""
        found: list[Open] = []
        for ref in moment.closed:
            if ref.symbol in self.view.tradable and self.feed.is_last(ref):
                bars = self.view.bars(ref.symbol)
                found.append((ref.symbol, bars.close[ref.index], bars.half_spread[ref.index]))
        return found

    async def look_after(self, quotes: Mapping[str, Quote]) -> None:
        """Between bars: take in facts, ask about what is open, and see that every position is protected.

        A venue that does not answer questions may still take orders: what lies bare by the books is closed all the
        same, and then `VenueUnavailable` or `VenueBusy` is told.
        """
        unanswered: VenueUnavailable | VenueBusy | None = None
        try:
            await self.desk.resolve()
        except VenueForbids as error:
            self.desk.forbidden = str(error)
        except (VenueUnavailable, VenueBusy) as error:
            unanswered = error
        await self._guard(quotes)
        if unanswered is not None:
            raise unanswered

    async def _guard(self, quotes: Mapping[str, Quote]) -> None:
        batch, now = Batch(), self.clock.now()
        intents = self.guardian.look(now, quotes, batch)
        leaving = {intent.position_id for intent in intents}
        flat = flattening(self.holds, self.books, self.protection, now, between_bars=True)
        intents.extend(intent for intent in flat if intent.position_id not in leaving)
        if self.desk.forbidden is not None and not self.holds.has(HoldCause.VENUE, None):
            self.holds.set(_forbidden(self.desk.forbidden, now), batch)
        if intents and self.desk.forbidden is None:
            await self.desk.submit(intents, batch)
        elif len(batch):
            await self.writer.commit(batch)

    async def execute(self, intents: Sequence[Intent], batch: Batch) -> None:
        """Carry out what a command or a job meant, in one transaction with its record."""
        await self.desk.submit(intents, batch)
        await self.writer.flush()

    async def revalue(self) -> None:
        """Value the account between scans, at the last closed prices."""
        batch = Batch()
        batch.add(self._mark(self.clock.now(), batch))
        stamp(batch, self.clock)
        self.writer.defer(batch)
        await self.writer.flush()

    async def settle(self) -> None:
        """Make everything known durable; at the end of a live moment and before stopping."""
        await self.writer.flush()

    # -- the parts of a moment --------------------------------------------------------------------------------

    def _play_ranges(self, moment: Moment) -> None:
        """Let the simulated venue see the rest of the bars that closed."""
        if self.venue is None:
            return
        ranges = []
        for ref in moment.closed:
            if ref.symbol in self.view.tradable:
                bars, i = self.view.bars(ref.symbol), ref.index
                ranges.append(
                    (
                        ref.symbol,
                        bars.opened[i],
                        bars.open[i],
                        bars.high[i],
                        bars.low[i],
                        bars.close[i],
                        bars.volume[i],
                        bars.half_spread[i],
                    )
                )
        self.venue.market_ranges(moment.at, ranges, self.view.rates(moment.at))

    def _listen(self, moment: Moment, batch: Batch) -> None:
        since = self.heard_until or (self.last_scan.at if self.last_scan else moment.at - self.view.timeframe.span)
        self.news.receive(self.feed.headlines(since, moment.at), batch)
        self.heard_until = moment.at

    def _update_holds(self, moment: Moment, batch: Batch) -> None:
        self.holds.expire(moment.at, batch)
        blackouts = self.news.blackouts(moment.at)
        for hold in blackouts:
            self.holds.set(hold, batch)
        self.holds.release_others(HoldCause.NEWS, {hold.scope for hold in blackouts}, moment.at, "covered again", batch)
        self.watch.look(moment, batch)
        self._hold_unprotected(moment.at, batch)

    def _hold_unprotected(self, at: datetime, batch: Batch) -> None:
        """While a position lies without a stop at a bar's close, nothing new is entered anywhere."""
        bare = [trade for trade in self.books.open_trades() if not self.books.open_orders(trade.trade_id, Leg.STOP)]
        if not bare:
            self.holds.release(HoldCause.UNPROTECTED, None, at, PROTECTED, batch)
            return
        symbols = ", ".join(trade.decision.instrument for trade in bare)
        self.holds.set(
            new_hold(
                HoldCause.UNPROTECTED,
                Effect.NO_ENTRIES,
                since=at,
                condition=PROTECTED,
                detail=f"no stop rests at the venue for {symbols}",
            ),
            batch,
        )

    def _end_shadows(self, moment: Moment, batch: Batch) -> None:
        for ref in moment.closed:
            ended = self.shadows.step(ref.symbol, ref.index)
            if self.feed.is_last(ref):
                ended.extend(self.shadows.finish(ref.symbol, ref.index))
            for decision, outcome in ended:
                self.aftermath.shadow_ended(decision, outcome, batch)

    def _mark(self, at: datetime, batch: Batch) -> EquityPoint:
        marked = worth(self.books, self.view, at)
        previous = None if self.last_point is None else self.last_point.equity
        self.risk.step(EquityMarked(at=at, equity=marked.equity, previous=previous), batch)
        point = point_of(marked, self.risk.state, at)
        self.last_point = point
        self.observer.marked(point)
        return point

    def _mark_margin(self, at: datetime, point: EquityPoint, batch: Batch) -> None:
        marked = self.scanner.judge.margin(self._account(point, at), self.books, at)
        if marked is not None:
            self.risk.step(marked, batch)

    def _manage(self, moment: Moment, now: datetime) -> list[Intent]:
        """Exits by rule, unless a halt is in force; a reduce-only hold also takes resting entries back.

        `now` is the clock's time: live it lies after the bars' close, and approvals run from it.
        """
        holds = self.holds.in_force(now)
        halts = [hold for hold in holds if hold.effect is Effect.HALT]
        if any(hold.scope is None for hold in halts):
            return []
        ended = [ref for ref in moment.closed if self.feed.is_last(ref)]
        going_on = replace(moment, closed=tuple(ref for ref in moment.closed if ref not in ended)) if ended else moment
        intents = flattening(self.holds, self.books, self.protection, now)
        leaving = {intent.position_id for intent in intents}
        at_close = self.exits.at_close(going_on, self.books, now)
        intents.extend(intent for intent in at_close if intent.position_id not in leaving)
        if self.protection.watches_targets:
            for trade, cause in reached_by_bars(self.books, going_on, self.view):
                if not any(intent.position_id == trade.trade_id for intent in intents):
                    intents.extend(self.protection.close(trade, self.books, now, cause))
        for ref in ended:
            intents.extend(self._leave(ref.symbol, now))
        intents.extend(self._entries_to_cancel(holds, now))
        busy = {intent.instrument for intent in intents}
        intents.extend(self.protection.guard(self.books, now, besides=busy))
        return [intent for intent in intents if not any(hold.covers(intent.instrument) for hold in halts)]

    def _leave(self, symbol: str, now: datetime) -> list[Intent]:
        """Close what is held in an instrument that trades no more."""
        trade = self.books.trades.get(symbol)
        if trade is None:
            return []
        entry = self.books.entry_of(symbol)
        orders = [] if entry is None else [entry]
        cancelled = self.protection.cancel(orders, self.books, now, "trades no more")
        return [*self.protection.close(trade, self.books, now, ExitCause.END_OF_DATA), *cancelled]

    def _entries_to_cancel(self, holds: tuple[Hold, ...], now: datetime) -> list[Intent]:
        intents: list[Intent] = []
        strict = [hold for hold in holds if hold.effect >= Effect.REDUCE_ONLY]
        for order in self.books.all_open_orders() if strict else ():
            held = any(hold.covers(order.intent.instrument) for hold in strict)
            if held and order.intent.leg is Leg.ENTRY:
                intents.extend(self.protection.cancel([order], self.books, now, "reduce only"))
        return intents

    def _scan(self, moment: Moment, now: datetime, point: EquityPoint) -> Scanned:
        account = self._account(point, now)
        is_last, model = self.feed.is_last, self.aftermath.model
        return self.scanner.scan(moment, now, is_last, account, self.books, model, self.weights)

    def _account(self, point: EquityPoint, now: datetime) -> Account:
        return Account(equity=point.equity, balance=point.balance, risk=self.risk.state, holds=self.holds.in_force(now))

    def _missed(self, moment: Moment) -> Scanned:
        """A moment met long after its time (the machine slept, the daemon was down): nothing is decided on it."""
        reasons = {"missed": len(moment.closed)} if moment.closed else {}
        scan = Scan(
            at=moment.at,
            timeframe=self.view.timeframe,
            bars=len(moment.closed),
            decisions=0,
            reasons=reasons,
        )
        return Scanned(scan=scan)

    def _record(self, moment: Moment, scanned: Scanned, point: EquityPoint, batch: Batch) -> None:
        for ref in moment.closed:
            batch.add_bars(self.view.bars(ref.symbol).series, ref.index, ref.index + 1)
        ordered = {intent.cause_id for intent in scanned.entries}
        for decision, index, heard in scanned.decisions:
            batch.add(decision)
            self.aftermath.heard(decision, heard, batch)
            self.shadows.follow(decision, index)
            if decision.decision_id in ordered:
                self.books.open_trade(decision)
            self.observer.decided(decision)
        batch.add(scanned.scan)
        batch.add(point)
        self.last_scan = scanned.scan


def _forbidden(said: str, now: datetime) -> Hold:
    return new_hold(HoldCause.VENUE, Effect.HALT, since=now, latched=True, detail=f"the venue refuses us: {said}")
