"""That the venue never had an order is proven, not assumed: asked by id, lists and executions, late enough."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from ccxt_bench import Bench

from brokers.protocol import EventKind
from domain.errors import Denied, VenueUnavailable
from domain.orders import OrderState

A, F = EventKind.ACCEPTED, EventKind.FILLED


@pytest_asyncio.fixture
async def bench(tmp_path):
    bench = await Bench(tmp_path).open()
    yield bench
    await bench.broker.close()


async def sent_in_vain(bench):
    intent = bench.intent("entry")
    with pytest.raises(VenueUnavailable):
        await bench.broker.send(intent)
    return intent


async def test_an_order_that_never_left_is_absent_at_once(bench):
    intent = bench.intent("entry")
    assert await bench.broker.find(intent) is None
    await bench.broker.send(intent)
    assert await bench.kinds("entry") == [A, F]


async def test_without_waiting_for_the_disk_a_missing_row_proves_nothing(bench):
    bench.durable = False
    await bench.reopen()
    intent = bench.intent("entry")
    with pytest.raises(VenueUnavailable, match="cannot be known before 2024-03-04T00:01:15"):
        await bench.broker.find(intent)
    bench.wait(76)
    assert await bench.broker.find(intent) is None


async def test_absence_is_stated_only_after_the_window_and_what_may_be_under_way_in_it(bench):
    bench.faults.lost_on_the_way = 1
    intent = await sent_in_vain(bench)
    for _ in range(16):
        with pytest.raises(VenueUnavailable, match="cannot be known before 2024-03-04T00:00:15"):
            await bench.broker.find(intent)
        bench.wait(1)
    assert await bench.broker.find(intent) is None
    with pytest.raises(Denied, match="no id is sent twice"):
        await bench.broker.send(intent)
    assert bench.venue.placed == []


async def test_absence_is_judged_by_the_venues_clock(bench):
    bench.venue.skew = timedelta(seconds=-4)
    bench.faults.lost_on_the_way = 1
    intent = await sent_in_vain(bench)
    bench.wait(19)
    with pytest.raises(VenueUnavailable):
        await bench.broker.find(intent)
    bench.wait(1)
    assert await bench.broker.find(intent) is None


async def test_a_request_that_arrives_late_inside_the_window_is_not_declared_absent(bench):
    bench.faults.late = [timedelta(seconds=12)]
    intent = await sent_in_vain(bench)
    for _ in range(12):
        with pytest.raises(VenueUnavailable):
            await bench.broker.find(intent)
        bench.wait(1)
    report = await bench.broker.find(intent)
    assert report is not None
    assert report.state is OrderState.FILLED
    assert await bench.kinds("entry") == [A, F]


async def test_an_order_that_appears_after_it_was_proven_absent_is_told(bench):
    bench.faults.late = [timedelta(seconds=40)]
    intent = await sent_in_vain(bench)
    bench.wait(20)
    assert await bench.broker.find(intent) is None
    assert await bench.kinds("entry") == []
    bench.wait(60)
    assert await bench.kinds("entry") == [A, F]
    assert len(bench.venue.placed) == 1


async def test_the_process_that_sent_may_have_lived_on_so_its_successor_waits_from_its_own_beginning(bench):
    class Killed(BaseException):
        pass

    def kill(point):
        if point == "ccxt.before_request":
            raise Killed

    bench.broker._reach = kill
    intent = bench.intent("entry")
    with pytest.raises(Killed):
        await bench.broker.send(intent)
    bench.wait(30)
    await bench.reopen()
    bench.wait(15)
    with pytest.raises(VenueUnavailable):
        await bench.broker.find(intent)
    bench.wait(1)
    assert await bench.broker.find(intent) is None


async def test_an_execution_whose_order_is_unknown_may_be_its_own(bench):
    bench.faults.late = [timedelta(seconds=1)]
    intent = await sent_in_vain(bench)
    bench.wait(20)
    bench.faults.nameless = True
    order_by_id = bench.link.order

    async def nothing(symbol, client_order_id):
        await order_by_id(symbol, client_order_id)

    bench.link.order = nothing
    with pytest.raises(VenueUnavailable, match="may be theirs"):
        await bench.broker.find(intent)
    bench.faults.nameless = False
    report = await bench.broker.find(intent)
    assert report is not None
    assert report.state is OrderState.FILLED


async def test_an_order_that_only_the_open_list_shows_is_found(bench):
    bench.faults.answers_lost = 1
    intent = bench.intent("dip")
    with pytest.raises(VenueUnavailable):
        await bench.limit("dip", "90")
    bench.wait(20)

    async def nothing(symbol, client_order_id):
        return None

    bench.link.order = nothing
    report = await bench.broker.find(intent)
    assert report is not None
    assert report.state is OrderState.ACCEPTED


async def test_after_a_lost_log_absence_waits_until_the_approval_has_run_out(bench):
    bench.faults.lost_on_the_way = 1
    intent = await sent_in_vain(bench)
    bench.wait(1)
    await bench.lose_log()
    bench.wait(74)
    with pytest.raises(VenueUnavailable, match="cannot be known before 2024-03-04T00:01:15"):
        await bench.broker.find(intent)
    bench.wait(1)
    assert await bench.broker.find(intent) is None
    with pytest.raises(Denied):
        await bench.broker.send(intent)


async def test_after_a_lost_log_an_order_is_found_and_its_story_told(bench):
    intent = bench.intent("entry")
    await bench.broker.send(intent)
    await bench.lose_log()
    report = await bench.broker.find(intent)
    assert report is not None
    assert await bench.kinds("entry") == [A, F]
    await bench.broker.send(intent)
    assert len(bench.venue.placed) == 1


async def test_an_order_that_the_venue_forgot_is_gone_once_that_is_certain(bench):
    dip = await bench.limit("dip", "90")
    await bench.told()
    bench.venue.wipe(USDT="10000")
    with pytest.raises(VenueUnavailable):
        await bench.broker.find(dip)
    bench.wait(20)
    assert await bench.broker.find(dip) is None
    bench.link.asked.clear()
    bench.wait(60)
    await bench.told()
    assert "order" not in bench.link.asked
    assert (await bench.broker.report()).open_orders == ()
