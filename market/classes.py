"""The instrument classes: how each recognises its symbols and what figures it gives them."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from domain.errors import InvalidInput
from domain.instruments import AssetClass, Instrument
from domain.numbers import ZERO, step_ceiling
from market.currencies import FIAT, METALS, STABLE_COINS, splits

_TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.&-]{0,19}")
_COIN = re.compile(r"[A-Z0-9]{1,12}")
_COIN_DIGITS = 6
_LARGEST_COIN_TICK = Decimal("0.01")
_SMALLEST_STEP = Decimal("0.00000001")


class InstrumentClass(ABC):
    """One class of instruments, read from its TOML table."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self._asset_class = AssetClass(table["asset_class"])

    @abstractmethod
    def lists(self, symbol: str) -> bool:
        """Whether the class knows `symbol` by list or by an unmistakable form."""

    def accepts(self, symbol: str) -> bool:
        """Whether `symbol` may be declared to be of this class."""
        return self.lists(symbol)

    @abstractmethod
    def instrument(self, symbol: str, price: float | None) -> Instrument:
        """The instrument of an accepted symbol; `price` is the first price of its series, None if not known."""

    def fits(self, instrument: Instrument) -> bool:
        """Whether `instrument` is traded where this class is."""
        return instrument.asset_class is self._asset_class and instrument.calendar == self._table.get("calendar")

    def benchmarks(self, instrument: Instrument) -> tuple[str, ...]:
        """Symbols that may serve as its benchmark, the best first; never the instrument itself."""
        names = (str(name).format(quote=instrument.quote) for name in self._table.get("benchmarks", ()))
        return tuple(name for name in names if name != instrument.symbol)

    def _number(self, key: str) -> Decimal:
        return Decimal(self._table[key])

    def _shared(self) -> dict[str, Any]:
        """The figures that every instrument of the class has."""
        return {
            "asset_class": self._asset_class,
            "calendar": self._table["calendar"],
            "fee_rate": self._number("fee_rate"),
            "swap_long_per_day": self._number("swap_long_per_day"),
            "swap_short_per_day": self._number("swap_short_per_day"),
        }

    def _spread_limit(self, pip: Decimal, price: float | None) -> Decimal:
        """The widest spread for an entry, in pips: the class's pips or its share of the first price, if wider."""
        limit = self._number("max_spread_pips") if "max_spread_pips" in self._table else ZERO
        if price is None:
            return limit or Decimal(500)
        share = Decimal(repr(price)) * self._number("max_spread_bps") / 10_000
        return max(limit, step_ceiling(share / pip, Decimal("0.1")))


class CoinClass(InstrumentClass):
    """Coins. Steps follow the first price as large venues set them: a tick of six significant digits of the price,
    at most 0.01; a lot worth between a tenth and one of a dollar-like quote."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._bases = frozenset(table["bases"]["symbols"].split())
        self._large = frozenset(table["large"]["symbols"].split())
        self._spreads = {base: bps for bps, bases in table["spread_bps_of"].items() for base in bases.split()}

    def lists(self, symbol: str) -> bool:
        pair = self._split(symbol)
        return pair is not None and (pair[0] in self._bases or pair[1] in STABLE_COINS)

    def accepts(self, symbol: str) -> bool:
        pair = self._split(symbol)
        return pair is not None and (pair[0] not in FIAT | METALS or pair[1] in STABLE_COINS)

    def _split(self, symbol: str) -> tuple[str, str] | None:
        """Base and quote. SHIBUSD ends in both BUSD and USD: a known base decides, the longest of them."""
        pairs = [pair for pair in splits(symbol) if _COIN.fullmatch(pair[0])]
        known = [pair for pair in pairs if pair[0] in self._bases]
        return known[-1] if known else next(iter(pairs), None)

    def instrument(self, symbol: str, price: float | None) -> Instrument:
        pair = self._split(symbol)
        if pair is None:
            raise InvalidInput(f"{symbol} is not a base and a quote; write it as BTCUSDT or BTC/USDT")
        base, quote = pair
        tick, lot = self._steps(quote, price)
        notional = self._table["min_notional"]
        found = Instrument(
            symbol=symbol,
            base=base,
            quote=quote,
            tick=tick,
            lot=lot,
            pip=tick,
            min_quantity=lot,
            min_notional=Decimal(notional.get(quote, notional["other"])),
            spread_bps=Decimal(self._spreads.get(base, self._table["spread_bps"])),
            max_spread_pips=self._spread_limit(tick, price),
            max_leverage=self._number("max_leverage"),
            market_cap_class="large" if base in self._large else None,
            **self._shared(),
        )
        return _with_benchmark(found, self.benchmarks(found))

    def _steps(self, quote: str, price: float | None) -> tuple[Decimal, Decimal]:
        if price is None:
            return _SMALLEST_STEP, _SMALLEST_STEP
        magnitude = math.floor(math.log10(price))
        quote_magnitude = int(self._table["quote_magnitude"].get(quote, 0))
        tick = min(Decimal(1).scaleb(magnitude - _COIN_DIGITS + 1), _LARGEST_COIN_TICK)
        return tick, Decimal(1).scaleb(-(magnitude + 1) - quote_magnitude)


class PairClass(InstrumentClass):
    """Currency pairs: two known ISO codes."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._hundredth = frozenset(table["pip"]["hundredth"].split())
        self._majors = frozenset(table["leverage"]["major_currencies"].split())
        self._tight = frozenset(table["spread_bps"]["tight_pairs"].split())
        self._liquid = frozenset(table["spread_bps"]["liquid_currencies"].split())

    def lists(self, symbol: str) -> bool:
        return len(symbol) == 6 and symbol[:3] in FIAT and symbol[3:] in FIAT and symbol[:3] != symbol[3:]

    def instrument(self, symbol: str, price: float | None) -> Instrument:
        base, quote = symbol[:3], symbol[3:]
        pip = Decimal("0.01") if quote in self._hundredth else Decimal("0.0001")
        major = {base, quote} <= self._majors
        return Instrument(
            symbol=symbol,
            base=base,
            quote=quote,
            tick=pip / 10,
            lot=self._number("lot"),
            pip=pip,
            min_quantity=self._number("lot"),
            min_notional=self._number("min_notional"),
            spread_bps=Decimal(self._table["spread_bps"][self._liquidity(symbol)]),
            max_spread_pips=self._pips_limit(symbol, pip, price),
            max_leverage=Decimal(self._table["leverage"]["major" if major else "other"]),
            **self._shared(),
        )

    def _liquidity(self, symbol: str) -> str:
        if symbol in self._tight:
            return "tight"
        return "liquid" if {symbol[:3], symbol[3:]} <= self._liquid else "other"

    def _pips_limit(self, symbol: str, pip: Decimal, price: float | None) -> Decimal:
        """The class's limit in pips; only thinly traded pairs, whose pip says little, get a share of the price."""
        if self._liquidity(symbol) != "other":
            return self._number("max_spread_pips")
        return self._spread_limit(pip, price)


class MetalClass(InstrumentClass):
    """Metals: a metal code and a currency."""

    def lists(self, symbol: str) -> bool:
        return len(symbol) == 6 and symbol[:3] in METALS and symbol[3:] in FIAT

    def instrument(self, symbol: str, price: float | None) -> Instrument:
        figures = self._table["metals"][symbol[:3]]
        pip = Decimal(figures["pip"])
        return Instrument(
            symbol=symbol,
            base=symbol[:3],
            quote=symbol[3:],
            tick=Decimal(figures["tick"]),
            lot=self._number("lot"),
            pip=pip,
            min_quantity=self._number("lot"),
            min_notional=self._number("min_notional"),
            spread_bps=Decimal(figures["spread_bps"]),
            max_spread_pips=self._spread_limit(pip, price),
            max_leverage=Decimal(figures["max_leverage"]),
            **self._shared(),
        )


class ShareClass(InstrumentClass):
    """Shares of one market, by list or by the market's suffix."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._sectors = {ticker: sector for sector, names in table["sectors"].items() for ticker in names.split()}
        self._large = frozenset(table["large"]["symbols"].split())
        self._suffixes = tuple(table.get("suffixes", ()))

    def lists(self, symbol: str) -> bool:
        if symbol in self._sectors:
            return True
        return symbol.endswith(self._suffixes) and self.accepts(symbol) if self._suffixes else False

    def accepts(self, symbol: str) -> bool:
        return _TICKER.fullmatch(symbol) is not None

    def instrument(self, symbol: str, price: float | None) -> Instrument:
        pip = self._number("pip")
        bare = next((symbol.removesuffix(end) for end in self._suffixes if symbol.endswith(end)), symbol)
        known = symbol if symbol in self._sectors else bare
        sector = self._sectors.get(known)
        found = Instrument(
            symbol=symbol,
            base=bare,
            quote=self._table["quote"],
            tick=self._tick(price),
            lot=self._number("lot"),
            pip=pip,
            min_quantity=self._number("lot"),
            min_notional=self._number("min_notional"),
            spread_bps=self._number("spread_bps"),
            max_spread_pips=self._spread_limit(pip, price),
            max_leverage=self._number("max_leverage"),
            sector=None if sector == "fund" else sector,
            market_cap_class="large" if known in self._large else None,
            **self._shared(),
        )
        return _with_benchmark(found, self.benchmarks(found))

    def _tick(self, price: float | None) -> Decimal:
        steps = self._table["ticks"]
        if price is None:
            return Decimal(steps[-1]["tick"])
        below = (step["tick"] for step in steps if "below" not in step or price < float(step["below"]))
        return Decimal(next(below))


class IndexClass(InstrumentClass):
    """Benchmarks: compared with, never traded."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._homes = {
            symbol: (calendar, one["currency"])
            for calendar, one in table["indices"].items()
            for symbol in one["symbols"].split()
        }

    def lists(self, symbol: str) -> bool:
        return symbol in self._homes

    def instrument(self, symbol: str, price: float | None) -> Instrument:
        del price  # an index is not traded, so it has no steps that scale with its price
        calendar, currency = self._homes[symbol]
        step = Decimal("0.01")
        return Instrument(
            symbol=symbol,
            asset_class=self._asset_class,
            base=symbol,
            quote=currency,
            tick=step,
            lot=Decimal(1),
            pip=step,
            min_quantity=Decimal(1),
            min_notional=ZERO,
            calendar=calendar,
            spread_bps=ZERO,
            max_spread_pips=Decimal(1),
            fee_rate=ZERO,
            shortable=False,
        )


def _with_benchmark(instrument: Instrument, benchmarks: tuple[str, ...]) -> Instrument:
    return replace(instrument, benchmark=benchmarks[0] if benchmarks else None)
