"""`ratchet data fetch` from a venue into files that a replay plays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
from exchange.process import RunningExchange
from ratchet_command import Ended, ratchet

from market.candle_writer import asked_since_of
from market.files import read_candles

START = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 1_200
"""More than one page of the venue's."""
LISTED_HOUR = 9 * 24
"""When SOLUSDT began to be traded, in hours after the others."""


def rows_of(first: float, since_hour: int = 0) -> list[list[object]]:
    rows = []
    for hour in range(since_hour, HOURS):
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
        exchange.trade_at("SOLUSDT", "150")
        exchange.set_candles("SOLUSDT", "1h", rows_of(150.0, LISTED_HOUR))
        yield f"http://127.0.0.1:{exchange.port}"


def fetch(
    venue: str, folder: Path, until: str, *, instruments: str = "BTCUSDT,ETHUSDT", since: str = "2026-03-02"
) -> Ended:
    what = ["--venue", "binance", "--instruments", instruments, "--timeframe", "1h", "--since", since]
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


def test_a_coin_that_was_listed_later_than_asked_for_is_fetched_again_like_any_other(venue, tmp_path):
    def fetched(until: str) -> tuple[int, int]:
        done = fetch(venue, tmp_path, until, instruments="SOLUSDT")
        assert done.status == 0, done.err
        (file,) = done.document["files"]
        return file["bars"], file["new"]

    path = tmp_path / "SOLUSDT-1h.parquet"
    assert fetched("2026-03-13") == (48, 48)
    assert read_candles(path).opened[0] == int((START + timedelta(hours=LISTED_HOUR)).timestamp())
    assert asked_since_of(path) == START
    assert fetched("2026-03-13") == (48, 0)
    assert fetched("2026-03-14") == (72, 24)
    assert asked_since_of(path) == START


def test_more_than_was_asked_for_then_is_refused_and_the_file_stays_as_it_is(venue, tmp_path):
    assert fetch(venue, tmp_path, "2026-03-13", instruments="SOLUSDT").status == 0
    before = (tmp_path / "SOLUSDT-1h.parquet").read_bytes()
    refused = fetch(venue, tmp_path, "2026-03-14", instruments="SOLUSDT", since="2026-03-01T23:00")
    assert refused.status == 1
    assert refused.sentence.endswith(
        "SOLUSDT-1h.parquet was fetched from 2026-03-02T00:00:00+00:00 on, later than what is asked for: "
        "give another folder, or remove it"
    )
    assert (tmp_path / "SOLUSDT-1h.parquet").read_bytes() == before
    assert fetch(venue, tmp_path, "2026-03-14", instruments="SOLUSDT", since="2026-03-12").status == 0
    assert asked_since_of(tmp_path / "SOLUSDT-1h.parquet") == START


def test_a_file_that_does_not_say_what_was_asked_for_is_judged_by_its_first_bar(venue, tmp_path):
    path = tmp_path / "SOLUSDT-1h.parquet"
    assert fetch(venue, tmp_path, "2026-03-13", instruments="SOLUSDT").status == 0
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).replace_schema_metadata({"source": "binance"}), path)
    refused = fetch(venue, tmp_path, "2026-03-13", instruments="SOLUSDT")
    assert refused.status == 1
    assert "SOLUSDT-1h.parquet begins at 2026-03-11T00:00:00+00:00, later than what is asked for" in refused.sentence
    assert fetch(venue, tmp_path, "2026-03-14", instruments="SOLUSDT", since="2026-03-11").status == 0
    assert asked_since_of(path) == START + timedelta(hours=LISTED_HOUR)
