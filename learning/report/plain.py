"""Records as strict JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from domain.errors import InvalidInput
from learning.judgement.interval import Interval


def plain(value: object) -> object:
    """`value` as JSON has it: records by their fields, intervals as [low, high], Decimals and times as text.

    A number that is not finite is None: JSON has only finite ones, and an infinite end of an interval is no bound.
    Raises `InvalidInput` for what has no such form.
    """
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Interval):
        return [plain(value.low), plain(value.high)]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise InvalidInput(f"a report cannot hold a {type(value).__name__}")
