"""How well the equity covers the margin that open positions need."""

from __future__ import annotations

from decimal import Decimal

from domain.numbers import ZERO
from risk.accounts import Holding
from risk.events import MarginMarked
from risk.snapshot import Snapshot


def margin_required(snapshot: Snapshot) -> Decimal:
    """The initial margin of all open positions at today's prices, in account currency; orders under way need none yet.

    The rules speak of the notional at opening. Today's is used: that is what providers bill, and all that is known of
    positions that somebody else opened. Where the account nets, what somebody else holds against ours leaves one
    position at the venue, and that one is billed.
    """
    held = [exposure for exposure in snapshot.exposures if not exposure.in_flight]
    if snapshot.account.holding is Holding.HEDGING:
        return sum((snapshot.margin_of(exposure) for exposure in held), ZERO)
    billed: dict[str, Decimal] = {}
    for exposure in held:
        symbol, margin = exposure.instrument.symbol, snapshot.margin_of(exposure)
        billed[symbol] = billed.get(symbol, ZERO) + exposure.side.sign * margin
    return sum((abs(margin) for margin in billed.values()), ZERO)


def margin_level(snapshot: Snapshot) -> Decimal | None:
    """Equity over the margin needed: 1 is just covered. None while nothing is open that needs any."""
    required = margin_required(snapshot)
    return None if required == 0 else snapshot.equity / required


def margin_mark(snapshot: Snapshot) -> MarginMarked | None:
    """What the breakers are to be told of the margin; None where the account's rules know no close-out."""
    close_out = snapshot.account.margin_close_out
    if close_out is None:
        return None
    return MarginMarked(
        at=snapshot.now, equity=snapshot.equity, required=margin_required(snapshot), close_out=close_out
    )
