"""Names that are computed, never drawn: the same cause gives the same id on every run."""

from __future__ import annotations

import hashlib

ORDER_PREFIX = "rt"


def digest(*parts: object, length: int = 20) -> str:
    """A hexadecimal name for the texts of `parts`, in order; where one ends and the next begins is part of it."""
    texts = [str(part) for part in parts]
    text = "".join(f"{len(each)}:{each}" for each in texts)
    return hashlib.blake2b(text.encode(), digest_size=(length + 1) // 2).hexdigest()[:length]


def client_order_id(account: str, cause_kind: str, cause_id: str, leg: str, attempt: int) -> str:
    """Our id for one order: at most 36 characters, [a-z0-9], starting with the owner's prefix.

    The same cause always names the same order, so an order that was asked for twice is one order.
    """
    return ORDER_PREFIX + digest(account, cause_kind, cause_id, leg, attempt, length=26)
