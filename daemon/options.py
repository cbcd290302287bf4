"""What a replay and a demo are asked for; made by the command line, used by the daemon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from daemon.config.sections import Config
from domain.clock import require_utc
from domain.errors import InvalidInput
from domain.instruments import Timeframe


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayOptions:
    """One replay of recorded candles. None means: as the data or the configuration says.

    `speed` is simulated seconds for one real second, None as fast as it goes. `series` chooses, by symbol, among
    several series of one instrument. `start` is the first and `end` the last moment, `max_bars` the most bars of
    each instrument. `metrics_port` and `api_port` None serve none. `quiet` shows no progress.
    """

    folder: Path
    timeframe: Timeframe
    config: Config
    speed: float | None = None
    currency: str | None = None
    cash: Decimal | None = None
    series: Mapping[str, str] = field(default_factory=dict)
    asset_class: str | None = None
    instruments: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    max_bars: int | None = None
    calendar: Path | None = None
    headlines: Path | None = None
    external: Path | None = None
    simulated_operator: bool = True
    seed: int = 7
    state: Path | None = None
    metrics_port: int | None = None
    api_port: int | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment is not None:
                require_utc(moment, name)
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise InvalidInput(f"the replay would end at {self.end.isoformat()}, not after it starts")
        if self.speed is not None and self.speed <= 0:
            raise InvalidInput(f"a speed of {self.speed} never ends; allowed is max or a number above 0")
        if self.max_bars is not None and self.max_bars < 1:
            raise InvalidInput(f"{self.max_bars} bars are nothing to replay; allowed is 1 or more")
        if self.cash is not None and self.cash <= 0:
            raise InvalidInput(f"a starting cash of {self.cash} trades nothing; allowed is above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """One demo on the simulated market.

    `edge` is how strongly the market's past foretells its future; None takes the market's own default.
    `compare_edge_zero` runs the same market once more without it and tells the difference.
    """

    config: Config
    instruments: int = 10
    bars: int = 2_000
    seed: int = 7
    edge: float | None = None
    compare_edge_zero: bool = True
    state: Path | None = None
    metrics_port: int | None = None
    api_port: int | None = None
    simulated_operator: bool = True
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.instruments < 1 or self.bars < 1:
            raise InvalidInput(f"{self.instruments} instruments over {self.bars} bars are no market to trade")
        if self.edge is not None and not 0 <= self.edge <= 1:
            raise InvalidInput(f"an edge of {self.edge} is not in [0, 1]")
