"""Instruments round the venue's way; rates go direct, inverse or over one currency, or are not there."""

from __future__ import annotations

from decimal import Decimal

import pytest
from domain_builders import NAIVE, NOW, an_instrument
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecord, NoRate
from domain.instruments import AssetClass, FxRates, Timeframe

TICKS = st.sampled_from([Decimal(text) for text in ("0.00001", "0.01", "0.05", "0.25", "1")])
LOTS = st.sampled_from([Decimal(text) for text in ("0.00001", "0.1", "1", "75", "1000")])


@given(st.floats(min_value=0.001, max_value=1e6), TICKS)
def test_a_price_is_the_nearest_tick(value: float, tick: Decimal) -> None:
    price = an_instrument(tick=tick).price(value)
    assert price % tick == 0
    assert abs(price - Decimal(repr(value))) <= tick / 2
    assert an_instrument(tick=tick).price(price) == price


@given(st.decimals(min_value=0, max_value=10**9, places=8), LOTS)
def test_a_quantity_is_whole_lots_and_never_more_than_asked(value: Decimal, lot: Decimal) -> None:
    quantity = an_instrument(lot=lot).quantity(value)
    assert quantity % lot == 0
    assert 0 <= value - quantity < lot


def test_a_price_in_the_middle_of_two_ticks_goes_to_the_even_one() -> None:
    instrument = an_instrument(tick=Decimal("0.05"))
    assert [instrument.price(Decimal(text)) for text in ("1.025", "1.075")] == [Decimal("1.00"), Decimal("1.10")]


def test_a_price_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="not a number"):
        an_instrument().price(float("nan"))


@pytest.mark.parametrize("name", ["tick", "lot", "pip", "min_quantity", "max_spread_pips", "max_leverage"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_steps_and_sizes_are_above_nought(name: str, value: str) -> None:
    with pytest.raises(InvalidRecord, match=f"EURUSD: {name} is .*; it must be above 0"):
        an_instrument(**{name: Decimal(value)})


@pytest.mark.parametrize("name", ["min_notional", "spread_bps", "fee_rate"])
@pytest.mark.parametrize("value", ["-0.1", "NaN", "Infinity"])
def test_costs_and_minima_are_not_negative(name: str, value: str) -> None:
    with pytest.raises(InvalidRecord, match=f"EURUSD: {name} is .*; it may not be negative"):
        an_instrument(**{name: Decimal(value)})


@pytest.mark.parametrize("name", ["symbol", "base", "quote"])
def test_an_instrument_has_all_its_names(name: str) -> None:
    with pytest.raises(InvalidRecord, match="needs a symbol, a base and a quote"):
        an_instrument(**{name: ""})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (AssetClass.FOREX, ("EUR", "USD")),
        (AssetClass.METAL, ("EUR", "USD")),
        (AssetClass.CRYPTO, ("EUR", "USD")),
        (AssetClass.EQUITY, ("USD",)),
        (AssetClass.INDEX, ("USD",)),
    ],
)
def test_news_of_both_currencies_moves_a_pair_and_of_one_a_share(kind: AssetClass, expected: tuple[str, ...]) -> None:
    assert an_instrument(asset_class=kind).currencies == expected


@pytest.mark.parametrize("timeframe", Timeframe)
def test_the_higher_timeframe_is_longer_and_a_whole_number_of_bars(timeframe: Timeframe) -> None:
    assert timeframe.span.total_seconds() == timeframe.seconds
    if timeframe is Timeframe.D1:
        assert timeframe.higher is None
        return
    assert timeframe.higher is not None
    assert timeframe.higher.seconds > timeframe.seconds
    assert timeframe.higher.seconds % timeframe.seconds == 0


# -- rates --------------------------------------------------------------------------------------------------------

RATES = FxRates(
    as_of=NOW,
    rates={
        ("EUR", "USD"): Decimal("1.25"),
        ("USD", "JPY"): Decimal(150),
        ("GBP", "USD"): Decimal("1.6"),
        ("JPY", "THB"): Decimal("0.2"),
    },
)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("EUR", "EUR", "1"),
        ("CHF", "CHF", "1"),
        ("EUR", "USD", "1.25"),
        ("USD", "EUR", "0.8"),
        ("EUR", "JPY", "187.5"),
        ("EUR", "GBP", "0.78125"),
        ("GBP", "EUR", "1.28"),
        ("THB", "USD", "0.03333333333333333333333333335"),
    ],
)
def test_a_rate_is_found_direct_inverse_or_over_one_currency(source: str, target: str, expected: str) -> None:
    assert RATES.rate(source, target) == pytest.approx(Decimal(expected), abs=Decimal("1e-27"))


@pytest.mark.parametrize(("source", "target"), [("EUR", "THB"), ("EUR", "CHF"), ("CHF", "EUR")])
def test_a_rate_over_two_currencies_or_of_an_unknown_one_is_not_there(source: str, target: str) -> None:
    with pytest.raises(NoRate, match=f"no rate from {source} to {target} is at hand at 2024-03-01T12:00:00"):
        RATES.rate(source, target)


@given(st.decimals(min_value=Decimal("0.0001"), max_value=10**6, places=4))
def test_there_and_back_again_is_one(rate: Decimal) -> None:
    rates = FxRates(as_of=NOW, rates={("EUR", "USD"): rate})
    assert abs(rates.rate("EUR", "USD") * rates.rate("USD", "EUR") - 1) < Decimal("1e-26")


def test_a_direct_rate_is_taken_before_its_inverse_and_both_before_a_detour() -> None:
    rates = {
        ("EUR", "USD"): Decimal(2),
        ("USD", "EUR"): Decimal("0.4"),
        ("EUR", "AAA"): Decimal(1),
        ("AAA", "USD"): Decimal(9),
    }
    assert FxRates(as_of=NOW, rates=rates).rate("EUR", "USD") == 2
    assert FxRates(as_of=NOW, rates=rates).rate("USD", "EUR") == Decimal("0.4")


def test_of_several_detours_the_same_is_taken_in_whatever_order_rates_came() -> None:
    pairs = [(("EUR", "ZZZ"), "2"), (("ZZZ", "USD"), "3"), (("EUR", "AAA"), "5"), (("AAA", "USD"), "7")]
    rates = {pair: Decimal(text) for pair, text in pairs}
    backwards = dict(reversed(rates.items()))
    assert FxRates(as_of=NOW, rates=rates).rate("EUR", "USD") == 35
    assert FxRates(as_of=NOW, rates=backwards).rate("EUR", "USD") == 35


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_a_rate_that_is_not_above_nought_is_refused(rate: str) -> None:
    with pytest.raises(InvalidRecord, match=r"the rate EUR to USD is .*; it must be above 0"):
        FxRates(as_of=NOW, rates={("EUR", "USD"): Decimal(rate)})


def test_rates_are_of_an_aware_moment() -> None:
    with pytest.raises(InvalidRecord, match="as_of"):
        FxRates(as_of=NAIVE)
