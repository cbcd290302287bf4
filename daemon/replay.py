"""`ratchet run --replay DIR`: the same daemon on recorded candles, by simulated time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from daemon.clock import LiveClock
from daemon.config import Config, digest_of
from daemon.options import ReplayOptions
from daemon.parts import Sources
from daemon.paths import AccountPaths, replay_paths, state_root
from daemon.settings import signals_of, strategies_of
from daemon.story import Story, tell
from daemon.summary import Summary
from domain.errors import InvalidInput
from domain.instruments import AssetClass
from market.external import read_external
from market.feed import Feed
from market.recorded import RecordedFeed, load_folder
from market.registry import Registry
from sentiment.calendar import load_calendar
from signals.strategies import strategy_hash

ROUND_CASH = {"INR": Decimal(1_000_000), "JPY": Decimal(1_000_000), "KRW": Decimal(10_000_000)}
"""Starting cash in currencies in which ten thousand buys next to nothing; used unless one is given."""


def run_replay(options: ReplayOptions, environ: Mapping[str, str] = os.environ) -> Summary:
    """Play a folder of candles to its end; started again after a crash it continues where its journal stopped.

    Raises `InvalidInput` in one sentence for a folder, a symbol or a currency that cannot be played.
    """
    feed = load_feed(options)
    currency = account_currency(feed, options.currency or options.config.account.currency)
    config = _with_cash(options, currency)
    external = read_external(options.external) if options.external is not None else None
    calendar = options.calendar or config.sentiment.calendar
    return tell(
        Story(
            title=f"replay of {options.folder.name} {options.timeframe}",
            config=config,
            feed=feed,
            higher=feed.higher,
            paths=_paths(options, config, currency, environ),
            currency=currency,
            sources=Sources(
                events=load_calendar(calendar) if calendar is not None else None,
                external=external,
                read_news=config.sentiment.enabled and (feed.brings_news or calendar is not None),
            ),
            speed=options.speed,
            simulated_operator=options.simulated_operator,
            metrics_port=options.metrics_port,
            api_port=options.api_port,
            quiet=options.quiet,
        )
    )


def load_feed(options: ReplayOptions) -> RecordedFeed:
    """The folder's candles as the options choose among them."""
    return load_folder(
        options.folder,
        options.timeframe,
        registry=Registry.shipped(),
        series=options.series,
        symbols=options.instruments or None,
        class_hint=options.asset_class,
        start=options.start,
        end=options.end,
        max_bars=options.max_bars,
        headlines=options.headlines or options.config.sentiment.headlines,
        now=LiveClock().now(),  # a bar that has not closed yet is no recording
    )


def account_currency(feed: Feed, wanted: str | None) -> str:
    """The account's currency: the one asked for, else the only quote currency, else USD.

    Raises `InvalidInput` when something is quoted in a currency for which the feed has no rate to it.
    """
    traded = [each for each in feed.instruments.values() if each.asset_class is not AssetClass.INDEX]
    quotes = sorted({instrument.quote for instrument in traded})
    currency = wanted or (quotes[0] if len(quotes) == 1 else "USD")
    pairs = {(each.base, each.quote) for each in traded}
    reach = {currency} | {a for a, b in pairs if b == currency} | {b for a, b in pairs if a == currency}
    unreachable = [quote for quote in quotes if quote not in reach]
    if unreachable:
        raise InvalidInput(
            f"{feed.name} quotes in {', '.join(unreachable)} and holds no pair that converts to {currency}; "
            f"give the account another currency with --currency {unreachable[0]}"
        )
    return currency


def _with_cash(options: ReplayOptions, currency: str) -> Config:
    """The configuration with the account's currency and starting cash settled."""
    config = options.config
    given = "starting_cash" in config.account.model_fields_set
    cash = options.cash or (config.account.starting_cash if given else None)
    settled = cash or ROUND_CASH.get(currency, config.account.starting_cash)
    account = config.account.model_copy(update={"currency": currency, "starting_cash": settled})
    feed = config.feed.model_copy(update={"seed": options.seed})
    return config.model_copy(update={"account": account, "feed": feed})


def _paths(options: ReplayOptions, config: Config, currency: str, environ: Mapping[str, str]) -> AccountPaths:
    """A folder of its own for every different replay; the same replay finds its own again, until a strategy changes."""
    parts = (
        str(options.folder.resolve()),
        options.timeframe,
        currency,
        options.asset_class,
        ",".join(options.instruments),
        ",".join(f"{symbol}={series}" for symbol, series in sorted(options.series.items())),
        options.start,
        options.end,
        options.max_bars,
        *(_path(each) for each in (options.calendar, options.headlines, options.external)),
        options.simulated_operator,
        digest_of(config),
        strategy_hash(signals_of(config, options.timeframe), strategies_of(config)),
    )
    return replay_paths(state_root(environ, options.state), *parts)


def _path(path: Path | None) -> str:
    return "" if path is None else str(path.resolve())
