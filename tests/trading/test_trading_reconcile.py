"""Ours against the venue's: pure, the same twice, nothing concluded from silence, no stranger's orders touched."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from trading_rig import COIN, START, flat
from trading_words import Teller

from brokers.protocol import EventKind, OrderReport, VenueReport
from domain.holds import Effect, HoldCause
from domain.orders import Leg, Order, OrderState
from journal.batch import Batch
from trading.reconcile import Mismatch, compare

OTHER = "OTHERUSD"
FOREIGN = "somebody-elses"


def report(*, positions=None, orders=(), complete=True, balance="0") -> VenueReport:
    return VenueReport(
        at=START,
        account="main",
        currency="USD",
        balance=Decimal(balance),
        positions={symbol: Decimal(quantity) for symbol, quantity in (positions or {}).items()},
        open_orders=tuple(orders),
        complete=complete,
    )


def listed(name: str, symbol: str = COIN) -> OrderReport:
    return OrderReport(
        client_order_id=name,
        venue_order_id=f"v-{name}",
        instrument=symbol,
        state=OrderState.ACCEPTED,
        quantity=Decimal(1),
        filled=Decimal(0),
    )


def resting() -> Order:
    teller = Teller()
    entry = teller.enter()
    teller.tell(teller.said(EventKind.ACCEPTED, entry))
    return teller.order(entry)


def kinds(findings) -> list[Mismatch]:
    return [finding.kind for finding in findings]


def against(venue: VenueReport, *, positions=None, orders=(), balance="0"):
    ours = {symbol: Decimal(quantity) for symbol, quantity in (positions or {}).items()}
    return compare(positions=ours, orders=tuple(orders), balance=Decimal(balance), report=venue)


def test_what_agrees_finds_nothing():
    order = resting()
    venue = report(positions={COIN: "3"}, orders=[listed(order.client_order_id)], balance="7.5")
    assert against(venue, positions={COIN: "3"}, orders=[order], balance="7.50") == ()


def test_a_complete_report_without_a_position_says_there_is_none():
    assert kinds(against(report(), positions={COIN: "3"})) == [Mismatch.POSITION]


def test_an_incomplete_report_says_nothing_about_what_it_leaves_out():
    venue = report(complete=False)
    assert against(venue, positions={COIN: "3"}, orders=[resting()]) == ()
    venue = report(positions={OTHER: "1"}, complete=False)
    assert kinds(against(venue, positions={COIN: "3"})) == [Mismatch.POSITION]


def test_orders_are_missing_unexpected_or_somebody_elses():
    order = resting()
    (missing,) = against(report(), orders=[order])
    assert (missing.kind, missing.ours) == (Mismatch.MISSING_ORDER, order.client_order_id)
    venue = report(orders=[listed(FOREIGN), listed("rt" + "0" * 26)])
    assert kinds(against(venue)) == [Mismatch.UNEXPECTED_ORDER, Mismatch.FOREIGN_ORDER]


def test_orders_of_which_nothing_is_known_are_not_compared():
    teller = Teller()
    assert against(report(), orders=[teller.enter()]) == ()


quantities = st.dictionaries(st.sampled_from([COIN, OTHER]), st.integers(-5, 5).map(str))


@given(ours=quantities, theirs=quantities, complete=st.booleans(), names=st.lists(st.sampled_from([FOREIGN, "rt1"])))
def test_comparing_twice_finds_what_comparing_once_found(ours, theirs, complete, names):
    venue = report(positions=theirs, orders=[listed(name) for name in names], complete=complete)
    once = against(venue, positions=ours)
    assert against(venue, positions=ours) == once
    both = {symbol: (Decimal(ours.get(symbol, 0)), Decimal(theirs.get(symbol, 0))) for symbol in (COIN, OTHER)}
    differing = {symbol for symbol, (mine, other) in both.items() if mine != other}
    seen = differing if complete else differing & theirs.keys()
    assert {finding.instrument for finding in once if finding.kind is Mismatch.POSITION} == seen


# -- and what is done about it -----------------------------------------------------------------------------------------


async def with_position(begin):
    rig = await begin(flat(100, 12))
    await rig.closes()
    await rig.enter()
    await rig.opens()
    return rig


async def reconciled(rig):
    batch = Batch()
    findings = await rig.session.reconciler.run(batch)
    await rig.writer.commit(batch)
    return findings


async def test_when_all_agrees_nothing_is_noted_however_often(begin):
    rig = await with_position(begin)
    for _ in range(3):
        assert await reconciled(rig) == ()
    assert rig.journal.read.incidents() == []
    assert rig.session.holds.in_force(rig.clock.now()) == ()


async def test_a_position_that_differs_is_held_until_it_agrees_and_noted_once(begin):
    rig = await with_position(begin)
    truth = rig.venue.report

    async def another():
        said = await truth()
        return report(positions={COIN: "7"}, orders=said.open_orders, balance=str(said.balance))

    rig.venue.report = another
    for _ in range(3):
        assert kinds(await reconciled(rig)) == [Mismatch.POSITION]
    assert rig.session.holds.effect(COIN, rig.clock.now()) is Effect.NO_ENTRIES
    assert rig.session.holds.has(HoldCause.UNKNOWN_POSITION, COIN)
    assert len(rig.journal.read.incidents()) == 1
    assert await rig.held() == Decimal(10), "a disagreement is looked into, not traded away"
    rig.venue.report = truth
    rig.venue.faults.incomplete = True
    assert await reconciled(rig) == ()
    assert rig.session.holds.has(HoldCause.UNKNOWN_POSITION, COIN), "an incomplete report says nothing of it"
    rig.venue.faults.incomplete = False
    assert await reconciled(rig) == ()
    assert rig.session.holds.effect(COIN, rig.clock.now()) is None


async def test_an_empty_incomplete_report_does_not_make_the_account_flat(begin):
    rig = await with_position(begin)
    rig.venue.faults.incomplete = True
    assert await reconciled(rig) == ()
    assert rig.trade().position.quantity == Decimal(10)
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED


async def test_somebody_elses_order_is_counted_and_never_touched(begin):
    rig = await with_position(begin)
    truth = rig.venue.report

    async def with_a_stranger():
        said = await truth()
        orders = [*said.open_orders, listed(FOREIGN)]
        return report(positions={COIN: "10"}, orders=orders, balance=str(said.balance))

    rig.venue.report = with_a_stranger
    before = list(rig.venue.sent)
    assert kinds(await reconciled(rig)) == [Mismatch.FOREIGN_ORDER]
    await rig.step(2)
    assert rig.venue.sent == before
    assert [incident.kind for incident in rig.journal.read.incidents()] == ["reconcile_foreign_order"]


async def test_a_fill_between_two_questions_is_not_taken_for_a_disagreement(begin):
    rig = await begin(flat(100, 12))
    await rig.closes()
    await rig.enter()
    truth, asked = rig.venue.report, []

    async def meanwhile():
        # The market opens after the events were read and before the report is made.
        if not asked:
            asked.append(True)
            await _open_the_market(rig)
        return await truth()

    rig.venue.report = meanwhile
    assert await reconciled(rig) == ()
    assert rig.trade().position.quantity == Decimal(10)
    assert rig.session.holds.in_force(rig.clock.now()) == ()


async def _open_the_market(rig):
    from trading.session import OPENING

    rig.clock.move_to(rig.moment.at + OPENING)
    rates = rig.session.view.rates(rig.moment.at)
    rig.trading.broker.market_opens(rig.moment.at + OPENING, [(COIN, 100.0, 0.0)], rates)
