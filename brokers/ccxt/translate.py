"""Between our records and the venue's, and between facts and the log's text, which keeps amounts and times exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.ccxt.records import KnownOrder
from brokers.protocol import BrokerEvent, EventKind, OrderReport
from domain.errors import Denied
from domain.instruments import Instrument
from domain.numbers import ZERO, money
from domain.orders import Fill, Intent, OrderKind, OrderState, Side, TimeInForce
from domain.records import CashEvent, CashKind
from venues.link import Abilities
from venues.records import MarketKind, OrderRequest, Payment, VenueMarket, VenueOrder, VenueTrade

FOREIGN = "foreign-"
"""What the name of an order that carries no client id begins with; none of ours does."""

_CASH_KINDS = {"funding": CashKind.FUNDING}


def request_of(intent: Intent, abilities: Abilities) -> OrderRequest:
    """The order as it is worded for the venue; raises `Denied` for what the venue cannot take.

    A market order executes at once, so its expiry is not told to the venue; that of a resting order the broker keeps.
    """
    at_once = intent.time_in_force is TimeInForce.IOC
    if intent.kind not in abilities.kinds:
        raise Denied(f"{intent.client_order_id}: {abilities.venue} takes no {intent.kind} order here")
    if at_once and intent.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
        raise Denied(f"{intent.client_order_id}: a {intent.kind} order waits; it cannot be immediate or cancel")
    return OrderRequest(
        client_order_id=intent.client_order_id,
        symbol=intent.instrument,
        side=intent.side,
        kind=intent.kind,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        reduce_only=intent.reduce_only and abilities.reduce_only,
        at_once=at_once and intent.kind is OrderKind.LIMIT,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedTrade:
    """A fill, and what its fee took elsewhere than the books see.

    `taken` is what left the account in `asset`, which is neither the account's currency nor part of `Fill.base_fee`;
    `charged` is what the fill charges for it in account currency, though none of that left the account.
    """

    fill: Fill
    asset: str | None = None
    taken: Decimal = ZERO
    charged: Decimal = ZERO
    note: str = ""


def priced(
    trade: VenueTrade, order: KnownOrder, instrument: Instrument, market: VenueMarket, abilities: Abilities
) -> PricedTrade:
    """The execution `trade` of `order` as a fill in account currency, which is the instrument's quote.

    A fee in the base is worth fee x price, to the last digit; one in a third asset has no price at hand and is charged
    as the venue's taker rate x notional. The trade id carries the order's: venues give both sides of a trade with
    oneself one number, and may begin to count anew after a wipe.
    """
    base_fee, asset, note = ZERO, None, ""
    if trade.fee == 0 or trade.fee_currency == instrument.quote:
        fee = trade.fee
    elif trade.fee_currency == instrument.base:
        fee = trade.fee * trade.price
        if trade.side is Side.BUY and trade.fee > 0 and abilities.market is MarketKind.SPOT:
            base_fee = trade.fee
        else:
            asset = trade.fee_currency
    else:
        fee, asset = money(market.taker_fee * trade.quantity * trade.price), trade.fee_currency
        note = f"the fee of {trade.fee} {asset} is charged as {fee} {instrument.quote}, the venue's taker rate"
    fill = Fill(
        venue=abilities.venue,
        trade_id=f"{trade.venue_order_id}:{trade.trade_id}",
        client_order_id=order.client_order_id,
        instrument=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        fee=fee,
        fx_rate=Decimal(1),
        at=trade.at,
        base_fee=base_fee,
    )
    if asset is None:
        return PricedTrade(fill=fill)
    return PricedTrade(fill=fill, asset=asset, taken=trade.fee, charged=fee, note=note)


def cash_of(payment: Payment, account: str) -> CashEvent:
    """Money that the venue paid or charged; what is no funding is money that was put in or taken out."""
    return CashEvent(
        event_id=f"payment-{account}-{payment.payment_id}",
        kind=_CASH_KINDS.get(payment.kind, CashKind.DEPOSIT),
        at=payment.at,
        amount=payment.amount,
        instrument=payment.symbol,
    )


def name_of(order: VenueOrder) -> str:
    """The name of an order in our reports: its client id, or for one without any a name that cannot be ours."""
    return order.client_order_id or f"{FOREIGN}{order.venue_order_id}"


def report_of(order: VenueOrder) -> OrderReport:
    return OrderReport(
        client_order_id=name_of(order),
        venue_order_id=order.venue_order_id,
        instrument=order.symbol,
        state=order.state,
        quantity=order.quantity,
        filled=order.filled,
    )


def report_of_ended(order: KnownOrder) -> OrderReport:
    """What the log holds of an order whose end is told."""
    return OrderReport(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id or "",
        instrument=order.symbol,
        state=order.end or OrderState.FILLED,
        quantity=order.quantity,
        filled=order.filled,
    )


def text_of(event: BrokerEvent) -> str:
    """A fact as one line of JSON; the same fact gives the same text."""
    values: dict[str, Any] = {
        "kind": event.kind.value,
        "at": event.at.isoformat(),
        "order": event.client_order_id,
        "intent": event.intent_id,
        "venue_order": event.venue_order_id,
        "reason": event.reason,
    }
    if event.fill is not None:
        values["fill"] = _fill_values(event.fill)
    if event.cash is not None:
        values["cash"] = _cash_values(event.cash)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def event_of(text: str) -> BrokerEvent:
    values = json.loads(text)
    return BrokerEvent(
        kind=EventKind(values["kind"]),
        at=datetime.fromisoformat(values["at"]),
        client_order_id=values["order"],
        intent_id=values["intent"],
        venue_order_id=values["venue_order"],
        reason=values["reason"],
        fill=_fill_of(values["fill"]) if "fill" in values else None,
        cash=_cash_of(values["cash"]) if "cash" in values else None,
    )


def _fill_values(fill: Fill) -> dict[str, str]:
    return {
        "venue": fill.venue,
        "trade": fill.trade_id,
        "order": fill.client_order_id,
        "instrument": fill.instrument,
        "side": fill.side.value,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "fee": str(fill.fee),
        "fx_rate": str(fill.fx_rate),
        "at": fill.at.isoformat(),
        "base_fee": str(fill.base_fee),
    }


def _fill_of(values: Mapping[str, str]) -> Fill:
    return Fill(
        venue=values["venue"],
        trade_id=values["trade"],
        client_order_id=values["order"],
        instrument=values["instrument"],
        side=Side(values["side"]),
        quantity=Decimal(values["quantity"]),
        price=Decimal(values["price"]),
        fee=Decimal(values["fee"]),
        fx_rate=Decimal(values["fx_rate"]),
        at=datetime.fromisoformat(values["at"]),
        base_fee=Decimal(values["base_fee"]),
    )


def _cash_values(cash: CashEvent) -> dict[str, str | None]:
    return {
        "event": cash.event_id,
        "kind": cash.kind.value,
        "at": cash.at.isoformat(),
        "amount": str(cash.amount),
        "instrument": cash.instrument,
    }


def _cash_of(values: Mapping[str, Any]) -> CashEvent:
    return CashEvent(
        event_id=values["event"],
        kind=CashKind(values["kind"]),
        at=datetime.fromisoformat(values["at"]),
        amount=Decimal(values["amount"]),
        instrument=values["instrument"],
    )
