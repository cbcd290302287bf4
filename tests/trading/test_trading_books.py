"""Our view of the account: moved by the state table alone, whatever order, number and delay events come with."""

from __future__ import annotations

from decimal import Decimal

import pytest
from trading_rig import COIN, instrument
from trading_words import WORDING, Teller

from brokers.protocol import Capabilities, EventKind
from domain.decisions import ExitCause
from domain.errors import Impossible
from domain.orders import TRANSITIONS, Leg, Order, OrderKind, OrderState, Side
from domain.records import CashKind
from trading.books import CHANGES_KEY, CURSOR_KEY
from trading.protection import Protection
from trading.trades import Changes

STATE_EVENTS = {
    EventKind.ACCEPTED: OrderState.ACCEPTED,
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.CANCELLED: OrderState.CANCELLED,
    EventKind.EXPIRED: OrderState.EXPIRED,
}


@pytest.fixture
def teller() -> Teller:
    return Teller()


def in_state(teller: Teller, state: OrderState) -> Order:
    """An entry in any state, reached the way it is reached."""
    entry = teller.enter()
    if state in (OrderState.UNKNOWN, OrderState.ABSENT):
        teller.books.set_state(entry, OrderState.UNKNOWN, teller.now, Changes())
    if state is OrderState.ABSENT:
        teller.books.set_state(teller.order(entry), state, teller.now, Changes())
    event = next((kind for kind, reached in STATE_EVENTS.items() if reached is state), None)
    if event is not None:
        teller.tell(teller.said(event, entry))
    if state is OrderState.PARTIALLY_FILLED:
        teller.tell(teller.filled(entry, 4, number=9))
    if state is OrderState.FILLED:
        teller.tell(teller.filled(entry, 10, number=9))
    assert teller.order(entry).state is state
    return teller.order(entry)


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STATE_EVENTS)
@pytest.mark.parametrize("state", OrderState)
def test_an_event_moves_an_order_as_the_table_says_or_not_at_all(teller, state, kind):
    order = in_state(teller, state)
    target = STATE_EVENTS[kind]
    allowed = target in TRANSITIONS[state]
    if state is OrderState.PARTIALLY_FILLED and target is OrderState.REJECTED:
        with pytest.raises(Impossible):
            teller.tell(teller.said(kind, order))
        return
    teller.tell(teller.said(kind, order))
    assert teller.order(order).state is (target if allowed else state)


@pytest.mark.parametrize("state", OrderState)
def test_a_fill_is_believed_in_every_state_in_which_the_table_allows_one(teller, state):
    order = in_state(teller, state)
    if state in (OrderState.REJECTED, OrderState.FILLED):
        with pytest.raises(Impossible):
            teller.tell(teller.filled(order, 6))
        return
    teller.tell(teller.filled(order, 6))
    after = teller.order(order)
    held = teller.books.trades[COIN].position.quantity
    assert after.filled == held == (Decimal(10) if state is OrderState.PARTIALLY_FILLED else Decimal(6))
    assert after.state in {state, OrderState.PARTIALLY_FILLED, OrderState.FILLED}


def test_more_than_was_ordered_is_impossible(teller):
    entry = teller.enter()
    with pytest.raises(Impossible, match="11 filled of 10"):
        teller.tell(teller.filled(entry, 11))


# -- told twice, late, or in another order -----------------------------------------------------------------------------


def test_a_fill_told_twice_counts_once(teller):
    entry = teller.enter()
    fill = teller.filled(entry, 4, fee="0.5")
    teller.tell(fill)
    changes = teller.tell(fill, fill)
    assert changes.fills == []
    assert teller.order(entry).filled == teller.books.trades[COIN].position.quantity == Decimal(4)
    assert teller.books.balance == Decimal("-0.5")


def test_cash_told_twice_counts_once(teller):
    teller.open_position()
    teller.wait()
    teller.tell(teller.paid("-3"), teller.paid("-3"))
    teller.tell(teller.paid("-3"))
    assert teller.books.balance == teller.books.trades[COIN].swap == Decimal(-3)


def test_a_fill_that_overtook_its_acceptance_stays(teller):
    entry = teller.enter()
    teller.tell(teller.filled(entry, 10))
    teller.tell(teller.said(EventKind.ACCEPTED, entry))
    assert teller.order(entry).state is OrderState.FILLED
    assert teller.books.pending() == []


@pytest.mark.parametrize("ending", [EventKind.CANCELLED, EventKind.EXPIRED, EventKind.REJECTED])
def test_an_acceptance_told_after_the_end_changes_nothing(teller, ending):
    entry = teller.enter()
    teller.tell(teller.said(ending, entry))
    ended = teller.order(entry)
    teller.tell(teller.said(EventKind.ACCEPTED, entry))
    assert teller.order(entry) == ended


def test_a_fill_during_a_cancel_is_a_position(teller):
    entry = teller.enter()
    teller.tell(teller.said(EventKind.ACCEPTED, entry))
    cancel = WORDING.cancel(teller.order(entry), attempt=2, now=teller.now, reason="a test")
    teller.mean(cancel)
    changes = teller.tell(
        teller.filled(entry, 10), teller.said(EventKind.CANCEL_REJECTED, entry, intent=cancel, reason="filled")
    )
    assert teller.order(entry).state is OrderState.FILLED
    assert teller.books.trades[COIN].position.quantity == Decimal(10)
    assert changes.unfilled == []
    assert teller.books.pending() == []
    assert teller.books.refused_changes == {}, "a cancel that lost its race was not refused"


@pytest.mark.parametrize("ending", [EventKind.CANCELLED, EventKind.EXPIRED])
def test_a_fill_told_after_the_end_of_its_entry_brings_the_trade_back(teller, ending):
    entry = teller.enter()
    changes = teller.tell(teller.said(ending, entry))
    decision = changes.unfilled[0]
    assert COIN not in teller.books.trades
    changes = teller.tell(teller.filled(entry, 4))
    assert changes.revived == [decision]
    assert teller.books.trades[COIN].position.quantity == Decimal(4)
    assert teller.order(entry).state is STATE_EVENTS[ending]
    changes = teller.tell(teller.filled(entry, 6, number=2))
    assert teller.order(entry).state is OrderState.FILLED
    assert teller.books.trades[COIN].position.quantity == Decimal(10)


def test_a_fill_of_a_trade_long_gone_is_impossible_and_not_swallowed(teller):
    first = teller.enter()
    teller.tell(teller.said(EventKind.CANCELLED, first))
    teller.wait()
    teller.enter()
    with pytest.raises(Impossible, match="belongs to no trade in COINUSD"):
        teller.tell(teller.filled(first, 10))


def test_a_late_fill_of_a_trade_that_is_over_is_taken_in_and_undone_without_a_second_outcome(teller):
    entry = teller.enter()
    teller.tell(teller.filled(entry, 4), teller.said(EventKind.CANCELLED, entry))
    stop = teller.protective(entry, Leg.STOP, "4")
    (over,) = teller.tell(teller.filled(stop, 4, price="95")).closed
    changes = teller.tell(teller.filled(entry, 6, number=2))
    trade = teller.books.trades[COIN]
    assert (trade.trade_id, trade.spent, trade.position.quantity) == (over.trade_id, True, Decimal(6))
    can = Capabilities(
        kinds=frozenset(OrderKind), oco=True, replace=True, reduce_only=True, shorts=True, demo_proof="a test"
    )
    (close,) = Protection(WORDING, {COIN: instrument()}, can).after(changes, teller.books, teller.now)
    assert (close.leg, close.reason, close.quantity) == (Leg.CLOSE, ExitCause.LATE_FILL, Decimal(6))


def test_an_order_thought_absent_that_appears_is_adopted_and_noted(teller):
    entry = in_state(teller, OrderState.ABSENT)
    changes = teller.tell(teller.said(EventKind.ACCEPTED, entry))
    assert teller.order(entry).state is OrderState.ACCEPTED
    assert teller.books.orphans() == [teller.order(entry)], "nobody plans with it any more: it is to be cancelled"
    assert len(changes.batch.rows["incidents"]) == 1
    changes = teller.tell(teller.filled(entry, 10))
    assert [each.decision_id for each in changes.revived] == [entry.intent.cause_id]
    assert teller.books.orphans() == []


def test_a_foreign_order_is_an_incident_and_nothing_else(teller):
    changes = teller.tell(teller.said(EventKind.ACCEPTED, "somebody-elses"))
    assert teller.books.orders == {}
    assert changes.touched == set()
    assert len(changes.batch.rows["incidents"]) == 1


# -- positions and cash ------------------------------------------------------------------------------------------------


def test_a_position_is_the_sum_of_its_fills_and_the_balance_the_sum_of_cash(teller):
    entry = teller.enter(quantity="10")
    teller.tell(teller.paid("1000", CashKind.DEPOSIT))
    teller.tell(teller.filled(entry, 4, "100", fee="0.4"), teller.filled(entry, 6, "110", number=2, fee="0.6"))
    position = teller.books.trades[COIN].position
    assert position.entry_price == Decimal(106)
    stop = teller.protective(entry, Leg.STOP)
    teller.wait()
    teller.tell(teller.filled(stop, 5, "96", fee="0.1"), teller.paid("-2"))
    assert teller.books.trades[COIN].position.quantity == Decimal(5)
    assert teller.books.balance == Decimal(1000) - 1 + 5 * (Decimal(96) - 106) - Decimal("0.1") - 2
    changes = teller.tell(teller.filled(stop, 5, "95", number=2))
    (trade,) = changes.closed
    assert (trade.position.quantity, trade.swap, trade.closing_leg) == (Decimal(0), Decimal(-2), Leg.STOP)
    assert teller.books.balance == Decimal(1000) - 1 - 50 - Decimal("0.1") - 2 - 55
    assert teller.books.trades == {}


def test_a_closing_fill_larger_than_the_position_is_refused_and_never_flips_it(teller):
    from domain.errors import InvalidRecord

    entry = teller.open_position()
    stop = teller.protective(entry, Leg.STOP, "15")
    with pytest.raises(InvalidRecord, match="would flip"):
        teller.tell(teller.filled(stop, 15))


def test_a_position_that_closes_while_its_entry_still_fills_is_closed_with_the_entry(teller):
    entry = teller.enter()
    teller.tell(teller.said(EventKind.ACCEPTED, entry), teller.filled(entry, 4))
    stop = teller.protective(entry, Leg.STOP, "4")
    changes = teller.tell(teller.filled(stop, 4, "95"))
    assert changes.closed == []
    changes = teller.tell(teller.said(EventKind.CANCELLED, entry))
    (trade,) = changes.closed
    assert trade.closing_leg is Leg.STOP
    assert teller.books.trades == {}


def test_one_trade_an_instrument(teller):
    teller.enter()
    with pytest.raises(Impossible, match="already has the trade"):
        teller.enter()


# -- changes of resting orders -----------------------------------------------------------------------------------------


def test_a_replacement_counts_when_the_venue_took_it(teller):
    entry = teller.open_position()
    stop = teller.protective(entry, Leg.STOP)
    teller.tell(teller.said(EventKind.ACCEPTED, stop))
    change = WORDING.replace(
        teller.order(stop), quantity=Decimal(10), price=Decimal(97), attempt=2, now=teller.now, reason="trailing"
    )
    teller.mean(change)
    assert teller.order(stop).intent.stop_price == teller.books.trades[COIN].stop_price == Decimal(95)
    teller.tell(teller.said(EventKind.REPLACED, stop, intent=change))
    assert teller.order(stop).intent.stop_price == teller.books.trades[COIN].stop_price == Decimal(97)
    teller.tell(teller.said(EventKind.REPLACED, stop, intent=change))
    assert teller.books.pending() == []


def test_a_refused_replacement_is_counted_noted_and_no_longer_awaited(teller):
    entry = teller.open_position()
    stop = teller.protective(entry, Leg.STOP)
    teller.tell(teller.said(EventKind.ACCEPTED, stop))
    change = WORDING.replace(
        teller.order(stop), quantity=Decimal(10), price=Decimal(97), attempt=2, now=teller.now, reason="trailing"
    )
    teller.mean(change)
    assert teller.batches[-1].state[CHANGES_KEY] == f'["{change.client_order_id}"]'
    changes = teller.tell(teller.said(EventKind.REPLACE_REJECTED, stop, intent=change, reason="no"))
    assert changes.batch.state[CHANGES_KEY] == "[]"
    assert teller.books.refused_changes == {stop.client_order_id: 1}
    assert teller.books.trades[COIN].stop_price == Decimal(95)


def test_a_replacement_given_up_too_early_still_counts_when_the_venue_took_it(teller):
    entry = teller.open_position()
    stop = teller.protective(entry, Leg.STOP)
    teller.tell(teller.said(EventKind.ACCEPTED, stop))
    change = WORDING.replace(
        teller.order(stop), quantity=Decimal(10), price=Decimal(97), attempt=2, now=teller.now, reason="trailing"
    )
    teller.mean(change)
    teller.books.drop_change(change, teller.now, "no answer", Changes())
    teller.tell(teller.said(EventKind.REPLACED, stop, intent=change))
    assert teller.books.trades[COIN].stop_price == Decimal(97)


@pytest.mark.parametrize("side", Side)
def test_numbers_within_a_leg_are_never_used_twice(teller, side):
    entry = teller.open_position(side)
    trade = entry.intent.position_id
    used = [teller.books.next_attempt(trade, Leg.STOP)]
    teller.protective(entry, Leg.STOP)
    for _ in range(3):
        used.append(teller.books.next_attempt(trade, Leg.STOP))
        (stop,) = teller.books.open_orders(trade, Leg.STOP)
        teller.mean(WORDING.cancel(stop, attempt=used[-1], now=teller.now, reason="a test"))
    assert used == [1, 2, 3, 4]


def test_any_cursor_a_venue_may_give_is_kept_as_it_is(teller):
    import json

    changes = teller.books.apply([teller.paid("1", CashKind.DEPOSIT)], 'odd "cursor" \\ 1')
    assert json.loads(changes.batch.state[CURSOR_KEY]) == 'odd "cursor" \\ 1'
