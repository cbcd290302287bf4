"""Metrics of a run: which label values exist, the endpoint, and what only a snapshot can tell."""

from __future__ import annotations

import sqlite3
from importlib.metadata import version
from pathlib import Path

from daemon.config import Config, digest_of
from daemon.metrics import Metrics, VenueCounts, Vocabulary
from daemon.schedule import STANDARD
from daemon.wiring import Trading
from domain.clock import EPOCH
from domain.orders import Leg, OrderState
from learning.blend import PROBABILITY_BELOW_THRESHOLD, SCORE_BELOW_MINIMUM
from market.feed import Feed, Moment
from risk.reasons import REASONS as RISK_REASONS
from trading.guardian import UNPROTECTED
from trading.incidents import CHANGE_REFUSED, FOREIGN_ORDER, LATE_ORDER
from trading.judging import JUDGED_REASONS
from trading.reconcile import Mismatch

INCIDENTS = (FOREIGN_ORDER, CHANGE_REFUSED, LATE_ORDER, UNPROTECTED)
"""What goes wrong between bars, by name; what reconciliation finds has names of its own."""

VERSION = version("ratchet-trader")


def make_metrics(feed: Feed, currency: str, venue: VenueCounts | None = None) -> Metrics:
    """All metrics, with every label value that this run may use; `venue` is what is counted where a venue is asked."""
    words = Vocabulary(
        instruments=tuple(feed.instruments),
        reasons=(*JUDGED_REASONS, SCORE_BELOW_MINIMUM, PROBABILITY_BELOW_THRESHOLD, *RISK_REASONS),
        jobs=tuple(STANDARD),
        sources=("feed",),
        incidents=(*INCIDENTS, *(f"reconcile_{kind}" for kind in Mismatch)),
        rejections=tuple(feed.report.rejected),
        candle_rejections=() if venue is None else venue.rejections,
        mismatches=tuple(Mismatch),
    )
    metrics = Metrics(currency=currency, words=words)
    for kind, count in feed.report.rejected.items():
        metrics.service.data_rejected(kind, count)
    if venue is not None:
        metrics.venue.watch(venue)
    return metrics


class Snapshots:
    """Tells the metrics after each moment what no single event knows; nothing where nobody can read them."""

    def __init__(
        self, trading: Trading, metrics: Metrics, config: Config, *, live: bool, state: Path, served: bool = True
    ) -> None:
        self._served = served
        self._trading = trading
        self._metrics = metrics
        metrics.service.built(
            version=VERSION, config_digest=digest_of(config), sqlite=sqlite3.sqlite_version, live=live
        )
        metrics.service.watch_files(state=state, journal=state / "journal.sqlite")
        metrics.trading.scan_every(trading.session.view.timeframe.seconds)
        if trading.portfolio.current is not None:
            metrics.risk.weighed(trading.portfolio.current.weights, fell_back=False)
        self._texts = 0

    def after(self, moment: Moment) -> None:
        """Tell what is so once this moment is over."""
        if not self._served:
            return
        session = self._trading.session
        at = (moment.at - EPOCH).total_seconds()
        for ref in moment.closed:
            self._metrics.trading.bar_closed(ref.symbol, at)
        self.orders()
        if session.news.texts > self._texts:
            self._metrics.learning.texts("feed", session.news.texts - self._texts, at)
            self._texts = session.news.texts

    def orders(self) -> None:
        """Tell how many orders are open, how many of them in doubt, and how many positions lie bare."""
        if not self._served:
            return
        session = self._trading.session
        unknown = session.books.unknown()
        self._metrics.trading.orders_now(
            open_=len(session.books.all_open_orders()),
            unknown=len(unknown),
            oldest_unknown_at=min(((each.updated_at - EPOCH).total_seconds() for each in unknown), default=None),
        )
        self._metrics.trading.unprotected(self._unprotected())
        self._metrics.service.sequence_is(self._trading.journal.sequence)

    def measure_model(self) -> None:
        """The online model's figures; dearer than the rest, so told by a job."""
        if not self._served:
            return
        report = self._trading.session.aftermath.model.report()
        self._metrics.learning.measured(
            labels=report.labels,
            log_loss=report.overall.log_loss,
            base_rate_log_loss=report.overall.base_rate_log_loss,
            brier=report.overall.brier,
            auc=report.overall.auc,
        )

    def _unprotected(self) -> int:
        """Open positions whose resting stops do not cover what can be sold: whole lots of what is held."""
        books = self._trading.session.books
        count = 0
        for trade in books.open_trades():
            resting = sum(
                order.remaining
                for order in books.open_orders(trade.trade_id, Leg.STOP)
                if order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
            )
            if trade.position is None:
                continue
            instrument = self._trading.session.view.instruments[trade.position.instrument]
            count += resting < instrument.quantity(abs(trade.position.quantity))
        return count
