"""How single values are written: one canonical form each, so that equal values are equal text on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from domain.clock import EPOCH
from domain.errors import InvalidRecord

if TYPE_CHECKING:
    from sqlalchemy import Row

_sorted_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_ordered_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

Scalar = str | int | float | bool | None
RowValues = tuple[Scalar, ...]
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


def micros(moment: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC."""
    if moment.tzinfo is None:
        raise InvalidRecord(f"{moment.isoformat()} has no zone; times are aware UTC")
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def micros_or_null(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def moment(stored: int) -> datetime:
    return EPOCH + timedelta(microseconds=stored)


def moment_or_none(stored: int | None) -> datetime | None:
    return None if stored is None else moment(stored)


def decimal_text(value: Decimal) -> str:
    """Plain digits without an exponent or trailing zeros, so that 1, 1.0 and 1E+0 are one text; exact."""
    if not value.is_finite():
        raise InvalidRecord(f"{value} is not an amount")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decimal_or_null(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


def decimal_or_none(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)


def free_text(value: str) -> str:
    """Text from outside, storable anywhere: lone surrogates and NUL become the replacement character."""
    if value.isascii() and "\0" not in value:
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def free_text_or_null(value: str | None) -> str | None:
    return None if value is None else free_text(value)


def json_text(value: object) -> str:
    """JSON with sorted keys; raises `InvalidRecord` for NaN, infinities and what JSON has no form for."""
    return _encoded(_sorted_json, value)


def features_text(values: Mapping[str, float | None]) -> str:
    """JSON that keeps the order of the features: a model that sums over them gives the same bits when read back."""
    return _encoded(_ordered_json, dict(values))


def _encoded(encode: Any, value: object) -> str:
    try:
        text: str = encode(value)
    except (TypeError, ValueError) as error:
        raise InvalidRecord(f"{value!r} cannot be written as JSON: {error}") from error
    return text


def parsed(text: str) -> Any:
    return json.loads(text)
