"""A live run's connection to its venue: the demo account, its candles, and what both need of the configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from brokers.ccxt.broker import CcxtBroker
from daemon.config import Config
from daemon.fallback import fallback_of
from daemon.metrics import VenueCounts
from daemon.notify import Notifier
from daemon.paths import AccountPaths, secrets_folder, state_root
from daemon.patience import patiently
from daemon.rights import demand_harmless
from daemon.secrets import Secret, read_secret
from domain.bars import BarSeries
from domain.clock import Clock
from domain.errors import ConfigurationRefused, InvalidInput, VenueForbids
from domain.instruments import Instrument, Timeframe
from journal.batch import Batch
from journal.crashpoints import reach
from journal.journal import Journal
from market.venue_feed import REJECTIONS, VenueFeed
from market.venue_history import load_history
from market.venue_instruments import instruments_of, with_spread_limits
from venues.account import CcxtAccount
from venues.budget import Budget
from venues.credentials import Credentials
from venues.opening import open_account, open_market
from venues.profiles import demand_profile
from venues.records import MarketKind

VENUE_KEY: Final = "venue_key"
VENUE_SECRET: Final = "venue_secret"  # noqa: S105 - the name of a secret, not one
VENUE_PASSPHRASE: Final = "venue_passphrase"  # noqa: S105 - the name of a secret, not one
FOLLOWED_KEY: Final = "venue_followed"
"""What this account trades: one journal is one account at one venue, on one timeframe."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What a live run on a venue is made of; `close` lets go of all of it."""

    account: CcxtAccount
    feed: VenueFeed
    broker: CcxtBroker
    currency: str
    counts: VenueCounts
    exits: AsyncExitStack

    async def close(self) -> None:
        """Let go of the venue; nothing there changes. Closing twice is harmless."""
        await self.exits.aclose()


async def connect(
    config: Config,
    paths: AccountPaths,
    journal: Journal,
    clock: Clock,
    environ: Mapping[str, str],
    notifier: Notifier,
) -> Connection:
    """Reach the venue's demo account and load the candles that indicators begin with.

    A venue that does not answer is waited for, and the service manager told so. Raises `ConfigurationRefused` for
    what would never work: no key, a key that is refused, no demo, a live host, an instrument that is not traded.
    """
    async with AsyncExitStack() as exits:
        try:
            connected = await _connected(config, paths, journal, clock, environ, notifier, exits)
        except VenueForbids as error:
            raise ConfigurationRefused(f"{config.broker.venue} refuses the account's key: {error}") from error
        except InvalidInput as error:
            raise ConfigurationRefused(f"broker and feed do not go together: {error}") from error
        exits.pop_all()
    return connected


async def _connected(
    config: Config,
    paths: AccountPaths,
    journal: Journal,
    clock: Clock,
    environ: Mapping[str, str],
    notifier: Notifier,
    exits: AsyncExitStack,
) -> Connection:
    credentials = venue_credentials(config, environ)
    _demand_same_story(config, journal)
    budgets = _budgets(config, clock)
    account = await patiently(
        lambda: account_of(config, credentials, clock, budgets[0]), notifier, "the venue does not answer"
    )
    exits.push_async_callback(account.close)
    _log.info("key_rights", extra={"finding": demand_harmless(await account.rights())})
    currency = _currency_of(config, account)
    instruments = instruments_of(account.markets, shorts=account.abilities.shorts, currency=currency)
    feed = await _followed(config, paths, journal, clock, environ, notifier, exits, instruments, budgets[1])
    broker = await patiently(
        lambda: CcxtBroker.open(
            paths.folder / "venue.sqlite",
            account=config.account.name,
            currency=currency,
            instruments=instruments,
            link=account,
            clock=clock,
            durable=True,
            reach=reach,
        ),
        notifier,
        "the account cannot be read",
    )
    exits.push_async_callback(broker.close)
    kept = exits.pop_all()
    counts = VenueCounts(
        account=budgets[0].counts,
        candles=None if budgets[1] is budgets[0] else budgets[1].counts,
        stream=account.listening.counts,
        rejections=REJECTIONS,
    )
    return Connection(account=account, feed=feed, broker=broker, currency=currency, counts=counts, exits=kept)


def _budgets(config: Config, clock: Clock) -> tuple[Budget, Budget]:
    """What the account and the candles may ask. Where both ask the same host it is one budget, so that a ban heard by
    one stops both; candles from another host have their own."""
    profile = demand_profile(_venue_of(config), MarketKind(config.broker.market))
    same_host = config.broker.base_url is not None or profile.demo_header is not None
    account = Budget(profile.title, profile.allowance, clock)
    return account, account if same_host else Budget(profile.title, profile.allowance, clock)


async def account_of(
    config: Config, credentials: Credentials, clock: Clock, budget: Budget | None = None
) -> CcxtAccount:
    """The configured demo account, opened; see `venues.opening.open_account` for what it raises."""
    section = config.broker
    return await open_account(
        venue=_venue_of(config),
        market=MarketKind(section.market),
        symbols=config.feed.instruments,
        credentials=credentials,
        clock=clock,
        base_url=section.base_url,
        budget=budget,
    )


async def _followed(
    config: Config,
    paths: AccountPaths,
    journal: Journal,
    clock: Clock,
    environ: Mapping[str, str],
    notifier: Notifier,
    exits: AsyncExitStack,
    instruments: Mapping[str, Instrument],
    budget: Budget,
) -> VenueFeed:
    """The venue's candles, from the bars that the journal keeps on; what was missed meanwhile is asked for."""
    section, feed = config.broker, config.feed
    opening = partial(open_market, venue=_venue_of(config), market=MarketKind(section.market), clock=clock)
    market = await patiently(
        lambda: opening(base_url=section.base_url, budget=budget), notifier, "the venue's candles cannot be reached"
    )
    exits.push_async_callback(market.close)
    fallback = fallback_of(config, paths, clock, environ, exits, instruments)
    history = await patiently(
        lambda: load_history(
            market,
            instruments,
            feed.timeframe,
            until=clock.now(),
            bars=feed.history,
            stored=_stored(journal, feed.instruments, feed.timeframe),
            fallback=fallback,
            since=oldest_open(journal),
        ),
        notifier,
        "the venue's candles cannot be read",
    )
    _keep(journal, history)
    told = VenueFeed(
        name=f"{section.venue} {section.market}",
        timeframe=feed.timeframe,
        instruments=with_spread_limits(instruments, history),
        history=history,
        link=market,
        clock=clock,
        fallback=fallback,
        patience=min(timedelta(seconds=feed.patience_s), feed.timeframe.span / 4),
    )
    exits.push_async_callback(told.close)
    return told


def oldest_open(journal: Journal) -> datetime | None:
    """When the bar of the oldest decision opened whose outcome is not known yet: history must reach back to it."""
    return min((each.bar_opened_at for each in journal.read.unresolved_decisions()), default=None)


def venue_credentials(config: Config, environ: Mapping[str, str]) -> Credentials:
    """The key of the demo account; raises `ConfigurationRefused` in one sentence when it is nowhere."""
    folder = secrets_folder(state_root(environ))
    found: dict[str, Secret | None] = {
        name: read_secret(name, environ=environ, folder=folder) for name in (VENUE_KEY, VENUE_SECRET, VENUE_PASSPHRASE)
    }
    key, secret, passphrase = found[VENUE_KEY], found[VENUE_SECRET], found[VENUE_PASSPHRASE]
    if key is None or secret is None:
        missing = [name for name in (VENUE_KEY, VENUE_SECRET) if found[name] is None]
        raise ConfigurationRefused(_nowhere(missing, f"of the demo account at {config.broker.venue}", folder))
    return Credentials(
        key=key.reveal(), secret=secret.reveal(), passphrase=None if passphrase is None else passphrase.reveal()
    )


def _nowhere(names: Sequence[str], whose: str, folder: Path) -> str:
    """One sentence about secrets that nobody handed over, and the three places where they may be."""
    variables = " and ".join(f"RATCHET_SECRET_{name.upper()}" for name in names)
    if len(names) == 1:
        return (
            f"the secret {names[0]} {whose} is nowhere: give it as a systemd credential, an owner-only file in "
            f"{folder}, or the environment variable {variables}"
        )
    return (
        f"the secrets {' and '.join(names)} {whose} are nowhere: give them as systemd credentials, owner-only files in "
        f"{folder}, or the environment variables {variables}"
    )


def _venue_of(config: Config) -> str:
    if config.broker.venue is None:
        raise ConfigurationRefused("broker.venue is missing: a demo account is somewhere")
    return config.broker.venue


def _currency_of(config: Config, account: CcxtAccount) -> str:
    quotes = sorted({market.quote for market in account.markets.values()})
    currency = config.account.currency or quotes[0]
    if quotes != [currency]:
        raise ConfigurationRefused(
            f"feed.instruments are quoted in {', '.join(quotes)}, and the account is kept in {currency}: "
            "instruments of one quote currency can be traded on one account"
        )
    return currency


def _demand_same_story(config: Config, journal: Journal) -> None:
    """One journal follows one account at one venue; raises `ConfigurationRefused` for another."""
    section = config.broker
    story = {"venue": section.venue, "market": section.market, "timeframe": config.feed.timeframe.value}
    stored = journal.read.state(FOLLOWED_KEY)
    if stored is None:
        batch = Batch()
        batch.put_state(FOLLOWED_KEY, json.dumps(story, sort_keys=True))
        journal.commit(batch)
    elif json.loads(stored) != story:
        known = ", ".join(str(value) for value in json.loads(stored).values())
        raise ConfigurationRefused(
            f"this account's journal is of {known}, and the configuration asks for "
            f"{', '.join(str(value) for value in story.values())}: give account.name another name"
        )


def _stored(journal: Journal, symbols: tuple[str, ...], timeframe: Timeframe) -> Mapping[str, BarSeries]:
    found = {symbol: journal.read.bars(symbol, timeframe) for symbol in symbols}
    return {symbol: series for symbol, series in found.items() if len(series)}


def _keep(journal: Journal, history: Mapping[str, BarSeries]) -> None:
    """Journal the bars that indicators begin with: a restart begins at the same ones."""
    batch = Batch()
    for series in history.values():
        batch.add_bars(series, 0, len(series))
    journal.commit(batch)
