"""Exposure by currency, and the notional that the portfolio limits leave for one more order."""

from __future__ import annotations

from decimal import Decimal

from domain.instruments import AssetClass, Instrument
from domain.numbers import ZERO
from domain.orders import Side
from risk.snapshot import Exposure, Snapshot

PAIRS = frozenset({AssetClass.CRYPTO, AssetClass.FOREX, AssetClass.METAL})

Legs = tuple[tuple[str, int], ...]


def currency_legs(instrument: Instrument, side: Side, account_currency: str) -> Legs:
    """The currencies that an order is long (1) or short (-1) of.

    A pair is long its base and short its quote, the account's own currency included: EURUSD, GBPUSD and AUDUSD
    together are one bet against the dollar. A share is an asset in its quote currency, which is a currency bet
    only when that is foreign.
    """
    if instrument.asset_class in PAIRS:
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
    """Notional in account currency that gross exposure, margin, the account's rules and currency limits leave; never
    negative."""
    limits, equity = snapshot.limits, snapshot.equity
    margin_left = _most_margin(snapshot) - snapshot.margin_used
    left = [
        limits.max_gross_exposure * equity - snapshot.gross_exposure,
        margin_left * snapshot.account.leverage_of(instrument),
    ]
    for currency, sign in currency_legs(instrument, side, snapshot.currency):
        taken = directed_exposure(snapshot.exposures, currency, sign, snapshot.currency)
        left.append(limits.max_per_currency_exposure * equity - taken)
    return max(ZERO, min(left))


def _most_margin(snapshot: Snapshot) -> Decimal:
    """The margin that may be bound, in account currency, after an entry that risks the most a trade may."""
    limits, account, equity = snapshot.limits, snapshot.account, snapshot.equity
    most = limits.max_margin_use * equity
    if account.margin_after_entry is not None:
        most = min(most, equity / account.margin_after_entry)
    if account.margin_close_out is not None:
        left = snapshot.equity_without_profit - snapshot.open_risk - limits.risk_per_trade_max * equity
        most = min(most, left / account.margin_close_out)
    return most
