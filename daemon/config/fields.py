"""The kinds of values a configuration holds, and how text becomes them."""

from __future__ import annotations

from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    """One table of the configuration: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: object, info: ValidationInfo) -> object:
        # A validator on the type itself would hide the field's bounds from the schema that faults are told from.
        annotation = cls.model_fields[str(info.field_name)].annotation
        takes_decimal = annotation is Decimal or Decimal in get_args(annotation)
        return exact_decimal(value) if takes_decimal else value


def exact_decimal(value: object) -> object:
    """Whole numbers, decimal text and floats (by their shortest decimal) as Decimal; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


def _time_of_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return time.fromisoformat(value)
    except ValueError:
        return value


UtcTime = Annotated[time, BeforeValidator(_time_of_day)]
"""A time of day, UTC."""
FilePath = Annotated[Path, Field(strict=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Symbol = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$", description="a name such as EURUSD or BHP.AX")
]
Currency = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2,9}$", description="a currency such as USD")]
Port = Annotated[int, Field(ge=0, le=65_535)]
