"""Shadows: every decision, ordered or not, is also followed as one virtual unit under the same exits and costs.

So the filter learns from what it did not let through, and a real trade can be compared with what the plan alone
would have given. A shadow is a pure fold over closed bars; after a restart it is folded again from its bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from domain.barriers import Barrier, Touch, first_touch, touch_at_open
from domain.clock import from_epoch
from domain.costs import CostModel, market_price, net_r, slipped
from domain.decisions import Decision, ExitCause, Outcome, OutcomeKind
from domain.identity import digest
from domain.instruments import Instrument
from domain.numbers import significant
from domain.orders import Side
from signals.exits import Close, ExitPolicy, ExitView, MoveStop, exit_step
from trading.bars import Bars
from trading.outcomes import sentiment_state

_DAY = 86_400


@dataclass(slots=True)
class _Shadow:
    decision: Decision
    side: Side
    decided_index: int
    met_index: int
    stop: float
    target: float
    risk: float
    entry: float = math.nan
    best: float = math.nan
    worst: float = math.nan
    held: int = 0
    trailed: bool = False
    pending: ExitCause | None = None


class ShadowBook:
    """Open shadows by instrument, stepped once for every closed bar."""

    def __init__(
        self,
        *,
        bars: Callable[[str], Bars],
        instruments: dict[str, Instrument],
        costs: Callable[[str], CostModel],
        policy: ExitPolicy,
    ) -> None:
        self._bars = bars
        self._instruments = instruments
        self._costs = costs
        self._policy = policy
        self._open: dict[str, list[_Shadow]] = {}

    def __len__(self) -> int:
        return sum(len(shadows) for shadows in self._open.values())

    def follow(self, decision: Decision, index: int) -> None:
        """Follow a decision taken on the closed bar at `index`; its entry is the open of the next bar."""
        signal = decision.signal
        self._open.setdefault(decision.instrument, []).append(
            _Shadow(
                decision=decision,
                side=signal.side,
                decided_index=index,
                met_index=index,
                stop=signal.stop_price,
                target=signal.target_price,
                risk=signal.risk_per_unit,
            )
        )

    def restore(self, decisions: Iterable[Decision], upto: Callable[[str], int]) -> list[Outcome]:
        """Fold unresolved decisions forward to the last processed bar (`upto` gives its index by symbol).

        Outcomes met on the way are returned; a journal that is whole has none, for they would be in it.
        """
        met: list[Outcome] = []
        for decision in decisions:
            bars = self._bars(decision.instrument)
            index = bars.index_of(decision.bar_opened_at)
            self.follow(decision, index)
            shadow = self._open[decision.instrument][-1]
            outcome = self._through(shadow, bars, upto(decision.instrument))
            if outcome is not None:
                self._open[decision.instrument].remove(shadow)
                met.append(outcome)
        return met

    def step(self, symbol: str, index: int) -> list[tuple[Decision, Outcome]]:
        """Follow the shadows of one instrument through its bar at `index`; those that ended are returned."""
        shadows = self._open.get(symbol)
        if not shadows:
            return []
        bars = self._bars(symbol)
        ended: list[tuple[Decision, Outcome]] = []
        staying: list[_Shadow] = []
        for shadow in shadows:
            # A live feed may tell a bar without the one before it, which came too late: the shadow met it all the same.
            outcome = self._through(shadow, bars, index)
            if outcome is None:
                staying.append(shadow)
            else:
                ended.append((shadow.decision, outcome))
        self._open[symbol] = staying
        return ended

    def finish(self, symbol: str, index: int) -> list[tuple[Decision, Outcome]]:
        """End every shadow of an instrument at the close of its last bar; those never entered just disappear."""
        shadows = self._open.pop(symbol, [])
        if not shadows:
            return []
        bars, costs = self._bars(symbol), self._costs(symbol)
        ended = []
        for shadow in shadows:
            if not math.isnan(shadow.entry):
                price = market_price(shadow.side.opposite, bars.close[index], bars.half_spread[index], costs.slippage)
                outcome = self._end(shadow, bars, index, price, ExitCause.END_OF_DATA, at_open=False)
                ended.append((shadow.decision, outcome))
        return ended

    def _through(self, shadow: _Shadow, bars: Bars, index: int) -> Outcome | None:
        """Follow one shadow through every bar after the last it met, up to `index`."""
        for each in range(shadow.met_index + 1, index + 1):
            shadow.met_index = each
            outcome = self._step(shadow, bars, each)
            if outcome is not None:
                return outcome
        return None

    def _step(self, shadow: _Shadow, bars: Bars, index: int) -> Outcome | None:
        if index <= shadow.decided_index:
            return None
        costs = self._costs(bars.symbol)
        spread = bars.half_spread[index]
        entering = math.isnan(shadow.entry)
        if entering:
            shadow.entry = market_price(shadow.side, bars.open[index], spread, costs.slippage)
            shadow.best = shadow.worst = shadow.entry
        elif shadow.pending is not None:
            # At the venue its stop and target still rest, and an open beyond one of them fills that first.
            gap = touch_at_open(shadow.side, shadow.stop, shadow.target, open_=bars.open[index], half_spread=spread)
            if gap is not None:
                return self._touched(shadow, bars, index, gap, costs, at_open=True)
            price = market_price(shadow.side.opposite, bars.open[index], spread, costs.slippage)
            return self._end(shadow, bars, index, price, shadow.pending, at_open=True)
        touch = first_touch(
            shadow.side,
            shadow.stop,
            shadow.target,
            open_=bars.open[index],
            high=bars.high[index],
            low=bars.low[index],
            half_spread=spread,
        )
        if touch is not None:
            # Entered beyond its own barrier it leaves at that open too, as a stop sent after the entry would.
            return self._touched(shadow, bars, index, touch, costs, at_open=touch.gapped and not entering)
        shadow.held += 1
        sign = shadow.side.sign
        high, low = bars.high[index], bars.low[index]
        top, bottom = (high, low) if sign > 0 else (low, high)
        shadow.best = top if (top - shadow.best) * sign > 0 else shadow.best
        shadow.worst = bottom if (bottom - shadow.worst) * sign < 0 else shadow.worst
        self._manage(shadow, bars, index)
        return None

    def _manage(self, shadow: _Shadow, bars: Bars, index: int) -> None:
        """What the exit policy says at the close of a bar; a close it orders fills at the next open."""
        view = ExitView(
            side=shadow.side,
            entry_price=shadow.entry,
            initial_stop=shadow.decision.signal.stop_price,
            stop=shadow.stop,
            target=shadow.target,
            bars_held=shadow.held,
            best_price=shadow.best,
        )
        action = exit_step(view, bars.table, index, self._policy, weekend_ahead=bars.weekend_ahead(index))
        if isinstance(action, MoveStop):
            shadow.stop = float(self._instruments[bars.symbol].price(action.price))
            shadow.trailed = True
        elif isinstance(action, Close):
            shadow.pending = action.cause

    def _touched(
        self, shadow: _Shadow, bars: Bars, index: int, touch: Touch, costs: CostModel, *, at_open: bool
    ) -> Outcome:
        if touch.barrier is Barrier.TARGET:
            return self._end(shadow, bars, index, touch.price, ExitCause.TARGET, at_open=at_open)
        cause = ExitCause.TRAILING_STOP if shadow.trailed else ExitCause.STOP
        price = slipped(shadow.side.opposite, touch.price, costs.slippage)
        return self._end(shadow, bars, index, price, cause, at_open=at_open)

    def _end(
        self, shadow: _Shadow, bars: Bars, index: int, price: float, cause: ExitCause, *, at_open: bool
    ) -> Outcome:
        decision, sign = shadow.decision, shadow.side.sign
        costs = self._costs(bars.symbol)
        opened = bars.opened[shadow.decided_index + 1]
        closed = bars.opened[index] + (0 if at_open else bars.seconds)
        swap = self._swap(shadow, opened, bars.opened[index], bars.symbol)
        fees = costs.fee_rate * (shadow.entry + price)
        result = net_r(
            shadow.side,
            entry=shadow.entry,
            exit_=price,
            risk_per_unit=shadow.risk,
            fee_rate=costs.fee_rate,
            swap_per_unit=swap,
        )
        excursions = [(each - shadow.entry) * sign / shadow.risk for each in (shadow.best, shadow.worst, price)]
        return Outcome(
            outcome_id=digest("outcome", decision.decision_id, OutcomeKind.SHADOW),
            decision_id=decision.decision_id,
            kind=OutcomeKind.SHADOW,
            instrument=decision.instrument,
            timeframe=decision.timeframe,
            side=shadow.side,
            opened_at=from_epoch(opened),
            closed_at=from_epoch(closed),
            entry_price=significant(shadow.entry),
            exit_price=significant(price),
            quantity=self._instruments[bars.symbol].lot,
            r_net=significant(result),
            return_net=significant((sign * (price - shadow.entry) - fees - swap) / shadow.entry),
            mfe_r=significant(max(0.0, *excursions)),
            mae_r=significant(min(0.0, *excursions)),
            bars_held=index - shadow.decided_index - (1 if at_open else 0),
            exit_cause=cause,
            costs_r=significant((fees + swap) / shadow.risk),
            profit=None,
            strategies=decision.signal.strategies,
            sentiment_state=sentiment_state(decision.sentiment),
            model=decision.ml.model,
        )

    def _swap(self, shadow: _Shadow, opened: int, last_open: int, symbol: str) -> float:
        """What holding one unit over the midnights until its last bar opened costs, in quote currency; negative when
        it earns. A night is booked at the first open after it, so one that ends within a bar's range is not."""
        nights = last_open // _DAY - opened // _DAY
        instrument = self._instruments[symbol]
        rate = instrument.swap_long_per_day if shadow.side is Side.BUY else instrument.swap_short_per_day
        return -float(rate) * shadow.entry * nights
