"""A log that nobody reads: lines are dropped and counted, and whoever logs never waits."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from daemon.log_queue import QueuedHandler

LINE = "x" * 1_000


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        yield reader, writer


def logger_to(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("queued")
    logger.propagate = False
    logger.handlers[:] = [handler]
    return logger


def test_lines_that_nobody_reads_are_dropped_and_told_of_once_somebody_reads(pipe):
    reader, writer = pipe
    handler = QueuedHandler(writer, longest=10)
    logger = logger_to(handler)
    # Far more than a pipe and the queue hold: with a handler that writes by itself this line would never be passed.
    for _ in range(500):
        logger.warning(LINE)
    assert handler.dropped > 0
    found: list[str] = []
    reading = threading.Thread(target=lambda: found.extend(reader))
    reading.start()
    handler.close()
    writer.close()
    reading.join()
    dropped = sum(int(line.split()[0]) for line in found if line.endswith("log lines were dropped: nobody read them\n"))
    assert dropped + found.count(LINE + "\n") == 500


def test_the_last_lines_are_written_before_the_end(pipe):
    reader, writer = pipe
    handler = QueuedHandler(writer)
    logger_to(handler).warning("the last one")
    handler.close()
    handler.close()
    assert reader.readline() == "the last one\n"


def test_a_stream_that_is_gone_ends_the_writing_and_nothing_else(pipe):
    _, writer = pipe
    handler = QueuedHandler(writer)
    writer.close()
    logger = logger_to(handler)
    logger.warning("into nothing")
    handler._writer.join()
    logger.warning("and again")
    handler.close()
