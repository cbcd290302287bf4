"""An order's life: only through the table, never more filled than ordered, late fills included."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from domain_builders import HOUR, MINUTE, NAIVE, NOW, a_fill, an_approval, an_intent, an_order
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.errors import Impossible, InvalidRecord
from domain.orders import TERMINAL, TRANSITIONS, Action, OrderKind, OrderState, Side, TimeInForce

S = OrderState
FROM_THE_DOCUMENTS = {
    S.PENDING: "unknown accepted partially_filled filled cancelled expired rejected absent",
    S.UNKNOWN: "accepted partially_filled filled cancelled expired rejected absent",
    S.ACCEPTED: "partially_filled filled cancelled expired rejected",
    S.PARTIALLY_FILLED: "partially_filled filled cancelled expired",
    S.CANCELLED: "partially_filled filled",
    S.EXPIRED: "partially_filled filled",
    S.FILLED: "",
    S.REJECTED: "",
    S.ABSENT: "accepted partially_filled filled",
}


def test_the_table_is_the_one_the_documents_draw() -> None:
    assert {state: {S(name) for name in names.split()} for state, names in FROM_THE_DOCUMENTS.items()} == TRANSITIONS


@pytest.mark.parametrize("state", OrderState)
@pytest.mark.parametrize("following", OrderState)
def test_an_order_moves_as_the_table_says_and_in_no_other_way(state: OrderState, following: OrderState) -> None:
    order = an_order(state)
    if following is state or following in TRANSITIONS[state]:
        moved = order.moved(following, NOW + MINUTE, reason="told", venue_order_id="v1")
        assert (moved.state, moved.updated_at, moved.version) == (following, NOW + MINUTE, 1)
        assert (moved.reason, moved.venue_order_id) == ("told", "v1")
        return
    with pytest.raises(Impossible, match=f"order rt1 cannot go from {state} to {following}"):
        order.moved(following, NOW)


def test_what_is_not_said_again_is_kept() -> None:
    order = an_order().moved(S.ACCEPTED, NOW, reason="taken", venue_order_id="v1").moved(S.CANCELLED, NOW)
    assert (order.reason, order.venue_order_id) == ("taken", "v1")


@pytest.mark.parametrize("state", OrderState)
def test_a_terminal_state_leaves_only_for_a_fill_or_by_being_found(state: OrderState) -> None:
    assert state.terminal == (state in TERMINAL)
    if state.terminal:
        assert TRANSITIONS[state] <= {S.PARTIALLY_FILLED, S.FILLED, S.ACCEPTED}


def test_fills_add_up_to_the_order_and_its_average_price() -> None:
    order = an_order(S.ACCEPTED)
    order = order.with_fill(a_fill(quantity=Decimal(4), price=Decimal("1.10")))
    assert (order.state, order.filled, order.remaining) == (S.PARTIALLY_FILLED, 4, 6)
    order = order.with_fill(a_fill(trade_id="t2", quantity=Decimal(6), price=Decimal("1.20"), at=NOW + HOUR))
    assert (order.state, order.filled, order.remaining) == (S.FILLED, 10, 0)
    assert order.average_price == Decimal("1.16")
    assert order.updated_at == NOW + HOUR


@pytest.mark.parametrize("state", [S.CANCELLED, S.EXPIRED])
def test_a_late_partial_fill_leaves_an_ended_order_ended_and_a_complete_one_fills_it(state: OrderState) -> None:
    late = an_order(state).with_fill(a_fill(quantity=Decimal(4)))
    assert (late.state, late.filled) == (state, 4)
    whole = late.with_fill(a_fill(trade_id="t2", quantity=Decimal(6)))
    assert (whole.state, whole.filled) == (S.FILLED, 10)


def test_an_order_thought_absent_comes_back_with_a_fill() -> None:
    assert an_order(S.ABSENT).with_fill(a_fill()).state is S.PARTIALLY_FILLED


def test_a_fill_of_a_rejected_order_is_impossible() -> None:
    with pytest.raises(Impossible, match="cannot go from rejected"):
        an_order(S.REJECTED).with_fill(a_fill())


def test_more_filled_than_ordered_is_impossible() -> None:
    with pytest.raises(Impossible, match="11 filled of 10 ordered"):
        an_order(S.ACCEPTED).with_fill(a_fill(quantity=Decimal(11)))


def test_a_fill_of_another_order_is_impossible() -> None:
    with pytest.raises(Impossible, match="fill t1 belongs to rt2, not rt1"):
        an_order(S.ACCEPTED).with_fill(a_fill(client_order_id="rt2"))


def test_an_amended_order_keeps_its_name_its_state_and_what_was_filled() -> None:
    order = an_order(S.ACCEPTED, kind=OrderKind.STOP, stop_price=Decimal("1.05")).with_fill(a_fill())
    wanted = an_intent(
        client_order_id="rt9",
        action=Action.REPLACE,
        target_id="rt1",
        kind=OrderKind.STOP,
        stop_price=Decimal("1.07"),
        quantity=Decimal(6),
    )
    amended = order.amended(wanted, NOW + HOUR)
    assert (amended.client_order_id, amended.state, amended.filled) == ("rt1", S.PARTIALLY_FILLED, 4)
    assert (amended.intent.stop_price, amended.intent.quantity, amended.remaining) == (Decimal("1.07"), 6, 2)
    assert (amended.updated_at, amended.version) == (NOW + HOUR, order.version + 1)
    with pytest.raises(Impossible, match="4 filled of 3 it was cut to"):
        order.amended(
            an_intent(
                action=Action.REPLACE,
                target_id="rt1",
                kind=OrderKind.STOP,
                stop_price=Decimal("1.07"),
                quantity=Decimal(3),
            ),
            NOW,
        )


class AnOrdersLife(RuleBasedStateMachine):
    """Whatever is told of an order, in whatever sequence, it stays inside its table and its quantity."""

    def __init__(self) -> None:
        super().__init__()
        self.order = an_order()
        self.paid = Decimal(0)
        self.told = 0

    @rule(state=st.sampled_from(OrderState))
    def state_told(self, state: OrderState) -> None:
        before = self.order
        allowed = state is before.state or state in TRANSITIONS[before.state]
        try:
            self.order = before.moved(state, NOW)
        except Impossible:
            assert not allowed
            return
        assert allowed

    @rule(quantity=st.integers(1, 6).map(Decimal), price=st.integers(1, 9).map(Decimal))
    def fill_told(self, quantity: Decimal, price: Decimal) -> None:
        self.told += 1
        before = self.order
        fill = a_fill(trade_id=f"t{self.told}", quantity=quantity, price=price)
        fits = before.filled + quantity <= before.intent.quantity
        try:
            self.order = before.with_fill(fill)
        except Impossible:
            assert not fits or before.state in (S.REJECTED, S.FILLED)
            return
        assert fits
        self.paid += quantity * price
        assert self.order.filled == before.filled + quantity
        late = before.state in (S.CANCELLED, S.EXPIRED)
        assert self.order.state in ((before.state, S.FILLED) if late else (S.PARTIALLY_FILLED, S.FILLED))

    @precondition(lambda self: self.order.state not in TERMINAL)
    @rule(quantity=st.integers(1, 20).map(Decimal))
    def replacement_told(self, quantity: Decimal) -> None:
        before = self.order
        wanted = an_intent(client_order_id="rt2", action=Action.REPLACE, target_id="rt1", quantity=quantity)
        try:
            self.order = before.amended(wanted, NOW)
        except Impossible:
            assert quantity < before.filled
            return
        assert self.order.state is before.state

    @invariant()
    def no_more_filled_than_ordered(self) -> None:
        assert 0 <= self.order.filled <= self.order.intent.quantity
        assert self.order.remaining == self.order.intent.quantity - self.order.filled

    @invariant()
    def the_average_price_is_what_was_paid(self) -> None:
        if self.order.average_price is None:
            assert self.order.filled == 0
        else:
            assert abs(self.order.average_price * self.order.filled - self.paid) < Decimal("1e-20")


TestAnOrdersLife = AnOrdersLife.TestCase


# -- what may be asked for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": Decimal(0)}, "rt1: a quantity of 0 is not an order"),
        ({"quantity": Decimal("NaN")}, "rt1: a quantity of NaN is not an order"),
        ({"quantity": Decimal("Infinity")}, "rt1: a quantity of Infinity is not an order"),
        ({"kind": OrderKind.LIMIT}, "rt1: a limit order needs a limit price, not None"),
        ({"limit_price": Decimal(1)}, "rt1: a market order may not have a limit price, not 1"),
        ({"kind": OrderKind.STOP}, "rt1: a stop order needs a stop price, not None"),
        ({"stop_price": Decimal(1)}, "rt1: a market order may not have a stop price, not 1"),
        (
            {"kind": OrderKind.STOP_LIMIT, "stop_price": Decimal(1)},
            "rt1: a stop_limit order needs a limit price, not None",
        ),
        ({"kind": OrderKind.LIMIT, "limit_price": Decimal(0)}, "rt1: an order price must be above 0"),
        ({"kind": OrderKind.STOP, "stop_price": Decimal("NaN")}, "rt1: an order price must be above 0"),
        ({"time_in_force": TimeInForce.GTD}, "rt1: time in force gtd needs an expiry, not None"),
        ({"expires_at": NOW}, "rt1: time in force gtc may not have an expiry, not 2024-03-01 12:00:00+00:00"),
        ({"action": Action.CANCEL}, "rt1: the action cancel needs the id of the order it changes, not None"),
        ({"target_id": "rt0"}, "rt1: the action place may not have the id of the order it changes, not rt0"),
    ],
)
def test_an_intent_that_cannot_be_meant_is_refused_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        an_intent(**changes)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(("name", "more"), [("created_at", {}), ("expires_at", {"time_in_force": TimeInForce.GTD})])
def test_times_of_an_intent_are_utc(name: str, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord, match=name):
        an_intent(**{name: NAIVE}, **more)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": OrderKind.LIMIT, "limit_price": Decimal(1)},
        {"kind": OrderKind.STOP, "stop_price": Decimal(1)},
        {"kind": OrderKind.STOP_LIMIT, "stop_price": Decimal(1), "limit_price": Decimal(2)},
        {"time_in_force": TimeInForce.GTD, "expires_at": NOW + HOUR},
        {"time_in_force": TimeInForce.IOC},
        {"action": Action.CANCEL, "target_id": "rt0"},
    ],
)
def test_an_intent_that_can_be_meant_exists(changes: dict[str, Any]) -> None:
    intent = an_intent(**changes)
    assert all(getattr(intent, name) == value for name, value in changes.items())


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity"])
def test_an_approval_approves_something(quantity: str) -> None:
    with pytest.raises(InvalidRecord, match="approves nothing"):
        an_approval(quantity=Decimal(quantity))


def test_an_approval_lasts_for_a_while() -> None:
    with pytest.raises(InvalidRecord, match="must expire after it was granted"):
        an_approval(expires_at=NOW)
    for name in ("granted_at", "expires_at"):
        with pytest.raises(InvalidRecord, match=name):
            an_approval(**{name: NAIVE})


@given(st.sampled_from(["quantity", "price", "fx_rate"]), st.sampled_from(["0", "-1", "NaN", "Infinity"]))
def test_a_fill_has_a_quantity_a_price_and_a_rate_above_nought(name: str, value: str) -> None:
    with pytest.raises(InvalidRecord, match="fill t1: quantity, price and rate must be above 0"):
        a_fill(**{name: Decimal(value)})


def test_a_fills_fee_is_an_amount_and_may_be_a_rebate() -> None:
    assert a_fill(fee=Decimal("-0.01")).fee == Decimal("-0.01")
    with pytest.raises(InvalidRecord, match="a fee of NaN is not an amount"):
        a_fill(fee=Decimal("NaN"))
    with pytest.raises(InvalidRecord, match="at"):
        a_fill(at=NAIVE)


@pytest.mark.parametrize("side", Side)
def test_sides_are_opposite_and_their_signs_cancel(side: Side) -> None:
    assert side.opposite.opposite is side
    assert side.sign + side.opposite.sign == 0
    assert Side.BUY.sign == 1
