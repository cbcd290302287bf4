"""Every decision is labelled exactly once: by its trade where there was one, else by its shadow, in any order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from trading_rig import COIN, HOUR, Candle, flat

from brokers.protocol import BrokerEvent, EventKind
from domain.decisions import DecisionStatus, OutcomeKind, SampleSource
from domain.orders import Leg, OrderState
from journal.batch import Batch

FALLING = [*flat(100, 3), Candle(100, 100, 94, 94), *flat(94, 10)]
"""The third bar after the start stops a long out, real or shadow, in its range."""


async def labelled(rig) -> list[tuple[str, SampleSource]]:
    await rig.writer.flush()
    return [(sample.decision_id, sample.source) for sample in rig.journal.read.samples()]


async def kinds(rig) -> list[OutcomeKind]:
    await rig.writer.flush()
    return [outcome.kind for outcome in rig.journal.read.outcomes()]


async def restart(rig, when: bool) -> None:
    if when:
        await rig.writer.flush()
        await rig.reopen()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("status", [DecisionStatus.DENIED, DecisionStatus.FILTERED])
async def test_what_was_not_ordered_is_labelled_by_its_shadow(begin, status, restarted):
    rig = await begin(FALLING)
    await rig.closes()
    decision, batch = rig.decide(status=status), Batch()
    batch.add(decision)
    rig.session.shadows.follow(decision, rig.session.view.closed[COIN])
    await rig.writer.commit(batch)
    await rig.opens()
    await restart(rig, restarted)
    await rig.step(6)
    assert await labelled(rig) == [(decision.decision_id, SampleSource.SHADOW)]
    assert await kinds(rig) == [OutcomeKind.SHADOW]
    assert await rig.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_filled_is_labelled_by_its_trade(begin, restarted):
    rig = await begin(FALLING)
    await rig.closes()
    decision = await rig.enter()
    await rig.opens()
    await restart(rig, restarted)
    await rig.step(6)
    assert await labelled(rig) == [(decision.decision_id, SampleSource.REAL)]
    assert sorted(await kinds(rig)) == [OutcomeKind.REAL, OutcomeKind.SHADOW]
    assert await rig.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_trade_that_outlives_its_shadow_labels_all_the_same(begin, restarted):
    # Bars without a volume fill nothing: the entry waits two bars, the shadow is stopped out meanwhile.
    tape = [*flat(100, 2, volume=0.0), Candle(100, 100, 94, 96, 0.0), Candle(96, 96, 96, 96, 1e6), *flat(96, 9)]
    rig = await begin(tape)
    await rig.closes()
    decision = await rig.enter(valid=9 * HOUR)
    await rig.opens()
    await rig.step(2)
    assert await kinds(rig) == [OutcomeKind.SHADOW]
    assert await labelled(rig) == []
    await restart(rig, restarted)
    await rig.step(3)
    assert rig.trade().position.is_open
    await restart(rig, restarted)
    batch = Batch()
    await rig.session.execute(rig.trading.commands.flatten(who="a person", why="", batch=batch), batch)
    await rig.step(3)
    assert await labelled(rig) == [(decision.decision_id, SampleSource.REAL)]
    assert await rig.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_entry_that_expires_after_its_shadow_ended_is_labelled_by_it_then(begin, restarted):
    tape = [*flat(100, 2, volume=0.0), Candle(100, 100, 94, 96, 0.0), *flat(96, 9, volume=0.0)]
    rig = await begin(tape)
    await rig.closes()
    decision = await rig.enter(valid=4 * HOUR)
    await rig.opens()
    await rig.step(2)
    assert (await kinds(rig), await labelled(rig)) == ([OutcomeKind.SHADOW], [])
    await restart(rig, restarted)
    await rig.step(4)
    assert rig.books.trades == {}
    assert await labelled(rig) == [(decision.decision_id, SampleSource.SHADOW)]
    assert await rig.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("end", ["refused", "expired"])
async def test_an_entry_that_ended_before_its_shadow_is_labelled_by_it_later(begin, end, restarted):
    volume = 0.0 if end == "expired" else float("nan")
    tape = [*flat(100, 4, volume=volume), Candle(100, 100, 94, 96, volume), *flat(96, 9, volume=volume)]
    rig = await begin(tape)
    await rig.closes()
    rig.venue.faults.refuses = lambda _intent: end == "refused"
    decision = await rig.enter(valid=HOUR)
    await rig.opens()
    await rig.step(2)
    (entry,) = [order for order in rig.books.orders.values() if order.intent.leg is Leg.ENTRY]
    assert entry.state is (OrderState.REJECTED if end == "refused" else OrderState.EXPIRED)
    assert await labelled(rig) == []
    await restart(rig, restarted)
    await rig.step(4)
    assert await labelled(rig) == [(decision.decision_id, SampleSource.SHADOW)]
    assert await kinds(rig) == [OutcomeKind.SHADOW]
    assert await rig.faults() == []


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("shadow_first", [False, True])
async def test_a_fill_after_its_entry_was_thought_over_labels_only_what_is_not_labelled(begin, shadow_first, restarted):
    # The venue says that the entry is cancelled, and fills it all the same as soon as there is a volume.
    stopped_out = Candle(100, 100, 94, 96, 0.0 if shadow_first else 1e6)
    early, late = [*flat(100, 2, volume=0.0), stopped_out], [*flat(100, 2, volume=0.0), *flat(100, 3, volume=1e6)]
    tape = [*early, *flat(96, 2, volume=0.0), *flat(96, 9, volume=1e6)] if shadow_first else [*late, stopped_out]
    rig = await begin([*tape, *flat(96, 9, volume=1e6)])
    await rig.closes()
    decision = await rig.enter(valid=20 * HOUR)
    await rig.opens()
    await rig.step(2 if shadow_first else 0)
    (entry,) = rig.books.open_orders(decision.decision_id)
    over = BrokerEvent(
        kind=EventKind.CANCELLED,
        at=rig.clock.now(),
        client_order_id=entry.client_order_id,
        intent_id=entry.client_order_id,
    )
    await rig.desk._settle(rig.books.apply([over], rig.books.cursor))
    assert rig.books.trades == {}
    assert await labelled(rig) == ([(decision.decision_id, SampleSource.SHADOW)] if shadow_first else [])
    await restart(rig, restarted)
    while not rig.books.trades:
        await rig.step()
    assert rig.trade().position.quantity == await rig.held() == Decimal(10)
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    await restart(rig, restarted)
    if shadow_first:
        batch = Batch()
        await rig.session.execute(rig.trading.commands.flatten(who="a person", why="", batch=batch), batch)
    await rig.step(6)
    expected = SampleSource.SHADOW if shadow_first else SampleSource.REAL
    assert await labelled(rig) == [(decision.decision_id, expected)]
    assert sorted(await kinds(rig)) == [OutcomeKind.REAL, OutcomeKind.SHADOW]
    assert await rig.faults() == []
