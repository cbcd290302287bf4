"""What happened in one run, line by line, with its virtual time; two runs of one seed have the same digest."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable

KEPT_LINES = 60


class Trace:
    """Keeps a digest of every line and the text of the last ones."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._hash = hashlib.blake2b(digest_size=16)
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self.whole: list[str] | None = None
        """Every line, where somebody wants them all."""
        self.counts: Counter[str] = Counter()

    def add(self, what: str, *parts: object) -> None:
        line = f"{self._now_s():14.6f} {what} {' '.join(map(str, parts))}"
        self._hash.update(line.encode())
        self.last.append(line)
        self.counts[what] += 1
        if self.whole is not None:
            self.whole.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
