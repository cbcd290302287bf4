"""The invented instruments of the simulated market. None exists; every symbol begins with SIM."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from domain.instruments import AssetClass, Instrument


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedName:
    """One invented instrument: how it is called in headlines, where it starts, how it moves.

    `daily_volatility` is the standard deviation of a calm day's return; `market` and `group` are the shares of its
    variance that come from the common factor and from its class's factor; the rest is its own. `digits` are the
    decimal places of its price.
    """

    instrument: Instrument
    called: str
    start_price: float
    daily_volatility: float
    market: float
    group: float
    digits: int


def _coin(base: str, called: str, price: float, volatility: float, digits: int, lot: str) -> SimulatedName:
    tick = Decimal(1).scaleb(-digits)
    instrument = Instrument(
        symbol=f"{base}USD",
        asset_class=AssetClass.CRYPTO,
        base=base,
        quote="USD",
        tick=tick,
        lot=Decimal(lot),
        pip=tick,
        min_quantity=Decimal(lot),
        min_notional=Decimal(5),
        calendar="24/7",
        spread_bps=Decimal(3),
        max_spread_pips=_share_of(price, 200, tick),
        fee_rate=Decimal("0.001"),
        max_leverage=Decimal(2),
        swap_long_per_day=Decimal("-0.0003"),
        swap_short_per_day=Decimal("-0.0003"),
    )
    return SimulatedName(
        instrument=instrument,
        called=called,
        start_price=price,
        daily_volatility=volatility,
        market=0.3,
        group=0.35,
        digits=digits,
    )


def _currency(base: str, called: str, price: float, volatility: float) -> SimulatedName:
    instrument = Instrument(
        symbol=f"{base}USD",
        asset_class=AssetClass.FOREX,
        base=base,
        quote="USD",
        tick=Decimal("0.00001"),
        lot=Decimal(1),
        pip=Decimal("0.0001"),
        min_quantity=Decimal(1),
        min_notional=Decimal(1),
        calendar="FX",
        spread_bps=Decimal("0.8"),
        max_spread_pips=Decimal(15),
        fee_rate=Decimal("0.00002"),
        max_leverage=Decimal(30),
        swap_long_per_day=Decimal("-0.00002"),
        swap_short_per_day=Decimal("-0.00002"),
    )
    return SimulatedName(
        instrument=instrument,
        called=called,
        start_price=price,
        daily_volatility=volatility,
        market=0.1,
        group=0.4,
        digits=5,
    )


def _share(symbol: str, called: str, price: float, volatility: float, sector: str) -> SimulatedName:
    tick = Decimal("0.01")
    instrument = Instrument(
        symbol=symbol,
        asset_class=AssetClass.EQUITY,
        base=symbol,
        quote="USD",
        tick=tick,
        lot=Decimal(1),
        pip=tick,
        min_quantity=Decimal(1),
        min_notional=Decimal(1),
        calendar="24/7",
        spread_bps=Decimal(3),
        max_spread_pips=_share_of(price, 100, tick),
        fee_rate=Decimal("0.0005"),
        max_leverage=Decimal(5),
        swap_short_per_day=Decimal("-0.00002"),
        sector=sector,
        market_cap_class="large" if price > 100 else None,
    )
    return SimulatedName(
        instrument=instrument,
        called=called,
        start_price=price,
        daily_volatility=volatility,
        market=0.35,
        group=0.15,
        digits=2,
    )


def _share_of(price: float, basis_points: int, pip: Decimal) -> Decimal:
    return (Decimal(repr(price)) * basis_points / 10_000 / pip).quantize(Decimal("0.1"))


ROSTER = (
    _coin("SIMBRA", "Brambletoken", 27.41, 0.034, 4, "0.01"),
    _currency("SIMFEN", "the Fenland crown", 1.0842, 0.0055),
    _share("SIMORCHARD", "Orchard Tools", 48.2, 0.016, "industrials"),
    _coin("SIMCOL", "Coltcoin", 1846.5, 0.028, 2, "0.0001"),
    _currency("SIMGAL", "the Galley dollar", 0.6713, 0.0062),
    _share("SIMQUARRY", "Quarry Stoneworks", 131.75, 0.014, "materials"),
    _coin("SIMDUN", "Dunelight", 0.4217, 0.041, 6, "1"),
    _currency("SIMHEL", "the Helmsland pound", 1.2688, 0.0058),
    _share("SIMRIVER", "River Freight", 95.6, 0.018, "industrials"),
    _coin("SIMELM", "Elmchain", 312.8, 0.031, 3, "0.001"),
    _currency("SIMISL", "the Islet franc", 1.1124, 0.0051),
    _share("SIMTIMBER", "Timber and Vale", 214.3, 0.013, "consumer_staples"),
)
"""Coins, currencies and shares in turn, so that any number of them is a mixture."""
