"""What a folder of candle files holds, file by file, for `ratchet data summary`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput
from market.choice import list_files
from market.files import read_candles
from market.naming import CandleName
from market.quality import Cleaned, clean
from market.registry import Registry
from market.sessions import EXCHANGES, Sessions, find_gaps

UNKNOWN = "unknown symbol"


def summarise(
    folder: Path, *, registry: Registry, class_hint: str | None = None, now: datetime | None = None
) -> list[dict[str, Any]]:
    """One row a candle file, in order of file name, ready for JSON.

    Keys: file, symbol, series, timeframe, class (or "unknown symbol"), rows (as they stand), bars (believed), start
    and end (open of the first, close of the last bar), gaps (count, bars, longest_s; by trading hours where the
    class is known), rejected (by kind), notes, error (one sentence; bars are then 0). Raises `InvalidInput` when
    the folder does not exist.
    """
    names, _ = list_files(folder)
    return [_row(name, registry, class_hint, folder.name, now) for name in names]


def _row(
    name: CandleName, registry: Registry, class_hint: str | None, folder_name: str, now: datetime | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": name.path.name,
        "symbol": name.symbol,
        "series": name.series,
        "timeframe": name.timeframe.value,
        "class": UNKNOWN,
        "rows": 0,
        "bars": 0,
        "start": None,
        "end": None,
        "gaps": None,
        "rejected": {},
        "notes": [],
        "error": None,
    }
    calendar = None
    try:
        hint = "index" if name.benchmark else class_hint
        row["class"] = registry.class_name(name.symbol, class_hint=hint, folder_class=folder_name)
        calendar = registry.resolve(name.symbol, class_hint=hint, folder_class=folder_name).calendar
    except InvalidInput as error:
        row["notes"].append(str(error))
    try:
        raw = read_candles(name.path)
        row["rows"] = len(raw)
        cleaned = clean(
            raw,
            symbol=name.symbol,
            timeframe=name.timeframe,
            source=name.path.name,
            now=None if now is None else to_epoch(now),
            session_labels=calendar in EXCHANGES,
        )
    except InvalidInput as error:
        row["error"] = str(error)
        return row
    return row | _described(cleaned, calendar) | {"notes": [*row["notes"], *cleaned.notes]}


def _described(cleaned: Cleaned, calendar: str | None) -> dict[str, Any]:
    bars = cleaned.series
    first, last = from_epoch(int(bars.opened[0])), from_epoch(int(bars.closed[-1]))
    sessions = None if calendar is None else Sessions(first.date(), (last - timedelta(seconds=1)).date())
    gaps = find_gaps(bars.opened, bars.timeframe, sessions, calendar or "")
    return {
        "bars": len(bars),
        "start": first.isoformat(),
        "end": last.isoformat(),
        "gaps": {"count": gaps.count, "bars": gaps.bars, "longest_s": gaps.longest_s},
        "rejected": dict(cleaned.rejected),
    }
