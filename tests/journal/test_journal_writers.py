"""The executor port: order, group commit, deferral, and what a failure does to those who wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from journal_story import START, story

from domain.errors import JournalError
from domain.records import Incident
from journal import Batch, InlineWriter, Journal, ThreadWriter, Writer


def noted(name: str) -> Batch:
    batch = Batch()
    batch.add(Incident(incident_id=name, at=START, kind="test", instrument=None, detail=name))
    batch.put_state("last", name)
    return batch


WRITERS = [InlineWriter, ThreadWriter]


@pytest.mark.parametrize("kind", WRITERS)
async def test_a_commit_that_returned_is_durable(journal: Journal, database: Path, kind: type[InlineWriter]) -> None:
    writer: Writer = kind(journal)
    with Journal.open(database, read_only=True) as reader:
        for batch in story():
            await writer.commit(batch)
            assert reader.sequence == journal.sequence
    assert journal.sequence == len(story())
    await writer.close()


@pytest.mark.parametrize("kind", WRITERS)
async def test_deferred_batches_ride_in_front_of_the_next_commit(journal: Journal, kind: type[InlineWriter]) -> None:
    writer: Writer = kind(journal)
    writer.defer(noted("first"))
    writer.defer(noted("second"))
    assert journal.sequence == 0
    await writer.commit(noted("third"))
    assert journal.sequence == 1
    assert journal.read.counts()["incidents"] == 3
    assert journal.read.state("last") == "third"
    await writer.close()


@pytest.mark.parametrize("kind", WRITERS)
async def test_deferred_batches_are_written_alone_once_enough_wait(journal: Journal, kind: type[InlineWriter]) -> None:
    writer: Writer = kind(journal, limit=4)
    writer.defer(noted("first"))
    assert journal.sequence == 0
    writer.defer(noted("second"))
    await writer.flush()
    assert journal.sequence == 1
    writer.defer(noted("third"))
    await writer.close()
    assert journal.read.counts()["incidents"] == 3


@pytest.mark.parametrize("kind", WRITERS)
async def test_a_failure_reaches_who_waits_and_every_later_one(journal: Journal, kind: type[InlineWriter]) -> None:
    writer: Writer = kind(journal)
    opening = story()[0]
    await writer.commit(opening)
    with pytest.raises(JournalError, match="UNIQUE"):
        await writer.commit(opening)
    with pytest.raises(JournalError, match="opened again"):
        await writer.commit(noted("later"))
    with pytest.raises(JournalError, match="opened again"):
        await writer.close()


async def test_a_deferred_batch_that_failed_while_nobody_waited_is_told_of_at_the_next_flush(journal: Journal) -> None:
    writer = ThreadWriter(journal, limit=1)
    writer.defer(story()[0])
    await writer.flush()
    writer.defer(story()[0])
    with pytest.raises(JournalError, match=r"opened again|UNIQUE"):
        await writer.flush()
    with pytest.raises(JournalError):
        await writer.close()


async def test_many_callers_share_transactions_and_keep_their_order(journal: Journal) -> None:
    writer = ThreadWriter(journal)
    callers = [asyncio.create_task(writer.commit(batch)) for batch in story(20)]
    await asyncio.gather(*callers)
    assert 1 < journal.sequence < len(callers)
    points = journal.read.equity()
    assert [point.at for point in points] == sorted(point.at for point in points)
    told = [record for batch in story(20) for record in batch.rows.get("orders", [])]
    stored = journal.held.raw.execute("SELECT client_order_id, version FROM orders ORDER BY row_id").fetchall()
    assert stored == [(row[0], row[1]) for row in told]
    await writer.close()


async def test_the_event_loop_goes_on_while_the_thread_writes(journal: Journal) -> None:
    writer = ThreadWriter(journal)
    with journal.held.lock:
        waiting = asyncio.create_task(writer.commit(noted("slow")))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    assert journal.read.state("last") == "slow"
    await writer.close()


async def test_one_cancelled_caller_takes_nothing_from_the_others(journal: Journal) -> None:
    writer = ThreadWriter(journal)
    with journal.held.lock:
        first = asyncio.create_task(writer.commit(noted("first")))
        cancelled = asyncio.create_task(writer.commit(noted("second")))
        kept = asyncio.create_task(writer.commit(noted("third")))
        await asyncio.sleep(0)
        cancelled.cancel()
    await asyncio.gather(first, kept)
    assert cancelled.cancelled()
    assert journal.read.counts()["incidents"] == 3
    assert journal.sequence == 2
    await writer.close()


async def test_closing_twice_is_closing_once_and_leaves_the_journal_open(journal: Journal) -> None:
    writer = ThreadWriter(journal)
    await writer.commit(noted("first"))
    await writer.close()
    await writer.close()
    assert journal.commit(noted("second")) == 2
