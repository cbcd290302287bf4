"""Columns and votes of an instrument's bars, and reading one bar of them."""

from __future__ import annotations

from collections.abc import Iterator

from bench import stories
from bench.figures import Figure, in_unit, rates
from bench.request import Request
from bench.timing import once_each, per_call
from signals.ensemble import combine
from signals.settings import SignalSettings
from signals.table import SignalTable
from signals.volatility import fit_garch


def run(request: Request) -> Iterator[Figure]:
    """The first instrument of the folder, all its bars."""
    feed = stories.feed(request)
    symbol = next(iter(feed.instruments))
    series, higher, settings = feed.series(symbol), feed.higher(symbol), SignalSettings()

    def compute() -> SignalTable:
        fit_garch.cache_clear()  # a start has fitted nothing yet
        return SignalTable.compute(series, higher, settings)

    seconds = once_each(compute, request.repeat)
    told = f"indicators, forecasts and votes of {len(series)} bars, from nothing"
    yield Figure(name="signals.table", what=told, unit="bars/s", values=rates(len(series), seconds))
    table = compute()
    spoken = table.speaks.nonzero()[0].tolist()

    def each_bar() -> None:
        for index in spoken:
            combine(table, index, {}, settings)

    seconds = tuple(each / len(spoken) for each in per_call(each_bar, request.repeat))
    told = "votes to signal or reason, mean over the bars on which a strategy speaks"
    yield Figure(name="signals.combine", what=told, unit="us", values=in_unit(seconds, "us"))
    seconds = per_call(lambda: table.row(spoken[-1]), request.repeat)
    yield Figure(name="signals.row", what="one bar's columns by name", unit="us", values=in_unit(seconds, "us"))
