"""The gate asks every rule, fails closed, and binds what it approves."""

from __future__ import annotations

from datetime import timedelta
from decimal import InvalidOperation

import pytest
from risk_builders import EXPIRY, NOON, D, judged, proposal, snapshot

from domain.errors import Impossible, InvalidRecord, NoRate
from domain.orders import Approval, Side
from risk.gate import DEFAULT_RULES, Denial, Gate, approve_reduction
from risk.limits import Limits
from risk.snapshot import Proposal, Snapshot


class Agreeing:
    name = "agreeing"

    def __init__(self) -> None:
        self.asked = 0

    def check(self, _proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        self.asked += 1
        return None


class Refusing(Agreeing):
    name = "refusing"

    def check(self, _proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        self.asked += 1
        return Denial(rule=self.name, reason="never", detail="this rule always refuses")


class Raising:
    name = "raising"

    def __init__(self, problem: BaseException) -> None:
        self.problem = problem

    def check(self, _proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        raise self.problem


def test_an_approval_binds_instrument_side_quantity_time_rules_and_limits() -> None:
    limits = Limits(max_positions=5)
    approval = judged(proposal(), snapshot(limits=limits))
    assert isinstance(approval, Approval)
    assert (approval.instrument, approval.side, approval.quantity) == ("EURUSD", Side.BUY, 40000)
    assert (approval.granted_at, approval.expires_at, approval.reduce_only) == (NOON, EXPIRY, False)
    assert approval.rules == tuple(rule.name for rule in DEFAULT_RULES)
    assert approval.limits_digest == limits.digest() != Limits().digest()


@pytest.mark.parametrize(
    "problem",
    [
        NoRate(),
        Impossible("a broken invariant"),
        ZeroDivisionError("no"),
        InvalidOperation("no"),
        OverflowError("no"),
        KeyError("GBPUSD"),
        IndexError("no"),
        ValueError("no"),
        TypeError("no"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_a_rule_that_cannot_answer_denies_and_names_itself(problem: Exception) -> None:
    verdict = Gate((Agreeing(), Raising(problem))).judge(proposal(), snapshot(), expires_at=EXPIRY)
    assert isinstance(verdict, Denial)
    assert (verdict.rule, verdict.reason) == ("raising", "cannot_answer")
    assert verdict.detail.startswith(f"rule raising could not answer: {type(problem).__name__} ")


@pytest.mark.parametrize("problem", [AttributeError("a broken program"), MemoryError(), KeyboardInterrupt()])
def test_a_broken_program_reaches_the_supervisor_without_an_approval(problem: BaseException) -> None:
    with pytest.raises(type(problem)):
        Gate((Raising(problem),)).judge(proposal(), snapshot(), expires_at=EXPIRY)


def test_the_first_no_is_the_answer() -> None:
    last = Agreeing()
    verdict = Gate((Refusing(), last)).judge(proposal(), snapshot(), expires_at=EXPIRY)
    assert isinstance(verdict, Denial)
    assert (verdict.rule, last.asked) == ("refusing", 0)


def test_a_gate_without_rules_or_with_two_of_a_name_cannot_exist() -> None:
    with pytest.raises(InvalidRecord, match="a gate needs rules"):
        Gate(())
    with pytest.raises(InvalidRecord, match="different names"):
        Gate((Agreeing(), Agreeing()))


def test_an_approval_that_has_already_expired_is_not_given() -> None:
    with pytest.raises(InvalidRecord, match="expire"):
        Gate((Agreeing(),)).judge(proposal(), snapshot(), expires_at=NOON)


def test_a_reduction_is_approved_reduce_only_and_bound() -> None:
    approval = approve_reduction(
        instrument="EURUSD", side=Side.SELL, quantity=D(40000), now=NOON, expires_at=EXPIRY, limits=Limits()
    )
    assert approval.reduce_only
    assert (approval.instrument, approval.side, approval.quantity) == ("EURUSD", Side.SELL, 40000)
    assert (approval.rules, approval.limits_digest) == (("reduction",), Limits().digest())


@pytest.mark.parametrize(("quantity", "lifetime_s"), [(D(0), 60), (D(-1), 60), (D(1), 0), (D(1), -60)])
def test_a_reduction_of_nothing_or_for_no_time_is_refused(quantity: D, lifetime_s: int) -> None:
    with pytest.raises(InvalidRecord):
        approve_reduction(
            instrument="EURUSD",
            side=Side.SELL,
            quantity=quantity,
            now=NOON,
            expires_at=NOON + timedelta(seconds=lifetime_s),
            limits=Limits(),
        )
