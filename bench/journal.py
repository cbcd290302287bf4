"""Commits of one intent beside the same row in bare SQLite, and rows a second in one large commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import stories
from bench.figures import Figure, in_unit, rates
from bench.request import Request
from domain.orders import Intent
from journal.batch import Batch
from journal.codec import RowValues
from journal.engine import Durability
from journal.journal import Journal

COMMITS = 200
Commit = Callable[[Intent, RowValues], None]


def run(request: Request) -> Iterator[Figure]:
    """Turn by turn, ours and the bare one, so that a drift of the disk meets both; the ratio is the figure to keep."""
    with Journal.open(stories.journal(request), read_only=True) as told:
        intents = told.read.intents()[:COMMITS]
    for durability in (Durability.NORMAL, Durability.FULL):
        ours, bare = [], []
        for number in range(request.repeat + 1):
            ours.append(_ours(request.work / f"{durability}-{number}.sqlite", durability, intents))
            bare.append(_bare(request.work / f"bare-{durability}-{number}.sqlite", durability, intents))
        ours, bare = ours[1:], bare[1:]
        name, what = f"journal.intent.{durability}", f"one intent a commit, synchronous={durability.upper()}"
        yield Figure(name=name, what=f"{what}: encode, commit", unit="us", values=in_unit(ours, "us"))
        yield Figure(name=f"{name}.bare", what=f"{what}: bare SQLite, one table", unit="us", values=in_unit(bare, "us"))
        ratio = tuple(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
        yield Figure(name=f"{name}.ratio", what="ours over the bare one", unit="x", values=ratio)
    yield _rows(request)


def _ours(path: Path, durability: Durability, intents: list[Intent]) -> float:
    with Journal.open(path, durability=durability) as journal:
        began = time.perf_counter()
        for intent in intents:
            batch = Batch()
            batch.add(intent)
            journal.commit(batch)
        return (time.perf_counter() - began) / len(intents)


def _bare(path: Path, durability: Durability, intents: list[Intent]) -> float:
    """The least that SQLite needs: rows already encoded, one table with one unique key, no counting of commits."""
    batch = Batch()
    for intent in intents:
        batch.add(intent)
    rows = batch.rows["intents"]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {durability.value}")
    connection.execute(f"CREATE TABLE intents (c0 UNIQUE, {', '.join(f'c{n}' for n in range(1, len(rows[0])))})")
    statement = f"INSERT INTO intents VALUES ({', '.join('?' * len(rows[0]))})"
    began = time.perf_counter()
    for row in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement, row)
        connection.execute("COMMIT")
    took = (time.perf_counter() - began) / len(rows)
    connection.close()
    return took


def _rows(request: Request) -> Figure:
    feed = stories.feed(request)
    series = feed.series(next(iter(feed.instruments)))
    seconds = []
    for number in range(request.repeat + 1):
        with Journal.open(request.work / f"rows-{number}.sqlite", durability=Durability.NORMAL) as journal:
            began = time.perf_counter()
            batch = Batch()
            batch.add_bars(series, 0, len(series))
            journal.commit(batch)
            seconds.append(time.perf_counter() - began)
    told = f"{len(series)} bars encoded and written in one commit, synchronous=NORMAL"
    return Figure(name="journal.rows", what=told, unit="rows/s", values=rates(len(series), seconds[1:]))
