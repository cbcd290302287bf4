"""Whatever a venue tells, in whatever order and however often: the books hold, and the journal alone rebuilds them."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trading_rig import COIN
from trading_words import Teller

from brokers.protocol import BrokerEvent, EventKind
from domain.numbers import ZERO
from domain.orders import Action, Intent, Leg, Order, OrderState, Side
from domain.records import CashKind
from journal.engine import Durability
from journal.journal import Journal
from trading.books import Books, Changes
from trading.protection import Protection
from trading.recovery import restore_books
from trading_rig import instrument
from trading_words import WORDING

OTHER = "OTHERUSD"
PROTECTION = Protection(WORDING, {COIN: instrument(COIN), OTHER: instrument(OTHER)})


class Venue:
    """A venue that obeys its own rules, and tells of them as it pleases: late, twice, the acceptance last."""

    def __init__(self, data: st.DataObject, teller: Teller) -> None:
        self.data = data
        self.teller = teller
        self.resting: dict[str, Order] = {}
        self.left: dict[str, Decimal] = {}
        self.untold: list[BrokerEvent] = []
        self.told: list[BrokerEvent] = []
        self.asked: set[str] = set()
        self.fills = 0

    def choose(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    def take(self, intent: Intent) -> None:
        """An intent arrives."""
        self.asked.add(intent.client_order_id)
        if intent.action is Action.PLACE:
            order = self.teller.books.orders[intent.client_order_id]
            if self.choose(True, True, True, False):
                self.resting[intent.client_order_id] = order
                self.left[intent.client_order_id] = intent.quantity
                self.say(EventKind.ACCEPTED, intent.client_order_id)
            else:
                self.say(EventKind.REJECTED, intent.client_order_id)
            return
        target = intent.target_id or ""
        possible = target in self.resting and self.choose(True, True, False)
        if intent.action is Action.CANCEL:
            if possible:
                self.end(target)
            kind = EventKind.CANCELLED if possible else EventKind.CANCEL_REJECTED
        else:
            filled = self.teller_quantity(target) - self.left.get(target, ZERO)
            possible = possible and intent.quantity > filled
            if possible:
                self.left[target] = intent.quantity - filled
                self.total[target] = intent.quantity
            kind = EventKind.REPLACED if possible else EventKind.REPLACE_REJECTED
        self.say(kind, target, intent=intent)
