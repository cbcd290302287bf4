"""What a hostile reviewer found between risk and trading: each test failed once, and says what was lost by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from trading_rig import COIN, HOUR, START, Rig, flat, instrument

from brokers.protocol import BrokerEvent, EventKind
from domain.errors import InvalidRecord
from domain.holds import Effect, HoldCause, new_hold
from domain.instruments import AssetClass
from domain.orders import Action, Intent, Leg, Side
from domain.records import CashEvent, CashKind
from journal.batch import Batch
from risk.portfolio import Method
from trading.exposure import Exposures
from trading.intents import Wording
from trading.judging import Account, Case
from trading.portfolio import Portfolio, PortfolioSettings, PortfolioWeights
from trading.protection import ATTEMPTS
from trading.trades import Changes

SECOND = timedelta(seconds=1)


async def hold(rig: Rig, cause: HoldCause, effect: Effect) -> None:
    batch = Batch()
    rig.session.holds.set(new_hold(cause, effect, since=rig.clock.now(), detail="a test", latched=True), batch)
    await rig.writer.commit(batch)


async def looks(rig: Rig, seconds: int) -> None:
    """Between bars, every second."""
    for _ in range(seconds):
        rig.clock.move_to(rig.clock.now() + SECOND)
        await rig.session.look_after({})


# -- the slippage breaker ----------------------------------------------------------------------------------------------


async def entered(begin) -> Rig:
    """Bought at 100 at the open of an hour; the last close known is 100 too."""
    rig = await begin(flat(100, 8))
    await rig.closes()
    await rig.enter()
    await rig.opens()
    return rig


def excesses(rig: Rig) -> list[Decimal]:
    return [excess for _, _, excess in rig.session.risk.state.excess_slippages]


def told(rig: Rig, **changes) -> None:
    """A market order filled, as the one that entered did but for `changes`."""
    (fill,) = rig.journal.read.fills()
    changed = Changes(fills=[(replace(fill, **changes), rig.books.orders[fill.client_order_id])])
    rig.session.aftermath.on_changes(changed)


async def test_a_sale_within_a_bar_is_not_compared_with_a_price_of_long_ago(begin):
    """The market fell a twentieth since the hour began; what is sold at its price then has not slipped."""
    rig = await entered(begin)
    before = excesses(rig)
    told(rig, side=Side.SELL, price=Decimal(95), at=rig.moment.at + timedelta(minutes=40))
    assert excesses(rig) == before


async def test_a_night_between_close_and_open_is_no_slippage(begin):
    rig = await entered(begin)
    before = excesses(rig)
    bars = rig.session.view.bars(COIN)
    after_the_last = START + timedelta(seconds=3600 * len(bars.opened)) + 17 * HOUR
    told(rig, price=Decimal(105), at=after_the_last)
    assert excesses(rig) == before


async def test_what_is_filled_right_after_a_close_is_compared_with_it(begin):
    rig = await entered(begin)
    before = excesses(rig)
    told(rig, price=Decimal(101), at=rig.moment.at + 5 * SECOND)
    assert excesses(rig) == [*before, Decimal("0.01")]


async def test_ten_slices_of_one_order_are_one_fill(begin):
    """A thin book gives one order ten slices, each of them another trade; that is one bad fill, not ten."""
    rig = await entered(begin)
    (fill,) = rig.journal.read.fills()
    order = rig.books.orders[fill.client_order_id]
    slices = [
        (replace(fill, trade_id=f"slice{number}", quantity=Decimal(1), price=Decimal(101)), order)
        for number in range(10)
    ]
    rig.session.aftermath.on_changes(Changes(fills=slices))
    assert not rig.session.holds.has(HoldCause.EXECUTION_QUALITY, None)


# -- the emergency -----------------------------------------------------------------------------------------------------


async def test_between_bars_an_emergency_takes_entries_back_that_may_still_fill(begin):
    rig = await begin(flat(100, 8), broker={"slippage_bps": 0, "max_participation": 1})
    await rig.closes()
    await rig.enter()
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await looks(rig, 3)
    assert [intent.action for intent in rig.venue.sent if intent.leg is Leg.ENTRY] == [Action.PLACE, Action.CANCEL]
    await rig.opens()
    assert await rig.held() == 0
    assert await rig.faults() == []


async def test_an_entry_that_cannot_be_taken_back_is_not_asked_for_every_second(begin):
    rig = await begin(flat(100, 8))
    await rig.closes()
    await rig.enter()
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    rig.venue.faults.refuses = lambda intent: intent.action is Action.CANCEL
    await looks(rig, 30)
    assert 1 <= sum(intent.action is Action.CANCEL for intent in rig.venue.sent) <= 2 * ATTEMPTS


async def test_under_a_halt_no_entry_is_taken_back_between_bars(begin):
    rig = await begin(flat(100, 8))
    await rig.closes()
    await rig.enter()
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await hold(rig, HoldCause.OPERATOR, Effect.HALT)
    await looks(rig, 3)
    assert [intent.action for intent in rig.venue.sent] == [Action.PLACE]


async def test_an_entry_that_waited_for_a_busy_venue_does_not_leave_after_an_emergency(begin):
    rig = await begin(flat(100, 8))
    await rig.closes()
    rig.venue.faults.busy = 1
    await rig.enter()
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    before = len(rig.venue.sent)
    await looks(rig, 3)
    assert [intent for intent in rig.venue.sent[before:] if intent.action is Action.PLACE] == []


async def test_an_entry_that_waited_for_a_busy_venue_does_not_leave_after_a_halt(begin):
    rig = await begin(flat(100, 8))
    await rig.closes()
    rig.venue.faults.busy = 1
    await rig.enter()
    batch = Batch()
    rig.trading.commands.halt(who="a person", why="a test", batch=batch)
    before = len(rig.venue.sent)
    await rig.session.execute([], batch)
    await looks(rig, 3)
    assert rig.venue.sent[before:] == []


async def test_the_entry_that_makes_the_throttle_latch_is_itself_sent(begin):
    """Five entries are allowed; the latch of the fifth stops the sixth."""
    rig = await begin(flat(100, 8), risk={"repeated_executions": 1})
    await rig.closes()
    await rig.enter()
    assert rig.session.holds.has(HoldCause.REPEATED_EXECUTION, None)
    await rig.opens()
    assert await rig.held() == 10


def expires_closes(rig: Rig) -> None:
    """The book is empty: the venue takes every market order that would close something, and lets it expire unfilled.
    After 50 of them it fills again, so that a loop without an end comes to one here."""
    send, told = rig.venue.inner.send, []

    async def sent(intent: Intent) -> None:
        if intent.leg is not Leg.CLOSE or len(told) >= 50:
            await send(intent)
            return
        told.append(intent)
        rig.venue._own.append(
            BrokerEvent(
                kind=EventKind.EXPIRED,
                at=rig.clock.now(),
                client_order_id=intent.client_order_id,
                intent_id=intent.client_order_id,
                reason="nobody buys",
            )
        )

    rig.venue.inner.send = sent


def closes(rig: Rig) -> int:
    return sum(intent.leg is Leg.CLOSE for intent in rig.venue.sent)


async def test_a_close_that_expires_unfilled_is_not_sent_every_second(begin):
    rig = await entered(begin)
    expires_closes(rig)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await looks(rig, 30)
    assert 2 <= closes(rig) <= 5


async def test_where_the_stop_must_be_taken_back_first_an_expired_close_is_not_sent_without_end(begin):
    rig = await entered(begin)
    rig.session.protection._stacks = rig.session.protection._can_replace = False
    expires_closes(rig)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await looks(rig, 1)
    assert closes(rig) <= ATTEMPTS


async def test_a_close_that_was_refused_comes_again_before_the_bar_is_over(begin):
    """A venue under maintenance says no for a minute; a daily bar would be a day."""
    rig = await entered(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    rig.venue.faults.refuses = lambda intent: intent.leg is Leg.CLOSE
    await looks(rig, 60)
    refused = closes(rig)
    assert ATTEMPTS <= refused <= 2 * ATTEMPTS
    rig.venue.faults.refuses = lambda _intent: False
    await looks(rig, 150)
    assert closes(rig) == refused + 1
    assert rig.books.open_orders(rig.trade().trade_id, Leg.CLOSE)


# -- what a person commands --------------------------------------------------------------------------------------------


async def test_a_resume_that_is_refused_leaves_every_hold_in_force(begin):
    rig = await entered(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    batch = Batch()
    lost = CashEvent(event_id="gone", kind=CashKind.RESET, at=rig.clock.now(), amount=-2 * rig.books.balance)
    rig.books.balance += lost.amount
    with pytest.raises(InvalidRecord, match="cannot resume"):
        rig.trading.commands.resume(who="a person", why="a test", batch=batch)
    assert rig.session.holds.has(HoldCause.EMERGENCY, None)


# -- margin ------------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_valued_does_not_keep_the_margin_from_being_judged(begin):
    """Somebody holds a share in a currency without a rate here: our own positions are closed out all the same."""
    known = {COIN: instrument(COIN), "SHARE": instrument("SHARE", asset_class=AssetClass.EQUITY, quote="INR")}
    rig = await begin(
        {COIN: flat(100, 8), "SHARE": flat(50, 8)}, instruments=known, account={"jurisdiction": "esma_retail"}
    )
    await rig.closes()
    await rig.enter()
    await rig.opens()
    rig.books.foreign = {"SHARE": Decimal(7)}
    marked = rig.session.scanner.judge.margin(_poor(rig), rig.books, rig.clock.now())
    assert marked is not None
    assert marked.required == Decimal(10) * 100 / 2


def _poor(rig: Rig) -> Account:
    return Account(equity=Decimal(1), balance=Decimal(1), risk=rig.session.risk.state, holds=())


# -- portfolio weights -------------------------------------------------------------------------------------------------


async def test_weights_of_a_method_that_was_switched_off_are_not_used(begin):
    known = PortfolioWeights(at=START, method="max_sharpe", weights={"AUSD": 1.0, "BUSD": 0.0})
    portfolio = Portfolio(PortfolioSettings(method=Method.EQUAL))
    portfolio.restore(known.to_json())
    assert (portfolio.scale("AUSD"), portfolio.scale("BUSD")) == (1, 1)


# -- open risk ---------------------------------------------------------------------------------------------------------


async def test_a_tighter_stop_that_the_venue_refused_lowers_no_risk(begin):
    """Where nothing can be replaced a trailed stop is a new order; refused, the old one still rests at 95."""
    rig = await entered(begin)
    trade, now = rig.trade(), rig.clock.now()
    exposures = Exposures(rig.session.view)
    (before,) = exposures.of(rig.books, now)
    assert before.risk == 50
    rig.venue.faults.refuses = lambda intent: intent.leg is Leg.STOP
    wording = Wording(account=rig.books.account, limits=rig.trading.limits)
    tighter = wording.protective(
        trade.trade_id, COIN, Leg.STOP, side=Side.SELL, quantity=Decimal(10), price=Decimal(99), attempt=2, now=now
    )
    await rig.desk.submit([tighter], Batch())
    assert rig.open_order(Leg.STOP).intent.stop_price == 95
    (after,) = exposures.of(rig.books, now)
    assert after.risk == 50


async def test_a_stop_that_trails_lowers_the_risk_once_it_rests(begin):
    rig = await entered(begin)
    moved = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(97))
    await rig.desk.submit(moved, Batch())
    (after,) = Exposures(rig.session.view).of(rig.books, rig.clock.now())
    assert after.risk == 30


async def test_what_is_sized_is_what_the_stop_at_the_venue_loses(begin):
    """The tick is coarse: a stop wanted at 99.9 rests at 99 or 100, and a wrong tenth is a tenth of the risk."""
    coarse = instrument(COIN, tick=Decimal(2), lot=Decimal("0.001"), min_quantity=Decimal("0.001"))
    rig = await begin(flat(100, 8), instruments={COIN: coarse})
    await rig.step(5)
    judged = rig.session.scanner.judge.judge(_case(rig, stop=96.9))
    assert judged.approval is not None, judged.reason
    lost = judged.quantity * (100 - coarse.price(96.9))
    assert lost <= judged.risk_amount + Decimal("0.00000001")


async def test_a_stop_that_rounds_away_from_the_market_counts_where_it_rests(begin):
    coarse = instrument(COIN, tick=Decimal(2), lot=Decimal("0.001"), min_quantity=Decimal("0.001"))
    rig = await begin(flat(100, 8), instruments={COIN: coarse})
    await rig.step(5)
    judged = rig.session.scanner.judge.judge(_case(rig, stop=98.9, target=110.0))
    assert judged.approval is not None, judged.reason
    lost = judged.quantity * (100 - coarse.price(98.9))
    assert lost <= judged.risk_amount + Decimal("0.00000001")


def _case(rig: Rig, *, stop: float, target: float = 115.0) -> Case:
    decision = rig.decide(stop=stop, target=target)
    session = rig.session
    equity = session.books.balance
    return Case(
        decision_id=decision.decision_id,
        signal=decision.signal,
        row={},
        index=session.view.closed[COIN],
        now=rig.moment.at,
        account=Account(equity=equity, balance=equity, risk=session.risk.state, holds=()),
        exposures=[],
        unknown_orders=frozenset(),
        ml=decision.ml,
        sentiment=None,
        effect=None,
    )
