"""Exposure by currency, and the notional that the portfolio limits leave for one more order."""

from __future__ import annotations

from decimal import Decimal

from domain.instruments import AssetClass, Instrument
from domain.numbers import ZERO
from domain.orders import Side
from risk.snapshot import Exposure, Snapshot

_PAIRS = frozenset({AssetClass.CRYPTO, AssetClass.FOREX, AssetClass.METAL})

Legs = tuple[tuple[str, int], ...]


def currency_legs(instrument: Instrument, side: Side, account_currency: str) -> Legs:
    """The currencies that an order is long (1) or short (-1) of.

    A pair is long its base and short its quote, the account's own currency included: EURUSD, GBPUSD and AUDUSD
    together are one bet against the dollar. A share is an asset in its quote currency, which is a currency bet
    only when that is foreign.
    """
    if instrument.asset_class in _PAIRS:
        return ((instrument.base, side.sign), (instrument.quote, -side.sign))
    return () if instrument.quote == account_currency else ((instrument.quote, side.sign),)


def directed_exposure(exposures: tuple[Exposure, ...], currency: str, sign: int, account_currency: str) -> Decimal:
    """The most that `exposures` can be long (`sign` 1) or short (-1) of `currency`, in account currency.

    Positions net. An order that may or may not fill counts where it adds and not where it would offset.
    """
    total = ZERO
    for exposure in exposures:
        for leg, direction in currency_legs(exposure.instrument, exposure.side, account_currency):
            if leg != currency:
                continue
            if direction == sign:
                total += exposure.notional
            elif exposure.certain:
                total -= exposure.notional
    return total


def room(snapshot: Snapshot, instrument: Instrument, side: Side) -> Decimal:
    """Notional in account currency that gross exposure, margin and currency limits leave; never negative."""
    limits, equity = snapshot.limits, snapshot.equity
    left = [
        limits.max_gross_exposure * equity - snapshot.gross_exposure,
        (limits.max_margin_use * equity - snapshot.margin_used) * instrument.max_leverage,
    ]
    for currency, sign in currency_legs(instrument, side, snapshot.currency):
        taken = directed_exposure(snapshot.exposures, currency, sign, snapshot.currency)
        left.append(limits.max_per_currency_exposure * equity - taken)
    return max(ZERO, min(left))
