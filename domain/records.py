"""The smaller facts of the journal: what a scan did, money that moved, who commanded what, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.instruments import Timeframe


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One pass over every instrument whose bar had just closed. `reasons` counts bars by why nothing was proposed."""

    at: datetime
    timeframe: Timeframe
    bars: int
    decisions: int
    reasons: Mapping[str, int]

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class EquityPoint:
    """The account at one moment, in account currency. `drawdown` is 1 - equity/peak, in [0, 1]."""

    at: datetime
    balance: Decimal
    floating: Decimal
    equity: Decimal
    peak: Decimal
    drawdown: float
    exposure: Decimal
    open_positions: int

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


class CashKind(StrEnum):
    DEPOSIT = "deposit"
    REALIZED = "realized"
    FEE = "fee"
    SWAP = "swap"
    FUNDING = "funding"
    DIVIDEND = "dividend"
    RESET = "reset"


@dataclass(frozen=True, kw_only=True, slots=True)
class CashEvent:
    """Money that moved on the account, in account currency; `event_id` is unique and computed from its cause."""

    event_id: str
    kind: CashKind
    at: datetime
    amount: Decimal
    instrument: str | None = None

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Something a person (or the declared simulated operator) told the daemon to do, with who and why."""

    command_id: str
    at: datetime
    name: str
    who: str
    why: str
    arguments: Mapping[str, str]
    simulated: bool = False

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.who or not self.name:
            raise InvalidRecord("a command needs a name and somebody who gave it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Something that should not have happened, and what was done about it."""

    incident_id: str
    at: datetime
    kind: str
    instrument: str | None
    detail: str

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """One run of a scheduled job. `outcome` is done, failed, missed or late."""

    job: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime
    outcome: str
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("due_at", "started_at", "finished_at"):
            require_utc(getattr(self, name), name)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewsItem:
    """One text as received. `received_at` is when we could have known it; `published_at` what it claims."""

    news_id: str
    received_at: datetime
    published_at: datetime
    source: str
    publisher: str
    author: str | None
    text: str
    social: bool = False

    def __post_init__(self) -> None:
        require_utc(self.received_at, "received_at")
        require_utc(self.published_at, "published_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class TextScore:
    """What a scorer made of one text: three probabilities and the mass outside them; they sum to 1."""

    negative: float
    neutral: float
    positive: float
    unknown: float
    model: str

    def __post_init__(self) -> None:
        parts = (self.negative, self.neutral, self.positive, self.unknown)
        if any(not 0 <= part <= 1 for part in parts) or abs(sum(parts) - 1) > 1e-6:
            raise InvalidRecord(f"probabilities {parts} do not lie in [0, 1] and sum to 1")

    @property
    def score(self) -> float:
        """P(positive) - P(negative)."""
        return self.positive - self.negative

    @property
    def label(self) -> str:
        """The most likely of negative, neutral, positive and unknown; ties go to the calmer one."""
        order = (("neutral", self.neutral), ("unknown", self.unknown), ("negative", self.negative))
        best = max((*order, ("positive", self.positive)), key=lambda pair: pair[1])
        return best[0]


class Impact(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    HOLIDAY = "holiday"


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarEvent:
    """A scheduled release. `precise` is False for all-day or tentative events. `actual` may be used only from
    `at` on."""

    event_id: str
    at: datetime
    precise: bool
    currency: str
    impact: Impact
    name: str
    actual: float | None
    forecast: float | None
    previous: float | None

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
