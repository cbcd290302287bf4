"""One scan: over every instrument whose bar has just closed, from signal to decision. Nothing is sent here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.decisions import Decision, DecisionStatus, FeatureVector, MlView, SentimentView, Signal
from domain.errors import NoRate
from domain.holds import Effect, Hold
from domain.identity import digest
from domain.numbers import significant
from domain.orders import Approval, Intent
from domain.records import Scan
from learning.blend import Mode, accepts, blend
from learning.filter import Heard, SignalFilter
from market.feed import BarRef, Moment
from risk.breakers import OrderSent, step
from risk.limits import Limits
from risk.snapshot import Exposure
from signals.ensemble import combine
from signals.features import build
from signals.settings import SignalSettings
from signals.strategies import strategy_hash
from trading.books import Books
from trading.exposure import Exposures
from trading.intents import Wording
from trading.judging import Account, Case, Judge, Judged
from trading.news import News
from trading.view import MarketView


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanSettings:
    """How proposals become orders. `minimum_score` is the least blended score; `entry_valid` how long an entry
    may wait for its fill; `stale_after` the age at which a quote is too old to decide on."""

    mode: Mode = Mode.SCORE_ENHANCEMENT
    technical_weight: float = 0.7
    minimum_score: float = 0.5
    entry_valid: timedelta = timedelta(hours=2)
    stale_after: timedelta = timedelta(hours=2)


@dataclass(slots=True)
class Scanned:
    """What one scan came to: decisions with the index of their bar and what each model said of them, entries to send,
    and the scan's own record."""

    scan: Scan
    decisions: list[tuple[Decision, int, Heard]] = field(default_factory=list)
    entries: list[Intent] = field(default_factory=list)


class Scanner:
    """The pure middle of the loop: (bars, sentiment, model, portfolio, limits, holds, now) to decisions."""

    def __init__(
        self,
        *,
        account: str,
        view: MarketView,
        news: News,
        judge: Judge,
        limits: Limits,
        signals: SignalSettings,
        settings: ScanSettings,
    ) -> None:
        self._account = account
        self._view = view
        self._news = news
        self.judge = judge
        self._limits = limits
        self._signals = signals
        self._settings = settings
        self._exposures = Exposures(view)
        self._wording = Wording(account=account, limits=limits)
        self._strategy_hash = strategy_hash(signals, view.strategies)

    def scan(
        self,
        moment: Moment,
        now: datetime,
        is_last: Callable[[BarRef], bool],
        account: Account,
        books: Books,
        model: SignalFilter,
        weights: Mapping[str, float],
    ) -> Scanned:
        """Decide on every bar that closed at this moment, in the feed's fixed order. `now` is the clock's time: in a
        replay the moment itself, live a little later."""
        reasons: Counter[str] = Counter()
        result = Scanned(scan=_scan_record(moment, self._view, 0, reasons))
        exposures: list[Exposure] | None = None
        for ref in moment.closed:
            if ref.symbol not in self._view.tradable:
                continue
            bars = self._view.bars(ref.symbol)
            if not bars.speaks[ref.index] or is_last(ref):
                reasons["last_bar" if is_last(ref) else "silent"] += 1
                continue
            signal = combine(bars.table, ref.index, weights, self._signals)
            if isinstance(signal, str):
                reasons[signal] += 1
                continue
            if exposures is None:
                try:
                    exposures = self._exposures.of(books, now)
                except NoRate:
                    reasons["no_rate"] += 1
                    continue
            unknown = frozenset(order.intent.instrument for order in books.unknown())
            decision, approval, heard = self._decide(signal, ref.index, now, account, exposures, unknown, model)
            result.decisions.append((decision, ref.index, heard))
            if approval is not None:
                result.entries.append(self._entry(decision, approval))
                exposures.append(self._exposures.in_flight(decision, now))
                account = self._after(decision, account)
        result.scan = _scan_record(moment, self._view, len(result.decisions), reasons)
        return result

    def _after(self, decision: Decision, account: Account) -> Account:
        """The account as the next bar of this scan must see it: with one more entry in its message budgets."""
        sent = OrderSent(
            at=decision.decided_at,
            instrument=decision.instrument,
            side=decision.signal.side,
            decision_id=decision.decision_id,
        )
        return replace(account, risk=step(account.risk, sent, self._limits)[0])

    # -- one decision -----------------------------------------------------------------------------------------

    def _decide(
        self,
        signal: Signal,
        index: int,
        now: datetime,
        account: Account,
        exposures: list[Exposure],
        unknown: frozenset[str],
        model: SignalFilter,
    ) -> tuple[Decision, Approval | None, Heard]:
        symbol = signal.instrument
        sentiment = self._news.view(symbol, now)
        inputs = self._view.inputs(signal, index, now, sentiment, self._news.minutes_to_event(symbol, now))
        features = build(inputs)
        heard = model.hear(features)
        ml = heard.view
        effect = _effect(account.holds, now, symbol)
        mode = Mode.OFF if effect is Effect.SAFE else self._settings.mode
        score = blend(signal.technical_score, ml, mode, technical_weight=self._settings.technical_weight)
        refused = accepts(score, ml, mode, minimum_score=self._settings.minimum_score)
        if refused is not None:
            minimum = {"minimum_score": str(self._settings.minimum_score)}
            judged = Judged(status=DecisionStatus.FILTERED, reason=refused, numbers=minimum)
        else:
            judged = self.judge.judge(
                Case(
                    decision_id=self._decision_id(signal),
                    signal=signal,
                    row=inputs.row,
                    index=index,
                    now=now,
                    account=account,
                    exposures=exposures,
                    unknown_orders=unknown,
                    ml=ml,
                    sentiment=sentiment,
                    effect=effect,
                )
            )
        return self._record(signal, now, features, sentiment, ml, score, judged), judged.approval, heard

    def _decision_id(self, signal: Signal) -> str:
        return digest("decision", self._account, signal.instrument, signal.timeframe, signal.bar_opened_at.isoformat())

    def _record(
        self,
        signal: Signal,
        now: datetime,
        features: FeatureVector,
        sentiment: SentimentView | None,
        ml: MlView,
        score: float,
        judged: Judged,
    ) -> Decision:
        return Decision(
            decision_id=self._decision_id(signal),
            account=self._account,
            instrument=signal.instrument,
            timeframe=signal.timeframe,
            bar_opened_at=signal.bar_opened_at,
            decided_at=now,
            signal=signal,
            features=features,
            sentiment=sentiment,
            ml=ml,
            score=significant(score),
            status=judged.status,
            reason=judged.reason,
            quantity=judged.quantity,
            risk_amount=judged.risk_amount,
            strategy_hash=self._strategy_hash,
            numbers=judged.numbers,
        )

    def _entry(self, decision: Decision, approval: Approval) -> Intent:
        return self._wording.entry(decision, approval, expires_at=decision.decided_at + self._settings.entry_valid)


def entry_validity(span: timedelta, bars: int = 2) -> timedelta:
    """How long an entry may wait for its fill: some bars; on daily bars as many days plus a long weekend."""
    return span * bars if span < timedelta(days=1) else span * bars + timedelta(days=3)


def _effect(holds: tuple[Hold, ...], now: datetime, symbol: str) -> Effect | None:
    effects = [hold.effect for hold in holds if hold.covers(symbol) and hold.in_force(now)]
    return max(effects, default=None)


def _scan_record(moment: Moment, view: MarketView, decisions: int, reasons: Counter[str]) -> Scan:
    return Scan(
        at=moment.at,
        timeframe=view.timeframe,
        bars=len(moment.closed),
        decisions=decisions,
        reasons=dict(sorted(reasons.items())),
    )
