"""One measured figure, and how it is told: as a line for people, as a document for programs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Units of time a figure may have; others are rates (`.../s`), megabytes (`MB`) and plain ratios (`x`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What was measured: `values` in `unit`, one for every measurement."""

    name: str
    what: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name} was not measured once")

    def document(self) -> dict[str, Any]:
        """Median, least and greatest value at five digits, and how many there were."""
        return {
            "name": self.name,
            "what": self.what,
            "median": _rounded(statistics.median(self.values)),
            "min": _rounded(min(self.values)),
            "max": _rounded(max(self.values)),
            "unit": self.unit,
            "n": len(self.values),
        }


def line(document: dict[str, Any]) -> str:
    """One figure's document as one line; the unit in brackets counts calibration loops."""
    middle, low, high = (_shown(document[key]) for key in ("median", "min", "max"))
    relative = document.get("calibrations", document.get("per_calibration"))
    told = f"{document['name']:<34}{middle:>10} {document['unit']:<8} min{low:>10}  max{high:>10}  n{document['n']:>6}"
    return f"{told}  {'' if relative is None else f'[{relative:.4g}]':<12}{document['what']}"


def in_unit(seconds: Iterable[float], unit: str) -> tuple[float, ...]:
    """Times in seconds as times in `unit`."""
    return tuple(each / SECONDS[unit] for each in seconds)


def rates(count: float, seconds: Iterable[float]) -> tuple[float, ...]:
    """How many a second, for `count` in each of these times."""
    return tuple(count / each for each in seconds)


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
