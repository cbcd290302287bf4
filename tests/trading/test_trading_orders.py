"""Journal, then send: nothing leaves before it is durable, nothing is sent twice, and no answer means asking."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from decimal import Decimal

import pytest
from trading_rig import COIN, HOUR, Candle, flat

from brokers.protocol import demand_approval
from domain.errors import Denied, InvalidRecord, JournalError, VenueUnavailable
from domain.holds import Effect, HoldCause
from domain.orders import Action, Leg, OrderState
from journal.batch import Batch
from journal.journal import Journal
from journal.writer import Writer
from risk.gate import Denial, Gate
from risk.snapshot import Proposal, Snapshot
from trading.exposure import Exposures


def entries(rig):
    return [intent for intent in rig.venue.sent if intent.leg is Leg.ENTRY]


async def at_the_close(begin, tape=None, **market):
    rig = await begin(tape or flat(100, 8), **market)
    await rig.closes()
    return rig


# -- durable first ----------------------------------------------------------------------------------------------------


async def test_every_intent_is_in_the_journal_file_before_it_reaches_the_venue(begin, tmp_path):
    tape = [*flat(100, 3, volume=60.0), Candle(100, 104, 100, 104, 60.0), *flat(104, 3, volume=60.0)]
    rig = await at_the_close(begin, tape, broker={"max_participation": 0.1})
    seen = []

    def look(intent):
        with Journal.open(tmp_path / "account0" / "journal.sqlite", read_only=True) as other:
            stored = {each.client_order_id: each for each in other.read.intents()}
            assert stored[intent.client_order_id] == intent
            if intent.action is Action.PLACE:
                assert other.read.order(intent.client_order_id).state is OrderState.PENDING
        seen.append((intent.action, intent.leg))

    rig.venue.before_send = look
    await rig.enter(valid=4 * HOUR)
    await rig.opens()
    await rig.step(2)
    batch = Batch()
    stop = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(98))
    await rig.desk.submit(stop, batch)
    batch = Batch()
    await rig.session.execute(rig.trading.commands.flatten(who="a person", why="", batch=batch), batch)
    await rig.step(2)
    assert {(Action.PLACE, leg) for leg in Leg} <= set(seen)
    assert {(Action.REPLACE, Leg.STOP), (Action.REPLACE, Leg.TARGET)} <= set(seen)
    assert await rig.faults() == []


async def test_a_journal_that_is_full_stops_sends_and_says_so_and_a_restart_takes_up_what_is_left(begin):
    rig = await at_the_close(begin)
    await rig.enter()
    raw = rig.journal.held.raw
    raw.execute(f"PRAGMA max_page_count = {raw.execute('PRAGMA page_count').fetchone()[0]}")
    large = Batch()
    large.put_state("something large", '"' + 50_000 * "x" + '"')
    rig.writer.defer(large)
    before = list(rig.venue.sent)
    with pytest.raises(JournalError, match="full"):
        await rig.opens()
    assert rig.venue.sent == before, "something was sent that is not durable"
    stop_and_target = len(rig.books.open_orders(rig.trade().trade_id))
    assert stop_and_target == 2
    with pytest.raises(JournalError, match=r"nothing is sent any more|takes nothing more"):
        await rig.desk.resolve()
    assert rig.venue.sent == before
    await rig.reopen()
    assert rig.trade().position is None, "the fill was not durable"
    await rig.opens_again()
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    assert await rig.faults() == []


async def test_a_commit_that_fails_leaves_its_intents_unsent_whatever_happens_next(begin, tmp_path):
    rig = await at_the_close(begin)
    rig.journal.held.raw.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "account0" / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = Batch()
    intent = rig.entry(rig.decide(), batch)
    with pytest.raises(JournalError, match="locked"):
        await rig.desk.submit([intent], batch)
    other.execute("ROLLBACK")
    other.close()
    for ask in (rig.desk.pump, rig.desk.resolve):
        with pytest.raises(JournalError, match="nothing is done any more"):
            await ask()
    assert rig.venue.sent == []
    assert await rig.venue.inner.find(intent) is None


async def test_facts_that_could_not_be_written_down_stop_everything_until_a_restart(begin):
    rig = await at_the_close(begin)
    await rig.enter()
    listener = rig.desk.listener

    class Broken:
        def on_changes(self, changes):
            raise InvalidRecord("an outcome that may not exist")

        def on_intent(self, intent, batch):
            listener.on_intent(intent, batch)

    rig.desk.listener = Broken()
    with pytest.raises(InvalidRecord, match="may not exist"):
        await rig.opens()
    assert COIN in rig.books.trades
    rig.desk.listener = listener
    with pytest.raises(JournalError, match="could not be written down"):
        await rig.desk.pump()
    await rig.reopen()
    await rig.opens_again()
    assert rig.trade().position.quantity == 10
    assert await rig.faults() == []


class SlowWriter:
    """Commits when it is let go."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self.go = asyncio.Event()

    async def commit(self, batch: Batch) -> None:
        await self.go.wait()
        await self._inner.commit(batch)

    def defer(self, batch: Batch) -> None:
        self._inner.defer(batch)

    async def flush(self) -> None:
        await self._inner.flush()

    async def close(self) -> None:
        await self._inner.close()


async def test_while_a_commit_is_under_way_no_other_task_sends_what_it_holds(begin):
    rig = await at_the_close(begin)
    slow = SlowWriter(rig.writer)
    rig.desk._writer = slow
    batch = Batch()
    intent = rig.entry(rig.decide(), batch)
    submitting = asyncio.create_task(rig.desk.submit([intent], batch))
    others = [asyncio.create_task(rig.desk.pump()), asyncio.create_task(rig.desk.resolve())]
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.venue.sent == []
    slow.go.set()
    await asyncio.gather(submitting, *others)
    assert [each.client_order_id for each in rig.venue.sent] == [intent.client_order_id]


async def test_what_two_causes_ask_for_at_once_is_sent_once(begin):
    rig = await at_the_close(begin)
    await rig.enter()
    entry = rig.books.entry_of(COIN)
    twice = [
        rig.session.protection.cancel([entry], rig.books, rig.clock.now(), reason)[0] for reason in ("halt", "flatten")
    ]
    await rig.desk.submit(twice, Batch())
    assert [intent.action for intent in rig.venue.sent] == [Action.PLACE, Action.CANCEL]
    assert await rig.faults() == []


# -- denied ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "approval",
    [
        {"granted_at": -600, "expires_at": -540},
        {"granted_at": 60, "expires_at": 120},
        {"quantity": Decimal(1)},
        {"instrument": "OTHERUSD"},
        {"reduce_only": True},
    ],
    ids=["expired", "not yet", "for less", "for another", "for reducing"],
)
async def test_without_an_approval_that_covers_it_nothing_reaches_the_venue(begin, approval):
    rig = await at_the_close(begin)
    now = rig.clock.now()
    for name in ("granted_at", "expires_at"):
        if name in approval:
            approval = {**approval, name: now + timedelta(seconds=approval[name])}
    batch = Batch()
    intent = rig.entry(rig.decide(), batch, **approval)
    with pytest.raises(Denied):
        demand_approval(intent, now)
    await rig.desk.submit([intent], batch)
    order = rig.books.orders[intent.client_order_id]
    assert order.state is OrderState.ABSENT
    assert order.reason.startswith("never sent")
    assert await rig.venue.inner.find(intent) is None
    await rig.opens()
    assert await rig.held() == 0
    assert rig.books.trades == {}
    assert await rig.faults() == []


# -- no answer ---------------------------------------------------------------------------------------------------------


async def unknown(begin, **faults):
    rig = await at_the_close(begin)
    for name, value in faults.items():
        setattr(rig.venue.faults, name, value)
    await rig.enter()
    return rig


def proposal(rig) -> Proposal:
    return Proposal(
        decision_id="another",
        instrument=rig.session.view.instruments[COIN],
        side=rig.trade().decision.signal.side,
        entry_price=Decimal(100),
        stop_price=Decimal(95),
        mid=Decimal(100),
        half_spread=Decimal(0),
        quote_age_s=0.0,
        stale_after_s=60.0,
        market_open=True,
        fx_rate=Decimal(1),
        quantity=Decimal(1),
        risk_amount=Decimal(5),
        correlations={},
        target_price=Decimal(115),
        recent_mids=(Decimal(100),) * 3,
    )


async def test_an_unanswered_entry_is_unknown_counts_in_exposure_and_blocks_its_instrument(begin):
    rig = await unknown(begin, lost_on_the_way=1)
    (order,) = rig.books.unknown()
    assert order.state is OrderState.UNKNOWN
    now = rig.clock.now()
    (exposure,) = Exposures(rig.session.view).of(rig.books, now)
    assert exposure.unknown
    assert exposure.quantity == Decimal(10)
    assert exposure.risk > 0
    snapshot = Snapshot(
        now=now,
        currency="USD",
        equity=Decimal(10000),
        balance=Decimal(10000),
        exposures=(exposure,),
        holds=(),
        state=rig.session.risk.state,
        limits=rig.trading.limits,
    )
    verdict = Gate().judge(proposal(rig), snapshot, expires_at=now + HOUR)
    assert isinstance(verdict, Denial)
    assert verdict.rule == "unknown_order"


async def test_as_long_as_the_venue_is_silent_the_order_stays_unknown_and_held(begin):
    rig = await unknown(begin, lost_on_the_way=1)
    rig.venue.faults.silent = True
    for _ in range(2):
        with pytest.raises(VenueUnavailable):
            await rig.desk.resolve()
    assert len(rig.books.unknown()) == 1
    rig.venue.faults.silent = False
    hidden = rig.venue.find

    async def unanswered(_client_order_id):
        raise VenueUnavailable("no answer")

    rig.venue.find = unanswered
    await rig.session.reconciler.run(Batch())
    assert rig.session.holds.has(HoldCause.UNKNOWN_ORDER, COIN)
    assert rig.session.holds.effect(COIN, rig.clock.now()) is Effect.NO_ENTRIES
    rig.venue.find = hidden
    await rig.session.reconciler.run(Batch())
    assert rig.books.unknown() == []
    assert not rig.session.holds.has(HoldCause.UNKNOWN_ORDER, COIN)


async def test_an_order_the_venue_never_had_is_absent_and_is_not_sent_again(begin):
    rig = await unknown(begin, lost_on_the_way=1)
    (order,) = rig.books.unknown()
    for _ in range(3):
        await rig.desk.resolve()
    assert rig.books.orders[order.client_order_id].state is OrderState.ABSENT
    assert len(entries(rig)) == 1
    await rig.opens()
    assert await rig.held() == 0
    assert await rig.faults() == []


async def test_an_order_whose_answer_was_lost_is_adopted_filled_and_protected(begin):
    rig = await unknown(begin, answers_lost=1)
    assert rig.books.unknown() == []
    await rig.opens()
    assert rig.trade().position.quantity == await rig.held() == Decimal(10)
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    assert len(entries(rig)) == 1
    assert await rig.faults() == []


async def test_an_order_found_by_id_is_accepted_before_its_event_is_told(begin):
    rig = await at_the_close(begin)
    rig.venue.faults.answers_lost = 1
    told = rig.venue.events

    async def nothing_yet(after):
        return (await told(after)).__class__(events=(), cursor=after)

    rig.venue.events = nothing_yet
    decision = await rig.enter()
    (order,) = rig.books.open_orders(decision.decision_id)
    assert order.state is OrderState.UNKNOWN
    await rig.desk.resolve()
    assert rig.books.orders[order.client_order_id].state is OrderState.ACCEPTED
    rig.venue.events = told
    await rig.desk.pump()
    assert rig.books.orders[order.client_order_id].state is OrderState.ACCEPTED
    assert len(entries(rig)) == 1


async def test_a_send_that_was_cut_off_is_asked_about_and_never_begun_again(begin):
    rig = await at_the_close(begin)
    rig.venue.faults.hanging = asyncio.Event()
    cut = asyncio.create_task(rig.enter())
    while not rig.venue.sent:
        await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    rig.venue.faults.hanging = None
    await rig.desk.resolve()
    (order,) = [order for order in rig.books.orders.values() if order.intent.leg is Leg.ENTRY]
    assert order.state is OrderState.ABSENT
    assert len(entries(rig)) == 1


async def test_a_silent_venue_loses_no_event(begin):
    rig = await at_the_close(begin)
    await rig.enter()
    rig.venue.faults.silent = True
    with pytest.raises(VenueUnavailable):
        await rig.opens()
    assert await rig.held() == Decimal(10)
    assert rig.trade().position is None
    rig.venue.faults.silent = False
    await rig.desk.pump()
    assert rig.trade().position.quantity == Decimal(10)
    assert rig.open_order(Leg.STOP).remaining == Decimal(10)
    assert await rig.faults() == []
