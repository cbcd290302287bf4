"""Positions are sums of fills: the quantity adds up, what was realized is the cash that moved, and nothing flips."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from domain_builders import NOW, a_fill
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecord
from domain.orders import Fill, Side
from domain.positions import Position, opened_by, realized_by

QUANTITIES = st.decimals(min_value=Decimal("0.001"), max_value=1000, places=3)
PRICES = st.decimals(min_value=Decimal("0.01"), max_value=10_000, places=5)
FEES = st.decimals(min_value=0, max_value=5, places=8)
CENT_OF_A_MILLIONTH = Decimal("0.00000001")


@st.composite
def stories(draw: st.DrawFn) -> list[Fill]:
    """Fills of one position: entries and partial exits in any order, never beyond what is held, closed at times."""
    side, rate = draw(st.sampled_from(Side)), draw(st.sampled_from([Decimal(1), Decimal("0.0067"), Decimal("1.25")]))
    held, fills = Decimal(0), []
    for number in range(draw(st.integers(1, 14))):
        enters = held == 0 or draw(st.booleans())
        quantity = draw(QUANTITIES) if enters else held if draw(st.booleans()) else min(held, draw(QUANTITIES))
        held += quantity if enters else -quantity
        fills.append(
            a_fill(
                trade_id=f"t{number}",
                side=side if enters else side.opposite,
                quantity=quantity,
                price=draw(PRICES),
                fee=draw(FEES),
                fx_rate=rate,
                at=NOW + timedelta(minutes=number),
            )
        )
    return fills


def folded(fills: list[Fill]) -> Position:
    position = opened_by(fills[0], position_id="d1", account="paper")
    for fill in fills[1:]:
        position = position.after(fill)
    return position


@given(stories())
def test_the_quantity_is_the_sum_of_the_fills(fills: list[Fill]) -> None:
    position = folded(fills)
    assert position.quantity == sum(fill.side.sign * fill.quantity for fill in fills)
    assert position.is_open == (position.quantity != 0)
    assert position.entered - position.exited == abs(position.quantity)
    assert position.fees == sum(fill.fee for fill in fills)
    assert (position.opened_at, position.updated_at) == (fills[0].at, fills[-1].at)


@given(stories())
def test_realized_and_floating_together_are_the_cash_that_moved(fills: list[Fill]) -> None:
    """Sold less bought, plus what is held at the last price, whatever was added after whatever was taken off."""
    position, price = folded(fills), fills[-1].price
    cash = sum((-fill.side.sign * fill.quantity * fill.price * fill.fx_rate for fill in fills), Decimal(0))
    worth = position.quantity * price * fills[0].fx_rate
    found = position.realized + position.floating(price, fills[0].fx_rate)
    assert abs(found - (cash + worth)) <= CENT_OF_A_MILLIONTH * len(fills)


@given(stories())
def test_a_position_never_changes_its_side(fills: list[Fill]) -> None:
    position = opened_by(fills[0], position_id="d1", account="paper")
    for fill in fills[1:]:
        position = position.after(fill)
        assert position.side is fills[0].side
        assert position.quantity * position.side.sign >= 0


@given(stories(), QUANTITIES)
def test_a_fill_that_would_flip_a_position_is_refused(fills: list[Fill], more: Decimal) -> None:
    position = folded(fills)
    beyond = a_fill(trade_id="t99", side=position.side.opposite, quantity=abs(position.quantity) + more)
    with pytest.raises(InvalidRecord, match=r"fill t99 of .* would flip"):
        position.after(beyond)


@given(stories())
def test_the_entry_price_lies_between_the_prices_paid_and_exits_leave_it(fills: list[Fill]) -> None:
    position = folded(fills)
    entries = [fill.price for fill in fills if fill.side is position.side]
    tolerance = Decimal("1e-20")
    assert min(entries) - tolerance <= position.entry_price <= max(entries) + tolerance
    if position.is_open:
        closing = a_fill(trade_id="t99", side=position.side.opposite, quantity=abs(position.quantity))
        assert position.after(closing).entry_price == position.entry_price


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_adding_after_a_partial_exit_by_hand(side: Side, sign: int) -> None:
    fills = [
        a_fill(trade_id="a", side=side, quantity=Decimal(10), price=Decimal(100)),
        a_fill(trade_id="b", side=side.opposite, quantity=Decimal(5), price=Decimal(110)),
        a_fill(trade_id="c", side=side, quantity=Decimal(5), price=Decimal(120)),
        a_fill(trade_id="d", side=side.opposite, quantity=Decimal(10), price=Decimal(115)),
    ]
    position = folded(fills)
    assert folded(fills[:3]).entry_price == 110
    assert position.realized == sign * (5 * 10 + 10 * 5)
    assert (position.entered, position.exited, position.quantity) == (15, 15, 0)
    assert position.exit_price == (Decimal(110) * 5 + Decimal(115) * 10) / 15


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, "-2.5"), (Side.SELL, "2.5")])
def test_floating_profit_is_in_account_currency_and_signed(side: Side, expected: str) -> None:
    position = opened_by(a_fill(side=side, quantity=Decimal(10), price=Decimal(100)), position_id="d1", account="paper")
    assert position.floating(Decimal("99.5"), Decimal("0.5")) == Decimal(expected)


def test_realized_profit_is_kept_at_eight_digits() -> None:
    position = opened_by(a_fill(quantity=Decimal(3), price=Decimal("1.1")), position_id="d1", account="paper")
    closing = a_fill(side=Side.SELL, quantity=Decimal(1), price=Decimal("1.2"), fx_rate=Decimal(1) / 3)
    assert realized_by(position, closing) == Decimal("0.03333333")


def test_a_fill_of_another_instrument_does_not_belong() -> None:
    position = opened_by(a_fill(), position_id="d1", account="paper")
    with pytest.raises(InvalidRecord, match="a fill of GBPUSD does not belong to a position in EURUSD"):
        position.after(a_fill(instrument="GBPUSD"))
