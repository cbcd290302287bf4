"""Exposure by currency and the room that is left, by hand."""

from __future__ import annotations

import pytest
from risk_builders import D, exposure, pair, share, snapshot

from domain.instruments import Instrument
from domain.orders import Side
from risk.limits import Limits
from risk.room import currency_legs, directed_exposure, room


@pytest.mark.parametrize(
    ("instrument", "side", "legs"),
    [
        (pair("EUR", "USD"), Side.BUY, (("EUR", 1), ("USD", -1))),
        (pair("USD", "JPY"), Side.SELL, (("USD", -1), ("JPY", 1))),
        (share("AAPL", "USD"), Side.BUY, ()),
        (share("TCS", "INR"), Side.BUY, (("INR", 1),)),
    ],
)
def test_an_order_is_long_and_short_of_its_currencies(
    instrument: Instrument, side: Side, legs: tuple[tuple[str, int], ...]
) -> None:
    assert currency_legs(instrument, side, "USD") == legs


def test_positions_net_and_uncertain_orders_only_add() -> None:
    long = exposure(pair("EUR", "USD"), quantity=D(10000), price=D("1.1"))
    short = exposure(pair("EUR", "CHF"), side=Side.SELL, quantity=D(4000), price=D(1), fx_rate=D("1.1"))
    unknown = exposure(pair("EUR", "GBP"), side=Side.SELL, quantity=D(5000), price=D(1), fx_rate=D(1), unknown=True)
    everything = (long, short, unknown)
    # 11,000 long; 4,400 surely short; 5,000 more perhaps short
    assert directed_exposure(everything, "EUR", 1, "USD") == 6600
    assert directed_exposure(everything, "EUR", -1, "USD") == -1600
    assert directed_exposure(everything, "JPY", 1, "USD") == 0


def test_the_room_is_what_the_tightest_of_gross_margin_and_currency_leaves() -> None:
    open_ = exposure(pair("GBP", "USD"), quantity=D(100000), price=D("1.2"))
    # gross: 300,000 - 120,000 = 180,000; margin: (100,000 - 4,000) x 30; against USD: 200,000 - 120,000 = 80,000
    assert room(snapshot(open_), pair("EUR", "USD"), Side.BUY) == 80000
    assert room(snapshot(open_), pair("EUR", "USD"), Side.SELL) == 180000
    # an unleveraged instrument has the margin that is left: 96,000
    assert room(snapshot(open_), pair("EUR", "CHF", max_leverage=D(1)), Side.BUY) == 96000
    assert room(snapshot(open_, limits=Limits(max_gross_exposure=D(1))), pair("EUR", "CHF"), Side.BUY) == 0
