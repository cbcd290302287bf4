"""From a signal to a decision to its outcome to a labelled sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.instruments import Instrument, Timeframe
from domain.orders import Side


class DecisionStatus(StrEnum):
    ORDERED = "ordered"
    DENIED = "denied"
    """A risk rule or a hold said no; `reason` names it."""
    FILTERED = "filtered"
    """The ML filter or the minimum score said no."""


class ExitCause(StrEnum):
    STOP = "stop"
    TRAILING_STOP = "trailing_stop"
    TARGET = "target"
    REVERSAL = "reversal"
    MOVING_AVERAGE = "moving_average"
    TIME = "time"
    WEEKEND = "weekend"
    NEWS = "news"
    COMMAND = "command"
    UNPROTECTED = "unprotected"
    EMERGENCY = "emergency"
    END_OF_DATA = "end_of_data"
    DUST = "dust"
    """What was bought is too little to be sold."""
    LATE_FILL = "late_fill"
    """An entry filled after its trade was over: it was sold again at once."""


class MlClass(StrEnum):
    PROFITABLE = "profitable"
    UNPROFITABLE = "unprofitable"
    UNKNOWN = "unknown"


class OutcomeKind(StrEnum):
    REAL = "real"
    SHADOW = "shadow"


class SampleSource(StrEnum):
    REAL = "real"
    SHADOW = "shadow"
    BACKTEST = "backtest"
    API = "api"


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One strategy's opinion on one bar."""

    strategy: str
    side: Side
    confidence: float
    reason: str

    def __post_init__(self) -> None:
        if not 0 < self.confidence <= 1:
            raise InvalidRecord(f"{self.strategy}: a confidence of {self.confidence} is not in (0, 1]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """What the ensemble proposes on one closed bar. Prices are mid prices in quote currency.

    `technical_score` is the weighted confidence in [0, 1]; `agreement` the weight share on `side`.
    `bars_since_signal` counts bars since the oldest of the agreeing votes fired.
    """

    instrument: str
    timeframe: Timeframe
    bar_opened_at: datetime
    side: Side
    technical_score: float
    agreement: float
    votes: tuple[Vote, ...]
    entry_price: float
    stop_price: float
    target_price: float
    atr: float
    bars_since_signal: int

    def __post_init__(self) -> None:
        require_utc(self.bar_opened_at, "bar_opened_at")
        if not 0 <= self.technical_score <= 1:
            raise InvalidRecord(f"a technical score of {self.technical_score} is not in [0, 1]")
        sign = self.side.sign
        if not sign * self.stop_price < sign * self.entry_price < sign * self.target_price:
            raise InvalidRecord(
                f"{self.instrument}: a {self.side} at {self.entry_price} with stop {self.stop_price} "
                f"and target {self.target_price}"
            )
        if self.stop_price <= 0 or self.target_price <= 0 or not self.votes:
            raise InvalidRecord(f"{self.instrument}: stop, target and at least one vote are needed")

    @property
    def risk_per_unit(self) -> float:
        """Distance to the stop, in quote currency."""
        return abs(self.entry_price - self.stop_price)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the strategies on the proposed side, strongest first."""
        agreeing = [vote for vote in self.votes if vote.side is self.side]
        return tuple(vote.strategy for vote in sorted(agreeing, key=lambda vote: (-vote.confidence, vote.strategy)))


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentView:
    """Aggregated sentiment of one instrument at one moment. No news is `score` None with an age, never 0.

    `score` and `social_score` in [-1, 1]; `confidence` in [0, 1] grows with evidence; `age_s` seconds since the
    newest text, None if there never was one; `event_score` from calendar surprises and company events.
    """

    score: float | None
    confidence: float
    count: int
    age_s: float | None
    social_score: float | None = None
    event_score: float | None = None

    def __post_init__(self) -> None:
        for name in ("score", "social_score"):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise InvalidRecord(f"{name} is {value}; it must lie in [-1, 1] or be missing")
        if not 0 <= self.confidence <= 1 or self.count < 0:
            raise InvalidRecord(f"sentiment confidence {self.confidence} or count {self.count} is out of range")


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureInputs:
    """Everything a feature vector may be made of, as known at `decided_at`. None means missing.

    `row` holds the signal table's columns at the decided bar, by name. `spread` is a fraction of the price.
    `benchmark_*` compare with the market's benchmark over the table's window; `peer_strength` with the
    instruments of the same class. `external` are point-in-time columns joined as of `decided_at`.
    """

    decided_at: datetime
    instrument: Instrument
    signal: Signal
    row: Mapping[str, float]
    spread: float | None
    sentiment: SentimentView | None = None
    minutes_to_event: float | None = None
    market_open: bool | None = None
    earnings_season: bool | None = None
    days_to_earnings: float | None = None
    benchmark_correlation: float | None = None
    benchmark_momentum: float | None = None
    benchmark_volatility: float | None = None
    peer_strength: float | None = None
    sector_strength: float | None = None
    external: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureVector:
    """Named features frozen at decision time. A missing value is None. `schema` hashes names and versions."""

    schema: str
    values: Mapping[str, float | None]

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if value is not None and not math.isfinite(value):
                raise InvalidRecord(f"feature {name} is {value}; a feature is a finite number or missing")

    def present(self) -> dict[str, float]:
        """The features that are there."""
        return {name: value for name, value in self.values.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class MlView:
    """The filter's opinion. `UNKNOWN` has no probability and no confidence; `why` says what is missing.

    `confidence` is 2|p - 0.5|; `model` names the model version; `seen` counts the labels it learned from.
    `forecast` and `base_rate` are kept only to be scored when the label comes, also while the verdict is unknown:
    what the model would have said, and the share of winners it had seen. Nothing is decided by them.
    """

    verdict: MlClass
    probability: float | None
    confidence: float | None
    threshold: float
    model: str
    seen: int
    why: str = ""
    forecast: float | None = None
    base_rate: float | None = None

    def __post_init__(self) -> None:
        for value in (self.forecast, self.base_rate):
            if value is not None and not 0 < value < 1:
                raise InvalidRecord(f"a forecast or base rate of {value} does not lie in (0, 1)")
        known = self.verdict is not MlClass.UNKNOWN
        if known != (self.probability is not None) or known != (self.confidence is not None):
            raise InvalidRecord(
                f"a verdict of {self.verdict} with probability {self.probability} and confidence {self.confidence}; "
                "a known one has both, an unknown one has neither"
            )
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise InvalidRecord(f"a probability of {self.probability} does not lie in [0, 1]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One bar on which the ensemble named a side, with everything it was decided on.

    `score` is the blended score in [0, 1]. `quantity` and `risk_amount` (account currency) are what was ordered,
    0 where nothing was. `numbers` are the figures that led to `reason`, by name. `strategy_hash` identifies the
    code and settings that proposed.
    """

    decision_id: str
    account: str
    instrument: str
    timeframe: Timeframe
    bar_opened_at: datetime
    decided_at: datetime
    signal: Signal
    features: FeatureVector
    sentiment: SentimentView | None
    ml: MlView
    score: float
    status: DecisionStatus
    reason: str
    quantity: Decimal
    risk_amount: Decimal
    strategy_hash: str
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bar_closed_at = require_utc(self.bar_opened_at, "bar_opened_at") + self.timeframe.span
        if require_utc(self.decided_at, "decided_at") < bar_closed_at:
            raise InvalidRecord(f"decision {self.decision_id} was taken before its bar closed")
        if (self.status is DecisionStatus.ORDERED) != (self.quantity > 0):
            raise InvalidRecord(f"decision {self.decision_id} is {self.status} with a quantity of {self.quantity}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a decision ended: really, or as the shadow that every decision has.

    `r_net` is profit net of all costs in multiples of the initial risk; `mfe_r` and `mae_r` the best and worst
    excursion in the same unit (mae_r <= 0 <= mfe_r). `profit` is account currency net of fees (None for a shadow,
    which holds one virtual unit). Attribution: the agreeing strategies, sentiment state and model version.
    """

    outcome_id: str
    decision_id: str
    kind: OutcomeKind
    instrument: str
    timeframe: Timeframe
    side: Side
    opened_at: datetime
    closed_at: datetime
    entry_price: float
    exit_price: float
    quantity: Decimal
    r_net: float
    return_net: float
    mfe_r: float
    mae_r: float
    bars_held: int
    exit_cause: ExitCause
    costs_r: float
    profit: Decimal | None
    strategies: tuple[str, ...]
    sentiment_state: str
    model: str

    def __post_init__(self) -> None:
        require_utc(self.opened_at, "opened_at")
        if require_utc(self.closed_at, "closed_at") < self.opened_at:
            raise InvalidRecord(f"outcome {self.outcome_id} closed before it opened")
        if not all(math.isfinite(value) for value in (self.r_net, self.return_net, self.mfe_r, self.mae_r)):
            raise InvalidRecord(f"outcome {self.outcome_id} has figures that are not finite")
        if self.mae_r > 0 or self.mfe_r < 0:
            raise InvalidRecord(f"outcome {self.outcome_id}: excursions {self.mae_r} and {self.mfe_r}")

    @property
    def won(self) -> bool:
        return self.r_net > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A labelled decision: its frozen features are read from the decision, never computed again.

    `label` is 1 when net R > 0, else 0.
    """

    decision_id: str
    decided_at: datetime
    resolved_at: datetime
    instrument: str
    side: Side
    strategy: str
    features: FeatureVector
    r_net: float
    label: int
    weight: float
    source: SampleSource

    def __post_init__(self) -> None:
        if require_utc(self.resolved_at, "resolved_at") < require_utc(self.decided_at, "decided_at"):
            raise InvalidRecord(f"sample {self.decision_id} was resolved before it was decided")
        if not math.isfinite(self.r_net) or self.label != int(self.r_net > 0):
            raise InvalidRecord(f"sample {self.decision_id}: label {self.label} at {self.r_net} R")
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise InvalidRecord(f"sample {self.decision_id}: weight {self.weight}")
