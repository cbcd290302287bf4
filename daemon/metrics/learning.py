"""Metrics of learning and sentiment."""

from __future__ import annotations

from daemon.metrics.families import NOT_MEASURED, Families
from daemon.metrics.vocabulary import Vocabulary


class LearningMetrics:
    """How well the online model predicts, test-then-learn, and how the sources of sentiment fare."""

    def __init__(self, make: Families, words: Vocabulary) -> None:
        self._updates = make.counter("online_updates", "Samples the online model learned from.")
        self._labels = make.gauge("online_labels", "Labels the online model has seen.")
        self._log_loss = make.gauge("online_log_loss", "Prequential log-loss of the online model.", NOT_MEASURED)
        self._base_log_loss = make.gauge(
            "online_base_rate_log_loss", "Prequential log-loss of always saying the base rate.", NOT_MEASURED
        )
        self._brier = make.gauge("online_brier", "Prequential Brier score of the online model.", NOT_MEASURED)
        self._auc = make.gauge("online_auc", "Prequential area under the ROC curve.", NOT_MEASURED)
        self._retrainings = make.counter(
            "drawdown_retrainings",
            "Challengers trained in shadow because a drawdown or emergency latched; none of them is deployed.",
        )
        self._texts = make.counted("sentiment_texts", "Texts taken in.", "source", words.sources)
        self._errors = make.counted("sentiment_errors", "Failed calls of a source.", "source", words.sources)
        self._newest = make.gauged(
            "sentiment_newest_timestamp_seconds",
            "When a source's newest text was received; 0 means none yet.",
            "source",
            words.sources,
        )

    def updated(self, samples: int = 1) -> None:
        self._updates.inc(samples)

    def measured(
        self,
        *,
        labels: int,
        log_loss: float | None,
        base_rate_log_loss: float | None,
        brier: float | None,
        auc: float | None,
    ) -> None:
        """The online model's record so far; None is a figure that cannot be told yet, shown as NaN."""
        self._labels.set(labels)
        self._log_loss.set(NOT_MEASURED if log_loss is None else log_loss)
        self._base_log_loss.set(NOT_MEASURED if base_rate_log_loss is None else base_rate_log_loss)
        self._brier.set(NOT_MEASURED if brier is None else brier)
        self._auc.set(NOT_MEASURED if auc is None else auc)

    def retrained(self) -> None:
        """A challenger that a latched hold had called for stands beside the champion."""
        self._retrainings.inc()

    def texts(self, source: str, count: int, newest_at: float) -> None:
        """`count` texts of `source` were taken in, the newest received at `newest_at`."""
        self._texts.add(source, count)
        self._newest.put(source, newest_at)

    def source_failed(self, source: str) -> None:
        self._errors.add(source)
