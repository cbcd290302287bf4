"""What verbs print: one JSON document, or tables for people. Logs never come here; they go to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from daemon.logs import scrub

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 240
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; numbers stand on the right."""

    title: str
    number: bool = False


def plain(value: object) -> Any:
    """`value` as JSON values: records by their public fields, money and times as text, NaN as null."""
    if isinstance(value, Enum):
        label = getattr(value, "label", None)
        return label if isinstance(label, str) else value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.name[0] != "_"}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    return str(value) if isinstance(value, PurePath) else value


def in_words(value: object) -> str:
    """An answer for people: names and values in a row, without what is missing."""
    value = plain(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list):
        return "; ".join(in_words(item) for item in value) or "none"
    return str(value)


def print_json(document: object) -> None:
    """One JSON document and a newline on stdout."""
    sys.stdout.write(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_json_line(document: object) -> None:
    """One JSON document on a line of its own, for streams of many."""
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=False, allow_nan=False) + "\n")


def console() -> Console:
    """The console of stdout; wide where there is no terminal to wrap for."""
    from rich.console import Console as RichConsole  # noqa: PLC0415 - JSON output does not pay for it

    terminal = sys.stdout.isatty()
    return RichConsole(highlight=False, width=None if terminal else WIDTH_WITHOUT_TERMINAL, soft_wrap=not terminal)


def print_table(title: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """A table with its title; a sentence when it has no rows."""
    from rich.table import Table  # noqa: PLC0415 - JSON output does not pay for it
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.number else "left", no_wrap=column.number)
    for row in rows:
        table.add_row(*(Text(scrub(cell)) for cell in row))
    shown = console()
    if table.row_count:
        shown.print(table)
    else:
        shown.print(Text(f"{title}: none"))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the values below each other. Plain: the quickest verbs print only this."""
    pairs = list(facts)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        sys.stdout.write(scrub(f"{name:<{width}}  {value}".rstrip()) + "\n")


def moment(at: datetime | None) -> str:
    """A time for people, to the minute, UTC."""
    return NOTHING if at is None else at.strftime("%Y-%m-%d %H:%MZ")


def decimal_text(value: Decimal | None) -> str:
    """A Decimal in full, without trailing zeros or exponents."""
    if value is None:
        return NOTHING
    return format(value.normalize() if value else Decimal(0), "f")


def amount(value: Decimal | None, digits: int = 2) -> str:
    """Money for people: grouped thousands, rounded."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def figure(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A score or ratio for people."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def price(value: float | Decimal | None) -> str:
    """A price at six significant digits, never in powers of ten."""
    if value is None:
        return NOTHING
    number = float(value)
    digits = 5 - math.floor(math.log10(abs(number))) if number else 2
    return f"{number:.{max(0, min(10, digits))}f}"


def percent(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{100 * value:.{digits}f}%"
