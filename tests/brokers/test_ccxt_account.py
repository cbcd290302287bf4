"""The account and its log: founding, reports that may not be believed, a lost log, a wiped testnet, and the file."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest
import pytest_asyncio
from ccxt_bench import Bench, instrument

from brokers.ccxt.broker import CcxtBroker
from brokers.protocol import EventKind
from domain.errors import ConfigurationRefused, VenueUnavailable
from domain.orders import Side
from venues.records import MarketKind

A, F = EventKind.ACCEPTED, EventKind.FILLED
COINS = {"USDT": "10000", "BTC": "0.7", "ETH": "3"}


@pytest_asyncio.fixture
async def spot(tmp_path):
    bench = await Bench(tmp_path, kind=MarketKind.SPOT, totals=COINS).open()
    yield bench
    await bench.broker.close()


async def opened(bench, **changes):
    values = {
        "account": "demo",
        "currency": "USDT",
        "instruments": bench.instruments,
        "link": bench.link,
        "clock": bench.clock,
        "durable": True,
    }
    return await CcxtBroker.open(bench.path, **(values | changes))


async def test_coins_that_lay_in_the_account_before_are_no_position(spot):
    report = await spot.broker.report()
    assert (report.positions, report.balance, report.complete) == ({}, Decimal(10000), True)
    await spot.market("entry")
    assert await spot.held() == Decimal("0.999")


async def test_the_deposit_is_told_once(spot):
    for _ in range(3):
        await spot.reopen()
    assert await spot.cash() == [("deposit", Decimal(10000))]


async def test_an_account_without_money_is_not_founded(tmp_path):
    bench = Bench(tmp_path, totals={"BTC": "1"})
    with pytest.raises(ConfigurationRefused, match="holds 0 USDT; it needs some to trade"):
        await bench.open()
    bench.venue.totals["USDT"] = Decimal(5)
    await bench.open()
    assert await bench.cash() == [("deposit", Decimal(5))]
    await bench.broker.close()


async def test_a_venue_that_does_not_answer_at_the_founding_is_asked_at_the_next_start(tmp_path):
    bench = Bench(tmp_path)
    bench.faults.silent = 1
    with pytest.raises(VenueUnavailable):
        await bench.open()
    await bench.open()
    assert len(await bench.cash()) == 1
    await bench.broker.close()


async def test_an_empty_answer_is_not_an_empty_account(spot):
    await spot.market("entry")
    before = await spot.broker.report()
    spot.faults.nothing_held = True
    report = await spot.broker.report()
    assert not report.complete
    assert (report.balance, report.positions) == (before.balance, {})
    spot.faults.nothing_held = False
    assert (await spot.broker.report()).complete
    await spot.reopen()
    spot.faults.nothing_held = True
    assert not (await spot.broker.report()).complete
    with pytest.raises(VenueUnavailable, match="nothing in it"):
        await spot.broker.refound(Decimal(0))


async def test_short_positions_are_signed(tmp_path):
    bench = await Bench(tmp_path).open()
    await bench.market("entry", Side.SELL, "2")
    assert (await bench.broker.report()).positions == {"BTCUSDT": Decimal(-2)}
    await bench.broker.close()


@pytest.mark.parametrize("kind", list(MarketKind))
async def test_a_lost_log_is_learned_again_from_the_venue(tmp_path, kind):
    bench = await Bench(tmp_path, kind=kind, totals=COINS).open()
    await bench.market("entry", quantity="2")
    await bench.market("part", Side.SELL, "0.5")
    await bench.limit("dip", "90")
    await bench.told()
    before, report = await bench.broker.events(""), await bench.broker.report()
    bench.wait(3600)
    await bench.lose_log()
    again = await bench.broker.events(before.cursor)
    fills = [event.fill for event in before.events if event.fill is not None]
    assert [event.fill for event in again.events if event.fill is not None] == fills
    assert again.events[0].cash is not None
    assert again.events[0].cash.event_id == "deposit-demo"
    assert (await bench.broker.report()).positions == report.positions
    assert await bench.kinds("dip") == [A]
    bench.link.asked.clear()
    assert await bench.broker.events(before.cursor) == await bench.broker.events("")
    assert "trades" not in bench.link.asked[2:]
    await bench.broker.close()


async def test_a_lost_log_is_not_told_from_before_it_was_learned_again(tmp_path):
    bench = await Bench(tmp_path).open()
    await bench.market("entry")
    cursor = (await bench.broker.events("")).cursor
    await bench.lose_log()
    bench.faults.silent = 1
    for _ in range(2):
        with pytest.raises(VenueUnavailable):
            await bench.broker.events(cursor)
    bench.wait(1)
    assert [event.kind for event in (await bench.broker.events(cursor)).events] == [EventKind.CASH, A, F]
    await bench.broker.close()


@pytest.mark.parametrize("cursor", ["7", "9-abc", "x-y", "-", "2-0000000000000000"])
async def test_a_cursor_that_this_log_never_gave_starts_at_its_beginning(spot, cursor):
    await spot.market("entry")
    everything = await spot.broker.events("")
    assert await spot.broker.events(cursor) == everything


async def test_a_log_whose_tail_was_lost_does_not_skip_what_took_its_place(tmp_path):
    bench = await Bench(tmp_path).open()
    await bench.market("entry")
    cursor = (await bench.broker.events("")).cursor
    await bench.broker.close()
    for file in tmp_path.glob("venue.db*"):
        file.unlink()
    await bench.open()
    await bench.limit("dip", "90")
    await bench.limit("dip2", "90")
    told = await bench.broker.events(cursor)
    assert [event.kind for event in told.events].count(F) == 1
    await bench.broker.close()


async def test_a_wiped_account_is_founded_again_from_what_is_there(spot):
    await spot.market("entry")
    cursor = (await spot.broker.events("")).cursor
    await spot.broker.report()
    spot.venue.wipe(USDT="5000", BTC="1.7")
    report = await spot.broker.report()
    assert (report.complete, report.balance) == (True, Decimal(5000))
    assert report.positions == {"BTCUSDT": Decimal(1), "ETHUSDT": Decimal(-3)}, "the wipe is not hidden"
    reset = await spot.broker.refound(Decimal("9899.9"))
    assert (reset.kind.value, reset.amount) == ("reset", Decimal("-4899.9"))
    (event,) = (await spot.broker.events(cursor)).events
    assert event.cash == reset
    report = await spot.broker.report()
    assert (report.positions, report.balance) == ({}, Decimal(5000))
    await spot.market("again")
    await spot.reopen()
    assert await spot.held() == Decimal("0.999")
    assert len({fill.trade_id for fill in await spot.fills()}) == 2


async def test_what_was_executed_before_a_new_founding_and_told_after_it_counts_as_held(spot):
    await spot.limit("dip", "99")
    spot.venue.trade_at("BTCUSDT", "99")
    spot.wait(1)
    await spot.broker.refound(Decimal(10000))
    assert await spot.kinds("dip") == [A, F]
    assert await spot.held() == Decimal("0.999")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"account": "other"}, r"is of account demo at memory \(linear\) in USDT, not other at memory"),
        ({"instruments": {}}, "holds or trades BTCUSDT, which is no instrument here"),
        (
            {"instruments": {"BTCUSDT": None}, "currency": "EUR"},
            "BTCUSDT is quoted in USDT; an account at memory in EUR",
        ),
        ({"instruments": {"XRPUSDT": None}}, "memory does not trade XRPUSDT here"),
    ],
)
async def test_what_does_not_belong_together_is_refused_in_one_sentence(tmp_path, changes, sentence):
    bench = await Bench(tmp_path).open()
    await bench.limit("dip", "90")
    await bench.broker.close()
    if "instruments" in changes:
        changes = changes | {"instruments": {name: instrument("BTCUSDT") for name in changes["instruments"]}}
    with pytest.raises(ConfigurationRefused, match=sentence):
        await opened(bench, **changes)


async def test_on_spot_two_instruments_cannot_hold_one_asset(tmp_path):
    bench = Bench(tmp_path, kind=MarketKind.SPOT)
    bench.instruments["ETHUSDT"] = instrument("ETHUSDT", base="BTC")
    with pytest.raises(ConfigurationRefused, match="several instruments hold BTC"):
        await bench.open()


async def test_a_log_of_another_version_is_refused(tmp_path):
    bench = await Bench(tmp_path).open()
    await bench.broker.close()
    connection = sqlite3.connect(bench.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationRefused, match="has schema 99; this version reads schema 1"):
        await bench.open()


async def test_a_file_that_is_no_log_is_refused(tmp_path):
    bench = Bench(tmp_path)
    bench.path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(ConfigurationRefused, match="cannot be used"):
        await bench.open()


async def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="cannot be opened"):
        await Bench(tmp_path / "nowhere").open()


async def test_a_log_can_be_open_only_once(tmp_path):
    bench = await Bench(tmp_path).open()
    with pytest.raises(ConfigurationRefused, match="a log that no process has open"):
        await opened(bench)
    await bench.broker.close()


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
async def test_durable_means_that_each_commit_waits_for_the_disk(tmp_path, durable, level):
    bench = Bench(tmp_path)
    bench.durable = durable
    await bench.open()
    connection = bench.broker._log._connection
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == level
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    await bench.broker.close()


async def test_on_a_full_disk_nothing_leaves(tmp_path):
    bench = await Bench(tmp_path).open()
    connection = bench.broker._log._connection
    connection.execute("PRAGMA query_only = ON")
    entry = bench.intent("entry")
    with pytest.raises(VenueUnavailable, match=r"the venue log .* cannot be used"):
        await bench.broker.send(entry)
    assert bench.venue.placed == []
    connection.execute("PRAGMA query_only = OFF")
    assert await bench.broker.find(entry) is None
    await bench.broker.send(entry)
    assert await bench.kinds("entry") == [A, F]
    await bench.broker.close()


async def test_an_answer_that_the_disk_had_no_room_for_is_asked_for_again(tmp_path):
    bench = await Bench(tmp_path).open()

    def full(point):
        if point == "ccxt.after_request":
            bench.broker._log._connection.execute("PRAGMA query_only = ON")

    bench.broker._reach = full
    entry = bench.intent("entry")
    with pytest.raises(VenueUnavailable, match="cannot be used"):
        await bench.broker.send(entry)
    bench.broker._log._connection.execute("PRAGMA query_only = OFF")
    assert await bench.kinds("entry") == [A, F]
    assert bench.venue.placed == [entry.client_order_id]
    await bench.broker.close()
