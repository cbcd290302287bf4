"""What an execution costs beside its price: half the spread, slippage, the fee."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import InvalidRecord
from domain.orders import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class CostModel:
    """Costs of one instrument's executions, as fractions of the price (0.001 is 10 basis points).

    `slippage` is the expected adverse move between sending a market order (or triggering a stop) and its fill.
    """

    fee_rate: float
    slippage: float

    def __post_init__(self) -> None:
        if not (0 <= self.fee_rate < 0.1 and 0 <= self.slippage < 0.1):
            raise InvalidRecord(
                f"costs of {self.fee_rate} fee and {self.slippage} slippage are not fractions below 0.1"
            )


def market_price(side: Side, mid: float, half_spread: float, slippage: float) -> float:
    """The price a market order on `side` pays: across the spread, and slipped against it."""
    return (mid + side.sign * half_spread) * (1 + side.sign * slippage)


def slipped(closing: Side, price: float, slippage: float) -> float:
    """A touched stop's fill: `price` is already on the closing side's book; only slippage is added."""
    return price * (1 + closing.sign * slippage)


def net_r(
    side: Side, *, entry: float, exit_: float, risk_per_unit: float, fee_rate: float, swap_per_unit: float = 0.0
) -> float:
    """Net profit of a unit position in multiples of the risk taken at entry.

    R = (side x (exit - entry) - fee x (entry + exit) - swap) / |entry - initial stop|; entry and exit are
    execution prices, so spread and slippage are already in them. Prices and `risk_per_unit` in quote currency.
    """
    if risk_per_unit <= 0:
        raise InvalidRecord(f"a risk of {risk_per_unit} per unit gives no R multiple")
    gross = side.sign * (exit_ - entry)
    return (gross - fee_rate * (entry + exit_) - swap_per_unit) / risk_per_unit
