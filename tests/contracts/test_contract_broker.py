"""The contract every broker keeps, whatever venue lies behind it. `broker_harness` says how one plugs in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from broker_harness import HARNESSES, BrokerHarness

from brokers.protocol import Broker, BrokerEvent, EventKind, OrderReport
from domain.errors import Denied
from domain.identity import client_order_id
from domain.orders import (
    Action,
    Approval,
    CauseKind,
    Fill,
    Intent,
    Leg,
    OrderKind,
    OrderState,
    Side,
    TimeInForce,
)


class Account:
    """One account under test: words intents, sends them, reads what was told."""

    def __init__(self, harness: BrokerHarness) -> None:
        self.harness = harness
        self.count = 0
        self.worded: dict[str, Intent] = {}

    @property
    def broker(self) -> Broker:
        return self.harness.broker

    def approval(self, side: Side, quantity: Decimal, **changes: Any) -> Approval:
        now = self.harness.now()
        values: dict[str, Any] = {
            "instrument": self.harness.symbol,
            "side": side,
            "quantity": quantity,
            "reduce_only": False,
            "granted_at": now,
            "expires_at": now + timedelta(days=1),
            "rules": ("contract",),
            "limits_digest": "none",
        }
        return Approval(**(values | changes))

    def intent(self, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> Intent:
        self.count += 1
        amount = Decimal(quantity)
        values: dict[str, Any] = {
            "client_order_id": client_order_id(
                self.harness.account, CauseKind.COMMAND, f"c{self.count}", Leg.ENTRY, attempt=1
            ),
            "account": self.harness.account,
            "instrument": self.harness.symbol,
            "action": Action.PLACE,
            "cause_kind": CauseKind.COMMAND,
            "cause_id": f"c{self.count}",
            "leg": Leg.ENTRY,
            "attempt": 1,
            "side": side,
            "kind": OrderKind.MARKET,
            "quantity": amount,
            "created_at": self.harness.now(),
            "approval": self.approval(side, amount),
            "position_id": "p1",
        }
        for name in ("limit_price", "stop_price"):
            if name in rest:
                rest[name] = Decimal(rest[name])
        intent = Intent(**(values | rest))
        self.worded[intent.client_order_id] = intent
        return intent

    async def send(self, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> str:
        intent = self.intent(side, quantity, **rest)
        await self.broker.send(intent)
        return intent.client_order_id

    async def limit(self, price: str, side: Side = Side.BUY, quantity: str = "1", **rest: Any) -> str:
        return await self.send(side, quantity, kind=OrderKind.LIMIT, limit_price=price, **rest)

    async def told(self, client_order_id: str | None = None) -> list[BrokerEvent]:
        events = (await self.broker.events("")).events
        return [event for event in events if client_order_id in (None, event.client_order_id)]

    async def kinds(self, client_order_id: str) -> list[EventKind]:
        return [event.kind for event in await self.told(client_order_id)]

    async def found(self, client_order_id: str) -> OrderReport:
        report = await self.broker.find(self.worded[client_order_id])
        assert report is not None
        return report

    async def held(self) -> Decimal:
        return (await self.broker.report()).positions.get(self.harness.symbol, Decimal(0))

    async def fills(self, client_order_id: str | None = None) -> list[Fill]:
        return [event.fill for event in await self.told(client_order_id) if event.fill is not None]

    async def added(self) -> Decimal:
        """What the fills told add up to: the signed position that follows from them, fees kept in the base left out."""
        return sum((fill.side.sign * fill.net for fill in await self.fills()), Decimal(0))

    async def has_no_change_in_place(self, target_id: str) -> bool:
        """Whether the broker says so; then a change must be denied and must change nothing."""
        if self.broker.capabilities.replace:
            return False
        before = await self.broker.events("")
        price = {"kind": OrderKind.LIMIT, "limit_price": "91"}
        change = self.intent(quantity="2", action=Action.REPLACE, target_id=target_id, **price)
        with pytest.raises(Denied):
            await self.broker.send(change)
        assert await self.broker.events("") == before
        assert (await self.found(target_id)).quantity == Decimal(1)
        return True


@pytest_asyncio.fixture(params=sorted(HARNESSES))
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    harness = await HARNESSES[request.param](tmp_path)
    yield Account(harness)
    await harness.broker.close()


async def test_a_resting_order_is_accepted_and_shown(account):
    name = await account.limit("90")
    (event,) = await account.told(name)
    assert event.kind is EventKind.ACCEPTED
    assert event.intent_id == name
    assert event.at == account.harness.now()
    report = await account.found(name)
    assert (report.state, report.quantity, report.filled) == (OrderState.ACCEPTED, Decimal(1), Decimal(0))
    assert report.venue_order_id == event.venue_order_id
    assert report in (await account.broker.report()).open_orders


async def test_a_fill_tells_price_quantity_fee_and_trade(account):
    name = await account.limit("99")
    await account.harness.trade_at(99)
    (fill,) = await account.fills(name)
    assert (fill.side, fill.quantity, fill.price) == (Side.BUY, Decimal(1), Decimal(99))
    assert fill.venue == account.broker.name
    assert fill.fee > 0
    assert fill.trade_id
    assert (await account.found(name)).state is OrderState.FILLED
    assert await account.held() == await account.added() == fill.net
    assert fill.net == Decimal(1) or account.broker.capabilities.spot


async def test_a_market_order_is_filled_by_the_market(account):
    name = await account.send()
    await account.harness.trade_at(101)
    (fill,) = await account.fills(name)
    assert fill.quantity == Decimal(1)
    assert fill.price in (Decimal(100), Decimal(101))
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.FILLED]


async def test_a_stop_waits_for_its_price(account):
    await account.send(quantity="2")
    await account.harness.trade_at(100)
    stop = await account.send(Side.SELL, "1", kind=OrderKind.STOP, stop_price="95", reduce_only=True)
    await account.harness.trade_at(96)
    assert await account.kinds(stop) == [EventKind.ACCEPTED]
    await account.harness.trade_at(94)
    (fill,) = await account.fills(stop)
    assert (fill.side, fill.quantity) == (Side.SELL, Decimal(1))
    assert Decimal(93) <= fill.price <= Decimal(95)
    assert (await account.found(stop)).state is OrderState.FILLED
    assert await account.held() == await account.added()


async def test_what_fills_in_parts_can_be_cancelled_halfway(account):
    name = await account.limit("99", quantity="3")
    await account.harness.trade_at(99, most=Decimal(1))
    assert (await account.found(name)).state is OrderState.PARTIALLY_FILLED
    assert await account.held() == await account.added() > 0
    undo = await account.limit("99", quantity="3", action=Action.CANCEL, target_id=name)
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.FILLED, EventKind.CANCELLED]
    assert (await account.told(name))[-1].intent_id == undo
    report = await account.found(name)
    assert (report.state, report.filled) == (OrderState.CANCELLED, Decimal(1))
    held = await account.held()
    await account.harness.trade_at(90)
    assert await account.held() == held


async def test_every_execution_of_an_order_has_its_own_trade_id(account):
    name = await account.limit("99", quantity="3")
    for _ in range(3):
        await account.harness.trade_at(99, most=Decimal(1))
    fills = await account.fills(name)
    assert sum(fill.quantity for fill in fills) == Decimal(3)
    assert len({fill.trade_id for fill in fills}) == len(fills) >= 3
    assert (await account.found(name)).state is OrderState.FILLED


async def test_what_the_venue_cannot_take_is_rejected_and_stays_known(account):
    name = await account.send(quantity="100000")
    (event,) = await account.told(name)
    assert event.kind is EventKind.REJECTED
    assert event.reason
    assert (await account.found(name)).state is OrderState.REJECTED
    assert (await account.broker.report()).open_orders == ()
    await account.harness.trade_at(100)
    assert await account.held() == 0


async def test_the_same_id_sent_twice_is_one_order(account):
    intent = account.intent()
    await account.broker.send(intent)
    await account.broker.send(intent)
    await account.harness.trade_at(100)
    await account.broker.send(intent)
    await account.harness.trade_at(100)
    assert await account.kinds(intent.client_order_id) == [EventKind.ACCEPTED, EventKind.FILLED]
    assert await account.held() == await account.added()


async def test_a_replacement_changes_quantity_and_price_together(account):
    name = await account.limit("90")
    if await account.has_no_change_in_place(name):
        return
    change = await account.limit("95", quantity="2", action=Action.REPLACE, target_id=name)
    event = (await account.told(name))[-1]
    assert (event.kind, event.intent_id) == (EventKind.REPLACED, change)
    assert (await account.found(name)).quantity == Decimal(2)
    await account.harness.trade_at(95)
    fill = (await account.told(name))[-1].fill
    assert fill is not None
    assert (fill.quantity, fill.price) == (Decimal(2), Decimal(95))


async def test_cancelling_is_idempotent(account):
    name = await account.limit("90")
    undo = account.intent(kind=OrderKind.LIMIT, limit_price="90", action=Action.CANCEL, target_id=name)
    await account.broker.send(undo)
    await account.broker.send(undo)
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.CANCELLED]
    await account.broker.send(undo)
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.CANCELLED]


async def test_replacing_is_idempotent(account):
    name = await account.limit("90")
    if await account.has_no_change_in_place(name):
        return
    change = account.intent(quantity="2", kind=OrderKind.LIMIT, limit_price="91", action=Action.REPLACE, target_id=name)
    undo = account.intent(kind=OrderKind.LIMIT, limit_price="91", action=Action.CANCEL, target_id=name)
    for intent in (change, change, undo, undo, change):
        await account.broker.send(intent)
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.REPLACED, EventKind.CANCELLED]


async def test_a_cancel_that_comes_too_late_is_refused_and_the_fill_stands(account):
    name = await account.limit("100")
    await account.harness.trade_at(100)
    undo = await account.limit("100", action=Action.CANCEL, target_id=name)
    last = (await account.told(name))[-1]
    assert (last.kind, last.intent_id) == (EventKind.CANCEL_REJECTED, undo)
    assert (await account.found(name)).state is OrderState.FILLED
    assert await account.held() == await account.added() > 0


async def test_a_change_that_comes_too_late_is_refused_and_the_fill_stands(account):
    name = await account.limit("100")
    await account.harness.trade_at(100)
    if await account.has_no_change_in_place(name):
        return
    change = await account.limit("100", quantity="2", action=Action.REPLACE, target_id=name)
    last = (await account.told(name))[-1]
    assert (last.kind, last.intent_id) == (EventKind.REPLACE_REJECTED, change)
    assert (await account.found(name)).state is OrderState.FILLED
    assert await account.held() == await account.added() > 0


async def test_an_order_the_venue_never_had_is_not_found(account):
    assert await account.broker.find(account.intent()) is None


async def test_the_same_cursor_gives_the_same_facts_and_the_last_gives_none(account):
    first = await account.broker.events("")
    await account.limit("90")
    await account.send()
    await account.harness.trade_at(100)
    everything = await account.broker.events("")
    assert everything.events[: len(first.events)] == first.events
    since = await account.broker.events(first.cursor)
    assert since.events == everything.events[len(first.events) :]
    assert len(since.events) == 3
    assert await account.broker.events(first.cursor) == since
    assert since.cursor == everything.cursor
    nothing = await account.broker.events(everything.cursor)
    assert nothing.events == ()
    assert nothing.cursor == everything.cursor


async def test_facts_and_state_outlive_the_connection(account):
    resting = await account.limit("90")
    entered = await account.send()
    await account.harness.trade_at(100)
    before, report = await account.broker.events(""), await account.broker.report()
    await account.harness.reopen()
    assert await account.broker.events("") == before
    again = await account.broker.report()
    assert (again.balance, again.positions, again.open_orders) == (report.balance, report.positions, report.open_orders)
    assert (await account.found(resting)).state is OrderState.ACCEPTED
    assert (await account.found(entered)).state is OrderState.FILLED


async def test_the_report_is_complete_and_agrees_with_what_was_told(account):
    await account.send(quantity="2")
    await account.limit("90")
    await account.harness.trade_at(100)
    await account.harness.trade_at(110)
    await account.send(Side.SELL, "1", reduce_only=True)
    await account.harness.trade_at(110)
    report = await account.broker.report()
    assert report.complete
    assert report.account == account.harness.account
    cash = sum(event.cash.amount for event in await account.told() if event.cash is not None)
    fills = await account.fills()
    assert [(fill.side, fill.quantity, fill.price) for fill in fills] == [
        (Side.BUY, Decimal(2), Decimal(100)),
        (Side.SELL, Decimal(1), Decimal(110)),
    ]
    assert report.positions == {account.harness.symbol: await account.added()}
    if account.broker.capabilities.spot:
        kept = sum(fill.fee for fill in fills if not fill.base_fee)
        assert report.balance == cash - 2 * Decimal(100) + Decimal(110) - kept
    else:
        assert report.balance == cash + Decimal(10) - sum(fill.fee for fill in fills)
    assert [order.state for order in report.open_orders] == [OrderState.ACCEPTED]


async def test_what_is_closed_is_no_position(account):
    await account.send(quantity="2")
    await account.harness.trade_at(100)
    held = await account.added()
    sold = held.quantize(Decimal("0.1"), ROUND_DOWN)
    await account.send(Side.SELL, str(sold), reduce_only=True)
    await account.harness.trade_at(100)
    positions = (await account.broker.report()).positions
    dust = held - sold
    assert positions == ({} if dust == 0 else {account.harness.symbol: dust})
    assert dust == 0 or account.broker.capabilities.spot


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": Decimal("0.5")}, "more than the approved"),
        ({"instrument": "OTHERUSD"}, "the approval is for"),
        ({"side": Side.SELL}, "the approval is for"),
        ({"reduce_only": True}, "for reducing only"),
    ],
)
async def test_without_an_approval_that_covers_it_nothing_is_sent(account, changes, reason):
    before = await account.broker.events("")
    intent = account.intent()
    with pytest.raises(Denied, match=reason):
        await account.broker.send(replace(intent, approval=replace(intent.approval, **changes)))
    await account.harness.trade_at(100)
    assert await account.broker.find(intent) is None
    assert await account.broker.events("") == before


async def test_an_approval_that_has_expired_or_not_begun_is_none(account):
    before = await account.broker.events("")
    stale = account.intent()
    account.harness.wait(timedelta(days=2))
    early = account.intent()
    later = early.approval.expires_at + timedelta(minutes=1)
    early = replace(early, approval=replace(early.approval, granted_at=early.approval.expires_at, expires_at=later))
    for intent in (stale, early):
        with pytest.raises(Denied, match="has expired"):
            await account.broker.send(intent)
        assert await account.broker.find(intent) is None
    assert await account.broker.events("") == before


async def test_cancels_and_changes_need_an_approval_too(account):
    name = await account.limit("90")
    before = await account.broker.events("")
    changes = [Action.REPLACE] if account.broker.capabilities.replace else []
    for action in [Action.CANCEL, *changes]:
        intent = account.intent(kind=OrderKind.LIMIT, limit_price="91", action=action, target_id=name)
        with pytest.raises(Denied, match="more than the approved"):
            await account.broker.send(replace(intent, approval=replace(intent.approval, quantity=intent.quantity / 2)))
    assert await account.broker.events("") == before
    assert (await account.found(name)).state is OrderState.ACCEPTED


async def test_an_exit_never_turns_a_position_around(account):
    await account.send(quantity="2")
    await account.harness.trade_at(100)
    if not account.broker.capabilities.reduce_only:
        assert not account.broker.capabilities.shorts, "without reduce-only orders only what cannot be short is safe"
        sale = await account.send(Side.SELL, "5", reduce_only=True)
        assert await account.kinds(sale) == [EventKind.REJECTED]
        assert await account.held() == await account.added() > 0
        return
    close = await account.send(Side.SELL, "5", reduce_only=True)
    await account.harness.trade_at(100)
    assert await account.held() == 0
    report = await account.found(close)
    assert report.state.terminal
    assert report.filled == Decimal(2)
    again = await account.send(Side.SELL, "1", reduce_only=True)
    await account.harness.trade_at(100)
    assert await account.held() == 0
    assert (await account.found(again)).state.terminal


async def one_exit_leaves_the_other_to_us(account: Account) -> None:
    """Where the venue has no groups, an order is taken back by nobody but its sender, whatever group it names."""
    shared = {"reduce_only": True, "oco_group": "g1"}
    stop = await account.send(Side.SELL, "1", kind=OrderKind.STOP, stop_price="80", **shared)
    close = await account.send(Side.SELL, "0.5", **shared)
    await account.harness.trade_at(100)
    assert await account.kinds(close) == [EventKind.ACCEPTED, EventKind.FILLED]
    assert (await account.found(stop)).state is OrderState.ACCEPTED
    undo = await account.send(Side.SELL, action=Action.CANCEL, target_id=stop)
    assert (await account.told(stop))[-1].intent_id == undo
    assert (await account.found(stop)).state is OrderState.CANCELLED
    assert await account.held() == await account.added() > 0


@pytest.mark.parametrize(("price", "winner", "loser"), [(90, 0, 1), (115, 1, 0)])
async def test_the_orders_of_a_group_cancel_each_other(account, price, winner, loser):
    await account.send(quantity="2")
    await account.harness.trade_at(100)
    if not account.broker.capabilities.oco:
        await one_exit_leaves_the_other_to_us(account)
        return
    shared = {"reduce_only": True, "oco_group": "g1"}
    stop = await account.send(Side.SELL, "2", kind=OrderKind.STOP, stop_price="95", **shared)
    target = await account.limit("110", Side.SELL, "2", **shared)
    await account.harness.trade_at(100)
    assert await account.held() == Decimal(2)
    await account.harness.trade_at(price)
    names = (stop, target)
    assert (await account.found(names[winner])).state is OrderState.FILLED
    assert (await account.found(names[loser])).state is OrderState.CANCELLED
    assert await account.kinds(names[loser]) == [EventKind.ACCEPTED, EventKind.CANCELLED]
    assert await account.held() == 0


async def test_an_order_whose_time_has_run_out_expires(account):
    end = account.harness.now() + timedelta(minutes=30)
    name = await account.limit("90", time_in_force=TimeInForce.GTD, expires_at=end)
    await account.harness.trade_at(100)
    await account.harness.trade_at(90)
    assert await account.kinds(name) == [EventKind.ACCEPTED, EventKind.EXPIRED]
    assert (await account.found(name)).state is OrderState.EXPIRED
    assert await account.held() == 0


async def test_closing_changes_nothing_at_the_venue_and_is_harmless_twice(account):
    resting = await account.limit("90")
    await account.broker.close()
    await account.broker.close()
    await account.harness.reopen()
    assert (await account.found(resting)).state is OrderState.ACCEPTED
    await account.harness.trade_at(90)
    assert await account.held() == await account.added() > 0


async def test_a_broker_says_what_it_can_and_why_it_cannot_lose_real_money(account):
    capabilities = account.broker.capabilities
    assert OrderKind.MARKET in capabilities.kinds
    assert capabilities.demo_proof.endswith(".")
    assert account.broker.name
