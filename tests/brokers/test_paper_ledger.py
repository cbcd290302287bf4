"""The paper ledger's file: resuming, refusing what is not its own, and a disk that is full."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest
from paper_bench import HOUR, QUIET, START, Bench, instrument

from brokers.paper import book as book_module
from brokers.paper.broker import PaperBroker
from brokers.protocol import EventKind
from domain.clock import SteppedClock
from domain.errors import ConfigurationRefused, VenueUnavailable
from domain.orders import OrderKind, Side


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.db"


def opened(path, **changes):
    values = {
        "account": "test",
        "currency": "USD",
        "instruments": {"BTCUSD": instrument()},
        "settings": QUIET,
        "clock": SteppedClock(START),
        "durable": True,
    }
    return PaperBroker.open(path, **(values | changes))


async def test_everything_is_there_again_after_reopening(path):
    bench = Bench(path=path)
    await bench.enter()
    await bench.protect("95", "110")
    events, report = await bench.told(), await bench.broker.report()
    await bench.broker.close()
    bench.broker = bench.open()
    assert await bench.told() == events
    again = await bench.broker.report()
    assert (again.balance, again.positions, again.open_orders) == (report.balance, report.positions, report.open_orders)
    bench.closes(100, 101, 94, 95)
    assert (await bench.fills())[1:] == [("stop", Decimal(1), Decimal(95))]


async def test_the_deposit_is_made_once(path):
    for _ in range(3):
        broker = opened(path)
        assert len((await broker.events("")).events) == 1
        await broker.close()


async def test_a_ledger_that_died_before_its_deposit_makes_it_when_opened_again(path):
    def die(point: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(path, reach=die)
    import gc

    gc.collect()
    broker = opened(path)
    assert (await broker.report()).balance == Decimal(10000)
    await broker.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"account": "other"}, "is of account test in USD, not other in USD"),
        ({"currency": "EUR"}, "is of account test in USD, not test in EUR"),
    ],
)
async def test_another_accounts_ledger_is_refused(path, changes, sentence):
    await opened(path).close()
    with pytest.raises(ConfigurationRefused, match=sentence):
        opened(path, **changes)


async def test_a_ledger_that_holds_an_unknown_instrument_is_refused(path):
    bench = Bench(path=path)
    await bench.enter()
    await bench.broker.close()
    with pytest.raises(ConfigurationRefused, match="holds or trades BTCUSD, which is no instrument here"):
        opened(path, instruments={"ETHUSD": instrument("ETHUSD")})


async def test_a_ledger_of_another_version_is_refused(path):
    await opened(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationRefused, match="has schema 99; this version reads schema 1"):
        opened(path)


async def test_a_file_that_is_no_ledger_is_refused(path):
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(ConfigurationRefused, match="cannot be used"):
        opened(path)


async def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="cannot be opened"):
        opened(tmp_path / "nowhere" / "paper.db")


async def test_a_ledger_can_be_open_only_once(path):
    first = opened(path)
    with pytest.raises(ConfigurationRefused, match="a ledger that no process has open"):
        opened(path)
    await first.close()
    await opened(path).close()


async def send_until_full(bench) -> tuple[int, str]:
    """The number of the first order that the disk had no room for, and what was said."""
    for sent in range(1, 500):
        try:
            await bench.send(f"more{sent}", kind=OrderKind.LIMIT, limit="50", quantity="0.1")
        except VenueUnavailable as error:
            return sent, str(error)
    raise AssertionError("the disk never filled")


async def test_a_full_disk_stops_sends_and_leaves_the_last_commit_standing(path):
    bench = Bench(path=path)
    bench.flat(100)
    await bench.send("dip", kind=OrderKind.LIMIT, limit="90")
    connection = bench.broker._ledger._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    sent, reason = await send_until_full(bench)
    assert sent > 1
    assert "cannot be used: database or disk is full" in reason
    assert await bench.state(f"more{sent}") == "absent"
    assert await bench.state(f"more{sent - 1}") == "accepted"
    assert len((await bench.broker.report()).open_orders) == sent
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    await bench.send(f"more{sent}", kind=OrderKind.LIMIT, limit="50", quantity="0.1")
    accepted = await bench.told(EventKind.ACCEPTED)
    await bench.broker.close()
    bench.broker = bench.open()
    assert await bench.told(EventKind.ACCEPTED) == accepted
    assert len(accepted) == sent + 1


async def test_a_full_disk_at_a_fill_changes_nothing_and_the_moment_can_be_told_again(path):
    bench = Bench(path=path)
    bench.flat(100)
    await bench.send("entry")
    connection = bench.broker._ledger._connection
    connection.execute("PRAGMA query_only = ON")
    before = await bench.told()
    with pytest.raises(VenueUnavailable, match="readonly"):
        bench.opens(100)
    assert await bench.told() == before
    assert (await bench.broker.report()).positions == {}
    connection.execute("PRAGMA query_only = OFF")
    bench.opens(100)
    assert await bench.fills() == [("entry", Decimal(1), Decimal(100))]


async def test_a_closed_broker_answers_that_it_is_unavailable(path):
    bench = Bench(path=path)
    await bench.broker.close()
    await bench.broker.close()
    with pytest.raises(VenueUnavailable, match="is closed"):
        await bench.send("entry")
    with pytest.raises(VenueUnavailable, match="is closed"):
        await bench.broker.events("1")
    with pytest.raises(VenueUnavailable, match="is closed"):
        bench.opens(100)


async def test_old_events_are_read_from_the_file_and_new_ones_from_memory(path, monkeypatch):
    monkeypatch.setattr(book_module, "EVENTS_KEPT", 5)
    bench = Bench(path=path)
    for number in range(12):
        bench.flat(100)
        await bench.send(f"e{number}", Side.BUY if number % 2 == 0 else Side.SELL)
    all_events = (await bench.broker.events("")).events
    assert bench.broker._book.recent_after > 10
    for start in range(len(all_events) + 1):
        told = await bench.broker.events(str(start))
        assert told.events == all_events[start:]
        assert told.cursor == str(len(all_events))


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
async def test_durable_means_that_each_commit_waits_for_the_disk(path, durable, level):
    broker = opened(path, durable=durable)
    connection = broker._ledger._connection
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == level
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    await broker.close()


async def test_the_volume_known_when_an_order_was_sent_is_known_again_after_reopening(path):
    bench = Bench(path=path)
    bench.flat(100, volume=2.0)
    await bench.send("entry", quantity="5")
    await bench.broker.close()
    bench.broker = bench.open()
    bench.opens(100)
    assert await bench.fills() == [("entry", Decimal(2), Decimal(100))]


async def test_a_last_bar_that_was_not_committed_counts_when_it_is_told_again(path):
    bench = Bench(path=path)
    bench.flat(100, volume=2.0)
    await bench.send("entry", quantity="5", kind=OrderKind.LIMIT, limit="90")
    bench.flat(100, volume=3.0)
    await bench.broker.close()
    bench.broker = bench.open()
    bar = ("BTCUSD", bench.opened - HOUR, 100.0, 100.0, 100.0, 100.0, 3.0, 0.0)
    bench.broker.market_ranges(bench.now, [bar], bench.rates)
    bench.broker.market_ranges(bench.now, [bar], bench.rates)
    bench.opens(90)
    assert await bench.fills() == [("entry", Decimal(3), Decimal(90))]
