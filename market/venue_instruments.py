"""Instruments as a venue trades them: its arithmetic, and our classes' figures for what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from domain.bars import BarSeries
from domain.errors import InvalidInput
from domain.instruments import Instrument
from domain.numbers import ZERO, step_ceiling
from market.registry import Registry
from venues.records import VenueMarket

_CLASS = "crypto"
_SETTLED_MARK = ":"
"""The vendor library names a contract by what it is settled in: BTC/USDT:USDT."""


def instruments_of(
    markets: Mapping[str, VenueMarket], *, shorts: bool, currency: str, registry: Registry | None = None
) -> Mapping[str, Instrument]:
    """The venue's markets as instruments, in alphabetical order.

    Steps, minima and the taker's fee are the venue's; a pip is its tick; leverage is the lower of the venue's and the
    class's. Spread and calendar are those of the class of coins, which charges no swap on spot. The benchmark is the
    class's where it is among the markets. Raises `InvalidInput` naming the markets whose quote is not `currency`.
    """
    if not markets:
        raise InvalidInput("no market of the venue was named; at least one is needed")
    strange = sorted(symbol for symbol, market in markets.items() if market.quote != currency)
    if strange:
        quoted = ", ".join(f"{symbol} (in {markets[symbol].quote})" for symbol in strange)
        raise InvalidInput(f"the account is kept in {currency}, and {quoted} are quoted otherwise; leave them out")
    known = registry or Registry.shipped()
    return {symbol: _instrument(symbol, markets, shorts=shorts, registry=known) for symbol in sorted(markets)}


def _instrument(symbol: str, markets: Mapping[str, VenueMarket], *, shorts: bool, registry: Registry) -> Instrument:
    market = markets[symbol]
    standard = registry.resolve(symbol, class_hint=_CLASS)
    is_contract = _SETTLED_MARK in market.vendor_symbol
    return replace(
        standard,
        symbol=symbol,
        base=market.base,
        quote=market.quote,
        tick=market.tick,
        lot=market.lot,
        pip=market.tick,
        min_quantity=market.min_quantity,
        min_notional=market.min_notional,
        fee_rate=max(market.taker_fee, ZERO),
        shortable=shorts,
        max_leverage=min(market.max_leverage, standard.max_leverage),
        swap_long_per_day=standard.swap_long_per_day if is_contract else ZERO,
        swap_short_per_day=standard.swap_short_per_day if is_contract else ZERO,
        benchmark=next((name for name in registry.benchmarks(standard) if name in markets), None),
    )


def with_spread_limits(
    instruments: Mapping[str, Instrument], history: Mapping[str, BarSeries], *, registry: Registry | None = None
) -> Mapping[str, Instrument]:
    """The instruments with the widest spread for an entry that suits their price: the class's share of the first close
    in `history`, in the venue's pips. Without it the limit is the class's bare number of pips."""
    known = registry or Registry.shipped()
    return {symbol: _limited(one, float(history[symbol].close[0]), known) for symbol, one in instruments.items()}


def _limited(instrument: Instrument, price: float, registry: Registry) -> Instrument:
    standard = registry.resolve(instrument.symbol, class_hint=_CLASS, price=price)
    widest = standard.max_spread_pips * standard.pip
    return replace(instrument, max_spread_pips=step_ceiling(widest / instrument.pip, Decimal("0.1")))
