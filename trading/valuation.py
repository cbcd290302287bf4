"""What the account is worth at this moment, marked to the last closed prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.numbers import ZERO, decimal_of, money
from domain.records import EquityPoint
from risk.state import RiskState
from trading.books import Books, Trade
from trading.view import MarketView


def floating_profit(trade: Trade, view: MarketView, now: datetime) -> tuple[Decimal, Decimal]:
    """Unrealized profit and notional of one open trade, in account currency.

    Where no young rate is at hand the rate of the trade's entry is used: the position was opened at it.
    """
    position = trade.position
    if position is None or not position.is_open:
        return ZERO, ZERO
    fx_rate = view.fx_or_none(position.instrument, now) or trade.entry_fx or Decimal(1)
    close = view.last_close(position.instrument)
    price = position.entry_price if close is None else decimal_of(close)
    return position.floating(price, fx_rate), abs(position.quantity) * price * fx_rate


def value(books: Books, view: MarketView, risk: RiskState, now: datetime) -> EquityPoint:
    """Balance, floating profit, equity and drawdown; the peak is the risk state's or a new one."""
    floating, exposure, count = ZERO, ZERO, 0
    for trade in books.open_trades():
        profit, notional = floating_profit(trade, view, now)
        floating += profit
        exposure += notional
        count += 1
    floating = money(floating)
    equity = books.balance + floating
    peak = max(risk.peak, equity)
    return EquityPoint(
        at=now,
        balance=books.balance,
        floating=floating,
        equity=equity,
        peak=peak,
        drawdown=float(1 - equity / peak) if peak > 0 else 1.0,
        exposure=money(exposure),
        open_positions=count,
    )
