"""What the account is worth at this moment, marked to the last closed prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.errors import Impossible
from domain.numbers import ZERO, decimal_of, money
from domain.records import EquityPoint
from risk.state import RiskState
from trading.books import Books
from trading.trades import Trade
from trading.view import MarketView


def floating_profit(trade: Trade, view: MarketView, now: datetime) -> tuple[Decimal, Decimal]:
    """Unrealized profit and notional of one open trade, in account currency.

    Where no young rate is at hand the rate of the trade's entry is used: the position was opened at it. Raises
    `Impossible` for an open position of which not even that is known.
    """
    position = trade.position
    if position is None or not position.is_open:
        return ZERO, ZERO
    fx_rate = view.fx_or_none(position.instrument, now) or trade.entry_fx
    if fx_rate is None:
        raise Impossible(f"the open position {trade.trade_id} was entered at no known rate")
    close = view.last_close(position.instrument)
    price = position.entry_price if close is None else decimal_of(close)
    return position.floating(price, fx_rate), abs(position.quantity) * price * fx_rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """The account at this moment, in account currency; `exposure` is gross notional."""

    balance: Decimal
    floating: Decimal
    exposure: Decimal
    open_positions: int

    @property
    def equity(self) -> Decimal:
        return self.balance + self.floating


def worth(books: Books, view: MarketView, now: datetime) -> Worth:
    """Balance, floating profit and exposure, marked to the last closed prices."""
    floating, exposure, count = ZERO, ZERO, 0
    for trade in books.open_trades():
        profit, notional = floating_profit(trade, view, now)
        floating += profit
        exposure += notional
        count += 1
    return Worth(balance=books.balance, floating=money(floating), exposure=money(exposure), open_positions=count)


def point_of(now_worth: Worth, risk: RiskState, at: datetime) -> EquityPoint:
    """The journaled point. `risk` is the state that was marked with this equity: its peak already allows for money
    that was paid in or out."""
    equity = now_worth.equity
    return EquityPoint(
        at=at,
        balance=now_worth.balance,
        floating=now_worth.floating,
        equity=equity,
        peak=risk.peak,
        drawdown=float(1 - equity / risk.peak),
        exposure=now_worth.exposure,
        open_positions=now_worth.open_positions,
    )
