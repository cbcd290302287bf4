"""The composition root: every part of one account's trading, built once and handed to whoever needs it.

Live, replay and demo call the same function; they differ in the clock, the feed, the writer and the durability
they pass in, and in nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from brokers.paper.broker import PaperBroker
from daemon.config import Config
from daemon.paths import AccountPaths
from daemon.settings import (
    blackout_of,
    costs_of,
    limits_of,
    online_settings_of,
    paper_settings_of,
    scan_settings_of,
    signals_of,
    strategies_of,
)
from domain.bars import BarSeries
from domain.clock import Clock, from_epoch
from domain.costs import CostModel
from domain.errors import InvalidInput, NotAvailable
from domain.records import CalendarEvent
from journal.batch import Batch
from journal.crashpoints import reach
from journal.engine import Durability
from journal.journal import Journal
from journal.writer import Writer
from learning.online import OnlineFilter
from learning.strategy_record import StrategyRecord
from market.external import ExternalFeatures
from market.feed import Feed
from market.fx import RateBook
from market.sessions import Sessions
from risk.gate import Gate
from risk.limits import Limits
from sentiment.aggregate import SentimentBook, SentimentSettings
from sentiment.blackout import Blackout
from sentiment.calendar import EventCalendar
from sentiment.lexicon import LexiconScorer
from signals.exits import ExitPolicy
from signals.features import SCHEMA, SCHEMA_HASH, schema_hash
from signals.settings import SignalSettings
from trading.aftermath import MODEL_KEY, RECORD_KEY, Aftermath
from trading.books import Books
from trading.commands import Commands
from trading.data_watch import DataWatch
from trading.exits import Exits
from trading.guardian import Guardian
from trading.holds import HoldBook
from trading.intents import Wording
from trading.news import News
from trading.observer import Observer
from trading.operator import Operator
from trading.orders import OrderDesk
from trading.protection import Protection
from trading.reconciler import Reconciler
from trading.recovery import Resumption, restore_books, restore_rest
from trading.risk_keeper import RiskKeeper
from trading.scan import Scanner
from trading.session import Session
from trading.shadows import ShadowBook
from trading.valuation import worth
from trading.view import MarketView

WEIGHTS_KEY = "ensemble_weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What flows in beside bars. None where the user has none; `names` are other names of instruments, a file."""

    events: tuple[CalendarEvent, ...] | None = None
    names: Path | None = None
    calendar_complete: bool = False
    """A made calendar has every event there is: silence in it is no gap."""
    external: ExternalFeatures | None = None
    read_news: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Trading:
    """The built parts that the daemon drives and shows."""

    session: Session
    commands: Commands
    journal: Journal
    writer: Writer
    broker: PaperBroker
    record: StrategyRecord
    operator: Operator | None
    resumption: Resumption
    currency: str
    limits: Limits
    signals: SignalSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a run is made of. `higher` gives an instrument's series in the next higher timeframe; `durable` makes the
    paper ledger wait for the disk."""

    config: Config
    clock: Clock
    feed: Feed
    higher: Callable[[str], BarSeries | None]
    paths: AccountPaths
    currency: str
    sources: Sources
    journal: Journal
    writer: Writer
    durable: bool
    observer: Observer
    simulated_operator: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ground:
    """What everything else stands on."""

    signals: SignalSettings
    view: MarketView
    books: Books
    holds: HoldBook
    risk: RiskKeeper
    broker: PaperBroker
    protection: Protection
    desk: OrderDesk
    costs: Mapping[str, CostModel]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Followers:
    """Who listens to the market and to what became of trades."""

    aftermath: Aftermath
    shadows: ShadowBook
    news: News
    watch: DataWatch
    resumption: Resumption


def wire(setup: Setup) -> Trading:
    """Build one account's trading and restore it from its journal. Nothing is sent before `start`."""
    ground = _ground(setup)
    followers = _followers(setup, ground)
    commands = _commands(setup, ground)
    operator = None
    if setup.simulated_operator:
        after = timedelta(days=setup.config.operator.resume_after_days)
        operator = Operator(holds=ground.holds, commands=commands, after=after)
    session = _session(setup, ground, followers, operator)
    session.last_scan, session.last_point = followers.resumption.last_scan, followers.resumption.last_point
    session.weights = _stored_weights(setup.journal, setup.config)
    return Trading(
        session=session,
        commands=commands,
        journal=setup.journal,
        writer=setup.writer,
        broker=ground.broker,
        record=followers.aftermath.record,
        operator=operator,
        resumption=followers.resumption,
        currency=setup.currency,
        limits=ground.risk.limits,
        signals=ground.signals,
    )


def _ground(setup: Setup) -> _Ground:
    config, feed = setup.config, setup.feed
    limits, signals = limits_of(config), signals_of(config, feed.timeframe)
    account = config.account.name
    view = MarketView(
        feed=feed,
        higher=setup.higher,
        settings=signals,
        sessions=_sessions(feed, setup.clock),
        rates=RateBook(feed.instruments.values()),
        currency=setup.currency,
        external=setup.sources.external,
        flat_weekends=config.signals.flat_weekends,
        strategies=strategies_of(config),
    )
    books = Books(account, setup.currency)
    restore_books(books, setup.journal.read)
    holds = HoldBook(setup.observer)
    broker = PaperBroker.open(
        setup.paths.paper,
        account=account,
        currency=setup.currency,
        instruments=view.tradable,
        settings=paper_settings_of(config, feed.timeframe),
        clock=setup.clock,
        durable=setup.durable,
        reach=reach,
    )
    protection = Protection(Wording(account=account, limits=limits), dict(view.instruments), broker.capabilities)
    return _Ground(
        signals=signals,
        view=view,
        books=books,
        holds=holds,
        risk=RiskKeeper(limits, holds),
        broker=broker,
        protection=protection,
        desk=OrderDesk(
            broker=broker,
            books=books,
            writer=setup.writer,
            clock=setup.clock,
            protection=protection,
            observer=setup.observer,
        ),
        costs=costs_of(config, view.tradable),
    )


def _followers(setup: Setup, ground: _Ground) -> _Followers:
    aftermath = Aftermath(
        books=ground.books,
        bars=ground.view.bars,
        model=_model(setup.journal, setup.config, setup.sources),
        record=_record(setup.journal),
        risk=ground.risk,
        observer=setup.observer,
    )
    ground.desk.listener = aftermath
    shadows = ShadowBook(
        bars=ground.view.bars,
        instruments=dict(ground.view.instruments),
        costs=ground.costs.__getitem__,
        policy=ExitPolicy.from_settings(ground.signals),
    )
    news = _news(setup.config, ground.view, setup.sources)
    watch = DataWatch(ground.view, ground.holds)
    resumption = restore_rest(
        setup.journal.read,
        books=ground.books,
        view=ground.view,
        holds=ground.holds,
        risk=ground.risk,
        shadows=shadows,
        aftermath=aftermath,
        news=news,
        watch=watch,
    )
    return _Followers(aftermath=aftermath, shadows=shadows, news=news, watch=watch, resumption=resumption)


def _commands(setup: Setup, ground: _Ground) -> Commands:
    def equity() -> Decimal:
        return worth(ground.books, ground.view, setup.clock.now()).equity

    return Commands(
        clock=setup.clock,
        holds=ground.holds,
        risk=ground.risk,
        books=ground.books,
        protection=ground.protection,
        equity=equity,
    )


def _session(setup: Setup, ground: _Ground, followers: _Followers, operator: Operator | None) -> Session:
    scanner = Scanner(
        account=ground.books.account,
        view=ground.view,
        news=followers.news,
        costs=ground.costs,
        gate=Gate(),
        limits=ground.risk.limits,
        signals=ground.signals,
        settings=scan_settings_of(setup.config, ground.view.timeframe),
        can_short=ground.broker.capabilities.shorts,
    )
    reconciler = Reconciler(
        broker=ground.broker,
        books=ground.books,
        desk=ground.desk,
        holds=ground.holds,
        clock=setup.clock,
        observer=setup.observer,
    )
    policy = ExitPolicy.from_settings(ground.signals)
    return Session(
        clock=setup.clock,
        feed=setup.feed,
        view=ground.view,
        broker=ground.broker,
        venue=ground.broker,
        writer=setup.writer,
        books=ground.books,
        desk=ground.desk,
        protection=ground.protection,
        holds=ground.holds,
        risk=ground.risk,
        news=followers.news,
        shadows=followers.shadows,
        aftermath=followers.aftermath,
        exits=Exits(view=ground.view, policy=policy, protection=ground.protection),
        scanner=scanner,
        watch=followers.watch,
        reconciler=reconciler,
        guardian=Guardian(
            books=ground.books, protection=ground.protection, holds=ground.holds, observer=setup.observer
        ),
        operator=operator,
        observer=setup.observer,
    )


async def start(trading: Trading) -> None:
    """The barrier: take in what happened while nobody was looking, and compare with the venue, before anything
    trades. Raises `NotAvailable` when the account is not funded."""
    session = trading.session
    session.retell()
    await session.desk.pump()
    batch = Batch()
    await session.reconciler.run(batch)
    for event in session.news.events:
        batch.add(event)
    if len(batch):
        await trading.writer.commit(batch)
    await trading.writer.flush()
    if not session.risk.started:
        raise NotAvailable(f"the account {session.books.account} has no deposit: there is nothing to trade with")


def open_journal(config: Config, paths: AccountPaths, *, live: bool) -> Journal:
    """The account's journal: every commit flushed to the disk when live, unless configured otherwise."""
    chosen = config.journal.durability or ("full" if live else "normal")
    target: str | Path = config.journal.url or paths.journal
    return Journal.open(target, durability=Durability(chosen))


def _sessions(feed: Feed, clock: Clock) -> Sessions:
    """Trading hours over everything the feed tells, and for a live run over the year to come."""
    series = [feed.series(symbol) for symbol in feed.instruments]
    first = min(int(each.opened[0]) for each in series if len(each))
    last = max(int(each.closed[-1]) for each in series if len(each))
    return Sessions(from_epoch(first).date(), max(from_epoch(last), clock.now() + timedelta(days=400)).date())


def _news(config: Config, view: MarketView, sources: Sources) -> News:
    reads = config.sentiment.enabled and sources.read_news
    events = sources.events
    calendar = None if events is None else EventCalendar(events)
    book = SentimentBook(SentimentSettings(), view.tradable.values(), calendar=calendar, own_names=sources.names)
    return News(
        instruments=view.tradable,
        scorer=LexiconScorer() if reads else None,
        book=book if reads else None,
        events=events or (),
        calendar=calendar,
        blackout=None if events is None else Blackout(events, blackout_of(config, complete=sources.calendar_complete)),
    )


def _model(journal: Journal, config: Config, sources: Sources) -> OnlineFilter:
    settings = online_settings_of(config)
    names = () if sources.external is None else sources.external.names
    schema = schema_hash(SCHEMA, names) if names else SCHEMA_HASH
    stored = journal.read.state(MODEL_KEY)
    if stored is None:
        return OnlineFilter(settings, schema=schema)
    try:
        return OnlineFilter.restore(stored, settings, schema=schema)
    except InvalidInput as fault:
        # An upgrade changed the features, say: begin anew from the samples that have the present ones.
        _log.warning("online_model_begun_anew", extra={"reason": str(fault)})
    fresh = OnlineFilter(settings, schema=schema)
    for sample in journal.read.samples():
        fresh.learn(sample)
    return fresh


def _record(journal: Journal) -> StrategyRecord:
    stored = journal.read.state(RECORD_KEY)
    return StrategyRecord() if stored is None else StrategyRecord.restore(stored)


def _stored_weights(journal: Journal, config: Config) -> Mapping[str, float]:
    stored = journal.read.state(WEIGHTS_KEY)
    weights: dict[str, float] = {} if stored is None else json.loads(stored)
    return {**weights, **config.signals.weights}
