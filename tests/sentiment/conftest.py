"""Instruments and texts for the sentiment tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.instruments import AssetClass, Instrument
from domain.records import NewsItem, TextScore

START = datetime(2023, 3, 1, 12, tzinfo=UTC)


def make_instrument(symbol: str, kind: AssetClass, base: str, quote: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=kind,
        base=base,
        quote=quote,
        tick=Decimal("0.00001"),
        lot=Decimal(1),
        pip=Decimal("0.0001"),
        min_quantity=Decimal(1),
        min_notional=Decimal(0),
        calendar="24/7",
        spread_bps=Decimal(1),
        max_spread_pips=Decimal(15),
        fee_rate=Decimal(0),
    )


def make_pair(symbol: str) -> Instrument:
    return make_instrument(symbol, AssetClass.FOREX, symbol[:3], symbol[3:])


@pytest.fixture(scope="session")
def instruments() -> dict[str, Instrument]:
    """The majors, their mirror images where a test needs them, a coin, gold and two shares."""
    pairs = ("EURUSD", "USDEUR", "GBPUSD", "USDGBP", "USDJPY", "JPYUSD", "EURGBP", "GBPEUR", "AUDUSD")
    known = {symbol: make_pair(symbol) for symbol in pairs}
    known["BTCUSDT"] = make_instrument("BTCUSDT", AssetClass.CRYPTO, "BTC", "USDT")
    known["XAUUSD"] = make_instrument("XAUUSD", AssetClass.METAL, "XAU", "USD")
    known["AAPL"] = make_instrument("AAPL", AssetClass.EQUITY, "AAPL", "USD")
    known["CBA.AX"] = make_instrument("CBA.AX", AssetClass.EQUITY, "CBA", "AUD")
    return known


@pytest.fixture
def news() -> Callable[..., NewsItem]:
    """A text received `hours` after the start."""

    def make(
        text: str,
        *,
        hours: float = 0.0,
        publisher: str = "Reuters",
        author: str | None = None,
        social: bool = False,
        claims_hours: float | None = None,
    ) -> NewsItem:
        received = START + timedelta(hours=hours)
        return NewsItem(
            news_id=f"{text}|{hours}|{author}",
            received_at=received,
            published_at=received if claims_hours is None else START + timedelta(hours=claims_hours),
            source="test",
            publisher=publisher,
            author=author,
            text=text,
            social=social,
        )

    return make


@pytest.fixture
def scored() -> Callable[[float], TextScore]:
    """A text score of a given P(positive) - P(negative)."""

    def make(score: float) -> TextScore:
        positive, negative = max(score, 0.0), max(-score, 0.0)
        return TextScore(
            negative=negative, neutral=1.0 - positive - negative, positive=positive, unknown=0.0, model="test"
        )

    return make
