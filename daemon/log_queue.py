"""Logs that nobody reads hold nobody up: lines wait in a bounded queue for a thread of their own, or are dropped."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from typing import Final, TextIO

LONGEST: Final = 1_000
"""Lines that wait at most; what comes beyond them is dropped and counted."""

LAST_LINES_WITHIN_S: Final = 1.0
"""How long the end of the program waits for the last lines."""


class QueuedHandler(logging.Handler):
    """Formats where the line is logged, writes elsewhere. Errors of the stream end the writing, not the program."""

    def __init__(self, stream: TextIO, longest: int = LONGEST) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(longest)
        self._dropped = 0
        self._writer = threading.Thread(target=self._write_all, name="logs", daemon=True)
        self._writer.start()
        atexit.register(self.close)

    @property
    def dropped(self) -> int:
        """Lines lost since the last one that was written."""
        return self._dropped

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError):
            self.handleError(record)
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Let the last lines be written, for a moment; closing twice is harmless."""
        if self._writer.is_alive():
            try:
                self._lines.put(None, timeout=LAST_LINES_WITHIN_S)
            except queue.Full:
                pass  # nobody reads: the lines are lost, the program ends all the same
            else:
                self._writer.join(LAST_LINES_WITHIN_S)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
            except (OSError, ValueError):
                return  # the stream is gone: from here on every line is one that was dropped

    def _write(self, line: str) -> None:
        lost, self._dropped = self._dropped, 0
        if lost:
            self._stream.write(f"{lost} log lines were dropped: nobody read them\n")
        self._stream.write(line + "\n")
        self._stream.flush()
