"""The tables of the configuration and their defaults. Units stand in the names: `_s` seconds, `_bps` basis points."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from daemon.config.fields import Currency, FilePath, Port, Section, Symbol, UtcTime
from daemon.config.trading import LearningSection, RiskSection, SignalsSection
from domain.instruments import AssetClass, Timeframe

ACCOUNT_NAMES = "1 to 40 of a-z, 0-9, - and _, a letter or digit first"
JournalUrl = Annotated[str, Field(pattern=r"^sqlite:///[^?#]+$", max_length=500, description="sqlite:///PATH")]
LoopbackHost = Literal["127.0.0.1", "::1", "localhost"]
TimeframeName = Annotated[Timeframe, Field(strict=False)]
AssetClassName = Annotated[AssetClass, Field(strict=False)]


class AccountSection(Section):
    """Whose money: an account that cannot lose real money."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description=ACCOUNT_NAMES)] = "main"
    kind: Literal["paper", "demo"] = "paper"
    currency: Currency | None = None
    """None takes the currency that the instruments are quoted in."""
    starting_cash: Annotated[Decimal, Field(ge=1, le=10**12)] = Decimal(10_000)


class BrokerSection(Section):
    """Who executes, and what the embedded paper broker adds to a perfect world."""

    kind: Literal["paper"] = "paper"
    base_url: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    slippage_bps: Annotated[float, Field(ge=0, le=200)] = 1.0
    latency_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Above 0 a market order misses the open it was sent at and fills at the next bar's: bars know no seconds."""
    max_participation: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The largest share of a bar's volume that one order may fill."""
    reject_rate: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class FeedSection(Section):
    """Where bars come from."""

    kind: Literal["recorded", "simulated"] = "simulated"
    path: FilePath | None = None
    timeframe: TimeframeName = Timeframe.H1
    instruments: Annotated[tuple[Symbol, ...], Field(strict=False, max_length=500)] = ()
    """Empty takes every instrument the feed has."""
    asset_class: Annotated[AssetClassName | None, Field(alias="class")] = None
    series: dict[str, Symbol] = {}
    """Which series of an instrument to take where the folder holds several: `EURUSD = "EURUSD_FXCM"`."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 7
    edge: Annotated[float, Field(ge=0, le=1)] | None = None
    """How strongly the simulated market's headlines and trends foretell its moves; None takes the market's own."""
    bars: Annotated[int, Field(ge=100, le=1_000_000)] = 3_000
    """How many bars the simulated market is told in advance in a live run."""


class SentimentSection(Section):
    """News, its calendar, and the pause around it."""

    enabled: bool = True
    headlines: FilePath | None = None
    calendar: FilePath | None = None
    blackout_before_minutes: Annotated[int, Field(ge=0, le=1_440)] = 15
    blackout_after_minutes: Annotated[int, Field(ge=0, le=1_440)] = 60


class ScheduleSection(Section):
    """When jobs run, UTC. A scan runs at each bar close, `scan_delay_s` later."""

    scan_delay_s: Annotated[float, Field(ge=0, le=300)] = 2.0
    reconcile_every_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    equity_every_s: Annotated[int, Field(ge=5, le=86_400)] = 60
    heartbeat_every_s: Annotated[int, Field(ge=1, le=300)] = 10
    data_quality_at: UtcTime = time(6, 0)
    ensemble_weights_at: UtcTime = time(0, 15)


class JournalSection(Section):
    """The durable record. `durability` "full" flushes every commit to the disk, as a demo account must."""

    url: JournalUrl | None = None
    """None puts the journal into the account's state folder."""
    durability: Literal["full", "normal"] | None = None
    """None is full in a live run and normal in a replay or demo."""


class ApiSection(Section):
    """The local API that the commands use. Its token is a secret, made at the first start."""

    enabled: bool = True
    host: LoopbackHost = "127.0.0.1"
    port: Port = 8642
    """0 takes a free port."""


class MetricsSection(Section):
    """Prometheus metrics."""

    enabled: bool = True
    host: LoopbackHost = "127.0.0.1"
    port: Port = 9642


class OperatorSection(Section):
    """The declared simulated operator of replays, demos and backtests; a live run never has one."""

    simulated: bool = False
    resume_after_days: Annotated[float, Field(ge=0, le=365)] = 5.0


class LogsSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Config(Section):
    """Everything the daemon is told, checked. Sections that are left out have their defaults."""

    account: AccountSection = AccountSection()
    broker: BrokerSection = BrokerSection()
    feed: FeedSection = FeedSection()
    signals: SignalsSection = SignalsSection()
    risk: RiskSection = RiskSection()
    learning: LearningSection = LearningSection()
    sentiment: SentimentSection = SentimentSection()
    schedule: ScheduleSection = ScheduleSection()
    journal: JournalSection = JournalSection()
    api: ApiSection = ApiSection()
    metrics: MetricsSection = MetricsSection()
    operator: OperatorSection = OperatorSection()
    logs: LogsSection = LogsSection()
