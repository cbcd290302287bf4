"""What a hostile reviewer found between risk and trading: each test failed once, and says what was lost by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from trading_rig import COIN, HOUR, START, Candle, Rig, flat, instrument

from domain.errors import InvalidRecord
from domain.holds import Effect, HoldCause, new_hold
from domain.instruments import AssetClass
from domain.orders import Action, Leg, Side
from domain.records import CashEvent, CashKind
from journal.batch import Batch
from risk.portfolio import Method
from trading.judging import Account
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


async def test_a_resume_does_not_resume_on_an_account_that_is_not_ours(begin):
    """The venue was reset: the hold says that a rebase is what ends it."""
    rig = await entered(begin)
    await hold(rig, HoldCause.VENUE, Effect.HALT)
    batch = Batch()
    rig.trading.commands.resume(who="a person", why="a test", batch=batch)
    assert rig.session.holds.has(HoldCause.VENUE, None)


async def test_limits_that_were_loosened_are_written_down(begin):
    rig = await entered(begin)
    await rig.writer.flush()
    rig._config = rig._config.model_copy(
        update={"risk": rig._config.risk.model_copy(update={"max_drawdown": Decimal("0.5")})}
    )
    await rig.reopen()
    assert rig.trading.limits.max_drawdown == Decimal("0.5")
    noted = [command.name for command in rig.journal.read.commands()]
    assert noted or rig.session.holds.all()


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


def walk(seed: int, bars: int, step: float = 0.002) -> list[Candle]:
    closes = 100 * np.cumprod(1 + step * np.random.default_rng(seed).standard_normal(bars))
    return [Candle(close, close, close, close) for close in (round(float(each), 2) for each in closes)]


WEIGHED = {"fewest_bars": 20, "lookback_bars": 40, "method": "inverse_volatility"}


async def test_an_instrument_that_fell_silent_does_not_freeze_the_weights_of_the_others(begin):
    """One feed dies; what the two others did since would be seen by no weight ever again."""
    calm_then_wild = walk(1, 40, 0.001) + walk(4, 400, 0.05)
    wild_then_calm = walk(2, 40, 0.05) + walk(5, 400, 0.001)
    rig = await begin({"AUSD": calm_then_wild, "BUSD": wild_then_calm, "CUSD": walk(3, 40)}, portfolio=WEIGHED)
    await rig.step(400)
    found = rig.trading.portfolio.refresh(rig.session.view, rig.clock.now(), Batch())
    assert set(found.weights) == {"AUSD", "BUSD"}
    assert found.weights["AUSD"] < found.weights["BUSD"]


async def test_weights_of_a_method_that_was_switched_off_are_not_used(begin):
    known = PortfolioWeights(at=START, method="max_sharpe", weights={"AUSD": 1.0, "BUSD": 0.0})
    portfolio = Portfolio(PortfolioSettings(method=Method.EQUAL))
    portfolio.restore(known.to_json())
    assert (portfolio.scale("AUSD"), portfolio.scale("BUSD")) == (1, 1)
