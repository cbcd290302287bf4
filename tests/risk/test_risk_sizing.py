"""Sizes computed by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from risk_builders import NOON, D, pair, share, sizing_inputs

from domain.errors import InvalidRecord
from domain.holds import Effect, HoldCause, new_hold
from domain.orders import Side
from risk.limits import Limits
from risk.reasons import SIZING_REASONS
from risk.sizing import bet_size, hold_scale, size


def test_half_a_percent_over_a_hundred_pips_is_fifty_thousand() -> None:
    sizing = size(sizing_inputs())
    # 0.005 x 100,000 = 500; 500 / 0.01 = 50,000
    assert sizing.quantity == 50000
    assert sizing.risk_amount == 500
    assert sizing.reason is None


def test_spread_slippage_and_fees_are_part_of_what_a_unit_loses() -> None:
    instrument = pair(fee_rate=D("0.001"), lot=D(1), min_quantity=D(1))
    sizing = size(sizing_inputs(instrument=instrument, half_spread=0.0005, slippage=0.0005))
    # 0.01 + 2 x 0.0005 + (0.0005 + 0.001) x (1.10 + 1.09) = 0.014285; 500 / 0.014285 = 35,001.75
    assert sizing.factors["loss_per_unit"] == "0.014285"
    assert sizing.quantity == 35001
    assert sizing.risk_amount == D("499.989285")


def test_a_yen_stop_is_worth_dollars_at_the_dollar_rate_of_the_yen() -> None:
    sizing = size(
        sizing_inputs(
            instrument=pair("USD", "JPY"), entry_price=150.0, stop_price=149.0, half_spread=0.01, fx_rate=1 / D(150)
        )
    )
    # a pip of 10,000 USDJPY is 0.01 x 10,000 / 150 = 0.667 dollars; the stop costs 1.02 / 150 = 0.0068 a unit
    assert sizing.factors["loss_per_unit"] == "0.0068"
    # 500 / 0.0068 = 73,529.4
    assert sizing.quantity == 73000
    assert sizing.risk_amount.quantize(D("0.01")) == D("496.40")


def test_a_dollar_stop_is_worth_yen_in_an_account_in_yen() -> None:
    sizing = size(sizing_inputs(equity=D(10_000_000), fx_rate=D(150)))
    # 0.005 x 10,000,000 = 50,000 yen; 0.01 x 150 = 1.5 yen a unit; 33,333.3
    assert sizing.quantity == 33000
    assert sizing.risk_amount == 49500


def test_a_short_is_sized_like_a_long() -> None:
    assert size(sizing_inputs(side=Side.SELL, stop_price=1.11)).quantity == 50000


@pytest.mark.parametrize(
    ("configured", "base"), [("0.0001", "0.002"), ("0.005", "0.005"), ("0.015", "0.01")], ids=["low", "mid", "high"]
)
def test_the_base_is_cut_to_its_range(configured: str, base: str) -> None:
    assert size(sizing_inputs(limits=Limits(risk_per_trade=D(configured)))).factors["base"] == base


@pytest.mark.parametrize(
    ("drawdown", "scale"), [(0.0, "1"), (0.025, "0.75"), (0.05, "0.5"), (0.095, "0.1"), (0.1, "0.1"), (0.5, "0.1")]
)
def test_risk_shrinks_with_drawdown_down_to_the_floor(drawdown: float, scale: str) -> None:
    assert size(sizing_inputs(drawdown=drawdown)).factors["drawdown"] == scale


def test_the_bet_size_is_zero_at_break_even_and_has_the_sign_of_the_edge() -> None:
    assert bet_size(0.44, 0.44) == 0.0
    # z = 0.1 / sqrt(0.24) = 0.204124; 2 x Phi(z) - 1 = 0.161743
    assert bet_size(0.6, 0.5) == pytest.approx(0.161743, abs=1e-6)
    assert bet_size(0.4, 0.5) == pytest.approx(-0.161743, abs=1e-6)
    assert (bet_size(1.0, 0.5), bet_size(0.0, 0.5), bet_size(1.0, 1.0)) == (1.0, -1.0, 0.0)


@pytest.mark.parametrize(
    ("probability", "scale"),
    [(None, "1"), (0.3, "0.5"), (0.5, "0.5"), (0.6, "1.308715"), (0.75, "1.5"), (1.0, "1.5")],
)
def test_a_probability_moves_the_size_within_its_bounds(probability: float | None, scale: str) -> None:
    # 0.5 + 1.0 x 0.161743 / 0.2 = 1.308715
    factor = Decimal(size(sizing_inputs(probability=probability)).factors["probability"])
    assert factor == pytest.approx(D(scale), abs=D("0.000005"))


def test_an_unknown_probability_is_no_better_than_the_best_known_one() -> None:
    limits = Limits(bet_scale_max=D("0.8"))
    assert size(sizing_inputs(limits=limits)).factors["probability"] == "0.8"


def test_a_sure_probability_does_not_lift_the_risk_above_its_range() -> None:
    limits = Limits(risk_per_trade=D("0.01"))
    assert size(sizing_inputs(probability=1.0, limits=limits)).factors["risk_fraction"] == "0.01"


@pytest.mark.parametrize(
    ("side", "score", "scale"),
    [
        (Side.BUY, 1.0, "1"),
        (Side.BUY, None, "1"),
        (Side.BUY, -0.4, "0.8"),
        (Side.SELL, 0.4, "0.8"),
        (Side.SELL, -1, "1"),
    ],
)
def test_social_sentiment_only_shrinks(side: Side, score: float | None, scale: str) -> None:
    stop = 1.09 if side is Side.BUY else 1.11
    assert size(sizing_inputs(side=side, stop_price=stop, social_score=score)).factors["social"] == scale


@pytest.mark.parametrize(("ratio", "scale"), [(None, "1"), (0.5, "1"), (1.25, "0.8"), (10.0, "0.5")])
def test_a_high_volatility_forecast_only_shrinks(ratio: float | None, scale: str) -> None:
    assert size(sizing_inputs(volatility_ratio=ratio)).factors["volatility"] == scale


def test_the_remaining_open_risk_caps() -> None:
    sizing = size(sizing_inputs(open_risk=D(1900)))
    # 0.02 x 100,000 - 1,900 = 100 left
    assert (sizing.quantity, sizing.factors["capped_by"]) == (10000, "open_risk")


def test_the_order_value_caps_with_costs_included() -> None:
    sizing = size(sizing_inputs(stop_price=1.0999, limits=Limits(max_order_value=D("0.5")), half_spread=0.0001))
    # 50,000 / (1.10 + 0.0001) = 45,450.4
    assert (sizing.quantity, sizing.factors["capped_by"]) == (45000, "order_value")


def test_an_unleveraged_share_is_bought_with_the_money_that_is_there() -> None:
    instrument = share("AAPL", "USD", fee_rate=D("0.001"))
    sizing = size(
        sizing_inputs(instrument=instrument, entry_price=100.0, stop_price=99.9, limits=Limits(max_order_value=D(5)))
    )
    # 100,000 / 100.1 = 999.0 shares, of which the fee is paid too
    assert (sizing.quantity, sizing.factors["capped_by"]) == (999, "margin")


def test_room_and_absolute_quantity_cap() -> None:
    assert size(sizing_inputs(room=D(11500))).quantity == 10000
    assert size(sizing_inputs(limits=Limits(max_order_quantity=D(7500)))).quantity == 7000


NOTHING: list[tuple[dict[str, Any], str]] = [
    ({"equity": D(0)}, "no_equity"),
    ({"equity": D(-5)}, "no_equity"),
    ({"stop_price": 1.10}, "stop_on_wrong_side"),
    ({"stop_price": 1.11}, "stop_on_wrong_side"),
    ({"hold_scale": D(0)}, "hold"),
    ({"drawdown": 0.2, "limits": Limits(drawdown_floor=D(0))}, "drawdown"),
    ({"social_score": -1.0, "limits": Limits(social_cut=D(1))}, "social"),
    ({"open_risk": D(2000)}, "no_open_risk_left"),
    ({"room": D(0)}, "no_exposure_left"),
    ({"equity": D(100)}, "below_minimum_quantity"),
    ({"instrument": pair(min_notional=D(60000))}, "below_minimum_notional"),
]


@pytest.mark.parametrize(("changes", "reason"), NOTHING)
def test_nothing_is_sized_without_a_reason(changes: dict[str, Any], reason: str) -> None:
    sizing = size(sizing_inputs(**changes))
    assert (sizing.quantity, sizing.risk_amount, sizing.reason) == (0, 0, reason)


def test_the_published_reasons_are_those_that_sizing_gives() -> None:
    assert {reason for _, reason in NOTHING} == set(SIZING_REASONS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": float("nan")},
        {"probability": 1.1},
        {"entry_price": float("nan")},
        {"stop_price": 0.0},
        {"half_spread": -0.1},
        {"fx_rate": D(0)},
        {"fx_rate": D("NaN")},
        {"volatility_ratio": 0.0},
        {"social_score": 2.0},
        {"hold_scale": D(2)},
        {"open_risk": D(-1)},
        {"drawdown": -0.1},
        {"portfolio_scale": D(-1)},
        {"portfolio_scale": D("NaN")},
        {"room": D(-1)},
    ],
)
def test_no_size_is_made_of_figures_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord, match=f"EURUSD: no size can be made of {next(iter(wrong))}"):
        sizing_inputs(**wrong)


def test_the_factors_read_in_the_order_in_which_they_multiply() -> None:
    assert list(size(sizing_inputs()).factors) == [
        *("base", "drawdown", "hold", "probability", "social", "volatility", "portfolio"),
        *("equity", "risk_fraction", "loss_per_unit"),
        *("cap_risk", "cap_open_risk", "cap_order_value", "cap_margin"),
        *("capped_by", "quantity"),
    ]


def test_safe_holds_scale_and_stronger_holds_stop() -> None:
    limits = Limits(safe_scale=D("0.5"), drift_scale=D("0.25"))
    until = NOON + timedelta(hours=1)
    news = new_hold(HoldCause.NEWS, Effect.SAFE, since=NOON, detail="a release", scope="EURUSD", until=until)
    drift = new_hold(HoldCause.MODEL, Effect.SAFE, since=NOON, detail="two detectors agree", condition="no drift")
    pause = new_hold(HoldCause.OPERATOR, Effect.NO_ENTRIES, since=NOON, detail="paused", latched=True)
    assert hold_scale((), NOON, "EURUSD", limits) == 1
    assert hold_scale((news,), NOON, "EURUSD", limits) == D("0.5")
    assert hold_scale((news,), NOON, "GBPUSD", limits) == 1
    assert hold_scale((news,), until, "EURUSD", limits) == 1
    assert hold_scale((news, drift), NOON, "EURUSD", limits) == D("0.25")
    assert hold_scale((news, pause), NOON, "EURUSD", limits) == 0


@pytest.mark.parametrize(("asked", "scale"), [("0", "0.5"), ("0.7", "0.7"), ("1", "1"), ("4", "1.5")])
def test_a_portfolio_weight_scales_the_risk_within_its_limits(asked: str, scale: str) -> None:
    whole = size(sizing_inputs(portfolio_scale=D(1)))
    scaled = size(sizing_inputs(portfolio_scale=D(asked)))
    assert scaled.factors["portfolio"] == scale
    assert D(scaled.factors["risk_fraction"]) == D(whole.factors["risk_fraction"]) * D(scale)
