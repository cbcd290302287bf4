"""What the breakers and budgets remember between events: frozen, and the same after a JSON round trip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.numbers import ZERO, significant
from domain.orders import Side

VERSION = 2
"""1 had no emergency, throttle or execution quality: it is read as a state in which none of them has happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One entry that was sent. `decision_id` is "" where the sender did not say."""

    at: datetime
    instrument: str
    side: Side
    decision_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskState:
    """Money is account currency. Only `risk.breakers.step` makes the next state.

    `peak` is the highest equity (balance plus floating), scaled with deposits and withdrawals so that those change
    no drawdown; `pending_cash` is money that moved since the last mark. `day` and `week` (its Monday) are UTC
    dates with the equity they started from, and whether their loss limit was crossed. `losses_until` ends the rest
    after consecutive losses; `cooldowns` are rests by instrument. `order_times` are the messages of the last
    minute, `orders_today` counts those of `orders_day`. `rejections` are the venue's, with their instrument.

    `emergency_latched` and `margin_latched`: everything was to be closed. `throttled`: one entry was repeated too
    often. These and `drawdown_latched` wait for a person. `refusals` are the times of all entries the venue refused
    lately; `excess_slippages` are the last fills with their instrument and how much worse than modelled they were, as
    a fraction of the price; `quality_until` ends the rest that either of them brought.
    """

    peak: Decimal
    day: date
    day_start_equity: Decimal
    week: date
    week_start_equity: Decimal
    pending_cash: Decimal = ZERO
    drawdown_latched: bool = False
    day_lost: bool = False
    week_lost: bool = False
    consecutive_losses: int = 0
    losses_until: datetime | None = None
    cooldowns: Mapping[str, datetime] = field(default_factory=dict)
    order_times: tuple[datetime, ...] = ()
    orders_day: date | None = None
    orders_today: int = 0
    executions: tuple[Execution, ...] = ()
    rejections: tuple[tuple[datetime, str], ...] = ()
    rebased_at: datetime | None = None
    emergency_latched: bool = False
    margin_latched: bool = False
    throttled: bool = False
    refusals: tuple[datetime, ...] = ()
    excess_slippages: tuple[tuple[datetime, str, Decimal], ...] = ()
    quality_until: datetime | None = None

    def __post_init__(self) -> None:
        if not (self.peak > 0 and self.peak.is_finite()):
            raise InvalidRecord(f"risk state: an equity peak of {self.peak} is not a finite amount above 0")
        if self.consecutive_losses < 0 or self.orders_today < 0:
            raise InvalidRecord(
                f"risk state: {self.consecutive_losses} losses and {self.orders_today} orders cannot be negative"
            )
        if not all(excess.is_finite() for _, _, excess in self.excess_slippages):
            raise InvalidRecord("risk state: a slippage that is not a finite fraction of a price")

    @classmethod
    def starting(cls, equity: Decimal, at: datetime) -> RiskState:
        """The state of an account that starts with `equity` at `at`."""
        today = require_utc(at, "at").date()
        return cls(peak=equity, day=today, day_start_equity=equity, week=monday_of(today), week_start_equity=equity)

    @property
    def latched(self) -> tuple[str, ...]:
        """The breakers that only a person opens and that are open now, by name."""
        named = {
            "emergency": self.emergency_latched,
            "margin": self.margin_latched,
            "drawdown": self.drawdown_latched,
            "repeated_execution": self.throttled,
        }
        return tuple(name for name, is_latched in named.items() if is_latched)

    def drawdown(self, equity: Decimal) -> float:
        """1 - equity/peak, at least 0, at six significant digits; money that just moved is left out of it."""
        return max(0.0, significant(float(1 - (equity - self.pending_cash) / self.peak)))

    @property
    def week_ends(self) -> date:
        """The Monday after `week`."""
        return self.week + timedelta(days=7)

    def to_json(self) -> str:
        """One line of JSON with sorted keys: equal states give equal text."""
        return json.dumps({"version": VERSION, **_plain(self)}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> RiskState:
        """The state that `to_json` wrote; raises `InvalidRecord` for anything else."""
        try:
            return _parsed(json.loads(text))
        except (ValueError, TypeError, LookupError, InvalidOperation) as problem:
            raise InvalidRecord(f"the stored risk state cannot be read: {problem}") from problem


def monday_of(day: date) -> date:
    """The Monday on which the week of `day` starts."""
    return day - timedelta(days=day.weekday())


def _plain(state: RiskState) -> dict[str, object]:
    return {
        "peak": str(state.peak),
        "day": state.day.isoformat(),
        "day_start_equity": str(state.day_start_equity),
        "week": state.week.isoformat(),
        "week_start_equity": str(state.week_start_equity),
        "pending_cash": str(state.pending_cash),
        "drawdown_latched": state.drawdown_latched,
        "day_lost": state.day_lost,
        "week_lost": state.week_lost,
        "consecutive_losses": state.consecutive_losses,
        "losses_until": _iso(state.losses_until),
        "cooldowns": {instrument: until.isoformat() for instrument, until in state.cooldowns.items()},
        "order_times": [at.isoformat() for at in state.order_times],
        "orders_day": _iso(state.orders_day),
        "orders_today": state.orders_today,
        "executions": [
            [each.at.isoformat(), each.instrument, each.side, each.decision_id] for each in state.executions
        ],
        "rejections": [[at.isoformat(), instrument] for at, instrument in state.rejections],
        "rebased_at": _iso(state.rebased_at),
        "emergency_latched": state.emergency_latched,
        "margin_latched": state.margin_latched,
        "throttled": state.throttled,
        "refusals": [at.isoformat() for at in state.refusals],
        "excess_slippages": [
            [at.isoformat(), instrument, str(excess)] for at, instrument, excess in state.excess_slippages
        ],
        "quality_until": _iso(state.quality_until),
    }


_SINCE_VERSION_2: dict[str, Any] = {
    "emergency_latched": False,
    "margin_latched": False,
    "throttled": False,
    "refusals": [],
    "excess_slippages": [],
    "quality_until": None,
}


def _parsed(found: dict[str, Any]) -> RiskState:
    if found["version"] == 1:
        found = {**found, **_SINCE_VERSION_2}
    elif found["version"] != VERSION:
        raise InvalidRecord(f"the stored risk state has version {found['version']!r}; this is version {VERSION}")
    return RiskState(
        peak=Decimal(found["peak"]),
        day=date.fromisoformat(found["day"]),
        day_start_equity=Decimal(found["day_start_equity"]),
        week=date.fromisoformat(found["week"]),
        week_start_equity=Decimal(found["week_start_equity"]),
        pending_cash=Decimal(found["pending_cash"]),
        drawdown_latched=_flag(found, "drawdown_latched"),
        day_lost=_flag(found, "day_lost"),
        week_lost=_flag(found, "week_lost"),
        consecutive_losses=int(found["consecutive_losses"]),
        losses_until=_moment_or_none(found["losses_until"]),
        cooldowns={instrument: _moment(until) for instrument, until in sorted(_object(found, "cooldowns").items())},
        order_times=tuple(_moment(at) for at in found["order_times"]),
        orders_day=None if found["orders_day"] is None else date.fromisoformat(found["orders_day"]),
        orders_today=int(found["orders_today"]),
        executions=tuple(
            Execution(at=_moment(at), instrument=instrument, side=Side(side), decision_id=decision_id)
            for at, instrument, side, decision_id in found["executions"]
        ),
        rejections=tuple((_moment(at), instrument) for at, instrument in found["rejections"]),
        rebased_at=_moment_or_none(found["rebased_at"]),
        emergency_latched=_flag(found, "emergency_latched"),
        margin_latched=_flag(found, "margin_latched"),
        throttled=_flag(found, "throttled"),
        refusals=tuple(_moment(at) for at in found["refusals"]),
        excess_slippages=tuple(
            (_moment(at), instrument, Decimal(excess)) for at, instrument, excess in found["excess_slippages"]
        ),
        quality_until=_moment_or_none(found["quality_until"]),
    )


def _iso(moment: date | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str) -> datetime:
    return require_utc(datetime.fromisoformat(text), "a stored time")


def _moment_or_none(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _object(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found[name]
    if not isinstance(value, dict):
        raise InvalidRecord(f"the stored risk state has {name} {value!r}; it is an object")
    return value


def _flag(found: dict[str, Any], name: str) -> bool:
    value = found[name]
    if not isinstance(value, bool):
        raise InvalidRecord(f"the stored risk state has {name} {value!r}; it is true or false")
    return value
