"""The market that a stress run disturbs, and how it is told again with other prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.config import Config
from daemon.options import ReplayOptions
from daemon.parts import Sources
from daemon.replay import ROUND_CASH, account_currency, load_feed
from domain.bars import BarSeries
from domain.clock import require_utc
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Timeframe
from market.feed import Feed
from market.headlines import Headlines
from market.series_feed import SeriesFeed
from market.simulated import SimulatedFeed
from market.simulated_roster import ROSTER
from market.stress import Ground, Scenario
from market.stress_bleed import BleedingFeed
from sentiment.calendar import load_calendar

START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the simulated story begins unless told otherwise; the date means hours, weekdays and seasons, and no more."""
EDGE = 1.0
"""As in the demo: with the planted edge there are positions to be hit."""
USUAL = 4
"""How many instruments of the simulated market are played unless they are named."""
_LONG_AGO, _NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class StressOptions:
    """What a stress run is asked for. `folder` None is the simulated market.

    `bars` are the most bars of each instrument; `at` the time from which on the scenarios strike, None where most is
    held in the middle third of the undisturbed run. `seed` is the simulated market's, the paper broker's, and what
    draws which feed is lost. `start`, `asset_class` and `currency` None are as the data says.
    """

    scenarios: tuple[Scenario, ...]
    config: Config
    folder: Path | None = None
    timeframe: Timeframe = Timeframe.H1
    instruments: tuple[str, ...] = ()
    bars: int = 1_500
    start: datetime | None = None
    asset_class: str | None = None
    currency: str | None = None
    at: datetime | None = None
    seed: int = 7
    state: Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        for name in ("start", "at"):
            moment = getattr(self, name)
            if moment is not None:
                require_utc(moment, name)
        if self.bars < 1:
            raise InvalidInput(f"{self.bars} bars are no market to stress; allowed is 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldMarket:
    """A market as it was, and what flows in beside it."""

    feed: SeriesFeed
    sources: Sources
    config: Config
    currency: str

    @property
    def tradable(self) -> tuple[str, ...]:
        """Symbols that can be held: all but benchmarks."""
        instruments = self.feed.instruments.items()
        return tuple(symbol for symbol, each in instruments if each.asset_class is not AssetClass.INDEX)

    @property
    def bars(self) -> int:
        return sum(len(self.feed.series(symbol)) for symbol in self.feed.instruments)

    def again(self, series: Mapping[str, BarSeries] | None = None) -> SeriesFeed:
        """The story from its beginning, with other prices where they are given; news and calendar stay."""
        feed = self.feed
        return SeriesFeed(
            name=feed.name,
            timeframe=feed.timeframe,
            instruments=feed.instruments,
            series=series or {symbol: feed.series(symbol) for symbol in feed.instruments},
            report=feed.report,
            headlines=Headlines(feed.headlines(_LONG_AGO, _NEVER)),
        )

    def under(self, scenario: Scenario, ground: Ground) -> tuple[Feed, Callable[[str], BarSeries | None]]:
        """The story under a scenario, and each instrument's series in the next higher timeframe.

        Raises `InvalidInput` when the scenario leaves nothing to play, or cannot do what it has to.
        """
        if scenario.follows_positions:
            bleeding = BleedingFeed(self.again(), ground.at)
            return bleeding, bleeding.higher
        changed = scenario.change({symbol: self.feed.series(symbol) for symbol in self.feed.instruments}, ground)
        feed = self.again(changed)
        return feed, feed.higher


def market_of(options: StressOptions) -> ToldMarket:
    """The market asked for; raises `InvalidInput` in one sentence for one that cannot be played."""
    return _simulated(options) if options.folder is None else _recorded(options, options.folder)


def _recorded(options: StressOptions, folder: Path) -> ToldMarket:
    config = options.config
    feed = load_feed(
        ReplayOptions(
            folder=folder,
            timeframe=options.timeframe,
            config=config,
            series=config.feed.series,
            asset_class=options.asset_class or config.feed.asset_class,
            instruments=options.instruments,
            start=options.start,
            max_bars=options.bars,
        )
    )
    currency = account_currency(feed, options.currency or config.account.currency)
    calendar = config.sentiment.calendar
    return ToldMarket(
        feed=feed,
        sources=Sources(
            events=load_calendar(calendar) if calendar is not None else None,
            read_news=config.sentiment.enabled and (feed.brings_news or calendar is not None),
        ),
        config=_with_account(options, currency),
        currency=currency,
    )


def _simulated(options: StressOptions) -> ToldMarket:
    roster = [name.instrument.symbol for name in ROSTER]
    unknown = [name for name in options.instruments if name not in roster]
    if unknown:
        raise InvalidInput(f"the simulated market has no {', '.join(unknown)}; it has {', '.join(roster)}")
    names = [name for name in roster if name in options.instruments] or roster[:USUAL]
    whole = SimulatedFeed(
        options.seed,
        instruments=1 + max(roster.index(name) for name in names),
        bars=options.bars,
        timeframe=options.timeframe,
        start=options.start or START,
        edge=EDGE if options.config.feed.edge is None else options.config.feed.edge,
    )
    feed = SeriesFeed(
        name=whole.name,
        timeframe=whole.timeframe,
        instruments={name: whole.instruments[name] for name in names},
        series={name: whole.series(name) for name in names},
        report=whole.report,
        headlines=Headlines(text.item for text in whole.planted_texts),
    )
    currency = account_currency(feed, options.currency)
    return ToldMarket(
        feed=feed,
        sources=Sources(events=whole.calendar, calendar_complete=True, read_news=options.config.sentiment.enabled),
        config=_with_account(options, currency),
        currency=currency,
    )


def _with_account(options: StressOptions, currency: str) -> Config:
    """The configuration with currency, starting cash and seed settled, as a replay settles them."""
    config = options.config
    given = "starting_cash" in config.account.model_fields_set
    usual = config.account.starting_cash
    cash = usual if given else ROUND_CASH.get(currency, usual)
    account = config.account.model_copy(update={"currency": currency, "starting_cash": cash})
    feed = config.feed.model_copy(update={"seed": options.seed})
    return config.model_copy(update={"account": account, "feed": feed})
