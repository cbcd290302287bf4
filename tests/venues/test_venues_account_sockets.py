"""The whole way over real sockets, to the exchange in its own process: orders, faults, and the push stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from exchange.process import RunningExchange
from venue_accounts import SYMBOLS, MachineClock, credentials, order, our_id

from domain.errors import VenueUnavailable
from domain.instruments import Timeframe
from domain.orders import OrderState, Side
from venues.account import CcxtAccount
from venues.opening import open_account, open_market
from venues.records import MarketKind

BTC = "BTCUSDT"
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    with RunningExchange(seed=3) as exchange:
        exchange.trade_at(BTC, "50000")
        exchange.trade_at("ETHUSDT", "2000")
        yield exchange


@pytest_asyncio.fixture
async def wired(running: RunningExchange, kind: MarketKind, venue_clock: MachineClock) -> AsyncIterator[CcxtAccount]:
    running.calm()
    running.trade_at(BTC, "50000")
    opened = await open_account(
        venue="binance",
        market=kind,
        symbols=SYMBOLS,
        credentials=credentials(),
        clock=venue_clock,
        base_url=f"http://127.0.0.1:{running.port}",
        silence_s=1.0,
    )
    yield opened
    await opened.close()


_numbers = iter(range(1000, 100_000))


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


async def test_an_entry_its_stop_and_its_end_over_sockets(
    wired: CcxtAccount, running: RunningExchange, kind: MarketKind, venue_clock: MachineClock
) -> None:
    since = venue_clock.now() - timedelta(minutes=1)
    entry, stop, target = (next(_numbers) for _ in range(3))
    made = await wired.place(order(entry))
    assert made.state is OrderState.FILLED
    reducing = kind is MarketKind.LINEAR
    await wired.place(order(stop, Side.SELL, "0.009", stop="49000", reduce_only=reducing))
    await wired.place(order(target, limit="40000"))
    assert {each.client_order_id for each in await wired.open_orders()} == {our_id(stop), our_id(target)}
    assert await wired.cancel(BTC, our_id(target)) is True
    running.trade_at(BTC, "48900")
    ended = await wired.order(BTC, our_id(stop))
    assert ended is not None
    assert (ended.state, ended.filled) == (OrderState.FILLED, Decimal("0.009"))
    owners = [await wired.order_by_venue_id(BTC, trade.venue_order_id) for trade in await wired.trades(BTC, since)]
    assert {owner.client_order_id for owner in owners if owner is not None} >= {our_id(entry), our_id(stop)}
    assert (await wired.holdings()).totals["USDT"] > 0
    assert (await wired.rights()).withdraw is False


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "status_after", "truncated"])
async def test_an_answer_lost_on_a_real_socket_is_unknown_and_asked_for(
    wired: CcxtAccount, running: RunningExchange, fault: str
) -> None:
    number = next(_numbers)
    await wired.holdings()  # a connection that was used before is where a session would send again
    running.add_fault(fault, method="POST", path=".*[oO]rder")
    with pytest.raises(VenueUnavailable):
        await wired.place(order(number))
    found = await wired.order(BTC, our_id(number))
    assert (found is None) == (fault == "drop_before")
    main = running.ledger()["accounts"]["main"]
    assert sum(each["client_id"] == our_id(number) for each in main["orders"]) == (found is not None)


async def test_a_push_rings_and_a_dropped_stream_is_connected_again(
    wired: CcxtAccount, running: RunningExchange
) -> None:
    rung: list[str] = []
    wired.listen(lambda: rung.append("first"))
    wired.listen(lambda: rung.append("second"))  # who listens already is not listened to twice
    await _until(lambda: running.streams()["open"] >= 1)
    await asyncio.sleep(0.2)
    before = len(rung)
    await wired.place(order(next(_numbers), limit="40000"))
    await _until(lambda: len(rung) > before)

    assert running.drop_streams() >= 1
    await _until(lambda: wired.listening.counts.connections >= 2 and running.streams()["open"] >= 1)
    await asyncio.sleep(0.2)
    before = len(rung)
    await wired.place(order(next(_numbers), limit="40000"))
    await _until(lambda: len(rung) > before)
    assert "second" not in rung
    await wired.close()
    assert not wired.listening.running
    await _until(lambda: running.streams()["open"] == 0)


async def test_a_silent_stream_is_given_up_and_counted(wired: CcxtAccount, running: RunningExchange) -> None:
    running.switch(streams_silent=True)
    try:
        wired.listen(lambda: None)
        await _until(lambda: wired.listening.counts.silences >= 1)
        assert "not a frame and not a pong" in wired.listening.last_failure
    finally:
        running.switch(streams_silent=False)


async def test_a_stream_on_which_nothing_happens_is_not_silent_while_it_answers_pings(
    wired: CcxtAccount, running: RunningExchange
) -> None:
    wired.listen(lambda: None)
    await _until(lambda: running.streams()["open"] >= 1)
    await asyncio.sleep(2.5)
    counts = wired.listening.counts
    assert (counts.connections, counts.silences, counts.failures) == (1, 0, 0)


async def test_an_account_that_listens_to_nothing_reachable_still_answers_and_closes(
    wired: CcxtAccount, running: RunningExchange
) -> None:
    def broken() -> None:
        raise RuntimeError("a bell that breaks")

    wired.listen(broken)
    await _until(lambda: wired.listening.counts.failures >= 1)
    assert await wired.holdings()


async def test_public_bars_come_over_sockets_without_a_key(
    running: RunningExchange, kind: MarketKind, venue_clock: MachineClock
) -> None:
    last = int(venue_clock.now().timestamp()) // 60 * 60_000
    running.set_candles(BTC, "1m", [[last - 60_000 * back, "1", "2", "1", "2", "3"] for back in range(30, -1, -1)])
    market = await open_market(
        venue="binance", market=kind, clock=venue_clock, base_url=f"http://127.0.0.1:{running.port}"
    )
    told = await market.bars(BTC, Timeframe.M1, venue_clock.now() - timedelta(hours=1), until=venue_clock.now())
    assert len(told) == 30
    await market.close()
