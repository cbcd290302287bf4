"""Candles where no recorded ones are at hand: the simulated market's prices under names that have specifications."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from domain.clock import from_epoch
from market.simulated import SimulatedFeed

SYMBOLS = ("ADAUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT", "LTCUSDT", "XRPUSDT")
BARS = 5_000
START = datetime(2023, 1, 1, tzinfo=UTC)


def write(folder: Path) -> None:
    """Six files of 5,000 hourly candles; the same on every machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, symbol in enumerate(SYMBOLS, start=1):
        feed = SimulatedFeed(seed, instruments=1, bars=BARS, start=START)
        series = feed.series(next(iter(feed.instruments)))
        rows = ["timestamp,open,high,low,close,volume"]
        columns = (series.open, series.high, series.low, series.close, series.volume)
        for opened, *values in zip(series.opened.tolist(), *(each.tolist() for each in columns), strict=True):
            rows.append(",".join((from_epoch(opened).isoformat(), *map(repr, values))))
        (folder / f"{symbol}-1h.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
