"""Killed between the commit and the send: what was durable is sent once, or is known never to have been."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from trading_rig import flat, instrument

from domain.instruments import AssetClass
from domain.orders import Leg, OrderState


class Killed(BaseException):
    """The process ends here."""


async def killed_before_the_send(begin):
    rig = await begin(flat(100, 8))
    await rig.closes()

    def die(_intent):
        raise Killed

    rig.venue.before_send = die
    with pytest.raises(Killed):
        await rig.enter()
    return rig


async def test_an_intent_that_was_durable_but_not_sent_is_sent_after_the_restart(begin):
    rig = await killed_before_the_send(begin)
    await rig.reopen()
    await rig.opens_again()
    assert rig.trade().position.quantity == await rig.held() == Decimal(10)
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    assert await rig.faults() == []


async def test_after_a_restart_the_venue_knows_prices_and_rates_before_anything_is_sent(begin):
    known = {
        "COINEUR": instrument("COINEUR", base="COIN", quote="EUR"),
        "EURUSD": instrument("EURUSD", asset_class=AssetClass.FOREX, base="EUR", quote="USD", tick=Decimal("0.0001")),
    }
    rig = await begin({"COINEUR": flat(100, 8), "EURUSD": flat(1.25, 8)}, instruments=known)
    await rig.step(2)
    await rig.closes()

    def die(_intent):
        raise Killed

    rig.venue.before_send = die
    with pytest.raises(Killed):
        await rig.enter(symbol="COINEUR")
    await rig.reopen()
    await rig.opens_again()
    trade = rig.trade("COINEUR")
    assert (trade.position.quantity, trade.entry_fx) == (Decimal(10), Decimal("1.25"))
    assert rig.open_order(Leg.STOP, "COINEUR").state is OrderState.ACCEPTED
    assert await rig.faults() == []


async def test_an_intent_whose_approval_grew_old_meanwhile_is_not_sent(begin):
    rig = await killed_before_the_send(begin)
    await rig.reopen(later=timedelta(minutes=5))
    assert rig.venue.sent == []
    (order,) = [order for order in rig.books.orders.values() if order.intent.leg is Leg.ENTRY]
    assert order.state is OrderState.ABSENT
    assert await rig.open_at_venue() == {}
    assert rig.books.trades == {}
    assert await rig.faults() == []
