"""A hold that flattens: what is open is closed at the market, once, unless a halt says that nothing is sent."""

from __future__ import annotations

from datetime import timedelta

from trading_rig import COIN, Candle, Rig, flat

from domain.decisions import ExitCause, OutcomeKind
from domain.holds import Effect, HoldCause, new_hold
from domain.orders import Leg
from journal.batch import Batch
from trading.protection import ATTEMPTS

SECOND = timedelta(seconds=1)


async def holding(begin) -> Rig:
    rig = await begin(flat(100, 8))
    await rig.closes()
    await rig.enter()
    await rig.opens()
    return rig


async def hold(rig: Rig, cause: HoldCause, effect: Effect, *, scope: str | None = None) -> None:
    batch = Batch()
    made = new_hold(cause, effect, since=rig.clock.now(), detail="a test", latched=True, scope=scope)
    rig.session.holds.set(made, batch)
    await rig.writer.commit(batch)


def closes(rig: Rig) -> list[ExitCause]:
    return [ExitCause(intent.reason) for intent in rig.venue.sent if intent.leg is Leg.CLOSE]


async def test_everything_open_is_closed_at_the_next_bar_and_the_outcome_says_why(begin):
    rig = await holding(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await rig.step(2)
    assert closes(rig) == [ExitCause.EMERGENCY]
    assert await rig.held() == 0
    await rig.writer.flush()
    (outcome,) = rig.journal.read.outcomes(kind=OutcomeKind.REAL)
    assert outcome.exit_cause is ExitCause.EMERGENCY
    assert await rig.faults() == []


async def test_with_a_venues_account_it_is_closed_within_the_second(begin):
    rig = await holding(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    for _ in range(3):
        rig.clock.move_to(rig.clock.now() + SECOND)
        await rig.session.look_after({})
    assert closes(rig) == [ExitCause.EMERGENCY]


async def test_a_close_that_is_refused_is_not_sent_every_second(begin):
    rig = await holding(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    rig.venue.faults.refuses = lambda intent: intent.leg is Leg.CLOSE
    for _ in range(30):
        rig.clock.move_to(rig.clock.now() + SECOND)
        await rig.session.look_after({})
    assert len(closes(rig)) == ATTEMPTS
    assert rig.open_order(Leg.STOP).remaining == 10
    rig.venue.faults.refuses = lambda _intent: False
    await rig.step(2)
    assert await rig.held() == 0


async def test_a_halt_sends_nothing_and_the_stop_rests(begin):
    rig = await holding(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await hold(rig, HoldCause.OPERATOR, Effect.HALT)
    await rig.step(2)
    assert closes(rig) == []
    assert rig.open_order(Leg.STOP).remaining == 10


async def test_it_closes_after_a_crash_that_came_before_the_close(begin):
    rig = await holding(begin)
    await hold(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    await rig.reopen()
    await rig.opens_again()
    await rig.step(2)
    assert await rig.held() == 0
    assert await rig.faults() == []


async def test_equity_far_below_its_peak_flattens_by_itself_and_only_a_person_resumes(begin):
    """A gap of a fifth through a stop: the drawdown and the emergency both latch, and what else is open is closed."""
    falling = [*flat(100, 3), Candle(70, 70, 69, 70), *flat(70, 6)]
    rig = await begin({COIN: falling, "OTHERUSD": flat(100, 10)}, risk={"emergency_drawdown": "0.12"})
    await rig.closes()
    await rig.enter(quantity="50")
    await rig.enter(symbol="OTHERUSD", quantity="10")
    await rig.step(5)
    causes = {each.cause: each for each in rig.session.holds.in_force(rig.clock.now())}
    assert causes[HoldCause.EMERGENCY].latched
    assert causes[HoldCause.DRAWDOWN].latched
    assert rig.books.open_trades() == []
    assert ExitCause.EMERGENCY in closes(rig)
    await rig.reopen()
    assert rig.session.holds.has(HoldCause.EMERGENCY, None)
    batch = Batch()
    rig.trading.commands.resume(who="a person", why="a test", batch=batch)
    await rig.session.execute([], batch)
    assert not rig.session.holds.has(HoldCause.EMERGENCY, None)
    assert await rig.faults() == []
