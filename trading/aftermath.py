"""What follows when a trade or a shadow ends: outcome, sample, model update, risk state, all in one transaction.

Exactly once: an outcome is unique by decision and kind, a sample by decision, and the model's checkpoint commits
with the sample it learned from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from domain.clock import from_epoch, to_epoch
from domain.costs import CostModel, market_price
from domain.decisions import Decision, DecisionStatus, ExitCause, Outcome
from domain.numbers import ZERO, decimal_of
from domain.orders import Action, Fill, Intent, Leg, OrderKind
from domain.records import CashEvent
from journal.batch import Batch
from learning.filter import BLEND_KEY, Heard, SignalFilter
from learning.samples import sample_of
from learning.strategy_record import StrategyRecord
from risk.breakers import CashMoved, Filled, OrderRejected, OrderSent, TradeClosed
from trading.bars import Bars
from trading.books import Books
from trading.drift import DriftKeeper
from trading.observer import Observer
from trading.outcomes import real_outcome
from trading.risk_keeper import RiskKeeper
from trading.trades import Changes, Trade

MODEL_KEY = "online_model"
RECORD_KEY = "strategy_record"

SAME_MARKET = timedelta(minutes=1)
"""How long after a bar's open or close a fill may come and still be compared with that price: as long as an approval
lasts. Later fills (of a person's command, of a stop's successor, of the next session) say nothing about slippage."""


class Aftermath:
    """Turns ended trades and shadows into what is learned from them."""

    def __init__(
        self,
        *,
        books: Books,
        bars: Callable[[str], Bars],
        model: SignalFilter,
        drift: DriftKeeper,
        record: StrategyRecord,
        risk: RiskKeeper,
        costs: Mapping[str, CostModel],
        observer: Observer,
    ) -> None:
        self._books = books
        self._bars = bars
        self.model = model
        self.drift = drift
        self.record = record
        self._risk = risk
        self._costs = costs
        self._observer = observer
        self._never_filled: set[str] = set()
        self._early_shadows: dict[str, Outcome] = {}
        self._labelled: set[str] = set()

    def restore(
        self, never_filled: Iterable[str], early_shadows: Iterable[Outcome], labelled: Iterable[str] = ()
    ) -> None:
        """Take over from the journal which ordered decisions were never filled, which shadows ended first, and
        which open trades are labelled by their shadow already."""
        self._never_filled.update(never_filled)
        self._early_shadows.update({outcome.decision_id: outcome for outcome in early_shadows})
        self._labelled.update(labelled)

    def on_changes(self, changes: Changes) -> None:
        """React to what the venue told; everything goes into the same batch."""
        for cash in changes.withdrawn:
            self._deposit(cash, changes.batch)
        for order in changes.rejected:
            if order.intent.leg is Leg.ENTRY:
                self._risk.step(OrderRejected(at=order.updated_at, instrument=order.intent.instrument), changes.batch)
        for slipped in self._slipped(changes):
            self._risk.step(slipped, changes.batch)
        for decision in changes.unfilled:
            self._unfilled(decision, changes.batch)
        for decision in changes.revived:
            self._revived(decision)
        for trade in changes.closed:
            if not trade.spent:
                self._closed(trade, changes.batch)

    def _slipped(self, changes: Changes) -> Iterator[Filled]:
        """How far market orders were filled from the market: one figure an order, whatever slices it was filled in."""
        slices: dict[str, list[Fill]] = {}
        for fill, order in changes.fills:
            if order.intent.kind is OrderKind.MARKET:
                slices.setdefault(order.client_order_id, []).append(fill)
        for fills in slices.values():
            compared = [(fill.quantity, slip) for fill in fills if (slip := self._slippage(fill)) is not None]
            if compared:
                last, quantity = fills[-1], sum((each for each, _ in compared), ZERO)
                yield Filled(
                    at=last.at,
                    instrument=last.instrument,
                    slippage=sum((each * slip for each, slip in compared), ZERO) / quantity,
                    modelled=decimal_of(self._costs[last.instrument].slippage),
                )

    def _slippage(self, fill: Fill) -> Decimal | None:
        """How much worse the fill is than the market was, as a fraction of its price: the open of the bar it lies in,
        else the last close known. None where that price is too old: what the market did since is no slippage."""
        bars = self._bars(fill.instrument)
        index = max(0, bisect_right(bars.opened, to_epoch(fill.at)) - 1)
        closed = bars.opened[index] + bars.seconds
        within = to_epoch(fill.at) < closed
        mid, known = (bars.open[index], bars.opened[index]) if within else (bars.close[index], closed)
        if fill.at - from_epoch(known) > SAME_MARKET:
            return None
        expected = decimal_of(market_price(fill.side, mid, bars.half_spread[index], 0.0))
        return fill.side.sign * (fill.price - expected) / expected

    def _closed(self, trade: Trade, batch: Batch) -> None:
        """Write a trade's outcome and learn from it; of one that never could be sold its shadow tells more."""
        outcome = real_outcome(trade, self._bars(trade.decision.instrument))
        self._write(outcome, batch)
        if trade.trade_id in self._labelled:
            self._labelled.discard(trade.trade_id)
            self._early_shadows.pop(trade.trade_id, None)
        elif outcome.exit_cause is ExitCause.DUST:
            self._unfilled(trade.decision, batch)
        else:
            self._early_shadows.pop(trade.trade_id, None)
            self._learn(trade.decision, outcome, batch)
        if outcome.profit is not None:
            closed = TradeClosed(
                at=outcome.closed_at, instrument=outcome.instrument, profit=outcome.profit, r_net=outcome.r_net
            )
            self._risk.step(closed, batch)

    def heard(self, decision: Decision, heard: Heard, batch: Batch) -> None:
        """Write down what every model said of a decision: it is what they are judged by."""
        for prediction in heard.predictions(decision.decision_id, decision.decided_at):
            batch.add(prediction)
        self.model.remember(decision.decision_id, heard.said)

    def on_intent(self, intent: Intent, batch: Batch) -> None:
        """Count every message against the budgets; only a new entry counts as an execution."""
        entry = intent.leg is Leg.ENTRY and intent.action is Action.PLACE
        sent = OrderSent(
            at=intent.created_at,
            instrument=intent.instrument,
            side=intent.side,
            entry=entry,
            decision_id=intent.cause_id if entry else "",
        )
        self._risk.step(sent, batch)

    def shadow_ended(self, decision: Decision, outcome: Outcome, batch: Batch) -> None:
        """Write a shadow's outcome; it labels the decision unless a real trade does or still may."""
        self._write(outcome, batch)
        if decision.status is not DecisionStatus.ORDERED or decision.decision_id in self._never_filled:
            self._never_filled.discard(decision.decision_id)
            self._learn(decision, outcome, batch)
            return
        trade = self._books.trades.get(decision.instrument)
        if trade is not None and trade.trade_id == decision.decision_id:
            self._early_shadows[decision.decision_id] = outcome

    def _unfilled(self, decision: Decision, batch: Batch) -> None:
        shadow = self._early_shadows.pop(decision.decision_id, None)
        if shadow is None:
            self._never_filled.add(decision.decision_id)
        else:
            self._learn(decision, shadow, batch)

    def _revived(self, decision: Decision) -> None:
        """An entry that seemed to have ended without a fill has one: its trade labels it, unless its shadow did."""
        if decision.decision_id in self._never_filled:
            self._never_filled.discard(decision.decision_id)
        else:
            self._labelled.add(decision.decision_id)

    def _write(self, outcome: Outcome, batch: Batch) -> None:
        batch.add(outcome)
        self._observer.resolved(outcome)

    def _learn(self, decision: Decision, outcome: Outcome, batch: Batch) -> None:
        sample = sample_of(decision, outcome)
        batch.add(sample)
        spoken = self.model.spoken(decision.decision_id)
        updated = self.model.learn(sample, decision.ml)
        self.record.update(outcome)
        for event in self.drift.resolved(sample, spoken):
            batch.add(event)
            self._observer.drifted(event)
        batch.put_state(MODEL_KEY, self.model.snapshot())
        if self.model.blending:
            batch.put_state(BLEND_KEY, self.model.blend.checkpoint())
        batch.put_state(RECORD_KEY, self.record.snapshot())
        self._observer.learned(sample, updated)

    def _deposit(self, cash: CashEvent, batch: Batch) -> None:
        if not self._risk.started:
            self._risk.start(cash.amount, cash.at, batch)
            return
        self._risk.step(CashMoved(at=cash.at, amount=cash.amount), batch)
