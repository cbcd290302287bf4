"""Run as a program by the fault tests: commits the story from where the journal stands, naming each acknowledged
commit on stdout. Arguments: the database, and how it is written (journal, inline or thread)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from journal_story import story

from journal import Durability, InlineWriter, Journal, ThreadWriter

TRADES = 2


def told(sequence: int) -> None:
    sys.stdout.write(f"{sequence}\n")
    sys.stdout.flush()


async def through_writer(journal: Journal, kind: str) -> None:
    writer = InlineWriter(journal) if kind == "inline" else ThreadWriter(journal)
    for batch in story(TRADES)[journal.sequence :]:
        await writer.commit(batch)
        told(journal.sequence)
    await writer.close()


def main() -> None:
    with Journal.open(Path(sys.argv[1]), durability=Durability.FULL) as journal:
        if sys.argv[2] != "journal":
            asyncio.run(through_writer(journal, sys.argv[2]))
            return
        for batch in story(TRADES)[journal.sequence :]:
            told(journal.commit(batch))


if __name__ == "__main__":
    main()
