"""The composition root: every part of one account's trading, built once and handed to whoever needs it.

Live, replay and demo call the same function; they differ in the clock, the feed, the writer and the durability
they pass in, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from brokers.paper.broker import PaperBroker
from brokers.protocol import Broker
from daemon.casting import MODELS, Casting, drift_of, filter_of, hold_to_technical
from daemon.config import Config
from daemon.parts import Sources, model_of, news_of, record_of, sessions_of, stored_weights
from daemon.paths import AccountPaths
from daemon.settings import (
    account_rules_of,
    costs_of,
    limits_of,
    paper_settings_of,
    portfolio_settings_of,
    scan_settings_of,
    signals_of,
    strategies_of,
)
from domain.bars import BarSeries
from domain.clock import Clock
from domain.costs import CostModel
from domain.errors import ConfigurationRefused, JournalError, JournalLocked, JournalSchemaUnknown, NotAvailable
from domain.holds import Effect
from journal.batch import Batch
from journal.crashpoints import reach
from journal.engine import Durability
from journal.journal import Journal
from journal.writer import Writer
from learning.strategy_record import StrategyRecord
from market.feed import Feed
from market.fx import RateBook
from risk.gate import Gate
from risk.limits import Limits
from signals.exits import ExitPolicy
from signals.settings import SignalSettings
from trading.aftermath import Aftermath
from trading.books import Books
from trading.commands import Commands
from trading.data_watch import DataWatch
from trading.exits import Exits
from trading.guardian import Guardian
from trading.holds import HoldBook
from trading.intents import Wording
from trading.judging import Judge
from trading.news import News
from trading.observer import Observer
from trading.operator import Operator
from trading.orders import OrderDesk
from trading.portfolio import PORTFOLIO_KEY, Portfolio
from trading.protection import Protection
from trading.reconciler import Reconciler
from trading.recovery import Resumption, restore_books, restore_rest
from trading.risk_keeper import RiskKeeper
from trading.scan import Scanner
from trading.session import Session
from trading.shadows import ShadowBook
from trading.valuation import worth
from trading.venue import SimulatedVenue
from trading.view import MarketView


@dataclass(frozen=True, kw_only=True, slots=True)
class Trading:
    """The built parts that the daemon drives and shows."""

    session: Session
    portfolio: Portfolio
    commands: Commands
    journal: Journal
    writer: Writer
    broker: Broker
    record: StrategyRecord
    operator: Operator | None
    resumption: Resumption
    casting: Casting
    """Who spoke when the run began."""
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
    broker: Broker | None = None
    """A venue's account that is connected already; None is the embedded paper broker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ground:
    """What everything else stands on."""

    signals: SignalSettings
    view: MarketView
    portfolio: Portfolio
    books: Books
    holds: HoldBook
    risk: RiskKeeper
    broker: Broker
    shown: SimulatedVenue | None
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
    casting: Casting


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
    session.weights = stored_weights(setup.journal, setup.config)
    return Trading(
        session=session,
        portfolio=ground.portfolio,
        commands=commands,
        journal=setup.journal,
        writer=setup.writer,
        broker=ground.broker,
        record=followers.aftermath.record,
        operator=operator,
        resumption=followers.resumption,
        casting=followers.casting,
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
        sessions=sessions_of(feed, setup.clock),
        rates=RateBook(feed.instruments.values()),
        currency=setup.currency,
        external=setup.sources.external,
        flat_weekends=config.signals.flat_weekends,
        strategies=strategies_of(config),
    )
    holds = HoldBook(setup.observer)
    broker, shown = _broker_of(setup, view)
    books = Books(account, setup.currency, is_dust=_too_little(view) if broker.capabilities.spot else None)
    restore_books(books, setup.journal.read)
    protection = Protection(Wording(account=account, limits=limits), dict(view.instruments), broker.capabilities)
    return _Ground(
        signals=signals,
        view=view,
        portfolio=_portfolio(setup),
        books=books,
        holds=holds,
        risk=RiskKeeper(limits, holds),
        broker=broker,
        shown=shown,
        protection=protection,
        desk=OrderDesk(
            broker=broker,
            books=books,
            writer=setup.writer,
            clock=setup.clock,
            protection=protection,
            observer=setup.observer,
            may_enter=lambda symbol: holds.effect(symbol, setup.clock.now()) in (None, Effect.SAFE),
        ),
        costs=costs_of(config, view.tradable),
    )


def _portfolio(setup: Setup) -> Portfolio:
    portfolio = Portfolio(portfolio_settings_of(setup.config))
    stored = setup.journal.read.state(PORTFOLIO_KEY)
    if stored is not None:
        portfolio.restore(stored)
    return portfolio


def _broker_of(setup: Setup, view: MarketView) -> tuple[Broker, SimulatedVenue | None]:
    """The broker, and whom the market must be shown to: the paper broker, which cannot see it by itself."""
    if setup.broker is not None:
        return setup.broker, None
    paper = PaperBroker.open(
        setup.paths.paper,
        account=setup.config.account.name,
        currency=setup.currency,
        instruments=view.tradable,
        settings=paper_settings_of(setup.config, view.timeframe),
        clock=setup.clock,
        durable=setup.durable,
        reach=reach,
    )
    return paper, paper


def _too_little(view: MarketView) -> Callable[[str, Decimal, Decimal], bool]:
    def is_dust(symbol: str, quantity: Decimal, price: Decimal) -> bool:
        return not view.instruments[symbol].can_be_ordered(quantity, price)

    return is_dust


def _followers(setup: Setup, ground: _Ground) -> _Followers:
    online = model_of(setup.journal, setup.config, setup.sources)
    model, casting = filter_of(setup.journal.read, setup.config, setup.paths.folder / MODELS, online)
    aftermath = Aftermath(
        books=ground.books,
        bars=ground.view.bars,
        model=model,
        drift=drift_of(setup.journal.read, casting),
        record=record_of(setup.journal),
        risk=ground.risk,
        costs=ground.costs,
        observer=setup.observer,
    )
    ground.desk.listener = aftermath
    shadows = ShadowBook(
        bars=ground.view.bars,
        instruments=dict(ground.view.instruments),
        costs=ground.costs.__getitem__,
        policy=ExitPolicy.from_settings(ground.signals),
    )
    news = news_of(setup.config, ground.view, setup.sources)
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
    return _Followers(
        aftermath=aftermath, shadows=shadows, news=news, watch=watch, resumption=resumption, casting=casting
    )


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


def _judge(setup: Setup, ground: _Ground) -> Judge:
    return Judge(
        view=ground.view,
        portfolio=ground.portfolio,
        costs=ground.costs,
        gate=Gate(),
        limits=ground.risk.limits,
        rules=account_rules_of(setup.config),
        reward_risk=ground.signals.reward_risk,
        stale_after=scan_settings_of(setup.config, ground.view.timeframe).stale_after,
        can_short=ground.broker.capabilities.shorts,
    )


def _session(setup: Setup, ground: _Ground, followers: _Followers, operator: Operator | None) -> Session:
    scanner = Scanner(
        account=ground.books.account,
        view=ground.view,
        news=followers.news,
        judge=_judge(setup, ground),
        limits=ground.risk.limits,
        signals=ground.signals,
        settings=scan_settings_of(setup.config, ground.view.timeframe),
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
        venue=ground.shown,
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
            began=setup.clock.now(),
            books=ground.books,
            protection=ground.protection,
            holds=ground.holds,
            observer=setup.observer,
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
    findings = session.aftermath.drift.findings
    hold_to_technical(session.holds, trading.casting, findings, session.clock.now(), batch)
    if len(batch):
        await trading.writer.commit(batch)
    await trading.writer.flush()
    if not session.risk.started:
        raise NotAvailable(f"the account {session.books.account} has no deposit: there is nothing to trade with")


def open_journal(config: Config, paths: AccountPaths, *, live: bool) -> Journal:
    """The account's journal: every commit flushed to the disk when live, unless configured otherwise."""
    chosen = config.journal.durability or ("full" if live else "normal")
    target: str | Path = config.journal.url or paths.journal
    try:
        return Journal.open(target, durability=Durability(chosen))
    except (JournalLocked, JournalSchemaUnknown):
        raise
    except JournalError as error:
        # A damaged file is as damaged at the next start.
        raise ConfigurationRefused(f"the journal cannot be opened: {error}") from error
