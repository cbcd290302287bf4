"""For any portfolio, prices and settings: what the gate approves breaks no limit, and tighter never approves more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from risk_builders import EXPIRY, NOON, D, judged, sizing_inputs, snapshot
from risk_portfolios import (
    accounts,
    as_exposure,
    as_proposal,
    assert_within_limits,
    choices,
    limits,
    orders,
    settled,
    sides,
)

from domain.instruments import AssetClass
from domain.orders import Approval
from risk.accounts import AccountRules, LeverageClass
from risk.breakers import OrderSent, step
from risk.gate import DEFAULT_RULES, Gate
from risk.limits import ALLOWED, Limits
from risk.room import room
from risk.sizing import size
from risk.snapshot import Proposal, Snapshot
from risk.state import Execution, RiskState


def sent(asked: Proposal, at: Snapshot, how: str) -> Snapshot:
    """The account with one more order under way, or filled at once."""
    told = OrderSent(at=at.now, instrument=asked.instrument.symbol, side=asked.side, decision_id=asked.decision_id)
    state, _ = step(at.state, told, at.limits)
    return replace(at, exposures=(*at.exposures, as_exposure(asked, how)), state=state)


@settings(max_examples=200)
@given(st.lists(orders(), min_size=1, max_size=12), limits(), accounts(), st.data())
def test_no_sequence_of_approved_orders_breaks_a_limit(
    wanted: list[dict[str, Any]], bounds: Limits, account: AccountRules, data: st.DataObject
) -> None:
    """Orders are in flight, unknown or filled; fills, partial fills and cancels arrive between gate and send."""
    draw = data.draw
    at = snapshot(limits=bounds, account=account)
    approved = 0
    for number, order in enumerate(wanted):
        asked = as_proposal(order, number, at)
        at = replace(at, now=at.now + timedelta(seconds=7))
        verdict = judged(asked, at)
        at = settled(draw, at)
        if isinstance(verdict, Approval):
            assert verdict.quantity == asked.quantity
            assert asked.instrument.symbol not in at.open_instruments
            at = sent(asked, at, order["settled"])
            approved += 1
        assert_within_limits(at)
        assert not at.state.throttled or approved >= bounds.repeated_executions
        assert approved * 3 <= bounds.orders_per_minute + 2 * approved
    event(f"{min(approved, 4)} approved")


@st.composite
def states(draw: st.DrawFn) -> RiskState:
    """Breakers and budgets that are partly used up."""
    minutes = st.integers(0, 90).map(lambda minute: NOON - timedelta(minutes=minute))
    seconds = st.integers(0, 90).map(lambda second: NOON - timedelta(seconds=second))
    executions = st.builds(Execution, at=minutes, instrument=st.sampled_from(["EURUSD", "BTCUSD"]), side=sides)
    return replace(
        RiskState.starting(D(100000), NOON),
        executions=tuple(draw(st.lists(executions, max_size=8))),
        order_times=tuple(sorted(draw(st.lists(seconds, max_size=12)))),
        orders_day=NOON.date(),
        orders_today=draw(st.sampled_from([0, 150, 1900, 1998])),
        rebased_at=draw(st.none() | minutes),
    )


def portfolio(opened: list[dict[str, Any]], at: Snapshot) -> Snapshot:
    """The account with these orders open or under way, whatever the gate would have said to them."""
    for number, order in enumerate(opened):
        at = replace(at, exposures=(*at.exposures, as_exposure(as_proposal(order, number, at), order["settled"])))
    return at


ALONE = {rule.name: Gate((rule,)) for rule in DEFAULT_RULES}


def agreeing(asked: Proposal, at: Snapshot) -> set[str]:
    """The rules that have nothing against the proposal, each asked by itself."""
    verdicts = {name: gate.judge(asked, at, expires_at=EXPIRY) for name, gate in ALONE.items()}
    return {name for name, verdict in verdicts.items() if isinstance(verdict, Approval)}


def ladder(start: Limits, name: str) -> list[Limits]:
    """The limits with one of them at several values, the tightest first."""
    values = choices(name) if ALLOWED[name].greater_is_looser else choices(name)[::-1]
    found = []
    for value in values:
        together = {name: value}
        if name == "risk_per_trade_max":
            together["risk_per_trade_min"] = min(start.risk_per_trade_min, value)
        if name in ("risk_per_trade_min", "bet_scale_min"):
            upper = getattr(start, name.replace("min", "max"))
            together[name] = min(value, upper)
        if name == "bet_scale_max":
            together["bet_scale_min"] = min(start.bet_scale_min, value)
        found.append(replace(start, **together))
    return found


@settings(max_examples=25, deadline=None)
@given(st.lists(orders(), min_size=1, max_size=6), limits(), accounts(), states())
def test_tightening_any_limit_never_allows_more(
    wanted: list[dict[str, Any]], bounds: Limits, account: AccountRules, state: RiskState
) -> None:
    """For every limit there is, and every rule by itself, so that no denial hides another."""
    at = portfolio(wanted[:-1], snapshot(limits=bounds, account=account, state=state))
    asked = as_proposal(wanted[-1], 99, at)
    for name in ALLOWED:
        rungs = ladder(bounds, name)
        allowed = [agreeing(asked, replace(at, limits=each)) for each in rungs]
        for (tight, by_tight), (loose, by_loose) in pairwise(zip(rungs, allowed, strict=True)):
            assert tight.loosened_from(loose) == ()
            assert by_tight <= by_loose, f"tightening {name} allowed more"
            if by_tight != by_loose:
                event(f"{name} decides")


def stricter(draw: st.DrawFn, account: AccountRules) -> AccountRules:
    """The same account with one of its rules made stricter."""
    factor = draw(st.sampled_from([D(1), D("1.5"), D(10)]))
    collars, most = account.price_collars, account.max_quantities
    changes: dict[str, dict[str, Any]] = {
        "fifo": {"fifo": True},
        "no_hedge": {"no_hedge": True},
        "close_out": {"margin_close_out": (account.margin_close_out or D("0.1")) * factor},
        "after_entry": {"margin_after_entry": (account.margin_after_entry or D("0.1")) * factor},
        "caps": {"leverage_caps": {row: account.leverage_caps.get(row, D(30)) / factor for row in LeverageClass}},
        "classes": {"permitted_classes": (account.permitted_classes or frozenset(AssetClass)) & {AssetClass.FOREX}},
        "instruments": {"permitted_instruments": frozenset({"EURUSD", "USDEUR"})},
        "forbidden": {"forbidden_instruments": account.forbidden_instruments | {"GBPUSD"}},
        "collar": {"price_collars": {**collars, AssetClass.FOREX: D("0.001")}},
        "most": {"max_quantities": {**most, "EURUSD": D(1000)}},
    }
    return replace(account, **changes[draw(st.sampled_from(sorted(changes)))])


@settings(max_examples=200)
@given(st.lists(orders(), min_size=1, max_size=4), limits(), accounts(), st.data())
def test_a_stricter_account_never_allows_more(
    wanted: list[dict[str, Any]], bounds: Limits, account: AccountRules, data: st.DataObject
) -> None:
    at = portfolio(wanted[:-1], snapshot(limits=bounds, account=account))
    asked = as_proposal(wanted[-1], 99, at)
    by_strict = agreeing(asked, replace(at, account=stricter(data.draw, account)))
    by_loose = agreeing(asked, at)
    assert by_strict <= by_loose
    for name in sorted(by_loose - by_strict):
        event(f"{name} decides")


MONEY_RULES = {
    "well_formed",
    "fat_finger",
    "order_value",
    "order_quantity",
    "open_risk",
    "gross_exposure",
    "currency_exposure",
    "leverage_cap",
    "margin_close_out",
    "margin",
}


@settings(max_examples=200)
@given(st.lists(orders(), max_size=5), orders(), limits(), accounts())
def test_what_sizing_gives_within_its_room_passes_the_gates_money_rules(
    opened: list[dict[str, Any]], last: dict[str, Any], bounds: Limits, account: AccountRules
) -> None:
    at = snapshot(limits=bounds, account=account)
    for number, order in enumerate(opened):
        asked = as_proposal(order, number, at)
        if isinstance(judged(asked, at), Approval):
            at = replace(at, exposures=(*at.exposures, as_exposure(asked, order["settled"])))
    instrument, side = last["instrument"], last["side"]
    sizing = size(
        sizing_inputs(
            equity=at.equity,
            instrument=instrument,
            side=side,
            entry_price=float(last["entry_price"]),
            stop_price=float(last["stop_price"]),
            slippage=0.0005,
            fx_rate=last["fx_rate"],
            open_risk=at.open_risk,
            limits=bounds,
            room=room(at, instrument, side),
        )
    )
    assume(sizing.quantity > 0)
    asked = replace(as_proposal(last, 99, at), quantity=sizing.quantity, risk_amount=sizing.risk_amount)
    verdict = judged(asked, at)
    event("approved" if isinstance(verdict, Approval) else verdict.rule)
    assert isinstance(verdict, Approval) or verdict.rule not in MONEY_RULES


@given(orders(), limits(), accounts(), st.data())
def test_a_verdict_is_the_same_every_time(
    order: dict[str, Any], bounds: Limits, account: AccountRules, data: st.DataObject
) -> None:
    at = snapshot(limits=bounds, account=account, state=data.draw(states()))
    asked = as_proposal(order, 0, at)
    assert judged(asked, at) == judged(asked, at)
