"""What a run came to, as one document and as a page a person reads. Every figure is read from the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from backtest.statistics import Statistics, periods_per_year_of, summarise
from daemon.wiring import Trading
from domain.decisions import Outcome, OutcomeKind
from domain.learning import EvaluationKind
from domain.records import CashKind, EquityPoint
from journal.reader import Reader
from learning.filter import SignalFilter
from learning.online import OnlineReport
from trading.view import MarketView


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One run. Amounts are account currency; `finished` is False when it was stopped before the feed's end.

    `max_drawdown` is measured from the highest equity of the whole run, also where a resume re-based the peak.
    `bars_played` are those of this process in `elapsed_s`; a run that was continued has more `bars` in its journal.
    """

    title: str
    currency: str
    finished: bool
    bars: int
    instruments: int
    first_at: str | None
    last_at: str | None
    counts: Mapping[str, int]
    decisions: Mapping[str, int]
    silent: Mapping[str, int]
    statistics: Statistics
    shadow_r: float | None
    real_less_shadow_r: float | None
    model: OnlineReport
    sized_by_model: int
    champion: str | None
    """Who speaks at the end: a deployed model, or the online one where it is followed without that; None where nobody
    does."""
    trainings: int
    last_training: str
    holds: Mapping[str, int]
    resumed_by_simulated_operator: int
    incidents: Mapping[str, int]
    equity_start: Decimal
    equity_end: Decimal
    max_drawdown: float | None
    open_positions: int
    bars_played: int
    elapsed_s: float
    journal: str
    notes: tuple[str, ...]
    extra: Mapping[str, Any]

    @property
    def bars_per_s(self) -> float:
        return self.bars_played / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """One document; missing figures are null."""
        return {
            "title": self.title,
            "finished": self.finished,
            "currency": self.currency,
            "instruments": self.instruments,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "bars": self.bars,
            "decisions": self.counts["decisions"],
            "decisions_by_reason": dict(self.decisions),
            "bars_without_proposal": dict(self.silent),
            "orders": self.counts["orders"],
            "fills": self.counts["fills"],
            "trades_closed": self.counts["trades_closed"],
            "open_positions": self.open_positions,
            "outcomes": self.counts["outcomes"],
            "samples": self.counts["samples"],
            "online_updates": self.model.updates,
            "model": {
                **_model_json(self.model, self.sized_by_model),
                "champion": self.champion,
                "trainings": self.trainings,
                "last_training": self.last_training,
            },
            "statistics": asdict(self.statistics),
            "shadow_mean_r": self.shadow_r,
            "real_less_shadow_r": self.real_less_shadow_r,
            "equity_start": str(self.equity_start),
            "equity_end": str(self.equity_end),
            "max_drawdown": self.max_drawdown,
            "holds": dict(self.holds),
            "resumed_by_simulated_operator": self.resumed_by_simulated_operator,
            "incidents": dict(self.incidents),
            "notes": list(self.notes),
            "elapsed_s": round(self.elapsed_s, 3),
            "bars_per_s": round(self.bars_per_s, 1),
            "journal": self.journal,
            **self.extra,
        }


def summarise_run(
    trading: Trading,
    *,
    title: str,
    finished: bool,
    bars_played: int,
    elapsed_s: float,
    extra: Mapping[str, Any] | None = None,
) -> Summary:
    """Read a run's summary from its journal."""
    read, session = trading.journal.read, trading.session
    outcomes, points, scans = read.outcomes(), read.equity(), read.scans()
    real = [outcome for outcome in outcomes if outcome.kind is OutcomeKind.REAL]
    shadows = {outcome.decision_id: outcome for outcome in outcomes if outcome.kind is OutcomeKind.SHADOW}
    deposits = sum((cash.amount for cash in read.cash() if cash.kind is CashKind.DEPOSIT), Decimal(0))
    statistics = _statistics(real, points, session.view)
    trainings = read.evaluations(EvaluationKind.TRAINING)
    return Summary(
        title=title,
        currency=trading.currency,
        finished=finished,
        bars=sum(scan.bars for scan in scans),
        instruments=len(session.view.tradable),
        first_at=scans[0].at.isoformat() if scans else None,
        last_at=scans[-1].at.isoformat() if scans else None,
        counts=_counts(read, real=len(real), outcomes=len(outcomes)),
        decisions=read.reason_counts(),
        silent=read.scan_reason_totals(),
        statistics=statistics,
        shadow_r=_mean([shadow.r_net for shadow in shadows.values()]),
        real_less_shadow_r=_mean(_differences(real, shadows)),
        model=session.aftermath.model.report(),
        sized_by_model=read.decided_with_model(),
        champion=_speaker(session.aftermath.model),
        trainings=len(trainings),
        last_training=str(trainings[-1].document["reason"]) if trainings else "",
        holds=dict(sorted(Counter(hold.cause.value for hold in read.holds()).items())),
        resumed_by_simulated_operator=sum(1 for each in read.commands() if each.simulated),
        incidents=_incidents(read),
        equity_start=deposits,
        equity_end=points[-1].equity if points else deposits,
        max_drawdown=statistics.equity.max_drawdown,
        open_positions=len(session.books.open_trades()),
        bars_played=bars_played,
        elapsed_s=elapsed_s,
        journal=trading.journal.shown,
        notes=session.feed.report.notes,
        extra=dict(extra or {}),
    )


def _speaker(model: SignalFilter) -> str | None:
    if model.cast.champion is not None:
        return model.cast.champion.model_id
    return model.online.model if model.cast.online_speaks else None


def _statistics(real: list[Outcome], points: list[EquityPoint], view: MarketView) -> Statistics:
    """Annualised by the calendar of the market with the fewest trading days among those traded."""
    classes = {instrument.asset_class for instrument in view.tradable.values()}
    steps = min(periods_per_year_of(each, view.timeframe.span) for each in classes)
    return summarise(real, points, periods_per_year=steps)


def _counts(read: Reader, *, real: int, outcomes: int) -> dict[str, int]:
    rows = read.counts()
    return {
        "decisions": rows["decisions"],
        "orders": read.order_count(),
        "fills": rows["fills"],
        "trades_closed": real,
        "outcomes": outcomes,
        "samples": rows["samples"],
    }


def _differences(real: list[Outcome], shadows: Mapping[str, Outcome]) -> list[float]:
    """Net R of each real trade less that of its own shadow, where both have ended."""
    return [each.r_net - shadows[each.decision_id].r_net for each in real if each.decision_id in shadows]


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _incidents(read: Reader) -> dict[str, int]:
    return dict(sorted(Counter(incident.kind for incident in read.incidents()).items()))


def _model_json(report: OnlineReport, sized: int) -> dict[str, Any]:
    return {
        "name": report.model,
        "labels": report.labels,
        "by_source": dict(report.by_source),
        "may_speak": report.may_speak,
        "why_silent": report.why_silent,
        "trades_sized_by_it": sized,
        "prequential": asdict(report.overall),
        "since_it_speaks": asdict(report.speaking),
        "top_weights": dict(report.top_weights),
    }
