"""The pure matching rules: what an open or a range does to one order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.matching import BarPrices, against, match_at_open, match_in_range
from brokers.paper.records import PaperOrder
from domain.orders import OrderKind, Side, TimeInForce

TICK = Decimal("0.01")


def order(kind: OrderKind, side: Side, *, stop: str | None = None, limit: str | None = None, slip: float = 0.0):
    return PaperOrder(
        client_order_id="o",
        number=1,
        instrument="BTCUSD",
        side=side,
        kind=kind,
        quantity=Decimal(1),
        time_in_force=TimeInForce.GTC,
        live_from=0.0,
        position_id="p",
        slippage=slip,
        stop_price=None if stop is None else Decimal(stop),
        limit_price=None if limit is None else Decimal(limit),
    )


def test_market_orders_cross_the_spread_and_slip_against_the_account():
    bought = match_at_open(order(OrderKind.MARKET, Side.BUY, slip=0.001), TICK, open_=100.0, half_spread=0.05)
    sold = match_at_open(order(OrderKind.MARKET, Side.SELL, slip=0.001), TICK, open_=100.0, half_spread=0.05)
    assert bought is not None
    assert sold is not None
    assert bought.price == Decimal("100.16")  # 100.05 x 1.001 = 100.15005, up to the tick
    assert sold.price == Decimal("99.85")  # 99.95 x 0.999 = 99.85005, down to the tick


def test_market_orders_wait_for_an_open():
    assert match_in_range(order(OrderKind.MARKET, Side.BUY), TICK, BarPrices(100, 101, 99, 0)) is None


@pytest.mark.parametrize(
    ("side", "stop", "open_", "price"),
    [(Side.SELL, "95", 90.0, "89.90"), (Side.BUY, "105", 110.0, "110.11")],
)
def test_a_stop_gapped_through_fills_at_the_open_less_slippage(side, stop, open_, price):
    # 90 x 0.9989 = 89.901 and 110 x 1.001 = 110.11
    slip = 0.0011 if side is Side.SELL else 0.001
    match = match_at_open(order(OrderKind.STOP, side, stop=stop, slip=slip), TICK, open_=open_, half_spread=0.0)
    assert match is not None
    assert match.price == Decimal(price)
    assert match.whole
    assert match.gapped


@pytest.mark.parametrize(("side", "limit", "open_"), [(Side.SELL, "105", 110.0), (Side.BUY, "95", 90.0)])
def test_a_limit_gapped_through_fills_at_the_better_open(side, limit, open_):
    match = match_at_open(order(OrderKind.LIMIT, side, limit=limit), TICK, open_=open_, half_spread=0.0)
    assert match is not None
    assert match.price == Decimal(str(open_))
    assert not match.whole


def test_a_sell_stop_is_touched_on_the_bid_and_a_buy_stop_on_the_ask():
    bar = BarPrices(100, 104.96, 95.04, 0.05)
    assert match_in_range(order(OrderKind.STOP, Side.SELL, stop="95"), TICK, bar) is not None
    assert match_in_range(order(OrderKind.STOP, Side.BUY, stop="105"), TICK, bar) is not None
    narrow = BarPrices(100, 104.94, 95.06, 0.05)
    assert match_in_range(order(OrderKind.STOP, Side.SELL, stop="95"), TICK, narrow) is None
    assert match_in_range(order(OrderKind.STOP, Side.BUY, stop="105"), TICK, narrow) is None


def test_a_limit_in_range_fills_at_its_limit():
    match = match_in_range(order(OrderKind.LIMIT, Side.SELL, limit="105"), TICK, BarPrices(100, 106, 99, 0))
    assert match is not None
    assert match.price == Decimal(105)
    assert not match.gapped


def test_a_stop_sent_after_the_open_cannot_fill_at_a_price_the_market_had_left():
    # The bar opened at 90, below the stop of 95: it fills at 90, not at 95.
    match = match_in_range(order(OrderKind.STOP, Side.SELL, stop="95"), TICK, BarPrices(90, 91, 89, 0))
    assert match is not None
    assert match.price == Decimal(90)


def test_a_stop_limit_fills_when_the_touched_price_lies_within_its_limit():
    sell = order(OrderKind.STOP_LIMIT, Side.SELL, stop="95", limit="94.5", slip=0.02)
    match = match_in_range(sell, TICK, BarPrices(100, 100, 94, 0))
    assert match is not None
    assert match.price == Decimal("94.5")  # slipped to 93.1, but never worse than the limit


def test_a_stop_limit_gapped_past_its_limit_only_arms():
    sell = order(OrderKind.STOP_LIMIT, Side.SELL, stop="95", limit="94.5")
    match = match_at_open(sell, TICK, open_=94.0, half_spread=0.0)
    assert match is not None
    assert match.price is None


@pytest.mark.parametrize(("kind"), [OrderKind.STOP, OrderKind.LIMIT, OrderKind.STOP_LIMIT])
def test_an_untouched_order_rests(kind):
    resting = order(
        kind,
        Side.SELL,
        stop=None if kind is OrderKind.LIMIT else "95",
        limit={OrderKind.STOP: None, OrderKind.LIMIT: "105", OrderKind.STOP_LIMIT: "94"}[kind],
    )
    assert match_at_open(resting, TICK, open_=100.0, half_spread=0.1) is None
    assert match_in_range(resting, TICK, BarPrices(100, 101, 99, 0.1)) is None


def test_float_noise_costs_no_tick():
    assert against(Side.BUY, 100.10000000000001, TICK) == Decimal("100.10")
    assert against(Side.SELL, 100.09999999999999, TICK) == Decimal("100.10")


def test_a_sell_never_rounds_to_nothing():
    assert against(Side.SELL, 0.004, TICK) == TICK


@given(st.floats(0.01, 1e6), st.sampled_from([Side.BUY, Side.SELL]))
def test_rounding_lies_on_the_tick_and_against_the_account(price, side):
    rounded = against(side, price, TICK)
    assert rounded % TICK == 0
    assert rounded > 0
    edge = Decimal(f"{price:.12g}")
    assert rounded >= edge if side is Side.BUY else rounded <= max(edge, TICK)


positive = st.floats(50, 150)


@given(
    st.sampled_from([Side.BUY, Side.SELL]),
    st.sampled_from([OrderKind.LIMIT, OrderKind.STOP_LIMIT]),
    st.integers(5000, 15000),
    st.integers(5000, 15000),
    st.tuples(positive, positive, positive),
    st.floats(0, 2),
    st.floats(0, 0.01),
)
def test_no_limit_is_ever_filled_worse(side, kind, limit, stop, prices, half_spread, slip):
    ticks = Decimal("0.01")
    resting = order(
        kind,
        side,
        limit=str(limit * ticks),
        stop=str(stop * ticks) if kind is OrderKind.STOP_LIMIT else None,
        slip=slip,
    )
    bar = BarPrices(prices[0], max(prices), min(prices), half_spread)
    for match in (
        match_at_open(resting, TICK, open_=bar.open, half_spread=half_spread),
        match_in_range(resting, TICK, bar),
    ):
        if match is not None and match.price is not None:
            assert (match.price - limit * ticks) * side.sign <= 0
