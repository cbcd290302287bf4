"""What trading may know of the market at one moment: which bars have closed, rates, relations between instruments.

A feed's arrays may reach into the future (a replay has it all at hand); everything here reads them only up to the
index of the last bar that closed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from domain.bars import BarSeries, Floats, Ints
from domain.clock import from_epoch, to_epoch
from domain.decisions import FeatureInputs, SentimentView, Signal
from domain.errors import NoRate
from domain.instruments import AssetClass, FxRates, Instrument, Timeframe
from market.external import ExternalFeatures
from market.feed import Feed, Moment
from market.fx import RateBook
from market.sessions import Sessions, earnings_season
from risk.correlation import correlation
from signals.settings import SignalSettings
from signals.strategies import STRATEGIES, Strategy
from signals.table import SignalTable
from trading.bars import Bars

CORRELATION_BARS = 120
"""How many common bars a correlation looks back on."""


class MarketView:
    """The market as of the last moment observed."""

    def __init__(
        self,
        *,
        feed: Feed,
        higher: Callable[[str], BarSeries | None],
        settings: SignalSettings,
        sessions: Sessions,
        rates: RateBook,
        currency: str,
        external: ExternalFeatures | None = None,
        flat_weekends: bool = False,
        strategies: Sequence[Strategy] = STRATEGIES,
    ) -> None:
        self._feed = feed
        self._higher = higher
        self._settings = settings
        self.strategies = tuple(strategies)
        self._sessions = sessions
        self._rate_book = rates
        self._external = external
        self._flat_weekends = flat_weekends
        self._daily = feed.timeframe is Timeframe.D1
        self._bars: dict[str, Bars] = {}
        self._aligned: dict[tuple[str, str], Ints] = {}
        self._returns: dict[str, Floats] = {}
        self.currency = currency
        self.timeframe = feed.timeframe
        self.instruments: Mapping[str, Instrument] = feed.instruments
        self.tradable = {
            symbol: instrument
            for symbol, instrument in feed.instruments.items()
            if instrument.asset_class is not AssetClass.INDEX
        }
        self.closed: dict[str, int] = {}
        self._needed = sorted({currency, *(instrument.quote for instrument in self.tradable.values())})

    # -- bars -------------------------------------------------------------------------------------------------

    def bars(self, symbol: str) -> Bars:
        """The instrument's bars with their columns, as of the last moment observed."""
        known = self._bars.get(symbol)
        return self._build(symbol) if known is None else known

    def bars_with(self, symbol: str, index: int) -> Bars:
        """The instrument's bars up to `index` at least: a live feed grows."""
        bars = self.bars(symbol)
        return self._build(symbol) if index >= len(bars.opened) else bars

    def _build(self, symbol: str) -> Bars:
        """Columns over all bars at hand; anew only when bars were added."""
        series = self._feed.series(symbol)
        table = SignalTable.compute(series, self._higher(symbol), self._settings, self.strategies)
        instrument = self.instruments[symbol]
        built = Bars(series, table, lambda opens: self._weekend_ahead(instrument.calendar, opens), instrument.tick)
        self._bars[symbol] = built
        self._returns.pop(symbol, None)
        for pair in [pair for pair in self._aligned if symbol in pair]:
            del self._aligned[pair]
        return built

    def observe(self, moment: Moment) -> None:
        """Take note of the bars that closed."""
        for ref in moment.closed:
            bars = self.bars_with(ref.symbol, ref.index)
            self.closed[ref.symbol] = ref.index
            self._rate_book.update(ref.symbol, bars.close[ref.index], moment.at)

    def observe_until(self, at: datetime) -> None:
        """Take note of every bar that had closed at `at`; after a restart."""
        moment = to_epoch(at)
        for symbol in self.instruments:
            bars = self.bars(symbol)
            index = int(np.searchsorted(bars.series.closed, moment, side="right")) - 1
            if index >= 0:
                self.closed[symbol] = index
                self._rate_book.update(symbol, bars.close[index], from_epoch(bars.opened[index] + bars.seconds))

    def last_close(self, symbol: str) -> float | None:
        """The last closed mid price; None before the first bar."""
        index = self.closed.get(symbol)
        return None if index is None else self.bars(symbol).close[index]

    def closed_at(self, symbol: str) -> datetime | None:
        """When the instrument's last known bar closed; None before the first."""
        index = self.closed.get(symbol)
        if index is None:
            return None
        bars = self.bars(symbol)
        return from_epoch(bars.opened[index] + bars.seconds)

    # -- money ------------------------------------------------------------------------------------------------

    def rates(self, now: datetime) -> FxRates:
        """Rates from the quote currencies traded to the account's, as young as the rate book demands."""
        return self._rate_book.rates(now, self._needed)

    def fx(self, symbol: str, now: datetime) -> Decimal:
        """Units of account currency for one unit of the instrument's quote; raises `NoRate`."""
        quote = self.instruments[symbol].quote
        if quote == self.currency:
            return Decimal(1)
        return self.rates(now).rate(quote, self.currency)

    def fx_or_none(self, symbol: str, now: datetime) -> Decimal | None:
        """As `fx`, None where no rate is at hand."""
        try:
            return self.fx(symbol, now)
        except NoRate:
            return None

    # -- relations --------------------------------------------------------------------------------------------

    def correlations(self, symbol: str, others: Iterable[str]) -> dict[str, float | None]:
        """Correlation of the last common returns with each of `others`; None where there are too few."""
        return {other: self.correlation(symbol, other) for other in others}

    def correlation(self, symbol: str, other: str) -> float | None:
        """Pearson correlation of simple returns over the last `CORRELATION_BARS` bars of `symbol`."""
        index = self.closed.get(symbol)
        if index is None or other not in self.closed:
            return None
        start = max(1, index + 1 - CORRELATION_BARS)
        mine = self._returns_of(symbol)[start : index + 1]
        where = self._alignment(symbol, other)[start : index + 1]
        theirs = np.where(where >= 0, self._returns_of(other)[where], np.nan)
        return correlation(mine, theirs)

    def common_returns(self, symbols: Sequence[str], bars: int) -> Floats:
        """Simple returns between the last bars that all of `symbols` have in common, at most `bars` of them; one row a
        period, oldest first, one column a symbol. Only closed bars; no rows where nothing is in common."""
        seen = {symbol: self.bars(symbol).series for symbol in symbols}
        shared: Ints | None = None
        for symbol, series in seen.items():
            opened = series.opened[: self.closed.get(symbol, -1) + 1]
            shared = opened if shared is None else np.intersect1d(shared, opened, assume_unique=True)
        if shared is None or len(shared) < 2:
            return np.empty((0, len(symbols)))
        shared = shared[-(bars + 1) :]
        columns = [series.close[np.searchsorted(series.opened, shared)] for series in seen.values()]
        closes = np.column_stack(columns)
        returns: Floats = closes[1:] / closes[:-1] - 1
        return returns

    def _returns_of(self, symbol: str) -> Floats:
        known = self._returns.get(symbol)
        if known is None:
            close = self.bars(symbol).series.close
            known = np.full(len(close), np.nan)
            known[1:] = close[1:] / close[:-1] - 1
            self._returns[symbol] = known
        return known

    def _alignment(self, symbol: str, other: str) -> Ints:
        """For each bar of `symbol` the index of the bar of `other` with the same open time, -1 where missing."""
        key = (symbol, other)
        known = self._aligned.get(key)
        if known is None:
            mine, theirs = self.bars(symbol).series.opened, self.bars(other).series.opened
            found = np.searchsorted(theirs, mine)
            inside = np.minimum(found, len(theirs) - 1)
            known = np.where((found < len(theirs)) & (theirs[inside] == mine), inside, -1)
            self._aligned[key] = known
        return known

    # -- sessions ---------------------------------------------------------------------------------------------

    def market_open(self, symbol: str, at: datetime) -> bool | None:
        """Whether the instrument trades at `at`; None when not known, as with daily bars, whose time is a label."""
        if self._daily:
            return None
        return self._sessions.is_open(self.instruments[symbol].calendar, at)

    def takes_orders(self, symbol: str, at: datetime) -> bool | None:
        """Whether an entry may be sent at `at`. On daily bars it waits for the next session, so it always may."""
        return True if self._daily else self.market_open(symbol, at)

    def bar_expected(self, symbol: str, opens: int) -> bool:
        """Whether a bar that opens at this time (seconds since 1970 UTC) should exist; False when not known."""
        calendar, at = self.instruments[symbol].calendar, from_epoch(opens)
        if self._daily:
            return self._sessions.is_session(calendar, at) is True
        return self._sessions.is_open(calendar, at) is True

    def _weekend_ahead(self, calendar: str, opens: int) -> bool:
        return self._flat_weekends and self._sessions.weekend_ahead(calendar, from_epoch(opens), self.timeframe.span)

    # -- features ---------------------------------------------------------------------------------------------

    def inputs(
        self,
        signal: Signal,
        index: int,
        now: datetime,
        sentiment: SentimentView | None,
        minutes_to_event: float | None,
    ) -> FeatureInputs:
        """Everything the feature vector of a signal on the bar at `index` may be made of."""
        symbol = signal.instrument
        instrument = self.instruments[symbol]
        bars = self.bars(symbol)
        market = self._benchmark_row(instrument)
        return FeatureInputs(
            decided_at=now,
            instrument=instrument,
            signal=signal,
            row=bars.table.row(index),
            spread=2 * bars.half_spread[index] / bars.close[index],
            sentiment=sentiment,
            minutes_to_event=minutes_to_event,
            market_open=self.market_open(symbol, now),
            earnings_season=earnings_season(now) if instrument.asset_class is AssetClass.EQUITY else None,
            days_to_earnings=self._external.days_to_earnings(symbol, now) if self._external is not None else None,
            benchmark_correlation=self._benchmark_correlation(instrument),
            benchmark_momentum=market.get("momentum_20"),
            benchmark_volatility=market.get("volatility_20"),
            peer_strength=self._strength(symbol, lambda other: other.asset_class is instrument.asset_class),
            sector_strength=self._strength(
                symbol, lambda other: other.sector is not None and other.sector == instrument.sector
            ),
            external=self._outside(symbol, now),
        )

    def _outside(self, symbol: str, now: datetime) -> Mapping[str, float]:
        """Columns from outside as known now; every column is named, NaN where nothing is known, so that the set of
        features does not change from one decision to the next."""
        if self._external is None:
            return {}
        return {**dict.fromkeys(self._external.names, math.nan), **self._external.at(symbol, now)}

    def _benchmark_row(self, instrument: Instrument) -> Mapping[str, float]:
        name = instrument.benchmark
        if name is None or not self._keeps_step(name, instrument.symbol):
            return {}
        return self.bars(name).table.row(self.closed[name])

    def _benchmark_correlation(self, instrument: Instrument) -> float | None:
        name = instrument.benchmark
        if name is None or name == instrument.symbol or name not in self.closed:
            return None
        return self.correlation(instrument.symbol, name)

    def _strength(self, symbol: str, is_peer: Callable[[Instrument], bool]) -> float | None:
        """The instrument's 20-bar momentum less the mean of its peers' that keep step with it; None without any."""
        own = self._momentum(symbol)
        peers = [
            momentum
            for other, instrument in self.tradable.items()
            if other != symbol
            and is_peer(instrument)
            and self._keeps_step(other, symbol)
            and (momentum := self._momentum(other)) is not None
        ]
        if own is None or not peers:
            return None
        return own - sum(peers) / len(peers)

    def _keeps_step(self, other: str, symbol: str) -> bool:
        """Whether the other's last bar is of the same time as the instrument's, or at most two bars older: what fell
        silent long ago says nothing about now."""
        index, own = self.closed.get(other), self.closed.get(symbol)
        if index is None or own is None:
            return False
        bars = self.bars(symbol)
        return self.bars(other).opened[index] >= bars.opened[own] - 2 * bars.seconds

    def _momentum(self, symbol: str) -> float | None:
        index = self.closed.get(symbol)
        if index is None:
            return None
        value: float = self.bars(symbol).table.columns["momentum_20"].item(index)
        return None if math.isnan(value) else value
