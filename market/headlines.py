"""Dated texts from a file, told no earlier than they could have been known."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.errors import InvalidInput
from domain.identity import digest
from domain.records import NewsItem


class Headlines:
    """Texts in the order in which they were received."""

    __slots__ = ("_items", "_received")

    def __init__(self, items: Iterable[NewsItem]) -> None:
        self._items = tuple(sorted(items, key=lambda item: (item.received_at, item.news_id)))
        self._received = [item.received_at for item in self._items]

    def __len__(self) -> int:
        return len(self._items)

    def between(self, after: datetime, until: datetime) -> Sequence[NewsItem]:
        """Texts received in (after, until], oldest first."""
        return self._items[bisect_right(self._received, after) : bisect_right(self._received, until)]


def read_headlines(path: Path) -> tuple[Headlines, int]:
    """The texts of a JSON-lines file with `timestamp`, `headline` and, if known, `precision`, `publisher`, `author`;
    and how many lines were rejected because they are not that.

    A text whose `precision` is `day`, or whose timestamp is a bare date, counts as received at the end of that day
    (UTC): when during the day it came is not known. Raises `InvalidInput` when no line can be used.
    """
    items: dict[str, NewsItem] = {}
    rejected = 0
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read as lines of JSON: {error}") from error
    for line in lines:
        if line.strip():
            item = _item(line, path.name)
            if item is None:
                rejected += 1
            else:
                items.setdefault(item.news_id, item)
    if not items:
        raise InvalidInput(f"{path.name} holds no line of JSON with a timestamp and a headline")
    return Headlines(items.values()), rejected


def _item(line: str, source: str) -> NewsItem | None:
    try:
        row: Any = json.loads(line)
        stamp, text = str(row["timestamp"]), str(row["headline"]).strip()
        published = datetime.fromisoformat(stamp)
    except (ValueError, KeyError, TypeError):
        return None
    if not text:
        return None
    published = published.replace(tzinfo=UTC) if published.tzinfo is None else published.astimezone(UTC)
    whole_day = row.get("precision") == "day" or len(stamp) <= len("2020-01-01")
    received = end_of_day(published) if whole_day else published
    publisher = str(row.get("publisher") or "unknown")
    author = row.get("author")
    return NewsItem(
        news_id=digest("news", source, published.isoformat(), publisher, text),
        received_at=received,
        published_at=published,
        source=f"file:{source}",
        publisher=publisher,
        author=None if author is None else str(author),
        text=text,
        social=bool(row.get("social", False)),
    )


def end_of_day(moment: datetime) -> datetime:
    """The midnight UTC that ends the day of `moment`."""
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(days=1)
