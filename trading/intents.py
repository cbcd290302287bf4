"""How intents are worded: ids from causes, approvals attached, one function a leg."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.decisions import Decision, ExitCause
from domain.identity import client_order_id, digest
from domain.orders import Action, Approval, CauseKind, Intent, Leg, Order, OrderKind, Side, TimeInForce
from risk.gate import approve_reduction
from risk.limits import Limits

_LEAVING = "leaving: "

LEAVE = timedelta(minutes=1)
"""How long an approval stays fresh: long enough for one send and its look-up, too short to be forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """What all intents of one account share."""

    account: str
    limits: Limits

    def entry(self, decision: Decision, approval: Approval, *, expires_at: datetime) -> Intent:
        """The market order that enters what a decision proposed."""
        return Intent(
            client_order_id=client_order_id(
                self.account, CauseKind.DECISION, decision.decision_id, Leg.ENTRY, attempt=1
            ),
            account=self.account,
            instrument=decision.instrument,
            action=Action.PLACE,
            cause_kind=CauseKind.DECISION,
            cause_id=decision.decision_id,
            leg=Leg.ENTRY,
            attempt=1,
            side=decision.signal.side,
            kind=OrderKind.MARKET,
            quantity=decision.quantity,
            created_at=decision.decided_at,
            approval=approval,
            position_id=decision.decision_id,
            time_in_force=TimeInForce.GTD,
            expires_at=expires_at,
        )

    def protective(
        self,
        trade_id: str,
        instrument: str,
        leg: Leg,
        *,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        attempt: int,
        now: datetime,
    ) -> Intent:
        """A resting stop or target for a position; the two of one trade cancel each other."""
        is_stop = leg is Leg.STOP
        return Intent(
            client_order_id=client_order_id(self.account, CauseKind.POSITION, trade_id, leg, attempt),
            account=self.account,
            instrument=instrument,
            action=Action.PLACE,
            cause_kind=CauseKind.POSITION,
            cause_id=trade_id,
            leg=leg,
            attempt=attempt,
            side=side,
            kind=OrderKind.STOP if is_stop else OrderKind.LIMIT,
            quantity=quantity,
            created_at=now,
            approval=self._reduction(instrument, side, quantity, now),
            position_id=trade_id,
            stop_price=price if is_stop else None,
            limit_price=None if is_stop else price,
            reduce_only=True,
            oco_group=digest("oco", self.account, trade_id),
        )

    def close(
        self, trade_id: str, instrument: str, *, side: Side, quantity: Decimal, attempt: int, now: datetime, reason: str
    ) -> Intent:
        """A market order that closes a position for the exit cause named in `reason`."""
        return Intent(
            client_order_id=client_order_id(self.account, CauseKind.POSITION, trade_id, Leg.CLOSE, attempt),
            account=self.account,
            instrument=instrument,
            action=Action.PLACE,
            cause_kind=CauseKind.POSITION,
            cause_id=trade_id,
            leg=Leg.CLOSE,
            attempt=attempt,
            side=side,
            kind=OrderKind.MARKET,
            quantity=quantity,
            created_at=now,
            approval=self._reduction(instrument, side, quantity, now),
            position_id=trade_id,
            reduce_only=True,
            oco_group=digest("oco", self.account, trade_id),
            reason=reason,
        )

    def replace(
        self, order: Order, *, quantity: Decimal, price: Decimal, attempt: int, now: datetime, reason: str
    ) -> Intent:
        """A new quantity or price for a resting protective order; `attempt` counts on within the leg."""
        old = order.intent
        is_stop = old.kind is OrderKind.STOP
        return Intent(
            client_order_id=client_order_id(self.account, old.cause_kind, old.cause_id, old.leg, attempt),
            account=self.account,
            instrument=old.instrument,
            action=Action.REPLACE,
            cause_kind=old.cause_kind,
            cause_id=old.cause_id,
            leg=old.leg,
            attempt=attempt,
            side=old.side,
            kind=old.kind,
            quantity=quantity,
            created_at=now,
            approval=self._reduction(old.instrument, old.side, quantity, now),
            position_id=old.position_id,
            stop_price=price if is_stop else None,
            limit_price=None if is_stop else price,
            reduce_only=True,
            oco_group=old.oco_group,
            target_id=order.client_order_id,
            reason=reason,
        )

    def cancel(self, order: Order, *, attempt: int, now: datetime, reason: str) -> Intent:
        """Take a resting order back."""
        old = order.intent
        return Intent(
            client_order_id=client_order_id(self.account, old.cause_kind, old.cause_id, old.leg, attempt),
            account=self.account,
            instrument=old.instrument,
            action=Action.CANCEL,
            cause_kind=old.cause_kind,
            cause_id=old.cause_id,
            leg=old.leg,
            attempt=attempt,
            side=old.side,
            kind=OrderKind.MARKET,
            quantity=order.remaining,
            created_at=now,
            approval=self._reduction(old.instrument, old.side, order.remaining, now),
            position_id=old.position_id,
            reduce_only=True,
            target_id=order.client_order_id,
            reason=reason,
        )

    def _reduction(self, instrument: str, side: Side, quantity: Decimal, now: datetime) -> Approval:
        return approve_reduction(
            instrument=instrument, side=side, quantity=quantity, now=now, expires_at=now + LEAVE, limits=self.limits
        )


def leaving_reason(cause: ExitCause) -> str:
    """The reason of taking a stop back so that what it locks can be sold."""
    return _LEAVING + cause


def leaving_cause(intent: Intent) -> ExitCause | None:
    """Why the position is to be sold for which this intent takes a stop back; None for any other intent."""
    if intent.leg is not Leg.STOP or not intent.reason.startswith(_LEAVING):
        return None
    return ExitCause(intent.reason.removeprefix(_LEAVING))
