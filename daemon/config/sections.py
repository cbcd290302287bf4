"""The tables of the configuration and their defaults. Units stand in the names: `_s` seconds, `_bps` basis points."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from daemon.config.fields import Currency, FilePath, Port, Section, Symbol, UtcTime
from daemon.config.learning import LearningSection, TrainingSection
from daemon.config.trading import PortfolioSection, RiskSection, SignalsSection
from domain.instruments import AssetClass, Timeframe

ACCOUNT_NAMES = "1 to 40 of a-z, 0-9, - and _, a letter or digit first"
VenueName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9]{1,29}$", description="a venue's name in small letters, such as binance")
]
JournalUrl = Annotated[str, Field(pattern=r"^sqlite:///[^?#]+$", max_length=500, description="sqlite:///PATH")]
LoopbackHost = Literal["127.0.0.1", "::1", "localhost"]
TimeframeName = Annotated[Timeframe, Field(strict=False)]
AssetClassName = Annotated[AssetClass, Field(strict=False)]


class AccountSection(Section):
    """Whose money: an account that cannot lose real money."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description=ACCOUNT_NAMES)] = "main"
    """Names the account's folder in the state directory: one folder, one journal, one account."""
    kind: Literal["paper", "demo"] = "paper"
    """The embedded paper account, or a venue's demo account. Unless given it follows `broker.kind`."""
    currency: Currency | None = None
    """None takes the currency that the instruments are quoted in, USD where there are several."""
    jurisdiction: Literal["none", "esma_retail", "us_retail_forex"] = "none"
    """Whose rules the account lives under: leverage, margin close-out, hedges and FIFO; see docs/risk.md."""
    hedging: bool = False
    """Whether the venue keeps opposed positions apart instead of netting them."""
    fifo: bool = False
    """First in, first out, also where the jurisdiction does not ask for it."""
    no_hedge: bool = False
    """No opposed positions, also where the jurisdiction does not ask for it."""
    permitted: list[Symbol] = []
    """The only instruments that may be entered; empty permits all that are traded."""
    forbidden: list[Symbol] = []
    """Instruments that may not be entered."""
    starting_cash: Annotated[Decimal, Field(ge=1, le=10**12)] = Decimal(10_000)
    """What a new paper account begins with, in its currency; an account that exists keeps what it has. A replay in INR,
    JPY or KRW begins with a larger sum unless this is set."""


class BrokerSection(Section):
    """Who executes, and what the embedded paper broker adds to a perfect world."""

    kind: Literal["paper", "ccxt"] = "paper"
    """Who executes: the embedded paper broker, or a venue's demo account through ccxt."""
    venue: VenueName | None = None
    """The venue of the demo account, such as binance, bybit or okx; `ratchet check` tells whether it has one."""
    market: Literal["spot", "linear"] = "spot"
    """Which of the venue's markets is traded: coins paid for in full (long only), or perpetual futures settled in what
    they are quoted in (long and short)."""
    account: Literal["demo"] = "demo"
    """What the key opens. There is no other choice: a real-money account is absent, not disabled."""
    base_url: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Where every address of the venue is pointed instead, for tests: this machine or one of its demo hosts."""
    slippage_bps: Annotated[float, Field(ge=0, le=200)] = 1.0
    """The expected adverse move of market orders and stops; each order's own lies between 0 and twice that."""
    latency_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Above 0 a market order misses the open it was sent at and fills at the next bar's: bars know no seconds."""
    max_participation: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The largest share of a bar's volume that one order may fill."""
    reject_rate: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """The share of new orders that the paper venue refuses for no reason."""


class FeedSection(Section):
    """Where bars come from."""

    kind: Literal["recorded", "simulated", "venue"] = "simulated"
    """What a live run follows. With a venue's account it is that venue's candles, unless given. Recorded candles are no
    live market: they are played with `ratchet run --replay DIR`."""
    path: FilePath | None = None
    """The folder of recorded candles, which `ratchet check` looks at; a replay takes its folder from the command."""
    timeframe: TimeframeName = Timeframe.H1
    """The length of a bar that is decided on."""
    instruments: Annotated[tuple[Symbol, ...], Field(strict=False, max_length=500)] = ()
    """Empty takes every instrument of a folder, and the first ten of the simulated market; a venue's must be named:
    BTCUSDT, say."""
    asset_class: Annotated[AssetClassName | None, Field(alias="class")] = None
    """The class of symbols that do not tell theirs, in a replay."""
    series: dict[str, Symbol] = {}
    """Which series of an instrument to take where the folder holds several: `EURUSD = "EURUSD_FXCM"`."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 7
    """The seed of the simulated market, and of what the paper broker draws."""
    edge: Annotated[float, Field(ge=0, le=1)] | None = None
    """How strongly the simulated market's headlines and trends foretell its moves; None is 1 in a demo and 0.5 in a
    live run."""
    history: Annotated[int, Field(ge=100, le=5_000)] = 400
    """How many bars before the account's first start a venue's instruments are known from; indicators begin there."""
    patience_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """How long after a bar's close the scan waits for a venue's late candle, at most a quarter of the bar."""
    fallback: Literal["twelvedata"] | None = None
    """Who is asked for candles that the venue does not give; its key is the secret `twelvedata_key`."""
    bars: Annotated[int, Field(ge=100, le=1_000_000)] = 3_000
    """How many bars the simulated market is told in advance in a live run."""


class SentimentSection(Section):
    """News, its calendar, and the pause around it."""

    enabled: bool = True
    """Whether texts are read at all; without them sentiment is missing, not neutral."""
    headlines: FilePath | None = None
    """Texts for a replay, one JSON object a line; none takes headlines.jsonl beside the candles, where there is one."""
    calendar: FilePath | None = None
    """Scheduled events for a replay; without a calendar there is no blackout."""
    blackout_before_minutes: Annotated[int, Field(ge=0, le=1_440)] = 15
    """How long before a high-impact event of one of its currencies an instrument is not entered."""
    blackout_after_minutes: Annotated[int, Field(ge=0, le=1_440)] = 60
    """How long after it."""


class ScheduleSection(Section):
    """When jobs run, UTC. A scan runs at each bar close, `scan_delay_s` later."""

    scan_delay_s: Annotated[float, Field(ge=0, le=300)] = 2.0
    """How long after a bar's close a live scan begins, at most a quarter of the bar."""
    reconcile_every_s: Annotated[int, Field(ge=5, le=3_600)] = 30
    """How often our books are compared with the venue's."""
    watch_every_s: Annotated[float, Field(ge=0.2, le=60)] = 1.0
    """How often, with a venue's account, open orders are asked about and every position's stop is looked for."""
    equity_every_s: Annotated[int, Field(ge=5, le=86_400)] = 60
    """How often a live run values the account between scans."""
    heartbeat_every_s: Annotated[int, Field(ge=1, le=300)] = 10
    """How often a live run tells systemd its status line."""
    data_quality_at: UtcTime = time(6, 0)
    """When the day's data are looked over."""
    ensemble_weights_at: UtcTime = time(0, 15)
    """When the strategies' weights are taken from their records."""
    portfolio_weights_at: UtcTime = time(0, 30)
    """When portfolio weights are computed anew."""
    evaluation_at: UtcTime = time(1, 0)
    """When the day's evaluation of the models is made, and a champion that fell behind is rolled back."""
    drift_at: UtcTime = time(1, 30)
    """When, on Saturdays, features are compared with those of training."""
    retraining_at: UtcTime = time(2, 0)
    """When, on Sundays, a challenger is trained and judged."""
    comprehensive_at: UtcTime = time(3, 0)
    """When, on the first of a month, everything is evaluated and trained regardless."""


class JournalSection(Section):
    """The durable record. `durability` "full" flushes every commit to the disk, as a demo account must."""

    url: JournalUrl | None = None
    """None puts the journal into the account's state folder."""
    durability: Literal["full", "normal"] | None = None
    """None is full in a live run and normal in a replay or demo."""


class ApiSection(Section):
    """The local API that the commands use. Its token is a secret, made at the first start."""

    enabled: bool = True
    """Whether a live run serves the API; without it no command reaches the daemon."""
    host: LoopbackHost = "127.0.0.1"
    """This machine only."""
    port: Port = 8642
    """0 takes a free port."""


class MetricsSection(Section):
    """Prometheus metrics."""

    enabled: bool = True
    """Whether a live run serves `/metrics`."""
    host: LoopbackHost = "127.0.0.1"
    """This machine only."""
    port: Port = 9642
    """0 takes a free port."""


class OperatorSection(Section):
    """The declared simulated operator of replays, demos and backtests; a live run never has one."""

    simulated: bool = False
    """Must stay false for a live run, which is refused otherwise. Replays and demos have their own switch,
    `--operator`."""
    resume_after_days: Annotated[float, Field(ge=0, le=365)] = 5.0
    """How long a latched hold stands in a replay or demo before the simulated operator resumes."""


class LogsSection(Section):
    """What is logged, on stderr. Secrets are masked."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is logged. For replays and demos info means warning."""
    format: Literal["console", "json"] = "console"
    """Lines for people, or one JSON object a line."""


class Config(Section):
    """Everything the daemon is told, checked. Sections that are left out have their defaults."""

    account: AccountSection = AccountSection()
    broker: BrokerSection = BrokerSection()
    feed: FeedSection = FeedSection()
    signals: SignalsSection = SignalsSection()
    risk: RiskSection = RiskSection()
    portfolio: PortfolioSection = PortfolioSection()
    learning: LearningSection = LearningSection()
    training: TrainingSection = TrainingSection()
    sentiment: SentimentSection = SentimentSection()
    schedule: ScheduleSection = ScheduleSection()
    journal: JournalSection = JournalSection()
    api: ApiSection = ApiSection()
    metrics: MetricsSection = MetricsSection()
    operator: OperatorSection = OperatorSection()
    logs: LogsSection = LogsSection()
