"""Strategies' records: shrunk, bounded, recent results a little louder, exact across a checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.decisions import ExitCause, Outcome, OutcomeKind
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from domain.orders import Side
from learning.strategy_record import StrategyRecord, StrategyRecordSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=365)


def outcome(
    index: int,
    r_net: float,
    *strategies: str,
    kind: OutcomeKind = OutcomeKind.SHADOW,
    closed_h: float | None = None,
) -> Outcome:
    closed = START + timedelta(hours=index if closed_h is None else closed_h)
    return Outcome(
        outcome_id=f"o{index}{kind}",
        decision_id=f"d{index}",
        kind=kind,
        instrument="BTCUSDT",
        timeframe=Timeframe.H1,
        side=Side.BUY,
        opened_at=START - timedelta(days=1),
        closed_at=closed,
        entry_price=1.0,
        exit_price=1.0,
        quantity=Decimal(1),
        r_net=r_net,
        return_net=0.0,
        mfe_r=0.0,
        mae_r=0.0,
        bars_held=1,
        exit_cause=ExitCause.STOP,
        costs_r=0.0,
        profit=None,
        strategies=strategies or ("trend",),
        sentiment_state="none",
        model="m",
    )


def test_no_results_give_no_weights_and_one_result_hardly_moves_one() -> None:
    record = StrategyRecord()
    assert record.weights(START) == {}
    record.update(outcome(0, 3.0))
    assert record.weights(LATER) == {"trend": pytest.approx(1 + 3 / 31, rel=1e-5)}


def test_means_are_shrunk_by_thirty_trades_that_earned_nothing() -> None:
    record = StrategyRecord.from_outcomes(outcome(index, -0.4, "trend") for index in range(30))
    assert record.weights(LATER)["trend"] == pytest.approx(1 - 0.4 * 30 / 60)


def test_the_last_day_counts_extra() -> None:
    record = StrategyRecord.from_outcomes(outcome(index, 0.3, closed_h=0.0) for index in range(10))
    weight = record.weights(START + timedelta(hours=23))["trend"]
    assert weight == pytest.approx(1 + 3 / 40 + 0.5 * 3 / 20)
    assert record.weights(START + timedelta(hours=24))["trend"] == pytest.approx(1 + 3 / 40)


def test_results_after_now_are_not_recent() -> None:
    record = StrategyRecord.from_outcomes([outcome(0, 3.0, closed_h=5.0)])
    assert record.weights(START)["trend"] == pytest.approx(1 + 3 / 31, rel=1e-5)


def test_a_decision_counts_once_whether_real_or_shadow_lands_first() -> None:
    record = StrategyRecord()
    assert record.update(outcome(1, 2.0, kind=OutcomeKind.REAL))
    assert not record.update(outcome(1, -1.0))
    assert record.counts() == {"trend": 1}


def test_every_agreeing_strategy_gets_the_result() -> None:
    record = StrategyRecord.from_outcomes([outcome(0, 1.0, "trend", "breakout"), outcome(1, 1.0, "breakout")])
    assert record.counts() == {"breakout": 2, "trend": 1}
    weights = record.weights(LATER)
    assert list(weights) == ["breakout", "trend"]
    assert weights["breakout"] > weights["trend"] > 1


@settings(deadline=None)
@given(results=st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 2000)), max_size=80))
def test_weights_stay_in_bounds_and_checkpoints_continue_exactly(results: list[tuple[float, int]]) -> None:
    whole, broken = StrategyRecord(), StrategyRecord()
    for index, (r_net, hour) in enumerate(results):
        one = outcome(index, r_net, "trend" if index % 3 else "breakout", closed_h=hour)
        broken = StrategyRecord.restore(broken.checkpoint())
        assert whole.update(one) == broken.update(one)
        now = one.closed_at
        assert whole.weights(now) == broken.weights(now)
        assert all(0.5 <= weight <= 1.5 for weight in whole.weights(now).values())
    assert whole.checkpoint() == broken.checkpoint()


def test_a_snapshot_stays_what_it_was_while_results_come_in() -> None:
    record = StrategyRecord.from_outcomes([outcome(0, 1.0)])
    then, text = record.snapshot(), record.checkpoint()
    record.update(outcome(1, -1.0))
    assert then() == text != record.checkpoint()


def test_what_can_no_longer_matter_is_forgotten() -> None:
    record = StrategyRecord()
    for index in range(24 * 100):
        record.update(outcome(index, 0.1))
    assert len(record.checkpoint()) < 25_000
    assert record.counts() == {"trend": 2400}


def test_a_damaged_checkpoint_is_refused() -> None:
    good = StrategyRecord.from_outcomes([outcome(0, 1.0)]).checkpoint()
    for text in ("", "[]", "{}", good.replace('"format":1', '"format":7'), good.replace("1.0", '"x"')):
        with pytest.raises(InvalidInput):
            StrategyRecord.restore(text)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidInput):
        StrategyRecordSettings(lowest_weight=1.2)
    with pytest.raises(InvalidInput):
        StrategyRecordSettings(shrink_trades=0)
