"""One stressed run: the session, broker, breakers and gate of a replay on a market given, and what it came to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from daemon.config import Config
from daemon.drive import ReplayDriver
from daemon.jobs.standing import standing_jobs
from daemon.metrics import MetricsObserver
from daemon.parts import Sources
from daemon.paths import AccountPaths
from daemon.progress import RunProgress
from daemon.schedule import ReplaySchedule
from daemon.watching import Snapshots, make_metrics
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.bars import BarSeries
from domain.clock import SteppedClock
from domain.decisions import Decision, Outcome, OutcomeKind
from domain.errors import InvalidInput
from domain.holds import Hold
from domain.orders import Leg, OrderState
from domain.records import EquityPoint
from journal.verify import Verification, verify
from journal.writer import InlineWriter
from market.feed import Feed, Moment
from market.stress_bleed import BleedingFeed
from risk.limits import Limits
from trading.observer import Observers
from trading.valuation import floating_profit

RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class StressRun:
    """What one run is made of; `total` bars are told by its feed to the end."""

    title: str
    feed: Feed
    higher: Callable[[str], BarSeries | None]
    total: int
    config: Config
    paths: AccountPaths
    currency: str
    sources: Sources
    quiet: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The account once a moment is over, the next bars' opens included. `shares` are signed notional as a share of
    equity by symbol, `trades` the trade in each; `bare` positions whose resting stops do not cover them."""

    at: datetime
    shares: Mapping[str, float]
    trades: Mapping[str, str]
    bare: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What one run left behind, read from its journal; `standings` one a moment. Nobody resumed anything in it."""

    title: str
    standings: tuple[Standing, ...]
    points: tuple[EquityPoint, ...]
    holds: tuple[Hold, ...]
    decisions: tuple[Decision, ...]
    outcomes: tuple[Outcome, ...]
    """Of real trades only."""
    orders: tuple[datetime, ...]
    """When each order was meant."""
    fills: tuple[datetime, ...]
    verification: Verification
    limits: Limits
    journal: str


@dataclass(slots=True)
class _Watch:
    """Looks at the account after each moment."""

    trading: Trading
    standings: list[Standing] = field(default_factory=list)

    def tick(self, moment: Moment) -> None:
        session = self.trading.session
        equity = session.last_point.equity if session.last_point is not None else Decimal(0)
        shares: dict[str, float] = {}
        trades: dict[str, str] = {}
        bare = 0
        for trade in session.books.open_trades():
            position = trade.position
            if position is None or not position.is_open:
                continue
            symbol = position.instrument
            _, notional = floating_profit(trade, session.view, moment.at)
            shares[symbol] = position.side.sign * float(notional / equity) if equity > 0 else 0.0
            trades[symbol] = trade.trade_id
            resting = sum(
                order.remaining
                for order in session.books.open_orders(trade.trade_id, Leg.STOP)
                if order.state in RESTING
            )
            bare += resting < session.view.instruments[symbol].quantity(abs(position.quantity))
        self.standings.append(Standing(at=moment.at, shares=shares, trades=trades, bare=bare))


def play(run: StressRun) -> Record:
    """Play a market to its end in a folder of its own, with nobody who resumes. Raises `InvalidInput` when it is empty,
    and `KeyboardInterrupt` after a SIGINT or SIGTERM."""
    return asyncio.run(_play(run))


async def _play(run: StressRun) -> Record:
    first = run.feed.next_at()
    if first is None:
        raise InvalidInput(f"{run.feed.name} has no bars to play")
    began = first - run.feed.timeframe.span
    clock = SteppedClock(began)
    metrics = make_metrics(run.feed, run.currency)
    run.paths.create()
    with (
        open_journal(run.config, run.paths, live=False) as journal,
        RunProgress(title=run.title, total=run.total, currency=run.currency, quiet=run.quiet) as progress,
    ):
        trading = wire(
            Setup(
                config=run.config,
                clock=clock,
                feed=run.feed,
                higher=run.higher,
                paths=run.paths,
                currency=run.currency,
                sources=run.sources,
                journal=journal,
                writer=InlineWriter(journal),
                durable=False,
                observer=Observers(MetricsObserver(metrics), progress),
                simulated_operator=False,
            )
        )
        watch = _Watch(trading)
        if isinstance(run.feed, BleedingFeed):
            run.feed.held = lambda: _held(trading)
        try:
            await start(trading)
            snapshots = Snapshots(trading, metrics, run.config, live=False, state=run.paths.folder, served=False)
            jobs = standing_jobs(trading, metrics, snapshots, run.config)
            schedule = ReplaySchedule(jobs, start=began, bar=run.feed.timeframe.span)
            await _to_the_end(
                ReplayDriver(trading=trading, clock=clock, schedule=schedule, speed=None, ticked=watch.tick)
            )
        finally:
            await trading.broker.close()
        return _record(run.title, trading, watch)


async def _to_the_end(driver: ReplayDriver) -> None:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, driver.stop)
    try:
        finished = await driver.run()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
    if not finished:
        raise KeyboardInterrupt


def _held(trading: Trading) -> dict[str, float]:
    """Signed quantities by symbol."""
    trades = trading.session.books.open_trades()
    return {trade.position.instrument: float(trade.position.quantity) for trade in trades if trade.position is not None}


def _record(title: str, trading: Trading, watch: _Watch) -> Record:
    read = trading.journal.read
    return Record(
        title=title,
        standings=tuple(watch.standings),
        points=tuple(read.equity()),
        holds=tuple(read.holds()),
        decisions=tuple(read.decisions()),
        outcomes=tuple(read.outcomes(kind=OutcomeKind.REAL)),
        orders=tuple(order.intent.created_at for order in read.orders()),
        fills=tuple(fill.at for fill in read.fills()),
        verification=verify(trading.journal),
        limits=trading.limits,
        journal=trading.journal.shown,
    )
