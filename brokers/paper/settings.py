"""How kind the paper market is, and the only randomness it has: hashes of (seed, order id)."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal

from domain.errors import InvalidRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperSettings:
    """What the paper market does to an order beside its price.

    `slippage_bps` is the expected adverse move of market orders and stops, in basis points of the price; the
    actual one lies evenly in [0, 2) times that, per order. An order is live `latency_s` seconds after it was
    sent: with bars, any latency above 0 moves a market order from this open to the next. An order sent
    within `grace_s` seconds after a told moment counts as sent at it: a live feed tells a bar a little after it
    closed, and without grace every order would come one bar late. `max_participation` is
    the share of one bar's volume an order may take (bars without a volume set no limit). `reject_rate` is the
    share of placed orders refused for no reason of ours. `starting_cash` is in account currency and counts only
    when a ledger is born.
    """

    seed: int = 0
    slippage_bps: float = 1.0
    latency_s: float = 0.0
    grace_s: float = 0.0
    max_participation: float = 0.1
    reject_rate: float = 0.0
    starting_cash: Decimal = Decimal(10000)

    def __post_init__(self) -> None:
        if not 0 <= self.slippage_bps < 500:
            raise InvalidRecord(f"paper slippage_bps is {self.slippage_bps}; it must lie in [0, 500)")
        if not (self.latency_s >= 0 and math.isfinite(self.latency_s)):
            raise InvalidRecord(f"paper latency_s is {self.latency_s}; it must be 0 or more seconds")
        if not (self.grace_s >= 0 and math.isfinite(self.grace_s)):
            raise InvalidRecord(f"paper grace_s is {self.grace_s}; it must be 0 or more seconds")
        if not 0 < self.max_participation <= 1:
            raise InvalidRecord(f"paper max_participation is {self.max_participation}; it must lie in (0, 1]")
        if not 0 <= self.reject_rate <= 1:
            raise InvalidRecord(f"paper reject_rate is {self.reject_rate}; it must lie in [0, 1]")
        if not (self.starting_cash.is_finite() and self.starting_cash > 0):
            raise InvalidRecord(f"paper starting_cash is {self.starting_cash}; it must be above 0")

    def slippage_of(self, client_order_id: str) -> float:
        """The adverse move of this order, as a fraction of the price in [0, 2 x expected)."""
        return 2e-4 * self.slippage_bps * self._draw("slippage", client_order_id)

    def refuses(self, client_order_id: str) -> bool:
        """Whether this order is one of the `reject_rate` that the simulated venue refuses."""
        return self.reject_rate > 0 and self._draw("reject", client_order_id) < self.reject_rate

    def _draw(self, purpose: str, client_order_id: str) -> float:
        """An even number in [0, 1) that depends on nothing but seed, purpose and order id."""
        text = f"{self.seed}\x1f{purpose}\x1f{client_order_id}"
        number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        # 53 bits are what a float holds exactly, so 1.0 cannot come out.
        return float((number >> 11) / (1 << 53))
