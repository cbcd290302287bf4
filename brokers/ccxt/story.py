"""What the venue said, told as facts: each order is accepted first, executed next, and ends last.

Everything here runs inside one transaction of the log (`Log.writing`) and asks the venue nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.ccxt.log import Asset, Log
from brokers.ccxt.records import AskedCancel, CancelStanding, KnownOrder, Standing, order_met
from brokers.ccxt.translate import PricedTrade, cash_of, priced
from brokers.protocol import BrokerEvent, EventKind
from domain.clock import Clock
from domain.identity import ORDER_PREFIX
from domain.instruments import Instrument
from domain.numbers import ZERO
from domain.orders import Fill, OrderState
from domain.records import CashEvent
from venues.link import Abilities
from venues.records import MarketKind, Payment, VenueMarket, VenueOrder, VenueTrade

PAID_ELSEWHERE = "paid_elsewhere"
"""Fees charged in account currency that never left the account in it."""
FOUNDED_AT = "founded_at"
"""Venue time of the latest founding: what happened before is in the baseline."""

_ENDS = {
    OrderState.CANCELLED: EventKind.CANCELLED,
    OrderState.EXPIRED: EventKind.EXPIRED,
    OrderState.REJECTED: EventKind.REJECTED,
}


def is_ours(order: VenueOrder) -> bool:
    """Whether an order carries an id of ours: ownership is nothing but the prefix."""
    return order.client_order_id is not None and order.client_order_id.startswith(ORDER_PREFIX)


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """The teller of one account's facts."""

    log: Log
    account: str
    instruments: Mapping[str, Instrument]
    markets: Mapping[str, VenueMarket]
    abilities: Abilities
    clock: Clock

    def met(self, order: VenueOrder) -> KnownOrder | None:
        """The venue says that it has `order`: accepted, if that is not told; None for one that is not ours.

        An order whose end is told stays ended: a list may be stale.
        """
        if not is_ours(order) or order.client_order_id is None or order.symbol not in self.instruments:
            return None
        before = self.log.order(order.client_order_id)
        if before is not None and before.standing is Standing.ENDED:
            return before
        known = (before or order_met(order, order.client_order_id)).seen(order)
        if order.state is not OrderState.REJECTED:
            known = self._accepted(known)
        if known != before:
            self.log.put_order(known)
        return known

    def refused(self, order: KnownOrder, reason: str) -> None:
        """The venue's definite no to a new order."""
        ended = replace(order, standing=Standing.ENDED, end=OrderState.REJECTED)
        self.log.put_order(ended)
        self._tell(EventKind.REJECTED, ended, reason=reason)

    def executed(self, order: KnownOrder, trade: VenueTrade) -> KnownOrder:
        """One execution of `order` that was not told."""
        known = self._accepted(replace(order, venue_order_id=order.venue_order_id or trade.venue_order_id))
        told = priced(trade, known, self.instruments[trade.symbol], self.markets[trade.symbol], self.abilities)
        known = replace(known, filled=known.filled + trade.quantity)
        self._tell(EventKind.FILLED, known, at=trade.at, reason=told.note, fill=told.fill)
        if known.filled >= known.quantity:
            known = replace(known, standing=Standing.ENDED, end=OrderState.FILLED)
        self.log.put_order(known)
        self.log.put_trade(trade, known.client_order_id)
        self._settle(told)
        return known

    def settle(self) -> None:
        """Tell the ends that follow from what was heard, and what became of cancels."""
        for order in self.log.open_orders():
            if order.is_ending and order.seen_filled == order.filled and order.seen_state in _ENDS:
                self._end(order, order.seen_state)
        for cancel in self.log.untold_cancels():
            if cancel.standing is not CancelStanding.ASKED:
                self._answer(cancel, self.log.order(cancel.target_id))

    @property
    def is_settled(self) -> bool:
        """Whether `settle` has nothing to tell."""
        ending = any(
            order.is_ending and order.seen_filled == order.filled and order.seen_state in _ENDS
            for order in self.log.open_orders()
        )
        return not ending and all(each.standing is CancelStanding.ASKED for each in self.log.untold_cancels())

    def too_late(self, cancel: AskedCancel, order: KnownOrder | None, reason: str) -> None:
        """A cancel that came to nothing."""
        self.log.put_cancel(replace(cancel, standing=CancelStanding.TOLD))
        self.log.tell(
            BrokerEvent(
                kind=EventKind.CANCEL_REJECTED,
                at=self.clock.now(),
                client_order_id=cancel.target_id,
                intent_id=cancel.intent_id,
                venue_order_id=None if order is None else order.venue_order_id,
                reason=reason,
            )
        )

    def paid(self, payment: Payment) -> None:
        """Money that the venue paid or charged."""
        self.log.put_payment(payment.payment_id)
        self.tell_cash(cash_of(payment, self.account))

    def tell_cash(self, cash: CashEvent) -> None:
        self.log.tell(BrokerEvent(kind=EventKind.CASH, at=cash.at, client_order_id=None, intent_id=None, cash=cash))

    def _accepted(self, order: KnownOrder) -> KnownOrder:
        if order.standing in (Standing.OPEN, Standing.ENDED):
            return order
        self._tell(EventKind.ACCEPTED, order)
        return replace(order, standing=Standing.OPEN)

    def _end(self, order: KnownOrder, state: OrderState) -> None:
        asked = next((each for each in self.log.untold_cancels() if _means(each, order)), None)
        if state is OrderState.REJECTED and order.filled > 0:
            state = OrderState.CANCELLED  # what was executed stands; only the rest was refused
        if state is OrderState.CANCELLED and order.expiring and asked is None:
            state = OrderState.EXPIRED
        self.log.put_order(replace(order, standing=Standing.ENDED, end=state))
        if state is OrderState.CANCELLED and asked is not None:
            self.log.put_cancel(replace(asked, standing=CancelStanding.TOLD))
            self._tell(_ENDS[state], order, intent_id=asked.intent_id, reason=asked.reason)
        else:
            why = "its time ran out" if order.expiring else order.seen_reason or "the venue ended it"
            self._tell(_ENDS[state], order, reason=why)

    def _answer(self, cancel: AskedCancel, order: KnownOrder | None) -> None:
        if order is None:
            self.too_late(cancel, None, "the venue knows no such order")
        elif order.standing is Standing.ENDED:
            self.too_late(cancel, order, f"the order is {order.end}")
        elif cancel.standing is CancelStanding.REFUSED and not (order.is_ending or order.is_behind):
            self.too_late(cancel, order, cancel.reason or "the venue has no such open order")

    def _settle(self, told: PricedTrade) -> None:
        """Move what the account is made of by one execution."""
        fill, log = told.fill, self.log
        net = fill.side.sign * fill.net
        log.put_net(fill.instrument, log.nets().get(fill.instrument, ZERO) + net)
        if told.charged:
            paid = Decimal(log.meta(PAID_ELSEWHERE) or 0) + told.charged
            log.put_meta([(PAID_ELSEWHERE, str(paid))])
        if self._was_before_us(fill.at):
            self._was_in_baseline(fill, net)
        elif told.asset is not None:
            asset = log.assets().get(told.asset, Asset())
            log.put_asset(told.asset, replace(asset, taken=asset.taken + told.taken))

    def _was_before_us(self, at: datetime) -> bool:
        founded = self.log.meta(FOUNDED_AT)
        return founded is not None and at < datetime.fromisoformat(founded)

    def _was_in_baseline(self, fill: Fill, net: Decimal) -> None:
        # What an earlier log told, or nobody did, was counted as not ours when this log was founded.
        if self.abilities.market is MarketKind.SPOT:
            base = self.instruments[fill.instrument].base
            asset = self.log.assets().get(base, Asset())
            self.log.put_asset(base, replace(asset, baseline=asset.baseline - net))

    def _tell(
        self,
        kind: EventKind,
        order: KnownOrder,
        *,
        at: datetime | None = None,
        intent_id: str | None = None,
        reason: str = "",
        fill: Fill | None = None,
    ) -> None:
        self.log.tell(
            BrokerEvent(
                kind=kind,
                at=at or self.clock.now(),
                client_order_id=order.client_order_id,
                intent_id=intent_id or order.client_order_id,
                venue_order_id=order.venue_order_id,
                fill=fill,
                reason=reason,
            )
        )


def _means(cancel: AskedCancel, order: KnownOrder) -> bool:
    return cancel.target_id == order.client_order_id and cancel.standing is not CancelStanding.REFUSED
