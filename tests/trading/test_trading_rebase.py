"""Beginning an account anew: only what the venue no longer has is given up, and a crash in between is continued."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from flaky_broker import FlakyBroker
from trading_rig import COIN, Rig, flat

from brokers.protocol import BrokerEvent, EventKind, Events, VenueReport
from domain.errors import InvalidInput, NotAvailable, VenueForbids
from domain.holds import Effect, HoldCause, new_hold
from domain.records import CashEvent, CashKind
from journal.batch import Batch
from trading.rebase import rebase
from trading.trades import Changes


@dataclass
class DemoAccount:
    """A venue whose account other people can reach: it shows what a test says, and can begin its record again."""

    behind: FlakyBroker
    gone: set[str] = field(default_factory=set)
    balance: Decimal | None = None
    orders_gone: bool = False
    breaks_off: bool = False
    resets: list[CashEvent] = field(default_factory=list)

    def __getattr__(self, name: str):
        return getattr(self.behind, name)

    async def report(self) -> VenueReport:
        report = await self.behind.report()
        positions = {symbol: held for symbol, held in report.positions.items() if symbol not in self.gone}
        return replace(
            report,
            positions=positions,
            balance=report.balance if self.balance is None else self.balance,
            open_orders=() if self.orders_gone else report.open_orders,
        )

    async def events(self, after: str) -> Events:
        behind, _, seen = after.partition("+")
        told = await self.behind.events(behind)
        resets = tuple(
            BrokerEvent(kind=EventKind.CASH, at=each.at, client_order_id=None, intent_id=None, cash=each)
            for each in self.resets[int(seen or 0) :]
        )
        return Events(events=(*told.events, *resets), cursor=f"{told.cursor}+{len(self.resets)}")

    async def refound(self, believed: Decimal) -> CashEvent:
        if self.breaks_off:
            raise NotAvailable("the process ends here")
        report = await self.report()
        at = report.at
        reset = CashEvent(
            event_id=f"reset-{len(self.resets)}", kind=CashKind.RESET, at=at, amount=report.balance - believed
        )
        self.resets.append(reset)
        return reset


def reachable_by_others(rig: Rig) -> DemoAccount:
    account = DemoAccount(rig.venue)
    for part in (rig.desk, rig.session.reconciler, rig.session):
        name = "broker" if part is rig.session else "_broker"
        setattr(part, name, account)
    return account


async def holding(begin) -> tuple[Rig, DemoAccount]:
    rig = await begin(flat(100, 6))
    await rig.closes()
    await rig.enter()
    await rig.opens()
    return rig, reachable_by_others(rig)


def halted(rig: Rig) -> bool:
    return rig.session.holds.has(HoldCause.VENUE, None)


def halt(rig: Rig) -> None:
    hold = new_hold(HoldCause.VENUE, Effect.HALT, since=rig.clock.now(), latched=True, detail="the key was refused")
    rig.session.holds.set(hold, Batch())


async def again(rig: Rig) -> CashEvent:
    return await rebase(rig.session, rig.trading.commands, who="a person", why="a test")


async def test_a_real_position_is_not_given_up_because_a_key_was_refused_once(begin):
    rig, _ = await holding(begin)
    halt(rig)
    with pytest.raises(InvalidInput, match=f"still has {COIN} that we opened.*flatten"):
        await again(rig)
    assert rig.books.position(COIN) is not None
    assert halted(rig)
    assert rig.session.guardian.bare() == []


async def test_a_venue_that_refuses_the_key_leaves_everything_as_it_is(begin):
    rig, _ = await holding(begin)
    halt(rig)
    rig.venue.faults.forbids = True
    with pytest.raises(VenueForbids):
        await again(rig)
    assert rig.books.position(COIN) is not None


async def test_a_report_that_leaves_something_out_gives_nothing_up(begin):
    rig, account = await holding(begin)
    rig.venue.faults.incomplete = True
    account.balance = Decimal(77)
    with pytest.raises(NotAvailable, match="leaves something out"):
        await again(rig)
    assert rig.books.position(COIN) is not None


async def test_a_quiet_account_that_agrees_has_nothing_to_begin_anew(begin):
    rig = await begin(flat(100, 6))
    reachable_by_others(rig)
    with pytest.raises(InvalidInput, match="nothing to begin anew"):
        await again(rig)


async def test_what_a_person_sold_at_the_venue_is_given_up_and_the_difference_is_a_reset(begin):
    rig, account = await holding(begin)
    account.gone.add(COIN)
    account.balance = Decimal("9876.5")
    with pytest.raises(InvalidInput, match="our order"):
        await again(rig)
    account.orders_gone = True
    before = rig.books.balance
    reset = await again(rig)
    assert reset.amount == Decimal("9876.5") - before
    assert rig.books.balance == Decimal("9876.5")
    assert rig.books.open_trades() == []
    assert rig.books.all_open_orders() == []
    assert not halted(rig)


async def test_after_a_crash_between_giving_up_and_beginning_anew_the_command_is_given_again(begin):
    rig, account = await holding(begin)
    account.gone.add(COIN)
    account.balance, account.orders_gone, account.breaks_off = Decimal(5), True, True
    halt(rig)
    with pytest.raises(NotAvailable, match="ends here"):
        await again(rig)
    assert rig.books.open_trades() == []
    assert halted(rig)
    account.breaks_off = False
    await again(rig)
    assert rig.books.balance == Decimal(5)
    assert not halted(rig)


async def test_a_difference_in_cash_alone_may_be_taken_over(begin):
    rig = await begin(flat(100, 6))
    account = reachable_by_others(rig)
    account.balance = rig.books.balance + 250
    assert (await again(rig)).amount == Decimal(250)


@pytest.mark.parametrize("spent", [False, True])
async def test_what_is_given_up_is_labelled_by_its_shadow_unless_its_outcome_is_written(begin, spent):
    rig, _ = await holding(begin)
    rig.trade().spent = spent
    changes = Changes()
    rig.books.give_up(rig.clock.now(), changes)
    assert [decision.instrument for decision in changes.unfilled] == ([] if spent else [COIN])
    assert not rig.books.closed[COIN].position.is_open


async def test_a_fill_told_late_of_a_position_that_was_given_up_lifts_no_dust_that_was_never_counted(begin):
    rig, _ = await holding(begin)
    trade = rig.trade()
    rig.books.give_up(rig.clock.now(), Changes())
    assert trade.position.dust == Decimal(10)
    assert rig.books._lifted(trade) is trade.position
    assert rig.books.dust == {}
    assert rig.books.dust_cost == 0
