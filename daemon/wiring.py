"""The composition root: every part of one account's trading, built once and handed to whoever needs it.

Live, replay and demo call the same function; they differ in the clock, the feed, the writer and the durability
they pass in, and in nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from brokers.paper.broker import PaperBroker
from brokers.paper.settings import PaperSettings
from daemon.config import Config
from daemon.paths import AccountPaths
from domain.bars import BarSeries
from domain.clock import Clock, from_epoch
from domain.costs import CostModel
from domain.errors import ConfigurationRefused, InvalidInput, NotAvailable
from domain.instruments import Timeframe
from domain.records import CalendarEvent
from journal.batch import Batch
from journal.crashpoints import reach
from journal.engine import Durability
from journal.journal import Journal
from journal.writer import Writer
from learning.blend import Mode
from learning.online import OnlineFilter, OnlineSettings, ThresholdMode
from learning.strategy_record import StrategyRecord
from market.external import ExternalFeatures
from market.feed import Feed
from market.fx import RateBook
from market.sessions import Sessions
from risk.gate import Gate
from risk.limits import Limits
from sentiment.aggregate import SentimentBook, SentimentSettings
from sentiment.blackout import Blackout, BlackoutSettings
from sentiment.calendar import EventCalendar
from sentiment.lexicon import LexiconScorer
from signals.exits import ExitPolicy
from signals.features import SCHEMA, SCHEMA_HASH, schema_hash
from signals.settings import SignalSettings
from signals.strategies import STRATEGIES, Strategy, load_strategies
from trading.aftermath import MODEL_KEY, RECORD_KEY, Aftermath
from trading.books import Books
from trading.commands import Commands
from trading.data_watch import DataWatch
from trading.exits import Exits
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
from trading.scan import Scanner, ScanSettings, entry_validity
from trading.session import Session
from trading.shadows import ShadowBook
from trading.valuation import value
from trading.view import MarketView

WEIGHTS_KEY = "ensemble_weights"


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


def limits_of(config: Config) -> Limits:
    """The risk limits the configuration asks for."""
    return Limits(**config.risk.model_dump())


def signals_of(config: Config, timeframe: Timeframe) -> SignalSettings:
    """The signal settings the configuration asks for; fixed strategy weights are not among them.

    The volatility bound of the reversal exit is configured for 15-minute bars and grows with the square root of
    the bar's length, as volatility does; else no daily bar would ever be calm enough for a reversal exit.
    """
    values = config.signals.model_dump(exclude={"weights", "flat_weekends", "strategies"})
    scale = math.sqrt(timeframe.seconds / Timeframe.M15.seconds)
    values["reversal_volatility_bound"] = min(1.0, values["reversal_volatility_bound"] * scale)
    return SignalSettings(**values)


def strategies_of(config: Config) -> tuple[Strategy, ...]:
    """The shipped strategies, and the user's own where a folder of them is configured.

    Raises `ConfigurationRefused` for a folder or a file in it that cannot be used.
    """
    folder = config.signals.strategies
    if folder is None:
        return STRATEGIES
    try:
        return load_strategies(folder)
    except InvalidInput as fault:
        raise ConfigurationRefused(f"signals.strategies: {fault}") from fault


def online_settings_of(config: Config) -> OnlineSettings:
    """How the online model learns."""
    section = config.learning
    return OnlineSettings(
        minimum_labels=section.minimum_labels,
        minimum_per_class=section.minimum_per_class,
        learning_rate=section.learning_rate,
        l2=section.l2,
        threshold_mode=ThresholdMode(section.threshold_mode),
        threshold=section.threshold,
    )


def paper_settings_of(config: Config, timeframe: Timeframe) -> PaperSettings:
    """How imperfect the paper broker's world is.

    An order that is sent within the scan's delay after a bar's open still takes part in that bar: live, a bar is
    only seen that much after it closed. Never more than a quarter of the bar.
    """
    grace_s = min(config.schedule.scan_delay_s + 5.0, timeframe.seconds / 4)
    section = config.broker
    return PaperSettings(
        seed=config.feed.seed,
        slippage_bps=section.slippage_bps,
        latency_s=section.latency_s,
        grace_s=grace_s,
        max_participation=section.max_participation,
        reject_rate=section.reject_rate,
        starting_cash=config.account.starting_cash,
    )


def wire(
    *,
    config: Config,
    clock: Clock,
    feed: Feed,
    higher: Callable[[str], BarSeries | None],
    paths: AccountPaths,
    currency: str,
    sources: Sources,
    journal: Journal,
    writer: Writer,
    durable: bool,
    observer: Observer,
    simulated_operator: bool,
) -> Trading:
    """Build one account's trading and restore it from its journal. Nothing is sent before `start`."""
    limits, signals = limits_of(config), signals_of(config, feed.timeframe)
    account = config.account.name
    view = MarketView(
        feed=feed,
        higher=higher,
        settings=signals,
        sessions=_sessions(feed, clock),
        rates=RateBook(feed.instruments.values()),
        currency=currency,
        external=sources.external,
        flat_weekends=config.signals.flat_weekends,
        strategies=strategies_of(config),
    )
    books = Books(account, currency)
    restore_books(books, journal.read)
    holds = HoldBook(observer)
    risk = RiskKeeper(limits, holds)
    broker = PaperBroker.open(
        paths.paper,
        account=account,
        currency=currency,
        instruments=view.tradable,
        settings=paper_settings_of(config, feed.timeframe),
        clock=clock,
        durable=durable,
        reach=reach,
    )
    costs = _costs(view, config)
    wording = Wording(account=account, limits=limits)
    protection = Protection(wording, dict(view.instruments))
    model = _model(journal, config, sources)
    record = _record(journal)
    desk = OrderDesk(broker=broker, books=books, writer=writer, clock=clock, protection=protection, observer=observer)
    aftermath = Aftermath(books=books, bars=view.bars, model=model, record=record, risk=risk, observer=observer)
    desk.listener = aftermath
    shadows = ShadowBook(
        bars=view.bars,
        instruments=dict(view.instruments),
        costs=costs.__getitem__,
        policy=ExitPolicy.from_settings(signals),
    )
    news = _news(config, view, sources)
    watch = DataWatch(view, holds)
    resumption = restore_rest(
        journal.read,
        books=books,
        view=view,
        holds=holds,
        risk=risk,
        shadows=shadows,
        aftermath=aftermath,
        news=news,
        watch=watch,
    )
    commands = Commands(
        clock=clock,
        holds=holds,
        risk=risk,
        books=books,
        protection=protection,
        equity=lambda: value(books, view, risk.state, clock.now()).equity,
    )
    operator = None
    if simulated_operator:
        operator = Operator(holds=holds, commands=commands, after=timedelta(days=config.operator.resume_after_days))
    scanner = Scanner(
        account=account,
        view=view,
        news=news,
        costs=costs,
        gate=Gate(),
        limits=limits,
        signals=signals,
        settings=_scan_settings(config, view),
        can_short=broker.capabilities.shorts,
    )
    session = Session(
        clock=clock,
        feed=feed,
        view=view,
        broker=broker,
        venue=broker,
        writer=writer,
        books=books,
        desk=desk,
        protection=protection,
        holds=holds,
        risk=risk,
        news=news,
        shadows=shadows,
        aftermath=aftermath,
        exits=Exits(view=view, policy=ExitPolicy.from_settings(signals), protection=protection),
        scanner=scanner,
        watch=watch,
        reconciler=Reconciler(broker=broker, books=books, desk=desk, holds=holds, clock=clock, observer=observer),
        operator=operator,
        observer=observer,
    )
    session.last_scan, session.last_point = resumption.last_scan, resumption.last_point
    session.weights = _stored_weights(journal, config)
    return Trading(
        session=session,
        commands=commands,
        journal=journal,
        writer=writer,
        broker=broker,
        record=record,
        operator=operator,
        resumption=resumption,
        currency=currency,
        limits=limits,
        signals=signals,
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


def _costs(view: MarketView, config: Config) -> Mapping[str, CostModel]:
    """Expected costs of each instrument: its own fee, and the slippage that the broker is expected to add."""
    slippage = config.broker.slippage_bps / 10_000
    return {
        symbol: CostModel(fee_rate=float(instrument.fee_rate), slippage=slippage)
        for symbol, instrument in view.tradable.items()
    }


def _scan_settings(config: Config, view: MarketView) -> ScanSettings:
    span = view.timeframe.span
    return ScanSettings(
        mode=Mode(config.learning.mode),
        technical_weight=config.learning.technical_weight,
        minimum_score=config.learning.minimum_score,
        entry_valid=entry_validity(span),
        stale_after=2 * span,
    )


def blackout_of(config: Config, *, complete: bool) -> BlackoutSettings:
    """How long before and after an event nothing is entered; a calendar with gaps also holds where it has one."""
    section = config.sentiment
    return BlackoutSettings(
        before_min=section.blackout_before_minutes,
        after_min=section.blackout_after_minutes,
        hold_when_stale=not complete,
    )


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
    return OnlineFilter.restore(stored, settings, schema=schema)


def _record(journal: Journal) -> StrategyRecord:
    stored = journal.read.state(RECORD_KEY)
    return StrategyRecord() if stored is None else StrategyRecord.restore(stored)


def _stored_weights(journal: Journal, config: Config) -> Mapping[str, float]:
    stored = journal.read.state(WEIGHTS_KEY)
    weights: dict[str, float] = {} if stored is None else json.loads(stored)
    return {**weights, **config.signals.weights}
