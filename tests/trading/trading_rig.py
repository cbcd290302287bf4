"""One account's trading, wired as the daemon wires it, on bars written by hand and behind a venue that can fail.

Nothing is proposed on so few bars, so tests enter trades themselves, through the same desk and books.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import numpy as np
from flaky_broker import FlakyBroker

from daemon.config import Config
from daemon.parts import Sources
from daemon.paths import AccountPaths
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.bars import BarSeries
from domain.clock import SteppedClock, to_epoch
from domain.decisions import (
    Decision,
    DecisionStatus,
    FeatureVector,
    MlClass,
    MlView,
    Signal,
    Vote,
)
from domain.identity import digest
from domain.instruments import AssetClass, Instrument, Timeframe
from domain.orders import Approval, Intent, Leg, Order, Side
from domain.records import CalendarEvent
from journal.batch import Batch
from journal.journal import Journal
from journal.verify import verify
from journal.writer import InlineWriter, Writer
from market.feed import FeedReport, Moment
from market.headlines import Headlines
from market.series_feed import SeriesFeed
from signals.features import SCHEMA_HASH
from trading.books import Books
from trading.intents import Wording
from trading.observer import Observer
from trading.orders import OrderDesk
from trading.recovery import stored_clock
from trading.session import OPENING, Session
from trading.trades import Trade

START = datetime(2024, 3, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
COIN = "COINUSD"
PADDING = 60
"""Quiet bars after those a test writes: on its last bar an instrument is closed down."""


def instrument(symbol: str = COIN, **changes: Any) -> Instrument:
    """A coin without costs whose prices are round."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "asset_class": AssetClass.CRYPTO,
        "base": symbol.removesuffix("USD"),
        "quote": "USD",
        "tick": Decimal("0.01"),
        "lot": Decimal("0.1"),
        "pip": Decimal("0.01"),
        "min_quantity": Decimal("0.1"),
        "min_notional": Decimal(1),
        "calendar": "24/7",
        "spread_bps": Decimal(0),
        "max_spread_pips": Decimal(1000),
        "fee_rate": Decimal(0),
        "max_leverage": Decimal(5),
    }
    return Instrument(**(values | changes))


@dataclass(frozen=True)
class Candle:
    """One bar of mid prices."""

    open: float
    high: float
    low: float
    close: float
    volume: float = math.nan
    half_spread: float = 0.0


def flat(price: float, bars: int = 1, *, volume: float = math.nan, half_spread: float = 0.0) -> list[Candle]:
    """Bars in which nothing happens."""
    return [Candle(price, price, price, price, volume, half_spread)] * bars


def series_of(symbol: str, candles: Sequence[Candle], opened: Sequence[int] | None = None) -> BarSeries:
    """Hourly bars from `START` on, or at the open times given."""
    times = [to_epoch(START) + 3600 * index for index in range(len(candles))] if opened is None else opened
    columns = {
        name: np.array([getattr(candle, name) for candle in candles], dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume", "half_spread")
    }
    return BarSeries(
        symbol=symbol, timeframe=Timeframe.H1, source="a test", opened=np.array(times, dtype=np.int64), **columns
    )


def padded(symbol: str, candles: Sequence[Candle]) -> BarSeries:
    """The bars written, with quiet ones behind them."""
    last = candles[-1]
    quiet = flat(last.close, PADDING, volume=last.volume, half_spread=last.half_spread)
    return series_of(symbol, [*candles, *quiet])


def config_of(**sections: Mapping[str, Any]) -> Config:
    """A market without slippage or chance, in which one order may take all the volume."""
    ideal: dict[str, Mapping[str, Any]] = {
        "account": {"currency": "USD"},
        "broker": {"slippage_bps": 0, "max_participation": 1},
        "sentiment": {"enabled": False},
    }
    names = sorted({*ideal, *sections})
    return Config.model_validate({name: {**ideal.get(name, {}), **sections.get(name, {})} for name in names})


class Rig:
    """Trading on a tape; closed with `close`. `reopen` is a crash and a restart: what was not committed is lost."""

    def __init__(
        self,
        folder: Path,
        series: Mapping[str, BarSeries],
        instruments: Mapping[str, Instrument],
        config: Config | None = None,
        events: tuple[CalendarEvent, ...] | None = None,
    ) -> None:
        self._folder, self._series, self._instruments = folder, series, instruments
        self._config, self._events = config or config_of(), events
        self.feed: SeriesFeed
        self.clock: SteppedClock
        self.journal: Journal
        self.writer: Writer
        self.trading: Trading
        self.venue: FlakyBroker
        self.moment: Moment

    @classmethod
    async def begin(
        cls,
        folder: Path,
        tape: Sequence[Candle] | Mapping[str, Sequence[Candle]],
        *,
        instruments: Mapping[str, Instrument] | None = None,
        events: tuple[CalendarEvent, ...] | None = None,
        **sections: Mapping[str, Any],
    ) -> Self:
        """Open the account and play the first moment, at which bar 0 opens."""
        tapes = tape if isinstance(tape, Mapping) else {COIN: tape}
        known = instruments or {symbol: instrument(symbol) for symbol in tapes}
        series = {symbol: padded(symbol, candles) for symbol, candles in tapes.items()}
        rig = cls(folder, series, known, config_of(**sections), events)
        await rig.open()
        await rig.step()
        return rig

    async def open(self, *, later: timedelta = timedelta(0)) -> None:
        """Wire everything on what lies in the folder; `later` is how long nobody was there."""
        paths = AccountPaths(folder=self._folder).create()
        self.feed = SeriesFeed(
            name="a tape",
            timeframe=Timeframe.H1,
            instruments=self._instruments,
            series=self._series,
            report=FeedReport(notes=(), rejected={}),
            headlines=Headlines(()),
        )
        self.journal = open_journal(self._config, paths, live=False)
        self.writer = InlineWriter(self.journal)
        self.clock = SteppedClock((stored_clock(self.journal.read) or START - HOUR) + later)
        self.trading = wire(
            Setup(
                config=self._config,
                clock=self.clock,
                feed=self.feed,
                higher=self.feed.higher,
                paths=paths,
                currency="USD",
                sources=Sources(events=self._events),
                journal=self.journal,
                writer=self.writer,
                durable=False,
                observer=Observer(),
                simulated_operator=False,
            )
        )
        self.venue = FlakyBroker(self.trading.broker, self.clock)
        for part in (self.desk, self.session.reconciler):
            part._broker = self.venue
        self.session.broker = self.venue
        await start(self.trading)
        if self.trading.resumption.last_scan is not None:
            self.feed.seek(self.trading.resumption.last_scan.at - timedelta(microseconds=1))

    async def close(self) -> None:
        await self.trading.broker.close()
        self.journal.close()

    async def reopen(self, *, later: timedelta = timedelta(0)) -> None:
        """A crash now, and a restart."""
        await self.close()
        await self.open(later=later)

    # -- parts ------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        return self.trading.session

    @property
    def desk(self) -> OrderDesk:
        return self.trading.session.desk

    @property
    def books(self) -> Books:
        return self.trading.session.books

    # -- time -------------------------------------------------------------------------------------------------

    async def step(self, moments: int = 1) -> None:
        """Whole moments: bars close, and the next ones open."""
        for _ in range(moments):
            await self.closes()
            await self.opens()

    async def closes(self) -> None:
        self.moment = self.feed.take()
        if self.clock.now() < self.moment.at:
            self.clock.move_to(self.moment.at)
        await self.session.on_closes(self.moment)

    async def opens_again(self) -> None:
        """After a restart: the last moment once more, its opens included."""
        await self.closes()
        await self.opens()

    async def opens(self) -> None:
        if self.clock.now() < self.moment.at + OPENING:
            self.clock.move_to(self.moment.at + OPENING)
        await self.session.on_opens(self.moment)

    # -- trades -----------------------------------------------------------------------------------------------

    def decide(
        self,
        side: Side = Side.BUY,
        *,
        symbol: str = COIN,
        quantity: str = "10",
        entry: float = 100.0,
        stop: float | None = None,
        target: float | None = None,
        status: DecisionStatus = DecisionStatus.ORDERED,
    ) -> Decision:
        """A decision on the last closed bar, with a stop 5 and a target 15 away unless told otherwise."""
        view = self.session.view
        opened_at = view.bars(symbol).series.bar(view.closed[symbol]).opened_at
        return decision_on(
            symbol,
            opened_at,
            self.clock.now(),
            side=side,
            quantity=Decimal(quantity) if status is DecisionStatus.ORDERED else Decimal(0),
            entry=entry,
            stop=entry - 5 * side.sign if stop is None else stop,
            target=entry + 15 * side.sign if target is None else target,
            status=status,
        )

    async def enter(self, side: Side = Side.BUY, *, valid: timedelta = 2 * HOUR, **what: Any) -> Decision:
        """Decide, and send the entry; it fills at the next open."""
        decision = self.decide(side, **what)
        batch = Batch()
        await self.desk.submit([self.entry(decision, batch, valid=valid)], batch)
        return decision

    def entry(self, decision: Decision, batch: Batch, *, valid: timedelta = 2 * HOUR, **approval: Any) -> Intent:
        """The entry's intent, with everything else noted as the session notes it."""
        batch.add(decision)
        self.session.shadows.follow(decision, self.session.view.closed[decision.instrument])
        self.books.open_trade(decision)
        now = self.clock.now()
        leave = Approval(
            instrument=decision.instrument,
            side=decision.signal.side,
            quantity=decision.quantity,
            reduce_only=False,
            granted_at=now,
            expires_at=now + timedelta(minutes=1),
            rules=("a test",),
            limits_digest=self.trading.limits.digest(),
        )
        wording = Wording(account=self.books.account, limits=self.trading.limits)
        return wording.entry(decision, replace(leave, **approval), expires_at=now + valid)

    # -- what tests look at -----------------------------------------------------------------------------------

    def trade(self, symbol: str = COIN) -> Trade:
        return self.books.trades[symbol]

    def open_order(self, leg: Leg, symbol: str = COIN) -> Order:
        """The only open order of one leg of the trade in hand."""
        (order,) = self.books.open_orders(self.trade(symbol).trade_id, leg)
        return order

    async def held(self, symbol: str = COIN) -> Decimal:
        return (await self.venue.inner.report()).positions.get(symbol, Decimal(0))

    async def open_at_venue(self) -> dict[str, Decimal]:
        """What rests at the venue: quantities by order id."""
        report = await self.venue.inner.report()
        return {order.client_order_id: order.quantity - order.filled for order in report.open_orders}

    async def faults(self) -> list[str]:
        """What `verify` finds wrong once everything is written."""
        await self.writer.flush()
        return [f"{check.name}: {check.detail}" for check in verify(self.journal).checks if not check.ok]


def decision_on(
    symbol: str,
    opened_at: datetime,
    now: datetime,
    *,
    side: Side,
    quantity: Decimal,
    entry: float,
    stop: float,
    target: float,
    status: DecisionStatus = DecisionStatus.ORDERED,
) -> Decision:
    """A decision as the scan would word it."""
    return Decision(
        decision_id=digest("decision", symbol, opened_at.isoformat()),
        account="main",
        instrument=symbol,
        timeframe=Timeframe.H1,
        bar_opened_at=opened_at,
        decided_at=now,
        signal=Signal(
            instrument=symbol,
            timeframe=Timeframe.H1,
            bar_opened_at=opened_at,
            side=side,
            technical_score=0.7,
            agreement=1.0,
            votes=(Vote(strategy="ma_cross", side=side, confidence=0.7, reason="a test"),),
            entry_price=entry,
            stop_price=stop,
            target_price=target,
            atr=2.5,
            bars_since_signal=0,
        ),
        features=FeatureVector(schema=SCHEMA_HASH, values={"f_spread": 0.0}),
        sentiment=None,
        ml=MlView(
            verdict=MlClass.UNKNOWN, probability=None, confidence=None, threshold=0.5, model="none", seen=0, why="new"
        ),
        score=0.7,
        status=status,
        reason="approved" if status is DecisionStatus.ORDERED else "a test",
        quantity=quantity,
        risk_amount=quantity * 5,
        strategy_hash="a test",
    )
