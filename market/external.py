"""Point-in-time columns from outside: each value is used from the moment it was known, never earlier."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from domain.clock import EPOCH
from domain.errors import InvalidInput
from market.columns import NO_TIME, floats_of, iso_seconds, seconds_of
from market.currencies import plain_symbol
from market.files import read_table

EVERYWHERE = "*"
"""Stands for every instrument in the file's column `instrument`."""
EARNINGS = "earnings_at"
"""The name whose value is the next earnings date, as seconds since 1970 UTC; it becomes days, not a column."""
_COLUMNS = ("known_at", "instrument", "name", "value")
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of one name, known from `known_at` (seconds since 1970 UTC) on."""

    known_at: int
    instrument: str
    name: str
    value: float


class ExternalFeatures:
    """As-of look-ups over facts; of two facts with one time the later given one is the correction."""

    __slots__ = ("_facts", "names", "rejected")

    def __init__(self, facts: Collection[Fact], rejected: int = 0) -> None:
        self.rejected = rejected
        self._facts: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
        self.names: tuple[str, ...] = tuple(sorted({fact.name for fact in facts if fact.name != EARNINGS}))
        """Every column there ever is: what is not known yet is missing, not another schema."""
        for fact in sorted(facts, key=lambda fact: fact.known_at):
            times, values = self._facts.setdefault(fact.instrument, {}).setdefault(fact.name, ([], []))
            times.append(fact.known_at)
            values.append(fact.value)

    def at(self, instrument: str, moment: datetime) -> dict[str, float]:
        """The newest value of each name known at `moment` by name; names not yet known are absent.

        Facts about the instrument itself go before facts given for every instrument.
        """
        now = _seconds(moment)
        known: dict[str, float] = {}
        for owner in (EVERYWHERE, instrument):
            for name, (times, values) in self._facts.get(owner, {}).items():
                place = bisect_right(times, now)
                if place and name != EARNINGS:
                    known[name] = values[place - 1]
        return known

    def days_to_earnings(self, instrument: str, moment: datetime) -> float | None:
        """Days until the next earnings date known at `moment`; None when none is known or it has passed."""
        times, values = self._facts.get(instrument, {}).get(EARNINGS, ([], []))
        place = bisect_right(times, _seconds(moment))
        days = (values[place - 1] - _seconds(moment)) / _DAY if place else -1.0
        return days if days >= 0 else None


def read_external(path: Path) -> ExternalFeatures:
    """The facts of a CSV, Parquet or Feather file with the columns known_at, instrument, name, value.

    A `known_at` that is a bare date counts from the end of that day (UTC). Rows without a time, a name or a finite
    value are rejected and counted. Raises `InvalidInput` when columns are missing or no row can be used.
    """
    table = read_table(path)
    by_lower = {str(name).strip().lower(): name for name in table.column_names}
    missing = [name for name in _COLUMNS if name not in by_lower]
    if missing:
        raise InvalidInput(f"{path.name} lacks the columns {', '.join(missing)}; wanted are {', '.join(_COLUMNS)}")
    known = _known_at(table.column(by_lower["known_at"]))
    instruments = table.column(by_lower["instrument"]).to_pylist()
    names = table.column(by_lower["name"]).to_pylist()
    values = floats_of(table.column(by_lower["value"])).tolist()
    facts = [
        Fact(at, plain_symbol(str(instrument)), str(name), value)
        for at, instrument, name, value in zip(known, instruments, names, values, strict=True)
        if at != NO_TIME and instrument and name and math.isfinite(value)
    ]
    if not facts:
        raise InvalidInput(f"{path.name} holds no row with a time, an instrument, a name and a finite value")
    return ExternalFeatures(facts, rejected=len(names) - len(facts))


def _known_at(column: Any) -> list[int]:
    """Seconds since 1970 UTC, rounded up, with bare dates moved to the end of their day."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [_known_text(text) for text in column.to_pylist()]
    times: list[int] = seconds_of(column, up=True).tolist()
    return [at if at == NO_TIME else at + _DAY for at in times] if pa.types.is_date(kind) else times


def _known_text(text: str | None) -> int:
    at = iso_seconds(text, up=True) if text else NO_TIME
    return at + _DAY if text and at != NO_TIME and len(text.strip()) <= len("2020-01-01") else at


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)
