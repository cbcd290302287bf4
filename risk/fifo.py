"""First in, first out: which lots an exit offsets, and whether it may offset the one it names.

NFA Compliance Rule 2-43(b): positions are offset against the oldest; on request a lot of the very size of the exit may
go first, if it is the oldest of that size. Exits are never denied for a limit. This tells how an exit must be worded
where the venue keeps lots apart; `rules.account.FirstInFirstOut` sees to it that there is one lot only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.clock import require_utc
from domain.errors import InvalidInput, InvalidRecord
from domain.numbers import ZERO, above_zero
from risk.denial import Denial
from risk.figures import figure

RULE = "NFA Compliance Rule 2-43(b)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """What one entry opened of an instrument and is still held, in base units."""

    lot_id: str
    opened_at: datetime
    quantity: Decimal

    def __post_init__(self) -> None:
        require_utc(self.opened_at, "opened_at")
        if not above_zero(self.quantity):
            raise InvalidRecord(f"lot {self.lot_id}: a quantity of {self.quantity} is not held")


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """How much of a lot an exit closes, in base units."""

    lot_id: str
    quantity: Decimal


def offsets(lots: Sequence[Lot], quantity: Decimal) -> tuple[Offset, ...]:
    """What an exit of `quantity` closes of one instrument's lots: the oldest lot of just that size, else the oldest.

    Raises `InvalidInput` for an exit of nothing or of more than is held.
    """
    held = sum((lot.quantity for lot in lots), ZERO)
    if not (above_zero(quantity) and quantity <= held):
        raise InvalidInput(f"an exit of {quantity} from lots of {held}: it must be above 0 and at most what is held")
    aged = _by_age(lots)
    for lot in aged:
        if lot.quantity == quantity:
            return (Offset(lot_id=lot.lot_id, quantity=quantity),)
    found: list[Offset] = []
    for lot in aged:
        part = min(lot.quantity, quantity)
        found.append(Offset(lot_id=lot.lot_id, quantity=part))
        quantity -= part
        if quantity == 0:
            break
    return tuple(found)


def breach(lots: Sequence[Lot], lot_id: str, quantity: Decimal) -> Denial | None:
    """Why an exit of `quantity` may not close the lot it names; None when it may.

    Raises `InvalidInput` for a lot that is not held or holds less.
    """
    named = next((lot for lot in lots if lot.lot_id == lot_id), None)
    if named is None or not (above_zero(quantity) and quantity <= named.quantity):
        raise InvalidInput(
            f"an exit of {quantity} from lot {lot_id}, which holds {named.quantity if named else 'nothing'}"
        )
    aged = _by_age(lots)
    same_size = next((lot for lot in aged if lot.quantity == quantity), None)
    if aged[0].lot_id == lot_id or (same_size is not None and same_size.lot_id == lot_id):
        return None
    first = same_size if named.quantity == quantity and same_size is not None else aged[0]
    return Denial(
        rule="fifo",
        reason="fifo",
        detail=f"{RULE}: lot {first.lot_id} of {first.opened_at.isoformat()} comes before lot {lot_id}",
        numbers={"quantity": figure(quantity), "lot": figure(named.quantity), "older": figure(first.quantity)},
    )


def _by_age(lots: Sequence[Lot]) -> list[Lot]:
    return sorted(lots, key=lambda lot: (lot.opened_at, lot.lot_id))
