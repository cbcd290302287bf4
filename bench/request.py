"""What a benchmark is asked for, and where it finds its candles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL_CANDLES = ROOT.parent / "shared" / "data" / "crypto"
TIMEFRAME = "1h"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """`candles` is a folder of 1h candles, `work` an empty folder of its own, `repeat` how often to measure."""

    candles: Path
    work: Path
    repeat: int

    def replay_arguments(self, state: str, *more: str) -> list[str]:
        """The command line of a replay of the candles, without the program; its state goes to a new folder."""
        folder = self.work / state
        folder.mkdir(parents=True)
        return [
            *("run", "--replay", str(self.candles), "--timeframe", TIMEFRAME, "--speed", "max", "--json"),
            *("--state", str(folder), *more),
        ]
