"""What a short real replay left behind: samples, intents, bars, for benchmarks of single parts to work on."""

from __future__ import annotations

from pathlib import Path

from bench.processes import ratchet
from bench.request import TIMEFRAME, Request
from domain.instruments import Timeframe
from market.recorded import RecordedFeed, load_folder
from market.registry import Registry

BARS = 1_500


def feed(request: Request) -> RecordedFeed:
    """The candles as a replay loads them."""
    return load_folder(request.candles, Timeframe(TIMEFRAME), registry=Registry.shipped())


def journal(request: Request) -> Path:
    """The journal of a replay of 1,500 bars of each instrument."""
    arguments = request.replay_arguments("story", "--max-bars", str(BARS))
    ratchet(arguments)
    (found,) = Path(arguments[arguments.index("--state") + 1]).glob("*/journal.sqlite")
    return found
