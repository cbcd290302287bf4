"""Each rule at its edge: what it allows, what it denies, and under which name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from risk_builders import NOON, D, denied, exposure, judged, pair, proposal, share, snapshot

from domain.errors import InvalidRecord
from domain.holds import Effect, HoldCause, new_hold
from domain.instruments import AssetClass
from domain.orders import Approval, Side
from risk.accounts import AccountRules, Holding, LeverageClass, rules_of
from risk.gate import DEFAULT_RULES
from risk.limits import Limits
from risk.reasons import DENIAL_REASONS
from risk.snapshot import Exposure, Proposal, Snapshot
from risk.state import Execution, RiskState

STATE = RiskState.starting(D(100000), NOON)
NO_ENTRIES = new_hold(HoldCause.OPERATOR, Effect.NO_ENTRIES, since=NOON, detail="paused by a person", latched=True)
SAFE = new_hold(HoldCause.MODEL, Effect.SAFE, since=NOON, detail="drift", condition="no drift")
SELL = {"side": Side.SELL, "stop_price": D("1.11"), "target_price": D("1.07")}


def execution(minutes_ago: int, **changes: Any) -> Execution:
    values: dict[str, Any] = {"instrument": "EURUSD", "side": Side.BUY, "decision_id": "earlier"}
    return Execution(at=NOON - timedelta(minutes=minutes_ago), **{**values, **changes})


def held(scope: str) -> Snapshot:
    hold = new_hold(
        HoldCause.NEWS, Effect.NO_ENTRIES, since=NOON, detail="a release", scope=scope, until=NOON + timedelta(hours=1)
    )
    return snapshot(holds=(hold,))


def limited(*exposures: Exposure, **limits: Any) -> Snapshot:
    return snapshot(*exposures, limits=Limits(**limits))


def under(*exposures: Exposure, **rules: Any) -> Snapshot:
    return snapshot(*exposures, account=AccountRules(**rules))


def mids(*prices: str) -> tuple[D, ...]:
    return tuple(map(D, prices))


def remembering(**state: Any) -> Snapshot:
    return snapshot(state=replace(STATE, **state))


def messages(count: int, seconds_ago: int) -> Snapshot:
    return remembering(order_times=(NOON - timedelta(seconds=seconds_ago),) * count)


CRYPTO = AssetClass.CRYPTO
OVER_TIME = "price_collar_over_time"
NEAR = {"margin_close_out": D(90), "margin_after_entry": D("90.9")}
COIN_COLLAR = {CRYPTO: D("0.01")}
FX_EUR_POSITION = exposure(pair("EUR", "GBP"), side=Side.BUY, quantity=D(150000), price=D(1), fx_rate=D(1))
OTHER = {"EURGBP": 0.0, "GBPUSD": 0.3}
FOREX, MAJOR_PAIR = AssetClass.FOREX, LeverageClass.MAJOR_PAIR
YEN = proposal(
    instrument=pair("USD", "JPY"),
    entry_price=D(150),
    mid=D(150),
    stop_price=D(149),
    target_price=D(153),
    half_spread=D("0.005"),
    fx_rate=D("0.0060"),
)
"""Priced at a rate 10% from the one that its own price implies: 1 / 150 is 0.00667."""
FX_EUR_CHF = exposure(pair("CHF", "GBP"), fx_rate=D("1.25"))

DENIED: list[tuple[str, str, Proposal, Snapshot]] = [
    ("equity", "no_equity", proposal(), snapshot(equity=D(0))),
    ("equity", "no_equity", proposal(), snapshot(equity=D(-1))),
    ("hold", "hold_operator", proposal(), snapshot(holds=(SAFE, NO_ENTRIES))),
    ("hold", "hold_news", proposal(), held("EURUSD")),
    ("breaker", "breaker_drawdown", proposal(), remembering(drawdown_latched=True)),
    ("breaker", "breaker_daily_loss", proposal(), remembering(day_lost=True)),
    ("breaker", "breaker_weekly_loss", proposal(), remembering(week_lost=True)),
    ("breaker", "breaker_consecutive_losses", proposal(), remembering(losses_until=NOON + timedelta(minutes=1))),
    ("breaker", "breaker_emergency", proposal(), remembering(emergency_latched=True, drawdown_latched=True)),
    ("breaker", "breaker_emergency", proposal(), remembering(margin_latched=True)),
    ("breaker", "breaker_repeated_execution", proposal(), remembering(throttled=True)),
    ("breaker", "breaker_execution_quality", proposal(), remembering(quality_until=NOON + timedelta(minutes=1))),
    ("breaker", "breaker_cooldown", proposal(), remembering(cooldowns={"EURUSD": NOON + timedelta(minutes=1)})),
    ("short", "not_shortable", proposal(instrument=pair(shortable=False), **SELL), snapshot()),
    ("short", "not_shortable", proposal(**SELL), snapshot(account_can_short=False)),
    ("session", "session_closed", proposal(market_open=False), snapshot()),
    ("session", "session_unknown", proposal(market_open=None), snapshot()),
    ("stale_quote", "stale_quote", proposal(quote_age_s=7200.1), snapshot()),
    ("stale_quote", "stale_quote", proposal(quote_age_s=-1.0), snapshot()),
    ("stale_quote", "stale_quote", proposal(quote_age_s=float("nan")), snapshot()),
    ("stale_quote", "stale_quote", proposal(stale_after_s=float("nan")), snapshot()),
    ("spread", "spread_too_wide", proposal(half_spread=D("0.00076")), snapshot()),
    ("unknown_order", "unknown_order", proposal(), snapshot(exposure(pair(), unknown=True))),
    ("unknown_order", "unknown_order", proposal(), snapshot(unknown_orders=frozenset({"EURUSD"}))),
    ("one_position", "already_open", proposal(), snapshot(exposure(pair()))),
    ("one_position", "already_open", proposal(**SELL), snapshot(exposure(pair(), in_flight=True))),
    ("duplicate", "duplicate_decision", proposal(), remembering(executions=(execution(5, decision_id="decision-1"),))),
    ("well_formed", "not_whole_lots", proposal(quantity=D(40001)), snapshot()),
    ("well_formed", "below_minimum_quantity", proposal(instrument=pair(min_quantity=D(41000))), snapshot()),
    ("well_formed", "below_minimum_notional", proposal(instrument=pair(min_notional=D(44001))), snapshot()),
    ("price_collar", "price_collar", proposal(mid=D("1.16")), snapshot()),
    ("price_collar", "price_collar", proposal(mid=D("1.04")), snapshot()),
    ("price_collar", "price_collar", proposal(entry_price=D("1.112")), under(price_collars={FOREX: D("0.01")})),
    (
        OVER_TIME,
        OVER_TIME,
        proposal(recent_mids=mids("0.87", "0.87", "1.10")),
        snapshot(),
    ),
    (OVER_TIME, OVER_TIME, proposal(recent_mids=mids("1.5", "1.5", "1.5")), snapshot()),
    (OVER_TIME, "cannot_answer", proposal(recent_mids=mids("1.10", "1.10")), snapshot()),
    (OVER_TIME, "cannot_answer", proposal(recent_mids=()), snapshot()),
    ("fx_rate", "fx_rate", proposal(fx_rate=D("1.01")), snapshot()),
    ("fx_rate", "fx_rate", YEN, snapshot(balance=D(100000))),
    ("fx_rate", "fx_rate", proposal(instrument=pair("EUR", "GBP"), correlations=OTHER), snapshot(FX_EUR_CHF)),
    ("permission", "not_permitted", proposal(), under(forbidden_instruments=frozenset({"EURUSD"}))),
    ("permission", "not_permitted", proposal(), under(permitted_instruments=frozenset({"GBPUSD"}))),
    ("permission", "not_permitted", proposal(), under(permitted_classes=frozenset({AssetClass.CRYPTO}))),
    ("no_hedge", "no_hedge", proposal(**SELL), under(exposure(pair()), no_hedge=True)),
    ("no_hedge", "no_hedge", proposal(), under(exposure(pair("USD", "EUR")), no_hedge=True)),
    ("fifo", "fifo", proposal(), under(exposure(pair()), fifo=True)),
    ("leverage_cap", "leverage_cap", proposal(), under(leverage_caps={MAJOR_PAIR: D("0.43")})),
    ("margin_close_out", "margin_close_out", proposal(), under(margin_after_entry=D(69))),
    ("margin_close_out", "margin_close_out", proposal(), under(margin_close_out=D("67.9"))),
    ("order_quantity", "order_quantity", proposal(), under(max_quantities={"EURUSD": D(39000)})),
    ("fat_finger", "stop_on_wrong_side", proposal(stop_price=D("1.10")), snapshot()),
    ("fat_finger", "stop_on_wrong_side", proposal(**{**SELL, "stop_price": D("1.09")}), snapshot()),
    ("fat_finger", "risk_understated", proposal(risk_amount=D("399.9")), snapshot()),
    ("fat_finger", "risk_understated", proposal(quantity=D(400000)), snapshot()),
    ("fat_finger", "risk_per_trade", proposal(risk_amount=D(1001)), snapshot()),
    ("minimum_reward", "reward_too_small", proposal(target_price=D("1.1105")), snapshot()),
    ("minimum_reward", "reward_too_small", proposal(target_price=D("1.09")), snapshot()),
    ("order_value", "order_value", proposal(), limited(max_order_value=D("0.43"))),
    ("order_quantity", "order_quantity", proposal(), limited(max_order_quantity=D(39000))),
    ("max_positions", "max_positions", proposal(), limited(exposure(), max_positions=1)),
    ("open_risk", "open_risk", proposal(), snapshot(exposure(risk=D("1580.01")))),
    ("open_risk", "open_risk", proposal(), snapshot(exposure(risk=D(1600), unknown=True))),
    ("gross_exposure", "gross_exposure", proposal(), limited(exposure(), max_gross_exposure=D("0.56"))),
    (
        "currency_exposure",
        "currency_exposure",
        proposal(correlations=OTHER),
        limited(FX_EUR_POSITION, max_per_currency_exposure=D("1.9")),
    ),
    ("margin", "margin", proposal(), limited(exposure(), max_margin_use=D("0.018"))),
    ("correlation", "correlated", proposal(correlations={"GBPUSD": 0.81}), snapshot(exposure())),
    ("correlation", "correlated", proposal(correlations={"GBPUSD": -0.9}), snapshot(exposure(side=Side.SELL))),
    ("correlation", "correlated", proposal(correlations={"GBPUSD": 0.9}), snapshot(exposure(in_flight=True))),
    ("correlation", "correlation_unknown", proposal(correlations={"GBPUSD": None}), snapshot(exposure())),
    ("correlation", "cannot_answer", proposal(correlations={}), snapshot(exposure())),
    ("correlation", "cannot_answer", proposal(correlations={"GBPUSD": float("nan")}), snapshot(exposure())),
    ("message_budget", "messages_per_minute", proposal(), messages(58, 59)),
    ("message_budget", "messages_per_day", proposal(), remembering(orders_day=NOON.date(), orders_today=1998)),
    ("repeated_execution", "repeated_execution", proposal(), remembering(executions=(execution(59),) * 5)),
]

ALLOWED: list[tuple[str, Proposal, Snapshot]] = [
    ("a plain proposal", proposal(), snapshot()),
    ("a safe hold", proposal(), snapshot(holds=(SAFE,))),
    ("a hold on another instrument", proposal(), held("GBPUSD")),
    ("yesterday's loss", proposal(), remembering(day=NOON.date() - timedelta(days=1), day_lost=True)),
    ("last week's loss", proposal(), remembering(week=STATE.week - timedelta(days=7), week_lost=True)),
    ("a rest that has ended", proposal(), remembering(losses_until=NOON, cooldowns={"EURUSD": NOON})),
    ("a rest of another instrument", proposal(), remembering(cooldowns={"GBPUSD": NOON + timedelta(hours=1)})),
    ("a short where it may be", proposal(**SELL), snapshot()),
    ("a long where shorts may not be", proposal(instrument=pair(shortable=False)), snapshot(account_can_short=False)),
    ("a quote of exactly the age allowed", proposal(quote_age_s=7200.0), snapshot()),
    ("a spread of exactly 15 pips", proposal(half_spread=D("0.00075")), snapshot()),
    ("an unknown order elsewhere", proposal(), snapshot(exposure(unknown=True))),
    ("a price at the collar", proposal(mid=D("1.10") / D("1.05")), snapshot()),
    ("an unknown order elsewhere", proposal(), snapshot(unknown_orders=frozenset({"GBPUSD"}))),
    ("a median at the collar", proposal(recent_mids=mids("0.88", "0.88", "9")), snapshot()),
    ("one wrong mid of three", proposal(recent_mids=mids("1.10", "110", "1.10")), snapshot()),
    (
        "a class without a collar of its own",
        proposal(mid=D("1.10") / D("1.05")),
        under(price_collars=COIN_COLLAR),
    ),
    ("a rate near the implied one", replace(YEN, fx_rate=D("0.0064"), risk_amount=D(420)), snapshot()),
    ("a permitted instrument", proposal(), under(permitted_instruments=frozenset({"EURUSD"}))),
    ("another forbidden one", proposal(), under(forbidden_instruments=frozenset({"GBPUSD"}))),
    ("the same way in another market", proposal(), under(exposure(), no_hedge=True, fifo=True)),
    ("exactly the leverage", proposal(), under(leverage_caps={MAJOR_PAIR: D("0.44")}, holding=Holding.HEDGING)),
    (
        "nearly all of the margin",
        proposal(quantity=D(30000)),
        under(**NEAR),
    ),
    ("a retail account in the union", proposal(), snapshot(account=rules_of("esma_retail"))),
    ("a retail account in the states", proposal(), snapshot(account=rules_of("us_retail_forex"))),
    ("exactly the risk of a trade", proposal(risk_amount=D(1000), target_price=D("1.15")), snapshot()),
    ("no target", proposal(target_price=None), snapshot()),
    ("a reward of exactly the risk", proposal(risk_amount=D(400), target_price=D("1.11")), snapshot()),
    ("exactly the order value", proposal(), limited(max_order_value=D("0.44"))),
    ("exactly the quantity", proposal(), limited(max_order_quantity=D(40000))),
    ("the last position", proposal(), limited(exposure(), max_positions=2)),
    ("exactly the open risk", proposal(), snapshot(exposure(risk=D(1580)))),
    ("exactly the gross exposure", proposal(), limited(exposure(), max_gross_exposure=D("0.565"))),
    (
        "exactly the currency exposure",
        proposal(correlations=OTHER),
        limited(FX_EUR_POSITION, max_per_currency_exposure=D("1.94")),
    ),
    ("a correlation of exactly the limit", proposal(correlations={"GBPUSD": 0.8}), snapshot(exposure())),
    ("a hedge", proposal(correlations={"GBPUSD": 0.99}), snapshot(exposure(side=Side.SELL))),
    ("the last messages of a minute", proposal(), messages(57, 1)),
    ("messages of a minute ago", proposal(), messages(60, 60)),
    ("yesterday's messages", proposal(), remembering(orders_day=NOON.date() - timedelta(days=1), orders_today=2000)),
    ("four of the same", proposal(), remembering(executions=(execution(59),) * 4)),
    ("five long ago", proposal(), remembering(executions=(execution(60),) * 5)),
    ("five of the other side", proposal(), remembering(executions=(execution(1, side=Side.SELL),) * 5)),
    ("five elsewhere", proposal(), remembering(executions=(execution(1, instrument="GBPUSD"),) * 5)),
]


@pytest.mark.parametrize(("rule", "reason", "wanted", "at"), DENIED, ids=[f"{row[0]}-{row[1]}" for row in DENIED])
def test_what_a_rule_denies_is_denied_under_its_name(rule: str, reason: str, wanted: Proposal, at: Snapshot) -> None:
    denial = denied(wanted, at)
    assert (denial.rule, denial.reason) == (rule, reason)
    assert len(denial.detail) > 10
    assert denial.numbers
    assert all(value for value in denial.numbers.values())


@pytest.mark.parametrize(("told", "wanted", "at"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_what_lies_within_the_limits_is_approved(told: str, wanted: Proposal, at: Snapshot) -> None:
    assert isinstance(judged(wanted, at), Approval)


def test_every_rule_of_the_gate_is_seen_denying() -> None:
    assert {rule for rule, *_ in DENIED} == {rule.name for rule in DEFAULT_RULES}


def test_the_published_reasons_are_those_that_rules_give() -> None:
    given = {reason for _, reason, *_ in DENIED} | {f"hold_{cause}" for cause in HoldCause}
    assert given == set(DENIAL_REASONS)


def test_a_denial_carries_its_figures() -> None:
    denial = denied(proposal(), limited(max_order_value=D("0.43")))
    assert denial.detail == "the order's value in USD would be 44000; 43000 is allowed"
    assert denial.numbers == {"value": "44000", "allowed": "43000"}


def test_an_order_that_may_not_fill_does_not_offset_a_currency() -> None:
    short_eur = exposure(pair("EUR", "CHF"), side=Side.SELL, quantity=D(100000), price=D(1), in_flight=True)
    wanted = proposal(correlations={"EURGBP": 0.0, "EURCHF": 0.0})
    tight = {"max_per_currency_exposure": D("1.5"), "max_gross_exposure": D(10)}
    assert denied(wanted, limited(FX_EUR_POSITION, short_eur, **tight)).rule == "currency_exposure"
    filled = replace(short_eur, in_flight=False)
    assert isinstance(judged(wanted, limited(FX_EUR_POSITION, filled, **tight)), Approval)


def test_a_share_at_home_is_no_currency_bet_and_one_abroad_is() -> None:
    wanted = proposal(
        instrument=share("AAPL", "USD", max_leverage=D(1)),
        entry_price=D(100),
        stop_price=D(98),
        mid=D(100),
        quantity=D(200),
        target_price=D(110),
        correlations={},
    )
    tight = {"max_per_currency_exposure": D("0.1")}
    assert isinstance(judged(wanted, limited(**tight)), Approval)
    assert denied(wanted, snapshot(currency="EUR", limits=Limits(**tight))).rule == "currency_exposure"


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": D(0)},
        {"quantity": D("NaN")},
        {"entry_price": D("Infinity")},
        {"mid": D(0)},
        {"fx_rate": D(-1)},
        {"half_spread": D("-0.1")},
        {"risk_amount": D(-1)},
        {"target_price": D(0)},
        {"decision_id": ""},
    ],
)
def test_a_proposal_with_impossible_figures_cannot_exist(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord, match="EURUSD: "):
        proposal(**wrong)


@pytest.mark.parametrize("wrong", [{"quantity": D(0)}, {"price": D("NaN")}, {"fx_rate": D(0)}, {"risk": D(-1)}])
def test_an_exposure_with_impossible_figures_cannot_exist(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord, match="GBPUSD: "):
        exposure(**wrong)


def test_a_snapshot_without_a_number_for_equity_cannot_exist() -> None:
    with pytest.raises(InvalidRecord, match="NaN"):
        snapshot(equity=D("NaN"))
