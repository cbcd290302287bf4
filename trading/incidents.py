"""What should not have happened between the venue and the books, as records."""

from __future__ import annotations

from datetime import datetime

from brokers.protocol import BrokerEvent
from domain.identity import digest
from domain.orders import Intent, Order
from domain.records import Incident

CHANGE_REFUSED = "change_refused"
LATE_ORDER = "late_order"
FOREIGN_ORDER = "foreign_order"


def foreign_order(event: BrokerEvent) -> Incident:
    """The venue tells of an order that nobody here meant."""
    told = f"the venue told of order {event.client_order_id}, which is not ours ({event.kind})"
    return _told(event, FOREIGN_ORDER, None, told)


def late_order(event: BrokerEvent, order: Order) -> Incident:
    """The venue tells of an order after it had none of this id."""
    told = f"the venue told of order {order.client_order_id} after having had no such order ({event.kind})"
    return _told(event, LATE_ORDER, order.intent.instrument, told)


def change_refused(intent: Intent, order: Order, at: datetime, reason: str) -> Incident:
    """A replacement or a cancel that an open order did not get."""
    return Incident(
        incident_id=refusal_id(intent.client_order_id),
        at=at,
        kind=CHANGE_REFUSED,
        instrument=intent.instrument,
        detail=f"the {intent.action} of order {order.client_order_id} came to nothing: {reason}",
    )


def refusal_id(change_id: str) -> str:
    """The name of the incident that a refused replacement or cancel leaves behind."""
    return digest("refused", change_id)


def _told(event: BrokerEvent, kind: str, instrument: str | None, detail: str) -> Incident:
    name = digest("incident", event.kind, event.client_order_id, event.at.isoformat())
    return Incident(incident_id=name, at=event.at, kind=kind, instrument=instrument, detail=detail)
