"""Currency rates from closes: ages, pegs, and paths over one currency between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.errors import InvalidInput, NoRate
from market.fx import RateBook

NOW = datetime(2017, 6, 9, 12, tzinfo=UTC)


@pytest.fixture
def book(registry) -> RateBook:
    symbols = ("EURUSD", "USDJPY", "EURGBP", "BTCUSDT", "AAPL")
    return RateBook([registry.resolve(symbol) for symbol in symbols])


def test_a_close_is_a_rate_both_ways(book):
    book.update("USDJPY", 110.25, NOW)
    rates = book.rates(NOW, ("JPY", "USD"))
    assert rates.rate("USD", "JPY") == Decimal("110.25")
    assert rates.rate("JPY", "USD") == 1 / Decimal("110.25")


def test_rates_follow_a_close_that_comes_between_two_questions_of_one_moment(book):
    book.update("USDJPY", 110.25, NOW)
    first = book.rates(NOW, ("JPY", "USD"))
    assert book.rates(NOW, ("JPY", "USD")) is first
    assert book.rates(NOW, ("JPY", "EUR")).rates == {("USD", "JPY"): Decimal("110.25")}
    assert book.rates(NOW + timedelta(days=6), ("JPY", "USD")).rates == {}
    book.update("USDJPY", 111.5, NOW)
    assert book.rates(NOW, ("JPY", "USD")).rate("USD", "JPY") == Decimal("111.5")


def test_a_path_over_one_currency_is_found(book):
    book.update("EURUSD", 1.12, NOW)
    book.update("EURGBP", 0.88, NOW)
    assert book.rates(NOW, ("GBP", "USD")).rate("GBP", "USD") == 1 / Decimal("0.88") * Decimal("1.12")


def test_an_old_close_is_no_rate(book):
    book.update("USDJPY", 110.25, NOW - timedelta(days=5))
    assert book.rates(NOW).rate("USD", "JPY") == Decimal("110.25")
    with pytest.raises(NoRate):
        book.rates(NOW + timedelta(seconds=1)).rate("USD", "JPY")


def test_a_close_from_the_future_is_no_rate(book):
    book.update("USDJPY", 110.25, NOW + timedelta(hours=1))
    with pytest.raises(NoRate):
        book.rates(NOW).rate("USD", "JPY")


def test_a_share_is_no_rate(book):
    book.update("AAPL", 150.0, NOW)
    assert book.rates(NOW).rates == {}


def test_one_currency_needs_no_rates(book):
    book.update("EURUSD", 1.12, NOW)
    rates = book.rates(NOW, ("USD", "USD"))
    assert rates.rates == {}
    assert rates.rate("USD", "USD") == 1


def test_only_pairs_that_touch_a_needed_currency_are_taken(book):
    book.update("EURUSD", 1.12, NOW)
    book.update("USDJPY", 110.0, NOW)
    book.update("BTCUSDT", 2800.0, NOW)
    assert book.rates(NOW, ("EUR", "JPY")).rates.keys() == {("EUR", "USD"), ("USD", "JPY")}


def test_a_stablecoin_is_a_dollar_only_when_that_is_declared(registry):
    coin = registry.resolve("BTCUSDT")
    with pytest.raises(NoRate):
        RateBook([coin]).rates(NOW).rate("USDT", "USD")
    pegged = RateBook([coin], pegs={("USDT", "USD"): Decimal(1)})
    assert pegged.rates(NOW, ("USDT", "USD")).rate("USDT", "USD") == 1


def test_an_age_limit_must_let_something_pass():
    with pytest.raises(InvalidInput, match="must be above 0"):
        RateBook([], max_age=timedelta(0))
