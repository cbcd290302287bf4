"""Decimal figures as short text, for the sentences and numbers that a person reads."""

from __future__ import annotations

from decimal import Context, Decimal

_SHOWN = Context(prec=8)


def figure(value: Decimal) -> str:
    """`value` at eight significant digits, written without an exponent and without trailing zeros."""
    return format(_SHOWN.plus(value).normalize(), "f")


def percent(fraction: Decimal) -> str:
    """A fraction as a percentage, such as 2.5%."""
    return f"{figure(fraction * 100)}%"
