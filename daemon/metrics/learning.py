"""Metrics of learning and sentiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from daemon.metrics.families import NOT_MEASURED, Families
from daemon.metrics.vocabulary import Vocabulary

TRAINING_OUTCOMES: Final = ("deployed", "kept", "failed")
DETECTORS: Final = ("adwin", "page_hinkley", "psi", "calibration")


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
        self._trainings = make.counted(
            "trainings", "Trainings of the filter's model, by how they ended.", "outcome", TRAINING_OUTCOMES
        )
        self._gain = make.gauge(
            "challenger_ev_gain_r", "Net R a trade that the last verdict's challenger gained.", NOT_MEASURED
        )
        self._gain_bound = make.gauge(
            "challenger_ev_gain_bound_r", "Lower bound of that gain at the error the verdict could spend.", NOT_MEASURED
        )
        self._champion_ev = make.gauge(
            "champion_ev_r", "Net R a trade of what the champion lets through, over its last evaluation.", NOT_MEASURED
        )
        self._unfiltered_ev = make.gauge(
            "unfiltered_ev_r", "Net R a signal without a filter, over the same signals.", NOT_MEASURED
        )
        self._deployed = make.gauge("model_deployed_timestamp_seconds", "When the champion was deployed; 0 means none.")
        self._drifts = make.counted("drift_events", "Findings of drift detectors.", "detector", DETECTORS)
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

    def trained(self, answer: Mapping[str, Any], *, deployed: bool) -> None:
        """A training ended with an answer of `learning.training`."""
        self._trainings.add("deployed" if deployed else "kept")
        for gauge, name in ((self._gain, "ev_gain"), (self._gain_bound, "gain_bound")):
            value = answer.get(name)
            gauge.set(NOT_MEASURED if value is None else float(value))

    def training_failed(self) -> None:
        """A training ended without an answer."""
        self._trainings.add("failed")

    def evaluated(self, *, champion_ev: float | None, unfiltered_ev: float | None) -> None:
        """What the champion let through earned over its last evaluation, and what all signals did."""
        self._champion_ev.set(NOT_MEASURED if champion_ev is None else champion_ev)
        self._unfiltered_ev.set(NOT_MEASURED if unfiltered_ev is None else unfiltered_ev)

    def champion_since(self, seconds: float) -> None:
        """When the champion was deployed, in seconds since 1970; 0 when there is none."""
        self._deployed.set(seconds)

    def drifted(self, detector: str) -> None:
        """A detector spoke."""
        self._drifts.add(detector)

    def texts(self, source: str, count: int, newest_at: float) -> None:
        """`count` texts of `source` were taken in, the newest received at `newest_at`."""
        self._texts.add(source, count)
        self._newest.put(source, newest_at)

    def source_failed(self, source: str) -> None:
        self._errors.add(source)
