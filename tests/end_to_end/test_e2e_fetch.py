"""`ratchet data fetch` from a venue into files that a replay plays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from exchange.process import RunningExchange
from ratchet_command import ratchet

from market.files import read_candles

START = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 1_200
"""More than one page of the venue's."""


def rows_of(first: float) -> list[list[object]]:
    rows = []
    for hour in range(HOURS):
        opened = int((START + timedelta(hours=hour)).timestamp() * 1000)
        price = Decimal(str(first)) + hour
        rows.append([opened, str(price), str(price + 2), str(price - 2), str(price + 1), "10"])
    return rows


@pytest.fixture(scope="module")
def venue():
    with RunningExchange() as exchange:
        for symbol, first in (("BTCUSDT", 30_000.0), ("ETHUSDT", 2_000.0)):
            exchange.trade_at(symbol, str(first))
            exchange.set_candles(symbol, "1h", rows_of(first))
        yield f"http://127.0.0.1:{exchange.port}"


def fetch(venue: str, folder: Path, until: str, *, instruments: str = "BTCUSDT,ETHUSDT"):
    what = ["--venue", "binance", "--instruments", instruments, "--timeframe", "1h", "--since", "2026-03-02"]
    return ratchet(
        "data", "fetch", *what, "--until", until, "--out", str(folder), "--base-url", venue, "--json", state=folder
    )


def test_candles_are_fetched_page_by_page_and_a_second_fetch_goes_on(venue, tmp_path):
    first = fetch(venue, tmp_path, "2026-03-20")
    assert [(each["symbol"], each["bars"]) for each in first.document["files"]] == [
        ("BTCUSDT", 18 * 24),
        ("ETHUSDT", 18 * 24),
    ]
    again = fetch(venue, tmp_path, "2026-04-21").document["files"]
    assert [(each["bars"], each["new"]) for each in again] == [(HOURS, HOURS - 18 * 24)] * 2
    candles = read_candles(tmp_path / "BTCUSDT-1h.parquet")
    assert len(candles) == HOURS
    assert candles.opened[0] == int(START.timestamp())
    assert (candles.open[5], candles.high[5], candles.low[5], candles.close[5]) == (30005.0, 30007.0, 30003.0, 30006.0)
    played = ratchet("run", "--replay", str(tmp_path), "--timeframe", "1h", "--json", state=tmp_path / "state")
    assert played.status == 0, played.err


def test_an_instrument_that_the_venue_has_not_is_refused_by_name(venue, tmp_path):
    refused = fetch(venue, tmp_path, "2026-03-20", instruments="NOSUCHUSDT")
    assert refused.status == 1
    assert "NOSUCHUSDT" in refused.sentence
