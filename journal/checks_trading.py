"""Checks of orders, fills, positions and decisions against each other. Each gives its faults, in sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from domain.decisions import DecisionStatus, OutcomeKind, SampleSource
from domain.instruments import Timeframe
from domain.numbers import ZERO
from domain.orders import Action, CauseKind, Leg
from journal import schema
from journal.codec import moment
from journal.evidence import Evidence

_SUMMED = (
    "side", "instrument", "quantity", "entered", "entry_price", "exited", "exit_price", "realized", "fees", "dust",
)  # fmt: skip


def positions_are_sums_of_fills(evidence: Evidence) -> list[str]:
    folded = evidence.folded
    faults = list(folded.faults)
    stored = {position.position_id: position for position in evidence.read.positions()}
    for position_id in sorted(stored.keys() | folded.positions.keys()):
        kept, summed = stored.get(position_id), folded.positions.get(position_id)
        if kept is None or summed is None:
            faults.append(f"position {position_id} has {'no row' if kept is None else 'no fills'}")
            continue
        if kept.dust and kept.dust <= abs(summed.quantity):
            # What was left behind is no longer held; the fills alone do not say that it was.
            rest = summed.side.sign * kept.dust
            summed = replace(summed, quantity=summed.quantity - rest, dust=kept.dust)
        faults += [
            f"position {position_id}: {name} is {getattr(kept, name)}, its fills say {getattr(summed, name)}"
            for name in _SUMMED
            if getattr(kept, name) != getattr(summed, name)
        ]
    return faults


def one_open_position_per_instrument(evidence: Evidence) -> list[str]:
    faults = []
    open_now: dict[tuple[str, str], set[str]] = {}
    names = ("account", "instrument", "position_id", "quantity")
    for account, instrument, position_id, quantity in evidence.columns(schema.positions, *names):
        ids = open_now.setdefault((account, instrument), set())
        if Decimal(quantity) == 0:
            ids.discard(position_id)
        else:
            ids.add(position_id)
            if len(ids) > 1:
                faults.append(f"{instrument} had the positions {', '.join(sorted(ids))} open at once")
    return faults


def orders_are_filled_by_their_fills(evidence: Evidence) -> list[str]:
    filled: dict[str, Decimal] = {}
    for fill in evidence.fills:
        filled[fill.client_order_id] = filled.get(fill.client_order_id, ZERO) + fill.quantity
    faults = []
    for client_order_id, order in evidence.orders.items():
        total = filled.get(client_order_id, ZERO)
        if order.filled != total:
            faults.append(f"order {client_order_id} says {order.filled} filled, its fills {total}")
        if total > order.intent.quantity:
            faults.append(f"order {client_order_id}: {total} filled of {order.intent.quantity} ordered")
    return faults


def fills_have_intents(evidence: Evidence) -> list[str]:
    placed = {key for key, intent in evidence.intents.items() if intent.action is Action.PLACE}
    return [
        f"fill {fill.trade_id} is of order {fill.client_order_id}, which nobody intended"
        for fill in evidence.fills
        if fill.client_order_id not in placed
    ]


def placed_intents_have_orders(evidence: Evidence) -> list[str]:
    return [
        f"intent {client_order_id} has no order"
        for client_order_id, intent in evidence.intents.items()
        if intent.action is Action.PLACE and client_order_id not in evidence.orders
    ]


def ordered_decisions_have_entries(evidence: Evidence) -> list[str]:
    entered = {
        intent.cause_id
        for intent in evidence.intents.values()
        if intent.cause_kind is CauseKind.DECISION and intent.leg is Leg.ENTRY and intent.action is Action.PLACE
    }
    return [
        f"decision {decision_id} was ordered, but has no entry intent"
        for decision_id, status in evidence.columns(schema.decisions, "decision_id", "status")
        if status == DecisionStatus.ORDERED.value and decision_id not in entered
    ]


def decisions_follow_the_close(evidence: Evidence) -> list[str]:
    names = ("decision_id", "timeframe", "bar_opened_at", "decided_at")
    return [
        f"decision {decision_id} was taken at {moment(decided_at).isoformat()}, before its bar closed"
        for decision_id, timeframe, bar_opened_at, decided_at in evidence.columns(schema.decisions, *names)
        if moment(decided_at) < moment(bar_opened_at) + Timeframe(timeframe).span
    ]


def identities_are_unique(evidence: Evidence) -> list[str]:
    faults = []
    for table, names in (
        (schema.intents, ("client_order_id",)),
        (schema.orders, ("client_order_id", "version")),
        (schema.fills, ("venue", "trade_id")),
        (schema.decisions, ("decision_id",)),
        (schema.decisions, ("account", "instrument", "timeframe", "bar_opened_at")),
        (schema.outcomes, ("decision_id", "kind")),
        (schema.samples, ("decision_id",)),
        (schema.models, ("model_id",)),
        (schema.model_events, ("event_id",)),
        (schema.predictions, ("decision_id", "model_id")),
        (schema.evaluations, ("evaluation_id",)),
        (schema.drift_events, ("event_id",)),
        (schema.cash_events, ("event_id",)),
    ):
        seen = Counter(tuple(row) for row in evidence.columns(table, *names))
        faults += [
            f"{table.name}: {dict(zip(names, key, strict=True))} is there {number} times"
            for key, number in seen.items()
            if number > 1
        ]
    return faults


def outcomes_have_decisions(evidence: Evidence) -> list[str]:
    decisions, outcomes = schema.decisions, schema.outcomes
    orphans = (
        select(outcomes.c.outcome_id, outcomes.c.decision_id)
        .outerjoin(decisions, decisions.c.decision_id == outcomes.c.decision_id)
        .where(decisions.c.row_id.is_(None))
        .order_by(outcomes.c.row_id)
    )
    return [f"outcome {row[0]} is of decision {row[1]}, which is not there" for row in evidence.rows(orphans)]


def samples_have_outcomes(evidence: Evidence) -> list[str]:
    """A real sample its real outcome and a shadow its shadow; samples from elsewhere have none here."""
    r_by_outcome = {
        (decision_id, kind): r_net
        for decision_id, kind, r_net in evidence.columns(schema.outcomes, "decision_id", "kind", "r_net")
    }
    kinds = {
        SampleSource.REAL.value: OutcomeKind.REAL.value,
        SampleSource.SHADOW.value: OutcomeKind.SHADOW.value,
    }
    decided = {row[0] for row in evidence.columns(schema.decisions, "decision_id")}
    faults = []
    for decision_id, source, r_net in evidence.columns(schema.samples, "decision_id", "source", "r_net"):
        if decision_id not in decided:
            faults.append(f"sample {decision_id} is of a decision that is not there")
        if source not in kinds:
            continue
        outcome_r = r_by_outcome.get((decision_id, kinds[source]))
        if outcome_r is None:
            faults.append(f"sample {decision_id} has no {kinds[source]} outcome")
        elif outcome_r != r_net:
            faults.append(f"sample {decision_id} has {r_net} R, its {kinds[source]} outcome {outcome_r} R")
    return faults
