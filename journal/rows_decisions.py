"""Decisions, outcomes and samples as rows, and back."""

from __future__ import annotations

from decimal import Decimal

from domain.decisions import (
    Decision,
    DecisionStatus,
    ExitCause,
    FeatureVector,
    MlClass,
    MlView,
    Outcome,
    OutcomeKind,
    Sample,
    SampleSource,
    SentimentView,
    Signal,
    Vote,
)
from domain.errors import InvalidRecord
from domain.instruments import Timeframe
from domain.orders import Side
from journal.codec import (
    AnyRow,
    RowValues,
    decimal_or_none,
    decimal_or_null,
    decimal_text,
    features_text,
    free_text,
    json_text,
    micros,
    moment,
    parsed,
)


def decision_row(decision: Decision) -> RowValues:
    """Its signal must be of the same bar: instrument, timeframe and bar are stored once."""
    signal = decision.signal
    told = (signal.instrument, signal.timeframe, signal.bar_opened_at)
    if told != (decision.instrument, decision.timeframe, decision.bar_opened_at):
        raise InvalidRecord(f"decision {decision.decision_id} was taken on a signal of another bar: {told}")
    return (
        decision.decision_id,
        decision.account,
        decision.instrument,
        decision.timeframe.value,
        micros(decision.bar_opened_at),
        micros(decision.decided_at),
        *_signal_values(signal),
        decision.features.schema,
        features_text(decision.features.values),
        *_sentiment_values(decision.sentiment),
        *_ml_values(decision.ml),
        float(decision.score),
        decision.status.value,
        free_text(decision.reason),
        decimal_text(decision.quantity),
        decimal_text(decision.risk_amount),
        decision.strategy_hash,
        json_text(dict(decision.numbers)),
    )


def _signal_values(signal: Signal) -> RowValues:
    votes = [
        {"strategy": vote.strategy, "side": vote.side.value, "confidence": vote.confidence, "reason": vote.reason}
        for vote in signal.votes
    ]
    return (
        signal.side.value,
        float(signal.technical_score),
        float(signal.agreement),
        float(signal.entry_price),
        float(signal.stop_price),
        float(signal.target_price),
        float(signal.atr),
        int(signal.bars_since_signal),
        json_text(votes),
    )


def _sentiment_values(view: SentimentView | None) -> RowValues:
    """No view at all is a missing count."""
    if view is None:
        return (None,) * 6
    return (int(view.count), view.score, float(view.confidence), view.age_s, view.social_score, view.event_score)


def _ml_values(view: MlView) -> RowValues:
    return (
        view.verdict.value,
        view.probability,
        view.confidence,
        view.forecast,
        view.base_rate,
        float(view.threshold),
        view.model,
        int(view.seen),
        free_text(view.why),
    )


def decision_of(row: AnyRow) -> Decision:
    timeframe = Timeframe(row.timeframe)
    bar_opened_at = moment(row.bar_opened_at)
    return Decision(
        decision_id=row.decision_id,
        account=row.account,
        instrument=row.instrument,
        timeframe=timeframe,
        bar_opened_at=bar_opened_at,
        decided_at=moment(row.decided_at),
        signal=Signal(
            instrument=row.instrument,
            timeframe=timeframe,
            bar_opened_at=bar_opened_at,
            side=Side(row.side),
            technical_score=row.technical_score,
            agreement=row.agreement,
            votes=tuple(Vote(**{**vote, "side": Side(vote["side"])}) for vote in parsed(row.votes)),
            entry_price=row.entry_price,
            stop_price=row.stop_price,
            target_price=row.target_price,
            atr=row.atr,
            bars_since_signal=row.bars_since_signal,
        ),
        features=features_of(row),
        sentiment=_sentiment_of(row),
        ml=_ml_of(row),
        score=row.score,
        status=DecisionStatus(row.status),
        reason=row.reason,
        quantity=Decimal(row.quantity),
        risk_amount=Decimal(row.risk_amount),
        strategy_hash=row.strategy_hash,
        numbers=parsed(row.numbers),
    )


def features_of(row: AnyRow) -> FeatureVector:
    return FeatureVector(schema=row.feature_schema, values=parsed(row.features))


def _sentiment_of(row: AnyRow) -> SentimentView | None:
    if row.sentiment_count is None:
        return None
    return SentimentView(
        score=row.sentiment_score,
        confidence=row.sentiment_confidence,
        count=row.sentiment_count,
        age_s=row.sentiment_age_s,
        social_score=row.social_score,
        event_score=row.event_score,
    )


def _ml_of(row: AnyRow) -> MlView:
    return MlView(
        verdict=MlClass(row.ml_verdict),
        probability=row.ml_probability,
        confidence=row.ml_confidence,
        forecast=row.ml_forecast,
        base_rate=row.ml_base_rate,
        threshold=row.ml_threshold,
        model=row.ml_model,
        seen=row.ml_seen,
        why=row.ml_why,
    )


def outcome_row(outcome: Outcome) -> RowValues:
    return (
        outcome.outcome_id,
        outcome.decision_id,
        outcome.kind.value,
        outcome.instrument,
        outcome.timeframe.value,
        outcome.side.value,
        micros(outcome.opened_at),
        micros(outcome.closed_at),
        float(outcome.entry_price),
        float(outcome.exit_price),
        decimal_text(outcome.quantity),
        float(outcome.r_net),
        float(outcome.return_net),
        float(outcome.mfe_r),
        float(outcome.mae_r),
        int(outcome.bars_held),
        outcome.exit_cause.value,
        float(outcome.costs_r),
        decimal_or_null(outcome.profit),
        json_text(outcome.strategies),
        outcome.sentiment_state,
        outcome.model,
    )


def outcome_of(row: AnyRow) -> Outcome:
    return Outcome(
        outcome_id=row.outcome_id,
        decision_id=row.decision_id,
        kind=OutcomeKind(row.kind),
        instrument=row.instrument,
        timeframe=Timeframe(row.timeframe),
        side=Side(row.side),
        opened_at=moment(row.opened_at),
        closed_at=moment(row.closed_at),
        entry_price=row.entry_price,
        exit_price=row.exit_price,
        quantity=Decimal(row.quantity),
        r_net=row.r_net,
        return_net=row.return_net,
        mfe_r=row.mfe_r,
        mae_r=row.mae_r,
        bars_held=row.bars_held,
        exit_cause=ExitCause(row.exit_cause),
        costs_r=row.costs_r,
        profit=decimal_or_none(row.profit),
        strategies=tuple(parsed(row.strategies)),
        sentiment_state=row.sentiment_state,
        model=row.model,
    )


def sample_row(sample: Sample) -> RowValues:
    """Without its features: those are the decision's and are stored with it."""
    return (
        sample.decision_id,
        micros(sample.decided_at),
        micros(sample.resolved_at),
        sample.instrument,
        sample.side.value,
        sample.strategy,
        float(sample.r_net),
        int(sample.label),
        float(sample.weight),
        sample.source.value,
    )


def sample_of(row: AnyRow) -> Sample:
    """From a sample's row joined with `feature_schema` and `features` of its decision."""
    return Sample(
        decision_id=row.decision_id,
        decided_at=moment(row.decided_at),
        resolved_at=moment(row.resolved_at),
        instrument=row.instrument,
        side=Side(row.side),
        strategy=row.strategy,
        features=features_of(row),
        r_net=row.r_net,
        label=row.label,
        weight=row.weight,
        source=SampleSource(row.source),
    )
