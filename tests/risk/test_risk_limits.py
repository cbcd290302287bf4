"""Limits are valid at birth, named by their numbers, and know which way they loosen."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidRecord
from risk.limits import ALLOWED, Limits


def test_the_defaults_are_the_specified_ones() -> None:
    limits = Limits()
    assert (limits.risk_per_trade, limits.risk_per_trade_min, limits.risk_per_trade_max) == (
        Decimal("0.005"),
        Decimal("0.002"),
        Decimal("0.01"),
    )
    assert limits.max_open_risk == Decimal("0.02")
    assert limits.max_correlation == Decimal("0.8")
    assert limits.max_drawdown == Decimal("0.1")
    assert limits.drawdown_floor == Decimal("0.1")


def test_every_limit_has_allowed_values_and_a_loosening_direction() -> None:
    assert set(ALLOWED) == {declared.name for declared in fields(Limits) if not declared.name.startswith("_")}


def test_all_faults_are_reported_together_with_what_is_allowed() -> None:
    with pytest.raises(InvalidRecord) as caught:
        Limits(max_open_risk=Decimal(0), max_positions=0, max_drawdown=Decimal("NaN"))
    told = str(caught.value)
    assert "max_open_risk is 0; it must lie in (0, 0.5]" in told
    assert "max_positions is 0; it must lie in [1, 1000]" in told
    assert "max_drawdown" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {"risk_per_trade": 0.005},
        {"max_positions": True},
        {"max_positions": Decimal(8)},
        {"price_collar": Decimal("Infinity")},
        {"risk_per_trade_min": Decimal("0.02")},
        {"bet_scale_max": Decimal("0.4")},
    ],
)
def test_a_limit_of_the_wrong_kind_or_order_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        Limits(**wrong)


def test_equal_limits_have_equal_digests_however_they_are_written() -> None:
    assert Limits(max_drawdown=Decimal("0.10")).digest() == Limits(max_drawdown=Decimal("0.1")).digest()


@pytest.mark.parametrize("name", ALLOWED)
def test_every_limit_enters_the_digest(name: str) -> None:
    default = Limits()
    value = getattr(default, name)
    changed = Decimal(5) if value is None else value + 1 if isinstance(value, int) else value * Decimal("0.9")
    if name in ("cooldown_hours", "instrument_cooldown_hours", "min_reward_risk", "max_order_value"):
        changed = value + 1
    assert replace(default, **{name: changed}).digest() != default.digest()


def test_loosened_limits_are_named_and_tightened_ones_are_not() -> None:
    earlier = Limits(max_order_quantity=Decimal(10))
    later = Limits(max_order_quantity=None, max_open_risk=Decimal("0.03"), max_positions=4, cooldown_hours=Decimal(12))
    assert later.loosened_from(earlier) == ("max_open_risk", "max_order_quantity", "cooldown_hours")
    assert earlier.loosened_from(earlier) == ()
