"""What a trade and its shadow earned, against figures computed by hand and against each other."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trading_rig import COIN, HOUR, START, Candle, Rig, config_of, decision_on, flat, instrument, padded, series_of

from domain.costs import CostModel
from domain.decisions import ExitCause, Outcome, OutcomeKind
from domain.orders import Side
from signals.exits import ExitPolicy
from signals.settings import SignalSettings
from signals.table import SignalTable
from trading.bars import Bars
from trading.shadows import ShadowBook

SETTINGS = SignalSettings(warmup_bars=0, time_exit_bars=None)


# -- real trades -------------------------------------------------------------------------------------------------------


async def traded(begin, tape, side=Side.BUY, *, steps: int, known=None, entry=None, **market) -> Outcome:
    rig = await begin(tape, instruments={COIN: known or instrument()}, **market)
    await rig.closes()
    await rig.enter(side, **(entry or {}))
    await rig.opens()
    await rig.step(steps)
    await rig.writer.flush()
    (outcome,) = rig.journal.read.outcomes(kind=OutcomeKind.REAL)
    assert await rig.faults() == []
    return outcome


async def test_a_long_trade_stopped_out_costs_spread_fee_and_the_night(begin):
    # Bought at 100 + 0.1 (half the spread), held over one midnight that opens at 101, sold at its stop of 95.
    night = [Candle(100, 100, 100, 100, half_spread=0.1)] * 24 + [Candle(101, 101, 101, 101, half_spread=0.1)]
    tape = [*night, Candle(97, 97, 94, 94.5, half_spread=0.1), *flat(94.5, 2, half_spread=0.1)]
    known = instrument(fee_rate=Decimal("0.001"), swap_long_per_day=Decimal("-0.0005"))
    outcome = await traded(begin, tape, steps=27, known=known)
    fees = Decimal("0.001") * 10 * (Decimal("100.1") + 95)
    swap = Decimal("-0.0005") * 10 * 101
    profit = 10 * (Decimal(95) - Decimal("100.1")) - fees + swap
    assert outcome.profit == profit
    assert outcome.r_net == pytest.approx(float(profit) / 50, rel=1e-5)
    assert outcome.costs_r == pytest.approx(float(fees - swap) / 50, rel=1e-5)
    assert outcome.return_net == pytest.approx(float(profit) / 1001, rel=1e-5)
    assert (outcome.exit_cause, outcome.entry_price, outcome.exit_price) == (ExitCause.STOP, 100.1, 95.0)
    assert outcome.mfe_r == pytest.approx((101 - 100.1) / 5, rel=1e-5)
    assert outcome.mae_r == pytest.approx((95 - 100.1) / 5, rel=1e-5), "not the 94 that came after the exit"
    assert (outcome.opened_at, outcome.closed_at) == (START + HOUR + timedelta(milliseconds=1), START + 26 * HOUR)
    assert outcome.bars_held == 25


async def test_a_short_trade_at_its_target_earns_what_is_left_after_costs(begin):
    spread = {"half_spread": 0.1}
    tape = [*flat(100, 3, **spread), Candle(99, 99, 84, 86, **spread), *flat(86, 2, **spread)]
    known = instrument(fee_rate=Decimal("0.001"))
    outcome = await traded(begin, tape, Side.SELL, steps=4, known=known)
    profit = 10 * (Decimal("99.9") - 85) - Decimal("0.001") * 10 * (Decimal("99.9") + 85)
    assert outcome.profit == profit
    assert outcome.r_net == pytest.approx(float(profit) / 50, rel=1e-5)
    assert (outcome.exit_cause, outcome.exit_price) == (ExitCause.TARGET, 85.0)
    assert outcome.mfe_r == pytest.approx((99.9 - 85) / 5, rel=1e-5)
    assert outcome.mae_r == pytest.approx((99.9 - 100) / 5, rel=1e-5)


async def test_slippage_is_paid_on_entry_and_stop_and_never_earned(begin):
    tape = [*flat(100, 3), Candle(100, 100, 94, 94), *flat(94, 2)]
    outcome = await traded(begin, tape, steps=4, broker={"slippage_bps": 50})
    assert 100 <= outcome.entry_price <= 101
    assert 94 <= outcome.exit_price <= 95
    assert outcome.r_net < -1


async def test_when_both_barriers_lie_in_one_bar_the_stop_counts(begin):
    tape = [*flat(100, 3), Candle(100, 120, 90, 110), *flat(110, 2)]
    outcome = await traded(begin, tape, steps=4)
    assert (outcome.exit_cause, outcome.r_net) == (ExitCause.STOP, -1.0)


async def test_a_gap_through_the_stop_is_paid_in_full(begin):
    tape = [*flat(100, 3), *flat(88, 3)]
    outcome = await traded(begin, tape, steps=4)
    assert (outcome.exit_price, outcome.r_net) == (88.0, pytest.approx(-2.4))


async def test_an_entry_beyond_its_own_stop_leaves_at_that_open(begin):
    tape = [*flat(100, 1), *flat(90, 4)]
    outcome = await traded(begin, tape, steps=3)
    assert (outcome.entry_price, outcome.exit_price, outcome.r_net) == (90.0, 90.0, 0.0)


async def test_a_stop_off_the_tick_is_a_stop_and_a_moved_one_a_trailing_stop(begin):
    tape = [*flat(100, 3), Candle(100, 100, 94, 94), *flat(94, 2)]
    coarse = instrument(tick=Decimal("0.5"))
    outcome = await traded(begin, tape, steps=4, known=coarse, entry={"stop": 95.2})
    assert (outcome.exit_cause, outcome.exit_price) == (ExitCause.STOP, 95.0)
    rising = [Candle(price, price + 1, price - 1, price + 1) for price in range(100, 140)]
    tape = [*rising, Candle(139, 139, 110, 110), *flat(110, 2)]
    rig = await begin(tape)
    await rig.step(29)
    await rig.closes()
    await rig.enter(entry=130.0, stop=127.0, target=200.0)
    await rig.opens()
    await rig.step(13)
    await rig.writer.flush()
    (outcome,) = rig.journal.read.outcomes(kind=OutcomeKind.REAL)
    assert outcome.exit_cause is ExitCause.TRAILING_STOP


async def test_the_bar_before_an_exit_at_the_open_counts_among_the_best_and_worst(begin):
    tape = [*flat(100, 2), Candle(100, 109, 97, 103), *flat(103, 4)]
    outcome = await traded(begin, tape, steps=3, signals={"time_exit_bars": 2})
    assert (outcome.exit_cause, outcome.exit_price) == (ExitCause.TIME, 103.0)
    assert (outcome.mfe_r, outcome.mae_r) == (pytest.approx(9 / 5), pytest.approx(-3 / 5))


# -- shadows -----------------------------------------------------------------------------------------------------------


class Shadow:
    """One decision on the first of some bars, followed as a shadow."""

    def __init__(self, candles, side=Side.BUY, *, known=None, costs=None, policy=None, start=0, **levels) -> None:
        self.known = known or instrument()
        series = series_of(COIN, candles)
        table = SignalTable.compute(series, None, SETTINGS)
        self.bars = Bars(series, table, lambda _opens: False, self.known.tick)
        self.costs = costs or CostModel(fee_rate=0.0, slippage=0.0)
        self.policy = policy or ExitPolicy.from_settings(SETTINGS)
        opened = START + start * HOUR
        self.start = start
        self.decision = decision_on(
            COIN,
            opened,
            opened + HOUR,
            side=side,
            quantity=Decimal(1),
            entry=levels.get("entry", 100.0),
            stop=levels.get("stop", 100.0 - 5 * side.sign),
            target=levels.get("target", 100.0 + 15 * side.sign),
        )

    def book(self) -> ShadowBook:
        return ShadowBook(
            bars=lambda _symbol: self.bars,
            instruments={COIN: self.known},
            costs=lambda _symbol: self.costs,
            policy=self.policy,
        )

    def outcome(self) -> Outcome:
        book = self.book()
        book.follow(self.decision, self.start)
        return next(outcome for index in range(len(self.bars.opened)) for _, outcome in book.step(COIN, index))


def test_a_long_shadow_pays_spread_slippage_and_fee_at_both_ends():
    costs = CostModel(fee_rate=0.001, slippage=0.0002)
    spread = {"half_spread": 0.1}
    candles = [*flat(100, 3, **spread), Candle(99, 99, 90, 91, **spread)]
    outcome = Shadow(candles, costs=costs).outcome()
    entry, exit_ = 100.1 * 1.0002, 95 * 0.9998
    assert outcome.r_net == pytest.approx((exit_ - entry - 0.001 * (entry + exit_)) / 5, rel=1e-5)
    assert (outcome.exit_cause, outcome.bars_held) == (ExitCause.STOP, 3)
    assert outcome.costs_r == pytest.approx(0.001 * (entry + exit_) / 5, rel=1e-5)
    assert outcome.mae_r == pytest.approx((exit_ - entry) / 5, rel=1e-5)
    assert outcome.profit is None


def test_a_short_shadow_pays_them_too_but_no_slippage_at_its_target():
    costs = CostModel(fee_rate=0.001, slippage=0.0002)
    spread = {"half_spread": 0.1}
    candles = [*flat(100, 3, **spread), Candle(100, 101, 84, 84.5, **spread)]
    outcome = Shadow(candles, Side.SELL, costs=costs).outcome()
    entry, exit_ = 99.9 * 0.9998, 85.0
    assert outcome.r_net == pytest.approx((entry - exit_ - 0.001 * (entry + exit_)) / 5, rel=1e-5)
    assert outcome.exit_cause is ExitCause.TARGET


def test_a_shadow_stops_first_when_a_bar_holds_both_barriers():
    outcome = Shadow([*flat(100, 2), Candle(100, 120, 90, 110)]).outcome()
    assert (outcome.exit_cause, outcome.r_net) == (ExitCause.STOP, -1.0)


@pytest.mark.parametrize(("opens", "result"), [(88.0, -2.4), (120.0, 4.0)])
def test_a_gap_fills_at_the_open_for_better_and_for_worse(opens, result):
    outcome = Shadow([*flat(100, 3), *flat(opens, 2)]).outcome()
    assert outcome.r_net == pytest.approx(result)
    assert outcome.closed_at == START + 3 * HOUR
    assert outcome.bars_held == 2


@pytest.mark.parametrize(
    ("side", "opens"), [(Side.BUY, 90.0), (Side.BUY, 120.0), (Side.SELL, 110.0), (Side.SELL, 80.0)]
)
def test_a_shadow_entered_beyond_its_own_barrier_gains_nothing_by_it(side, opens):
    outcome = Shadow([*flat(100, 1), Candle(opens, opens + 1, opens - 1, opens)], side).outcome()
    assert (outcome.entry_price, outcome.exit_price, outcome.r_net) == (opens, opens, 0.0)
    assert outcome.mae_r == outcome.mfe_r == 0.0


def test_best_and_worst_are_of_the_bars_before_the_exit_and_the_exit_itself():
    candles = [*flat(100, 2), Candle(100, 107, 97, 103), Candle(103, 130, 94, 100)]
    outcome = Shadow(candles).outcome()
    assert (outcome.mfe_r, outcome.mae_r) == (pytest.approx(7 / 5), -1.0)


@pytest.mark.parametrize(("last", "nights"), [(23, 0), (24, 1), (47, 1), (48, 2)])
def test_a_night_is_paid_at_the_first_open_after_it(last, nights):
    known = instrument(swap_long_per_day=Decimal("-0.001"))
    candles = [*flat(100, last), Candle(99, 99, 90, 91), *flat(91, 2)]
    outcome = Shadow(candles, known=known).outcome()
    assert outcome.r_net == pytest.approx((-5 - 0.001 * 100 * nights) / 5)


def test_a_close_ordered_at_a_bars_end_fills_at_the_next_open():
    policy = ExitPolicy.from_settings(SignalSettings(warmup_bars=0, time_exit_bars=2))
    candles = [*flat(100, 3), *flat(103, 2)]
    outcome = Shadow(candles, policy=policy).outcome()
    assert (outcome.exit_cause, outcome.exit_price, outcome.bars_held) == (ExitCause.TIME, 103.0, 2)
    assert outcome.closed_at == START + 3 * HOUR


@pytest.mark.parametrize(("opens", "cause"), [(90.0, ExitCause.STOP), (120.0, ExitCause.TARGET)])
def test_an_open_beyond_a_barrier_fills_that_before_a_close_that_waits(opens, cause):
    policy = ExitPolicy.from_settings(SignalSettings(warmup_bars=0, time_exit_bars=2))
    outcome = Shadow([*flat(100, 3), *flat(opens, 2)], policy=policy).outcome()
    assert (outcome.exit_cause, outcome.exit_price) == (cause, opens)


# -- folded again, and against the real trade --------------------------------------------------------------------------


def wandering(chance: Random, bars: int) -> list[Candle]:
    """Bars that wander, gap and spread."""
    price, candles = 100.0, []
    for _ in range(bars):
        open_ = round(price * (1 + chance.gauss(0, 0.004) * (5 if chance.random() < 0.1 else 1)), 2)
        close = round(open_ * (1 + chance.gauss(0.0005, 0.012)), 2)
        high = round(max(open_, close) * (1 + abs(chance.gauss(0, 0.006))), 2)
        low = round(min(open_, close) * (1 - abs(chance.gauss(0, 0.006))), 2)
        candles.append(Candle(open_, high, low, close, half_spread=0.05))
        price = close
    return candles


@settings(max_examples=40, deadline=None)
@given(chance=st.randoms(use_true_random=True), side=st.sampled_from(Side))
def test_a_shadow_folded_again_at_any_bar_ends_as_the_one_never_interrupted(chance, side):
    start = chance.randint(0, 60)
    candles = wandering(chance, 130)
    policy = ExitPolicy.from_settings(SignalSettings(warmup_bars=0, time_exit_bars=50))
    entry = candles[start].close
    levels = {"entry": entry, "stop": entry - 4 * side.sign, "target": entry + 12 * side.sign}
    story = Shadow(candles, side, start=start, policy=policy, **levels)
    whole = story.outcome()
    cut = chance.randint(start, len(candles) - 1)
    again = story.book()
    met = again.restore([story.decision], lambda _symbol: cut)
    rest = [outcome for index in range(cut + 1, len(candles)) for _, outcome in again.step(COIN, index)]
    assert [*met, *rest] == [whole]
    assert len(again) == 0


SLOW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@SLOW
@given(chance=st.randoms(use_true_random=True), side=st.sampled_from(Side))
async def test_without_chance_a_real_trade_and_its_shadow_end_alike(tmp_path, chance, side):
    tape = wandering(chance, 75)
    known = instrument(fee_rate=Decimal("0.0005"), swap_long_per_day=Decimal("-0.0002"), lot=Decimal("0.01"))
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    # An activation that no difference of ticks equals exactly: ties would be decided by a float's last bit.
    config = config_of(signals={"time_exit_bars": 30, "trailing_activation_r": 1.0037, "trailing_step_atr": 0.2511})
    rig = Rig(Path(folder), {COIN: padded(COIN, tape)}, {COIN: known}, config)
    await rig.open()
    await rig.step(31)
    await rig.closes()
    entry = rig.session.view.last_close(COIN)
    decision = await rig.enter(side, entry=entry, stop=entry - 3 * side.sign, target=entry + 9 * side.sign)
    await rig.opens()
    for _ in range(60):
        if not rig.books.trades and not len(rig.session.shadows):
            break
        await rig.step()
    await rig.writer.flush()
    outcomes = {outcome.kind: outcome for outcome in rig.journal.read.outcomes()}
    (sample,) = rig.journal.read.samples()
    faults = await rig.faults()
    await rig.close()
    assert faults == []
    real, shadow = outcomes[OutcomeKind.REAL], outcomes[OutcomeKind.SHADOW]
    assert sample.r_net == real.r_net
    assert real.decision_id == shadow.decision_id == decision.decision_id
    assert (real.exit_cause, real.bars_held) == (shadow.exit_cause, shadow.bars_held)
    # The real trade's prices lie on ticks, and its nights are paid at each night's price.
    for name in ("r_net", "mfe_r", "mae_r", "entry_price", "exit_price"):
        assert getattr(real, name) == pytest.approx(getattr(shadow, name), abs=0.02), name
