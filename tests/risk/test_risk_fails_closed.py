"""What cannot be answered or is no number is denied with a reason, and never sized."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import DivisionByZero, InvalidOperation
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_builders import EXPIRY, D, denied, exposure, judged, pair, proposal, sizing_inputs, snapshot

from domain import errors
from domain.errors import InvalidRecord, RatchetError
from domain.orders import Approval
from risk.accounts import rules_of
from risk.denial import Denial, Rule
from risk.gate import CANNOT_ANSWER, DEFAULT_RULES, Gate
from risk.sizing import SizingInputs, size
from risk.snapshot import Proposal, Snapshot

OURS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, RatchetError)]
THEIRS = [
    ArithmeticError,
    ZeroDivisionError,
    OverflowError,
    DivisionByZero,
    InvalidOperation,
    LookupError,
    KeyError,
    IndexError,
    ValueError,
    UnicodeError,
    json.JSONDecodeError,
    TypeError,
]
BROKEN = [
    AttributeError,
    NameError,
    AssertionError,
    RuntimeError,
    RecursionError,
    MemoryError,
    OSError,
    KeyboardInterrupt,
]


class Failing:
    """A rule of the gate that fails in the middle of its question."""

    def __init__(self, rule: Rule, problem: BaseException) -> None:
        self.name = rule.name
        self._rule = rule
        self._problem = problem

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        assert self._rule.check(proposal, snapshot) is None
        raise self._problem


def with_failing(rule: Rule, problem: BaseException) -> Gate:
    """The gate as it is, with this one of its rules failing."""
    return Gate([Failing(each, problem) if each is rule else each for each in DEFAULT_RULES])


def made(kind: type[BaseException]) -> BaseException:
    return json.JSONDecodeError("no", "", 0) if kind is json.JSONDecodeError else kind("no")


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: rule.name)
def test_any_rule_that_cannot_answer_denies_whatever_it_raises(rule: Rule) -> None:
    for kind in [*OURS, *THEIRS]:
        assert issubclass(kind, CANNOT_ANSWER)
        verdict = with_failing(rule, made(kind)).judge(proposal(), snapshot(), expires_at=EXPIRY)
        assert isinstance(verdict, Denial)
        assert (verdict.rule, verdict.reason) == (rule.name, "cannot_answer")
        assert type(made(kind)).__name__ in verdict.detail
        assert verdict.numbers == {
            "quantity": "40000",
            "entry": "1.1",
            "stop": "1.09",
            "mid": "1.1",
            "fx_rate": "1",
            "equity": "100000",
        }


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: rule.name)
def test_any_rule_that_is_broken_reaches_the_supervisor_and_nothing_is_approved(rule: Rule) -> None:
    for kind in BROKEN:
        verdict: Approval | Denial | None = None
        with pytest.raises(kind):
            verdict = with_failing(rule, kind("a broken program")).judge(proposal(), snapshot(), expires_at=EXPIRY)
        assert verdict is None


def test_the_proposal_of_these_tests_is_one_that_every_rule_agrees_to() -> None:
    assert isinstance(judged(proposal(), snapshot()), Approval)


NO_MONEY = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity")]
PRICES = ("entry_price", "stop_price", "mid", "fx_rate", "quantity", "target_price", "half_spread", "risk_amount")


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize("value", NO_MONEY, ids=str)
def test_a_proposal_of_no_numbers_cannot_exist_and_the_fault_is_named(name: str, value: D) -> None:
    with pytest.raises(InvalidRecord, match=f"EURUSD: {name} is "):
        proposal(**{name: value})


@pytest.mark.parametrize("value", [*NO_MONEY, D(0), D(-1)], ids=str)
def test_a_history_of_no_numbers_cannot_exist(value: D) -> None:
    with pytest.raises(InvalidRecord, match="EURUSD: a recent mid is "):
        proposal(recent_mids=(D("1.1"), value, D("1.1")))


NO_FLOATS = [float("nan"), float("inf"), float("-inf")]
FLOATS = [
    declared.name
    for declared in fields(SizingInputs)
    if declared.type in ("float", "float | None") and declared.name != "volatility_ratio"
]


@pytest.mark.parametrize("name", [*FLOATS, "volatility_ratio"])
@pytest.mark.parametrize("value", NO_FLOATS)
def test_what_is_no_number_is_never_sized_and_the_fault_is_named(name: str, value: float) -> None:
    with pytest.raises(InvalidRecord, match=f"no size can be made of {name} "):
        sizing_inputs(**{name: value})


@pytest.mark.parametrize("name", ["equity", "fx_rate", "hold_scale", "open_risk", "room"])
@pytest.mark.parametrize("value", [D("NaN"), D("Infinity"), D("-Infinity")], ids=str)
def test_money_that_is_no_number_is_never_sized(name: str, value: D) -> None:
    with pytest.raises(InvalidRecord, match=f"no size can be made of {name} "):
        sizing_inputs(**{name: value})


@pytest.mark.parametrize("equity", [D(0), D("-0.01"), D(-5000)])
def test_without_equity_nothing_is_sized_or_approved(equity: D) -> None:
    sizing = size(sizing_inputs(equity=equity))
    assert (sizing.quantity, sizing.risk_amount, sizing.reason) == (0, 0, "no_equity")
    denial = denied(proposal(), snapshot(equity=equity))
    assert (denial.rule, denial.reason) == ("equity", "no_equity")
    assert D(denial.numbers["equity"]) == equity


def test_a_volatility_of_zero_gives_no_stop_and_so_no_size() -> None:
    """With an ATR of 0 the stop lies at the entry."""
    sizing = size(sizing_inputs(stop_price=1.10))
    assert (sizing.quantity, sizing.reason) == (0, "stop_on_wrong_side")
    denial = denied(proposal(stop_price=D("1.10")), snapshot())
    assert (denial.rule, denial.reason) == ("fat_finger", "stop_on_wrong_side")
    assert denial.numbers == {"entry": "1.1", "stop": "1.1"}
    with pytest.raises(InvalidRecord, match="volatility_ratio 0"):
        sizing_inputs(volatility_ratio=0.0)


YEN = {
    "instrument": pair("USD", "JPY"),
    "entry_price": D(150),
    "mid": D(150),
    "stop_price": D(149),
    "target_price": D(153),
    "half_spread": D("0.005"),
    "risk_amount": D(420),
}


@pytest.mark.parametrize("truncated", ["0.01", "0.006", "1", "150"])
def test_a_rate_that_was_cut_short_or_turned_round_is_denied(truncated: str) -> None:
    """The price of 150 says that a yen is worth 0.00667 dollars."""
    denial = denied(proposal(**YEN, fx_rate=D(truncated)), snapshot())
    assert (denial.rule, denial.reason) == ("fx_rate", "fx_rate")
    assert (denial.numbers["rate"], denial.numbers["expected"]) == (truncated, "0.0066666667")
    assert isinstance(judged(proposal(**YEN, fx_rate=D("0.00667")), snapshot()), Approval)


def test_a_rate_cut_down_to_nothing_cannot_exist() -> None:
    with pytest.raises(InvalidRecord, match="fx_rate is 0"):
        proposal(**YEN, fx_rate=D("0.00"))
    with pytest.raises(InvalidRecord, match="fx_rate 0"):
        sizing_inputs(fx_rate=D(0))


def test_a_rate_of_another_day_than_that_of_what_is_open_is_denied() -> None:
    held = exposure(pair("CHF", "GBP"), fx_rate=D("1.25"))
    wanted = {"instrument": pair("EUR", "GBP"), "correlations": {"CHFGBP": 0.1}, "risk_amount": D(600)}
    assert isinstance(judged(proposal(**wanted, fx_rate=D("1.26")), snapshot(held)), Approval)
    denial = denied(proposal(**wanted, fx_rate=D("1.45")), snapshot(held))
    assert denial.detail == (
        "the rate 1.45 against 1.25 (CHFGBP is valued at 1.25): its distance would be 0.16; 0.05 is allowed"
    )


numbers = st.sampled_from(
    [D(0), D("1e-30"), D("0.00001"), D(1), D("1.1"), D(1000), D("1e15"), D("1e30"), D("NaN"), D(-1)]
)


def answered(drawn: dict[str, Any], equity: D, jurisdiction: str) -> tuple[Approval | Denial, Snapshot] | str:
    """The gate's verdict, or the fault for which there is nothing to judge."""
    try:
        wanted = proposal(**drawn)
        at = replace(snapshot(), equity=equity, account=rules_of(jurisdiction))
    except InvalidRecord as fault:
        return str(fault)
    return judged(wanted, at), at


@given(st.dictionaries(st.sampled_from(PRICES), numbers), numbers, st.sampled_from(["none", "esma_retail"]))
def test_no_figure_whatever_brings_anything_but_a_verdict_or_a_named_fault(
    drawn: dict[str, Any], equity: D, jurisdiction: str
) -> None:
    answer = answered(drawn, equity, jurisdiction)
    if isinstance(answer, str):
        assert answer.startswith(("EURUSD: ", "an account with equity "))
        return
    verdict, at = answer
    if isinstance(verdict, Approval):
        wanted = proposal(**drawn)
        assert equity > 0
        assert wanted.price_risk <= at.limits.risk_per_trade_max * equity
        assert wanted.notional <= at.limits.max_order_value * equity
    else:
        assert verdict.reason
        assert verdict.numbers
