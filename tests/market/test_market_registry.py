"""Instruments by class, steps that follow the price, and symbols that must be declared."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.errors import InvalidInput
from domain.instruments import AssetClass
from market.registry import CLASS_NAMES, Registry


@pytest.mark.parametrize(
    ("symbol", "name", "quote", "calendar"),
    [
        ("BTCUSDT", "crypto", "USDT", "24/7"),
        ("BTC/USDT", "crypto", "USDT", "24/7"),
        ("BTC_USDT", "crypto", "USDT", "24/7"),
        ("BTC/USDT:USDT", "crypto", "USDT", "24/7"),
        ("SOLUSDC", "crypto", "USDC", "24/7"),
        ("ETHBTC", "crypto", "BTC", "24/7"),
        ("ADAEUR", "crypto", "EUR", "24/7"),
        ("NEWCOINUSDT", "crypto", "USDT", "24/7"),
        ("EURUSD", "forex", "USD", "FX"),
        ("usdjpy", "forex", "JPY", "FX"),
        ("EUR/GBP", "forex", "GBP", "FX"),
        ("XAUUSD", "metal", "USD", "METALS"),
        ("XAGEUR", "metal", "EUR", "METALS"),
        ("AAPL", "equity_us", "USD", "XNYS"),
        ("GOOG", "equity_us", "USD", "XNYS"),
        ("RELIANCE", "equity_in", "INR", "XBOM"),
        ("M&M", "equity_in", "INR", "XBOM"),
        ("ANYTHING.NS", "equity_in", "INR", "XBOM"),
        ("CBA.AX", "equity_asx", "AUD", "XASX"),
        ("ZZZ.AX", "equity_asx", "AUD", "XASX"),
        ("AXJO", "index", "AUD", "XASX"),
    ],
)
def test_a_symbol_is_of_one_class_with_its_currency_and_calendar(registry, symbol, name, quote, calendar):
    assert registry.classes_of(symbol) == (name,)
    instrument = registry.resolve(symbol)
    assert (instrument.quote, instrument.calendar) == (quote, calendar)


def test_every_listed_share_makes_an_instrument(registry):
    for name in ("equity_us", "equity_in", "equity_asx"):
        sectors = registry._classes[name]._sectors
        assert len(sectors) > 100
        for symbol in sectors:
            found = registry.resolve(symbol, class_hint=name, price=10.0)
            assert found.asset_class is AssetClass.EQUITY
            assert found.min_quantity == 1


def test_no_listed_share_is_in_two_markets_by_our_own_lists(registry):
    """Where two markets do share a ticker it must be refused, so the test names them."""
    us, india = (set(registry._classes[name]._sectors) for name in ("equity_us", "equity_in"))
    for symbol in sorted(us & india):
        with pytest.raises(InvalidInput, match="is listed in equity_us and equity_in"):
            registry.resolve(symbol)


@pytest.mark.parametrize("symbol", ["QQQQQQ", "FOOUSD", "EUREUR", "NOSUCHSHARE", "", "ABC.LSE"])
def test_an_unknown_symbol_is_refused_with_how_to_declare_it(registry, symbol):
    with pytest.raises(InvalidInput) as refused:
        registry.resolve(symbol)
    assert "class flag" in str(refused.value)
    assert "own specifications" in str(refused.value)


def test_the_class_flag_declares_an_unknown_share(registry):
    instrument = registry.resolve("NOSUCHSHARE", class_hint="equity_in", price=512.0)
    assert (instrument.quote, instrument.tick, instrument.sector) == ("INR", Decimal("0.05"), None)


def test_the_class_flag_does_not_make_gold_a_currency_pair(registry):
    assert registry.resolve("XAUUSD", class_hint="forex").asset_class is AssetClass.METAL


def test_an_unknown_class_is_refused_with_the_known_ones(registry):
    with pytest.raises(InvalidInput, match="there is no class bonds; known are crypto, forex"):
        registry.resolve("AAPL", class_hint="bonds")


@pytest.mark.parametrize(
    ("symbol", "price", "tick", "lot"),
    [
        ("BTCUSDT", 17165.53, "0.01", "0.00001"),
        ("ETHUSDT", 1294.46, "0.01", "0.0001"),
        ("ADAUSDT", 0.3186, "0.000001", "1"),
        ("SHIBUSDT", 0.0000094, "0.00000000001", "100000"),
        ("ETHBTC", 0.0712, "0.0000001", "0.0001"),
        ("TLS.AX", 1.26, "0.005", "1"),
        ("CBA.AX", 10.2, "0.01", "1"),
        ("AAPL", 67.7, "0.01", "1"),
        ("AMD", 0.95, "0.0001", "1"),
        ("EURUSD", 1.07, "0.00001", "1"),
        ("USDJPY", 118.85, "0.001", "1"),
        ("XAUUSD", 1097.9, "0.01", "0.01"),
    ],
)
def test_steps_follow_the_class_and_the_first_price(registry, symbol, price, tick, lot):
    instrument = registry.resolve(symbol, price=price)
    assert instrument.tick == Decimal(tick)
    assert instrument.lot == Decimal(lot)


@pytest.mark.parametrize("price", [0.0000012, 0.04, 0.99, 1.0, 9.99, 345.0, 71_000.0])
def test_a_coins_tick_is_small_and_its_lot_worth_little_at_any_price(registry, price):
    instrument = registry.resolve("NEWCOINUSDT", price=price)
    assert float(instrument.tick) <= price * 1e-5
    assert 0.1 <= float(instrument.lot) * price * 1.0000001 <= 1.0000002
    assert float(instrument.price(price)) == pytest.approx(price, rel=1e-5)


def test_a_pip_is_a_hundredth_for_yen_and_a_ten_thousandth_else(registry):
    assert registry.resolve("USDJPY").pip == Decimal("0.01")
    assert registry.resolve("EURGBP").pip == Decimal("0.0001")


def test_leverage_caps_are_those_of_europe(registry):
    caps = {
        symbol: int(registry.resolve(symbol).max_leverage)
        for symbol in ("EURUSD", "AUDUSD", "XAUUSD", "AAPL", "BTCUSDT")
    }
    assert caps == {"EURUSD": 30, "AUDUSD": 20, "XAUUSD": 20, "AAPL": 5, "BTCUSDT": 2}


@pytest.mark.parametrize("name", [name for name in CLASS_NAMES if name != "index"])
def test_the_modelled_spread_never_exceeds_the_limit_for_entries(registry, name):
    samples = {
        "crypto": ("BTCUSDT", 17000.0),
        "forex": ("USDTRY", 8.1),
        "metal": ("XAGUSD", 24.0),
        "equity_us": ("AMZN", 261.0),
        "equity_in": ("MARUTI", 408.0),
        "equity_asx": ("TLS.AX", 1.26),
    }
    symbol, price = samples[name]
    instrument = registry.resolve(symbol, price=price)
    spread = price * float(instrument.spread_bps) / 10_000
    assert spread * 3 < float(instrument.max_spread_pips * instrument.pip)


def test_major_pairs_keep_the_limit_of_fifteen_pips(registry):
    assert registry.resolve("EURUSD", price=1.07).max_spread_pips == 15
    assert registry.resolve("USDJPY", price=118.0).max_spread_pips == 15


def test_a_pair_that_could_be_read_twice_goes_by_its_known_base(registry):
    assert registry.resolve("SHIBUSD").base == "SHIB"
    assert registry.resolve("DOTUSD").base == "DOT"
    assert registry.resolve("BTCBUSD").quote == "BUSD"


def test_a_users_file_adds_instruments_and_changes_figures(registry, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[instruments.WIDGET]\nclass = "equity_us"\ntick = "0.05"\nquote = "CAD"\nshortable = false\n')
    instrument = registry.extended(path).resolve("WIDGET")
    assert (instrument.tick, instrument.quote, instrument.shortable) == (Decimal("0.05"), "CAD", False)
    with pytest.raises(InvalidInput):
        registry.resolve("WIDGET")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not toml", "cannot be read as TOML"),
        ("[other]\na = 1\n", "may hold tables"),
        ('[instruments.A]\nclass = "bonds"\n', "must name its class"),
        ('[instruments.A]\nclass = "equity_us"\ntik = "1"\n', "has tik; allowed are"),
        ('[instruments.A]\nclass = "equity_us"\ntick = "wide"\n', "must be a number"),
        ('[instruments.A]\nclass = "forex"\n', "does not have the form of a forex symbol"),
    ],
)
def test_a_users_file_with_a_fault_is_refused_in_one_sentence(registry, tmp_path, text, says):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        registry.extended(path)


def test_a_symbol_of_two_classes_is_refused_unless_the_class_is_given(tmp_path):
    """Two lists that share a ticker, made by giving one class's table to two names."""
    shipped = Registry.shipped()
    classes = {"equity_us": shipped._classes["equity_us"], "equity_in": shipped._classes["equity_us"]}
    both = Registry(classes, {})
    with pytest.raises(InvalidInput, match="AAPL is listed in equity_us and equity_in; say which"):
        both.resolve("AAPL")
    assert both.resolve("AAPL", class_hint="equity_in").symbol == "AAPL"
    assert both.resolve("AAPL", folder_class="equity_us").symbol == "AAPL"


def test_a_folders_name_does_not_make_an_unknown_symbol_known(registry):
    with pytest.raises(InvalidInput, match="is not a known instrument"):
        registry.resolve("NOSUCHSHARE", folder_class="equity_us")
