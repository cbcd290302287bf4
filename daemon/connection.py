"""A live run's connection to its venue: the demo account, its candles, and what both need of the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from venues.account import CcxtAccount
from venues.market import CcxtMarket
from venues.open import open_account, open_market

from brokers.ccxt.broker import CcxtBroker
from daemon.config import Config
from daemon.notify import Notifier
from daemon.paths import AccountPaths, secrets_folder, state_root
from daemon.patience import patiently
from daemon.secrets import Secret, read_secret
from domain.bars import BarSeries
from domain.clock import Clock
from domain.errors import ConfigurationRefused
from domain.instruments import Timeframe
from journal.batch import Batch
from journal.crashpoints import reach
from journal.journal import Journal
from market.venue_feed import VenueFeed
from market.venue_history import load_history
from market.venue_instruments import instruments_of
from venues.credentials import Credentials
from venues.records import MarketKind

VENUE_KEY: Final = "venue_key"
VENUE_SECRET: Final = "venue_secret"  # noqa: S105 - the name of a secret, not one
VENUE_PASSPHRASE: Final = "venue_passphrase"  # noqa: S105 - the name of a secret, not one
FOLLOWED_KEY: Final = "venue_followed"
"""What this account trades: one journal is one account at one venue, on one timeframe."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What a live run on a venue is made of; `close` lets go of all of it."""

    account: CcxtAccount
    market: CcxtMarket
    feed: VenueFeed
    broker: CcxtBroker
    currency: str

    async def close(self) -> None:
        """Let go of the venue; nothing there changes. Closing twice is harmless."""
        await self.broker.close()
        await self.account.close()
        await self.market.close()


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
    what would never work: no key, no demo, a live host, an instrument that is not traded.
    """
    section, feed = config.broker, config.feed
    venue, kind = _venue_of(config), MarketKind(section.market)
    credentials = venue_credentials(config, environ)
    account = await patiently(
        lambda: open_account(
            venue=venue,
            market=kind,
            symbols=feed.instruments,
            credentials=credentials,
            clock=clock,
            base_url=section.base_url,
        ),
        notifier,
        f"{venue} does not answer yet",
    )
    market = await patiently(
        lambda: open_market(venue=venue, market=kind, clock=clock, base_url=section.base_url),
        notifier,
        f"{venue} does not answer yet",
    )
    currency = _currency_of(config, account)
    instruments = instruments_of(account.markets, shorts=account.abilities.shorts, currency=currency)
    _demand_same_story(config, journal)
    history = await patiently(
        lambda: load_history(
            market,
            feed.instruments,
            feed.timeframe,
            until=clock.now(),
            bars=feed.history,
            stored=_stored(journal, feed.instruments, feed.timeframe),
        ),
        notifier,
        f"the candles of {venue} cannot be read yet",
    )
    _keep(journal, history, config)
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
        f"the account at {venue} cannot be read yet",
    )
    told = VenueFeed(
        name=f"{venue} {kind} candles",
        timeframe=feed.timeframe,
        instruments=instruments,
        history=history,
        link=market,
        clock=clock,
        patience=min(timedelta(seconds=feed.patience_s), feed.timeframe.span / 4),
    )
    return Connection(account=account, market=market, feed=told, broker=broker, currency=currency)


def venue_credentials(config: Config, environ: Mapping[str, str]) -> Credentials:
    """The key of the demo account; raises `ConfigurationRefused` in one sentence when it is nowhere."""
    folder = secrets_folder(state_root(environ))
    found: dict[str, Secret | None] = {
        name: read_secret(name, environ=environ, folder=folder) for name in (VENUE_KEY, VENUE_SECRET, VENUE_PASSPHRASE)
    }
    key, secret, passphrase = found[VENUE_KEY], found[VENUE_SECRET], found[VENUE_PASSPHRASE]
    if key is None or secret is None:
        missing = " and ".join(name for name in (VENUE_KEY, VENUE_SECRET) if found[name] is None)
        raise ConfigurationRefused(
            f"the secret {missing} of the demo account at {config.broker.venue} is nowhere: give it as a systemd "
            f"credential, an owner-only file in {folder}, or the environment variable RATCHET_SECRET_NAME"
        )
    return Credentials(
        key=key.reveal(), secret=secret.reveal(), passphrase=None if passphrase is None else passphrase.reveal()
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


def _keep(journal: Journal, history: Mapping[str, BarSeries], config: Config) -> None:
    """Journal the bars that indicators begin with: a restart begins at the same ones."""
    batch = Batch()
    for symbol in config.feed.instruments:
        batch.add_bars(history[symbol], 0, len(history[symbol]))
    journal.commit(batch)
