"""What happens to orders on the paper market, bar by bar."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from paper_bench import BTC, QUIET, START, Bench, instrument

from brokers.paper.settings import PaperSettings
from brokers.protocol import EventKind
from domain.errors import NoRate
from domain.instruments import AssetClass, FxRates
from domain.orders import Action, OrderKind, Side, TimeInForce
from domain.records import CashKind


@pytest.fixture
def bench():
    return Bench()


async def test_the_deposit_is_the_first_event(bench):
    (deposit,) = await bench.told()
    assert deposit.cash is not None
    assert deposit.cash.event_id == "deposit-test"
    assert deposit.cash.kind is CashKind.DEPOSIT
    assert deposit.cash.amount == Decimal(10000)
    assert (await bench.broker.report()).balance == Decimal(10000)


async def test_a_market_order_fills_at_the_next_open_never_in_the_bar_it_was_decided_on(bench):
    bench.flat(100)
    await bench.send("entry")
    assert await bench.fills() == []
    bench.opens(103)
    assert await bench.fills() == [("entry", Decimal(1), Decimal(103))]
    (fill,) = [event.fill for event in await bench.told(EventKind.FILLED)]
    assert fill.at == bench.now
    assert fill.fee == Decimal("0.103")
    assert fill.trade_id == "entry-1"


async def test_the_range_of_the_deciding_bar_touches_nothing_sent_at_its_close(bench):
    bench.opens(100)
    bench.closes(100, 110, 90, 100)
    await bench.send("dip", kind=OrderKind.LIMIT, limit="95")
    bench.broker.market_ranges(bench.now, [("BTCUSD", bench.opened - 3600, 100, 110, 90, 100, 5, 0)], bench.rates)
    assert await bench.fills() == []


async def test_an_order_sent_inside_a_bar_is_not_touched_by_that_bar(bench):
    bench.flat(100)
    bench.opens(100)
    bench.clock.move_to(bench.now + timedelta(minutes=10))
    await bench.send("dip", kind=OrderKind.LIMIT, limit="95")
    bench.closes(100, 101, 90, 100)
    assert await bench.fills() == []
    bench.opens(100)
    bench.closes(100, 101, 94, 100)
    assert await bench.fills() == [("dip", Decimal(1), Decimal(95))]


async def test_with_grace_an_order_sent_shortly_after_a_moment_counts_as_sent_at_it():
    bench = Bench(settings=PaperSettings(slippage_bps=0, grace_s=5))
    bench.flat(100)
    told_at = bench.now
    bench.clock.move_to(told_at + timedelta(seconds=4))
    await bench.send("entry")
    bench.broker.market_opens(told_at, [("BTCUSD", 101.0, 0.0)], bench.rates)
    assert await bench.fills() == [("entry", Decimal(1), Decimal(101))]


async def test_an_open_told_a_moment_into_its_bar_belongs_to_the_bar():
    bench = Bench(settings=PaperSettings(slippage_bps=0, grace_s=5))
    bench.flat(100)
    await bench.send("entry")
    bench.clock.move_to(bench.now + timedelta(milliseconds=1))
    bench.opens(101)
    assert await bench.fills() == [("entry", Decimal(1), Decimal(101))]
    bench.clock.move_to(bench.now + timedelta(seconds=2))
    await bench.protect("95", "110")
    bench.closes(101, 101, 94, 96)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(95))]


async def test_latency_moves_a_market_order_to_the_next_open():
    bench = Bench(settings=PaperSettings(slippage_bps=0, latency_s=0.2))
    bench.flat(100)
    await bench.send("entry")
    bench.flat(101)
    assert await bench.fills() == []
    bench.opens(102)
    assert await bench.fills() == [("entry", Decimal(1), Decimal(102))]


async def test_the_entry_bar_itself_can_stop_the_trade_out(bench):
    await bench.enter()
    await bench.protect("95", "110")
    bench.closes(100, 101, 94, 96)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(95))]


async def test_the_stop_counts_when_both_barriers_lie_in_one_bar(bench):
    await bench.enter()
    await bench.protect("95", "105")
    bench.closes(100, 106, 94, 100)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(95))]
    assert await bench.state("target") == "cancelled"
    assert (await bench.broker.report()).positions == {}


async def test_a_target_the_market_opened_beyond_counts_before_a_stop_in_the_range(bench):
    await bench.enter()
    await bench.protect("95", "105")
    bench.closes(100, 101, 99, 100)
    bench.opens(107)
    assert (await bench.fills())[1:] == [("target", Decimal(1), Decimal(107))]


async def test_a_stop_gapped_through_fills_at_the_open(bench):
    await bench.enter()
    await bench.protect("95", "105")
    bench.closes(100, 101, 99, 100)
    bench.opens(90)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(90))]
    (last,) = await bench.told(EventKind.CANCELLED)
    assert last.client_order_id == "target"


async def test_protection_sent_after_a_gapped_entry_fills_at_the_open_not_at_its_stale_price(bench):
    await bench.enter(price=90.0)
    await bench.protect("95", "110")
    bench.closes(90, 91, 89, 90)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(90))]


async def test_a_short_is_stopped_on_the_ask(bench):
    bench.half_spread = 0.5
    await bench.enter(side=Side.SELL)
    assert await bench.fills() == [("entry", Decimal(1), Decimal("99.5"))]
    await bench.protect("105", "95", side=Side.BUY)
    bench.closes(100, 104.5, 99, 100)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(105))]


async def test_participation_caps_a_market_order_and_the_rest_follows_at_later_opens():
    bench = Bench(settings=PaperSettings(slippage_bps=0, max_participation=0.1))
    bench.flat(100, volume=40)
    await bench.send("entry", quantity="9")
    bench.opens(100)
    assert await bench.fills() == [("entry", Decimal(4), Decimal(100))]
    assert await bench.state("entry") == "partially_filled"
    bench.closes(100, 100, 100, 100, 30)
    bench.opens(101)
    assert (await bench.fills())[1:] == [("entry", Decimal(3), Decimal(101))]
    bench.closes(101, 101, 101, 101, 1000)
    bench.opens(102)
    assert (await bench.fills())[2:] == [("entry", Decimal(2), Decimal(102))]
    assert await bench.state("entry") == "filled"
    trades = [event.fill.trade_id for event in await bench.told(EventKind.FILLED)]
    assert trades == ["entry-1", "entry-2", "entry-3"]


async def test_a_bar_without_trade_fills_nothing_and_an_unknown_volume_sets_no_limit():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100, volume=0.0)
    await bench.send("entry", quantity="5")
    bench.opens(100)
    assert await bench.fills() == []
    bench.closes(100, 100, 100, 100)
    bench.opens(100)
    assert await bench.fills() == [("entry", Decimal(5), Decimal(100))]


async def test_a_limit_partly_filled_at_the_open_waits_for_the_next_bar():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100, volume=10)
    await bench.send("dip", quantity="3", kind=OrderKind.LIMIT, limit="95")
    bench.opens(94)
    assert await bench.fills() == [("dip", Decimal(1), Decimal(94))]
    bench.closes(94, 96, 90, 94, 1000)
    assert len(await bench.fills()) == 1
    bench.opens(96)
    bench.closes(96, 97, 95, 96, 1000)
    assert (await bench.fills())[1:] == [("dip", Decimal(2), Decimal(95))]


async def test_a_stop_always_fills_whole():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100)
    await bench.send("entry", quantity="5")
    bench.opens(100)
    await bench.protect("95", "110", quantity="5")
    bench.closes(100, 100, 94, 95, 1.0)
    assert (await bench.fills())[1:] == [("stop", Decimal(5), Decimal(95))]


async def test_a_market_order_that_only_reduces_fills_whole_however_thin_the_bar():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100)
    await bench.send("entry", quantity="5")
    bench.opens(100)
    bench.closes(100, 100, 100, 100, 1.0)
    await bench.send("close", side=Side.SELL, quantity="5", reduce_only=True)
    bench.opens(99)
    assert (await bench.fills())[1:] == [("close", Decimal(5), Decimal(99))]


async def test_volumes_of_currencies_count_price_changes_and_cap_nothing():
    pair = instrument("EURUSD", asset_class=AssetClass.FOREX, lot=Decimal(1), min_quantity=Decimal(1))
    bench = Bench(instruments={"EURUSD": pair}, settings=PaperSettings(slippage_bps=0, max_participation=0.1))
    bench.opens(1.1, symbol="EURUSD")
    bench.closes(1.1, 1.1, 1.1, 1.1, 300.0, symbol="EURUSD")
    await bench.send("entry", quantity="5000", symbol="EURUSD")
    bench.opens(1.1, symbol="EURUSD")
    assert await bench.fills() == [("entry", Decimal(5000), Decimal("1.1"))]


async def test_immediate_or_cancel_gives_up_the_rest():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100, volume=20)
    await bench.send("entry", quantity="5", tif=TimeInForce.IOC)
    await bench.send("low", quantity="1", kind=OrderKind.LIMIT, limit="90", tif=TimeInForce.IOC)
    bench.opens(100)
    assert await bench.fills() == [("entry", Decimal(2), Decimal(100))]
    assert await bench.state("entry") == "cancelled"
    assert await bench.state("low") == "cancelled"


async def test_a_partial_target_shrinks_the_stop_by_as_much():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100)
    await bench.send("entry", quantity="5")
    bench.opens(100)
    await bench.protect("95", "105", quantity="5")
    bench.closes(100, 106, 99, 105, 20)
    assert (await bench.fills())[1:] == [("target", Decimal(2), Decimal(105))]
    stop = await bench.found("stop")
    assert (stop.quantity, stop.filled) == (Decimal(3), Decimal(0))
    bench.opens(90)
    assert (await bench.fills())[2:] == [("stop", Decimal(3), Decimal(90))]
    assert (await bench.broker.report()).positions == {}
    assert await bench.state("target") == "cancelled"
    assert (await bench.broker.report()).open_orders == ()


async def test_moving_a_stop_after_a_partial_target_states_its_quantity_anew():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100)
    await bench.send("entry", quantity="5")
    bench.opens(100)
    await bench.protect("95", "105", quantity="5")
    bench.closes(100, 106, 99, 105, 20)
    move = {"kind": OrderKind.STOP, "stop": "99", "reduce_only": True, "action": Action.REPLACE, "target": "stop"}
    await bench.send("trail", Side.SELL, "3", **move)
    stop = await bench.found("stop")
    assert (stop.quantity, stop.filled) == (Decimal(3), Decimal(0))
    bench.opens(104)
    bench.closes(104, 104, 98, 99, 1000)
    assert (await bench.fills())[2:] == [("stop", Decimal(3), Decimal(99))]


async def test_a_moved_stop_is_hit_within_the_bar_that_is_open(bench):
    await bench.enter()
    await bench.protect("95", "110")
    bench.clock.move_to(bench.now + timedelta(seconds=3))
    move = {"kind": OrderKind.STOP, "stop": "99", "reduce_only": True, "action": Action.REPLACE, "target": "stop"}
    await bench.send("trail", Side.SELL, **move)
    bench.closes(100, 101, 98, 100)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(99))]


async def test_reduce_only_takes_no_more_than_the_position_and_gives_up_the_rest(bench):
    await bench.enter()
    bench.closes(100, 100, 100, 100)
    await bench.send("close", Side.SELL, "4", reduce_only=True)
    bench.opens(101)
    assert (await bench.fills())[1:] == [("close", Decimal(1), Decimal(101))]
    assert await bench.state("close") == "cancelled"
    assert (await bench.broker.report()).positions == {}


async def test_when_the_position_is_closed_its_protection_is_taken_back(bench):
    await bench.enter()
    await bench.protect("95", "110")
    bench.closes(100, 100, 100, 100)
    await bench.send("close", Side.SELL, "1", reduce_only=True)
    bench.opens(101)
    reasons = {event.client_order_id: event.reason for event in await bench.told(EventKind.CANCELLED)}
    assert reasons == dict.fromkeys(("stop", "target"), "there is no position left to reduce")


async def test_an_order_through_zero_is_told_as_two_fills(bench):
    await bench.enter(quantity="2")
    bench.closes(100, 100, 100, 100)
    await bench.send("turn", Side.SELL, "3", position_id="p2")
    bench.opens(110)
    assert (await bench.fills())[1:] == [("turn", Decimal(2), Decimal(110)), ("turn", Decimal(1), Decimal(110))]
    assert (await bench.broker.report()).positions == {"BTCUSD": Decimal(-1)}
    assert await bench.state("turn") == "filled"


async def test_a_stop_limit_arms_and_then_waits_for_its_limit(bench):
    await bench.enter()
    rest = {"kind": OrderKind.STOP_LIMIT, "stop": "95", "limit": "94.5", "reduce_only": True}
    await bench.send("guard", Side.SELL, **rest)
    bench.closes(100, 100, 99, 100)
    bench.opens(90)
    assert await bench.state("guard") == "accepted"
    bench.closes(90, 94.4, 89, 94)
    assert len(await bench.fills()) == 1
    bench.opens(94)
    bench.closes(94, 94.6, 93, 94)
    assert (await bench.fills())[1:] == [("guard", Decimal(1), Decimal("94.5"))]


async def test_time_runs_out_after_the_last_moment_that_still_counts(bench):
    bench.flat(100)
    for name in ("early", "late"):
        end = bench.now + timedelta(hours=1 if name == "early" else 2)
        await bench.send(name, kind=OrderKind.LIMIT, limit="95", tif=TimeInForce.GTD, expires_at=end)
    bench.flat(100)
    bench.opens(100)
    assert await bench.state("early") == "expired"
    bench.closes(100, 100, 95, 100)
    assert await bench.fills() == [("late", Decimal(1), Decimal(95))]


async def test_an_order_expires_even_when_its_market_is_silent(bench):
    bench.flat(100)
    end = bench.now + timedelta(minutes=30)
    await bench.send("early", kind=OrderKind.LIMIT, limit="95", tif=TimeInForce.GTD, expires_at=end)
    bench.clock.move_to(bench.now + timedelta(hours=1))
    bench.broker.market_opens(bench.now, [], bench.rates)
    (event,) = await bench.told(EventKind.EXPIRED)
    assert event.client_order_id == "early"


@pytest.mark.parametrize(("side", "amount"), [(Side.BUY, "-0.04"), (Side.SELL, "0.02")])
async def test_swap_is_booked_once_for_each_midnight_held(side, amount):
    carried = instrument(swap_long_per_day=Decimal("-0.0002"), swap_short_per_day=Decimal("0.0001"))
    bench = Bench(instruments={"BTCUSD": carried})
    await bench.enter(side=side, quantity="1")
    for _ in range(24):
        bench.closes(100, 100, 100, 100)
        bench.opens(100)
    bench.clock.move_to(bench.now + timedelta(days=1))
    bench.broker.market_opens(bench.now, [("BTCUSD", 100.0, 0.0)], bench.rates)
    swaps = [event.cash for event in await bench.told(EventKind.CASH)][1:]
    assert [swap.kind for swap in swaps] == [CashKind.SWAP] * 2
    assert sum(swap.amount for swap in swaps) == Decimal(amount)
    assert len({swap.event_id for swap in swaps}) == 2
    assert (await bench.broker.report()).balance == Decimal(10000) - Decimal("0.1") + Decimal(amount)


async def test_fees_and_profit_of_a_foreign_quote_are_booked_at_the_rate_of_the_fill():
    pair = instrument("EURJPY", tick=Decimal("0.001"), fee_rate=Decimal("0.001"))
    bench = Bench(instruments={"EURJPY": pair})
    bench.rates = FxRates(as_of=START, rates={("USD", "JPY"): Decimal(150)})
    bench.opens(160, symbol="EURJPY")
    bench.closes(160, 160, 160, 160, symbol="EURJPY")
    await bench.send("entry", quantity="100", symbol="EURJPY")
    bench.opens(160, symbol="EURJPY")
    bench.closes(160, 163, 160, 163, symbol="EURJPY")
    await bench.send("close", Side.SELL, "100", symbol="EURJPY", reduce_only=True)
    bench.opens(163, symbol="EURJPY")
    fees = [event.fill.fee for event in await bench.told(EventKind.FILLED)]
    assert fees == [Decimal("0.10666667"), Decimal("0.10866667")]
    assert (await bench.broker.report()).balance == Decimal(10000) + Decimal(2) - sum(fees)


async def test_a_missing_rate_changes_nothing_and_the_moment_can_be_told_again():
    pair = instrument("EURJPY", tick=Decimal("0.001"))
    bench = Bench(instruments={"EURJPY": pair})
    good = FxRates(as_of=START, rates={("USD", "JPY"): Decimal(150)})
    bench.rates = good
    bench.opens(160, symbol="EURJPY")
    bench.closes(160, 160, 160, 160, symbol="EURJPY")
    await bench.send("entry", symbol="EURJPY", quantity="10")
    before = await bench.told()
    bench.rates = FxRates(as_of=START)
    with pytest.raises(NoRate):
        bench.opens(160, symbol="EURJPY")
    assert await bench.told() == before
    bench.rates = good
    bench.opens(160, symbol="EURJPY")
    assert len(await bench.fills()) == 1


async def test_slippage_is_drawn_from_seed_and_order_id_alone():
    settings = PaperSettings(seed=3, slippage_bps=10)
    draws = [settings.slippage_of(f"order{number}") for number in range(2000)]
    assert draws == [PaperSettings(seed=3, slippage_bps=10).slippage_of(f"order{number}") for number in range(2000)]
    assert all(0 <= draw < 0.002 for draw in draws)
    assert abs(sum(draws) / len(draws) - 0.001) < 0.00003
    assert draws != [PaperSettings(seed=4, slippage_bps=10).slippage_of(f"order{number}") for number in range(2000)]


async def test_a_share_of_orders_is_refused_by_chance():
    bench = Bench(settings=PaperSettings(reject_rate=0.5, seed=1))
    bench.flat(100)
    for number in range(60):
        await bench.send(f"o{number}", kind=OrderKind.LIMIT, limit="50", quantity="0.1")
    refused = await bench.told(EventKind.REJECTED)
    assert 15 < len(refused) < 45
    assert all(event.reason == "refused by chance, as the paper settings ask" for event in refused)


async def test_benchmarks_without_an_instrument_may_be_told(bench):
    bench.broker.market_opens(bench.now, [("INDEX", 100.0, 0.0)], bench.rates)
    bench.broker.market_ranges(bench.now, [("INDEX", 0, 1, 1, 1, 1, 1, 0)], bench.rates)
    assert len(await bench.told()) == 1


def test_the_quiet_settings_really_are_quiet():
    assert QUIET.slippage_of("x") == 0.0
    assert BTC.shortable
