"""The test exchange as a benchmark wants it: more instruments, and no limit to what may be asked.

A program of its own, started with the tests' folder on its path: `python -m bench.venue_exchange --port 0`.
"""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from typing import Any

COUNT = 50
LETTERS = "ABCDEFGHIJ"
NAMES = tuple(f"Q{first}{second}USDT" for first in LETTERS for second in LETTERS)[:COUNT]
PRICE = Decimal(100)
"""Of every instrument, until somebody moves it."""


def main() -> None:
    """Run the exchange until it is told to stop."""
    symbols, routing = import_module("exchange.symbols"), import_module("exchange.routing")
    for name in NAMES:
        base = name.removesuffix("USDT")
        symbols.LINEAR_SYMBOLS[name] = symbols.linear_rules(name, base, "0.01", "0.001", "5")
        symbols.SPOT_SYMBOLS[name] = symbols.spot_rules(name, base, "USDT", "0.01", "0.0001", "5")
    routing.Limits.count = _count_nothing
    routing.Limits.headers = _tell_nothing
    import_module("exchange.__main__").main()


def _count_nothing(*_call: Any, **_order: Any) -> None:
    """No call is one too many."""


def _tell_nothing(*_call: Any) -> dict[str, str]:
    return {}


if __name__ == "__main__":
    main()
