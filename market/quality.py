"""Which bars may be believed: rows in, a valid `BarSeries` and counts of what was rejected out.

The rules, in the order in which a row meets them; each rejection is counted under its name:

========== ==========================================================================================
time       the open time is missing, unreadable or outside 1900..2100
nan        a price is missing or not finite
not_positive  a price is 0 or below
high_low   the high lies below, or the low above, another price of the bar
crossed    the ask lies below the bid
future     the bar closes after the given `now`
duplicate  the same bar again: the first one stands, nothing changes
conflict   other prices for a bar that is already there: the first one stands
out_of_order  (live only) the bar is older than the newest accepted one; a file is sorted instead
overlap    the bar opens before the previous one has closed
spike      a price is 10 or more times above or below the previous accepted close
========== ==========================================================================================

Two rows in a row may be called spikes; a third one at the same new level is believed (a split, a redenomination),
so that one false price never shuts out everything after it. Gaps are not filled.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from domain.bars import Bar, BarSeries, Floats, Ints
from domain.clock import to_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.columns import RawCandles

SPIKE_FACTOR = 10.0
BARS_OF_A_NEW_LEVEL = 3
_EARLIEST, _LATEST = -2_208_988_800, 4_102_444_800
_BODY_TOLERANCE = 1e-9  # prices scaled by an adjustment factor may leave their range by a rounding error
_DAY = 86_400
_ENOUGH_ROWS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """The believed bars; `rejected` counts rows left out by kind, `notes` says in sentences what was repaired.

    The series' half spread is NaN where the data has none, until `market.costs.with_spread` has modelled it.
    """

    series: BarSeries
    rejected: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Last:
    opened: int
    values: tuple[float, ...]


class Gatekeeper:
    """The same rules for one bar at a time: a venue's live bars pass here, one gatekeeper per series."""

    __slots__ = ("_last", "_level", "_level_count", "_level_opened", "_span")

    def __init__(self, timeframe: Timeframe) -> None:
        self._span = timeframe.seconds
        self._last: _Last | None = None
        self._level = math.nan
        self._level_opened = _EARLIEST
        self._level_count = 0

    def offer(self, bar: Bar, now: int) -> str | None:
        """None when the bar is accepted, else the kind of its rejection; `now` in seconds since 1970 UTC.

        A `Bar` is finite, positive and consistent at birth, so only its time and its level are left to judge.
        """
        opened = to_epoch(bar.opened_at)
        if opened + self._span > now:
            return "future"
        volume = math.nan if bar.volume is None else bar.volume
        return self.judge(opened, (bar.open, bar.high, bar.low, bar.close, volume))

    def judge(self, opened: int, values: tuple[float, ...]) -> str | None:
        """As `offer`, for a row of open, high, low, close, volume that has passed the rules of a single row."""
        last = self._last
        if last is None:
            self._accept(opened, values)
            return None
        if opened <= last.opened:
            if opened < last.opened:
                return "out_of_order"
            return "duplicate" if _same(values, last.values) else "conflict"
        if opened < last.opened + self._span:
            return "overlap"
        if _far(values, last.values[3]) and not self._new_level(opened, values):
            return "spike"
        self._accept(opened, values)
        return None

    def _accept(self, opened: int, values: tuple[float, ...]) -> None:
        self._last = _Last(opened, values)
        self._level_count = 0

    def _new_level(self, opened: int, values: tuple[float, ...]) -> bool:
        """Whether this is the last of enough bars in a row that agree with each other on a new level."""
        if opened <= self._level_opened and self._level_count:
            return False
        agrees = self._level_count > 0 and not _far(values, self._level)
        self._level_count = self._level_count + 1 if agrees else 1
        self._level, self._level_opened = values[3], opened
        return self._level_count >= BARS_OF_A_NEW_LEVEL


def _far(values: tuple[float, ...], close: float) -> bool:
    return max(values[:4]) >= SPIKE_FACTOR * close or min(values[:4]) * SPIKE_FACTOR <= close


def _same(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(left, right, strict=True))


def clean(
    raw: RawCandles,
    *,
    symbol: str,
    timeframe: Timeframe,
    source: str,
    now: int | None = None,
    session_labels: bool = False,
) -> Cleaned:
    """The bars of `raw` that may be believed. `now` (seconds since 1970 UTC), when given, bars the future.

    `session_labels` moves the times of daily bars to the nearest midnight UTC: exchanges' midnights, written in
    UTC, name the session's date that way. Raises `InvalidInput` when no bar is left, or when the rows are plainly
    not bars of `timeframe`.
    """
    rejected: Counter[str] = Counter()
    notes: list[str] = []
    raw = _kept(raw, _believable_rows(raw, timeframe, now, rejected))
    if session_labels and timeframe is Timeframe.D1 and bool(np.any(raw.opened % _DAY)):
        raw = _with_opened(raw, (raw.opened + _DAY // 2) // _DAY * _DAY)
        notes.append(f"{source}: times of daily bars were moved to their session's date")
    raw = _sorted(raw, source, notes)
    _demand_timeframe(raw.opened, timeframe, source)
    raw = _kept(raw, _consistent_rows(raw, timeframe, rejected))
    if len(raw) == 0:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(rejected.items()))
        raise InvalidInput(f"{source} holds no bar that can be believed: {counts} were rejected")
    return Cleaned(
        series=_series(raw, symbol, timeframe, source), rejected=dict(sorted(rejected.items())), notes=tuple(notes)
    )


def _believable_rows(raw: RawCandles, timeframe: Timeframe, now: int | None, rejected: Counter[str]) -> np.ndarray:
    """Which rows pass the rules that need no other row; each failing row counts once, under its first fault."""
    prices = np.vstack((raw.open, raw.high, raw.low, raw.close))
    body_high = np.maximum(raw.open, raw.close)
    body_low = np.minimum(raw.open, raw.close)
    with np.errstate(invalid="ignore"):
        faults = {
            "time": (raw.opened < _EARLIEST) | (raw.opened > _LATEST),
            "nan": ~np.isfinite(prices).all(axis=0),
            "not_positive": (prices <= 0).any(axis=0),
            "high_low": (raw.high < body_high * (1 - _BODY_TOLERANCE))
            | (raw.low > body_low * (1 + _BODY_TOLERANCE))
            | (raw.high < raw.low),
            "crossed": raw.half_spread < 0,
        }
        if now is not None:
            faults["future"] = raw.opened > now - timeframe.seconds
    good = np.ones(len(raw), dtype=bool)
    for kind, bad in faults.items():
        count = int(np.count_nonzero(bad & good))
        if count:
            rejected[kind] += count
            good &= ~bad
    return good


def _sorted(raw: RawCandles, source: str, notes: list[str]) -> RawCandles:
    """Rows oldest first. A stable sort: of rows with one time, the first stays the first."""
    steps = np.diff(raw.opened)
    backwards = int(np.count_nonzero(steps < 0))
    if not backwards:
        return raw
    what = "was newest first" if backwards == steps.shape[0] else f"went back in time {backwards} times"
    notes.append(f"{source} {what}; its rows were sorted")
    return _kept(raw, np.argsort(raw.opened, kind="stable"))


def _demand_timeframe(opened: Ints, timeframe: Timeframe, source: str) -> None:
    """Refuse rows that are bars of another length: shorter would overlap, longer would be known before they end."""
    steps = np.diff(opened)
    steps = steps[steps > 0]
    if steps.shape[0] < _ENOUGH_ROWS:
        return
    usual, shortest = float(np.median(steps)), int(steps.min())
    if usual < timeframe.seconds or shortest > timeframe.seconds * 1.5:
        seen = usual if usual < timeframe.seconds else shortest
        raise InvalidInput(
            f"{source} is named {timeframe.value} but its bars lie {seen:g} s apart, not {timeframe.seconds} s; "
            "name the file by the length of its bars"
        )


def _consistent_rows(raw: RawCandles, timeframe: Timeframe, rejected: Counter[str]) -> np.ndarray:
    """Which rows pass the rules that compare with the rows before; all at once when, as usual, all do."""
    good = np.ones(len(raw), dtype=bool)
    if not _suspicious(raw, timeframe):
        return good
    gate = Gatekeeper(timeframe)
    rows = zip(*(column.tolist() for column in (raw.open, raw.high, raw.low, raw.close, raw.volume)), strict=True)
    for index, (opened, values) in enumerate(zip(raw.opened.tolist(), rows, strict=True)):
        kind = gate.judge(opened, values)
        if kind is not None:
            rejected[kind] += 1
            good[index] = False
    return good


def _suspicious(raw: RawCandles, timeframe: Timeframe) -> bool:
    before = raw.close[:-1]
    highest = np.maximum(raw.high, np.maximum(raw.open, raw.close))[1:]
    lowest = np.minimum(raw.low, np.minimum(raw.open, raw.close))[1:]
    jumps = (highest >= SPIKE_FACTOR * before) | (lowest * SPIKE_FACTOR <= before)
    return bool(np.any(np.diff(raw.opened) < timeframe.seconds) or np.any(jumps))


def _series(raw: RawCandles, symbol: str, timeframe: Timeframe, source: str) -> BarSeries:
    """The rows as a series: range widened to the body where rounding left it, a negative volume made missing."""
    volume = np.where(raw.volume >= 0, raw.volume, np.nan)
    return BarSeries(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        opened=raw.opened,
        open=raw.open,
        high=np.maximum(raw.high, np.maximum(raw.open, raw.close)),
        low=np.minimum(raw.low, np.minimum(raw.open, raw.close)),
        close=raw.close,
        volume=volume,
        half_spread=raw.half_spread,
    )


def _kept(raw: RawCandles, rows: np.ndarray) -> RawCandles:
    def part(column: Floats) -> Floats:
        return np.asarray(column[rows], dtype=np.float64)

    return RawCandles(
        opened=raw.opened[rows],
        open=part(raw.open),
        high=part(raw.high),
        low=part(raw.low),
        close=part(raw.close),
        volume=part(raw.volume),
        half_spread=part(raw.half_spread),
    )


def _with_opened(raw: RawCandles, opened: Ints) -> RawCandles:
    return RawCandles(
        opened=opened,
        open=raw.open,
        high=raw.high,
        low=raw.low,
        close=raw.close,
        volume=raw.volume,
        half_spread=raw.half_spread,
    )
