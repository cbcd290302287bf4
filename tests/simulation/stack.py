"""The real parts of one daemon, on one session: account, broker, journal, trading. The way `daemon/connection.py` and
`daemon/service.py` put them together, with a feed whose bars are given and a session without sockets."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from exchange.keys import REVOCABLE_KEY
from simulation.network import Line
from simulation.remembered import compile_once, shipped_registry
from simulation.setting import SYMBOLS
from simulation.tape import feed_of

from brokers.ccxt.broker import CcxtBroker
from daemon.parts import Sources
from daemon.source import LiveSource
from daemon.timed_writer import TimedWriter
from daemon.wiring import Setup, Trading, open_journal, wire
from domain.bars import Quote
from journal.crashpoints import reach
from journal.journal import Journal
from journal.writer import ThreadWriter
from market.feed import Feed
from market.venue_instruments import instruments_of, with_spread_limits
from venues.account import CcxtAccount
from venues.credentials import Credentials
from venues.opening import open_account

if TYPE_CHECKING:
    from simulation.world import World

CREDENTIALS = Credentials(key=REVOCABLE_KEY.key, secret=REVOCABLE_KEY.secret)
VENUE_LOG = "venue.sqlite"


def journal_of(world: World) -> Journal:
    """The account's journal; a new account's begins as a copy of an empty one, which is quicker than making one."""
    if not world.paths.journal.exists():
        shutil.copyfile(world.empty_journal, world.paths.journal)
    opened = open_journal(world.config, world.paths, live=False)
    compile_once(opened)
    return opened


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """One daemon's parts, built and restored; nothing was sent yet."""

    account: CcxtAccount
    broker: CcxtBroker
    journal: Journal
    writer: TimedWriter
    trading: Trading
    source: LiveSource


async def open_stack(world: World, line: Line, journal: Journal) -> Stack:
    """Reach the exchange, open or found the log, and restore trading from the journal."""
    account = await open_account(
        venue="binance",
        market=world.kind,
        symbols=SYMBOLS,
        credentials=CREDENTIALS,
        clock=world.clock,
        session=line,
    )
    instruments = with_spread_limits(
        instruments_of(account.markets, shorts=account.abilities.shorts, currency="USDT", registry=shipped_registry()),
        world.history,
        registry=shipped_registry(),
    )
    broker = await CcxtBroker.open(
        world.paths.folder / VENUE_LOG,
        account=world.config.account.name,
        currency="USDT",
        instruments=instruments,
        link=account,
        clock=world.clock,
        durable=True,
        reach=reach,
    )
    writer = TimedWriter(ThreadWriter(journal), _nobody_counts)
    feed = feed_of(world.history, world.candles, instruments)
    trading = wire(
        Setup(
            config=world.config,
            clock=world.clock,
            feed=feed,
            higher=world.higher.__getitem__,
            paths=world.paths,
            currency="USDT",
            sources=Sources(read_news=False),
            journal=journal,
            writer=writer,
            durable=False,
            observer=world.observer,
            simulated_operator=False,
            broker=broker,
        )
    )
    return Stack(
        account=account,
        broker=broker,
        journal=journal,
        writer=writer,
        trading=trading,
        source=_source(world, feed, broker, account),
    )


def _source(world: World, feed: Feed, broker: CcxtBroker, account: CcxtAccount) -> LiveSource:
    async def follow(_trading: Trading, _until: datetime) -> None:
        """The bars are at hand."""

    async def quotes(symbols: Sequence[str]) -> Mapping[str, Quote]:
        await asyncio.sleep(2 * world.network.way_s())
        return {symbol: world.quote(symbol) for symbol in symbols}

    return LiveSource(
        feed=feed,
        higher=lambda _symbol: None,
        sources=Sources(read_news=False),
        currency="USDT",
        follow=follow,
        broker=broker,
        quotes=quotes,
        measure_skew=account.measure_clock,
    )


def _nobody_counts(_seconds: float) -> None:
    """Commits take no virtual time that anybody would measure."""
