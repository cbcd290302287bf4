"""What a candle file's name says: `<SYMBOL>[_SOURCE]-<timeframe>[-kind].<format>`, freqtrade's layout included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from domain.instruments import Timeframe
from market.currencies import QUOTES

FORMATS = (".parquet", ".pq", ".feather", ".arrow", ".csv", ".csv.gz", ".json", ".json.gz")
_NAME = re.compile(r"(?P<stem>.+)-(?P<timeframe>\d+(?:s|m|h|d|w|M|Mo|y))(?:-(?P<kind>[A-Za-z_]+))?")
_TIMEFRAMES = {timeframe.value: timeframe for timeframe in Timeframe}


@dataclass(frozen=True, kw_only=True, slots=True)
class CandleName:
    """One candle file by its name.

    `series` is how a choice between several series names it (EURUSD_FXCM); `symbol` the instrument (EURUSD);
    `exact` says that the series is named as its symbol. `benchmark` marks `_index` files: compared with, not traded.
    """

    path: Path
    series: str
    symbol: str
    timeframe: Timeframe
    benchmark: bool

    @property
    def exact(self) -> bool:
        return self.series == self.symbol


def file_format(path: Path) -> str | None:
    """The format a candle file's ending names; None for every other file."""
    lower = path.name.lower()
    return max((ending for ending in FORMATS if lower.endswith(ending)), key=len, default=None)


def parse_name(path: Path) -> CandleName | str:
    """What the name says, or one sentence why the file holds no candles that could be replayed."""
    ending = file_format(path)
    match = _NAME.fullmatch(path.name[: -len(ending)]) if ending else None
    if ending is None or match is None:
        return f"{path.name} is not named <SYMBOL>-<timeframe> with one of {', '.join(FORMATS)}"
    timeframe = _TIMEFRAMES.get(match["timeframe"])
    if timeframe is None:
        return f"{path.name} has the timeframe {match['timeframe']}; known are {', '.join(_TIMEFRAMES)}"
    if match["kind"] not in (None, "futures", "spot"):
        return f"{path.name} holds {match['kind']} values, which are not candles of a tradable price"
    series, symbol, benchmark = _split(match["stem"])
    return CandleName(path=path, series=series, symbol=symbol, timeframe=timeframe, benchmark=benchmark)


def _split(stem: str) -> tuple[str, str, bool]:
    """Series name, symbol and whether it is a benchmark index.

    `BTC_USDT` and `BTC_USDT_USDT` (freqtrade: pair and settlement currency) are a pair; `EURUSD_FXCM` a second
    series of EURUSD; `AXJO_index` a benchmark.
    """
    parts = stem.split("_")
    if len(parts) > 1 and parts[-1].lower() == "index":
        return stem, "_".join(parts[:-1]).upper(), True
    if len(parts) > 1 and parts[0] and parts[1].upper() in QUOTES:
        return stem, (parts[0] + parts[1]).upper(), False
    return stem, parts[0].upper(), False
