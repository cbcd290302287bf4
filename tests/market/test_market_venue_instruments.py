"""A venue's markets as instruments: its arithmetic, our classes' figures for the rest."""

from __future__ import annotations

from decimal import Decimal

import pytest
from memory_market import market_of, series_of, story

from domain.errors import InvalidInput
from domain.instruments import AssetClass
from market.venue_instruments import instruments_of, with_spread_limits


def test_steps_minima_and_fees_are_the_venues():
    market = market_of("SOLUSDT", tick=Decimal("0.05"), lot=Decimal("0.02"), min_quantity=Decimal("0.04"))
    found = instruments_of({"SOLUSDT": market}, shorts=False, currency="USDT")["SOLUSDT"]
    assert (found.tick, found.lot, found.min_quantity) == (Decimal("0.05"), Decimal("0.02"), Decimal("0.04"))
    assert (found.pip, found.min_notional, found.fee_rate) == (Decimal("0.05"), Decimal(10), Decimal("0.0004"))
    assert (found.base, found.quote, found.asset_class) == ("SOL", "USDT", AssetClass.CRYPTO)
    assert found.calendar == "24/7"
    assert found.spread_bps > 0
    assert not found.shortable


def test_the_benchmark_is_bitcoin_where_it_is_among_the_markets():
    both = {name: market_of(name) for name in ("SOLUSDT", "BTCUSDT")}
    found = instruments_of(both, shorts=True, currency="USDT")
    assert list(found) == ["BTCUSDT", "SOLUSDT"]
    assert found["SOLUSDT"].benchmark == "BTCUSDT"
    assert found["BTCUSDT"].benchmark is None
    alone = instruments_of({"SOLUSDT": both["SOLUSDT"]}, shorts=True, currency="USDT")
    assert alone["SOLUSDT"].benchmark is None
    assert alone["SOLUSDT"].shortable


def test_holding_costs_nothing_on_spot_and_the_classes_swap_on_a_contract():
    spot = instruments_of({"SOLUSDT": market_of("SOLUSDT")}, shorts=False, currency="USDT")["SOLUSDT"]
    contract = market_of("SOLUSDT", vendor="SOL/USDT:USDT", max_leverage=Decimal(75))
    linear = instruments_of({"SOLUSDT": contract}, shorts=True, currency="USDT")["SOLUSDT"]
    assert (spot.swap_long_per_day, spot.max_leverage) == (Decimal(0), Decimal(1))
    assert linear.swap_long_per_day < 0
    assert linear.max_leverage == Decimal(2)


def test_quotes_other_than_the_accounts_are_refused_by_name():
    markets = {"SOLUSDT": market_of("SOLUSDT"), "ETHBTC": market_of("ETHBTC", quote="BTC")}
    with pytest.raises(InvalidInput, match=r"kept in USDT, and ETHBTC \(in BTC\) are quoted otherwise"):
        instruments_of(markets, shorts=False, currency="USDT")
    with pytest.raises(InvalidInput, match="no market of the venue was named"):
        instruments_of({}, shorts=False, currency="USDT")


def test_a_rebate_is_no_fee_below_zero():
    market = market_of("SOLUSDT", taker_fee=Decimal("-0.0001"))
    assert instruments_of({"SOLUSDT": market}, shorts=False, currency="USDT")["SOLUSDT"].fee_rate == 0


@pytest.mark.parametrize("tick", ["0.01", "0.1", "0.5"])
def test_the_widest_spread_follows_the_price_whatever_the_venues_tick(tick):
    found = instruments_of({"BTCUSDT": market_of("BTCUSDT", tick=Decimal(tick))}, shorts=False, currency="USDT")
    history = {"BTCUSDT": series_of("BTCUSDT", story("BTCUSDT", 3))}
    limited = with_spread_limits(found, history)["BTCUSDT"]
    price = float(history["BTCUSDT"].close[0])
    assert float(limited.max_spread_pips * limited.pip) == pytest.approx(0.05 * price, rel=0.05)
    assert limited.tick == Decimal(tick)
