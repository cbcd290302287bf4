"""Reading what a venue answered: what is missing, empty where it may not be, or no number is never guessed.

Every function here raises `VenueUnavailable`: an answer that cannot be read whole says nothing, whatever part of it
can. Amounts are read from the text that the venue sent, never through a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from domain.clock import EPOCH
from domain.errors import InvalidRecord, VenueUnavailable
from domain.orders import OrderState, Side

Row = Mapping[str, object]
LATEST_MS = 32_503_680_000_000
"""The year 3000: what is later is no time of ours."""
LONGEST_SHOWN = 60


@contextmanager
def whole(what: str) -> Iterator[None]:
    """Turn a record that may not exist into an answer that cannot be believed."""
    unfit: InvalidRecord | None = None
    try:
        yield
    except InvalidRecord as error:
        unfit = error
    if unfit is not None:
        raise VenueUnavailable(f"{what} cannot be believed: {unfit}") from None


def row_of(answer: object, what: str) -> Row:
    """An answer that must be an object with something in it."""
    if not isinstance(answer, Mapping) or not answer:
        raise VenueUnavailable(f"{what} is not an object: {_shown(answer)}")
    return answer


def rows_of(answer: object, what: str) -> Sequence[Row]:
    """An answer that must be a list of objects; it may be empty."""
    if not isinstance(answer, list):
        raise VenueUnavailable(f"{what} is not a list: {_shown(answer)}")
    return tuple(row_of(row, f"a row of {what}") for row in answer)


def inner(row: Row, field: str) -> object:
    """What lies in `field`, which must be there."""
    if row.get(field) is None:
        raise VenueUnavailable(f"the field {field} is missing in an answer with {', '.join(sorted(map(str, row)))}")
    return row[field]


def text(row: Row, field: str) -> str:
    """A text that may not be empty; ids that are whole numbers are texts too."""
    value = inner(row, field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise VenueUnavailable(f"the field {field} is {_shown(value)}, not a text")
    return str(value)


def optional_text(row: Row, field: str) -> str | None:
    """A text, or None where the venue left it out or empty."""
    return None if row.get(field) in (None, "") else text(row, field)


def amount(row: Row, field: str) -> Decimal:
    """An exact number."""
    value = inner(row, field)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise VenueUnavailable(f"the field {field} is {_shown(value)}, not a number in text")
    return decimal(value, field)


def optional_amount(row: Row, field: str) -> Decimal | None:
    """An exact number, or None where the venue left it out or empty."""
    return None if row.get(field) in (None, "") else amount(row, field)


def decimal(value: object, field: str) -> Decimal:
    """`value` as an exact number without needless zeros, so that one number has one form."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise VenueUnavailable(f"the field {field} is {_shown(value)}, not a number")
    return Decimal(plain(number))


def flag(row: Row, field: str) -> bool:
    """True or false, also where the venue words them; absent is false."""
    value = row.get(field)
    if value is None or value in ("", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise VenueUnavailable(f"the field {field} is {_shown(value)}, neither true nor false")


def moment(row: Row, *fields: str) -> datetime:
    """The first of `fields` that holds a time in milliseconds above 0, aware UTC."""
    for field in fields:
        value = row.get(field)
        if value in (None, "", 0, "0"):
            continue
        return from_ms(amount(row, field), field)
    raise VenueUnavailable(f"an answer without a time: none of {', '.join(fields)}")


def from_ms(value: Decimal, field: str = "time") -> datetime:
    """Milliseconds since 1970 UTC as an aware time, to the millisecond."""
    if not 0 < value < LATEST_MS:
        raise VenueUnavailable(f"the field {field} is {value}, no time in milliseconds")
    return EPOCH + timedelta(milliseconds=int(value))


def to_ms(when: datetime) -> int:
    """An aware time as whole milliseconds since 1970 UTC (fractions are cut off)."""
    return (when - EPOCH) // timedelta(milliseconds=1)


def side(row: Row, field: str = "side") -> Side:
    word = text(row, field).lower()
    if word not in (Side.BUY, Side.SELL):
        raise VenueUnavailable(f"the field {field} is {_shown(word)}, neither buy nor sell")
    return Side(word)


def state(row: Row, field: str, words: Mapping[str, OrderState]) -> OrderState:
    """The order's state; a word that is not in `words` is not guessed at."""
    word = text(row, field)
    if word not in words:
        raise VenueUnavailable(f"the order's state {_shown(word)} is not one of {', '.join(sorted(words))}")
    return words[word]


def plain(value: Decimal) -> str:
    """A number for the wire: no exponent, no needless zeros."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "..."
