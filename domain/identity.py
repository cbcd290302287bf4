"""Names that are computed, never drawn: the same cause gives the same id on every run."""

from __future__ import annotations

import hashlib

ORDER_PREFIX = "rt"


def digest(*parts: object, length: int = 20) -> str:
    """A hexadecimal name for `parts`, in order; parts may not be confused with each other."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=(length + 1) // 2).hexdigest()[:length]


def client_order_id(account: str, cause_kind: str, cause_id: str, leg: str, attempt: int) -> str:
    """Our id for one order: at most 36 characters, [a-z0-9], starting with the owner's prefix.

    The same cause always names the same order, so an order that was asked for twice is one order.
    """
    return ORDER_PREFIX + digest(account, cause_kind, cause_id, leg, attempt, length=26)
