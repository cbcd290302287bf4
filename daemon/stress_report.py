"""What one stressed run came to: which holds fired and when, what was denied, the worst loss, and broken promises."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from daemon.stress_play import Record
from domain.decisions import DecisionStatus
from domain.holds import Effect, Hold, HoldCause
from domain.records import EquityPoint
from market.stress import Scenario

CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fired:
    """The first hold of one cause after the moment. `count` are all of that cause from then on, `undisturbed` those
    that the same market brings without the scenario."""

    cause: str
    effect: str
    scope: str | None
    latched: bool
    since: datetime
    after_bars: int
    after_s: float
    count: int
    undisturbed: int
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """When the first entry was ordered after trading had been held; `at` None when it never was, `why` in words.
    `held_at_end` are the causes of holds that the scenario brought and that were in force when the market ended."""

    at: datetime | None
    after_s: float | None
    why: str
    held_at_end: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StressReport:
    """One scenario. Amounts are account currency, losses and drawdowns positive shares of equity.

    `worst_loss` is from the equity at the moment to the lowest mark at any close after it, `max_drawdown` the largest
    fall from any earlier mark of the whole run. `positions_without_stop` is the largest number of positions that lay
    without enough of a stop when a moment was over. `faults` are promises that were not kept, one sentence each.
    """

    scenario: str
    models: str
    moment: datetime
    equity_at_moment: Decimal
    fired: tuple[Fired, ...]
    worst_loss: float
    worst_loss_amount: Decimal
    worst_at: datetime | None
    max_drawdown: float
    worst_trade_r: float | None
    denied: Mapping[str, int]
    entries: int
    orders: int
    fills: int
    trades_closed: int
    positions_without_stop: int
    resumed: Resumed
    verify: bool
    equity_end: Decimal
    faults: tuple[str, ...]
    journal: str

    def to_json(self) -> dict[str, Any]:
        """The report by its field names; the printer turns times and money to text."""
        return {name: getattr(self, name) for name in self.__slots__}


def report_of(record: Record, *, scenario: Scenario, at: datetime, span: timedelta, calm: Record) -> StressReport:
    """The report of `record` from the moment `at` on; `calm` is the same run undisturbed."""
    before, after = _split(record.points, at)
    start = before[-1].equity
    lowest = min(after, key=lambda point: point.equity, default=before[-1])
    loss = max(start - lowest.equity, Decimal(0))
    ended = [outcome.r_net for outcome in record.outcomes if outcome.closed_at > at]
    decided = [decision for decision in record.decisions if decision.decided_at > at]
    fired = _fired(record, at, span, calm)
    return StressReport(
        scenario=scenario.name,
        models=scenario.models,
        moment=at,
        equity_at_moment=start.quantize(CENT),
        fired=fired,
        worst_loss=round(float(loss / start), 6),
        worst_loss_amount=loss.quantize(CENT),
        worst_at=lowest.at if loss else None,
        max_drawdown=round(_drawdown(record.points), 6),
        worst_trade_r=min(ended, default=None),
        denied=_denied(decision.reason for decision in decided if decision.status is DecisionStatus.DENIED),
        entries=sum(1 for decision in decided if decision.status is DecisionStatus.ORDERED),
        orders=sum(1 for meant in record.orders if meant > at),
        fills=sum(1 for filled in record.fills if filled > at),
        trades_closed=len(ended),
        positions_without_stop=max((standing.bare for standing in record.standings), default=0),
        resumed=_resumed(record, at, calm),
        verify=record.verification.ok,
        equity_end=record.points[-1].equity.quantize(CENT),
        faults=(*_faults(record), *_missing(fired, scenario.must_fire)),
        journal=record.journal,
    )


def _split(points: tuple[EquityPoint, ...], at: datetime) -> tuple[list[EquityPoint], list[EquityPoint]]:
    return [point for point in points if point.at <= at], [point for point in points if point.at > at]


def _drawdown(points: Iterable[EquityPoint]) -> float:
    peak, deepest = Decimal(0), Decimal(0)
    for point in points:
        peak = max(peak, point.equity)
        deepest = max(deepest, 1 - point.equity / peak)
    return float(deepest)


def _denied(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0])))


def _fired(record: Record, at: datetime, span: timedelta, calm: Record) -> tuple[Fired, ...]:
    undisturbed = Counter(hold.cause for hold in calm.holds if hold.since > at)
    found: dict[HoldCause, list[Hold]] = {}
    for hold in sorted(record.holds, key=lambda each: (each.since, -each.effect, each.hold_id)):
        if hold.since > at:
            found.setdefault(hold.cause, []).append(hold)
    return tuple(
        Fired(
            cause=cause.value,
            effect=holds[0].effect.label,
            scope=holds[0].scope,
            latched=holds[0].latched,
            since=holds[0].since,
            after_bars=math.ceil((holds[0].since - at) / span),
            after_s=(holds[0].since - at).total_seconds(),
            count=len(holds),
            undisturbed=undisturbed[cause],
            detail=holds[0].detail,
        )
        for cause, holds in found.items()
    )


# -- whether trading resumed --------------------------------------------------------------------------------------


def _resumed(record: Record, at: datetime, calm: Record) -> Resumed:
    """After the holds that the scenario brought: those of the whole account, where there are any, else of one
    instrument."""
    usual = {hold.hold_id for hold in calm.holds}
    brought = [hold for hold in record.holds if hold.since > at and hold.hold_id not in usual and _blocks(hold)]
    deciding = [hold for hold in brought if hold.scope is None] or brought
    lasting = tuple(sorted({hold.cause.value for hold in brought if _in_force(hold, record.points[-1].at)}))
    if not deciding:
        return Resumed(at=None, after_s=None, why="nothing that the scenario brought held it", held_at_end=lasting)
    first = min(deciding, key=lambda hold: (hold.since, hold.hold_id))
    again = _next_entry(record, first)
    if again is not None:
        ended = [hold for hold in deciding if hold.cleared_at is not None and hold.cleared_at <= again]
        last = max(ended, key=lambda hold: (hold.cleared_at, hold.hold_id), default=first)
        why = f"{last.cause}: {last.cleared_why or 'it holds another instrument'}"
        return Resumed(at=again, after_s=(again - at).total_seconds(), why=why, held_at_end=lasting)
    if any(hold.latched for hold in deciding if hold.cleared_at is None):
        why = "only a person clears what latched, and nobody did"
    else:
        why = "still held" if lasting else "every hold ended, and nothing was proposed and approved after that"
    return Resumed(at=None, after_s=None, why=why, held_at_end=lasting)


def _next_entry(record: Record, hold: Hold) -> datetime | None:
    """When the first entry was ordered in what `hold` covers, after it was set."""
    entries = (
        decision.decided_at
        for decision in record.decisions
        if decision.status is DecisionStatus.ORDERED
        and decision.decided_at > hold.since
        and hold.covers(decision.instrument)
    )
    return min(entries, default=None)


def _blocks(hold: Hold) -> bool:
    return hold.effect >= Effect.NO_ENTRIES


# -- promises -----------------------------------------------------------------------------------------------------


def _missing(fired: tuple[Fired, ...], must_fire: HoldCause | None) -> list[str]:
    if must_fire is None or any(each.cause == must_fire for each in fired):
        return []
    return [f"no {must_fire} hold was set, and this scenario must bring one"]


def _faults(record: Record) -> list[str]:
    """What must be so in every run, whatever happens to the market."""
    bare = [standing for standing in record.standings if standing.bare]
    faults = [f"verify: {check.name}: {check.detail}" for check in record.verification.checks if not check.ok]
    if bare:
        first = bare[0].at.isoformat()
        faults.append(f"{len(bare)} moments ended with a position without enough of a stop, the first {first}")
    return [*faults, *_unheld_losses(record), *_entries_under_holds(record)]


def _unheld_losses(record: Record) -> list[str]:
    """Marks that crossed a loss limit while its hold was not in force; judged here anew, from the marks alone."""
    limits = record.limits
    limit_of = {
        HoldCause.EMERGENCY: limits.emergency_drawdown,
        HoldCause.DRAWDOWN: limits.max_drawdown,
        HoldCause.DAILY_LOSS: limits.daily_loss,
        HoldCause.WEEKLY_LOSS: limits.weekly_loss,
    }
    faults = []
    day_start = week_start = previous = record.points[0]
    for point in record.points:
        if point.at.date() != previous.at.date():
            day_start = previous
            if point.at.isocalendar()[:2] != previous.at.isocalendar()[:2]:
                week_start = previous
        references = {
            HoldCause.EMERGENCY: point.peak,
            HoldCause.DRAWDOWN: point.peak,
            HoldCause.DAILY_LOSS: day_start.equity,
            HoldCause.WEEKLY_LOSS: week_start.equity,
        }
        for cause, reference in references.items():
            crossed = point.equity <= reference * (1 - limit_of[cause])
            if crossed and not _held(record.holds, cause, point.at):
                faults.append(
                    f"equity {point.equity:.2f} at {point.at.isoformat()} is {1 - point.equity / reference:.2%} below "
                    f"{reference:.2f}, and no {cause} hold was in force"
                )
        previous = point
    return faults[:1]


def _entries_under_holds(record: Record) -> list[str]:
    """Entries that were ordered while a hold forbade them."""
    blocking = [hold for hold in record.holds if _blocks(hold)]
    for decision in record.decisions:
        if decision.status is not DecisionStatus.ORDERED:
            continue
        for hold in blocking:
            if hold.covers(decision.instrument) and _in_force(hold, decision.decided_at):
                return [
                    f"an entry in {decision.instrument} was ordered at {decision.decided_at.isoformat()} under a "
                    f"{hold.cause} hold of {hold.since.isoformat()}"
                ]
    return []


def _held(holds: Iterable[Hold], cause: HoldCause, at: datetime) -> bool:
    return any(hold.cause is cause and _in_force(hold, at) for hold in holds)


def _in_force(hold: Hold, at: datetime) -> bool:
    ended = hold.cleared_at is not None and hold.cleared_at <= at
    return hold.since <= at and not ended and (hold.until is None or at < hold.until)
